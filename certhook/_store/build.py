"""Building compiled stores.

A store is written to a temporary directory, which is then renamed. Any number of processes may
build a store at the same time. If one is interrupted, no process uses its incomplete files.
Files are not synced to the disk, which would take longer than loading the roots:
:func:`certhook._store.find` detects files that a power failure left incomplete.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from binascii import crc32
from time import time

from certhook import _digest, _files, _store
from certhook._certificates import openssl
from certhook._store import INDEX, Index, Unusable, resolve_protected
from certhook._store.verification import BUNDLE, MANIFEST, is_complete, manifest
from certhook._watch.paths import signature
from certhook.exceptions import ConfigurationError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Mapping

    from certhook._certificates.anchor import Anchor
    from certhook._sources.trust_set import TrustSet
    from certhook._types import Rows, Signature

_VERSION = b"certhook store 3\0"

_SHARED, _PRIVATE = 0o644, 0o600


def compile_store(
    directory: str, trust_set: TrustSet, settings: tuple[str, ...], shared: bool, portable: bool = False
) -> str:
    """Build the store of *trust_set* in *directory*, with an index.

    :param settings: everything that the trust set depends on besides its inputs
    :param shared: whether other users may read it
    :param portable: whether it remains valid after the file system was packed into a container image
    :returns: the path of the store
    :raises Unusable: if it cannot be written
    """
    mode = _SHARED if shared else _PRIVATE
    resolve_protected(directory)  # before creating anything in a directory that another user can modify
    make_directories(directory, shared)
    directory = resolve_protected(directory)
    store = build(directory, trust_set.stored, mode)
    if not trust_set.volatile:
        snapshot = trust_set.snapshot.retaken(portable=True) if portable else trust_set.snapshot
        name, seen, problems = os.path.basename(store), signature(store), _index_problems(trust_set)
        _write_index(directory, Index(settings, name, seen, snapshot, problems, list(trust_set.unreadable)), mode)
    _sweep(directory)
    return store


def _index_problems(trust_set: TrustSet) -> list[tuple[str, str]]:
    """Return the problems of *trust_set*, except those of settings, which every process finds itself."""
    problems = []
    for problem in trust_set.problems:
        if isinstance(problem, SourceError):
            problems.append((problem.path, problem.message))
        elif isinstance(problem, ConfigurationError) and problem not in trust_set.config.problems:
            problems.append((problem.setting, problem.message))
    return problems


def digest(content: Mapping[str, bytes]) -> str:
    """Return the name of the store with these files, by their names."""
    whole = _digest.new("sha256", _VERSION)
    for name in sorted(content):
        whole.update(_digest.digest("sha256", os.fsencode(name)) + _digest.digest("sha256", content[name]))
    result: str = whole.hexdigest()[:40]
    return result


def store_content(anchors: Iterable[Anchor], with_settings: bool = True) -> dict[str, bytes]:
    """Return the files of the store of *anchors*, by name.

    :param anchors: in the order in which OpenSSL reads those with equal names
    :param with_settings: whether the files contain OpenSSL's trust settings, which other programs cannot read
    """
    anchors = list(anchors)
    settings = {anchor.der: anchor.auxiliary for anchor in anchors if with_settings}
    content = openssl.hashed_files([anchor.certificate for anchor in anchors], settings)
    content[BUNDLE] = b"".join(content.values())
    content[MANIFEST] = manifest({name: len(data) for name, data in content.items()})
    return content


def is_shared() -> bool:
    """Return whether other users may read the stores of this process: only if it runs as the superuser."""
    return sys.platform != "win32" and os.geteuid() == 0


def make_directories(directory: str, shared: bool) -> None:
    """Create *directory* and its missing parents.

    :param shared: whether other users may read its content
    :raises Unusable: if that is impossible
    """
    missing = []
    current = directory
    while not os.path.lexists(current):
        missing.append(current)
        parent = os.path.dirname(current)
        if parent == current:
            raise Unusable(f"{directory} cannot be created: the drive {current} does not exist")
        current = parent
    mode = _files.directory_mode(_SHARED if shared else _PRIVATE)
    try:
        for current in reversed(missing):
            with contextlib.suppress(FileExistsError):  # Another process creates it at the same time.
                _files.make_directory(current, mode)
    except OSError as error:
        raise Unusable(f"{directory} cannot be created: {error.strerror}") from None


def build(directory: str, anchors: Iterable[Anchor], mode: int) -> str:
    """Build the store of *anchors* in *directory*, unless a complete one exists.

    :param mode: the permissions of its files
    :returns: the path of the store
    :raises Unusable: if it cannot be written
    """
    content = store_content(anchors)
    store = os.path.join(directory, digest(content))
    if is_complete(store):
        return store
    try:
        _restore_mode(store, mode)
        _files.write_directory(
            store,
            content,
            last=MANIFEST,
            mode=mode,
            is_obsolete=lambda name: True,
            is_complete=lambda: is_complete(store),
            is_foreign=lambda: _is_foreign(store),
        )
    except OSError as error:
        raise Unusable(f"{store} cannot be written: {error.strerror}") from None
    return store


def _restore_mode(store: str, mode: int) -> None:
    """Restore the permissions of an existing store, whose files are then replaced."""
    if not os.path.islink(store):
        with contextlib.suppress(OSError):  # It is missing, or belongs to another user.
            os.chmod(store, _files.directory_mode(mode))


def _is_foreign(store: str) -> bool:
    """Return whether *store* belongs to another user, so that its files cannot be replaced."""
    return sys.platform != "win32" and os.lstat(store).st_uid != os.geteuid()


def encode(index: Index) -> bytes:
    """Encode *index*: lists of fields, each list preceded by its length, separated by null characters."""
    snapshot = index.snapshot
    header = [index.digest, _encode_signature(index.store_signature), str(int(snapshot.portable))]
    groups = [_encode_rows(rows) for rows in (snapshot.direct, snapshot.link_targets, snapshot.members)]
    problems = [field for problem in index.problems for field in problem]
    fields: list[str] = []
    for part in (index.settings, header, *groups, problems, index.unreadable):
        fields += [str(len(part)), *part]
    body = os.fsencode("\0".join(fields))
    return b"%s\0%08x\0%s" % (INDEX, crc32(body), body)


def _encode_rows(rows: Rows) -> list[str]:
    return [field for kind, name, detail, seen in rows for field in (kind, name, detail, _encode_signature(seen))]


def _encode_signature(seen: Signature) -> str:
    return " ".join(map(str, seen or ()))


def _write_index(directory: str, index: Index, mode: int) -> None:
    path = _store.index_path(directory, index.settings)
    try:
        _files.replace(path, encode(index), mode)
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror}") from None
    with contextlib.suppress(OSError):
        # The time of the last thorough check: the first process that uses the store checks it.
        os.utime(path, (0, 0))


# Names that _files.temporary_path() generates, and the age in seconds at which no process uses them any more.
_LEFTOVER = re.compile(r"\.(index-[0-9a-f]{8}|[0-9a-f]{40})\.[0-9a-f]{16}")
_LEFTOVER_AGE = 3600


def _sweep(directory: str) -> None:
    """Remove the files that interrupted processes left in *directory*."""
    with contextlib.suppress(OSError):  # The directory may have been deleted.
        for name in filter(_LEFTOVER.fullmatch, os.listdir(directory)):
            path = os.path.join(directory, name)
            with contextlib.suppress(OSError):
                if time() - os.lstat(path).st_mtime > _LEFTOVER_AGE:
                    _files.remove(path)
