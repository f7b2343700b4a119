"""Writing files and directories: atomic for readers, with fixed permissions, following no link."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Callable, Iterator

import pytest

from certhook import _files

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes and links")
masks = pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777], indirect=True, ids=oct)

OLD = {"kept": b"old", "manifest": b"old manifest"}
NEW = {"kept": b"new", "manifest": b"new manifest", "added": b"new"}


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def fail(*args: object, **kwargs: object) -> None:
    raise OSError(28, "No space left on device")


# Files.


def test_a_file_is_replaced(tmp_path) -> None:
    path = tmp_path / "file"
    for data in (b"", b"one", b"x" * 1_000_000):
        _files.replace(str(path), data, 0o600)
        assert content(tmp_path) == {"file": data}


@posix
@masks
@pytest.mark.parametrize("permissions", [0o600, 0o644])
def test_the_mode_of_a_file_does_not_depend_on_the_umask(tmp_path, umask, permissions) -> None:
    for name, earlier in (("new", None), ("existing", 0o666)):
        if earlier is not None:
            (tmp_path / name).write_bytes(b"")
            (tmp_path / name).chmod(earlier)
        _files.replace(str(tmp_path / name), b"data", permissions)
        assert mode(tmp_path / name) == permissions


@posix
@pytest.mark.parametrize("target", ["target", "missing"])
def test_a_link_is_replaced_and_its_target_stays_unchanged(tmp_path, target) -> None:
    (tmp_path / "target").write_bytes(b"target")
    (tmp_path / "link").symlink_to(target)
    _files.replace(str(tmp_path / "link"), b"data", 0o600)
    assert not (tmp_path / "link").is_symlink()
    assert content(tmp_path) == {"link": b"data", "target": b"target"}


@posix
def test_a_link_at_the_temporary_path_is_not_followed(tmp_path, monkeypatch) -> None:
    (tmp_path / "target").write_bytes(b"target")
    (tmp_path / "temporary").symlink_to("target")
    monkeypatch.setattr(_files, "temporary_path", lambda path: str(tmp_path / "temporary"))
    with pytest.raises(FileExistsError):
        _files.replace(str(tmp_path / "file"), b"data", 0o600)
    assert (tmp_path / "target").read_bytes() == b"target"
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("function", ["write", "fsync", "replace"])
def test_after_a_failure_the_old_content_remains_and_nothing_else(tmp_path, monkeypatch, function) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        with pytest.raises(OSError, match="No space left"):
            _files.replace(str(tmp_path / "file"), b"new", 0o600, sync=True)
    assert content(tmp_path) == {"file": b"old"}


def test_a_directory_is_not_replaced_by_a_file(tmp_path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError):
        _files.replace(str(tmp_path / "directory"), b"data", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["directory"]


def test_create_rejects_an_existing_file(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        _files.create(str(tmp_path / "file"), b"new", 0o600)
    assert content(tmp_path) == {"file": b"old"}


def test_data_that_the_system_writes_in_parts_is_complete(tmp_path, monkeypatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    _files.replace(str(tmp_path / "file"), b"0123456789", 0o600)
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
    _files.write_directory(str(directory), NEW, last="manifest", mode=0o644, **kwargs)


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


@pytest.mark.parametrize("function", ["mkdir", "write", "rename"])
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
