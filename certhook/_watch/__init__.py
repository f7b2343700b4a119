"""Change detection: has an input of a trust set changed since it was read?

An input is a file, a directory, the members of a directory, a registry key, a Windows
certificate store or the trust settings of macOS. Each kind is a class with one method,
``signature()``, which returns a cheap fingerprint. A :class:`Snapshot` pairs inputs with
the signatures that they had just before they were read.

This module is imported for every first context. :mod:`certhook._watch.recorder`, which
creates snapshots, is imported only when sources are read.
"""

import os
import sys
from binascii import crc32
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Optional, Tuple

    #: Change time in nanoseconds, size in bytes, inode and device of a path; None if the path does not exist.
    Signature = Optional[Tuple[int, int, int, int]]
    #: Any class with the attributes of :class:`Path`.
    Input = Any
    #: Inputs with their signatures.
    Observed = List[Tuple[Input, Signature]]

# O_NONBLOCK: opening a FIFO must not block.
READ_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)

#: The largest file that a signature or the store covers, in bytes. An index of 10,000 roots has 1 MB.
MAX_SIZE = 1 << 26

#: How long a check of link targets, and one of directory members, stays valid, in seconds. See :class:`Snapshot`.
LINK_TARGETS_INTERVAL = 0.1
MEMBERS_INTERVAL = 10


def signature(path: str) -> "Signature":
    """Return the signature of *path*, following symbolic links."""
    try:
        return _status_signature(os.stat(path))
    except (OSError, ValueError):
        return None


if sys.platform == "win32":

    def _status_signature(status: os.stat_result) -> "Signature":
        return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev

else:

    def _status_signature(status: os.stat_result) -> "Signature":
        # Unlike the modification time, the change time also reflects a changed mode, and tools
        # that restore the modification time after changing the content.
        return status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


class Path:
    """A file or a directory.

    :ivar kind: the name of this kind of input in an index
    :ivar name: the absolute path
    :ivar detail: empty
    """

    kind = "path"
    detail = ""
    __slots__ = ("name",)

    def __init__(self, name: str, detail: str = "") -> None:
        self.name = name

    def signature(self, portable: bool = False) -> "Signature":
        """Return the current signature; see :mod:`certhook._watch.portable`."""
        if not portable:
            return signature(self.name)
        from certhook._watch.portable import portable_signature

        return portable_signature(self.name)


# From this number of files on, scanning the directory is cheaper than examining each file by its path.
_SCAN_FROM = 8


class Members:
    """Files in one directory, often hundreds.

    Adding, removing or replacing a file changes the directory itself. A file that is
    overwritten in place changes only this input.

    :ivar name: the directory
    :ivar detail: the names of the files, separated by slashes
    """

    kind = "members"
    __slots__ = ("detail", "name")

    def __init__(self, name: str, detail: str) -> None:
        self.name = name
        self.detail = detail

    def signature(self, portable: bool = False) -> "Signature":
        """Return the checksum and the number of the files' current signatures."""
        names = self.detail.split("/")
        if not portable and len(names) >= _SCAN_FROM and os.scandir in os.supports_fd:
            try:
                return members_checksum(self._scan(names))
            except OSError:
                pass  # A file cannot be examined; it may have been removed.
        return members_checksum([Path(os.path.join(self.name, name)).signature(portable) for name in names])

    def _scan(self, names: "List[str]") -> "List[Signature]":
        found = {}
        wanted = set(names)
        # Relative to an open directory, the kernel resolves its path once instead of once per file.
        descriptor = os.open(self.name, os.O_RDONLY)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if entry.name in wanted:
                        found[entry.name] = _status_signature(entry.stat())
        finally:
            os.close(descriptor)
        return [found.get(name) for name in names]


def members_checksum(signatures: "List[Signature]") -> "Signature":
    """Return the signature of :class:`Members` whose files have these signatures, in their order."""
    return crc32(repr(signatures).encode()), len(signatures), 0, 0


def restore(kind: str, name: str, detail: str) -> "Input":
    """Create an input from the attributes that an index contains.

    :raises ValueError: if this platform has no such kind
    """
    if kind == Path.kind:
        return Path(name)
    if kind == Members.kind:
        return Members(name, detail)
    if sys.platform == "win32":
        from certhook._watch import windows

        return windows.restore(kind, name)
    if sys.platform == "darwin":
        from certhook._watch import macos

        return macos.restore(kind, name)
    raise ValueError(f"unknown kind of input: {kind!r}")


