"""The configuration for tools that freeze programs, tested without these tools.

``tests/embedded/test_frozen.py`` runs the tools.
"""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import support

NAMES = ("pyinstaller", "nuitka", "cx_freeze", "pyoxidizer")


@pytest.fixture
def certhook(installed: Path, tmp_path: Path):
    """Run ``python -m certhook`` in an empty directory."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = support.clean_env(**variables)
        return support.run_command(installed, "-m", "certhook", *arguments, env=env, cwd=tmp_path)

    return run


# Location of the files.


@pytest.mark.parametrize("name", NAMES)
def test_the_freezer_verb_prints_the_path_of_an_installed_file(certhook, installed, name) -> None:
    done = certhook("freezer", name)
    assert (done.returncode, done.stderr) == (0, "")
    path = Path(done.stdout.rstrip("\n"))
    assert path.parent == support.purelib(installed) / "certhook" / "freezers"
    assert path.exists()


def test_an_unknown_freezer_is_rejected_with_a_list_of_the_known_ones(certhook) -> None:
    done = certhook("freezer", "py2exe")
    assert (done.returncode, done.stdout) == (2, "")
    assert all(name in done.stderr for name in NAMES)


def test_the_freezer_verb_fails_if_certhook_is_in_an_archive(installed, tmp_path) -> None:
    packages = support.purelib(installed)
    with zipfile.ZipFile(tmp_path / "packages.zip", "w") as archive:
        for file in (packages / "certhook").rglob("*"):
            archive.write(file, file.relative_to(packages))
    code = "import certhook, sys; from certhook.cli import main; sys.exit(main(['freezer', 'nuitka']))"
    env = support.clean_env(PYTHONPATH=str(tmp_path / "packages.zip"))
    done = support.run(installed, code, "-S", env=env, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not in a directory" in done.stderr


# PyInstaller.

ENTRY_POINT = """
import sys
from importlib.metadata import entry_points
found = entry_points()
found = found.select(group="pyinstaller40") if hasattr(found, "select") else found["pyinstaller40"]
for point in found:
    print(point.name, *point.load()())
