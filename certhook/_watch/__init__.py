"""Change detection: has an input of a trust set changed since it was read?

An input is a file or directory, the members of a directory, a point in time, a registry key, a
Windows certificate store, or the trust settings of macOS. Each kind is a class in
:mod:`certhook._watch.inputs` with one method, ``signature()``, which returns a cheap fingerprint. A
:class:`Snapshot` contains the inputs with the signatures that they had just before they were read.

Only a different signature is evidence of a change. An exception is not, because blockbuster,
debuggers and mocks make functions of ``os`` raise, and a process may have no file descriptor left.
Paths are checked with the functions that ``os`` re-exports, so that a replaced ``os`` has no effect:
OpenSSL reads the real files even while pyfakefs hides them.

This module is imported for every first context. It checks paths itself;
:mod:`certhook._watch.inputs` is imported only to record inputs, or to check other kinds.
"""

import _ssl
import os
import sys
from time import monotonic

from certhook import __version__
from certhook._config import SERVER_AUTH, SETTINGS
from certhook._finder import undisturbed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Optional, Tuple

    from certhook._config import Config
    from certhook._types import Rows, Signature

# The kind of certhook._watch.inputs.Path.
_PATH = "path"

#: Whether VERIFY_X509_PARTIAL_CHAIN is set by default, so that a chain may end at any trusted certificate.
PARTIAL_CHAINS = sys.version_info >= (3, 13)

#: How long a check of link targets, and one of directory members, stays valid, in seconds. See :class:`Snapshot`.
LINK_TARGETS_INTERVAL = 0.1
MEMBERS_INTERVAL = 10

_system: "Any" = sys.modules.get(os.name, os)  # posix or nt

# On Windows, signatures contain another timestamp, and stat() is slow for bytes.
_HAS_FAST_PATHS = sys.platform != "win32"


class Snapshot:
    """The inputs of a trust set with their signatures, in three groups.

    :ivar direct: files and directories, checked for every context
    :ivar link_targets: the directories to which links in *direct* point, checked every
        :data:`LINK_TARGETS_INTERVAL`: operating system updates also change an input in *direct*
    :ivar members: the files in these directories, checked every :data:`MEMBERS_INTERVAL`
    :ivar portable: whether the signatures remain valid in a container image
    :ivar is_provisional: whether an input could not be read because of an error that may be transient
    """

    __slots__ = ("direct", "is_provisional", "link_targets", "members", "portable")

    def __init__(
        self,
        direct: "Rows",
        link_targets: "Rows",
        members: "Rows",
        portable: bool = False,
        is_provisional: bool = False,
    ) -> None:
        self.is_provisional = is_provisional
        self.direct = direct
        self.link_targets = link_targets
        self.members = members
        self.portable = portable

    def is_current(self, thorough: bool) -> bool:
        """Return whether every input still has its signature.

        :param thorough: whether to check the members of directories as well
        """
        groups = (self.direct, self.link_targets, self.members if thorough else [])
        return all(are_unchanged(rows, self.portable) for rows in groups)

    def retaken(self, portable: bool) -> "Snapshot":
        """Return a snapshot of the same inputs with their current signatures."""
        from certhook._watch.inputs import observe

        direct, link_targets, members = (
            [observe(kind, name, detail, portable) for kind, name, detail, _ in rows]
            for rows in (self.direct, self.link_targets, self.members)
        )
        return Snapshot(direct, link_targets, members, portable)


