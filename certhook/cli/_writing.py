"""Writing files and directories that the user names.

The directory of the target is opened first, unless another user could interfere: :mod:`certhook.cli._protection`
contains the rule. Symbolic links are not followed, devices are not written to, and directories with other files are
not changed. The target is replaced atomically; if that fails, it keeps its content.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat

from certhook._directory import Directory, open_directory, write_directory
from certhook._state import BUNDLE
from certhook._store import build
from certhook._store.verification import MANIFEST
from certhook.cli import _protection
from certhook.cli._protection import Unprotected
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, Sequence

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
    listed = (*trust_set.anchors, *trust_set.restricted, *trust_set.expired, *trust_set.distrusted)
    locations = {location for anchor in listed for _, location in anchor.listed_by}
    locations.update(location.path for location in trust_set.locations if location.count)
    if os.path.realpath(path) in map(os.path.realpath, locations):
        raise CommandError(
            f"{path} was not changed, because certhook reads root certificates from it; use another path"
        )


def write_file(path: str, data: bytes) -> None:
    """Write *data* to the file *path*, which every user may read.

    :raises CommandError: if it cannot be written, *path* is not a regular file, or another user could interfere
    """
    with _opened_parent(path) as (directory, name):
        _check_kind(directory, name, path, stat.S_IFREG)
        directory.replace(name, data, MODE, sync=True)


def write_new_file(path: str, data: bytes) -> None:
    """Write *data* to the new file *path*, which every user may read.

    :raises CommandError: if it cannot be written, *path* exists, or another user could interfere
    """
    with _opened_parent(path) as (directory, name):
        try:
            directory.create(name, data, MODE)
        except FileExistsError:
            raise CommandError(f"{path} was not changed, because it exists; use a new path") from None


def write_anchors(path: str, anchors: Sequence[Anchor]) -> None:
    """Write *anchors* to the directory *path* in OpenSSL's hashed layout, which every user may read.

    :raises CommandError: if it cannot be written, *path* is not an empty or exported directory, or another user could
        interfere
    """

    def is_foreign() -> bool:
        # In a directory with the sticky bit, another user may have created it meanwhile.
        _check_content(directory, name, path)
        return False

    with _opened_parent(path) as (directory, name):
        _check_kind(directory, name, path, stat.S_IFDIR)
        if directory.exists(name):
            _check_content(directory, name, path)
        write_directory(
            directory,
            name,
            build.store_content(anchors, with_settings=False),
            last=MANIFEST,
            mode=MODE,
            is_obsolete=lambda name: _EXPORTED.fullmatch(name) is not None,
            is_foreign=is_foreign,
        )


@contextlib.contextmanager
def _opened_parent(path: str) -> Iterator[tuple[Directory, str]]:
    """Open the directory of *path*.

    :returns: it, and the name of the file
    """
    parent, name = os.path.split(os.path.abspath(path))
    try:
        with open_directory(parent, _protection.check_output) as directory:
            yield directory, name
    except Unprotected as failure:
        alternative = "choose another directory, or redirect the standard output (-)"
        raise CommandError(f"{path} was not written: {failure}; or {alternative}") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None


def _check_kind(directory: Directory, name: str, path: str, expected: int) -> None:
    try:
        kind = stat.S_IFMT(directory.status(name).st_mode)
    except FileNotFoundError:
        return
    if kind != expected:
        found = _KINDS.get(kind, "a device, a pipe or a socket")
        raise CommandError(f"{path} was not changed: it is {found}; expected {_KINDS[expected]} or a new path")


def _check_content(directory: Directory, name: str, path: str) -> None:
    """Verify that an existing directory is empty, or a result of an earlier export that no other user can modify."""
    with directory.inner(name) as existing:
        # Files are removed from it, and programs rely on the others.
        _protection.check(path, existing.status(), False)
        names = existing.names()
        foreign = [one for one in names if not _EXPORTED.fullmatch(one) or existing.is_directory(one)]
    if foreign or (names and MANIFEST not in names):
        example = f", such as {foreign[0]}" if foreign else ""
        raise CommandError(f"{path} was not changed: it contains other files{example}; use a new or empty directory")
