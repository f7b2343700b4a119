"""Mozilla's list of root certificates, as certifi contains it. Root certificates that it lacks are private."""

from __future__ import annotations

import os
from functools import lru_cache

from certhook import _digest, _files
from certhook._certificates import pem
from certhook._finder import find_package
from certhook._public_bundles import CERTIFI, split
from certhook._sources import bundled, installed, removed
from certhook._sources.blocklist import identity
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._certificates.anchor import Anchor

# pip's copy serves where certifi is missing, or a distribution replaced its file with the system's bundle.
_BUNDLES = (CERTIFI, "pip/_vendor/certifi/cacert.pem")


def is_available() -> bool:
    """Return whether this environment contains Mozilla's list."""
    return _identities() is not None


def is_private(anchor: Anchor) -> bool | None:
    """Return whether *anchor* is not part of Mozilla's list, and was not part of it earlier.

    A certificate with the name and key of a root in the list belongs to the same CA.

    :returns: None if Mozilla's list is not available in this environment
    """
    listed = _identities()
    if listed is None:
        return None
    return removed.release(anchor) is None and identity(anchor.certificate) not in listed


@lru_cache(maxsize=None)
def _identities() -> frozenset[tuple[bytes, bytes]] | None:
    for bundle in _BUNDLES:
        entries, _ = pem.parse(_shipped(bundle))
        # A distribution may replace the list by a file of its own.
        if len(entries) >= installed.FEWEST_ROOTS:
            return frozenset(identity(entry.certificate) for entry in entries)
    return None


def _shipped(bundle: str) -> bytes:
    """Return the content of *bundle* without changes that were made after its installation; empty if unknown."""
    package, inner = split(bundle)
    spec = find_package(package)
    path = bundled.bundle_path(spec, package, inner)
    try:
        if path is None:
            return bundled.read_resource(package, inner) if spec is not None else _frozen(bundle)
        if os.path.islink(path):
            return b""
        data = _files.read(path)
    except SourceError:
        return _frozen(bundle)
    records = installed.records_of(path)
    for record in records:
        size = record.size or len(data)
        # Users append their CA to the file, or write it before the roots.
        for part in (data, data[:size], data[-size:]):
            if _digest.hexdigest("sha256", part) == record.sha256:
                return part
    return b"" if records else data


def _frozen(bundle: str) -> bytes:
    """Return the bundle that is frozen into the program, empty if there is none."""
    data = bundled.frozen_pem() if bundle == CERTIFI else None
    return data or b""
