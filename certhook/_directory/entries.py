"""The entries of an open directory: reading, creating, replacing and removing them."""

from __future__ import annotations

import errno
import os
import stat
from binascii import hexlify

_FUNCTIONS = {os.open, os.mkdir, os.rename, os.rmdir, os.stat, os.unlink}
#: Whether the entries of a directory are accessed through its descriptor.
HAS_DESCRIPTORS = os.supports_dir_fd >= _FUNCTIONS and os.listdir in os.supports_fd

_COMMON = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# O_NONBLOCK: opening a FIFO without a writer must not block.
_READ = os.O_RDONLY | _COMMON | getattr(os, "O_NONBLOCK", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _COMMON
#: The flags to open a directory whose entries are listed.
OPEN = os.O_RDONLY | _COMMON | getattr(os, "O_DIRECTORY", 0)
#: The flags to open a directory on the way to another one, which the user may have no permission to list.
TRAVERSE = getattr(os, "O_PATH", getattr(os, "O_SEARCH", 0)) | _COMMON | getattr(os, "O_DIRECTORY", 0)

# The largest depth of a directory that is removed.
_MOST_LEVELS = 100
_PERMISSIONS = 0o777


class Directory:
    """A directory that :func:`certhook._directory.open_directory` opened; a context manager, which closes it.

    :param path: its path, for messages and for Windows
    :param descriptor: its descriptor, None on Windows
    :ivar path: the path without symbolic links
    """

    def __init__(self, path: str, descriptor: int | None) -> None:
        self.path, self._descriptor = path, descriptor

    def inner(self, name: str, create: int | None = None) -> Directory:
        """Open the directory *name* in this one, without following a link.

        :param create: the permissions with which to create it if it is missing
        :raises OSError: if it is not a directory, or cannot be opened or created
        """
        if create is not None:
            try:
                self.make(name, create)
            except FileExistsError:
                pass
        path = os.path.join(self.path, name)
        if self._descriptor is None:
            # A junction is not a link for os.path.islink().
            resolved = os.path.join(os.path.realpath(self.path), name)
            if os.path.normcase(os.path.realpath(path)) != os.path.normcase(resolved) or not os.path.isdir(path):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            return Directory(path, None)
        return Directory(path, os.open(self._at(name), OPEN, dir_fd=self._descriptor))

    def __enter__(self) -> Directory:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its descriptor."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

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

    # Reading.

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

    def link(self, name: str) -> str:
        """Return the target of the symbolic link *name*.

        :raises OSError: if it is not a link
        """
        return os.readlink(self._at(name), dir_fd=self._descriptor)

    def read(self, name: str, limit: int) -> bytes:
        """Return the content of the regular file *name*, without following a link or blocking.

        :param limit: the largest size in bytes
        :raises OSError: if it is not a regular file, is larger, or cannot be read
        """
        descriptor = os.open(self._at(name), _READ, dir_fd=self._descriptor)
        try:
            path = os.path.join(self.path, name)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
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

    # Writing.

    def create(self, name: str, data: bytes, mode: int, sync: bool = False) -> None:
        """Write *data* to the new file *name*.

        :param mode: the permissions; bits such as set-uid are ignored
        :param sync: whether to write through to the disk
        :raises FileExistsError: if there is an entry *name*, even a dangling link
        :raises OSError: if that fails; there is no entry *name* then
        """
        descriptor = os.open(self._at(name), _CREATE, 0o600, dir_fd=self._descriptor)
        try:
            try:
                if hasattr(os, "fchmod"):
                    os.fchmod(descriptor, mode & _PERMISSIONS)
                write(descriptor, data)
                if sync:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except BaseException:
            self.discard(name)
            raise

    def replace(self, name: str, data: bytes, mode: int, sync: bool = False) -> None:
        """Write *data* to the file *name*: readers see the old or the new content, never a part.

        :param mode: the permissions; bits such as set-uid are ignored
        :param sync: whether to write through to the disk before the old content is replaced
        :raises OSError: if that fails; the entry is unchanged
        """
        temporary = temporary_name(name)
        try:
            self.create(temporary, data, mode, sync)
            self.rename(temporary, name)
        except BaseException:
            self.discard(temporary)
            raise

    def replace_link(self, name: str, target: str) -> None:
        """Make *name* a symbolic link to *target*, replacing anything but a directory.

        :raises OSError: if that fails; the entry is unchanged
        """
        temporary = temporary_name(name)
        try:
            os.symlink(target, self._at(temporary), dir_fd=self._descriptor)
            self.rename(temporary, name)
        except BaseException:
            self.discard(temporary)
            raise

    def make(self, name: str, mode: int) -> None:
        """Create the directory *name*.

        :raises OSError: if that fails
        """
        os.mkdir(self._at(name), 0o700, dir_fd=self._descriptor)
        with self.inner(name) as inner:
            inner.set_mode(mode)

    def set_mode(self, mode: int) -> None:
        """Set the permissions of the directory; bits such as set-uid are removed.

        :raises OSError: if that fails
        """
        if self._descriptor is not None:
            os.fchmod(self._descriptor, mode & _PERMISSIONS)

    def rename(self, name: str, new: str, directory: Directory | None = None) -> None:
        """Rename the entry *name* to *new*, which is replaced unless it is a directory with entries.

        :param directory: the directory of *new*; by default this one
        :raises OSError: if that fails
        """
        other = directory or self
        os.replace(self._at(name), other._at(new), src_dir_fd=self._descriptor, dst_dir_fd=other._descriptor)

    def unlink(self, name: str) -> None:
        """Remove the file or link *name*.

        :raises OSError: if that fails
        """
        os.unlink(self._at(name), dir_fd=self._descriptor)

    def remove_empty(self, name: str) -> None:
        """Remove the directory *name*.

        :raises OSError: if it has entries, or that fails
        """
        os.rmdir(self._at(name), dir_fd=self._descriptor)

    def remove(self, name: str) -> None:
        """Remove a file, a link, or a directory with its content.

        :raises OSError: if that fails
        """
        self._remove(name, _MOST_LEVELS)

    def _remove(self, name: str, levels: int) -> None:
        if not stat.S_ISDIR(self.status(name).st_mode):
            self.unlink(name)
            return
        if not levels:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.path.join(self.path, name))
        with self.inner(name) as inner:
            for entry in inner.names():
                inner._remove(entry, levels - 1)
        self.remove_empty(name)

    def discard(self, name: str) -> None:
        """Remove a file, a link, or a directory with its content, if possible."""
        try:
            self.remove(name)
        except OSError:
            pass  # It does not exist, or belongs to another user.


def write(descriptor: int, data: bytes) -> None:
    """Write *data* completely to an open file.

    :raises OSError: if that fails
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def temporary_name(name: str) -> str:
    """Return a hidden, random name for the temporary version of the entry *name*."""
    return f".{name}.{hexlify(os.urandom(8)).decode()}"
