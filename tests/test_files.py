"""Reading a path of any kind: never blocking, never without limit, and reporting the finding."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

import pytest
import support

from certhook import _files
from certhook.exceptions import SourceError

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX file types")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")


def read_error(path: str | Path) -> str:
    """Return the message of the error that reading *path* raises within ten seconds."""
    results: list[object] = []

    def read() -> None:
        try:
            results.append(_files.read(str(path)))
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert results, "reading blocks"
    (error,) = results
    assert isinstance(error, SourceError), error
    assert error.path == str(path)
    assert str(error).endswith(f": {error.message}")
    return error.message


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.pem"
    path.write_bytes(b"content\r\n\x1a\x00\xff")
    return path


def test_the_content_is_returned_unchanged(file: Path) -> None:
    assert _files.read(str(file)) == b"content\r\n\x1a\x00\xff"


def test_an_empty_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert _files.read(str(tmp_path / "empty")) == b""


@posix
def test_symbolic_links_are_followed(file: Path, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("file.pem")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    assert _files.read(str(tmp_path / "two")) == file.read_bytes()


@posix
def test_a_path_of_arbitrary_bytes_is_read(tmp_path: Path) -> None:
    path = os.path.join(str(tmp_path), os.fsdecode(b"\xff.pem"))
    try:
        Path(path).write_bytes(b"content")
    except OSError:
        pytest.skip("this file system requires names in Unicode")
    assert _files.read(path) == b"content"


@linux
def test_a_file_in_proc_with_reported_size_zero_is_read() -> None:
    assert os.stat("/proc/self/status").st_size == 0
    assert b"Pid:" in _files.read("/proc/self/status")


# Paths that are not regular files.


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    assert "No such file" in read_error(tmp_path / "missing")
    assert "No such file" in read_error("")


@posix
def test_a_path_below_a_file_is_reported(file: Path) -> None:
    assert "Not a directory" in read_error(file / "inside")


@posix
def test_a_dangling_link_is_reported_with_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone.pem")
    message = read_error(tmp_path / "link")
    assert "link to gone.pem" in message
    assert "does not exist" in message


@posix
def test_a_loop_of_links_is_reported(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert "symbolic links" in read_error(tmp_path / "one")


@posix
def test_a_directory_is_reported_with_the_expected_type(tmp_path: Path) -> None:
    message = read_error(tmp_path)
    assert "is a directory" in message
    assert "expected a file with certificates" in message


@posix
@pytest.mark.parametrize("writer", [False, True])
def test_a_pipe_never_blocks(writer: bool, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(str(path))
    descriptor = os.open(str(path), os.O_RDWR) if writer else None
    try:
        message = read_error(path)
    finally:
        if descriptor is not None:
            os.close(descriptor)
    assert "is a pipe" in message
    assert "expected a file with certificates" in message


@posix
def test_a_socket_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # The length of a socket's path is limited.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        message = read_error(tmp_path / "socket")
    assert "is a socket" in message
    assert "expected a file with certificates" in message


@posix
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_reported(path: str) -> None:
    assert "is a device" in read_error(path)


@pytest.mark.parametrize("path", ["a\0b", "\0"])
def test_a_path_with_a_null_character_is_reported(path: str) -> None:
    assert "is not a path" in read_error(path)


@posix
def test_a_path_that_is_too_long_is_reported() -> None:
    assert "too long" in read_error("/" + "x" * 300)
    with pytest.raises(SourceError, match=r"^\(text, 5001 characters\): cannot be read: .* too long"):
        _files.read("/" + "x" * 5000)


@posix
def test_a_file_without_read_permission_is_reported(file: Path) -> None:
    file.chmod(0)
    code = f"""
import os
from certhook import _files
from certhook.exceptions import SourceError
if os.geteuid() == 0:
    os.seteuid(65534)  # root can read every file
try:
    _files.read({str(file)!r})
except SourceError as error:
    print(error)
"""
    done = support.run(sys.executable, code)
    assert done.stdout == f"{file}: cannot be read: Permission denied\n"


@posix
def test_an_input_output_error_is_reported(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(SourceError, match="cannot be read: Input/output error"):
        _files.read(str(file))


@linux
def test_every_descriptor_is_closed(tmp_path: Path, file: Path) -> None:
    os.mkfifo(str(tmp_path / "pipe"))
    before = os.listdir("/proc/self/fd")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        read_error(path)
    _files.read(str(file))
    assert os.listdir("/proc/self/fd") == before


# Files that are too large.


def test_a_file_above_the_limit_is_rejected_without_reading_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge"
    with open(str(path), "wb") as file:
        file.truncate(_files.LIMIT + 1)
    monkeypatch.setattr(os, "read", None)
    message = read_error(path)
    assert f"larger than {_files.LIMIT >> 20} MiB" in message
    assert "expected a bundle of certificates" in message


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "LIMIT", 1000)
    (tmp_path / "file").write_bytes(b"x" * 1000)
    assert len(_files.read(str(tmp_path / "file"))) == 1000
    (tmp_path / "file").write_bytes(b"x" * 1001)
    assert "larger" in read_error(tmp_path / "file")


@pytest.fixture
def growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that grows by 50,000 bytes with each read, up to 900,000 bytes."""
    path = tmp_path / "growing"
    path.write_bytes(b"x")
    original_read = os.read

    def read(descriptor: int, size: int) -> bytes:
        data = original_read(descriptor, size)
        if path.stat().st_size < 900_000:
            with open(str(path), "ab") as file:
                file.write(b"x" * 50_000)
        return data

    monkeypatch.setattr(os, "read", read)
    return path


def test_a_file_that_grows_during_reading_is_read_to_its_end(growing: Path) -> None:
    assert len(_files.read(str(growing))) == growing.stat().st_size >= 900_000


def test_a_file_that_grows_beyond_the_limit_is_rejected(growing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "LIMIT", 500_000)
    assert "larger" in read_error(growing)
    assert growing.stat().st_size < 900_000
