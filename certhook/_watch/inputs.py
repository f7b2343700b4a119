"""The kinds of inputs. Each is a class with one method, ``signature()``.

The attributes ``kind``, ``name`` and ``detail`` identify an input in a snapshot;
:func:`restore` creates it from them.
"""

from __future__ import annotations

import os
import sys
from time import time

from certhook._watch import MEMBERS, PATH, members_checksum, members_signature
from certhook._watch.paths import Input, portable_signature, signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._types import Row, Signature


class Path(Input):
    """A file or a directory.

    :ivar name: the absolute path
    """

    kind = PATH

    def signature(self, portable: bool = False) -> Signature:
        """Return the current signature."""
        return portable_signature(self.name) if portable else signature(self.name)


class Members(Input):
    """Files in one directory, often hundreds.

    Adding, removing or replacing a file changes the directory itself. A file that is
    overwritten in place changes only this input.

    :ivar name: the directory
    :ivar detail: the names of the files, separated by slashes
    """

    kind = MEMBERS

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(name)
        self.detail = detail

    def signature(self, portable: bool = False) -> Signature:
        """Return the checksum and the number of the files' current signatures."""
        if not portable:
            return members_signature(self.name, self.detail)
        names = self.detail.split("/")
        return members_checksum([portable_signature(os.path.join(self.name, name)) for name in names])


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
