"""Compiled stores: looking one up, and verifying that it may be used.

A compiled store is a trust set in OpenSSL's hashed directory layout, which OpenSSL reads on
demand. Pointing a context at it takes microseconds; loading the roots takes 15 to 20 ms
(cpython#95031). This module is imported for every first context; :mod:`certhook._store.build`
creates stores.

::

    <directory>/index-<settings>   the inputs with their signatures, and the store built from them
    <directory>/<digest>/          the store: <subject hash>.<n>, one PEM certificate each
    <directory>/<digest>/cert.pem  all certificates, for ssl.get_default_verify_paths()
    <directory>/<digest>/manifest  the names and sizes of these files

OpenSSL reads a store long after it was verified. A directory is therefore used only if no
user but root and the owner of this process can modify it or its parents, and root uses
only root's.
"""

import os
import stat
import sys
from binascii import crc32
from time import monotonic, time

from certhook._directories import Unusable, beside_package, check_owner, own_directory, resolve, trusted_owners
from certhook._watch import MAX_SIZE, MEMBERS_INTERVAL, READ_FLAGS, Snapshot, restore, signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple

    from certhook._config import Config
    from certhook._watch import Observed, Signature

#: The first field of every index.
INDEX = b"certhook index 7"
_MANIFEST = "certhook store 1"
MANIFEST = "manifest"
BUNDLE = "cert.pem"

# The file type, and write permission for group and others. On Windows, the access list decides, not the mode.
_TYPE_AND_WRITABLE = 0o170000 if sys.platform == "win32" else 0o170000 | stat.S_IWGRP | stat.S_IWOTH


class Index:
    """The inputs of a trust set, and the store built from them.

    :ivar settings: everything that the trust set depends on besides its inputs
    :ivar digest: the name of the store
    :ivar store_signature: the signature of the store's directory when it was complete
    :ivar snapshot: the inputs with their signatures
    :ivar problems: the problems to report: pairs of a path or variable, and a message
    :ivar unreadable: block lists that the author of the index could not read; the index is valid
        only for processes that cannot read them either
    """

    __slots__ = ("digest", "problems", "settings", "snapshot", "store_signature", "unreadable")

    def __init__(
        self,
        settings: "Tuple[str, ...]",
        digest: str,
        store_signature: "Signature",
        snapshot: Snapshot,
        problems: "List[Tuple[str, str]]",
        unreadable: "List[str]",
    ) -> None:
        self.settings = settings
        self.digest = digest
        self.store_signature = store_signature
        self.snapshot = snapshot
        self.problems = problems
        self.unreadable = unreadable

    @classmethod
    def from_bytes(cls, data: bytes) -> "Index":
        """Decode the result of :func:`certhook._store.build.encode`.

        :raises ValueError: for anything else
        """
        magic, _, rest = data.partition(b"\0")
        checksum, _, body = rest.partition(b"\0")
        if magic != INDEX or checksum != b"%08x" % crc32(body):
            raise ValueError("not an index, or a damaged one")
        fields = os.fsdecode(body).split("\0")
        parts = []
        start = 0
        while start < len(fields):
            end = start + 1 + int(fields[start])
            if not start < end <= len(fields):
                raise ValueError("an index with an invalid length")
            parts.append(fields[start + 1 : end])
            start = end
        settings, (digest, store_signature, portable), *groups, problems, unreadable = parts
        if not digest or digest.strip("0123456789abcdef"):
            raise ValueError("an index without a digest")
        direct, link_targets, members = map(_observed, groups)
        snapshot = Snapshot(direct, link_targets, members, portable == "1")
        pairs = list(zip(*[iter(problems)] * 2))
        return cls(tuple(settings), digest, _decode(store_signature), snapshot, pairs, unreadable)


def _observed(fields: "List[str]") -> "Observed":
    if len(fields) % 4:
        raise ValueError("an index with an incomplete input")
    return [
        (restore(kind, name, detail), _decode(seen))
        for kind, name, detail, seen in zip(fields[::4], fields[1::4], fields[2::4], fields[3::4])
    ]


def _decode(field: str) -> "Signature":
    if not field:
        return None
    changed, size, inode, device = map(int, field.split())
    return changed, size, inode, device


class Lookup:
    """The result of :func:`lookup`.

    :ivar store: the path of a store that may be used, None if there is none
    :ivar index: its index
    :ivar directory: the directory in which to build a store, None if this process builds none
    :ivar reason: why it builds none
    :ivar unsafe: directories that were rejected because other users can modify them
    """

    __slots__ = ("directory", "index", "reason", "store", "unsafe")

    def __init__(self, directory: "Optional[str]", reason: str = "") -> None:
        self.store: Optional[str] = None
        self.index: Optional[Index] = None
        self.directory = directory
        self.reason = reason
        self.unsafe: List[Unusable] = []