"""


@pytest.fixture
def hook_directory(certhook) -> Path:
    """The directory of the PyInstaller hooks."""
    return Path(certhook("freezer", "pyinstaller").stdout.rstrip("\n"))


def test_pyinstaller_finds_the_hook_directory_through_the_entry_point(installed, hook_directory) -> None:
    assert support.run(installed, ENTRY_POINT).stdout == f"hook-dirs {hook_directory}\n"


def test_pyinstaller_finds_no_hook_directory_if_certhook_is_disabled(installed) -> None:
    assert support.run(installed, ENTRY_POINT, env=support.clean_env(CERTHOOK_DISABLED="1")).stdout == "hook-dirs\n"


def test_every_pyinstaller_runtime_hook_in_the_index_exists(hook_directory) -> None:
    hooks = ast.literal_eval((hook_directory / "rthooks.dat").read_text())
    assert list(hooks) == ["ssl"]
    assert all((hook_directory / "rthooks" / name).is_file() for name in hooks["ssl"])


@pytest.mark.parametrize("excluded", [(), ("certhook",)])
def test_the_runtime_hook_installs_the_import_hook_if_the_program_includes_certhook(
    installed, hook_directory, excluded
) -> None:
    code = (hook_directory / "rthooks" / "pyi_rth_certhook.py").read_text()
    prelude = "".join(f"import sys; sys.modules[{name!r}] = None\n" for name in excluded)
    code = f"{prelude}{code}\n{support.PRINT_HOOKED}"
    env = support.clean_env(PYTHONPATH=str(support.purelib(installed)))
    done = support.run(installed, code, "-S", env=env)
    assert (done.stdout, done.stderr) == (f"{not excluded}\n", "")


# The bundle as a module.

PRINT_TRUST_SET = (
    "import certhook; trust = certhook.trust_set(); print(len(trust)); print(*trust.problems, sep='\\n', end='')"
)


@pytest.fixture
def run_without_certifi(installed, certhook, tmp_path):
    """Run code with certhook on the path but not certifi.

    Tests may add a ``certhook_bundle`` module to the directory ``packages``.
    """
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "certhook").symlink_to(support.purelib(installed) / "certhook")

    def run(code: str, **variables: str) -> str:
        env = support.clean_env(PYTHONPATH=str(tmp_path / "packages"), CERTHOOK_SOURCES="bundled", **variables)
        return support.run(installed, code, "-S", env=env).stdout

    return run


@pytest.fixture
def freeze_bundle(certhook, tmp_path, cas):
    """Write a frozen bundle that contains the certificates of the named CAs."""

    def freeze(path: str, *names: str) -> None:
        (tmp_path / "own.pem").write_bytes(cas.pem(*names))
        certhook("freeze-bundle", path, CERTHOOK_BUNDLE=str(tmp_path / "own.pem"))

    return freeze


def test_only_the_bundle_is_written_to_a_file(certhook, tmp_path) -> None:
    done = certhook("freezer", "nuitka", tmp_path / "nuitka.yml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "FILE is only permitted with 'bundle', not with nuitka" in done.stderr


@pytest.mark.parametrize("arguments", [["freezer", "bundle"], ["freeze-bundle"]], ids=" ".join)
def test_the_bundle_is_written_as_a_module(arguments, certhook, installed, tmp_path) -> None:
    done = certhook(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f" root certificates written to {tmp_path / 'certhook_bundle.py'}\n")
    text = (tmp_path / "certhook_bundle.py").read_text(encoding="ascii")
    names = {}
    exec(text, names)
    assert names["PEM"] == (support.purelib(installed) / "certifi" / "cacert.pem").read_bytes()
    assert hashlib.sha256(names["PEM"]).hexdigest() in text
    assert "``python -m certhook freezer\nbundle``" in names["__doc__"]
    # The module must not reveal paths of the machine that wrote it.
    assert str(tmp_path) not in text and str(support.purelib(installed)) not in text


def test_freeze_bundle_writes_to_any_file_or_to_standard_output(certhook, tmp_path) -> None:
    assert certhook("freeze-bundle", "any.py").returncode == 0
    done = certhook("freeze-bundle", "-")
    assert (done.returncode, done.stdout) == (0, (tmp_path / "any.py").read_text())


def test_freeze_bundle_writes_the_bundle_named_in_certhook_bundle(certhook, tmp_path, cas) -> None:
    (tmp_path / "own.pem").write_bytes(b'# "\\ \xff\r\n' + cas.pem("bundled"))
    done = certhook("freeze-bundle", "-", CERTHOOK_BUNDLE=str(tmp_path / "own.pem"))
    names = {}
    exec(done.stdout, names)
    assert names["PEM"] == (tmp_path / "own.pem").read_bytes()


@pytest.mark.parametrize(
    ("file", "bundle", "message"),
    [
        ("certhook_bundle.py", None, "No such file"),
        ("certhook_bundle.py", b"", "contains no certificate"),
        ("missing/certhook_bundle.py", b"a root", "No such file"),
    ],
)
def test_freeze_bundle_reports_a_bundle_that_it_cannot_read_and_a_file_that_it_cannot_write(
    certhook, tmp_path, cas, file, bundle, message
) -> None:
    if bundle is not None:
        (tmp_path / "own.pem").write_bytes(bundle and cas.pem("bundled"))
    done = certhook("freeze-bundle", file, CERTHOOK_BUNDLE=str(tmp_path / "own.pem"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("certhook: ") and message in done.stderr
    assert not (tmp_path / file).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="creating links requires privileges on Windows")
def test_freeze_bundle_does_not_overwrite_a_symbolic_link(certhook, tmp_path) -> None:
    (tmp_path / "target").write_bytes(b"unchanged")
    (tmp_path / "module.py").symlink_to(tmp_path / "target")
    done = certhook("freeze-bundle", "module.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{tmp_path / 'module.py'} was not changed: it is a symbolic link" in done.stderr
    assert (tmp_path / "target").read_bytes() == b"unchanged" and (tmp_path / "module.py").is_symlink()


def test_the_frozen_bundle_is_used_if_certifi_is_not_installed(freeze_bundle, run_without_certifi) -> None:
    assert run_without_certifi(PRINT_TRUST_SET).splitlines()[0] == "0"
    freeze_bundle("packages/certhook_bundle.py", "bundled", "both")
    assert run_without_certifi(PRINT_TRUST_SET) == "2\n"


def test_the_frozen_bundle_is_not_imported_if_certifi_is_installed(freeze_bundle, installed, tmp_path) -> None:
    freeze_bundle("certhook_bundle.py", "bundled")
    env = support.clean_env(PYTHONPATH=str(tmp_path), CERTHOOK_SOURCES="bundled")
    code = "import certhook, sys; print(len(certhook.trust_set()) > 50, 'certhook_bundle' in sys.modules)"
    assert support.run(installed, code, env=env).stdout == "True False\n"


@pytest.mark.parametrize("text", ["", "def", "raise RuntimeError", "PEM = None", "PEM = 7", "PEM = b''", "PEM = 'x'"])
def test_an_invalid_frozen_bundle_is_reported_as_a_problem(run_without_certifi, tmp_path, text) -> None:
    (tmp_path / "packages" / "certhook_bundle.py").write_text(text)
    count, problem = run_without_certifi(PRINT_TRUST_SET).split("\n", 1)
    assert count == "0"
    expected = "certhook_bundle: contains no certificate" if text == "PEM = b''" else "certifi: is not installed"
    assert expected in problem


def test_a_changed_frozen_bundle_is_used_by_the_next_context_and_by_the_next_process(
    freeze_bundle, run_without_certifi, cas
) -> None:
    module = "packages/certhook_bundle.py"
    print_count = "print(len(context.get_ca_certs()))"
    code = f"import certhook.auto, ssl; context = ssl.create_default_context(); {print_count}"
    freeze_bundle(module, "bundled")
    assert run_without_certifi(code) == "1\n"
    freeze_bundle(module, "bundled", "both")
    assert run_without_certifi(code) == "2\n"
    change = f"import certhook_bundle; certhook_bundle.PEM = {cas.pem('bundled')!r}"
    assert run_without_certifi(f"{code}; {change}; context = ssl.create_default_context(); {print_count}") == "2\n1\n"
    assert run_without_certifi(code) == "2\n"
