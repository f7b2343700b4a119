"""What certhook has for tools that freeze programs, as far as it can be seen without them; see ``embedded``."""

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
    """Run ``python -m certhook`` in an empty folder."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(installed), "-m", "certhook", *arguments],
            env=support.clean_env(**variables),
            cwd=str(tmp_path),
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    return run


# Where the files are.


@pytest.mark.parametrize("name", NAMES)
def test_the_files_for_a_freezer_are_installed(certhook, installed, name) -> None:
    done = certhook("freezer", name)
    assert (done.returncode, done.stderr) == (0, "")
    path = Path(done.stdout.rstrip("\n"))
    assert path.parent == support.purelib(installed) / "certhook" / "freezers"
    assert path.exists()


def test_an_unknown_freezer_is_refused_with_those_that_are_known(certhook) -> None:
    done = certhook("freezer", "py2exe")
    assert (done.returncode, done.stdout) == (2, "")
    assert all(name in done.stderr for name in NAMES)


def test_in_an_archive_there_is_no_path(installed, tmp_path) -> None:
    packages = support.purelib(installed)
    with zipfile.ZipFile(tmp_path / "packages.zip", "w") as archive:
        for file in (packages / "certhook").rglob("*"):
            archive.write(file, file.relative_to(packages))
    code = "import certhook, sys; from certhook.cli import main; sys.exit(main(['freezer', 'nuitka']))"
    env = support.clean_env(PYTHONPATH=str(tmp_path / "packages.zip"))
    done = support.run(installed, code, "-S", env=env, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "in no folder" in done.stderr


# PyInstaller.

ENTRY_POINT = """
import sys
from importlib.metadata import entry_points
found = entry_points()
found = found.select(group="pyinstaller40") if hasattr(found, "select") else found["pyinstaller40"]
for point in found:
    print(point.name, *point.load()())
"""


def test_pyinstaller_finds_the_folder_of_its_hooks(certhook, installed) -> None:
    folder = certhook("freezer", "pyinstaller").stdout
    assert support.run(installed, ENTRY_POINT).stdout == f"hook-dirs {folder}"


def test_in_a_build_that_is_switched_off_there_is_no_such_folder(installed) -> None:
    assert support.run(installed, ENTRY_POINT, env=support.clean_env(CERTHOOK_DISABLED="1")).stdout == "hook-dirs\n"


def test_the_run_time_hooks_of_pyinstaller_exist(certhook) -> None:
    folder = Path(certhook("freezer", "pyinstaller").stdout.rstrip("\n"))
    hooks = ast.literal_eval((folder / "rthooks.dat").read_text())
    assert list(hooks) == ["ssl"]
    assert all((folder / "rthooks" / name).is_file() for name in hooks["ssl"])


@pytest.mark.parametrize("without", [(), ("certhook",)])
def test_the_run_time_hook_installs_the_hook_where_certhook_is_in_the_program(certhook, installed, without) -> None:
    folder = Path(certhook("freezer", "pyinstaller").stdout.rstrip("\n"))
    code = (folder / "rthooks" / "pyi_rth_certhook.py").read_text()
    before = "".join(f"import sys; sys.modules[{name!r}] = None\n" for name in without)
    code = f"{before}{code}\nimport ssl; print(hasattr(ssl.create_default_context, '__certhook__'))"
    env = support.clean_env(PYTHONPATH=str(support.purelib(installed)))
    done = support.run(installed, code, "-S", env=env)
    assert (done.stdout, done.stderr) == (f"{not without}\n", "")


# The bundle as a module.

TRUSTED = "import certhook; trust = certhook.trust_set(); print(len(trust)); print(*trust.problems, sep='\\n', end='')"


@pytest.fixture
def without_certifi(installed, certhook, tmp_path):
    """Run code where certhook is on the path, and certifi is not; a bundle's module may be in the folder."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "certhook").symlink_to(support.purelib(installed) / "certhook")

    def run(code: str, **variables: str) -> str:
        env = support.clean_env(PYTHONPATH=str(tmp_path / "packages"), CERTHOOK_SOURCES="bundled", **variables)
        return support.run(installed, code, "-S", env=env).stdout

    return run


def test_the_bundle_is_written_as_a_module(certhook, installed, tmp_path) -> None:
    done = certhook("freeze-bundle")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f" roots written to {tmp_path / 'certhook_bundle.py'}\n")
    text = (tmp_path / "certhook_bundle.py").read_text(encoding="ascii")
    names = {}
    exec(text, names)
    assert names["PEM"] == (support.purelib(installed) / "certifi" / "cacert.pem").read_bytes()
    assert hashlib.sha256(names["PEM"]).hexdigest() in text
    assert "freeze-bundle" in names["__doc__"]
    # Nothing of the machine that it was written on.
    assert str(tmp_path) not in text and str(support.purelib(installed)) not in text


