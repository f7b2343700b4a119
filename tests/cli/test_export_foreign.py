"""``export``, ``env``, ``freezer``, ``inspect`` and ``trust`` where another user could interfere."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from pathlib import Path

import pytest
from attacker import ATTACKER, as_attacker, swapping

from certhook.cli import _writing, main
from certhook.cli._terminal import CommandError
from certhook.cli.trust import directory

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows has access lists instead of owners and modes"),
    pytest.mark.usefixtures("root"),
]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Set *variables* in this process."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def contents(path: Path) -> dict[str, tuple[int, bytes]]:
    """Return the owner and the content of every file in *path*."""
    return {str(one): (one.lstat().st_uid, one.read_bytes()) for one in sorted(path.rglob("*")) if one.is_file()}


COMMANDS = {
    "file": ("export", "{}/written"),
    "directory": ("export", "--directory", "{}/written"),
    "module": ("freezer", "bundle", "{}/written"),
    "certificates": ("inspect", "{system}", "--pem", "{}/written"),
}
WRITING = pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)


def run(arguments: tuple[str, ...], path: Path) -> int:
    return main([argument.format(path, system=os.environ["SSL_CERT_FILE"]) for argument in arguments])


def owned(public: Path) -> Path:
    (public / "own").mkdir()
    os.chown(public / "own", ATTACKER, ATTACKER)
    return public / "own"


def linked(public: Path) -> Path:
    (public / "victim").mkdir()
    (public / "link").symlink_to("victim")
    os.chown(public / "link", ATTACKER, ATTACKER, follow_symlinks=False)
    return public / "link"


def below(public: Path) -> Path:
    (owned(public) / "inner").mkdir()
    return public / "own" / "inner"


def writable(public: Path) -> Path:
    (public / "writable").mkdir()
    (public / "writable").chmod(0o777)
    return public / "writable"


@WRITING
@pytest.mark.parametrize("make", [owned, linked, below, writable])
def test_nothing_is_written_to_a_directory_that_another_user_can_modify(
    make, arguments, public, environment, capsys
) -> None:
    path = make(public)
    assert run(arguments, path) == 1
    errors = capsys.readouterr().err
    assert f"{path}/written was not written: " in errors and "could interfere with this command; run" in errors
    culprit = path.parent if make is below else path
    assert f"{culprit} belongs to user {ATTACKER}" in errors or f"every user can modify {culprit}" in errors
    assert contents(public) == {}


@WRITING
def test_root_writes_to_a_directory_with_the_sticky_bit(arguments, public, environment) -> None:
    umask = os.umask(0o777)
    try:
        assert run(arguments, public) == 0
    finally:
        os.umask(umask)
    written = public / "written"
    expected = 0o755 if written.is_dir() else 0o644
    assert (written.stat().st_uid, stat.S_IMODE(written.stat().st_mode)) == (0, expected)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o644 for path in written.rglob("*"))


def test_a_file_that_another_user_created_first_is_replaced_and_not_written_to(public, environment) -> None:
    """In a directory with the sticky bit: the link count shows that root's data is in another file."""
    path, own = public / "written", public / "own"
    own.write_bytes(b"old")
    os.chown(own, ATTACKER, ATTACKER)
    os.link(own, path)
    assert main(["export", str(path)]) == 0
    assert own.read_bytes() == b"old"
    assert path.stat().st_uid == 0 and path.stat().st_ino != own.stat().st_ino


@pytest.mark.parametrize("mode", [0o755, 0o775])
def test_an_ordinary_user_writes_to_a_directory_of_this_user(mode, certhook, public, tmp_path) -> None:
    """It may be writable by the private group of the user, and the umask may be 0777."""
    own = owned(public)
    own.chmod(mode)
    prefix = ("sh", "-c", 'umask 0777; exec "$@"', "sh", *as_attacker("dac_read_search"))
    for arguments in (("export", own / "file"), ("export", "--directory", own / "directory")):
        done = certhook(*arguments, prefix=prefix)
        assert (done.returncode, done.stderr) == (0, ""), arguments
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in own.iterdir()}
    assert modes == {"file": 0o644, "directory": 0o755}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o644 for path in (own / "directory").iterdir())


def test_an_earlier_export_of_another_user_is_not_changed(public, environment, capsys) -> None:
    path = public / "written"
    assert main(["export", "--directory", str(path)]) == 0
    for one in (path, *path.iterdir()):
        os.chown(one, ATTACKER, ATTACKER)
    before = contents(public)
    assert main(["export", "--directory", str(path)]) == 1
    assert f"{path} belongs to user {ATTACKER}" in capsys.readouterr().err
    assert contents(public) == before


def test_a_directory_that_another_user_creates_during_an_export_is_refused(
    public, environment, monkeypatch, capsys
) -> None:
    """In a directory with the sticky bit: the other user could change the exported roots later."""
    path = public / "written"
    write_directory = _writing.write_directory

    def create_and_write(*arguments: object, **options: object) -> None:
        path.mkdir()
        (path / "own").write_bytes(b"")
        os.chown(path, ATTACKER, ATTACKER)
        write_directory(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(_writing, "write_directory", create_and_write)
    assert main(["export", "--directory", str(path)]) == 1
    assert f"{path} belongs to user {ATTACKER}" in capsys.readouterr().err
    assert [one.name for one in public.rglob("*")] == ["written", "own"]


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_an_attacker_who_swaps_directories_changes_no_file_of_root(kind, public, environment, capsys) -> None:
    path, victim, other = public / "path", public / "victim", owned(public)
    victim.mkdir()
    (victim / "written").write_bytes(b"precious")
    if kind == "directory":
        (victim / "written").unlink()
        assert run(COMMANDS[kind], victim) == 0
        (next((victim / "written").glob("*.0"))).write_bytes(b"precious")
    before = contents(victim)
    expected = {f"{path} belongs to user {ATTACKER} (mode {mode})" for mode in ("755", "777")}
    seen: set[str] = set()
    attempts, deadline = 0, time.monotonic() + 30
    # The counterpart: a file that is written by its path reaches the directory of root.
    unprotected = victim / "unprotected"
    with swapping(path, victim, other):
        while (seen < expected or attempts < 30 or not unprotected.exists()) and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                (path / unprotected.name).write_bytes(b"")
            assert run(COMMANDS[kind], path) == 1
            errors = capsys.readouterr().err
            seen |= {one for one in expected if one in errors}
            attempts += 1
    assert seen == expected
    unprotected.unlink()
    assert contents(victim) == before


def test_an_attacker_who_swaps_directories_installs_no_root(public) -> None:
    """The functions with which ``trust`` reads and writes, as the tests of the command do not run in parallel."""
    path, victim, other = public / "path", public / "victim", owned(public)
    victim.mkdir()
    refused = 0
    with swapping(path, victim, other):
        for _ in range(200):
            for create in (False, True):
                try:
                    with directory.opened(f"{path}/inner", create) as opened:
                        opened.create("certhook-root.crt", b"", 0o644)
                except (CommandError, OSError) as error:
                    refused += isinstance(error, CommandError)
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_uid == 0:
                    shutil.rmtree(path)  # root created it, so the attacker cannot replace it.
    assert refused > 50
    assert contents(public) == {}
