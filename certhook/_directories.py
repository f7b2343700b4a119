"""The directories of compiled stores: where they are, and whether other users can modify them."""

import os
import stat
import sys

from certhook._state import ids_differ, is_privileged, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple

    from certhook._config import Config

#: The directory of root's stores, which a daemon can still read after it has dropped its privileges.
ROOTS_DIRECTORY = "/var/cache/certhook"

# The owner of files that belong to users outside the user namespace, user_namespaces(7). A process
# with this user ID cannot distinguish its own files from theirs.
_OVERFLOW_UID = 65534


class Unusable(Exception):
    """A directory or a store that cannot be used, with the reason.

    :ivar is_unsafe: whether another user can modify it, which is worth a warning
    :ivar is_public: whether every user can, as in /tmp, which is worth a warning only if it was configured
    """

    def __init__(self, reason: str, is_unsafe: bool = False, is_public: bool = False) -> None:
        super().__init__(reason)
        self.is_unsafe = is_unsafe
        self.is_public = is_public


def beside_package() -> "Optional[str]":
    """Return the directory next to the package, in which ``python -m certhook compile`` creates the store."""
    # In memory (frozen into C, PyOxidizer), a module has no __file__.
    package = os.path.dirname(globals().get("__file__", ""))
    return os.path.join(os.path.dirname(package), "certhook-store") if os.path.isabs(package) else None


def own_directory(config: "Config") -> "Tuple[Optional[str], str]":
    """Return the directory in which this process builds stores, or None and the reason."""
    if config.cache_dir is not None:
        return config.cache_dir or None, "" if config.cache_dir else "CERTHOOK_CACHE_DIR=none"
    if is_privileged() or ids_differ():
        return None, "the process runs with the privileges of another user"
    directory = _user_directory()
    return directory, "" if directory else "the user has no cache directory"


def _user_directory() -> "Optional[str]":
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "") if process.use_environment else ""
        return os.path.join(base, "certhook", "Cache") if os.path.isabs(base) else None
    if os.geteuid() == 0:
        return ROOTS_DIRECTORY
    uses_xdg = process.use_environment and sys.platform != "darwin"
    base = os.environ.get("XDG_CACHE_HOME", "") if uses_xdg else ""
    # The XDG base directory specification requires that relative paths are ignored.
    if not os.path.isabs(base):
        home = os.path.expanduser("~") if process.use_environment else _home_in_passwd()
        if not os.path.isabs(home):
            return None
        base = os.path.join(home, "Library/Caches" if sys.platform == "darwin" else ".cache")
    return os.path.join(base, "certhook")


def _home_in_passwd() -> str:
    """Return the effective user's home directory according to the user database; empty if it has none."""
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_dir
    except (ImportError, KeyError):
        return ""


def is_shared() -> bool:
    """Return whether other users may read the stores of this process: root's, for daemons that drop privileges."""
    return sys.platform != "win32" and os.geteuid() == 0


def resolve(directory: str) -> str:
    """Verify that no other user can modify *directory*, which may not exist, or its parents.

    :returns: its path without symbolic links
    :raises Unusable: if another user can
    """
    if os.path.islink(directory):
        raise Unusable(f"{directory} is a symbolic link; expected a directory of this user", is_unsafe=True)
    path = _without_links(directory)
    if os.pathsep in path:
        raise Unusable(f"{path} contains {os.pathsep!r}, which separates directories for OpenSSL")
    if sys.platform == "win32":
        return path  # The access list of the user's directory protects it.
    current = path
    while True:
        try:
            status = os.lstat(current)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise Unusable(f"{current} cannot be examined: {error.strerror}") from None
        else:
            check_owner(current, status)
        parent = os.path.dirname(current)
        if parent == current:
            return path
        current = parent


def _without_links(path: str) -> str:
    current = path
    while current != os.path.dirname(current):
        if os.path.islink(current):
            return os.path.realpath(path)
        current = os.path.dirname(current)
    return os.path.abspath(path)


def check_owner(path: str, status: "os.stat_result") -> None:
    """Verify that *path* is a directory that no other user can modify.

    :raises Unusable: if it is not
    """
    if not stat.S_ISDIR(status.st_mode):
        raise Unusable(f"{path} is not a directory")
    if status.st_uid not in trusted_owners():
        if status.st_uid == _OVERFLOW_UID:
            raise Unusable(f"{path} belongs to a user outside this user namespace (nobody)")
        reason = f"{path} belongs to user {status.st_uid}; expected the user of this process or root"
        raise Unusable(reason, is_unsafe=True)
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        reason = f"{path} is writable by other users (mode {stat.S_IMODE(status.st_mode):o})"
        if status.st_mode & stat.S_ISVTX:
            # If this user's directory is deleted, another user may create it again while a program uses it.
            raise Unusable(f"{reason}; choose a directory that is not", is_public=True)
        raise Unusable(f"{reason}; run 'chmod go-w {path}'", is_unsafe=True)


def trusted_owners() -> "Tuple[int, ...]":
    """Return the IDs of the users that may own a store: root and the user of this process."""
    if sys.platform == "win32" or os.geteuid() == _OVERFLOW_UID:
        return (0,)
    return 0, os.geteuid()
