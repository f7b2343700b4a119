"""Removed roots: roots that an earlier release of certifi contained and the current release lacks.

Distributions that update rarely still list them. Default trust includes them, because stock Python
trusts the operating system's store. A request for a public bundle, by a caller or in
``SSL_CERT_FILE``, excludes them, because stock Python would not trust them there, unless the bundle
itself, the ``extra`` source or the administrator lists them. ``CERTHOOK_REMOVED`` changes this.
"""

from __future__ import annotations

import os
import sys

from certhook import _files
from certhook._certificates import pem
from certhook._sources import debian, distrust
from certhook._sources.blocklist import identity
from certhook._state import load_module
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._certificates.anchor import Anchor
    from certhook._sources.collector import Collector


def read(collector: Collector) -> None:
    """Exclude removed roots from *collector*, as its settings require."""
    config = collector.config
    if config.removed == "keep" or (config.removed == "adopted" and config.named is None):
        return
    anchors = filter(release, collector.anchors())
    candidates = [anchor for anchor in anchors if "extra" not in anchor.sources]
    if config.removed == "adopted":
        candidates = [one for one in candidates if not collector.is_stock(one) and "bundled" not in one.sources]
        if candidates:
            added = _added_by_administrator(collector)
            candidates = [anchor for anchor in candidates if identity(anchor.certificate) not in added]
    collector.exclude(candidates)


def release(anchor: Anchor) -> str | None:
    """Return the release of certifi that removed *anchor*, None if no release did."""
    entry = load_module("_sources.removed_roots").REMOVED_ROOTS.get(anchor.sha256)
    return None if entry is None else entry[0]


def _added_by_administrator(collector: Collector) -> set[object]:
    """Return the identities of the CAs in the directories in which administrators add CAs."""
    if not sys.platform.startswith("linux"):
        return set()
    found = debian.local_identities(collector)
    for directory in distrust.P11_KIT:
        found |= _identities_in(collector, os.path.join(directory, "anchors"))
    return found


def _identities_in(collector: Collector, directory: str) -> set[object]:
    """Return the identities of the CAs in the files of *directory*."""
    collector.recorder.watch(directory)
    found: set[object] = set()
    try:
        names = os.listdir(directory)
    except OSError:
        return found  # It is missing, or unreadable, which is recorded when the block lists are read.
    for name in sorted(names):
        path = os.path.join(directory, name)
        collector.recorder.watch_member(path)
        try:
            entries, _ = pem.parse(_files.read(path), lenient=True)
        except SourceError as error:
            collector.recorder.read_failed(error.__cause__)
        else:
            found.update(identity(entry.certificate) for entry in entries)
    return found
