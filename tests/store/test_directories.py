"""Directories of stores: only directories that no other user can modify are used."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import pytest

from certhook import _store
from certhook._config import Config
from certhook._directory import opening as opening_directories
from certhook._state import process
from certhook._store import NO_DATA_DIRECTORY, SUPERUSER_DIRECTORY, Unusable, build, opening
from certhook._store.opening import open_stores

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes and owners")

#: A user without an entry in the user database, and the user that owns files from outside a user namespace.
OTHER_USER = 54321
OVERFLOW_USER = 65534


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory whose parent the tests may change."""
    directory = tmp_path / "parent" / "cache"
    directory.mkdir(parents=True)
    return directory


def opened(path: str) -> str:
    """Open the directory *path*, creating it if it is missing, and return its path without links."""
    with open_stores(path, create=0o700) as stores:
        return stores.path


@pytest.fixture(params=["for reading", "for writing", "for writing by path"])
def verify(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """A function that verifies a directory by path, or component by component while it opens the directory."""
    if request.param == "for reading":
        return _store.resolve_protected
    # The verification by path would find every permanent state; only the other one finds what changes in between.
    monkeypatch.setattr(opening, "resolve_protected", lambda *args, **kwargs: None)
    if request.param == "for writing by path":
        monkeypatch.setattr(opening_directories, "HAS_DESCRIPTORS", False)
    elif not opening_directories.HAS_DESCRIPTORS:
        pytest.skip("directories have no descriptors on this system")
    return opened


def rejection(path: Path, verify: Callable[[str], str] = _store.resolve_protected) -> Unusable:
    """Return the exception that rejects *path*."""
    with pytest.raises(Unusable) as caught:
        verify(str(path))
    return caught.value


# Modes.


def test_a_directory_of_the_user_is_used(directory, verify) -> None:
    assert verify(str(directory)) == str(directory)


def test_a_missing_directory_is_used_if_its_parents_are_safe(directory, verify) -> None:
    assert verify(str(directory / "a" / "b")) == str(directory / "a" / "b")


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o720, 0o702])
def test_a_directory_that_other_users_can_write_is_rejected_with_the_remedy(directory, mode, verify) -> None:
    directory.chmod(mode)
    failure = rejection(directory, verify)
    assert f"{directory} is writable by other users (mode {mode:o}); run 'chmod go-w {directory}'" in str(failure)


@posix
def test_the_remedy_is_a_command_that_a_shell_runs(tmp_path) -> None:
    directory = tmp_path / "Application Support; `true` $HOME"
    directory.mkdir()
    directory.chmod(0o777)
    command = str(rejection(directory)).partition("; run '")[2].partition("', or set")[0]
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707])
@pytest.mark.parametrize("name", ["cache", "missing"])
def test_a_directory_in_a_parent_that_other_users_can_write_is_rejected(directory, mode, name, verify) -> None:
    directory.parent.chmod(mode)
    assert f"{directory.parent} is writable by other users" in str(rejection(directory.parent / name, verify))


@posix
def test_a_directory_in_a_sticky_public_parent_is_rejected_as_public(directory, verify) -> None:
    """As in /tmp: after the directory is deleted, another user can create it again."""
    directory.parent.chmod(0o1777)
    failure = rejection(directory, verify)
    assert f"{directory.parent} is writable by other users (mode 1777); set CERTHOOK_STORE_DIR to" in str(failure)


# Owners.


@pytest.mark.parametrize("owner", [OTHER_USER, OVERFLOW_USER])
@pytest.mark.parametrize("is_parent", [False, True], ids=["the directory", "its parent"])
def test_a_directory_of_another_user_is_rejected(directory, root, owner, is_parent, verify) -> None:
    os.chown(directory.parent if is_parent else directory, owner, owner)
    failure = rejection(directory, verify)
    assert "belongs to" in str(failure)


@posix
def test_the_overflow_user_cannot_use_its_own_directory(directory, root, monkeypatch, verify) -> None:
    """It cannot distinguish its files from those of users outside the user namespace."""
    os.chown(directory, OVERFLOW_USER, OVERFLOW_USER)
    monkeypatch.setattr(os, "geteuid", lambda: OVERFLOW_USER)
    assert "belongs to a user outside this user namespace (nobody)" in str(rejection(directory, verify))
    assert verify(str(directory.parent)) == str(directory.parent)


