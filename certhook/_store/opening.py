"""Opening a directory of stores for writing: one that no other user can modify."""

from __future__ import annotations

import os
import stat

from certhook._directory import open_directory
from certhook._store import Protection, Unusable, resolve_protected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._directory import Directory


def open_stores(path: str, package: str | None = None, create: int | None = None) -> Directory:
    """Open the directory of stores *path*.

    It is verified by path, so that a fault is reported before anything is created, and again component by
    component while it is opened: nothing that another user replaced in between is used.

    :param package: the package next to it, which is as trustworthy; None for the user's own directory
    :param create: the permissions with which to create missing directories; None to create none
    :raises Unusable: if another user can modify it, or it is missing or cannot be opened
    """
    protection = Protection(package)

    def check(current: str, status: os.stat_result, is_parent: bool) -> None:
        if package is not None and is_parent:
            return
        if stat.S_ISLNK(status.st_mode):
            protection.check_link(current, status)
        else:
            protection.check_directory(current, status)

    resolve_protected(path, is_beside_package=package is not None)
    try:
        return open_directory(path, check, create)
    except OSError as error:
        action = "opened" if create is None else "created"
        failed = error.filename or path
        is_drive = isinstance(error, FileNotFoundError) and os.path.dirname(failed) == failed
        why = f"the drive {failed} does not exist" if is_drive else error.strerror
        raise Unusable(f"{path if is_drive else failed} cannot be {action}: {why}") from None
