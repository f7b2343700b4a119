"""The entries of an open directory: creating, replacing and removing them."""

from __future__ import annotations

import errno
import os
import stat
import sys
from binascii import hexlify

from certhook._directory.reading import CREATE, OpenDirectory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_IS_WINDOWS = sys.platform == "win32"
# The largest depth of a directory that is removed.
_MOST_LEVELS = 100
_PERMISSIONS = 0o777
# The largest number of characters of a name in a temporary name. File systems limit names to 255 bytes; the names of
# stores have at most 45.
_MOST_CHARACTERS = 50


class Directory(OpenDirectory):
    """A directory that :func:`certhook._directory.open_directory` opened; a context manager, which closes it.

    :param path: its path without symbolic links, for messages and for Windows
    :param descriptor: its descriptor, None on Windows
    """

    def inner(self, name: str, create: int | None = None, is_parent: bool = False) -> Directory:
        """Open the directory *name* in this one, without following a link.

        :param create: the permissions with which to create it if it is missing
        :param is_parent: whether only a directory in it is accessed, for which no permission to list it is needed
        :raises OSError: if it is not a directory, or cannot be opened or created
        """
        if create is not None:
            try:
                self.make(name, create)
            except FileExistsError:
                pass
        return self._inner(name, is_parent)

    def open_new(self, name: str, mode: int) -> BinaryIO:
        """Create the file *name*, and return it, open for writing.

        :param mode: the permissions; bits such as set-uid are ignored
        :raises FileExistsError: if there is an entry *name*, even a dangling link
        :raises OSError: if that fails
        """
        return open(self._open_new(name, mode), "wb", buffering=0)

    def _open_new(self, name: str, mode: int) -> int:
        descriptor = os.open(self._at(name), CREATE, 0o600, dir_fd=self._descriptor)
        try:
            # Windows has no permissions, and would make the file read-only.
            if not _IS_WINDOWS:
                os.fchmod(descriptor, mode & _PERMISSIONS)
        except BaseException:
            os.close(descriptor)
            self.discard(name)
            raise
        return descriptor

    def create(self, name: str, data: bytes, mode: int, sync: bool = False) -> None:
        """Write *data* to the new file *name*.

        :param mode: the permissions; bits such as set-uid are ignored
        :param sync: whether to write through to the disk
        :raises FileExistsError: if there is an entry *name*, even a dangling link
        :raises OSError: if that fails; there is no entry *name* then
        """
        descriptor = self._open_new(name, mode)
        try:
            try:
                write(descriptor, data)
                if sync:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)  # Network file systems report here that the disk is full.
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
        self.create(temporary, data, mode, sync)
        self._move(temporary, name)

    def replace_link(self, name: str, target: str) -> None:
        """Make *name* a symbolic link to *target*, replacing anything but a directory.

        :raises OSError: if that fails; the entry is unchanged
        """
        temporary = temporary_name(name)
        os.symlink(target, self._at(temporary), dir_fd=self._descriptor)
        self._move(temporary, name)

    def _move(self, temporary: str, name: str) -> None:
        try:
            self.rename(temporary, name)
        except BaseException:
            self.discard(temporary)
            raise

    def make(self, name: str, mode: int) -> None:
        """Create the directory *name*.

        :param mode: the permissions; bits such as set-uid are ignored
        :raises OSError: if that fails; it does not exist then
        """
        # Windows restricts the access list of a directory with the mode 0700.
        os.mkdir(self._at(name), mode & _PERMISSIONS if _IS_WINDOWS else 0o700, dir_fd=self._descriptor)
        try:
            self.set_mode_of(name, mode)
        except BaseException:
            self.discard(name)
            raise

    def set_mode(self, mode: int) -> None:
        """Set the permissions of the directory; bits such as set-uid are removed.

        :raises OSError: if that fails
        """
        if not _IS_WINDOWS:
            os.chmod(self.path if self._descriptor is None else self._descriptor, mode & _PERMISSIONS)

    def set_mode_of(self, name: str, mode: int) -> None:
        """Set the permissions of the directory *name*, which its owner may be unable to open.

        :raises OSError: if that fails
        """
        try:
            with self.inner(name) as inner:
                inner.set_mode(mode)
            return
        except OSError as error:
            # Its permissions may withhold a descriptor with which they can be changed, for example with the umask 0777.
            if self._descriptor is None or error.errno not in (errno.EACCES, errno.EBADF):
                raise
        try:
            os.chmod(self._at(name), mode & _PERMISSIONS, dir_fd=self._descriptor, follow_symlinks=False)
        except NotImplementedError as error:  # The C library has no such function.
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), name) from error

    def set_time(self, name: str, seconds: float | None = None) -> None:
        """Set the time of the last modification of the entry *name*, by default to the present, if possible."""
        times = None if seconds is None else (seconds, seconds)
        follows = os.utime not in os.supports_follow_symlinks
        try:
            os.utime(self._at(name), times, dir_fd=self._descriptor, follow_symlinks=follows)
        except (OSError, NotImplementedError):
            pass  # It was removed, or belongs to another user.

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
        try:
            inner = self.inner(name)
        except OSError:
            pass  # It can be removed if it is empty, for example after no descriptor was left to set its permissions.
        else:
            with inner:
                inner._clear(levels - 1)
        self.remove_empty(name)

    def _clear(self, levels: int) -> None:
        try:
            names = self.names()
        except OSError:
            return  # Its owner has no permission to list it.
        for name in names:
            try:
                self._remove(name, levels)
            except FileNotFoundError:
                pass  # Another process removes it at the same time.

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
    """Return a hidden, random name for the temporary version of the entry *name*, which may have any length."""
    return f".{name[:_MOST_CHARACTERS]}.{hexlify(os.urandom(8)).decode()}"
