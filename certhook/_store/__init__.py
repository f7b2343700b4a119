"""Looking up compiled stores, and the rules for their directories.

A compiled store is a trust set in OpenSSL's hashed directory layout, which OpenSSL reads on
demand. Pointing a context at it takes microseconds; loading the roots takes 15 to 20 ms
(cpython#95031). :mod:`certhook._store.build` creates stores.

::

    <directory>/index-<settings>   the inputs with their signatures, and the store built from them
    <directory>/<digest>/          the store: <subject hash>.<n>, one PEM certificate each
    <directory>/<digest>/cert.pem  all certificates, for ssl.get_default_verify_paths()
    <directory>/<digest>/manifest  the names and sizes of these files

OpenSSL reads a store long after it was verified. A directory is therefore used only if no user
but the user of this process and the superuser can modify it or its parents.
"""

import os
import stat
import sys
from binascii import crc32
from time import monotonic, time

from certhook._state import ids_differ, is_privileged, process
from certhook._watch import MEMBERS_INTERVAL, Snapshot, are_unchanged, decode_rows, decode_signature, exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Optional, Sequence, Tuple

    from certhook._types import Signature

#: The first field of every index.
INDEX = b"certhook index 9"

NO_CACHE_DIRECTORY = "the user has no cache directory"
#: The directory of the superuser's stores, which a daemon can still read after it has dropped privileges.
SUPERUSER_DIRECTORY = "/var/cache/certhook"

# The largest index or manifest that is read, in bytes. Those of 10,000 roots have 1 MB.
_MAX_SIZE = 1 << 26
# O_NONBLOCK: opening a FIFO must not block.
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)

# The owner of files of users outside the user namespace, user_namespaces(7). A process with this user ID
# cannot distinguish its own files from theirs.
_OVERFLOW_UID = 65534
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
# Windows has access lists instead of modes.
_TYPE_AND_WRITABLE = 0o170000 | (0 if sys.platform == "win32" else _WRITABLE_BY_OTHERS)


class Unusable(Exception):
    """A directory or a store that cannot be used, with the reason.

    :ivar is_unsafe: whether another user can modify it, which is always reported
    :ivar is_public: whether every user can, as in /tmp, which is reported only if the user configured it
    """

    def __init__(self, reason: str, is_unsafe: bool = False, is_public: bool = False) -> None:
        super().__init__(reason)
        self.is_unsafe = is_unsafe
        self.is_public = is_public


class Index:
    """The inputs of a trust set, and the store built from them.

    :ivar settings: everything that the trust set depends on besides its inputs
    :ivar digest: the name of the store
    :ivar store_signature: the signature of the store's directory when it was complete
    :ivar snapshot: the inputs with their signatures
    :ivar problems: the problems to report, as pairs of a path or variable and a message
    :ivar unreadable: block lists that the process that wrote the index may not read; the index is valid
        only for processes that may not read them either
    """

    def __init__(
        self,
        settings: "Tuple[str, ...]",
        digest: str,
        store_signature: "Signature",
        snapshot: Snapshot,
        problems: "List[Tuple[str, str]]",
        unreadable: "List[str]",
    ) -> None:
        self.settings, self.digest, self.store_signature = settings, digest, store_signature
        self.snapshot, self.problems, self.unreadable = snapshot, problems, unreadable

    @classmethod
    def from_bytes(cls, data: bytes) -> "Index":
        """Decode the result of :func:`certhook._store.build.encode`; raise :exc:`ValueError` for anything else."""
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
        settings, (digest, seen, portable), direct, link_targets, members, problems, unreadable = parts
        if not digest or digest.strip("0123456789abcdef"):
            raise ValueError("an index without a digest")
        snapshot = Snapshot(decode_rows(direct), decode_rows(link_targets), decode_rows(members), portable == "1")
        pairs = list(zip(problems[::2], problems[1::2]))
        return cls(tuple(settings), digest, decode_signature(seen), snapshot, pairs, unreadable)


def lookup(
    directories: "Sequence[str]", settings: "Tuple[str, ...]", verify: "Callable[[str], None]"
) -> "Tuple[Optional[str], Optional[Index], List[Unusable]]":
    """Find a current, complete store for *settings* in the first of *directories* that contains one.

    :param verify: raises :class:`Unusable` if a store is not complete
    :returns: the path of the store and its index, or None; and why directories with an index were rejected
    """
    rejected = []
    for directory in directories:
        # Tested first, because most directories contain no store.
        if exists(index_path(directory, settings)):
            try:
                directory = resolve_protected(directory)
                index = find(directory, settings, verify)
            except Unusable as failure:
                rejected.append(failure)
                continue
            if index is not None:
                return os.path.join(directory, index.digest), index, rejected
    return None, None, rejected


def index_path(directory: str, settings: "Tuple[str, ...]") -> str:
    """Return the path of the index for *settings*. An index contains its settings, so a collision is a miss."""
    return os.path.join(directory, f"index-{crc32(os.fsencode(chr(0).join(settings))):08x}")


