"""The files below site-packages, named by paths with "/".

Another user must not be able to modify the directory or those on the way to it; :mod:`certhook.cli._protection`
contains the rule. No symbolic link below it is followed.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
from typing import Iterator

from certhook import _digest
from certhook._directory import Directory, open_directory
from certhook.cli import _protection

#: The largest file to read, in bytes. The largest file of certhook and certifi is 0.3 MB.
LIMIT = 16 * 1024 * 1024

#: The permissions of installed files and directories, independent of the umask.
FILE_MODE, DIRECTORY_MODE = 0o644, 0o755


def digest(data: bytes) -> str:
    """Return the hash of *data* in the format of a ``RECORD`` file."""
    return "sha256=" + base64.urlsafe_b64encode(_digest.digest("sha256", data)).decode().rstrip("=")


def open_protected(path: str) -> Directory:
    """Open the directory *path*.

    :raises FileNotFoundError: if it does not exist
    :raises Unprotected: if another user could interfere
    """
    return open_directory(path, _protection.check)


# Faults of the system, unlike a file that another program has changed, replaced or opened. The verb stops at them,
# so that it can be repeated.
_FAULTS = (errno.EIO, errno.EINTR, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EROFS)


def raise_fault(error: OSError) -> None:
    """Raise *error* again if it is a fault of the system."""
    if error.errno in _FAULTS:
        raise error


def nearest_directory(path: str) -> str:
    """Return *path*, or the nearest directory above it that exists; the root directory if none can be examined."""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


@contextlib.contextmanager
def opened(path: str) -> Iterator[Tree]:
    """Open the directory *path*, which may not exist.

    :raises Unprotected: if another user could interfere
    """
    try:
        directory = open_protected(path)
    except FileNotFoundError:
        open_protected(nearest_directory(path)).close()
        yield Tree(path, None)
        return
    with directory:
        yield Tree(path, directory)


class Tree:
    """The files below a directory.

    :ivar path: the path of the directory
    """

    def __init__(self, path: str, directory: Directory | None) -> None:
        self.path, self._directory = path, directory

    def absolute(self, name: str) -> str:
        """Return the path of *name*."""
        return os.path.join(self.path, *name.split("/"))

    def read(self, name: str) -> bytes:
        """Return the content of the file *name*.

        :raises OSError: if a link is on the way, it is not a regular file, or it cannot be read
        """
        with self._parent(name) as (directory, last):
            return directory.read(last, LIMIT)

    def exists(self, name: str) -> bool:
        """Return whether there is a file, a directory or a link *name*."""
        try:
            with self._parent(name) as (directory, last):
                return directory.exists(last)
        except OSError as error:
            raise_fault(error)
            return False

    def names(self, name: str = "") -> list[str]:
        """Return the entries of the directory *name*, by default of the directory itself; none if it is missing."""
        try:
            with self._parent(f"{name}/-" if name else "-") as (directory, _):
                return directory.names()
        except OSError as error:
            raise_fault(error)
            return []

    def is_directory(self, name: str) -> bool:
        """Return whether *name* is a directory, and not a link to one."""
        try:
            with self._parent(name) as (directory, last):
                return directory.is_directory(last)
        except OSError as error:
            raise_fault(error)
            return False

    def walk(self, top: str) -> list[str]:
        """Return the files and links in the directory *top*, at any depth; *top* itself if it is not a directory."""
        if not self.is_directory(top):
            return [top] if self.exists(top) else []
        return [path for name in self.names(top) for path in self.walk(f"{top}/{name}")]

    def remove_if_unchanged(self, name: str, expected: str) -> bool:
        """Remove the file *name* if its content has the digest *expected*.

        :returns: whether the file is gone
        """
        try:
            with self._parent(name) as (directory, last):
                if digest(directory.read(last, LIMIT)) != expected:
                    return False
                directory.unlink(last)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise_fault(error)
            return False
        return True

    def remove(self, name: str) -> None:
        """Remove the file *name*, if it exists.

        :raises OSError: if a link is on the way, or it cannot be removed
        """
        with contextlib.suppress(FileNotFoundError), self._parent(name) as (directory, last):
            directory.unlink(last)

    def remove_empty_directory(self, name: str) -> None:
        """Remove the directory *name* if it is empty.

        :raises OSError: if the system has a fault
        """
        try:
            with self._parent(name) as (directory, last):
                directory.remove_empty(last)
        except OSError as error:
            raise_fault(error)

    @contextlib.contextmanager
    def _parent(self, name: str) -> Iterator[tuple[Directory, str]]:
        """Open the directory of *name*.

        :returns: it, and the last component of *name*
        """
        *parents, last = name.split("/")
        if self._directory is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)
        with contextlib.ExitStack() as stack:
            directory = self._directory
            for parent in parents:
                directory = stack.enter_context(directory.inner(parent))
                _protection.check(directory.path, directory.status(), True)
            yield directory, last


def write(directory: Directory, name: str, content: bytes) -> None:
    """Write the new file *name*, and create the directories on the way."""
    first, _, rest = name.partition("/")
    if not rest:
        directory.create(first, content, FILE_MODE)
        return
    with directory.inner(first, create=DIRECTORY_MODE) as inner:
        write(inner, rest, content)
