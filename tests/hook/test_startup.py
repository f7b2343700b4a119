"""Interpreter start-up with certhook: it is enabled without code, never breaks start-up, and costs little."""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
import support
from support import PRINT_HOOKED

COUNT_FINDERS = "import sys; print(sum(getattr(finder, '__certhook__', None) is True for finder in sys.meta_path))"
#: Options that turn warnings into errors and report open files.
STRICT_OPTIONS = ("-W", "error", "-X", "dev", "-bb")


@pytest.fixture(scope="module")
def with_empty_pth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment with a no-op ``.pth`` file.

    Reading any such file imports a codec, which must not count as a cost of certhook.
    """
    python = support.make_environment(tmp_path_factory.mktemp("with_empty_pth"))
    (support.purelib(python) / "empty.pth").write_text("import sys\n")
    return python


@pytest.fixture
def modified_package(installed: Path, tmp_path: Path):
    """Return a function that copies the package, replaces or deletes one file, and puts the copy first on the path."""

    def modify(name: str, text: str | None) -> dict[str, str]:
        shutil.copytree(support.purelib(installed) / "certhook", tmp_path / "certhook")
        shutil.rmtree(tmp_path / "certhook" / "__pycache__")
        if text is None:
            (tmp_path / "certhook" / name).unlink()
        else:
            (tmp_path / "certhook" / name).write_text(text)
        return support.clean_env(PYTHONPATH=str(tmp_path))

    return modify


@pytest.mark.parametrize("flags", [(), ("-I",), ("-E",), ("-s",), ("-OO",), ("-B",), STRICT_OPTIONS], ids=" ".join)
def test_installing_the_wheel_enables_the_hook(installed, flags) -> None:
    done = support.run(installed, PRINT_HOOKED, *flags)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_without_site_certhook_is_not_imported(installed) -> None:
    done = support.run(installed, f"{PRINT_HOOKED}; import sys; print('certhook' in sys.modules)", "-S")
    assert (done.stdout, done.stderr) == ("False\nFalse\n", "")


def test_an_environment_without_certhook_has_no_hook(plain) -> None:
    assert support.run(plain, PRINT_HOOKED).stdout == "False\n"


@pytest.mark.parametrize("flags", [(), STRICT_OPTIONS], ids=" ".join)
def test_interpreter_startup_prints_nothing(installed, flags) -> None:
    done = support.run(installed, "pass", *flags)
    assert (done.stdout, done.stderr) == ("", "")


def test_processing_the_pth_twice_installs_one_finder(installed) -> None:
    code = f"import site; site.addsitedir({str(support.purelib(installed))!r}); {COUNT_FINDERS}"
    done = support.run(installed, code)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_sitecustomize_that_imports_ssl_gets_the_patched_module(installed, tmp_path) -> None:
    (tmp_path / "sitecustomize.py").write_text(PRINT_HOOKED)
    done = support.run(installed, "pass", env=support.clean_env(PYTHONPATH=str(tmp_path)))
    assert done.stdout == "True\n"


def modules_at_startup(python: Path, **variables: str) -> set[str]:
    code = "import sys; print(*sys.modules)"
    return set(support.run(python, code, env=support.clean_env(**variables)).stdout.split())


def test_startup_imports_one_module(installed_unmeasured, with_empty_pth) -> None:
    assert modules_at_startup(installed_unmeasured) ^ modules_at_startup(with_empty_pth) == {"certhook"}


def test_importtime_reports_one_module(installed_unmeasured, with_empty_pth) -> None:
    def imported(python: Path) -> set[str]:
        importtime_output = support.run(python, "pass", "-X", "importtime").stderr
        return {line.rpartition("|")[2].strip() for line in importtime_output.splitlines()}

    assert imported(installed_unmeasured) ^ imported(with_empty_pth) == {"certhook"}


@pytest.mark.parametrize("value", ["1", "true", "YES", "on", " 1 ", "2", "disabled"])
def test_certhook_disabled_disables_the_hook(installed, value) -> None:
    env = support.clean_env(CERTHOOK_DISABLED=value)
    done = support.run(installed, f"{COUNT_FINDERS}; {PRINT_HOOKED}", env=env)
    assert (done.stdout, done.stderr) == ("0\nFalse\n", "")


@pytest.mark.parametrize("value", ["", "0", "false", "No", "OFF", " off "])
def test_certhook_disabled_accepts_negative_values(installed, value) -> None:
    env = support.clean_env(CERTHOOK_DISABLED=value)
    assert support.run(installed, f"{COUNT_FINDERS}; {PRINT_HOOKED}", env=env).stdout == "1\nTrue\n"


def test_certhook_disabled_imports_the_settings_but_no_openssl(installed_unmeasured, with_empty_pth) -> None:
    modules = modules_at_startup(installed_unmeasured, CERTHOOK_DISABLED="1") ^ modules_at_startup(with_empty_pth)
    assert modules == {"certhook", "certhook._config", "certhook._state"}


def test_a_warm_first_context_imports_at_most_eight_modules_of_certhook(installed_unmeasured, tmp_path) -> None:
    code = """
