"""Whether another user could interfere with a command, judged by the owners and permissions of files.

One rule applies to every directory that a command writes to, to every file whose code it runs or copies, and to
each directory and link on the way to them:

* They belong to the superuser or to the user of this process.
* No other user may write to them. The members of a group may if they administer the system (the group of the
  superuser, ``staff`` on Debian, ``admin`` on macOS), or if it is the private group of the owner, without others.
* A directory on the way may also have the sticky bit, like /tmp: other users cannot replace the entries of its owner.

Windows has access lists instead of owners and modes, and there is no check.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import shlex
import shutil
import stat
import sys
from typing import NamedTuple

from certhook._state import OVERFLOW_UID
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

# Debian's group for the administration of /usr/local, and the group of macOS's administrators. The group "staff" of
# macOS contains every user.
_ADMINISTRATORS = {"linux": (50, "staff"), "darwin": (80, "admin")}
# The owner of the directories above those of applications on Android.
_ANDROID_SYSTEM_UID = 1000
_ACCESS_LIST = "system.posix_acl_access"
_MOST_LINKS = 40
_MOST_LEVELS = 40


class Unprotected(CommandError):
    """Another user could interfere with the command; the message names the path, its owner or mode, and the remedy."""


def check(path: str, status: os.stat_result, is_parent: bool) -> None:
    """Check a file, a directory or a link.

    :param is_parent: whether it is a directory on the way to another one, which may have the sticky bit
    :raises Unprotected: if another user could interfere
    """
    _check(path, status, is_parent, accepts_sticky=is_parent)


def check_output(path: str, status: os.stat_result, is_parent: bool) -> None:
    """Check a directory to which single files are written: it may have the sticky bit as well.

    :raises Unprotected: if another user could interfere
    """
    _check(path, status, is_parent, accepts_sticky=True)


def _check(path: str, status: os.stat_result, is_parent: bool, accepts_sticky: bool) -> None:
    if sys.platform == "win32":
        return
    if status.st_uid not in trusted_owners():
        raise Unprotected(_explain_owner(path, status, is_parent))
    mode = status.st_mode
    if stat.S_ISLNK(mode) or (accepts_sticky and stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
        return
    if mode & stat.S_IWOTH:
        raise Unprotected(_explain_mode(path, mode, "every user", f"chmod o-w {shlex.quote(path)}"))
    if mode & stat.S_IWGRP:
        if has_access_list(path):
            raise Unprotected(_explain_mode(path, mode, "users in its access list", f"setfacl -b {shlex.quote(path)}"))
        if not is_trusted_group(status.st_gid, status.st_uid):
            group = f"the group {group_name(status.st_gid) or status.st_gid}"
            raise Unprotected(_explain_mode(path, mode, group, f"chmod g-w {shlex.quote(path)}"))


def trusted_owners() -> set[int]:
    """Return the IDs of the users whose files no other user can modify: the superuser and the user of this process."""
    system = {_ANDROID_SYSTEM_UID} if hasattr(sys, "getandroidapilevel") else set()
    return {0, os.geteuid(), *system} - {OVERFLOW_UID}


def _explain_owner(path: str, status: os.stat_result, is_parent: bool) -> str:
    mode = f"mode {stat.S_IMODE(status.st_mode):o}"
    if status.st_uid == OVERFLOW_UID:
        return (
            f"{path} belongs to a user outside this user namespace (nobody, {mode}), who could interfere with this "
            "command; run it as that user"
        )
    name = user_name(status.st_uid)
    owner = f"{name} (user {status.st_uid}, {mode})" if name else f"user {status.st_uid} ({mode})"
    prefix = f"sudo -u {shlex.quote(name or f'#{status.st_uid}')}"
    change = ""
    if os.geteuid() == 0:
        if not shutil.which("sudo"):
            prefix = f"setpriv --reuid={status.st_uid} --regid={status.st_gid} --clear-groups"
        # The directory of a user, such as /home/jane, is not root's.
        if not is_parent or stat.S_ISLNK(status.st_mode):
            change = f", or change the owner: chown -h root {shlex.quote(path)}"
    return (
        f"{path} belongs to {owner}, who could interfere with this command; run it as that user, with '{prefix} ...'"
        f"{change}"
    )


def _explain_mode(path: str, mode: int, others: str, remedy: str) -> str:
    return (
        f"{others} can modify {path} (mode {stat.S_IMODE(mode):o}), and could interfere with this command; run "
        f"'{remedy}' first"
    )


def is_trusted_group(group: int, owner: int) -> bool:
    """Return whether the members of *group* administer the system, or it is the private group of *owner*."""
    name, members = _group(group)
    if group == 0 or (name and (group, name) == _ADMINISTRATORS.get(sys.platform)):
        return True
    is_private = group == owner if name is None else name == user_name(owner) and members <= {name}
    return is_private and not _is_primary_of_others(group, owner)


@functools.lru_cache(maxsize=None)
def _is_primary_of_others(group: int, owner: int) -> bool:
    """Return whether *group* is the primary group of another user, whom its list of members omits."""
    import pwd

    return any(user.pw_gid == group and user.pw_uid != owner for user in pwd.getpwall())


def user_name(user: int) -> str | None:
    """Return the name of the user with the ID *user*, None if it has none."""
    try:
        import pwd

        return pwd.getpwuid(user).pw_name
    except (ImportError, KeyError):
        return None


def group_name(group: int) -> str | None:
    """Return the name of the group with the ID *group*, None if it has none."""
    return _group(group)[0]


def _group(group: int) -> tuple[str | None, set[str]]:
    """Return the name of *group*, None if it has none, and its further members."""
    try:
        import grp

        found = grp.getgrgid(group)
        return found.gr_name, {*found.gr_mem}
    except (ImportError, KeyError):
        return None, set()


def has_access_list(path: str) -> bool:
    """Return whether permissions of further users or groups are part of the group's permissions."""
    try:
        return bool(os.getxattr(path, _ACCESS_LIST, follow_symlinks=False)) if sys.platform == "linux" else False
    except OSError:
        return False


