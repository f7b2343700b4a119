"""Reading certificate files from any path, and writing files and directories.

:func:`read` handles anything at a path: a pipe, a directory, a dangling link, ten gigabytes.
:func:`replace` and :func:`write_directory` never expose a partly written file, follow no
symbolic link at their target, and set modes independently of the umask.

This module is imported to read roots without a compiled store, so it imports nothing that only
writing needs.
"""

from __future__ import annotations

import errno
import os
import stat
from binascii import hexlify

from certhook._text import shown_value
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

#: The largest file that is read, in bytes. Certifi's bundle has 0.3 MB; 10,000 roots have 20 MB.
LIMIT = 64 * 1024 * 1024

# O_NONBLOCK: opening a FIFO without a writer must not block.
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def read(path: str, accepts_pipe: bool = False) -> bytes:
    """Return the content of the regular file *path* without blocking.

    :param accepts_pipe: whether *path* may also be a pipe. Reading a pipe blocks until its writers have closed it.
    :raises SourceError: if there is no such file, or it cannot be read
    """
    try:
        descriptor = os.open(path, _READ_FLAGS)
        try:
            return _read(path, descriptor, accepts_pipe)
        finally:
            os.close(descriptor)
    except OSError as error:
        name = path if os.path.isabs(path) or os.path.lexists(path) else shown_value(path)
        failure = SourceError(name, _explain(path, error))
        error.filename = failure.path  # It is part of a traceback.
        raise failure from error
    except ValueError as error:  # a null character in the path
        raise SourceError(path, f"is not a path: {error}") from error


def is_pipe(path: str) -> bool:
    """Return whether *path* is a pipe."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _read(path: str, descriptor: int, accepts_pipe: bool) -> bytes:
    status = os.fstat(descriptor)
    kind = stat.S_IFMT(status.st_mode)
    if accepts_pipe and kind == stat.S_IFIFO:
        os.set_blocking(descriptor, True)
    elif kind != stat.S_IFREG:
        found = _KINDS.get(kind, "not a regular file")
        raise SourceError(path, f"is {found}; expected a file with certificates")
    # A file may grow while it is read, and the size of a file in /proc is 0.
    chunks: list[bytes] = []
    left = LIMIT + 1
    expected = status.st_size + 1
    while left > 0 and status.st_size <= LIMIT:
        chunk = os.read(descriptor, min(left, max(expected, 65536)))
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        left -= len(chunk)
    raise SourceError(path, f"is larger than {LIMIT >> 20} MiB; expected a bundle of certificates")


def _explain(path: str, error: OSError) -> str:
    if error.errno == errno.ENOENT and os.path.islink(path):
        return f"is a link to {os.readlink(path)}, which does not exist"
    if error.errno == errno.ENXIO:
        return "is a socket; expected a file with certificates"
    return f"cannot be read: {error.strerror}"


def replace(path: str, data: bytes, mode: int, sync: bool = False) -> None:
    """Write *data* to *path*: readers see the old or the new content, never a part.

    :param mode: the permissions, independent of the umask
    :param sync: whether to write through to the disk before the old content is replaced
    :raises OSError: if that fails; *path* is unchanged
    """
    temporary = temporary_path(path)
    try:
        create(temporary, data, mode, sync)
        os.replace(temporary, path)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass  # It was not created.
        raise


def replace_link(path: str, target: str) -> None:
    """Make *path* a symbolic link to *target*, replacing anything but a directory.

    :raises OSError: if that fails; *path* is unchanged
    """
    temporary = temporary_path(path)
    os.symlink(target, temporary)
    try:
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def create(path: str, data: bytes, mode: int, sync: bool = False) -> None:
    """Write *data* to *path*, which must not exist.

    :param mode: the permissions, independent of the umask
    :param sync: whether to write through to the disk
    :raises OSError: if that fails
    """
    descriptor = os.open(path, _WRITE_FLAGS, mode)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, mode)
        while data:
            data = data[os.write(descriptor, data) :]
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_directory(
    path: str,
    content: dict[str, bytes],
    last: str,
    mode: int,
    is_obsolete: Callable[[str], bool],
    is_complete: Callable[[], bool] = lambda: False,
    is_foreign: Callable[[], bool] = lambda: False,
) -> None:
    """Write the files of *content*, by name, to the directory *path*.

    A new directory becomes visible only when it is complete. In an existing one, the files are
    replaced one by one, so that a file with an old and a new version never seems missing.

    :param last: the name of the file that is replaced last
    :param mode: the permissions of a file; a new directory is accessible to the same users
    :param is_obsolete: whether to remove another file with the given name from an existing directory
    :param is_complete: whether another process has written the same content meanwhile
    :param is_foreign: whether to replace an existing directory as a whole, because another user owns it
    :raises OSError: if that fails
    """
    temporary = temporary_path(path)
    try:
        make_directory(temporary, directory_mode(mode))
        for name, data in content.items():
            create(os.path.join(temporary, name), data, mode)
        if _rename_directory(temporary, path) or is_complete():
            return
        if is_foreign():
            _exchange(temporary, path)
        else:
            _merge(temporary, path, sorted(content, key=last.__eq__), is_obsolete)
    finally:
        if os.path.lexists(temporary):
            import shutil  # It imports modules for archives, which take longer than writing a store.

            shutil.rmtree(temporary, ignore_errors=True)


def _rename_directory(temporary: str, path: str) -> bool:
    """Rename *temporary* to *path*, unless *path* is a directory that is not empty."""
    if os.path.islink(path) or os.path.isfile(path):
        os.unlink(path)
    try:
        os.rmdir(path)  # Windows renames nothing to an existing directory.
    except OSError:
        pass  # It does not exist, or is not empty.
    try:
        os.rename(temporary, path)
        return True
    except OSError as error:
        # Windows reports EACCES for an existing directory.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES) or not os.path.isdir(path):
            raise
        return False


def _exchange(temporary: str, path: str) -> None:
    import shutil

    foreign = temporary_path(path)
    os.rename(path, foreign)
    os.rename(temporary, path)
    shutil.rmtree(foreign, ignore_errors=True)


def _merge(temporary: str, path: str, names: list[str], is_obsolete: Callable[[str], bool]) -> None:
    for name in names:
        target = os.path.join(path, name)
        if os.path.isdir(target) and not os.path.islink(target):
            remove(target)
        os.replace(os.path.join(temporary, name), target)
    for name in set(os.listdir(path)) - set(names):
        if is_obsolete(name):
            remove(os.path.join(path, name))


def directory_mode(mode: int) -> int:
    """Return the permissions of a directory whose files have the permissions *mode*: every reader may enter it."""
    return mode | (mode & 0o444) >> 2


def make_directory(path: str, mode: int) -> None:
    """Create a directory with these permissions, independent of the umask.

    :raises OSError: if that fails
    """
    os.mkdir(path, mode)
    os.chmod(path, mode)


def remove(path: str) -> None:
    """Remove a file, a link, or a directory with its content.

    :raises OSError: if that fails
    """
    if os.path.isdir(path) and not os.path.islink(path):
        import shutil

        shutil.rmtree(path)
    else:
        os.unlink(path)


def temporary_path(path: str) -> str:
    """Return a hidden, random name next to *path*."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.{hexlify(os.urandom(8)).decode()}")