def lookup(config: "Config", settings: "Tuple[str, ...]") -> Lookup:
    """Find a current, complete store for *settings*: next to the package, or in the directory of this user."""
    own, reason = own_directory(config)
    result = Lookup(own, reason)
    if own is None and config.cache_dir == "":
        return result
    for directory in (beside_package(), own):
        # Tested first, because most directories contain no store.
        if directory is None or not os.path.exists(index_path(directory, settings)):
            continue
        try:
            directory = resolve(directory)
            index = find(directory, settings)
        except Unusable as failure:
            if failure.is_unsafe and directory != own:
                result.unsafe.append(failure)
            continue
        if index is not None:
            result.index, result.store = index, os.path.join(directory, index.digest)
            break
    return result


def index_path(directory: str, settings: "Tuple[str, ...]") -> str:
    """Return the path of the index for *settings*. A collision of names is only a miss, since they are compared."""
    return os.path.join(directory, f"index-{crc32(os.fsencode(chr(0).join(settings))):08x}")


def find(directory: str, settings: "Tuple[str, ...]") -> "Optional[Index]":
    """Return the index for *settings* in *directory*, if its inputs are unchanged and its store is complete.

    Hundreds of files can only be modified in place without changing their directory: the
    members of input directories and the files of the store. They are checked once per
    :data:`MEMBERS_INTERVAL` for all processes, which the index's modification time records.
    """
    path = index_path(directory, settings)
    try:
        data, checked = _read_small(path)
        index = Index.from_bytes(data)
        if index.settings != settings or any(map(_is_readable, index.unreadable)):
            return None
        # A portable snapshot does not contain the directory's time, which would show a replaced file.
        thorough = index.snapshot.portable or not _is_recent(checked)
        if not index.snapshot.is_current(thorough):
            return None
        store = os.path.join(directory, index.digest)
        if thorough or signature(store) != index.store_signature:
            check(store)
        else:
            _check_directory(store)
    except (OSError, ValueError, Unusable):
        return None
    if thorough:
        try:
            os.utime(path)
        except OSError:
            pass  # The index belongs to another user, or the file system is read-only.
    return index


def _is_readable(path: str) -> bool:
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def _is_recent(checked: float) -> bool:
    """Return whether a check of every file, at this time, is still valid."""
    # Not from before the machine's start: files are not synced, and a crash may have lost parts of them.
    return 0 <= time() - checked < min(MEMBERS_INTERVAL, monotonic())


def check(store: str) -> None:
    """Verify that *store* consists of exactly the files of its manifest, each with its size.

    :raises Unusable: if it does not
    """
    try:
        _check_directory(store)
        expected, _ = _read_small(os.path.join(store, MANIFEST))
        sizes = _sizes(store)
    except OSError as error:
        raise Unusable(f"{store} cannot be read: {error.strerror}") from None
    sizes.pop(MANIFEST, None)
    if manifest(sizes) != expected:
        raise Unusable(f"{store} is damaged: files are missing, foreign, or have a wrong size")


def is_complete(store: str) -> bool:
    """Return whether :func:`check` accepts *store*."""
    try:
        check(store)
    except Unusable:
        return False
    return True


def _check_directory(store: str) -> None:
    if sys.platform != "win32":
        check_owner(store, os.lstat(store))


def _sizes(store: str) -> "dict[str, int]":
    """Return the size of every file in *store*, -1 for what is not a file of a trusted owner."""
    if os.scandir not in os.supports_fd:
        return _scan(store)
    # Relative to an open directory, the kernel resolves its path once instead of once per file.
    descriptor = os.open(store, os.O_RDONLY)
    try:
        return _scan(descriptor)
    finally:
        os.close(descriptor)


def _scan(directory: "str | int") -> "dict[str, int]":
    sizes = {}
    owners = trusted_owners()
    with os.scandir(directory) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            sizes[entry.name] = status.st_size if _is_protected(status, owners) else -1
    return sizes


def _is_protected(status: os.stat_result, owners: "Tuple[int, ...]") -> bool:
    """Return whether this is a file of one of *owners* that only its owner can modify."""
    return status.st_mode & _TYPE_AND_WRITABLE == stat.S_IFREG and status.st_uid in owners


def _read_small(path: str) -> "Tuple[bytes, float]":
    """Return the content of an index or a manifest, and its modification time in seconds."""
    descriptor = os.open(path, READ_FLAGS)
    try:
        status = os.fstat(descriptor)
        if status.st_size > MAX_SIZE or not _is_protected(status, trusted_owners()):
            raise OSError(f"{path} is not an index or a manifest")
        return os.read(descriptor, status.st_size), status.st_mtime
    finally:
        os.close(descriptor)


def manifest(sizes: "dict[str, int]") -> bytes:
    """Return the manifest of a store with files of these names and sizes."""
    names = sorted(sizes)
    return os.fsencode(f"{_MANIFEST}\n{' '.join(names)}\n{[sizes[name] for name in names]}\n")
