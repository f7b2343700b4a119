"""Reading a path that may be anything: never waiting, never without end, and saying what was found."""

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

posix = pytest.mark.skipif(os.name != "posix", reason="needs the files of a POSIX system")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")


def refusal(path: str | Path) -> str:
    """Why *path* is not read, found out within ten seconds."""
    found: list[object] = []

    def read() -> None:
        try:
            found.append(_files.read(str(path)))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert found, "it was waited for"
    (error,) = found
    assert isinstance(error, SourceError), error
    assert error.path == str(path)
    assert str(error).endswith(f": {error.message}")
    return error.message


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.pem"
    path.write_bytes(b"content\r\n\x1a\x00\xff")
    return path


def test_a_file_is_read_byte_by_byte_as_it_is(file: Path) -> None:
    assert _files.read(str(file)) == b"content\r\n\x1a\x00\xff"


def test_an_empty_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert _files.read(str(tmp_path / "empty")) == b""


@posix
def test_links_are_followed(file: Path, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("file.pem")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    assert _files.read(str(tmp_path / "two")) == file.read_bytes()


@posix
def test_a_path_of_any_bytes_is_read(tmp_path: Path) -> None:
    path = os.path.join(str(tmp_path), os.fsdecode(b"\xff.pem"))
    try:
        Path(path).write_bytes(b"content")
    except OSError:
        pytest.skip("this file system has names of text only")
    assert _files.read(path) == b"content"


@linux
def test_a_file_of_proc_is_read_though_it_says_that_it_is_empty() -> None:
    assert os.stat("/proc/self/status").st_size == 0
    assert b"Pid:" in _files.read("/proc/self/status")


# What is no file.


def test_what_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "missing")
    assert "No such file" in refusal("")


@posix
def test_what_would_be_in_a_file_is_said_to_be_no_directory(file: Path) -> None:
    assert "Not a directory" in refusal(file / "inside")


@posix
def test_a_dangling_link_is_said_to_be_one_and_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone.pem")
    message = refusal(tmp_path / "link")
    assert "link to gone.pem" in message
    assert "does not exist" in message


@posix
def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert "symbolic links" in refusal(tmp_path / "one")


@posix
def test_a_directory_is_said_to_be_one_and_what_was_expected(tmp_path: Path) -> None:
    message = refusal(tmp_path)
    assert "is a directory" in message
    assert "a file with certificates was expected" in message


@posix
@pytest.mark.parametrize("writer", [False, True])
def test_a_pipe_is_never_waited_for(writer: bool, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(str(path))
    end = os.open(str(path), os.O_RDWR) if writer else None
    try:
        message = refusal(path)
    finally:
        if end is not None:
            os.close(end)
    assert "is a pipe" in message
    assert "a file with certificates was expected" in message


@posix
def test_a_socket_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has little room
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        message = refusal(tmp_path / "socket")
    assert "is a socket" in message
    assert "a file with certificates was expected" in message


@posix
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_said_to_be_one(path: str) -> None:
    assert "is a device" in refusal(path)


@pytest.mark.parametrize("path", ["a\0b", "\0"])
def test_a_path_with_a_null_character_is_refused(path: str) -> None:
    assert "is not a path" in refusal(path)


@posix
def test_a_path_that_is_too_long_is_refused() -> None:
    assert "too long" in refusal("/" + "x" * 5000)


@posix
def test_a_file_of_somebody_elses_is_said_to_be_forbidden(file: Path) -> None:
    file.chmod(0)
    code = f"""
import os
from certhook import _files
from certhook.exceptions import SourceError
if os.geteuid() == 0:
    os.seteuid(65534)  # root may read everything
try:
    _files.read({str(file)!r})
except SourceError as error:
    print(error)
"""
    done = support.run(sys.executable, code)
    assert done.stdout == f"{file}: cannot be read: Permission denied\n"


@posix
def test_an_input_output_error_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(SourceError, match="cannot be read: Input/output error"):
        _files.read(str(file))


@linux
def test_no_descriptor_is_left_open(tmp_path: Path, file: Path) -> None:
    os.mkfifo(str(tmp_path / "pipe"))
    before = os.listdir("/proc/self/fd")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        refusal(path)
    _files.read(str(file))
    assert os.listdir("/proc/self/fd") == before


# What is too large.


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge"
    with open(str(path), "wb") as file:
        file.truncate(_files.LIMIT + 1)
    monkeypatch.setattr(os, "read", None)
    message = refusal(path)
    assert f"larger than {_files.LIMIT >> 20} MiB" in message
    assert "a bundle of certificates was expected" in message


def test_the_limit_itself_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "LIMIT", 1000)
    (tmp_path / "file").write_bytes(b"x" * 1000)
    assert len(_files.read(str(tmp_path / "file"))) == 1000
    (tmp_path / "file").write_bytes(b"x" * 1001)
    assert "larger" in refusal(tmp_path / "file")


@pytest.fixture
def growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is as long as was just read of it, and then longer: up to 900,000 octets."""
    path = tmp_path / "growing"
    path.write_bytes(b"x")
    really_read = os.read

    def read(descriptor: int, size: int) -> bytes:
        data = really_read(descriptor, size)
        if path.stat().st_size < 900_000:
            with open(str(path), "ab") as file:
                file.write(b"x" * 50_000)
        return data

    monkeypatch.setattr(os, "read", read)
    return path


def test_a_file_that_grows_while_it_is_read_is_read_to_its_end(growing: Path) -> None:
    assert len(_files.read(str(growing))) == growing.stat().st_size >= 900_000


def test_a_file_that_grows_without_end_is_given_up(growing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "LIMIT", 500_000)
    assert "larger" in refusal(growing)
    assert growing.stat().st_size < 900_000
