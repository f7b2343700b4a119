"""Read and remove regular files without following symbolic links.

Names are relative to a root directory and use "/". Where the platform supports it, each
directory on the way is opened by descriptor with ``O_NOFOLLOW``. Another user who replaces
a directory with a link therefore cannot redirect a read or a removal. Windows has no such
calls, so there the path is only checked before it is used.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import stat
from typing import Iterator

from certhook import _digest

#: The largest file to read, in bytes. The largest file of certhook and certifi is 0.3 MB.
LIMIT = 16 * 1024 * 1024

_HAS_DESCRIPTORS = {os.open, os.unlink, os.rmdir} <= os.supports_dir_fd and os.listdir in os.supports_fd
_COMMON = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# Opening a FIFO that has no writer blocks without O_NONBLOCK.
_READ = os.O_RDONLY | _COMMON | getattr(os, "O_NONBLOCK", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _COMMON
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)


def digest(data: bytes) -> str:
    """Return the hash of *data* in the format of a ``RECORD`` file."""
    return "sha256=" + base64.urlsafe_b64encode(_digest.digest("sha256", data)).decode().rstrip("=")


def read_path(path: str) -> bytes:
    """Read the regular file at *path*, whose last component must not be a symbolic link.

    :raises OSError: if it is not a regular file, or cannot be read
    """
    return _read(path, None)


def read(root: str, name: str) -> bytes:
    """Read the file *name* below *root*.

    :raises OSError: if a link is on the way, it is not a regular file, or it cannot be read
    """
    with _parent(root, name) as (directory, last):
        return _read(last, directory)


def remove_if_unchanged(root: str, name: str, expected: str) -> bool:
    """Remove the file *name* below *root* if its content has the digest *expected*.

    :returns: whether the file is gone
    """
    try:
        with _parent(root, name) as (directory, last):
            if digest(_read(last, directory)) != expected:
                return False
            os.unlink(last, dir_fd=directory)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def remove(root: str, name: str) -> None:
    """Remove the file *name* below *root*, if it exists.

    :raises OSError: if a link is on the way, or it cannot be removed
    """
    with contextlib.suppress(FileNotFoundError), _parent(root, name) as (directory, last):
        os.unlink(last, dir_fd=directory)


def remove_empty_directory(root: str, name: str) -> None:
    """Remove the directory *name* below *root* if it is empty."""
    with contextlib.suppress(OSError), _parent(root, name) as (directory, last):
        os.rmdir(last, dir_fd=directory)


def names_in(root: str, name: str) -> list[str]:
    """List the directory *name* below *root*; an empty list if it cannot be read."""
    try:
        with _parent(root, f"{name}/-") as (directory, placeholder):
            return sorted(os.listdir(os.path.dirname(placeholder) if directory is None else directory))
    except OSError:
        return []


def create(path: str, data: bytes, mode: int) -> None:
    """Write *data* to the new file *path*.

    :param mode: the permission bits; bits other than these, such as set-uid, are ignored
    :raises FileExistsError: if *path* exists, even as a dangling link
    """
    with open(os.open(path, _CREATE, 0o600), "wb") as file:
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), mode & 0o777)
        file.write(data)


@contextlib.contextmanager
def _parent(root: str, name: str) -> Iterator[tuple[int | None, str]]:
    """Open the directory of *name*.

    :returns: its descriptor and the last component of *name*; on Windows, None and the whole path
    """
    *parents, last = name.split("/")
    if not _HAS_DESCRIPTORS:
        yield None, _checked(root, [*parents, last])
        return
    descriptor = os.open(root, _DIRECTORY)
    try:
        for parent in parents:
            inner = os.open(parent, _DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, last
    finally:
        os.close(descriptor)


def _checked(root: str, parts: list[str]) -> str:
    """Return the path of *parts* below *root*.

    :raises OSError: if a link or junction is on the way
    """
    resolved = os.path.realpath(os.path.join(root, *parts))
    if os.path.normcase(resolved) != os.path.normcase(os.path.join(os.path.realpath(root), *parts)):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.path.join(root, *parts))
    return os.path.join(root, *parts)


def _read(path: str, directory: int | None) -> bytes:
    descriptor = os.open(path, _READ, dir_fd=directory)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(LIMIT + 1)
    finally:
        os.close(descriptor)
    if len(data) > LIMIT:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
    return data