def _unchanged(observed: "Observed", portable: bool) -> bool:
    """Return whether each input has its signature."""
    for thing, seen in observed:
        if seen is None and thing.kind == Path.kind:
            # Half as expensive as the exception that stat() raises for a missing file.
            if os.access(thing.name, os.F_OK):
                return False
        elif thing.signature(portable) != seen:
            return False
    return True


class Snapshot:
    """The inputs of a trust set with their signatures, in three groups.

    :ivar direct: files and directories, checked for every context
    :ivar link_targets: the directories to which links in *direct* point, checked every
        :data:`LINK_TARGETS_INTERVAL`: operating system updates also change an input in *direct*
    :ivar members: the :class:`Members` of both, checked every :data:`MEMBERS_INTERVAL`
    :ivar portable: whether the signatures are portable ones
    """

    __slots__ = ("direct", "link_targets", "members", "portable")

    def __init__(
        self, direct: "Observed", link_targets: "Observed", members: "Observed", portable: bool = False
    ) -> None:
        self.direct = direct
        self.link_targets = link_targets
        self.members = members
        self.portable = portable

    def is_current(self, members: bool) -> bool:
        """Return whether every input still has its signature.

        :param members: whether to check the members of directories as well
        """
        groups = [self.direct, self.link_targets, self.members if members else []]
        return all(_unchanged(group, self.portable) for group in groups)

    def retaken(self, portable: bool) -> "Snapshot":
        """Return a snapshot of the same inputs with their current signatures."""
        direct, link_targets, members = (
            [(thing, thing.signature(portable)) for thing, _ in group]
            for group in (self.direct, self.link_targets, self.members)
        )
        return Snapshot(direct, link_targets, members, portable)


class Monitor:
    """Checks a snapshot repeatedly, each group at its interval.

    :param snapshot: the inputs with their signatures
    :param also: further inputs that are checked for every context
    :param verify: called every :data:`MEMBERS_INTERVAL`; returns whether the result is still valid
    """

    __slots__ = ("_also", "_checked", "_checked_members", "_others", "_paths", "_snapshot", "_verify")

    def __init__(self, snapshot: Snapshot, also: "Observed", verify: "Callable[[], bool]") -> None:
        self._also = also
        self._verify = verify
        self._checked = self._checked_members = monotonic()
        self._use(snapshot)

    def _use(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._paths, self._others = _prepared([*self._also, *([] if snapshot.portable else snapshot.direct)])

    def is_current(self) -> bool:
        """Return whether nothing has changed, as far as the intervals allow."""
        if not _paths_unchanged(self._paths) or not _unchanged(self._others, portable=False):
            return False
        now = monotonic()
        snapshot = self._snapshot
        if snapshot.portable:
            return self._replace_portable(now)
        if now - self._checked <= LINK_TARGETS_INTERVAL:
            return True
        self._checked = now
        if not _unchanged(snapshot.link_targets, portable=False):
            return False
        if now - self._checked_members <= MEMBERS_INTERVAL:
            return True
        self._checked_members = now
        return self._verify() and _unchanged(snapshot.members, portable=False)

    def _replace_portable(self, now: float) -> bool:
        """Check a portable snapshot once, and replace it by one with cheaper signatures."""
        # Taken before the check, so that a change in between is not lost.
        cheaper = self._snapshot.retaken(portable=False)
        if not self._verify() or not self._snapshot.is_current(members=True):
            return False
        self._checked = self._checked_members = now
        self._use(cheaper)
        return True


def _prepared(observed: "Observed") -> "Tuple[List[Tuple[bytes, Signature]], Observed]":
    """Return the paths of *observed*, encoded so that no check has to do it, and its other inputs."""
    if sys.platform == "win32":  # stat() is slow for bytes, and signatures contain another timestamp.
        return [], observed
    paths = [(os.fsencode(thing.name), seen) for thing, seen in observed if thing.kind == Path.kind]
    return paths, [pair for pair in observed if pair[0].kind != Path.kind]


def _paths_unchanged(paths: "List[Tuple[bytes, Signature]]") -> bool:
    """Return whether each of *paths* has its signature. This runs for every context, so it calls no function."""
    access, stat = os.access, os.stat
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
