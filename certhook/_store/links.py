"""The links to compiled stores: contexts point at them, and follow them when trust changes.

A link must be shared by environments with equal trust, and never by others: a context would trust the
roots of another program, sandbox or machine.
"""

from __future__ import annotations

import os

from certhook import _digest
from certhook._store import host_name
from certhook._watch import MEMBERS, PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._directory import Directory
    from certhook._sources.trust_set import TrustSet
    from certhook._watch import Snapshot

# The position of the text that identifies the public bundle in certhook._watch.index_settings().
_BUNDLE_KEY = 6


def link_name(trust_set: TrustSet, settings: tuple[str, ...], unreadable: list[str], portable: bool) -> str:
    """Return the name of the link that follows *trust_set*.

    Environments with their own copies of the same public bundle share a link. Other containers, in which the
    same paths are other files, do not, nor do processes that cannot read the same files.
    """
    # Contexts must follow a link although a root of the bundle expires or is distrusted later.
    bundled = {der for location in trust_set.locations if location.source == "bundled" for der in location.listed}
    content = [_digest.hexdigest("sha256", der) for der in bundled]
    shared = [part for position, part in enumerate(settings) if position != _BUNDLE_KEY]
    machine = [] if portable else [*_machine(), *_mounts(trust_set.snapshot)]
    parts = repr((shared, sorted(content), unreadable, machine))
    return f"trust-{_digest.hexdigest('sha256', os.fsencode(parts))[:16]}"


def _machine() -> list[object]:
    """Return facts that distinguish this machine from others with the same directory of stores, and from containers.

    They must not change while contexts point at a link. In an overlay, a file has another device after it was
    modified, but a directory has not.
    """
    root = os.stat(os.sep)
    devices = [os.stat(path).st_dev for path in (os.sep, "/etc", "/usr") if os.path.exists(path)]
    return [host_name(), root.st_ino, *devices]


def _mounts(snapshot: Snapshot) -> list[str]:
    """Return the mounts from which the inputs are read: in a sandbox, the same paths may be other files."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split() for line in file]
    except OSError:
        return []  # Other systems have no namespaces of mounts.
    inputs = {name.rstrip(os.sep) + os.sep for kind, name, _, _ in snapshot.frequent if kind in (PATH, MEMBERS)}
    # A space is encoded.
    mounts = {fields[4].replace("\\040", " ").rstrip(os.sep) + os.sep: fields[2:5] for fields in lines}
    return [
        " ".join(mount)
        for point, mount in sorted(mounts.items())
        if any(name.startswith(point) or (point.startswith(name) and name != os.sep) for name in inputs)
    ]


def replace_link(stores: Directory, name: str, target: str) -> str:
    """Make *name* in the directory *stores* a symbolic link to *target*.

    :returns: *name*; empty if the file system has no symbolic links
    """
    try:
        if stores.link(name) == target:
            stores.set_time(name)  # It is used now.
            return name
    except OSError:
        pass  # It does not exist, or is not a link.
    try:
        if stores.is_directory(name):
            stores.remove(name)
        stores.replace_link(name, target)
    except OSError:
        return ""
    return name
