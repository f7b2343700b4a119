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
_DIRECTORY_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


def check(store: str, protection: Protection | None = None, dir_fd: int | None = None) -> None:
    """Verify that *store* consists of exactly the files of its manifest, each with its size and checksum.

    :param protection: the protection that its files must have; by default that of the user's own directory
    :param dir_fd: the descriptor of the directory that contains *store*
    :raises Unusable: if it does not
    """
    protection = protection or Protection()
    try:
        protection.check_directory(store, _status(store, dir_fd))
        if os.scandir not in os.supports_fd:
            _check_files(store, protection, None)
            return
        # Relative to an open directory, the kernel resolves its path once instead of once per file.
        path = store if dir_fd is None else os.path.basename(store)
        descriptor = os.open(path, _DIRECTORY_FLAGS, dir_fd=dir_fd)
        try:
            protection.check_directory(store, os.fstat(descriptor))
            _check_files(store, protection, descriptor)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise Unusable(f"{store} cannot be read: {getattr(error, 'strerror', error)}") from None


def _status(store: str, dir_fd: int | None) -> os.stat_result:
    return os.lstat(store) if dir_fd is None else os.lstat(os.path.basename(store), dir_fd=dir_fd)


def _check_files(store: str, protection: Protection, descriptor: int | None) -> None:
    def path(name: str) -> str:
        return os.path.join(store, name) if descriptor is None else name

    expected, _ = read_small(path(MANIFEST), protection, descriptor)
    checksums = os.fsdecode(expected).split("\n", 3)[-1]
    found = _sizes(store if descriptor is None else descriptor, protection)
    found.pop(MANIFEST, None)
    if expected != _encode(found, checksums):
        raise Unusable(f"{store} is damaged: files are missing, foreign, or have a wrong size")
    if checksums != _checksums(found, lambda name: _checksum(path(name), descriptor)):
        raise Unusable(f"{store} is damaged: the content of a file was modified")


def is_complete(store: str, protection: Protection | None = None, dir_fd: int | None = None) -> bool:
    """Return whether :func:`check` accepts *store*."""
    try:
        check(store, protection, dir_fd)
    except Unusable:
        return False
    return True


def _sizes(directory: str | int, protection: Protection) -> dict[str, int]:
    """Return the sizes of the files in *directory* by name, -1 for anything without *protection*."""
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


def _checksum(path: str, dir_fd: int | None) -> int:
    descriptor = os.open(path, _READ_FLAGS, dir_fd=dir_fd)
    try:
        return crc32(os.read(descriptor, os.fstat(descriptor).st_size))
    finally:
        os.close(descriptor)
