"""Reading a file that may be anything: a pipe, a directory, a dangling link, ten gigabytes."""

from __future__ import annotations

import errno
import os
import stat

from certhook.exceptions import SourceError

#: The largest file that is read, in bytes. Certifi's bundle has 0.3 MB; 10,000 roots have 20 MB.
LIMIT = 64 * 1024 * 1024

# Opening a FIFO without a writer blocks, unless asked not to.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def read(path: str) -> bytes:
    """Read the regular file at *path*, without ever waiting.

    :raises SourceError: if there is none, or it cannot be read
    """
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            return _read(path, descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceError(path, _plainly(path, error)) from error
    except ValueError as error:  # a null character in the path
        raise SourceError(path, f"is not a path: {error}") from error


def _read(path: str, descriptor: int) -> bytes:
    status = os.fstat(descriptor)
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        found = _KINDS.get(kind, "no regular file")
        raise SourceError(path, f"is {found}; a file with certificates was expected")
    # A file may grow while it is read, and one of /proc says that it is empty.
    chunks: list[bytes] = []
    left = LIMIT + 1
    expected = status.st_size + 1
    while left > 0 and status.st_size <= LIMIT:
        chunk = os.read(descriptor, min(left, max(expected, 65536)))
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        left -= len(chunk)
    raise SourceError(path, f"is larger than {LIMIT >> 20} MiB; a bundle of certificates was expected")


def _plainly(path: str, error: OSError) -> str:
    if error.errno == errno.ENOENT and os.path.islink(path):
        return f"is a link to {os.readlink(path)}, which does not exist"
    if error.errno == errno.ENXIO:
        return "is a socket; a file with certificates was expected"
    return f"cannot be read: {error.strerror}"
