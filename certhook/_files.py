"""Reading certificate files from any path: :mod:`certhook._directory` writes files.

:func:`read` handles anything at a path: a pipe, a directory, a dangling link, ten gigabytes.
"""

from __future__ import annotations

import errno
import os
import stat

from certhook._text import shown_value
from certhook.exceptions import SourceError

#: The largest file that is read, in bytes. Certifi's bundle has 0.3 MB; 10,000 roots have 20 MB.
LIMIT = 64 * 1024 * 1024

# O_NONBLOCK: opening a FIFO without a writer must not block.
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)

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
            _close(descriptor)
    except OSError as error:
        name = path if os.path.isabs(path) or os.path.lexists(path) else shown_value(path)
        failure = SourceError(name, _explain(path, error))
        error.filename = failure.path  # It is part of a traceback.
        raise failure from error
    except ValueError as error:  # a null character in the path
        raise SourceError(path, f"is not a path: {error}") from error


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass  # Everything has been read.


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
