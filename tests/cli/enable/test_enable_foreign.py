"""``enable`` and ``disable`` as root: another user gains nothing, whatever this user owns or replaces."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import stat
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import support
from attacker import ATTACKER, as_attacker, swapping
from enabling import ADDED, PTH, disable, enable_small, snapshot

from certhook.cli import _protection
from certhook.cli._protection import Unprotected
from certhook.cli.enable import program, sources
from certhook.cli.enable.refusal import Refused

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows has access lists instead of owners and modes"),
    pytest.mark.usefixtures("root"),
]


def give(path: Path) -> None:
    """Give *path* and everything in it to the attacker."""
    for one in (path, *path.rglob("*")):
        os.chown(one, ATTACKER, ATTACKER, follow_symlinks=False)


# Interpreters.


@pytest.fixture
def prefix(public: Path) -> Path:
    """An installation with the files that an interpreter reads. The interpreter only creates the file ``ran``."""
    prefix = public / "prefix"
    files = {
        "bin/python3.11": f"#!/bin/sh\ntouch {prefix}/ran\n",
        "bin/python3.11._pth": "",
        "bin/pybuilddir.txt": "build",
        "lib/python3.11/os.py": "",
        "lib/python3.11/json/decoder.py": "",
        "lib/python3.11/site-packages/other.py": "",
        "lib/libpython3.11.so.1.0": "",
        "pyvenv.cfg": f"home = {prefix}/base/bin\n",
        "base/bin/python": "",
        "base/lib/python3.11/os.py": "",
    }
    for name, content in files.items():
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text(content)
    (prefix / "bin" / "python3.11").chmod(0o755)
    (prefix / "bin" / "python3").symlink_to("python3.11")
    (prefix / "linked").symlink_to(prefix)
    return prefix


@pytest.mark.parametrize("owner", [None, "lib/python3.11/site-packages/other.py"])
def test_an_interpreter_of_root_is_run(owner, prefix, run_here) -> None:
    """The counterpart of the following tests. Packages are not imported."""
    if owner:
        os.chown(prefix / owner, ATTACKER, ATTACKER)
    done = run_here("enable", prefix / "linked", "--yes")
    assert "unexpected output" in done.stderr and (prefix / "ran").exists()


@pytest.mark.parametrize("verb", ["enable", "disable"])
@pytest.mark.parametrize(
    "name",
    [
        "",
        "linked",
        "bin",
        "bin/python3",
        "bin/python3.11",
        "bin/python3.11._pth",
        "bin/pybuilddir.txt",
        "lib",
        "lib/python3.11",
        "lib/python3.11/os.py",
        "lib/python3.11/json",
        "lib/python3.11/json/decoder.py",
        "lib/libpython3.11.so.1.0",
        "pyvenv.cfg",
        "base",
        "base/bin",
        "base/lib/python3.11/os.py",
    ],
)
def test_an_interpreter_that_another_user_can_modify_is_not_run(verb, name, prefix, run_here) -> None:
    os.chown(prefix / name, ATTACKER, ATTACKER, follow_symlinks=False)
    done = run_here(verb, prefix / "linked", "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"certhook: {prefix / name} belongs to user {ATTACKER} (mode " in done.stderr
    assert f"sudo -u '#{ATTACKER}'" in done.stderr or f"--reuid={ATTACKER}" in done.stderr
    # A directory on the way may be that of a user, such as /home/jane.
    assert ("chown -h root " in done.stderr) is (name not in ("", "bin", "lib", "base"))
    assert not (prefix / "ran").exists()


@pytest.mark.parametrize(
    ("mode", "group", "message"),
    [
        (0o757, 0, "every user can modify {0} (mode 757), and could interfere with this command; run 'chmod o-w {0}'"),
        (0o775, 12345, "the group 12345 can modify {0} (mode 775)"),
        (0o775, 0, None),
        (0o1777, 0, None),
        (0o6755, 12345, None),
    ],
)
def test_modes_of_a_directory_on_the_way(mode, group, message, prefix, run_here) -> None:
    os.chown(prefix, 0, group)
    prefix.chmod(mode)
    done = run_here("enable", prefix, "--yes")
    assert (prefix / "ran").exists() is (message is None)
    assert (message or "unexpected output").format(prefix) in done.stderr


def test_a_group_with_write_permission_needs_to_be_private_or_administrators(monkeypatch) -> None:
    groups = {50: ("staff", {"jane"}), 54: ("users", set()), 1000: ("jane", {"jane"}), 2000: ("jane", set())}
    groups[3000] = ("jane", {"john"})
    monkeypatch.setattr(_protection, "_group", lambda group: groups.get(group, (None, set())))
    monkeypatch.setattr(_protection, "user_name", {0: "root", 54: "backup", 1000: "jane"}.get)
    monkeypatch.setattr(sys, "platform", "linux")
    users = (0, 54, 77, 1000)
    trusted = {(group, user) for group in (0, 50) for user in users} | {(1000, 1000), (2000, 1000), (77, 77)}
    pairs = {(group, user) for group in (0, 77, *groups) for user in users}
    assert {pair for pair in pairs if _protection.is_trusted_group(*pair)} == trusted
    monkeypatch.setattr(sys, "platform", "darwin")  # There, it contains every user.
    assert not _protection.is_trusted_group(50, 0)


def test_a_group_is_not_private_if_it_is_the_primary_group_of_another_user(monkeypatch) -> None:
    """The list of its members does not contain such a user."""
    pwd = pytest.importorskip("pwd")
    jane, john = (
        SimpleNamespace(pw_name=name, pw_uid=uid, pw_gid=54999) for name, uid in (("jane", 54999), ("john", 1))
    )
    monkeypatch.setattr(pwd, "getpwuid", lambda user: jane)
    monkeypatch.setattr(_protection, "_group", lambda group: ("jane", set()))
    for users, expected in (([jane], True), ([jane, john], False)):
        monkeypatch.setattr(pwd, "getpwall", lambda users=users: users)
        _protection._is_primary_of_others.cache_clear()
        assert _protection.is_trusted_group(54999, 54999) is expected
    _protection._is_primary_of_others.cache_clear()


def test_an_access_list_with_write_permission_is_refused(prefix, run_here, monkeypatch) -> None:
    prefix.chmod(0o775)
    monkeypatch.setattr(os, "getxattr", lambda path, *args, **kwargs: b"list")
    done = run_here("enable", prefix, "--yes")
    assert f"users in its access list can modify {prefix} (mode 775)" in done.stderr
    assert not (prefix / "ran").exists()


def test_real_interpreters_are_accepted(installed) -> None:
    for python in (sys.executable, str(installed)):
        program.check(python)


# Packages.


@pytest.mark.parametrize("name", ["", "sample", "sample/__init__.py", "sample-1.0.dist-info/RECORD"])
def test_a_package_that_another_user_can_modify_is_not_copied(name, public, monkeypatch) -> None:
    packages = public / "site-packages"
    contents = {"sample/__init__.py": b"", "sample-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: sample\n"}
    contents["sample-1.0.dist-info/METADATA"] += b"Version: 1.0\n"
    rows = [f"{path},{support.record_hash(content)}," for path, content in contents.items()]
    for path, content in {**contents, "sample-1.0.dist-info/RECORD": "\n".join(rows).encode()}.items():
        (packages / path).parent.mkdir(parents=True, exist_ok=True)
        (packages / path).write_bytes(content)
    monkeypatch.syspath_prepend(str(packages))
    assert set(sources.read_wheel("sample").contents) == set(contents)
    os.chown(packages / name, ATTACKER, ATTACKER)
    with pytest.raises(Refused, match=re.escape(f"{packages / name} belongs to user {ATTACKER}")):
        sources.read_wheel("sample")


# Targets.


def test_a_file_of_another_user_gets_no_set_uid_copy(public, embeddable) -> None:
    """The ._pth file has the mode 4755, and the path of its temporary version is a link."""
    target = Path(shutil.copytree(embeddable, public / "target"))
    (target / "python311._pth").chmod(0o4755)
    (target / "python311._pth.certhook").symlink_to(public / "shell")
    give(target)
    before = snapshot(public)
    for change in (enable_small, disable):
        with pytest.raises(Unprotected, match=f"belongs to user {ATTACKER}"):
            change(target)
    target.chmod(0o777)
    os.chown(target, 0, 0)
    with pytest.raises(Unprotected, match="every user can modify"):
        enable_small(target)
    target.chmod(0o755)
    with pytest.raises(Unprotected, match=f"_pth belongs to user {ATTACKER}"):
        enable_small(target)
    assert snapshot(public) == before


@pytest.mark.parametrize(
    "name", ["", "Lib", "Lib/site-packages", "Lib/site-packages/certhook", "Lib/site-packages/certifi/core"]
)
def test_nothing_is_removed_from_a_directory_of_another_user(name, embeddable) -> None:
    enable_small(embeddable)
    os.chown(embeddable / name, ATTACKER, ATTACKER)
    before = snapshot(embeddable)
    for version in ("1.0", "2.0"):
        with pytest.raises(Unprotected, match=f"belongs to user {ATTACKER}"):
            enable_small(embeddable, version)
    with pytest.raises(Unprotected, match=f"belongs to user {ATTACKER}"):
        disable(embeddable)
    assert snapshot(embeddable) == before


def test_an_attacker_who_swaps_directories_changes_no_file_of_root(public, embeddable) -> None:
    """The victim has the same files as the attacker, so that a former check by path succeeds."""
    victim = Path(shutil.copytree(embeddable, public / "victim"))
    enable_small(victim)
    other, path = Path(shutil.copytree(victim, public / "other")), public / "path"
    give(other)
    before = snapshot(victim)
    # The path was a directory and a link of the attacker.
    expected = {f"{path} belongs to user {ATTACKER} (mode {mode})" for mode in ("755", "777")}
    seen: set[str] = set()
    deadline = time.monotonic() + 30
    with swapping(path, victim, other):
        for attempt in itertools.count():
            for change in (disable, enable_small):
                try:
                    change(path)
                except (Unprotected, Refused, OSError) as error:
                    seen.add(str(error).partition(",")[0])
            if (seen >= expected and attempt > 100) or time.monotonic() > deadline:
                break
    assert seen >= expected
    assert snapshot(victim) == before


# Modes.


@pytest.mark.parametrize("umask", [0o000, 0o777], ids=oct)
def test_installed_files_are_readable_for_every_user_whatever_the_umask(umask, embeddable) -> None:
    previous = os.umask(umask)
    try:
        enable_small(embeddable)
        enable_small(embeddable, "2.0")
    finally:
        os.umask(previous)
    found = {stat.S_IMODE(path.stat().st_mode) for path in (embeddable / "Lib").rglob("*")}
    assert found == {0o644, 0o755}
    assert stat.S_IMODE((embeddable / "Lib").stat().st_mode) == 0o755
    assert disable(embeddable) == []


def test_an_ordinary_user_enables_a_python_of_this_user_with_the_umask_0777(public, source, embeddable) -> None:
    """It is in a public directory, and writable by the user's private group."""
    target = Path(shutil.copytree(embeddable, public / "target"))
    give(target)
    target.chmod(0o775)
    before = snapshot(target)
    code = "import os, sys; os.umask(0o777); from certhook.cli import main; sys.exit(main(sys.argv[1:]))"
    for verb, content in (("enable", PTH + ADDED), ("disable", PTH)):
        command = [*as_attacker("dac_read_search"), source, "-c", code, verb, target, "--yes"]
        done = support.run_command(*command, env=support.clean_env(CERTHOOK_DISABLED="1"))
        assert (done.returncode, done.stderr) == (0, "")
        assert (target / "python311._pth").read_bytes() == content
        assert {stat.S_IMODE(path.stat().st_mode) for path in (target / "Lib").rglob("*")} <= {0o644, 0o755}
    assert snapshot(target) == before
