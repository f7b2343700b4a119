"""Opening a directory component by component."""

from __future__ import annotations

import errno
import os
import stat
import sys

from certhook._directory.entries import Directory
from certhook._directory.reading import HAS_DESCRIPTORS, OPEN, TRAVERSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Tuple, Union

    #: Checks a component of a path, a directory or a link: its path, its status, and whether it is above the
    #: directory that is opened. Raises an exception if another user could interfere.
    Check = Callable[[str, os.stat_result, bool], None]
    #: Opens a path, or returns the path without its first link or "..", and whether it was a link.
    Descend = Callable[[str, Check, "int | None"], Union[Directory, Tuple[str, bool]]]

# The largest number of links on the way to a directory, as in Linux.
_MOST_LINKS = 40


def open_directory(path: str, check: Check, create: int | None = None) -> Directory:
    """Open the directory *path*.

    :param check: called for every component and every link on the way, from the root directory on
    :param create: the permissions with which to create missing directories; None to create none
    :raises FileNotFoundError: if it does not exist
    :raises OSError: if it is not a directory, or cannot be opened or created
    """
    # Not abspath(), which would remove a link that precedes "..".
    path = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    if not HAS_DESCRIPTORS:
        return _open(_descend_by_path, path, check, create)
    try:
        return _open(_descend, path, check, create)
    except PermissionError:
        # Without O_PATH and O_SEARCH, opening a parent needs the permission to list it.
        if TRAVERSE != OPEN:
            raise
        return _open(_descend_by_path, path, check, create)


def _open(descend: Descend, path: str, check: Check, create: int | None) -> Directory:
    links = _MOST_LINKS
    while links:
        opened = descend(path, check, create)
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
    try:
        try:
            return directory.inner(name, is_parent=is_parent)
        except FileNotFoundError:
            if create is None:
                raise
        return directory.inner(name, create, is_parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.path.join(directory.path, name)) from None


def _descend_by_path(path: str, check: Check, create: int | None) -> Directory | tuple[str, bool]:
    """Open *path* where directories have no descriptors: as in :func:`_descend`, but by the paths of the components."""
    if os.pardir in path.replace(os.altsep or os.sep, os.sep).split(os.sep):
        path = os.path.realpath(path)
    components = [os.path.normpath(path)]
    while components[0] != os.path.dirname(components[0]):
        components.insert(0, os.path.dirname(components[0]))
    for position, current in enumerate(components, start=1):
        is_parent = position < len(components)
        try:
            status = _status(current, create)
        except FileNotFoundError:
            raise
        except OSError:
            # On Windows, a user may have no access to a parent.
            if not is_parent or sys.platform != "win32":
                raise
            continue
        check(current, status, is_parent or stat.S_ISLNK(status.st_mode))
        if stat.S_ISLNK(status.st_mode):
            target = os.path.join(os.path.dirname(current), os.readlink(current))
            return os.path.join(target, os.path.relpath(path, current)), True
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), current)
    return Directory(components[-1], None)


def _status(path: str, create: int | None) -> os.stat_result:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        parent, name = os.path.split(path)
        if create is None or not name:
            raise
    try:
        Directory(parent, None).make(name, create)
    except FileExistsError:
        pass  # Another process creates it at the same time.
    return os.lstat(path)
