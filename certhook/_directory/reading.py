"""Open directories: accessing and reading their entries."""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, TypeVar

    _Self = TypeVar("_Self", bound="OpenDirectory")


def _names(functions: set[Callable[..., object]]) -> set[str]:
    return {getattr(function, "__name__", "") for function in functions}


_FUNCTIONS = {"open", "mkdir", "rename", "rmdir", "stat", "unlink"}
#: Whether the entries of a directory are accessed through its descriptor. By name, because a tool such as blockbuster
#: may have replaced functions.
HAS_DESCRIPTORS = _names(os.supports_dir_fd) >= _FUNCTIONS and "listdir" in _names(os.supports_fd)

_COMMON = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# O_NONBLOCK: opening a FIFO without a writer must not block.
_READ = os.O_RDONLY | _COMMON | getattr(os, "O_NONBLOCK", 0)
#: The flags to create a file.
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _COMMON
#: The flags to open a directory whose entries are listed.
OPEN = os.O_RDONLY | _COMMON | getattr(os, "O_DIRECTORY", 0)
#: The flags to open a directory on the way to another one, which the user may have no permission to list.
TRAVERSE = getattr(os, "O_PATH", getattr(os, "O_SEARCH", 0)) | _COMMON | getattr(os, "O_DIRECTORY", 0)

# The descriptor of a closed directory, which every function rejects.
_CLOSED = -1


class OpenDirectory:
    """An open directory, whose entries are read through its descriptor; a context manager, which closes it.

    :param path: its path, for messages and for Windows
    :param descriptor: its descriptor, None on Windows
    :ivar path: the path without symbolic links
    """

    def __init__(self, path: str, descriptor: int | None) -> None:
        self.path, self._descriptor = path, descriptor

    def _inner(self: _Self, name: str, is_parent: bool) -> _Self:
        path = os.path.join(self.path, name)
        if self._descriptor is None:
            # A junction is not a link for os.path.islink().
            resolved = os.path.join(os.path.realpath(self.path), name)
            if os.path.normcase(os.path.realpath(path)) != os.path.normcase(resolved) or not os.path.isdir(path):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            return type(self)(path, None)
        if not is_parent:
            try:
                return type(self)(path, os.open(self._at(name), OPEN, dir_fd=self._descriptor))
            except PermissionError:
                if TRAVERSE == OPEN:
                    raise
        return type(self)(path, os.open(self._at(name), TRAVERSE, dir_fd=self._descriptor))

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its descriptor."""
        if self._descriptor not in (None, _CLOSED):
            descriptor, self._descriptor = self._descriptor, _CLOSED
            os.close(descriptor)

    @property
    def descriptor(self) -> int | None:
        """Its descriptor; None on Windows, where its entries are accessed by path."""
        return self._descriptor

    def fileno(self) -> int:
        """Return the descriptor, for example to lock the directory. Windows has none."""
        if self._descriptor is None:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), self.path)
        return self._descriptor

    def _at(self, name: str) -> str:
        """Return the path of the entry *name*, relative to the descriptor."""
        if name in ("", os.curdir, os.pardir) or os.path.basename(name) != name or os.path.splitdrive(name)[0]:
            raise ValueError(f"{name!r} is not the name of an entry")
        return os.path.join(self.path, name) if self._descriptor is None else name

    def names(self) -> list[str]:
        """Return the names of the entries, sorted."""
        return sorted(os.listdir(self.path if self._descriptor is None else self._descriptor))

    def status(self, name: str | None = None) -> os.stat_result:
        """Return the status of an entry, without following a link, or that of the directory."""
        if name is None:
            return os.stat(self.path if self._descriptor is None else self._descriptor)
        return os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)

    def exists(self, name: str) -> bool:
        """Return whether there is an entry *name*, even a dangling link."""
        try:
            self.status(name)
        except FileNotFoundError:
            return False
        return True

    def is_directory(self, name: str) -> bool:
        """Return whether the entry *name* is a directory; a link is not."""
        try:
            return stat.S_ISDIR(self.status(name).st_mode)
        except FileNotFoundError:
            return False

    def link(self, name: str) -> str:
        """Return the target of the symbolic link *name*.

        :raises OSError: if it is not a link
        """
        return os.readlink(self._at(name), dir_fd=self._descriptor)

    def read(self, name: str, limit: int, is_accepted: Callable[[os.stat_result], bool] = lambda _: True) -> bytes:
        """Return the content of the regular file *name*, without following a link or blocking.

        :param limit: the largest size in bytes
        :param is_accepted: whether a file with the given status is read
        :raises OSError: if it is not a regular file, is larger, or cannot be read
        """
        descriptor = os.open(self._at(name), _READ, dir_fd=self._descriptor)
        try:
            path = os.path.join(self.path, name)
            status = os.fstat(descriptor)
            if not is_accepted(status):
                raise OSError(errno.EPERM, os.strerror(errno.EPERM), path)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            chunks: list[bytes] = []
            while limit >= 0:
                chunk = os.read(descriptor, min(limit + 1, 1 << 20))
                if not chunk:
                    return b"".join(chunks)
                chunks.append(chunk)
                limit -= len(chunk)
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        finally:
            os.close(descriptor)
