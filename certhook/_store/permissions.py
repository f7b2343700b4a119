"""Which inputs of a trust set this process can read, and whether every other process can as well.

An index is valid only for processes with the same read permissions: a store must not give a user the
content of a file that the user cannot read, nor hide a block list from a user who can.
"""

from __future__ import annotations

import os
import stat
import sys

from certhook._store import is_readable
from certhook._watch import MEMBERS, PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from certhook._watch import Snapshot


def limited_access(snapshot: Snapshot) -> tuple[list[str], list[str]]:
    """Return the inputs that this process can read but not every process, and those that it cannot read."""
    readable, unreadable = [], []
    if sys.platform != "win32":
        parents: dict[str, bool] = {}
        for path in _existing_paths(snapshot):
            if not is_readable(path):
                unreadable.append(path)
            elif not _is_public(path, stat.S_IROTH) or not _is_reachable(os.path.dirname(path), parents):
                readable.append(path)
    return readable, unreadable


def _existing_paths(snapshot: Snapshot) -> Iterator[str]:
    for kind, name, detail, seen in snapshot.frequent:
        if kind == PATH and seen is not None:
            yield name
        elif kind == MEMBERS:
            yield from [path for path in (os.path.join(name, one) for one in detail.split("/")) if os.path.exists(path)]


def _is_public(path: str, permission: int) -> bool:
    try:
        return bool(os.stat(path).st_mode & permission)
    except OSError:
        return False


def _is_reachable(directory: str, known: dict[str, bool]) -> bool:
    """Return whether every user may access the files in *directory*, as far as permissions show."""
    if directory not in known:
        parent = os.path.dirname(directory)
        is_public = _is_public(directory, stat.S_IXOTH)
        known[directory] = is_public and (parent == directory or _is_reachable(parent, known))
    return known[directory]