def test_users_trust_the_directories_of_root_but_root_does_not_trust_theirs(
    directory, root, monkeypatch, verify
) -> None:
    os.chown(directory, OTHER_USER, OTHER_USER)
    assert "belongs to user" in str(rejection(directory, verify))
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    assert verify(str(directory)) == str(directory)
    assert verify(str(directory.parent)) == str(directory.parent)


# Links, files, and paths that OpenSSL would split.


def test_a_symbolic_link_is_rejected(directory) -> None:
    link = directory.parent / "link"
    link.symlink_to(directory)
    failure = rejection(link)
    assert f"{link} is a symbolic link" in str(failure)


def test_a_link_above_the_directory_is_resolved(directory, tmp_path, verify) -> None:
    link = tmp_path / "link"
    link.symlink_to(directory.parent)
    assert verify(str(link / "cache")) == str(directory)
    assert verify(str(link / "missing")) == str(directory.parent / "missing")


def test_a_link_before_a_parent_reference_is_resolved(directory, tmp_path, verify) -> None:
    """The operating system resolves the link first: ``link/..`` is the parent of its target."""
    (tmp_path / "link").symlink_to(directory)
    (tmp_path / "cache").mkdir()
    assert verify(str(tmp_path / "link" / ".." / "cache")) == str(directory)
    assert verify(str(tmp_path / "parent" / ".." / "cache")) == str(tmp_path / "cache")


@pytest.mark.parametrize("owner", [OTHER_USER, OVERFLOW_USER])
def test_a_link_of_another_user_above_the_directory_is_not_followed(directory, root, tmp_path, owner) -> None:
    """Its owner chose which directory of this user is written to."""
    link = tmp_path / "link"
    link.symlink_to(directory.parent)
    os.chown(link, owner, owner, follow_symlinks=False)
    assert f"{link} is a symbolic link of user {owner}; set CERTHOOK_STORE_DIR to" in str(
        rejection(link / "cache", opened)
    )


@posix
def test_a_link_in_a_directory_that_other_users_can_write_is_not_followed(directory, tmp_path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "link").symlink_to(directory.parent)
    (tmp_path / "public").chmod(0o777)
    failure = rejection(tmp_path / "public" / "link" / "cache", opened)
    assert f"{tmp_path / 'public'} is writable by other users" in str(failure)


@posix
def test_the_target_of_a_link_above_the_directory_must_be_safe(directory, tmp_path, verify) -> None:
    link = tmp_path / "link"
    link.symlink_to(directory.parent)
    directory.parent.chmod(0o777)
    assert f"{directory.parent} is writable by other users" in str(rejection(link / "cache", verify))


def test_a_file_and_a_path_below_it_are_rejected(directory) -> None:
    file = directory / "file"
    file.write_bytes(b"")
    assert f"{file} is not a directory" in str(rejection(file))
    assert f"{file / 'below'} cannot be examined" in str(rejection(file / "below"))


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_path_that_openssl_would_split_is_rejected_without_a_warning(directory, tmp_path, is_linked) -> None:
    path = directory / f"a{os.pathsep}b"
    if is_linked:
        path.mkdir()
        (tmp_path / "link").symlink_to(path)
        path = tmp_path / "link" / "cache"
    failure = rejection(path)
    assert f"contains {os.pathsep!r}, which separates directories for OpenSSL" in str(failure)


# Creating directories.


def test_a_directory_on_a_missing_drive_cannot_be_created(monkeypatch, tmp_path) -> None:
    def lstat(path: str) -> None:
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(opening_directories, "HAS_DESCRIPTORS", False)
    monkeypatch.setattr(os, "lstat", lstat)
    with pytest.raises(Unusable, match="cannot be created: the drive .* does not exist"):
        open_stores(str(tmp_path / "cache"), create=0o700)


@posix
def test_an_existing_directory_keeps_its_mode(tmp_path) -> None:
    tmp_path.chmod(0o750)
    with open_stores(str(tmp_path), create=0o755):
        pass
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


