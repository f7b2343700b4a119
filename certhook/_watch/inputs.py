"""Inputs other than files and directories. Each is a class with one method, ``signature()``.

The attributes ``kind`` and ``name`` identify an input in a snapshot; :func:`restore` creates it
from them.
"""

from __future__ import annotations

import sys
from time import time

from certhook._watch.base import Input

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._types import Signature


class Deadline(Input):
    """A time from which the trust set is different, for example when a certificate expires.

    :ivar name: the time in seconds since the epoch, as decimal digits
    """

    kind = "deadline"

    def signature(self, portable: bool = False) -> Signature:
        """Return whether the time has passed."""
        return int(time() >= int(self.name)), 0, 0, 0


def restore(kind: str, name: str) -> Input:
    """Create an input from its attributes.

    :raises ValueError: if this platform has no such kind
    """
    if kind == Deadline.kind:
        return Deadline(name)
    if sys.platform == "win32":
        from certhook._watch import windows

        return windows.restore(kind, name)
    if sys.platform == "darwin":
        from certhook._watch import macos

        return macos.restore(kind, name)
    raise ValueError(f"unknown kind of input: {kind!r}")
