"""Which other users can modify a path: the owner and the mode of each directory and link on the way to it.

The rules are those of :mod:`certhook.cli._protection`, but all problems are found, not only the first one.
Access lists of macOS and Windows are not examined.
"""

from __future__ import annotations

import os
import shlex
import stat

from certhook._state import OVERFLOW_UID
from certhook.cli._protection import (
    components,
    group_name,
    has_access_list,
    is_trusted_group,
    trusted_owners,
    user_name,
)
from certhook.cli.audit.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from certhook.cli._protection import Component

#: Whether this platform has owners and modes.
HAS_MODES = os.name == "posix"

_OWNER_REMEDY = (
    "if only that user runs this Python, run 'certhook audit' as that user; otherwise reinstall the package as root or "
    "as the user that runs this Python"
)


class Access:
    """The examined paths. Problems of a path are returned only once."""

    def __init__(self) -> None:
        self._examined: set[tuple[str, bool]] = set()
        self._reported: set[str] = set()
        self._trusted = trusted_owners() if HAS_MODES else set()

    def problems(self, path: str) -> Iterator[Problem]:
        """Find the directories and files on the way to *path*, and *path* itself, that another user can modify.

        Another user must not be able to add a file to its directory, either: Python might import that file.
        """
        if not HAS_MODES:
            return
        for target, is_container in ((os.path.dirname(path), True), (path, False)):
            if (target, is_container) in self._examined:
                continue
            self._examined.add((target, is_container))
            found = list(_components(target))
            for number, component in enumerate(found, 1):
                for problem in self._component_problems(component, is_container and number == len(found)):
                    self._reported.add(component.path)
                    yield problem

    def _component_problems(self, component: Component, is_container: bool) -> Iterator[Problem]:
        path, status = component.path, component.status
        if path in self._reported:
            return
        # Only a user who can write to the directory of a link can change it.
        if status.st_uid not in self._trusted and (not component.is_link or component.is_in_shared_directory):
            yield Problem(path, f"belongs to {_user(status.st_uid)}, who can modify it", _OWNER_REMEDY)
        is_shared = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX and not is_container
        who = "" if component.is_link or is_shared else _writers(path, status)
        if who:
            mode = f"{stat.S_IMODE(status.st_mode):03o}"
            yield Problem(path, f"can be modified by {who} (mode {mode})", f"run 'chmod go-w {_quoted(path)}'")


def _components(path: str) -> Iterator[Component]:
    """Return the components of *path* up to the first one that does not exist or cannot be examined."""
    try:
        yield from components(os.path.abspath(path))
    except (OSError, ValueError):
        return


def describe(path: str) -> dict[str, Any]:
    """Return the owner and mode of *path* as JSON entries, None where they are unknown."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return {"owner": None, "mode": None}
    if not HAS_MODES:
        return {"owner": None, "mode": None}
    return {"owner": _name(status.st_uid), "mode": f"{stat.S_IMODE(status.st_mode):04o}"}


def _writers(path: str, status: os.stat_result) -> str:
    """Return which users other than the owner the mode of *path* permits to modify it; empty if none."""
    if status.st_mode & stat.S_IWOTH:
        return "every user"
    if not status.st_mode & stat.S_IWGRP:
        return ""
    if has_access_list(path):
        return "users in its access list"
    if is_trusted_group(status.st_gid, status.st_uid):
        return ""
    return f"the members of group {group_name(status.st_gid) or status.st_gid}"


def _quoted(path: str) -> str:
    return "{path}" if shlex.quote(path) == path else shlex.quote(path)


def _user(number: int) -> str:
    if number == OVERFLOW_UID:
        return "a user outside this user namespace (nobody)"
    return f"user {_name(number)}"


def _name(number: int) -> str:
    name = user_name(number)
    return f"{name} ({number})" if name else str(number)
