"""Programs that PyInstaller, cx_Freeze and Nuitka made, with nothing about certhook in their code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, NamedTuple

import pytest
import support
from expected import CHAINED, STOCK, build, marked, trusted_in

#: A program of its user's own: in worker processes as well, which frozen programs start as themselves.
PROGRAM = f"""
import multiprocessing, sys
def program():
    exec({support.VERDICTS!r}, {{}})
if __name__ == "__main__":
    multiprocessing.freeze_support()
    if "worker" in sys.argv:
        worker = multiprocessing.get_context("spawn").Process(target=program)
        worker.start()
        worker.join()
        sys.exit(worker.exitcode)
    program()
"""


class Frozen(NamedTuple):
    """A tool, and how it is called."""

    make: Callable[[Path, Path], None]
    #: where the program is, in the folder that it was made in
    program: str
    oldest: tuple[int, int] = (3, 8)


def _pyinstaller(*arguments: str, **variables: str) -> Callable[[Path, Path], None]:
    def make(python: Path, folder: Path) -> None:
        places = [f"--{name}path={folder / name}" for name in ("dist", "work", "spec")]
        variables["PYINSTALLER_CONFIG_DIR"] = str(folder / "config")
        said = build(
            python,
            "-m",
            "PyInstaller",
            "--log-level=WARN",
            "--noconfirm",
            *places,
            *arguments,
            "program.py",
            cwd=folder,
            **variables,
        )
        missing = [line for line in said.splitlines() if "not found" in line and '"cert' in line]
        assert not missing, said

    return make


def _cx_freeze(python: Path, folder: Path) -> None:
    script = build(python, "-m", "certhook", "freezer", "cx_freeze").strip()
    packages = ("--packages=certhook,certifi", "--excludes=certhook.cli,certhook.freezers")
    command = ("-m", "cx_Freeze", "build", "--script=program.py", f"--init-script={script}", *packages)
    build(python, *command, f"--build-exe={folder / 'dist'}", cwd=folder)


def _nuitka(python: Path, folder: Path) -> None:
    configuration = build(python, "-m", "certhook", "freezer", "nuitka").strip()
    arguments = ("--standalone", "--quiet", f"--user-package-configuration-file={configuration}", "program.py")
    build(python, "-m", "nuitka", *arguments, cwd=folder, HOME=str(folder))


PROGRAMS = {
    "PyInstaller, a folder": Frozen(_pyinstaller("--onedir"), "dist/program/program"),
    "PyInstaller, a file": Frozen(_pyinstaller("--onefile"), "dist/program"),
    "cx_Freeze": Frozen(_cx_freeze, "dist/program", oldest=(3, 10)),
    "Nuitka": Frozen(_nuitka, "program.dist/program.bin"),
}
#: Builds that are to be without certhook.
WITHOUT = {
    "PyInstaller, excluded": Frozen(_pyinstaller("--onedir", "--exclude-module=certhook"), "dist/program/program"),
    "PyInstaller, disabled": Frozen(_pyinstaller("--onedir", CERTHOOK_DISABLED="1"), "dist/program/program"),
}


@pytest.fixture(scope="session")
def program(once, builder):
    """The path of the program as a tool made it."""

    def make(name: str, how: Frozen) -> Path:
        if sys.version_info < how.oldest:
            pytest.skip(f"{name} is for newer Pythons")
        with once(name.replace(", ", "-").replace(" ", "-")) as (folder, is_first):
            if is_first:
                (folder / "program.py").write_text(PROGRAM)
                how.make(builder, folder)
        return folder / how.program

    return make


#: What enables certhook in each, with nothing in the program.
ROWS = {
    "PyInstaller, a folder": pytest.mark.row("PyInstaller, a folder", "its hook"),
    "PyInstaller, a file": pytest.mark.row("PyInstaller, a file", "its hook"),
    "cx_Freeze": pytest.mark.row("cx_Freeze", "its init script"),
    "Nuitka": pytest.mark.row("Nuitka", "its configuration"),
}


@pytest.mark.parametrize("name", marked(PROGRAMS, ROWS))
def test_a_frozen_program(program, check_trust, name) -> None:
    check_trust([program(name, PROGRAMS[name])])


@pytest.mark.parametrize("name", [name for name in PROGRAMS if "PyInstaller" in name])
def test_a_worker_process_of_a_frozen_program(program, trusted, name) -> None:
    assert trusted([program(name, PROGRAMS[name]), "worker"]) == CHAINED


@pytest.mark.parametrize("name", WITHOUT)
def test_a_build_without_certhook(program, trusted, name) -> None:
    path = program(name, WITHOUT[name])
    assert trusted([path]) == STOCK
    assert not _has_certhook(path)
    assert _has_certhook(program("PyInstaller, a folder", PROGRAMS["PyInstaller, a folder"]))


def _has_certhook(path: Path) -> bool:
    """Whether certhook's modules or the bundle are in a folder that PyInstaller made."""
    # The names of modules stand in its table as they are.
    return b"certhook._trust" in path.read_bytes() or any(path.parent.rglob("cacert.pem"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_variables_the_bundle_is_trusted(program, servers, name) -> None:
    """cx_Freeze names the build machine's file in SSL_CERT_FILE, which would leave the bundle out."""
    env = support.clean_env(SERVERS=support.server_list(servers))
    command = [str(program(name, PROGRAMS[name]))]
    done = subprocess.run(command, env=env, cwd=os.sep, capture_output=True, encoding="utf-8", timeout=60)
    trusted = trusted_in(done.stdout)
    assert (trusted, done.stderr) == ({"bundled", "both"}, "")
