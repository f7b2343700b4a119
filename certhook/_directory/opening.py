"""Opening a directory component by component."""

from __future__ import annotations

import errno
import os
import stat

from certhook._directory.entries import HAS_DESCRIPTORS, OPEN, TRAVERSE, Directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    #: Checks a component of a path, a directory or a link: its path, its status, and whether it is above the
    #: directory that is opened. Raises an exception if another user could interfere.
    Check = Callable[[str, os.stat_result, bool], None]

# The largest number of links on the way to a directory, as in Linux.
_MOST_LINKS = 40


def open_directory(path: str, check: Check, create: int | None = None) -> Directory:
    """Open the directory *path*.

    :param check: called for every component and every link on the way, from the root directory on
    :param create: the permissions with which to create missing directories; None to create none
    :raises FileNotFoundError: if it does not exist
    :raises OSError: if it is not a directory, or cannot be opened or created
    """
    path = path if os.path.isabs(path) else os.path.abspath(path)
    if not HAS_DESCRIPTORS:
        return _open_by_path(path, check, create)
    links = _MOST_LINKS
    while links:
        opened = _descend(path, check, create)
        if isinstance(opened, Directory):
            return opened
        path, is_link = opened
        links -= is_link
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _descend(path: str, check: Check, create: int | None) -> Directory | tuple[str, bool]:
    """Open *path* from the root directory on.

    :returns: the directory; at a link or "..", the path without it, and whether it was a link
    """
    names = [name for name in path.split(os.sep) if name not in ("", os.curdir)]
    current = Directory(os.sep, os.open(os.sep, TRAVERSE if names else OPEN))
    try:
        check(os.sep, current.status(), bool(names))
        for position, name in enumerate(names, start=1):
            if name == os.pardir:
                return os.path.join(os.path.dirname(current.path), *names[position:]), False
            target = _link_target(current, name, check)
            if target is not None:
                return os.path.join(current.path, target, *names[position:]), True
            inner = _open_component(current, name, position < len(names), create)
            current.close()
            current = inner
            check(current.path, current.status(), position < len(names))
        result, current = current, Directory("", None)
        return result
    finally:
        current.close()


def _link_target(directory: Directory, name: str, check: Check) -> str | None:
    """Return the target of *name* if it is a symbolic link."""
    try:
        status = directory.status(name)
    except FileNotFoundError:
        return None
    if not stat.S_ISLNK(status.st_mode):
        return None
    check(os.path.join(directory.path, name), status, True)
    return directory.link(name)


def _open_component(directory: Directory, name: str, is_parent: bool, create: int | None) -> Directory:
    path = os.path.join(directory.path, name)
    flags = TRAVERSE if is_parent else OPEN
    try:
        return Directory(path, os.open(name, flags, dir_fd=directory.fileno()))
    except FileNotFoundError:
        if create is None:
            raise
    try:
        directory.make(name, create)
    except FileExistsError:
        pass  # Another process creates it at the same time.
    return Directory(path, os.open(name, flags, dir_fd=directory.fileno()))


def _open_by_path(path: str, check: Check, create: int | None) -> Directory:
    missing = []
    current = path
    while not os.path.lexists(current) and current != os.path.dirname(current):
        missing.append(current)
        current = os.path.dirname(current)
    if missing and create is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    for one in reversed(missing):
        try:
            os.mkdir(one)
        except FileExistsError:
            pass  # Another process creates it at the same time.
    if not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    check(path, os.stat(path), False)
    return Directory(path, None)
