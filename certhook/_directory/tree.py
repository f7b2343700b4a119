"""Writing a directory of files as a whole."""

from __future__ import annotations

import errno
import stat

from certhook._directory.entries import Directory, temporary_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Mapping


def write_directory(
    directory: Directory,
    name: str,
    content: Mapping[str, bytes],
    last: str,
    mode: int,
    is_obsolete: Callable[[str], bool],
    is_complete: Callable[[], bool] = lambda: False,
    is_foreign: Callable[[], bool] = lambda: False,
) -> None:
    """Write the files of *content*, by name, to the directory *name*.

    A new directory becomes visible only when it is complete. In an existing one, the files are
    replaced one by one, so that a file with an old and a new version never seems missing.

    :param last: the name of the file that is replaced last
    :param mode: the permissions of a file; a new directory is accessible to the same users
    :param is_obsolete: whether to remove another file with the given name from an existing directory
    :param is_complete: whether another process has written the same content in the meantime
    :param is_foreign: whether to replace an existing directory as a whole, because another user owns it; may raise an
        exception, so that the directory stays as it is
    :raises OSError: if that fails
    """
    temporary = temporary_name(name)
    try:
        with directory.inner(temporary, create=directory_mode(mode)) as new:
            for file, data in content.items():
                new.create(file, data, mode)
            if _move_into_place(directory, temporary, name) or is_complete():
                return
            if not is_foreign():
                _merge(directory, new, name, sorted(content, key=last.__eq__), is_obsolete)
                return
        _exchange(directory, temporary, name)
    finally:
        directory.discard(temporary)


def _move_into_place(directory: Directory, temporary: str, name: str) -> bool:
    """Rename *temporary* to *name*, unless *name* is a directory with entries."""
    try:
        if not stat.S_ISDIR(directory.status(name).st_mode):
            directory.unlink(name)
        else:
            directory.remove_empty(name)  # Windows renames nothing to an existing directory.
    except OSError:
        pass  # It does not exist, or has entries.
    try:
        directory.rename(temporary, name)
        return True
    except OSError as error:
        # Windows reports EACCES for an existing directory.
        is_existing = error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES)
        if not is_existing or not directory.is_directory(name):
            raise
        return False


def _merge(
    directory: Directory, new: Directory, name: str, files: list[str], is_obsolete: Callable[[str], bool]
) -> None:
    with directory.inner(name) as existing:
        for file in files:
            if existing.is_directory(file):
                existing.remove(file)
            new.rename(file, file, existing)
        for file in set(existing.names()) - set(files):
            if is_obsolete(file):
                existing.remove(file)


def _exchange(directory: Directory, temporary: str, name: str) -> None:
    foreign = temporary_name(name)
    directory.rename(name, foreign)
    directory.rename(temporary, name)
    directory.discard(foreign)


def directory_mode(mode: int) -> int:
    """Return the permissions of a directory whose files have the permissions *mode*: every reader may enter it."""
    return mode | (mode & 0o444) >> 2
