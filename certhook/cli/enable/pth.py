"""The lines that ``enable`` appends to a ``._pth`` file, and ``disable`` removes.

A Python for Windows with a ``._pth`` file takes its path from that file alone. It finds
installed packages only if the file lists their directory, and reads ``certhook.pth`` only
if the file contains ``import site``.
"""

from __future__ import annotations

import enum
import errno
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from certhook.cli.enable import files

if TYPE_CHECKING:
    from certhook._directory import Directory

#: The lines that certhook needs.
REQUIRED = ("Lib\\site-packages", "import site")

_NEW = "new._pth"


class State(enum.Enum):
    """The state of a ``._pth`` file with respect to an :class:`Edit`."""

    ABSENT = enum.auto()
    PRESENT = enum.auto()
    #: The file was changed after the edit.
    CHANGED = enum.auto()


class Edit(NamedTuple):
    """Text appended to a ``._pth`` file.

    :ivar appended: the text
    :ivar before: the digest of the content before the edit
    :ivar after: the digest of the content after it
    """

    appended: str
    before: str
    after: str

    @property
    def lines(self) -> list[str]:
        """The appended lines, without line endings."""
        return self.appended.strip().splitlines()


def plan(content: bytes) -> Edit | None:
    """Return the edit that a ``._pth`` file with this *content* needs, None if it needs none."""
    appended = missing_lines(content)
    if not appended:
        return None
    return Edit(appended, files.digest(content), files.digest(content + appended.encode()))


def missing_lines(content: bytes) -> str:
    """Return the required lines that *content* lacks, as text to append."""
    present = {_normalized(line) for line in content.decode("utf-8-sig", "replace").splitlines()}
    end = "\r\n" if b"\r\n" in content else "\n"
    text = "".join(line + end for line in REQUIRED if _normalized(line) not in present)
    return end + text if text and content and not content.endswith(b"\n") else text


def _normalized(line: str) -> str:
    return line.strip().replace("\\", "/").lower()


def state(edit: Edit, content: bytes) -> State:
    """Compare *content* with the content before and after *edit*."""
    found = files.digest(content)
    if found == edit.after:
        # The record of the edit comes from the target, and may be forged.
        return State.PRESENT if files.digest(_cut(edit, content)) == edit.before else State.CHANGED
    # The user may have removed the lines and changed others.
    removed = {*edit.lines} <= {*missing_lines(content).splitlines()}
    return State.ABSENT if found == edit.before or removed else State.CHANGED


def without(edit: Edit, content: bytes) -> bytes:
    """Return *content* without the appended text, if it is unchanged since *edit*."""
    return _cut(edit, content) if state(edit, content) is State.PRESENT else content


def _cut(edit: Edit, content: bytes) -> bytes:
    return content[: len(content) - len(edit.appended.encode())]


class File:
    """A ``._pth`` file in an open directory; a context manager, which closes the directory.

    :raises OSError: if the directory does not exist
    :raises Unprotected: if another user could interfere
    """

    def __init__(self, path: str) -> None:
        self.path, self._name = path, os.path.basename(path)
        self._directory = files.open_protected(os.path.dirname(path))

    def __enter__(self) -> File:
        return self

    def __exit__(self, *exception: object) -> None:
        self._directory.close()

    def status(self) -> os.stat_result:
        """Return its status, without following a link."""
        return self._directory.status(self._name)

    def read(self) -> bytes:
        """Return its content.

        :raises OSError: if it is not a regular file, or cannot be read
        """
        return self._directory.read(self._name, files.LIMIT)

    def replace(self, content: bytes, journal: Directory) -> None:
        """Replace it in one step, and keep its permissions.

        :param journal: the directory for the new version, which is removed after an interruption
        :raises OSError: if that fails; then it is unchanged
        """
        journal.create(_NEW, content, stat.S_IMODE(self.status().st_mode))
        try:
            journal.rename(_NEW, self._name, self._directory)
        except BaseException:
            journal.discard(_NEW)
            raise


def explain(error: OSError) -> str:
    """Explain why a ``._pth`` file cannot be read, as the end of a sentence that starts with its path."""
    return "is a symbolic link" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror}"


def apply(path: str, edit: Edit, journal: Directory) -> None:
    """Append the text of *edit* to the file at *path*, unless it has been appended.

    :param journal: the directory for the new version
    :raises OSError: if the file has another content, or cannot be written
    """
    with File(path) as file:
        content = file.read()
        if files.digest(content) == edit.before:
            file.replace(content + edit.appended.encode(), journal)
        elif files.digest(content) != edit.after:
            raise OSError(errno.EBUSY, "changed by another process", path)


def undo(path: str, edit: Edit, journal: Directory) -> None:
    """Remove the text of *edit* from the file at *path*, if the file is unchanged since.

    :param journal: the directory for the new version
    :raises OSError: if the file cannot be read or written
    """
    with File(path) as file:
        content = file.read()
        original = without(edit, content)
        if original != content:
            file.replace(original, journal)