def test_it_can_be_written_to_any_file_and_to_standard_output(certhook, tmp_path) -> None:
    assert certhook("freeze-bundle", "any.py").returncode == 0
    done = certhook("freeze-bundle", "-")
    assert (done.returncode, done.stdout) == (0, (tmp_path / "any.py").read_text())


def test_a_bundle_of_ones_own_is_written(certhook, tmp_path, cas) -> None:
    (tmp_path / "own.pem").write_bytes(b'# "\\ \xff\r\n' + cas.pem("bundled"))
    done = certhook("freeze-bundle", "-", CERTHOOK_BUNDLE=str(tmp_path / "own.pem"))
    names = {}
    exec(done.stdout, names)
    assert names["PEM"] == (tmp_path / "own.pem").read_bytes()


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("certhook_bundle.py", None, "No such file"),
        ("certhook_bundle.py", b"", "holds no certificate"),
        ("missing/certhook_bundle.py", b"a root", "No such file"),
    ],
)
def test_what_cannot_be_written_is_told(certhook, tmp_path, cas, file, content, words) -> None:
    if content is not None:
        (tmp_path / "own.pem").write_bytes(content and cas.pem("bundled"))
    done = certhook("freeze-bundle", file, CERTHOOK_BUNDLE=str(tmp_path / "own.pem"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("certhook: ") and words in done.stderr
    assert not (tmp_path / file).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links are those of Unix")
def test_a_link_in_its_place_is_left_alone(certhook, tmp_path) -> None:
    (tmp_path / "letter").write_bytes(b"dear")
    (tmp_path / "module.py").symlink_to(tmp_path / "letter")
    done = certhook("freeze-bundle", "module.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{tmp_path / 'module.py'} is a folder, a link or a device, and is left alone" in done.stderr
    assert (tmp_path / "letter").read_bytes() == b"dear" and (tmp_path / "module.py").is_symlink()


def test_the_module_is_read_where_there_is_no_certifi(certhook, without_certifi, tmp_path, cas) -> None:
    (tmp_path / "own.pem").write_bytes(cas.pem("bundled", "both"))
    assert without_certifi(TRUSTED).splitlines()[0] == "0"
    certhook("freeze-bundle", "packages/certhook_bundle.py", CERTHOOK_BUNDLE=str(tmp_path / "own.pem"))
    assert without_certifi(TRUSTED) == "2\n"


def test_the_module_is_not_read_where_certifi_is(certhook, installed, tmp_path, cas) -> None:
    (tmp_path / "own.pem").write_bytes(cas.pem("bundled"))
    certhook("freeze-bundle", CERTHOOK_BUNDLE=str(tmp_path / "own.pem"))
    env = support.clean_env(PYTHONPATH=str(tmp_path), CERTHOOK_SOURCES="bundled")
    code = "import certhook, sys; print(len(certhook.trust_set()) > 50, 'certhook_bundle' in sys.modules)"
    assert support.run(installed, code, env=env).stdout == "True False\n"


@pytest.mark.parametrize("text", ["", "def", "raise RuntimeError", "PEM = None", "PEM = 7", "PEM = b''", "PEM = 'x'"])
def test_a_module_that_is_none_is_no_bundle_and_harms_nothing(without_certifi, tmp_path, text) -> None:
    (tmp_path / "packages" / "certhook_bundle.py").write_text(text)
    count, problem = without_certifi(TRUSTED).split("\n", 1)
    assert count == "0"
    expected = "certhook_bundle: holds no certificate" if text == "PEM = b''" else "certifi: is not installed"
    assert expected in problem


def test_a_changed_module_is_seen_by_the_next_process_and_by_this_one(certhook, without_certifi, tmp_path, cas) -> None:
    def freeze(*names: str) -> None:
        (tmp_path / "own.pem").write_bytes(cas.pem(*names))
        certhook("freeze-bundle", "packages/certhook_bundle.py", CERTHOOK_BUNDLE=str(tmp_path / "own.pem"))

    roots = "print(len(context.get_ca_certs()))"
    code = f"import certhook.auto, ssl; context = ssl.create_default_context(); {roots}"
    freeze("bundled")
    assert without_certifi(code) == "1\n"
    freeze("bundled", "both")
    assert without_certifi(code) == "2\n"
    change = f"import certhook_bundle; certhook_bundle.PEM = {cas.pem('bundled')!r}"
    assert without_certifi(f"{code}; {change}; context = ssl.create_default_context(); {roots}") == "2\n1\n"
    assert without_certifi(code) == "2\n"
