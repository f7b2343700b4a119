"""What certhook does to an interpreter that starts: it is enabled with no code, and nearly free."""

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

HOOKED = "import ssl; print(hasattr(ssl.create_default_context, '__certhook__'))"
FINDERS = "import sys; print(sum(getattr(finder, '__certhook__', None) is True for finder in sys.meta_path))"
#: One prints nothing, warns of nothing and leaves no file open.
STRICTLY = ("-W", "error", "-X", "dev", "-bb")


@pytest.fixture(scope="module")
def bystander(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with a ``.pth`` file that does nothing: reading one imports a codec."""
    python = support.make_environment(tmp_path_factory.mktemp("bystander"))
    (support.purelib(python) / "nothing.pth").write_text("import sys\n")
    return python


@pytest.fixture
def changed(installed: Path, tmp_path: Path):
    """Put a copy of the package, with a file replaced or deleted, before the installed one."""

    def change(name: str, text: str | None) -> dict[str, str]:
        shutil.copytree(support.purelib(installed) / "certhook", tmp_path / "certhook")
        shutil.rmtree(tmp_path / "certhook" / "__pycache__")
        if text is None:
            (tmp_path / "certhook" / name).unlink()
        else:
            (tmp_path / "certhook" / name).write_text(text)
        return support.clean_env(PYTHONPATH=str(tmp_path))

    return change


@pytest.mark.parametrize("flags", [(), ("-I",), ("-E",), ("-s",), ("-OO",), ("-B",), STRICTLY], ids=" ".join)
def test_installing_the_wheel_enables_the_hook(installed, flags) -> None:
    done = support.run(installed, HOOKED, *flags)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_without_site_there_is_no_hook_and_nothing_breaks(installed) -> None:
    done = support.run(installed, f"{HOOKED}; import sys; print('certhook' in sys.modules)", "-S")
    assert (done.stdout, done.stderr) == ("False\nFalse\n", "")


def test_an_environment_without_certhook_has_no_hook(plain) -> None:
    assert support.run(plain, HOOKED).stdout == "False\n"


@pytest.mark.parametrize("flags", [(), STRICTLY], ids=" ".join)
def test_starting_prints_nothing(installed, flags) -> None:
    done = support.run(installed, "pass", *flags)
    assert (done.stdout, done.stderr) == ("", "")


def test_running_the_pth_again_is_harmless(installed) -> None:
    again = f"import site; site.addsitedir({str(support.purelib(installed))!r}); "
    done = support.run(installed, again + FINDERS)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_sitecustomize_that_imports_ssl_gets_it_patched(installed, tmp_path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HOOKED)
    done = support.run(installed, "pass", env=support.clean_env(PYTHONPATH=str(tmp_path)))
    assert done.stdout == "True\n"


def modules_at_start(python: Path, **variables: str) -> set[str]:
    code = "import sys; print(*sys.modules)"
    return set(support.run(python, code, env=support.clean_env(**variables)).stdout.split())


def test_one_module_is_imported_at_start(installed_unmeasured, bystander) -> None:
    assert modules_at_start(installed_unmeasured) ^ modules_at_start(bystander) == {"certhook"}


def test_importtime_shows_one_module(installed_unmeasured, bystander) -> None:
    def imported(python: Path) -> set[str]:
        report = support.run(python, "pass", "-X", "importtime").stderr
        return {line.rpartition("|")[2].strip() for line in report.splitlines()}

    assert imported(installed_unmeasured) ^ imported(bystander) == {"certhook"}


@pytest.mark.parametrize("value", ["1", "true", "YES", "on", " 1 ", "2", "disabled"])
def test_certhook_disabled_leaves_the_interpreter_alone(installed, value) -> None:
    env = support.clean_env(CERTHOOK_DISABLED=value)
    done = support.run(installed, f"{FINDERS}; {HOOKED}", env=env)
    assert (done.stdout, done.stderr) == ("0\nFalse\n", "")


@pytest.mark.parametrize("value", ["", "0", "false", "No", "OFF", " off "])
def test_certhook_disabled_can_say_no(installed, value) -> None:
    env = support.clean_env(CERTHOOK_DISABLED=value)
    assert support.run(installed, f"{FINDERS}; {HOOKED}", env=env).stdout == "1\nTrue\n"


def test_certhook_disabled_imports_no_more_than_what_reads_it(installed_unmeasured, bystander) -> None:
    modules = modules_at_start(installed_unmeasured, CERTHOOK_DISABLED="1") ^ modules_at_start(bystander)
    assert modules == {"certhook", "certhook._config"}


@pytest.mark.parametrize(
    "trouble",
    [
        "sys.meta_path = ()",
        "sys.meta_path = None",
        "del sys.meta_path",
        "sys.stderr = None; sys.meta_path = None",
        "sys.stderr = open(os.devnull); sys.meta_path = None",
        "import ssl; sys.modules['certhook._finder'] = None",
        "import ssl; sys.modules['certhook._patch'] = None",
    ],
)
@pytest.mark.parametrize("debug", ["", "1"])
def test_start_never_raises(installed, trouble, debug) -> None:
    code = f"import os, sys; sys.meta_path[:] = sys.meta_path[1:]; import certhook; {trouble}; certhook.start()"
    done = support.run(installed, f"{code}; os.write(1, b'started')", env=support.clean_env(CERTHOOK_DEBUG=debug))
    assert done.stdout == "started"


def test_with_debug_start_says_why_it_did_nothing(installed) -> None:
    code = "import sys; sys.meta_path = (); import certhook; certhook.start()"
    done = support.run(installed, code, env=support.clean_env(CERTHOOK_DEBUG="1"))
    assert done.stdout == ""
    assert re.fullmatch(r"certhook: not installed: AttributeError\(.*insert.*\)\n", done.stderr)


@pytest.mark.parametrize("debug", ["", "0", "off"])
def test_without_debug_start_says_nothing(installed, debug) -> None:
    code = "import sys; sys.meta_path = (); import certhook; certhook.start()"
    done = support.run(installed, code, env=support.clean_env(CERTHOOK_DEBUG=debug))
    assert (done.stdout, done.stderr) == ("", "")


BROKEN = [
    pytest.param(None, id="missing"),
    pytest.param("def", id="not Python"),
    pytest.param("raise RuntimeError('broken')", id="raises"),
    pytest.param("", id="empty"),
]


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("name", ["_finder.py", "_patch.py"])
def test_ssl_is_imported_though_certhook_is_broken(installed, changed, name, text) -> None:
    done = support.run(installed, HOOKED, env=changed(name, text))
    assert done.stdout == "False\n"
    complaint = re.fullmatch(r"certhook: .+\n", done.stderr)
    # A package that was uninstalled under the program has nobody left to complain.
    assert complaint or (name == "_finder.py" and done.stderr == "")


def test_ssl_is_imported_though_standard_error_refuses_the_complaint(installed, changed) -> None:
    code = "import os, sys; sys.stderr = open(os.devnull); " + HOOKED
    assert support.run(installed, code, env=changed("_patch.py", None)).stdout == "False\n"


def test_ssl_is_imported_though_there_is_no_standard_error(installed, changed) -> None:
    code = "import sys; sys.stderr = None; " + HOOKED
    assert support.run(installed, code, env=changed("_patch.py", None)).stdout == "False\n"


@pytest.fixture(scope="module")
def instructions():
    """Counts what an interpreter does for ``python -c pass``."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        if os.environ.get("CI") == "true":
            pytest.fail("valgrind, which counts the instructions, is not installed")
        pytest.skip("valgrind, which counts the instructions, is not installed")

    def count(python: Path) -> int:
        env = support.clean_env(PYTHONHASHSEED="0")
        # What is not there yet is written now: byte code, of the standard library as well.
        support.run(python, "pass", env=env)
        command = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", str(python), "-c", "pass"]
        done = subprocess.run(command, env=env, check=True, capture_output=True, encoding="utf-8", timeout=120)
        return int(re.findall(r"Collected : (\d+)", done.stderr)[0])

    return count


ONLY_CPYTHON = pytest.mark.skipif(sys.implementation.name != "cpython", reason="the bound is CPython's")


@ONLY_CPYTHON
def test_starting_costs_a_twentieth_more_instructions_at_most(
    installed_unmeasured, plain, bystander, instructions
) -> None:
    if "encodings.utf_8_sig" in modules_at_start(bystander) - modules_at_start(plain):
        pytest.skip("here Python imports a codec for any .pth file, which alone is most of a twentieth")
    assert 1 < instructions(installed_unmeasured) / instructions(plain) <= 1.05


@ONLY_CPYTHON
def test_starting_costs_little_more_than_any_pth_does(installed_unmeasured, bystander, instructions) -> None:
    assert 1 < instructions(installed_unmeasured) / instructions(bystander) <= 1.05


def test_what_runs_at_every_start_is_short(installed) -> None:
    package = support.purelib(installed) / "certhook"
    modules = [package / "__init__.py", *sorted((package / "bootstrap").glob("*.py"))]
    assert [module.name for module in modules] == ["__init__.py", "__init__.py", "sitecustomize.py"]
    assert sum(map(lines_of_code, modules)) < 150


def lines_of_code(module: Path) -> int:
    """The lines that are not blank, and neither comment nor docstring."""
    text = module.read_text(encoding="utf-8")
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in silent:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            lines.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)
