"""The targets that ``enable`` and ``disable`` refuse, and the library that ``enable`` needs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import support
from enabling import posix, snapshot

from certhook.cli.enable.interpreter import find_target


def without_interpreter(directory: Path) -> Path:
    return directory


def missing(directory: Path) -> Path:
    return directory / "missing"


def unknown_command(directory: Path) -> str:
    return "no-such-python"


def too_old(directory: Path) -> Path:
    (directory / "python37._pth").touch()
    return directory


def with_several_pth_files(directory: Path) -> Path:
    (directory / "python38._pth").touch()
    (directory / "python39._pth").touch()
    return directory


def text_file(directory: Path) -> Path:
    (directory / "readme.txt").touch()
    return directory / "readme.txt"


def shell_script(directory: Path) -> Path:
    path = directory / "python"
    path.write_text("#!/bin/sh\necho no\n")
    path.chmod(0o755)
    return path


@posix
@pytest.mark.parametrize(
    ("make", "status", "message"),
    [
        (missing, 2, "does not exist"),
        (unknown_command, 2, "no-such-python does not exist"),
        (without_interpreter, 2, "contains no ._pth file and no interpreter"),
        (with_several_pth_files, 2, "has several ._pth files (python38._pth, python39._pth)"),
        (too_old, 1, "is Python 3.7; certhook needs 3.8 or later"),
        (text_file, 2, "is not a working Python 3.8 or later: Permission denied"),
        (shell_script, 2, "is not a working Python 3.8 or later: unexpected output"),
    ],
)
@pytest.mark.parametrize("verb", ["enable", "disable"])
def test_a_target_that_is_not_a_supported_python_is_refused(verb, make, status, message, run_here, tmp_path) -> None:
    (tmp_path / "directory").mkdir()
    done = run_here(verb, make(tmp_path / "directory"), "--yes")
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr
    as_json = run_here(verb, make(tmp_path / "directory"), "--json")
    assert (as_json.returncode, as_json.stderr) == (status, done.stderr)
    found = json.loads(as_json.stdout)
    assert found["changed"] is False and found["message"] in as_json.stderr


@posix
def test_a_python_with_pip_is_refused_without_force(run_here, target) -> None:
    (support.purelib(target) / "pip").mkdir()
    done = run_here("enable", target, "--yes")
    assert (done.returncode, f"{target} -m pip install certhook" in done.stderr) == (1, True)
    assert run_here("enable", target, "--yes", "--force").returncode == 0


@posix
def test_the_python_of_the_operating_system_is_refused_without_force(run_here, private) -> None:
    library = support.run(private, "import sysconfig; print(sysconfig.get_path('stdlib'))").stdout.strip()
    Path(library, "EXTERNALLY-MANAGED").touch()
    done = run_here("enable", private, "--yes")
    assert (done.returncode, "the operating system manages" in done.stderr) == (1, True)
    assert run_here("enable", private, "--yes", "--force").returncode == 0


@pytest.mark.parametrize("name", ["certhook", "certhook.pth"])
def test_a_file_that_exists_is_not_overwritten(name, run_here, embeddable) -> None:
    packages = embeddable / "Lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / name).write_text("other")
    before = snapshot(embeddable)
    done = run_here("enable", embeddable, "--yes")
    assert (done.returncode, f"{packages / name} exists and was not installed" in done.stderr) == (1, True)
    assert snapshot(embeddable) == before


def test_a_directory_that_is_not_writable_is_refused(run_here, embeddable, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    done = run_here("enable", embeddable, "--yes", "--force")
    assert (done.returncode, f"{embeddable} is not writable for this user" in done.stderr) == (1, True)


def test_an_interpreter_without_a_path_is_refused_without_a_target(run_here, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    done = run_here("enable")
    assert (done.returncode, "name a TARGET" in done.stderr) == (2, True)


# The library.


@pytest.mark.parametrize("as_json", [False, True])
def test_a_missing_installer_library_is_named_with_its_extra(as_json, run_here, embeddable, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "installer", None)
    done = run_here("enable", embeddable, "--yes", *["--json"][:as_json])
    assert done.returncode == 2
    assert done.stderr.startswith("certhook: 'enable' requires the package installer (")
    assert done.stderr.endswith("): pip install 'certhook[enable]'\n")
    assert not as_json or json.loads(done.stdout)["changed"] is False


def test_only_enable_imports_the_installer_library(certhook, installed, embeddable) -> None:
    before = snapshot(embeddable)
    certhook("enable", embeddable, "--yes")
    refused = certhook("enable", embeddable, "--yes", python=installed)
    assert (refused.returncode, "No module named 'installer'" in refused.stderr) == (2, True)
    assert certhook("disable", embeddable, "--yes", python=installed).returncode == 0
    assert snapshot(embeddable) == before


@posix
@pytest.mark.parametrize("first", ["", "bin"], ids=["empty entry", "relative entry"])
def test_a_command_is_not_found_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    for directory in (tmp_path, tmp_path / "bin"):
        directory.mkdir(exist_ok=True)
        (directory / "python3").write_text(f'#!/bin/sh\n: >{tmp_path}/executed\nexec {sys.executable} "$@"\n')
        (directory / "python3").chmod(0o755)
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "python3").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([first, str(tmp_path / "path")]))
    assert find_target("python3").name == str(tmp_path / "path" / "python3")
    assert not (tmp_path / "executed").exists()
    assert find_target("./python3").name == str(tmp_path / "python3")
    assert (tmp_path / "executed").exists()
