"""Anchors, and the stores and indexes that are built from them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Sequence

import der

from certhook import _store
from certhook._certificates.anchor import Anchor
from certhook._certificates.x509 import Certificate
from certhook._store import Index, Protection, Unusable, build, verification
from certhook._store.opening import open_stores
from certhook._watch import Snapshot, files_signature, path_signature

#: The settings of :func:`write_index`.
SETTINGS = ("setting",)


def anchor(name: str, serial: int = 1) -> Anchor:
    """Return an anchor with this common name."""
    return Anchor(Certificate(der.root(name, serial)))


#: Three anchors with equal names, and seven others.
ROOTS = (anchor("a", 1), anchor("a", 2), anchor("a", 300), *map(anchor, "bcdefgh"))


def build_store(directory: Path, anchors: Sequence[Anchor], mode: int = 0o600) -> Path:
    """Build the store of *anchors* in *directory*, and return its path."""
    with open_stores(str(directory)) as stores:
        return directory / build.build(stores, tuple(anchors), mode)


def write_index(
    directory: Path, store: Path, snapshot: Snapshot | None = None, settings: tuple[str, ...] = SETTINGS
) -> Path:
    """Write an index of *store* that no process has checked, and return its path."""
    path = Path(_store.index_path(str(directory), settings))
    snapshot = snapshot or Snapshot([], [], [])
    index = Index(
        settings,
        store.name,
        "",
        path_signature(str(store)),
        files_signature(str(store)),
        snapshot,
        [],
        [],
        [],
        (0, "a test"),
    )
    path.write_bytes(build.encode(index))
    path.chmod(0o600)
    os.utime(path, (0, 0))
    return path


def find(directory: Path, settings: tuple[str, ...] = SETTINGS) -> Index | None:
    """Return the usable index for *settings* in *directory*."""
    try:
        return _store.find(str(directory), settings, Protection(), verification.check)
    except Unusable:
        return None


def content(store: Path) -> dict[str, bytes]:
    """Return the files of *store* by name."""
    return {path.name: path.read_bytes() for path in store.iterdir()}
