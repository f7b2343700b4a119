"""Writing files and directories that the user names.

The target is checked first: symbolic links are not followed, devices are not written to, and
directories with other files are not changed. Another user may have created them so that this
user overwrites a file. :mod:`certhook._files` then replaces the target atomically; if that fails,
the target keeps its content.
"""

from __future__ import annotations

import os
import re
import stat

from certhook import _files
from certhook._state import BUNDLE
from certhook._store import Unusable, build, resolve_protected
from certhook._store.verification import MANIFEST
from certhook._text import shown_path
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

    from certhook._certificates.anchor import Anchor
    from certhook._sources.trust_set import TrustSet

#: Readable by every user, whatever the umask: certificates are public.
MODE = 0o644

# The files of an exported directory.
_EXPORTED = re.compile(rf"[0-9a-f]{{8}}\.\d+|{re.escape(BUNDLE)}|{MANIFEST}")

_KINDS = {stat.S_IFREG: "a file", stat.S_IFDIR: "a directory", stat.S_IFLNK: "a symbolic link"}


def refuse_location(path: str, trust_set: TrustSet) -> None:
    """Refuse to write to a location that *trust_set* was read from.

    :raises CommandError: if *path* is such a location
    """
    listed = (*trust_set.anchors, *trust_set.restricted, *trust_set.expired, *trust_set.removed)
    locations = {location for anchor in listed for _, location in anchor.listed}
    locations.update(location.path for location in trust_set.locations if location.count)
    if os.path.realpath(path) in map(os.path.realpath, locations):
        raise CommandError(
            f"{path} was not changed, because certhook reads root certificates from it; use another path"
        )


def write_file(path: str, data: bytes) -> None:
    """Write *data* to the file *path*, which every user may read.

    :raises CommandError: if it cannot be written, or *path* is not a regular file
    """
    _check_kind(path, stat.S_IFREG)
    try:
        _files.replace(path, data, MODE, sync=True)
    except OSError as error:
        raise _cannot_write(path, error) from None


def write_directory(path: str, anchors: Sequence[Anchor]) -> None:
    """Write *anchors* to the directory *path* in OpenSSL's hashed layout, which every user may read.

    :raises CommandError: if it cannot be written, or *path* is not an empty or exported directory
    """
    _check_kind(path, stat.S_IFDIR)
    try:
        _check_content(path)
        _files.write_directory(
            path,
            build.store_content(anchors, with_settings=False),
            last=MANIFEST,
            mode=MODE,
            is_obsolete=lambda name: _EXPORTED.fullmatch(name) is not None,
        )
    except OSError as error:
        raise _cannot_write(path, error) from None


def check_safe(directory: str) -> str:
    """Verify that no other user can modify *directory*, which may not exist, or its parents.

    :returns: its path without symbolic links
    :raises CommandError: if another user can
    """
    try:
        return resolve_protected(directory)
    except Unusable as failure:
        raise CommandError(f"nothing was written: {failure}") from None


def _check_kind(path: str, expected: int) -> None:
    try:
        kind = stat.S_IFMT(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot_write(path, error) from None
    if kind != expected:
        found = _KINDS.get(kind, "a device, a pipe or a socket")
        raise CommandError(f"{path} was not changed: it is {found}; expected {_KINDS[expected]} or a new path")


def _check_content(path: str) -> None:
    """Verify that the directory *path* is missing, empty, or a safe result of an earlier export."""
    entries = list(os.scandir(path)) if os.path.isdir(path) else []
    names = [entry.name for entry in entries]
    if names:
        check_safe(path)  # Files are removed from it, and programs rely on the others.
    foreign = [one.name for one in entries if not _EXPORTED.fullmatch(one.name) or one.is_dir(follow_symlinks=False)]
    if foreign or (names and MANIFEST not in names):
        example = f", such as {foreign[0]}" if foreign else ""
        raise CommandError(f"{path} was not changed: it contains other files{example}; use a new or empty directory")


def _cannot_write(path: str, error: OSError) -> CommandError:
    return CommandError(f"{shown_path(path)} cannot be written: {error.strerror}")
