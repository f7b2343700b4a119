"""The kinds of inputs. Each is a class with one method, ``signature()``.

The attributes ``kind``, ``name`` and ``detail`` identify an input in a snapshot;
:func:`restore` creates it from them.
"""

from __future__ import annotations

import os
import sys
from binascii import crc32
from time import time

from certhook._watch.paths import Input, portable_signature, signature, status_signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._types import Row, Signature


class Path(Input):
    """A file or a directory.

    :ivar name: the absolute path
    """

    kind = "path"

    def signature(self, portable: bool = False) -> Signature:
        """Return the current signature."""
        return portable_signature(self.name) if portable else signature(self.name)


# From this number of files on, scanning the directory is cheaper than examining each file by its path.
_SCAN_FROM = 8


class Members(Input):
    """Files in one directory, often hundreds.

    Adding, removing or replacing a file changes the directory itself. A file that is
    overwritten in place changes only this input.

    :ivar name: the directory
    :ivar detail: the names of the files, separated by slashes
    """

    kind = "members"

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(name)
        self.detail = detail

    def signature(self, portable: bool = False) -> Signature:
        """Return the checksum and the number of the files' current signatures."""
        names = self.detail.split("/")
        if not portable and len(names) >= _SCAN_FROM and os.scandir in os.supports_fd:
            try:
                return members_checksum(self._scan(names))
            except OSError:
                pass  # A file cannot be examined; it may have been removed.
        see = portable_signature if portable else signature
        return members_checksum([see(os.path.join(self.name, name)) for name in names])

    def _scan(self, names: list[str]) -> list[Signature]:
        found = {}
        wanted = set(names)
        # Relative to an open directory, the kernel resolves its path once instead of once per file.
        descriptor = os.open(self.name, os.O_RDONLY)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if entry.name in wanted:
                        found[entry.name] = status_signature(entry.stat())
        finally:
            os.close(descriptor)
        return [found.get(name) for name in names]


def members_checksum(signatures: list[Signature]) -> Signature:
    """Return the signature of :class:`Members` whose files have these signatures, in their order."""
    return crc32(repr(signatures).encode()), len(signatures), 0, 0


class Deadline(Input):
    """A time from which the trust set is different, for example when a certificate expires.

    :ivar name: the time in seconds since the epoch, as decimal digits
    """

    kind = "deadline"

    def signature(self, portable: bool = False) -> Signature:
        """Return whether the time has passed."""
        return int(time() >= int(self.name)), 0, 0, 0


def restore(kind: str, name: str, detail: str) -> Input:
    """Create an input from its attributes.

    :raises ValueError: if this platform has no such kind
    """
    if kind == Path.kind:
        return Path(name)
    if kind == Members.kind:
        return Members(name, detail)
    if kind == Deadline.kind:
        return Deadline(name)
    if sys.platform == "win32":
        from certhook._watch import windows

        return windows.restore(kind, name)
    if sys.platform == "darwin":
        from certhook._watch import macos

        return macos.restore(kind, name)
    raise ValueError(f"unknown kind of input: {kind!r}")


def observe(kind: str, name: str, detail: str, portable: bool) -> Row:
    """Return the row of an input with its current signature."""
    return kind, name, detail, restore(kind, name, detail).signature(portable)