@posix
def test_only_stores_of_root_are_readable_by_other_users(monkeypatch) -> None:
    for user, is_shared in ((0, True), (OTHER_USER, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        assert build.is_shared() == is_shared


# The default directory.


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Run as a user on Linux, with neither HOME nor an entry in the user database."""
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    monkeypatch.setattr(os, "getuid", lambda: OTHER_USER)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def own_directory(**variables: str) -> str | None:
    return _store.store_directory(Config(variables).store_dir)[0]


@posix
def test_stores_of_a_user_are_in_the_data_directory_of_the_home(user) -> None:
    user.setenv("HOME", "/home/me")
    assert own_directory() == "/home/me/.local/share/certhook"
    user.setenv("XDG_DATA_HOME", "/data/share")
    assert own_directory() == "/data/share/certhook"


@posix
def test_a_relative_xdg_data_home_is_ignored(user) -> None:
    user.setenv("HOME", "/home/me")
    user.setenv("XDG_DATA_HOME", "share")
    assert own_directory() == "/home/me/.local/share/certhook"


@posix
def test_without_an_absolute_home_there_is_no_directory(user) -> None:
    assert _store.store_directory(None) == (None, NO_DATA_DIRECTORY)
    user.setenv("HOME", "relative")
    assert _store.store_directory(None) == (None, NO_DATA_DIRECTORY)


@posix
def test_on_macos_stores_are_in_application_support(user) -> None:
    user.setenv("HOME", "/Users/me")
    user.setenv("XDG_DATA_HOME", "/data/share")
    user.setattr(sys, "platform", "darwin")
    assert own_directory() == "/Users/me/Library/Application Support/certhook"


@posix
def test_stores_of_root_are_never_in_a_home(user) -> None:
    user.setenv("HOME", "/home/me")
    user.setenv("XDG_DATA_HOME", "/home/me/share")
    user.setattr(os, "geteuid", lambda: 0)
    user.setattr(os, "getuid", lambda: 0)
    assert own_directory() == SUPERUSER_DIRECTORY == "/var/lib/certhook"


@posix
def test_a_set_uid_process_has_no_directory(user) -> None:
    user.setenv("HOME", "/home/me")
    user.setattr(os, "getuid", lambda: OTHER_USER + 1)
    assert _store.store_directory(None) == (None, "the process runs with the privileges of another user")


@posix
def test_an_excluded_environment_does_not_select_the_directory(user) -> None:
    user.setattr(process, "use_environment", False)
    user.setenv("HOME", "/home/me")
    user.setenv("XDG_DATA_HOME", "/data/share")
    database = SimpleNamespace(getpwuid=lambda user: SimpleNamespace(pw_dir=f"/home/{user}"))
    user.setitem(sys.modules, "pwd", database)
    assert own_directory() == f"/home/{OTHER_USER}/.local/share/certhook"
    user.setitem(sys.modules, "pwd", None)
    assert own_directory() is None


# CERTHOOK_STORE_DIR.


def test_the_variable_selects_another_directory(tmp_path) -> None:
    assert own_directory(CERTHOOK_STORE_DIR=str(tmp_path)) == str(tmp_path)


def test_the_former_name_of_the_variable_counts_if_the_present_one_is_unset(tmp_path) -> None:
    former, present = str(tmp_path / "former"), str(tmp_path / "present")
    assert own_directory(CERTHOOK_CACHE_DIR=former) == own_directory(CERTHOOK_CACHE_DIR=former, CERTHOOK_STORE_DIR="")
    assert own_directory(CERTHOOK_CACHE_DIR=former) == former
    assert own_directory(CERTHOOK_CACHE_DIR=former, CERTHOOK_STORE_DIR=present) == present


@pytest.mark.parametrize("value", ["none", " None "])
def test_none_selects_no_directory(value) -> None:
    assert _store.store_directory(Config({"CERTHOOK_STORE_DIR": value}).store_dir) == (None, "CERTHOOK_STORE_DIR=none")


@posix
def test_a_relative_path_is_reported_and_the_default_applies(user) -> None:
    user.setenv("HOME", "/home/me")
    config = Config({"CERTHOOK_STORE_DIR": "cache"})
    assert _store.store_directory(config.store_dir) == ("/home/me/.local/share/certhook", "")
    (problem,) = config.problems
    assert str(problem).startswith("CERTHOOK_STORE_DIR: 'cache' is a relative path")


def test_on_windows_a_directory_below_an_inaccessible_one_is_used(directory, monkeypatch) -> None:
    def lstat(path: str) -> os.stat_result:
        if path == str(directory.parent):
            raise PermissionError(13, "Permission denied")
        return os.stat(path)

    monkeypatch.setattr(_store.os, "lstat", lstat)
    assert "cannot be examined" in str(rejection(directory))
    monkeypatch.setattr(_store, "_IS_WINDOWS", True)
    assert _store.resolve_protected(str(directory)) == str(directory)
