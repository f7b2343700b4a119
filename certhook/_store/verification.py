"""Verifying that a compiled store is complete."""

from __future__ import annotations

import os
from binascii import crc32

from certhook._store import Protection, Unusable, read_small

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Mapping

_HEADER = "certhook store 2"
#: The file that lists all others with their sizes and checksums.
MANIFEST = "manifest"

# O_NONBLOCK: opening a FIFO must not block.
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


def check(store: str, protection: Protection | None = None) -> None:
    """Verify that *store* consists of exactly the files of its manifest, each with its size and checksum.

    :param protection: the protection that its files must have; by default that of the user's own directory
    :raises Unusable: if it does not
    """
    protection = protection or Protection()
    try:
        protection.check_directory(store, os.lstat(store))
        expected, _ = read_small(os.path.join(store, MANIFEST), protection)
        checksums = os.fsdecode(expected).split("\n", 3)[-1]
        found = _sizes(store, protection)
        found.pop(MANIFEST, None)
        if expected != _encode(found, checksums):
            raise Unusable(f"{store} is damaged: files are missing, foreign, or have a wrong size")
        if checksums != _checksums(found, lambda name: _checksum(os.path.join(store, name))):
            raise Unusable(f"{store} is damaged: the content of a file was modified")
    except (OSError, ValueError) as error:
        raise Unusable(f"{store} cannot be read: {getattr(error, 'strerror', error)}") from None


def is_complete(store: str, protection: Protection | None = None) -> bool:
    """Return whether :func:`check` accepts *store*."""
    try:
        check(store, protection)
    except Unusable:
        return False
    return True


def last_use(store: str) -> float:
    """Return when a process last verified a store without an index in seconds, 0 if the store is missing."""
    try:
        return os.stat(os.path.join(store, MANIFEST)).st_mtime
    except OSError:
        return 0.0


def _sizes(store: str, protection: Protection) -> dict[str, int]:
    """Return the sizes of the files in *store* by name, -1 for anything without *protection*."""
    if os.scandir not in os.supports_fd:
        return _scan(store, protection)
    # Relative to an open directory, the kernel resolves its path once instead of once per file.
    descriptor = os.open(store, os.O_RDONLY)
    try:
        return _scan(descriptor, protection)
    finally:
        os.close(descriptor)


def _scan(directory: str | int, protection: Protection) -> dict[str, int]:
    sizes = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            sizes[entry.name] = status.st_size if protection.covers(status) else -1
    return sizes


def manifest(content: Mapping[str, bytes]) -> bytes:
    """Return the manifest of a store with files of these names and contents."""
    sizes = {name: len(data) for name, data in content.items()}
    return _encode(sizes, _checksums(sizes, lambda name: crc32(content[name])))


def _encode(sizes: Mapping[str, int], checksums: str) -> bytes:
    names = sorted(sizes)
    return os.fsencode("\n".join([_HEADER, " ".join(names), " ".join([str(sizes[name]) for name in names]), checksums]))


def _checksums(names: Mapping[str, int], checksum: Callable[[str], int]) -> str:
    return " ".join([f"{checksum(name):08x}" for name in sorted(names)]) + "\n"


def _checksum(path: str) -> int:
    descriptor = os.open(path, _READ_FLAGS)
    try:
        return crc32(os.read(descriptor, os.fstat(descriptor).st_size))
    finally:
        os.close(descriptor)
