"""A temporary directory that no other user can access, even if another user chose TMPDIR."""

from __future__ import annotations

import errno
import os
import stat
import sys

from certhook._directory.entries import Directory, temporary_name
from certhook._directory.opening import open_directory
from certhook._state import OVERFLOW_UID, is_privileged, process

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class TemporaryDirectory:
    """A new directory, which is removed at the end; a context manager.

    Entering it raises :exc:`OSError` if there is no directory in which it can be created safely.
    """

    def __enter__(self) -> Directory:
        self._name = temporary_name("certhook")[1:]
        for path in _candidates():
            try:
                self._parent = open_directory(path, _check)
            except (OSError, ValueError):
                continue  # It is missing, or another user could replace its entries.
            try:
                self._directory = self._parent.inner(self._name, create=0o700)
                return self._directory
            except OSError:
                self._parent.close()  # It is full, or not writable.
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    def __exit__(self, *exception: object) -> None:
        with self._parent, self._directory:
            self._parent.discard(self._name)


def _candidates() -> list[str]:
    """Return the directories that may be used, in the order of :mod:`tempfile`."""
    has_environment = process.use_environment and not is_privileged()
    named = [os.environ.get(name, "") for name in ("TMPDIR", "TEMP", "TMP") if has_environment]
    if sys.platform == "win32":
        home = os.path.expanduser("~")
        default = [os.path.join(home, "AppData", "Local", "Temp"), r"C:\TEMP", r"C:\TMP"]
    else:
        default = ["/tmp", "/var/tmp", "/usr/tmp"]
    return [path for path in (*named, *default) if os.path.isabs(path)]


def _check(path: str, status: os.stat_result, is_parent: bool) -> None:
    """Refuse a directory in which another user could replace the entries of this user."""
    if sys.platform == "win32":
        return
    mode = status.st_mode
    is_shared = not stat.S_ISLNK(mode) and mode & _WRITABLE_BY_OTHERS and not mode & stat.S_ISVTX
    if is_shared or status.st_uid not in (0, os.geteuid()) or status.st_uid == OVERFLOW_UID:
        raise PermissionError(errno.EPERM, "another user can replace its entries", path)