import sys, ssl
ssl.create_default_context()
print(*(name for name in sys.modules if name.partition(".")[0] == "certhook"))
"""
    env = support.clean_env(CERTHOOK_STORE_DIR=str(tmp_path / "cache"))
    # The first process builds the store, and the second one verifies it. The third one does neither, unless it
    # starts ten seconds later.
    imported = [support.run(installed_unmeasured, code, env=env).stdout.split() for _ in range(4)]
    assert any((tmp_path / "cache").iterdir()), "the first process built no store"
    # The value of CERTHOOK_STORE_DIR is a path, which one more module parses.
    assert len({*min(imported, key=len)} - {"certhook._path_values"}) <= 8, min(imported, key=len)


def test_an_eager_first_context_imports_nothing_that_only_writing_needs(installed_unmeasured) -> None:
    code = """
import sys
before = set(sys.modules)
import ssl
ssl.create_default_context()
print(*sorted({"shutil", "certhook._store.build"} & (set(sys.modules) - before)))
"""
    env = support.clean_env(CERTHOOK_LOAD="eager")
    assert support.run(installed_unmeasured, code, env=env).stdout == "\n"


def test_without_the_hook_a_warm_process_imports_no_sources(installed_unmeasured, tmp_path) -> None:
    code = """
import certhook, ssl, sys
certhook.load_default_certs(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
print(*(name for name in sys.modules if name.startswith("certhook._sources")))
"""
    env = support.clean_env(CERTHOOK_DISABLED="1", CERTHOOK_STORE_DIR=str(tmp_path / "cache"))
    imported = [support.run(installed_unmeasured, code, env=env).stdout for _ in range(2)]
    assert any((tmp_path / "cache").iterdir()), "the first process built no store"
    assert imported[1] == "\n"


FAILING_START = "import sys; sys.meta_path = (); import certhook; certhook.start()"


@pytest.mark.parametrize(
    "failure",
    [
        "sys.meta_path = ()",
        "sys.meta_path = None",
        "del sys.meta_path",
        "sys.stderr = None; sys.meta_path = None",
        "sys.stderr = sys.stdin; sys.meta_path = None",
        "import ssl; sys.modules['certhook._finder'] = None",
        "import ssl; sys.modules['certhook._patch'] = None",
    ],
)
@pytest.mark.parametrize("debug", ["", "1"])
def test_start_never_raises(installed, failure, debug) -> None:
    code = f"import os, sys; sys.meta_path[:] = sys.meta_path[1:]; import certhook; {failure}; certhook.start()"
    done = support.run(installed, f"{code}; os.write(1, b'started')", env=support.clean_env(CERTHOOK_DEBUG=debug))
    assert done.stdout == "started"


def test_with_debug_start_prints_the_reason_for_a_failure(installed) -> None:
    done = support.run(installed, FAILING_START, env=support.clean_env(CERTHOOK_DEBUG="1"))
    assert done.stdout == ""
    assert re.fullmatch(r"certhook: not installed: AttributeError\(.*insert.*\)\n", done.stderr)


@pytest.mark.parametrize("debug", ["", "0", "off"])
def test_without_debug_start_prints_nothing(installed, debug) -> None:
    done = support.run(installed, FAILING_START, env=support.clean_env(CERTHOOK_DEBUG=debug))
    assert (done.stdout, done.stderr) == ("", "")


BROKEN_MODULES = [
    pytest.param(None, id="missing"),
    pytest.param("def", id="not Python"),
    pytest.param("raise RuntimeError('broken')", id="raises"),
    pytest.param("", id="empty"),
]


@pytest.mark.parametrize("text", BROKEN_MODULES)
@pytest.mark.parametrize("name", ["_finder.py", "_patch.py"])
def test_a_broken_module_of_certhook_does_not_break_import_ssl(installed, modified_package, name, text) -> None:
    done = support.run(installed, PRINT_HOOKED, env=modified_package(name, text))
    assert done.stdout == "False\n"
    message = re.fullmatch(r"certhook: .+\n", done.stderr)
    # Without _finder, certhook may print no message: the package may have been uninstalled during the run.
    assert message or (name == "_finder.py" and done.stderr == "")


def test_import_ssl_works_if_the_message_cannot_be_written(installed, modified_package) -> None:
    code = "import os, sys; sys.stderr = sys.stdin; " + PRINT_HOOKED
    assert support.run(installed, code, env=modified_package("_patch.py", None)).stdout == "False\n"


def test_import_ssl_works_without_standard_error(installed, modified_package) -> None:
    code = "import sys; sys.stderr = None; " + PRINT_HOOKED
    assert support.run(installed, code, env=modified_package("_patch.py", None)).stdout == "False\n"


@pytest.fixture(scope="module")
def instructions():
    """Return a function that counts the instructions of ``python -c pass``."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        report_missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        report_missing("valgrind, which counts the instructions, is not installed")

    def count(python: Path) -> int:
        env = support.clean_env(PYTHONHASHSEED="0")
        # The first run writes missing byte code, including that of the standard library.
        support.run(python, "pass", env=env)
        command = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", str(python), "-c", "pass"]
        done = subprocess.run(command, env=env, check=True, capture_output=True, encoding="utf-8", timeout=120)
        return int(re.findall(r"Collected : (\d+)", done.stderr)[0])

    return count


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="the limit applies to CPython")
def test_startup_costs_few_instructions(installed_unmeasured, with_empty_pth, instructions) -> None:
    """Compared with an empty ``.pth`` file, which alone costs 0.4 % on Python 3.11 and 3.3 % on 3.13."""
    assert 1 < instructions(installed_unmeasured) / instructions(with_empty_pth) <= 1.045


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="the limit applies to CPython")
def test_startup_costs_at_most_five_percent_more_instructions(
    installed_unmeasured, plain, with_empty_pth, instructions
) -> None:
    if sys.version_info[:2] == (3, 9):
        pytest.skip("any .pth file alone costs 2.5 percent")
    if "encodings.utf_8_sig" in modules_at_startup(with_empty_pth) - modules_at_startup(plain):
        pytest.skip("this Python imports a codec for any .pth file, which alone costs most of five percent")
    assert 1 < instructions(installed_unmeasured) / instructions(plain) <= 1.05


def test_the_code_that_runs_at_every_startup_is_short(installed) -> None:
    package = support.purelib(installed) / "certhook"
    modules = [package / "__init__.py", *sorted((package / "bootstrap").glob("*.py"))]
    assert [module.name for module in modules] == ["__init__.py", "__init__.py", "sitecustomize.py"]
    assert sum(map(lines_of_code, modules)) < 165


def lines_of_code(module: Path) -> int:
    """Count the lines that are not blank, comments or docstrings."""
    text = module.read_text(encoding="utf-8")
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in ignored:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            lines.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)
