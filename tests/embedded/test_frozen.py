"""Programs frozen by PyInstaller, cx_Freeze and Nuitka. Their code does not mention certhook."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable, NamedTuple

import pytest
import support
from embedded_support import WITH_CERTHOOK, WITHOUT_CERTHOOK, run_tool, trusted_cas, with_rows

#: The tests' program. With the argument "worker", a worker process runs it; workers run the same frozen executable.
#: A one-file program deletes its modules when it ends, so it waits until the resource tracker of multiprocessing,
#: which may still be importing them, has ended.
PROGRAM = f"""
import multiprocessing, os, sys
from multiprocessing.resource_tracker import _resource_tracker as tracker
def program():
    exec({support.VERDICTS!r}, {{}})
if __name__ == "__main__":
    multiprocessing.freeze_support()
    if "worker" in sys.argv:
        worker = multiprocessing.get_context("spawn").Process(target=program)
        worker.start()
        worker.join()
        os.close(tracker._fd)
        os.waitpid(tracker._pid, 0)
        tracker._fd = tracker._pid = None
        sys.exit(worker.exitcode)
    program()
"""


class Freezer(NamedTuple):
    """A freezer.

    :ivar freeze: freezes program.py in a directory with the tools of an interpreter
    :ivar program: the path of the executable, relative to that directory
    :ivar oldest: the oldest version of Python that the freezer supports
    """

    freeze: Callable[[Path, Path], None]
    program: str
    oldest: tuple[int, int] = (3, 8)


def _pyinstaller(*arguments: str, **variables: str) -> Callable[[Path, Path], None]:
    def freeze(python: Path, directory: Path) -> None:
        paths = [f"--{name}path={directory / name}" for name in ("dist", "work", "spec")]
        variables["PYINSTALLER_CONFIG_DIR"] = str(directory / "config")
        output = run_tool(
            python,
            "-m",
            "PyInstaller",
            "--log-level=WARN",
            "--noconfirm",
            *paths,
            *arguments,
            "program.py",
            cwd=directory,
            **variables,
        )
        missing = [line for line in output.splitlines() if "not found" in line and '"cert' in line]
        assert not missing, output

    return freeze


def _cx_freeze(python: Path, directory: Path) -> None:
    script = run_tool(python, "-m", "certhook", "freezer", "cx_freeze").strip()
    packages = ("--packages=certhook,certifi", "--excludes=certhook.cli,certhook.freezers")
    command = ("-m", "cx_Freeze", "build", "--script=program.py", f"--init-script={script}", *packages)
    run_tool(python, *command, f"--build-exe={directory / 'dist'}", cwd=directory)


def _nuitka(python: Path, directory: Path) -> None:
    configuration = run_tool(python, "-m", "certhook", "freezer", "nuitka").strip()
    arguments = ("--standalone", "--quiet", f"--user-package-configuration-file={configuration}", "program.py")
    run_tool(python, "-m", "nuitka", *arguments, cwd=directory, HOME=str(directory))


PROGRAMS = {
    "PyInstaller, a folder": Freezer(_pyinstaller("--onedir"), "dist/program/program"),
    "PyInstaller, a file": Freezer(_pyinstaller("--onefile"), "dist/program"),
    "cx_Freeze": Freezer(_cx_freeze, "dist/program", oldest=(3, 10)),
    "Nuitka": Freezer(_nuitka, "program.dist/program.bin"),
}
#: Builds that exclude certhook.
EXCLUDING = {
    "PyInstaller, excluded": Freezer(_pyinstaller("--onedir", "--exclude-module=certhook"), "dist/program/program"),
    "PyInstaller, disabled": Freezer(_pyinstaller("--onedir", CERTHOOK_DISABLED="1"), "dist/program/program"),
}


@pytest.fixture(scope="session")
def frozen_program(once, builder_python):
    """Freeze the program with a freezer and return the path of the executable."""

    def make(name: str, freezer: Freezer) -> Path:
        if sys.version_info < freezer.oldest:
            pytest.skip(f"{name} requires a newer version of Python")
        with once(name.replace(", ", "-").replace(" ", "-")) as (directory, is_first):
            if is_first:
                (directory / "program.py").write_text(PROGRAM)
                freezer.freeze(builder_python, directory)
        return directory / freezer.program

    return make


#: The configuration that enables certhook for each freezer.
ROWS = {
    "PyInstaller, a folder": pytest.mark.row("PyInstaller, a folder", "its hook"),
    "PyInstaller, a file": pytest.mark.row("PyInstaller, a file", "its hook"),
    "cx_Freeze": pytest.mark.row("cx_Freeze", "its init script"),
    "Nuitka": pytest.mark.row("Nuitka", "its configuration"),
}


@pytest.mark.parametrize("name", with_rows(PROGRAMS, ROWS))
def test_certhook_works_in_a_frozen_program(frozen_program, check_trust, name) -> None:
    check_trust([frozen_program(name, PROGRAMS[name])])


@pytest.mark.parametrize("name", [name for name in PROGRAMS if "PyInstaller" in name])
def test_certhook_works_in_a_worker_process_of_a_frozen_program(frozen_program, trusted_by, name) -> None:
    assert trusted_by([frozen_program(name, PROGRAMS[name]), "worker"]) == WITH_CERTHOOK


@pytest.mark.parametrize("name", EXCLUDING)
def test_a_build_can_exclude_certhook(frozen_program, trusted_by, name) -> None:
    path = frozen_program(name, EXCLUDING[name])
    assert trusted_by([path]) == WITHOUT_CERTHOOK
    assert not _has_certhook(path)
    assert _has_certhook(frozen_program("PyInstaller, a folder", PROGRAMS["PyInstaller, a folder"]))


def _has_certhook(path: Path) -> bool:
    """Return whether a directory created by PyInstaller contains certhook's modules or the bundle."""
    # PyInstaller stores the names of modules uncompressed.
    return b"certhook._trust" in path.read_bytes() or any(path.parent.rglob("cacert.pem"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_frozen_program_trusts_the_bundle_without_any_variables(frozen_program, run_program, name) -> None:
    """cx_Freeze sets SSL_CERT_FILE to a copy of the build machine's file, which would replace the bundle."""
    done = run_program([frozen_program(name, PROGRAMS[name])])
    assert (trusted_cas(done.stdout), done.stderr) == ({"bundled", "both"}, "")
