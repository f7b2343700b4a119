"""Writing files and directories: atomic for readers, with fixed permissions, following no link, only in one package."""

from __future__ import annotations

import ast
import json
import os
import stat
import sys
from pathlib import Path
from typing import Callable, Iterator

import der
import pytest
import support

from certhook import _directory
from certhook._certificates import openssl
from certhook._directory import Directory, entries, open_directory, opening, reading, temporary

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes and links")
masks = pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777], indirect=True, ids=oct)

OLD = {"kept": b"old", "manifest": b"old manifest"}
NEW = {"kept": b"new", "manifest": b"new manifest", "added": b"new"}


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def accept(path: str, status: os.stat_result, is_parent: bool) -> None:
    """Accept every component of a path."""


@pytest.fixture(params=["descriptors", "paths"], autouse=True)
def access(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How entries are accessed: by the descriptor of their directory, or by path as on Windows."""
    if request.param == "descriptors" and not reading.HAS_DESCRIPTORS:
        pytest.skip("directories have no descriptors on this system")
    monkeypatch.setattr(opening, "HAS_DESCRIPTORS", request.param == "descriptors")
    return request.param


@pytest.fixture
def opened(access, tmp_path: Path) -> Iterator[Directory]:
    """The open directory *tmp_path*."""
    with open_directory(str(tmp_path), accept) as directory:
        assert (directory.descriptor is None) == (access == "paths")
        yield directory


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def fail(*args: object, **kwargs: object) -> None:
    raise OSError(28, "No space left on device")


# Files.


def test_a_file_is_replaced(opened, tmp_path) -> None:
    for data in (b"", b"one", b"x" * 1_000_000):
        opened.replace("file", data, 0o600)
        assert content(tmp_path) == {"file": data}


def test_a_file_with_the_longest_possible_name_is_replaced(opened, tmp_path) -> None:
    for name in ("x" * 255, "\N{EURO SIGN}" * 85):
        opened.replace(name, b"data", 0o600)
        opened.replace(name, b"new", 0o600)
        assert content(tmp_path) == {name: b"new"}
        opened.remove(name)


@posix
@masks
@pytest.mark.parametrize("permissions", [0o600, 0o644])
def test_the_mode_of_a_file_does_not_depend_on_the_umask(opened, tmp_path, umask, permissions) -> None:
    for name, earlier in (("new", None), ("existing", 0o666)):
        if earlier is not None:
            (tmp_path / name).write_bytes(b"")
            (tmp_path / name).chmod(earlier)
        opened.replace(name, b"data", permissions)
        assert mode(tmp_path / name) == permissions


@posix
@pytest.mark.parametrize("target", ["target", "missing"])
def test_a_link_is_replaced_and_its_target_stays_unchanged(opened, tmp_path, target) -> None:
    (tmp_path / "target").write_bytes(b"target")
    (tmp_path / "link").symlink_to(target)
    opened.replace("link", b"data", 0o600)
    assert not (tmp_path / "link").is_symlink()
    assert content(tmp_path) == {"link": b"data", "target": b"target"}


@posix
def test_a_link_at_the_temporary_path_is_not_followed(opened, tmp_path, monkeypatch) -> None:
    (tmp_path / "target").write_bytes(b"target")
    (tmp_path / "temporary").symlink_to("target")
    monkeypatch.setattr(entries, "temporary_name", lambda name: "temporary")
    with pytest.raises(FileExistsError):
        opened.replace("file", b"data", 0o600)
    assert content(tmp_path) == {"target": b"target", "temporary": b"target"}
    assert (tmp_path / "temporary").is_symlink()


@pytest.mark.parametrize("function", ["write", "fsync", "replace"])
def test_after_a_failure_the_old_content_remains_and_nothing_else(opened, tmp_path, monkeypatch, function) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        with pytest.raises(OSError, match="No space left"):
            opened.replace("file", b"new", 0o600, sync=True)
    assert content(tmp_path) == {"file": b"old"}


def test_a_directory_is_not_replaced_by_a_file(opened, tmp_path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError):
        opened.replace("directory", b"data", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["directory"]


def test_create_rejects_an_existing_file(opened, tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        opened.create("file", b"new", 0o600)
    assert content(tmp_path) == {"file": b"old"}


def test_data_that_the_system_writes_in_parts_is_complete(opened, tmp_path, monkeypatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    opened.replace("file", b"0123456789", 0o600)
    assert content(tmp_path) == {"file": b"0123456789"}


# Directories.


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "directory"


@pytest.fixture
def existing(directory: Path) -> Path:
    """A directory with the files of :data:`OLD` and two others."""
    directory.mkdir()
    for name, data in {**OLD, "obsolete": b"", "foreign": b"foreign"}.items():
        (directory / name).write_bytes(data)
    return directory


def write(directory: Path, **kwargs: object) -> None:
    kwargs.setdefault("is_obsolete", "obsolete".__eq__)
    with open_directory(str(directory.parent), accept) as parent:
        _directory.write_directory(parent, directory.name, NEW, last="manifest", mode=0o644, **kwargs)


def assert_alone(directory: Path) -> None:
    """Assert that no temporary directory remains."""
    assert [path.name for path in directory.parent.iterdir()] == [directory.name]


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch, directory: Path) -> list[dict[str, bytes]]:
    """The content of the directory after each step that changes the file system."""
    seen: list[dict[str, bytes]] = []

    def observed(function: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object, **kwargs: object) -> object:
            result = function(*args, **kwargs)
            seen.append(content(directory) if directory.exists() else {})
            return result

        return wrapper

    for name in ("chmod", "close", "mkdir", "rename", "replace", "unlink", "write"):
        monkeypatch.setattr(os, name, observed(getattr(os, name)))
    return seen


def test_a_new_directory_appears_complete(directory, states) -> None:
    write(directory)
    assert content(directory) == NEW
    assert len(states) > 2 * len(NEW)
    assert all(state in ({}, NEW) for state in states)
    assert_alone(directory)


def test_in_an_existing_directory_no_common_file_is_ever_missing_or_incomplete(existing, states) -> None:
    write(existing)
    assert any(state["kept"] == b"old" for state in states)
    for state in states:
        assert all(state[name] in (OLD[name], NEW[name]) for name in OLD)


def test_the_last_file_is_replaced_after_all_others(existing, states) -> None:
    write(existing)
    for state in states:
        if state["manifest"] == NEW["manifest"]:
            assert {**NEW, **state} == {**state, **NEW}


def test_only_obsolete_files_are_removed_from_an_existing_directory(existing) -> None:
    write(existing)
    assert content(existing) == {**NEW, "foreign": b"foreign"}
    assert_alone(existing)
    write(existing, is_obsolete=lambda name: True)
    assert content(existing) == NEW


def test_files_of_the_new_content_are_never_obsolete(existing) -> None:
    names: list[str] = []
    write(existing, is_obsolete=lambda name: bool(names.append(name)))
    assert sorted(names) == ["foreign", "obsolete"]


def test_an_obsolete_directory_is_removed_with_its_content(existing) -> None:
    (existing / "more" / "files").mkdir(parents=True)
    (existing / "added").mkdir()
    write(existing, is_obsolete="more".__eq__)
    assert content(existing) == {**NEW, "obsolete": b"", "foreign": b"foreign"}


def test_a_directory_that_another_process_completed_is_left_alone(existing) -> None:
    before = content(existing)
    write(existing, is_complete=lambda: True)
    assert content(existing) == before
    assert_alone(existing)


def test_a_foreign_directory_is_replaced_as_a_whole(existing) -> None:
    inode = existing.stat().st_ino
    write(existing, is_foreign=lambda: True)
    assert content(existing) == NEW
    assert existing.stat().st_ino != inode
    assert_alone(existing)


@posix
@masks
def test_modes_of_a_new_directory_do_not_depend_on_the_umask(directory, umask) -> None:
    write(directory)
    assert mode(directory) == 0o755
    assert {mode(path) for path in directory.iterdir()} == {0o644}


@posix
def test_an_existing_directory_keeps_its_mode_and_its_files_get_the_new_one(existing) -> None:
    existing.chmod(0o750)
    (existing / "kept").chmod(0o600)
    write(existing)
    assert mode(existing) == 0o750
    assert {mode(existing / name) for name in NEW} == {0o644}


@posix
@pytest.mark.parametrize("target", ["target", "missing"])
def test_a_link_to_a_directory_is_replaced_and_its_target_stays_unchanged(tmp_path, target) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(target)
    write(tmp_path / "link")
    assert not (tmp_path / "link").is_symlink()
    assert content(tmp_path / "link") == NEW
    assert content(tmp_path / "target") == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "target"]


@posix
def test_a_link_in_an_existing_directory_is_replaced(existing, tmp_path) -> None:
    target = existing / "foreign"
    (existing / "kept").unlink()
    (existing / "kept").symlink_to(target)
    write(existing)
    assert content(existing) == {**NEW, "foreign": b"foreign"}
    assert not (existing / "kept").is_symlink()


@pytest.mark.parametrize("function", ["mkdir", "write", "replace"])
def test_after_a_failure_a_directory_does_not_exist_or_is_unchanged(directory, monkeypatch, function) -> None:
    for is_existing in (False, True):
        if is_existing:
            directory.mkdir()
            (directory / "kept").write_bytes(b"old")
        with monkeypatch.context() as patch:
            patch.setattr(os, function, fail)
            with pytest.raises(OSError, match="No space left"):
                write(directory)
        assert [path.name for path in directory.parent.iterdir()] == [directory.name] * is_existing
        assert not is_existing or content(directory) == {"kept": b"old"}


# Opening.


def test_every_component_is_checked_before_the_next_one_is_opened_or_created(tmp_path) -> None:
    checked = []

    def check(path: str, status: os.stat_result, is_parent: bool) -> None:
        checked.append((path, is_parent))
        if path == str(tmp_path / "refused"):
            raise PermissionError(path)

    with pytest.raises(PermissionError):
        open_directory(str(tmp_path / "refused" / "new"), check, create=0o700)
    assert checked[0] == (tmp_path.anchor, True)
    assert checked[-2:] == [(str(tmp_path), True), (str(tmp_path / "refused"), True)]
    assert list((tmp_path / "refused").iterdir()) == []
    with open_directory(str(tmp_path / "one" / "two"), check, create=0o700) as directory:
        assert directory.path == checked[-1][0] == str(tmp_path / "one" / "two")
    assert checked[-1][1] is False


@posix
def test_links_and_parent_references_are_resolved_as_by_the_operating_system(tmp_path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "inner")
    (tmp_path / "relative").symlink_to("link/../inner")
    (tmp_path / "loop").symlink_to("loop")
    links = []

    def check(path: str, status: os.stat_result, is_parent: bool) -> None:
        if stat.S_ISLNK(status.st_mode):
            links.append(path)

    for path in ("link", "relative", "link/../inner", "real/./inner//", "real/inner/../../link/"):
        with open_directory(f"{tmp_path}/{path}", check) as directory:
            assert directory.path == str(tmp_path / "real" / "inner")
    assert {*links} >= {str(tmp_path / "link"), str(tmp_path / "relative")}
    for path in ("loop", "loop/inner"):
        with pytest.raises(OSError):
            open_directory(str(tmp_path / path), accept, create=0o700)
    assert (tmp_path / "loop").is_symlink()


@posix
def test_a_relative_path_starts_in_the_working_directory(tmp_path, monkeypatch) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    with open_directory("../new", accept, create=0o700) as directory:
        assert directory.path == str(tmp_path / "new")


@pytest.mark.parametrize("path", ["file", "file/inner", "missing", "missing/inner"])
def test_a_path_that_is_not_a_directory_cannot_be_opened(tmp_path, path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError if "file" in path else FileNotFoundError) as caught:
        open_directory(str(tmp_path / path), accept)
    assert str(caught.value.filename).startswith(str(tmp_path / path.partition("/")[0]))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@posix
@masks
def test_modes_of_created_directories_do_not_depend_on_the_umask(tmp_path, umask) -> None:
    with open_directory(str(tmp_path / "one" / "two"), accept, create=0o755):
        assert (mode(tmp_path / "one"), mode(tmp_path / "one" / "two")) == (0o755, 0o755)


def test_a_name_with_a_separator_or_of_another_directory_is_rejected(opened, tmp_path) -> None:
    for name in ("", ".", "..", "a/b", f"{tmp_path}/a"):
        for operation in (opened.status, opened.unlink, opened.remove, opened.remove_empty, opened.link):
            with pytest.raises(ValueError, match="is not the name of an entry"):
                operation(name)
        for write_entry in (opened.create, opened.replace):
            with pytest.raises(ValueError, match="is not the name of an entry"):
                write_entry(name, b"", 0o600)
    assert list(tmp_path.iterdir()) == []


@posix
def test_set_uid_bits_are_never_set(opened, tmp_path) -> None:
    opened.create("file", b"", 0o7755)
    opened.replace("replaced", b"", 0o4711)
    opened.make("directory", 0o7755)
    assert [mode(tmp_path / name) for name in ("file", "replaced", "directory")] == [0o755, 0o711, 0o755]


# Attacks.


#: A path leads to whatever is at it.
by_descriptor = pytest.mark.parametrize("access", ["descriptors"], indirect=True)


@by_descriptor
def test_a_directory_that_is_replaced_while_it_is_opened_redirects_nothing(tmp_path, access) -> None:
    """The directory passed the check; then another user replaces it by a link."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_bytes(b"victim")
    (tmp_path / "parent" / "directory").mkdir(parents=True)
    for name in ("parent", "parent/directory"):
        swapped = tmp_path / name

        def swap(path: str, status: os.stat_result, is_parent: bool, swapped: Path = swapped) -> None:
            if path == str(swapped):
                swapped.rename(f"{swapped}.moved")
                swapped.symlink_to(tmp_path / "victim")

        with open_directory(str(tmp_path / "parent" / "directory"), swap) as directory:
            directory.create("new", b"data", 0o600)
            directory.replace("file", b"data", 0o600)
            directory.remove("file")
            assert directory.names() == ["new"]
            directory.unlink("new")
        assert content(tmp_path / "victim") == {"file": b"victim"}
        swapped.unlink()
        Path(f"{swapped}.moved").rename(swapped)
        assert content(tmp_path / "parent" / "directory") == {}


@by_descriptor
def test_a_component_that_becomes_a_link_between_its_check_and_its_opening_is_not_followed(
    tmp_path, access, monkeypatch
) -> None:
    (tmp_path / "victim").mkdir()
    status = Directory.status

    def swap(directory: Directory, name: str | None = None) -> os.stat_result:
        result = status(directory, name)
        if name == "directory":
            (tmp_path / "directory").rmdir()
            (tmp_path / "directory").symlink_to(tmp_path / "victim")
        return result

    monkeypatch.setattr(Directory, "status", swap)
    for suffix in ("", "/new"):
        (tmp_path / "directory").mkdir()
        with pytest.raises(OSError):
            open_directory(str(tmp_path / "directory") + suffix, accept, create=0o700)
        (tmp_path / "directory").unlink()
    assert content(tmp_path / "victim") == {}


@by_descriptor
def test_a_directory_that_is_replaced_while_it_is_removed_removes_nothing_else(opened, tmp_path, access) -> None:
    """In the directory to remove, a file becomes a link to a directory, and a directory a link."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_bytes(b"victim")
    (tmp_path / "old" / "inner").mkdir(parents=True)
    (tmp_path / "old" / "link").symlink_to(tmp_path / "victim")
    status = Directory.status

    def swap(directory: Directory, name: str | None = None) -> os.stat_result:
        result = status(directory, name)
        if name == "inner" and not (tmp_path / "old" / "inner").is_symlink():
            (tmp_path / "old" / "inner").rmdir()
            (tmp_path / "old" / "inner").symlink_to(tmp_path / "victim")
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Directory, "status", swap)
        with pytest.raises(OSError):
            opened.remove("old")
    assert content(tmp_path / "victim") == {"file": b"victim"}
    opened.remove("old")
    assert [path.name for path in tmp_path.iterdir()] == ["victim"]


def test_a_file_that_another_user_put_at_the_temporary_path_is_kept(opened, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(entries, "temporary_name", lambda name: "temporary")
    (tmp_path / "temporary").write_bytes(b"foreign")
    for replace in (lambda: opened.replace("file", b"", 0o600), lambda: opened.replace_link("file", "target")):
        with pytest.raises(OSError):
            replace()
    assert content(tmp_path) == {"temporary": b"foreign"}


@posix
def test_an_entry_that_is_not_a_regular_file_is_not_read(opened, tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * 11)
    (tmp_path / "link").symlink_to("large")
    (tmp_path / "directory").mkdir()
    for name in ("pipe", "link", "directory", "large", "missing"):
        with pytest.raises(OSError):
            opened.read(name, 10)
    assert opened.read("large", 11) == b"x" * 11
    with pytest.raises(PermissionError):
        opened.read("large", 11, lambda status: status.st_size < 11)


# Unusual systems.

OTHER_USER = 54321


@pytest.fixture
def as_user(root, opened: Directory, tmp_path: Path) -> Iterator[Directory]:
    """The open directory *tmp_path*, with the effective user who owns it, and cannot access its parents."""
    os.chown(tmp_path, OTHER_USER, OTHER_USER)
    os.seteuid(OTHER_USER)
    yield opened
    os.seteuid(0)


@by_descriptor
@masks
def test_a_user_can_write_with_any_umask(as_user, umask) -> None:
    as_user.make("new", 0o750)
    _directory.write_directory(as_user, "store", NEW, last="manifest", mode=0o600, is_obsolete=bool)
    with as_user.inner("new", create=0o700) as inner:
        inner.create("file", b"data", 0o640)
        assert inner.read("file", 4) == b"data"
        assert stat.S_IMODE(inner.status().st_mode) == 0o750


@posix
@by_descriptor
def test_without_a_flag_to_search_a_parent_that_cannot_be_listed_is_accessed_by_path(tmp_path, monkeypatch) -> None:
    """As on macOS in a sandbox, and on systems without O_PATH."""
    real_open = os.open

    def refuse(path: str, flags: int, *args: int, **kwargs: int) -> int:
        if path == os.sep:
            raise PermissionError(13, "Permission denied", path)
        return real_open(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    checked = []

    def check(path: str, status: os.stat_result, is_parent: bool) -> None:
        checked.append(path)

    with pytest.raises(PermissionError):
        open_directory(str(tmp_path / "new"), check, create=0o700)
    monkeypatch.setattr(opening, "TRAVERSE", reading.OPEN)
    with open_directory(str(tmp_path / "new"), check, create=0o700) as directory:
        directory.create("file", b"data", 0o600)
        assert directory.descriptor is None
    assert (checked[0], checked[-2:]) == (os.sep, [str(tmp_path), str(tmp_path / "new")])
    assert content(tmp_path / "new") == {"file": b"data"}


@by_descriptor
def test_a_user_can_write_to_a_directory_that_they_cannot_list(as_user) -> None:
    as_user.make("new", 0o300)
    with as_user.inner("new") as inner:
        inner.create("file", b"data", 0o600)
        assert inner.read("file", 4) == b"data"
        inner.unlink("file")
    as_user.make("unreadable", 0)
    for name in ("new", "unreadable"):
        as_user.remove(name)
    assert as_user.names() == []


def test_wrapped_functions_of_os_do_not_disable_descriptors() -> None:
    code = """
import ast
import json
import os
for name in ("open", "mkdir", "rename", "replace", "rmdir", "stat", "unlink", "listdir"):
    setattr(os, name, lambda *args, function=getattr(os, name), **kwargs: function(*args, **kwargs))
from certhook._directory import Directory, entries, open_directory, opening, reading, temporary
print(reading.HAS_DESCRIPTORS)
"""
    done = support.run_command(sys.executable, "-c", code, env=support.clean_env())
    assert (done.returncode, done.stdout) == (0, f"{reading.HAS_DESCRIPTORS}\n"), done.stderr


@pytest.mark.parametrize("function", ["open", "write", "fchmod", "chmod", "replace", "mkdir", "fsync", "symlink"])
def test_after_a_failure_no_descriptor_stays_open_and_no_entry_exists(opened, tmp_path, monkeypatch, function) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc")
    before = os.listdir("/proc/self/fd")
    operations = [
        lambda: opened.create("file", b"data", 0o600, sync=True),
        lambda: opened.replace("file", b"data", 0o600, sync=True),
        lambda: opened.replace_link("link", "target"),
        lambda: opened.make("directory", 0o700),
        lambda: open_directory(str(tmp_path / "new"), accept, create=0o700),
    ]
    failures = 0
    for operation in operations:
        with monkeypatch.context() as patch:
            patch.setattr(os, function, fail)
            try:
                result = operation()
            except OSError:
                failures += 1
            else:
                if result is not None:
                    result.close()
                for path in tmp_path.iterdir():
                    opened.remove(path.name)
        assert list(tmp_path.iterdir()) == []
        assert os.listdir("/proc/self/fd") == before
    assert failures or (function == "fchmod" and os.name == "nt")


# Temporary directories.


@pytest.fixture
def temporary_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    def create(path: Path) -> str:
        """Create a temporary directory with TMPDIR=*path*, and return where it was."""
        monkeypatch.setenv("TMPDIR", str(path))
        with temporary.TemporaryDirectory() as directory:
            directory.create("file", b"", 0o600)
            assert os.name == "nt" or mode(Path(directory.path)) == 0o700
        assert not os.path.exists(directory.path)
        return os.path.dirname(directory.path)

    return create


def test_a_temporary_directory_is_in_the_directory_of_the_user(tmp_path, temporary_in) -> None:
    assert temporary_in(tmp_path) == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


@posix
@pytest.mark.parametrize("problem", ["public", "of another user", "below another user's", "missing", "a link"])
def test_a_temporary_directory_is_not_in_a_directory_that_another_user_controls(
    root, tmp_path, temporary_in, problem
) -> None:
    """The user could replace a file in it before OpenSSL reads it, and so add a root."""
    path = tmp_path / "parent" / "tmp"
    path.mkdir(parents=True)
    if problem == "public":
        path.chmod(0o777)
    elif problem == "missing":
        path.rmdir()
    elif problem == "a link":
        link = tmp_path / "link"
        link.symlink_to(path)
        os.chown(link, OTHER_USER, OTHER_USER, follow_symlinks=False)
        path = link
    else:
        os.chown(path if problem == "of another user" else path.parent, OTHER_USER, OTHER_USER)
    assert temporary_in(path) in ("/tmp", "/var/tmp")


@posix
def test_the_overflow_user_has_no_temporary_directory_in_its_own_directory(
    root, tmp_path, temporary_in, monkeypatch
) -> None:
    """It cannot distinguish its directories from those of users outside the user namespace."""
    os.chown(tmp_path, 65534, 65534)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert temporary_in(tmp_path) in ("/tmp", "/var/tmp")


@posix
def test_a_temporary_directory_may_be_in_a_public_directory_with_the_sticky_bit(tmp_path, temporary_in) -> None:
    tmp_path.chmod(0o1777)
    assert temporary_in(tmp_path) == str(tmp_path)


def test_without_a_safe_directory_there_is_no_temporary_directory(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(temporary, "_candidates", lambda: [str(tmp_path / "missing")])
    with pytest.raises(FileNotFoundError, match="No usable temporary directory found"):
        temporary.TemporaryDirectory().__enter__()


# The only package that writes.

PACKAGE = Path(_directory.__file__).parent.parent

#: Functions of modules that change files. Reading shutil.which() and shutil.get_terminal_size() is harmless.
MUTATORS = {
    "os": {
        *("chmod", "chown", "fchmod", "fchown", "ftruncate", "lchmod", "lchown", "link", "makedirs", "mkdir"),
        *("mkfifo", "mknod", "posix_fallocate", "pwrite", "remove", "removedirs", "removexattr", "rename", "renames"),
        *("replace", "rmdir", "setxattr", "symlink", "truncate", "unlink", "utime"),
        *("O_APPEND", "O_CREAT", "O_EXCL", "O_RDWR", "O_TMPFILE", "O_TRUNC", "O_WRONLY"),
    },
    "shutil": {
        *("chown", "copy", "copy2", "copyfile", "copyfileobj", "copymode", "copystat", "copytree", "make_archive"),
        *("move", "rmtree", "unpack_archive"),
    },
}
#: Modules whose purpose is to write files.
WRITERS = {"compileall", "dbm", "fileinput", "mailbox", "pathlib", "py_compile", "shelve", "sqlite3", "tempfile"}
METHODS = {"hardlink_to", "symlink_to", "touch", "write_bytes", "write_text"}

#: What other modules write, by module and function, and why.
EXCEPTIONS = {
    ("_store/__init__.py", "os.utime"): "the time of the last use, in a warm process, which imports no further module",
    ("_store/named.py", "os.utime"): "the time of the last use, in a warm process, which imports no further module",
    ("cli/_terminal.py", "os.O_WRONLY"): "standard output after the reader of a pipe has closed it",
}


def writing_calls(source: str) -> Iterator[str]:
    """Return the functions and flags in *source* that write files."""
    tree = ast.parse(source)
    imported = {"_system": "os"}  # The functions of os in certhook._watch.
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.update({name.asname or name.name: name.name for name in node.names})
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.update({name.asname or name.name: f"{node.module}.{name.name}" for name in node.names})
    yield from (name for name in imported.values() if name.partition(".")[0] in WRITERS)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = qualified(node, imported)
            module, _, attribute = name.rpartition(".")
            if attribute in MUTATORS.get(module, ()) or (isinstance(node, ast.Attribute) and node.attr in METHODS):
                yield name
        if isinstance(node, ast.Call):
            name = qualified(node.func, imported)
            if name in ("open", "io.open", "os.fdopen", "io.FileIO", "codecs.open") or name.endswith(".open"):
                opening_mode = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "mode")]
                for value in opening_mode:
                    if name in ("os.open", "webbrowser.open"):
                        continue  # Its flags are found above.
                    if not isinstance(value, ast.Constant) or set(str(value.value)) & set("wax+"):
                        yield name
            if name == "getattr" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
                module = qualified(node.args[0], imported)
                if node.args[1].value in MUTATORS.get(module, ()):
                    yield f"{module}.{node.args[1].value}"


def qualified(node: ast.AST, imported: dict[str, str]) -> str:
    """Return the name of the function *node*, with the module that it was imported from."""
    if isinstance(node, ast.Name):
        return imported.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{qualified(node.value, imported)}.{node.attr}"
    return ""


@pytest.fixture(scope="module")
def written() -> dict[str, set[str]]:
    """The functions and flags in each module that write files."""
    modules = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    assert len(modules) > 200
    return {name: {*writing_calls(path.read_text(encoding="utf-8"))} for name, path in modules.items()}


@by_descriptor
def test_no_other_module_contains_a_function_that_writes(written) -> None:
    found = {
        (module, name) for module, names in written.items() for name in names if not module.startswith("_directory/")
    }
    assert found == {*EXCEPTIONS}
    functions = {"os.fchmod", "os.mkdir", "os.replace", "os.rmdir", "os.symlink", "os.unlink"}
    assert functions <= written["_directory/entries.py"]


@by_descriptor
@pytest.mark.parametrize(
    "source",
    [
        "import os; os.replace(a, b)",
        "import os as system; system.unlink(a)",
        "from os import unlink as remove; remove(a)",
        "import os; os.open(a, os.O_RDWR)",
        "import os; function = getattr(os, 'rename')",
        "from os import O_CREAT",
        "open(a, 'w')",
        "open(a, mode='rb+')",
        "open(a, mode)",
        "import io; io.open(a, 'ab')",
        "import os; os.fdopen(a, 'w')",
        "import shutil; shutil.rmtree(a)",
        "def f():\n    from shutil import copy",
        "def f():\n    import tempfile",
        "from pathlib import Path",
        "a.write_text(b)",
    ],
)
def test_functions_that_write_are_recognised(source) -> None:
    if "import copy" in source:
        source += "\n    copy(a, b)"
    if "O_CREAT" in source:
        source += "; open(a, opener=lambda *args: O_CREAT)"
    assert [*writing_calls(source)]
    assert not [*writing_calls("import os, shutil; open(a); open(a, 'rb'); os.open(a, os.O_RDONLY); shutil.which(a)")]


# Prints each operation that changes a file, with the module and the function of certhook that caused it.
OBSERVE_WRITING = """
import json, os, ssl, sys
import certhook
sys.dont_write_bytecode = True
PACKAGE = os.path.dirname(certhook.__file__) + os.sep
CHANGES = {"chmod", "chown", "link", "mkdir", "remove", "rename", "rmdir", "symlink", "truncate", "utime"}
FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
observed = []
def observe(event, args):
    module, _, name = event.rpartition(".")
    is_open = event == "open" and isinstance(args[2], int) and args[2] & FLAGS and args[0] != os.devnull
    if not is_open and not (module == "os" and name in CHANGES) and module not in ("shutil", "tempfile"):
        return
    frame = sys._getframe(1)
    while frame is not None and not frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    where = None if frame is None else frame.f_code.co_filename[len(PACKAGE):].replace(os.sep, "/")
    observed.append((event, where, frame and frame.f_code.co_name))
sys.addaudithook(observe)
from certhook import cli
from certhook._state import process
directory, target = sys.argv[1:]
def path(name):
    return os.path.join(directory, name)
def verb(*arguments):
    sys.stdout = sys.stderr
    try:
        status = cli.main(list(arguments))
    except SystemExit as exit:
        status = exit.code
    sys.stdout = sys.__stdout__
    assert not status, (arguments, status)
def overwrite(name, data):
    with open(path(name), "wb") as file:
        file.write(data)
ssl.create_default_context()
with open(path("first"), "rb") as one, open(path("second"), "rb") as other:
    first, second = one.read(), other.read()
overwrite("system.pem", second)
process.reset()
ssl.create_default_context()
for name in os.listdir(os.environ["CERTHOOK_STORE_DIR"]):
    os.utime(os.path.join(os.environ["CERTHOOK_STORE_DIR"], name), (1, 1), follow_symlinks=False)
overwrite("system.pem", first)
process.reset()
ssl.create_default_context()
for _ in range(2):
    ssl.create_default_context(cafile=path("many"))
    process.reset()
verb("compile", "--directory", path("compiled"), "--prune")
for _ in range(2):
    verb("export", path("exported.pem"))
    verb("export", "--directory", path("exported"))
del os.environ["SSL_CERT_FILE"]
verb("env", "--shell", "sh")
verb("freeze-bundle", path("bundle.py"))
import enabling
from certhook.cli.enable import plans
plans.read_wheel = lambda name: enabling.small_wheel(name, "1.0")
verb("enable", target, "--yes")
verb("disable", target, "--yes")
json.dump(observed, sys.stdout)
"""


@posix
@by_descriptor
def test_no_other_module_writes(tmp_path, cas) -> None:
    for name, authorities in (("first", ["system"]), ("second", ["system", "extra"])):
        (tmp_path / name).write_bytes(cas.pem(*authorities))
    (tmp_path / "system.pem").write_bytes(cas.pem("system"))
    (tmp_path / "many").write_bytes(b"".join(openssl.to_pem(der.root(f"root {number}")) for number in range(25)))
    target = support.make_environment(tmp_path / "target")
    env = support.clean_env(
        CERTHOOK_SOURCES="system",
        CERTHOOK_STORE_DIR=str(tmp_path / "stores"),
        HOME=str(tmp_path / "home"),
        PYTHONPATH=str(support.ROOT / "tests" / "cli" / "enable"),
        SSL_CERT_DIR=str(tmp_path / "none"),
        SSL_CERT_FILE=str(tmp_path / "system.pem"),
    )
    (tmp_path / "none").mkdir()
    done = support.run_command(sys.executable, "-c", OBSERVE_WRITING, tmp_path, target, env=env)
    assert done.returncode == 0, done.stderr
    observed = {(event, module, function) for event, module, function in json.loads(done.stdout) if module is not None}
    foreign = {(module, event) for event, module, _ in observed if not module.startswith("_directory/")}
    assert foreign <= {*EXCEPTIONS}, foreign
    events = {event for event, module, _ in observed if module.startswith("_directory/")}
    assert events >= {"open", "os.chmod", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.utime"}
    assert ("_store/__init__.py", "os.utime") in foreign