class Component(NamedTuple):
    """A directory or a link on the way to a path, or the file itself.

    :ivar is_parent: whether others follow
    :ivar is_in_shared_directory: whether other users may create entries in its directory, but not replace those of
        others (the sticky bit, as in /tmp)
    """

    path: str
    status: os.stat_result
    is_parent: bool
    is_in_shared_directory: bool

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.status.st_mode)


def components(path: str) -> Iterator[Component]:
    """Follow the absolute path *path* from the root directory on.

    Each component is returned before the next one is examined, so that no other user can change the answer of a
    check afterwards. The last one that is not a link has the path without links.

    :raises OSError: if a component does not exist or cannot be examined, or there are too many links
    """
    names, links = _names(path), _MOST_LINKS
    root = Component(os.sep, os.lstat(os.sep), bool(names), False)
    yield root
    directory = root
    while names:
        name = names.pop(0)
        if name == os.pardir:
            parent = os.path.dirname(directory.path)
            directory = Component(parent, os.lstat(parent), bool(names), False)
            yield directory
            continue
        inner = os.path.join(directory.path, name)
        is_shared = bool(directory.status.st_mode & stat.S_ISVTX)
        component = Component(inner, os.lstat(inner), bool(names), is_shared)
        yield component
        if not component.is_link:
            directory = component
            continue
        links -= 1
        if not links:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(inner)
        names = [*_names(target), *names]
        if os.path.isabs(target):
            directory = root._replace(is_parent=bool(names))
            yield directory


def _names(path: str) -> list[str]:
    return [name for name in path.split(os.sep) if name not in ("", os.curdir)]


class Checker:
    """Checks files and everything on the way to them, each path once."""

    def __init__(self) -> None:
        self._checked: set[tuple[str, bool]] = set()
        self._trees: set[str] = set()

    def check(self, path: str) -> str:
        """Check a file or directory, and every directory and link on the way to it.

        :returns: its path without links
        :raises Unprotected: if another user could interfere
        :raises OSError: if it does not exist
        """
        path = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
        if sys.platform == "win32":
            return os.path.realpath(path)
        resolved = os.sep
        for component in components(path):
            key = component.path, component.is_parent
            if key not in self._checked:
                check(component.path, component.status, component.is_parent)
                self._checked.add(key)
            if not component.is_link:
                resolved = component.path
        return resolved

    def check_tree(self, path: str, skipped: re.Pattern[str], levels: int = _MOST_LEVELS) -> None:
        """Check a file, or a directory with its content.

        :param skipped: the names of directories whose content is not checked
        :raises Unprotected: if another user could interfere
        """
        resolved = self.check(path)
        if sys.platform == "win32" or resolved in self._trees or not levels:
            return
        self._trees.add(resolved)
        for entry in _entries(resolved):
            if entry.is_symlink():
                if os.path.exists(entry.path):
                    self.check_tree(entry.path, skipped, levels - 1)
            else:
                check(entry.path, entry.stat(follow_symlinks=False), False)
                if entry.is_dir() and not skipped.fullmatch(entry.name):
                    self.check_tree(entry.path, skipped, levels - 1)


def _entries(directory: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            yield from entries
    except (NotADirectoryError, PermissionError):
        pass