class Monitor:
    """Checks a snapshot repeatedly, each group at its interval.

    :param snapshot: the inputs with their signatures
    :param also: further inputs that are checked for every context
    :param verify: called every :data:`MEMBERS_INTERVAL`; returns whether the result is still valid
    """

    __slots__ = ("_also", "_checked", "_checked_members", "_direct", "_link_targets", "_snapshot", "_verify")

    def __init__(self, snapshot: Snapshot, also: "Rows", verify: "Callable[[], bool]") -> None:
        self._also = also
        self._verify = verify
        self._checked = self._checked_members = monotonic()
        self._use(snapshot)

    def _use(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._direct = _separated([*self._also, *([] if snapshot.portable else snapshot.direct)])
        self._link_targets = _separated(snapshot.link_targets)

    def is_current(self) -> bool:
        """Return whether nothing has changed, as far as the intervals allow."""
        try:
            return self._is_current()
        except Exception:
            return True  # The next check tries again; see the documentation of this module.

    def _is_current(self) -> bool:
        paths, others = self._direct
        if not _paths_unchanged(paths) or (others and not are_unchanged(others, portable=False)):
            return False
        now = monotonic()
        snapshot = self._snapshot
        if not snapshot.portable:
            if now - self._checked <= LINK_TARGETS_INTERVAL:
                return True
            self._checked = now
            if not _paths_unchanged(self._link_targets[0]) or not are_unchanged(self._link_targets[1], portable=False):
                return False
            if now - self._checked_members <= MEMBERS_INTERVAL:
                return True
            self._checked_members = now
        check: Callable[[float], bool] = self._replace_portable if snapshot.portable else self._check_members
        return check(now)

    @undisturbed
    def _check_members(self, now: float) -> bool:
        return self._verify() and are_unchanged(self._snapshot.members, portable=False)

    @undisturbed
    def _replace_portable(self, now: float) -> bool:
        """Check a portable snapshot once, and replace it by one with cheaper signatures."""
        # Taken before the check, so that a change in between is not lost.
        cheaper = self._snapshot.retaken(portable=False)
        if not self._verify() or not self._snapshot.is_current(thorough=True):
            return False
        self._checked = self._checked_members = now
        self._use(cheaper)
        return True


def index_settings(config: "Config", purpose: int) -> "Tuple[str, ...]":
    """Return everything that a trust set depends on besides its inputs: the key of its index."""
    bundle = config.bundle
    if bundle is None and "bundled" in config.sources and purpose == SERVER_AUTH:
        bundle = _bundle_key(config.named)
    _, file, _, directory = _ssl.get_default_verify_paths()
    # CERTHOOK_ADOPT changes the result of requests for public bundles, not the trust set.
    relevant = [setting.attribute for setting in SETTINGS if setting.selects_roots and setting.attribute != "adopt"]
    selected = [repr(getattr(config, attribute)) for attribute in relevant]
    # Every LibreSSL has the same version number. Partial chains affect the order of certificates with equal names.
    version = f"{_ssl.OPENSSL_VERSION}, {PARTIAL_CHAINS}"
    named = f"{config.named} {config.requested}"
    overrides = str(config.overrides_system)
    return (__version__, version, sys.platform, str(purpose), file, directory, str(bundle), named, overrides, *selected)


def _bundle_key(named: "Optional[str]") -> str:
    """Return the text that identifies the public bundle *named*, or certifi's, in the settings of an index."""
    if named is None and not hasattr(sys, "_MEIPASS"):
        from certhook._finder import find_package

        spec = find_package("certifi")
        if spec is not None:
            return f"{spec.origin} {spec.submodule_search_locations}"
    from certhook import _public_bundles

    return _public_bundles.index_key(named or _public_bundles.CERTIFI)


def exists(path: str) -> bool:
    """Return whether *path* exists. access() would use the real user and ignore capabilities."""
    try:
        _system.stat(path)
    except (OSError, ValueError):
        return False
    return True


def decode_rows(fields: "List[str]") -> "Rows":
    """Decode the rows of one group in an index.

    :raises ValueError: if *fields* are malformed
    """
    if len(fields) % 4:
        raise ValueError("an index with an incomplete input")
    signatures = map(decode_signature, fields[3::4])
    return list(zip(fields[::4], fields[1::4], fields[2::4], signatures))


def decode_signature(field: str) -> "Signature":
    """Decode a signature in an index."""
    if not field:
        return None
    changed, size, inode, device = map(int, field.split())
    return changed, size, inode, device


def _separated(rows: "Rows") -> "Tuple[List[Tuple[bytes, Signature]], Rows]":
    """Return the paths in *rows*, encoded in advance, and the rows of other inputs."""
    paths = [(os.fsencode(name), seen) for kind, name, _, seen in rows if _HAS_FAST_PATHS and kind == _PATH]
    return paths, [row for row in rows if not (_HAS_FAST_PATHS and row[0] == _PATH)]


def are_unchanged(rows: "Rows", portable: bool) -> bool:
    """Return whether each input has its signature."""
    if not portable:
        paths, rows = _separated(rows)
        if not _paths_unchanged(paths):
            return False
    if not rows:
        return True
    from certhook._watch.inputs import restore

    return all(restore(kind, name, detail).signature(portable) == seen for kind, name, detail, seen in rows)


def _paths_unchanged(paths: "List[Tuple[bytes, Signature]]") -> bool:
    """Return whether each of *paths* has its signature. This runs for every context, so it calls no function."""
    access, stat = _system.access, _system.stat
    try:
        for path, seen in paths:
            if seen is None:
                # Half as expensive as the exception that stat() raises for a missing file.
                if access(path, 0):
                    return False
            else:
                status = stat(path)
                if (status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev) != seen:
                    return False
    except (OSError, ValueError):
        return False
    return True
