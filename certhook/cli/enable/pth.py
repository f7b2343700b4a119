"""The lines that ``enable`` appends to a ``._pth`` file, and ``disable`` removes.

A Python for Windows with a ``._pth`` file takes its path from that file alone. It finds
installed packages only if the file lists their directory, and reads ``certhook.pth`` only
if the file contains ``import site``.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import stat
from typing import NamedTuple

from certhook.cli.enable import files

#: The lines that certhook needs.
REQUIRED = ("Lib\\site-packages", "import site")

# CPython ignores files with this extension.
_TEMPORARY = ".certhook"


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


def apply(path: str, edit: Edit) -> None:
    """Append the text of *edit* to the file at *path*, unless it has been appended.

    :raises OSError: if the file has another content, or cannot be written
    """
    content = files.read_path(path)
    if files.digest(content) == edit.before:
        _replace(path, content + edit.appended.encode())
    elif files.digest(content) != edit.after:
        raise OSError(errno.EBUSY, "changed by another process", path)


def undo(path: str, edit: Edit) -> None:
    """Remove the text of *edit* from the file at *path*, if the file is unchanged since.

    :raises OSError: if the file cannot be read or written
    """
    content = files.read_path(path)
    original = without(edit, content)
    if original != content:
        _replace(path, original)


def _replace(path: str, content: bytes) -> None:
    """Replace the file at *path* in one step."""
    temporary = path + _TEMPORARY
    discard_temporary(path)
    try:
        files.create(temporary, content, stat.S_IMODE(os.lstat(path).st_mode))
        os.replace(temporary, path)
    except BaseException:
        discard_temporary(path)
        raise


def discard_temporary(path: str) -> None:
    """Remove the temporary file that an interrupted run left beside the file at *path*."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path + _TEMPORARY)
