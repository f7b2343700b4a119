"""Verifying that a compiled store is complete."""

from __future__ import annotations

import os

from certhook._store import Unusable, check_directory, is_protected, read_small, trusted_owners

_HEADER = "certhook store 1"
#: The file of a store that contains all certificates.
BUNDLE = "cert.pem"
#: The file that lists all others with their sizes.
MANIFEST = "manifest"


def check(store: str) -> None:
    """Verify that *store* consists of exactly the files of its manifest, each with its size.

    :raises Unusable: if it does not
    """
    try:
        check_directory(store, os.lstat(store))
        expected, _ = read_small(os.path.join(store, MANIFEST))
        sizes = _sizes(store)
    except OSError as error:
        raise Unusable(f"{store} cannot be read: {error.strerror}") from None
    sizes.pop(MANIFEST, None)
    if manifest(sizes) != expected:
        raise Unusable(f"{store} is damaged: files are missing, foreign, or have a wrong size")


def is_complete(store: str) -> bool:
    """Return whether :func:`check` accepts *store*."""
    try:
        check(store)
    except Unusable:
        return False
    return True


def _sizes(store: str) -> dict[str, int]:
    """Return the sizes of the files in *store* by name, -1 for anything that :func:`is_protected` rejects."""
    if os.scandir not in os.supports_fd:
        return _scan(store)
    # Relative to an open directory, the kernel resolves its path once instead of once per file.
    descriptor = os.open(store, os.O_RDONLY)
    try:
        return _scan(descriptor)
    finally:
        os.close(descriptor)


def _scan(directory: str | int) -> dict[str, int]:
    sizes = {}
    owners = trusted_owners()
    with os.scandir(directory) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            sizes[entry.name] = status.st_size if is_protected(status, owners) else -1
    return sizes


def manifest(sizes: dict[str, int]) -> bytes:
    """Return the manifest of a store with files of these names and sizes."""
    names = sorted(sizes)
    return os.fsencode(f"{_HEADER}\n{' '.join(names)}\n{[sizes[name] for name in names]}\n")
