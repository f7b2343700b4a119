"""Which other users can modify a path: the owner and the mode of each directory and link on the way to it.

The rules are those of :mod:`certhook.cli._protection`, but all problems are found, not only the first one.
Access lists of macOS and Windows are not examined.
"""

from __future__ import annotations

import os
import shlex
import stat
from typing import NamedTuple

from certhook.cli._protection import has_access_list, is_trusted_group
from certhook.cli.audit.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

#: Whether this platform has owners and modes.
HAS_MODES = os.name == "posix"

_OWNER_REMEDY = (
    "if only that user runs this Python, run 'certhook audit' as that user; otherwise reinstall the package as root or "
    "as the user that runs this Python"
)
# The owner of files of users outside the user namespace, user_namespaces(7).
_OVERFLOW_UID = 65534
# The limit of the kernel.
_MAX_LINKS = 40


class Component(NamedTuple):
    """A directory, link or file on the way to a path.

    :ivar is_in_shared_directory: whether other users may create entries in its directory, but not replace those of
        others (the sticky bit, as in /tmp)
    """

    path: str
    status: os.stat_result
    is_in_shared_directory: bool


class Access:
    """The examined paths. Problems of a path are returned only once."""

    def __init__(self) -> None:
        self._examined: set[tuple[str, bool]] = set()
        self._reported: set[str] = set()
        user = os.geteuid() if HAS_MODES else 0
        self._trusted = {0} if user == _OVERFLOW_UID else {0, user}

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
            found = list(components(target))
            for number, component in enumerate(found, 1):
                for problem in self._component_problems(component, is_container and number == len(found)):
                    self._reported.add(component.path)
                    yield problem

    def _component_problems(self, component: Component, is_container: bool) -> Iterator[Problem]:
        path, status, is_in_shared_directory = component
        if path in self._reported:
            return
        is_link = stat.S_ISLNK(status.st_mode)
        # Only a user who can write to the directory of a link can change it.
        if status.st_uid not in self._trusted and (not is_link or is_in_shared_directory):
            yield Problem(path, f"belongs to {_user(status.st_uid)}, who can modify it", _OWNER_REMEDY)
        is_shared = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX and not is_container
        who = "" if is_link or is_shared else _writers(path, status)
        if who:
            mode = f"{stat.S_IMODE(status.st_mode):03o}"
            yield Problem(path, f"can be modified by {who} (mode {mode})", f"run 'chmod go-w {_quoted(path)}'")


def components(path: str) -> Iterator[Component]:
    """Follow *path* from the root directory, and return each directory, link and file on the way.

    It ends at the first component that does not exist or cannot be examined.
    """
    left = [part for part in os.path.abspath(path).split(os.sep) if part][::-1]
    current, links = os.sep, 0
    try:
        status = os.lstat(current)
        yield Component(current, status, False)
        while left and links < _MAX_LINKS:
            part = left.pop()
            if part in ("", "."):
                continue
            if part == "..":
                current = os.path.dirname(current)
                status = os.lstat(current)
                continue
            candidate = os.path.join(current, part)
            is_shared = bool(status.st_mode & stat.S_ISVTX)
            found = os.lstat(candidate)
            yield Component(candidate, found, is_shared)
            if stat.S_ISLNK(found.st_mode):
                links += 1
                target = os.readlink(candidate)
                left += target.split(os.sep)[::-1]
                if os.path.isabs(target):
                    current = os.sep
                    status = os.lstat(current)
            else:
                current, status = candidate, found
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
    is_trusted = is_trusted_group(status.st_gid, status.st_uid)
    return "" if is_trusted else f"the members of group {_group(status.st_gid)}"


def _quoted(path: str) -> str:
    return "{path}" if shlex.quote(path) == path else shlex.quote(path)


def _user(number: int) -> str:
    if number == _OVERFLOW_UID:
        return "a user outside this user namespace (nobody)"
    return f"user {_name(number)}"


def _name(number: int) -> str:
    try:
        import pwd

        return f"{pwd.getpwuid(number).pw_name} ({number})"
    except (ImportError, KeyError):
        return str(number)


def _group(number: int) -> str:
    try:
        import grp

        return f"{grp.getgrgid(number).gr_name} ({number})"
    except (ImportError, KeyError):
        return str(number)
