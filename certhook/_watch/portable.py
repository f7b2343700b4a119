"""Signatures that survive packing a file system into the layers of a container image."""

from __future__ import annotations

import os
import stat
from binascii import crc32

from certhook._watch import MAX_SIZE, READ_FLAGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._watch import Signature


def portable_signature(path: str) -> Signature:
    """Return a signature of *path* without timestamps, inodes and devices.

    It consists of the mode, the size and a checksum: of a file's content, or of a directory's
    names and link targets.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                names = sorted((entry.name, os.readlink(entry) if entry.is_symlink() else "") for entry in entries)
            return status.st_mode, 0, crc32(repr(names).encode()), 0
        if not stat.S_ISREG(status.st_mode):
            return status.st_mode, 0, 0, 0
        descriptor = os.open(path, READ_FLAGS)
        try:
            return status.st_mode, status.st_size, crc32(os.read(descriptor, min(status.st_size, MAX_SIZE))), 0
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None