def find(directory: str, settings: "Tuple[str, ...]", verify: "Callable[[str], None]") -> "Optional[Index]":
    """Return the index for *settings* in *directory*, if its inputs are unchanged and its store is complete.

    The members of input directories and the files of the store, which are many, are checked once
    per :data:`MEMBERS_INTERVAL` for all processes. The index's modification time records it.
    """
    path = index_path(directory, settings)
    try:
        data, checked = read_small(path)
        index = Index.from_bytes(data)
        if index.settings != settings or any(map(_is_readable, index.unreadable)):
            return None
        # A portable snapshot lacks the directory's time, which would show a replaced file.
        thorough = index.snapshot.portable or not _is_recent(checked)
        if not index.snapshot.is_current(thorough):
            return None
        store = os.path.join(directory, index.digest)
        check_directory(store, os.lstat(store))
        is_unchanged = are_unchanged([("path", store, "", index.store_signature)], portable=False)
        if not is_unchanged:
            from certhook._watch.paths import signature

            index.store_signature = signature(store)  # before verifying, so that no change is lost
        if thorough or not is_unchanged:
            verify(store)
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
    """Return whether a check of every file at the time *checked* is still valid."""
    # A check before the machine started is not valid: files are not synced, and a crash may have lost parts of them.
    return 0 <= time() - checked < min(MEMBERS_INTERVAL, monotonic())


def is_protected(status: os.stat_result, owners: "Tuple[int, ...]") -> bool:
    """Return whether *status* is that of a file that belongs to one of *owners*, and only its owner can modify."""
    return status.st_mode & _TYPE_AND_WRITABLE == stat.S_IFREG and status.st_uid in owners


def read_small(path: str) -> "Tuple[bytes, float]":
    """Return the content of an index or a manifest, and its modification time in seconds."""
    descriptor = os.open(path, _READ_FLAGS)
    try:
        status = os.fstat(descriptor)
        if status.st_size > _MAX_SIZE or not is_protected(status, trusted_owners()):
            raise OSError(f"{path} is not an index or a manifest")
        return os.read(descriptor, status.st_size), status.st_mtime
    finally:
        os.close(descriptor)


def store_directory(configured: "Optional[str]") -> "Tuple[Optional[str], str]":
    """Return the directory in which this process builds stores, or None, and the reason for None.

    :param configured: the value of CERTHOOK_CACHE_DIR: None if it is unset, empty for ``none``
    """
    if configured is not None:
        return configured or None, "" if configured else "CERTHOOK_CACHE_DIR=none"
    if is_privileged() or ids_differ():
        return None, "the process runs with the privileges of another user"
    directory = _user_directory()
    return directory, "" if directory else NO_CACHE_DIRECTORY


def _user_directory() -> "Optional[str]":
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "") if process.use_environment else ""
        return os.path.join(base, "certhook", "Cache") if os.path.isabs(base) else None
    if os.geteuid() == 0:
        return SUPERUSER_DIRECTORY
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


def resolve_protected(directory: str) -> str:
    """Verify that no other user can modify *directory*, which may not exist, or its parents.

    :returns: its path without symbolic links
    :raises Unusable: if another user can
    """
    if os.path.islink(directory):
        raise Unusable(f"{directory} is a symbolic link; expected a directory of this user", is_unsafe=True)
    path = os.path.abspath(directory)
    # abspath() would remove a link that precedes "..".
    current = directory if os.path.isabs(directory) else path
    parent = ""
    while parent != current:
        try:
            status = os.lstat(current)
        except FileNotFoundError:
            pass
        except OSError as error:
            if sys.platform != "win32":  # There, a user may have no access to a parent.
                raise Unusable(f"{current} cannot be examined: {error.strerror}") from None
        else:
            if stat.S_ISLNK(status.st_mode):
                return resolve_protected(os.path.realpath(directory))
            check_directory(current, status)
        parent, current = current, os.path.dirname(current)
    if os.pathsep in path:
        raise Unusable(f"{path} contains {os.pathsep!r}, which separates directories for OpenSSL")
    return path


def check_directory(path: str, status: "os.stat_result") -> None:
    """Verify that *path* is a directory that no other user can modify.

    :raises Unusable: if it is not
    """
    if sys.platform == "win32":
        return  # The access list of the user's directory protects it.
    if not stat.S_ISDIR(status.st_mode):
        raise Unusable(f"{path} is not a directory")
    if status.st_uid not in trusted_owners():
        if status.st_uid == _OVERFLOW_UID:
            raise Unusable(f"{path} belongs to a user outside this user namespace (nobody)")
        reason = f"{path} belongs to user {status.st_uid}; expected the user of this process or root"
        raise Unusable(reason, is_unsafe=True)
    if status.st_mode & _WRITABLE_BY_OTHERS:
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
