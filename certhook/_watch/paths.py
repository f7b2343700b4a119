"""Signatures of files and directories."""

from __future__ import annotations

import os
import stat
import sys
from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._types import Signature

# O_NONBLOCK: opening a FIFO must not block.
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
# The part of a file that a portable signature covers, in bytes.
_MAX_SIZE = 1 << 26


class Input:
    """Base class of inputs.

    :ivar kind: the kind of input, which identifies the class in a snapshot
    :ivar name: the name of the input: a path, or the name of a key, a store or a domain
    :ivar detail: further data that identifies the input
    """

    kind = ""
    detail = ""

    def __init__(self, name: str) -> None:
        self.name = name

    def signature(self, portable: bool = False) -> Signature:
        """Return the current signature.

        :param portable: whether it must survive packing into a container image
        """
        raise NotImplementedError


def signature(path: str) -> Signature:
    """Return the signature of *path*, following symbolic links."""
    try:
        return status_signature(os.stat(path))
    except (OSError, ValueError):
        return None


if sys.platform == "win32":

    def status_signature(status: os.stat_result) -> Signature:
        """Return the signature of a path with this status."""
        return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev

else:

    def status_signature(status: os.stat_result) -> Signature:
        """Return the signature of a path with this status."""
        # Unlike the modification time, the change time also reflects a changed mode, and tools
        # that restore the modification time after changing the content.
        return status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


def portable_signature(path: str) -> Signature:
    """Return a signature of *path* that survives packing into the layers of a container image.

    Timestamps, inodes and devices do not. It consists of the mode, the size and a checksum: of
    a file's content, or of a directory's names and link targets.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                names = sorted((entry.name, os.readlink(entry) if entry.is_symlink() else "") for entry in entries)
            return status.st_mode, 0, crc32(repr(names).encode()), 0
        if not stat.S_ISREG(status.st_mode):
            return status.st_mode, 0, 0, 0
        descriptor = os.open(path, _READ_FLAGS)
        try:
            return status.st_mode, status.st_size, crc32(os.read(descriptor, min(status.st_size, _MAX_SIZE))), 0
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None
