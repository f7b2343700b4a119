"""Looking up compiled stores, and the rules for their directories.

A compiled store is a trust set in OpenSSL's hashed directory layout, which OpenSSL reads on
demand. Pointing a context at it takes microseconds; loading the roots takes 15 to 20 ms
(cpython#95031). :mod:`certhook._store.build` creates stores.

::

    <directory>/index-<settings>   the inputs with their signatures, and the store built from them
    <directory>/trust-<settings>   a link to the current store, to which contexts point (POSIX)
    <directory>/<digest>/          the store: <subject hash>.<n>, one PEM certificate each
    <directory>/<digest>/cert.pem  all certificates, for ssl.get_default_verify_paths()
    <directory>/<digest>/manifest  the names, sizes and checksums of these files

OpenSSL reads a store long after it was verified. A directory is therefore used only if no user
but the user of this process and the superuser can modify it or its parents. The directory next to
the package is as trustworthy as the package.
"""

import os
import stat
import sys
from binascii import crc32
from time import monotonic, time

from certhook._state import OVERFLOW_UID, ids_differ, is_privileged, process
from certhook._watch import (
    RARE_INTERVAL,
    Snapshot,
    decode_rows,
    decode_signature,
    exists,
    files_signature,
    path_signature,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Optional, Sequence, Tuple

    from certhook._types import Signature

    #: Verifies the files of a store and their checksums: its path, and the protection of its files.
    Verify = Callable[[str, "Protection"], None]

#: The first field of every index.
INDEX = b"certhook index 12"

NO_DATA_DIRECTORY = "the user has no data directory"
#: The directory of the superuser's stores, which a daemon can still read after it has dropped privileges.
SUPERUSER_DIRECTORY = "/var/lib/certhook"

#: The largest index or manifest that is read, in bytes. Those of 10,000 roots have 1 MB.
MAX_SIZE = 1 << 26
# O_NONBLOCK: opening a FIFO must not block.
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_IS_WINDOWS = sys.platform == "win32"
_REMEDY = "set CERTHOOK_STORE_DIR to a directory that no other user can modify"


class Unusable(Exception):
    """A directory or a store that cannot be used, with the reason."""


class Protection:
    """The protection that the files and directories of a store must have.

    Windows has access lists instead of modes; the list of the user's directory protects it.

    :ivar owners: the IDs of the users that may own them
    :ivar forbidden: the permissions that they must not have
    """

    __slots__ = ("forbidden", "owners")

    def __init__(self, package: "Optional[str]" = None) -> None:
        """Create the protection of the user's own directory, or of the one next to the directory *package*."""
        has_users = not _IS_WINDOWS and os.geteuid() != OVERFLOW_UID
        self.owners: Tuple[int, ...] = (0, os.geteuid()) if has_users else (0,)
        self.forbidden = 0 if _IS_WINDOWS else _WRITABLE_BY_OTHERS
        if package is not None and not _IS_WINDOWS:
            status = os.stat(package)
            self.owners += (status.st_uid,)
            self.forbidden &= ~status.st_mode

    def covers(self, status: os.stat_result) -> bool:
        """Return whether *status* is that of a file with this protection."""
        mode = status.st_mode
        return stat.S_ISREG(mode) and not mode & self.forbidden and status.st_uid in self.owners

    def check_directory(self, path: str, status: os.stat_result) -> None:
        """Verify that *path* is a directory with this protection.

        :raises Unusable: if it is not
        """
        if _IS_WINDOWS:
            return
        if not stat.S_ISDIR(status.st_mode):
            raise Unusable(f"{path} is not a directory; {_REMEDY}")
        if status.st_uid not in self.owners:
            user = "a user outside this user namespace (nobody)"
            if status.st_uid != OVERFLOW_UID:
                user = f"user {status.st_uid}; expected the user of this process or root"
            raise Unusable(f"{path} belongs to {user}; {_REMEDY}")
        if status.st_mode & self.forbidden:
            found = f"{path} is writable by other users (mode {stat.S_IMODE(status.st_mode):o})"
            # If this user's directory in /tmp is deleted, another user may create it again while a program uses it.
            # On file systems without modes, chmod has no effect.
            is_own = status.st_uid == os.geteuid() and not status.st_mode & stat.S_ISVTX
            raise Unusable(f"{found}; {_chmod(path) if is_own else ''}{_REMEDY}")

    def check_link(self, path: str, status: os.stat_result) -> None:
        """Verify that *path* is a symbolic link of a user whose directories are trusted.

        :raises Unusable: if it is not
        """
        if not _IS_WINDOWS and status.st_uid not in self.owners:
            raise Unusable(f"{path} is a symbolic link of user {status.st_uid}; {_REMEDY}")


def _chmod(path: str) -> str:
    from certhook._text import quoted_path

    return f"run 'chmod go-w {quoted_path(path)}', or "


class Index:
    """The inputs of a trust set, and the store built from them.

    :ivar settings: everything that the trust set depends on besides its inputs
    :ivar digest: the name of the store
    :ivar link: the name of the link to the store, empty if contexts point at the store itself
    :ivar store_signature: the signature of the store's directory when it was complete
    :ivar files_signature: the signature of its files when they were complete
    :ivar snapshot: the inputs with their signatures
    :ivar problems: the problems to report, as pairs of a path or variable and a message
    :ivar readable: inputs that the process that wrote the index can read, but not every process; the index is
        valid only for processes that can read them as well
    :ivar unreadable: inputs that this process cannot read; the index is valid only for processes that cannot either
    :ivar built: when the store was built, in seconds since the epoch, and why
    :ivar roots: the number of roots by source, as text
    :ivar host: the machine that wrote the index. Machines that were cloned, and share a directory of stores, have
        inputs with equal signatures, until those of one machine change
    """

    def __init__(
        self,
        settings: "Tuple[str, ...]",
        digest: str,
        link: str,
        store_signature: "Signature",
        files_signature: "Signature",
        snapshot: Snapshot,
        problems: "List[Tuple[str, str]]",
        readable: "List[str]",
        unreadable: "List[str]",
        built: "Tuple[int, str]",
        host: str = "",
        roots: str = "",
    ) -> None:
        self.host, self.roots = host, roots
        self.settings, self.digest, self.link = settings, digest, link
        self.store_signature, self.files_signature = store_signature, files_signature
        self.snapshot, self.problems, self.built = snapshot, problems, built
        self.readable, self.unreadable = readable, unreadable

    @property
    def target(self) -> str:
        """The name of the link or the store to which contexts point."""
        return self.link or self.digest

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
        settings, header, frequent, rare, content, problems, readable, unreadable = parts
        digest, link, host, seen, files, portable, built, reason, roots = header
        if not digest or digest.strip("0123456789abcdef") or (link and (link[:6] != "trust-" or os.sep in link)):
            raise ValueError("an index without a digest")
        snapshot = Snapshot(decode_rows(frequent), decode_rows(rare), decode_rows(content), portable == "1")
        pairs = list(zip(problems[::2], problems[1::2]))
        since = int(built), reason
        return cls(
            tuple(settings),
            digest,
            link,
            decode_signature(seen),
            decode_signature(files),
            snapshot,
            pairs,
            readable,
            unreadable,
            since,
            host,
            roots,
        )


def lookup(
    directories: "Sequence[Tuple[Optional[str], Optional[str]]]",
    settings: "Tuple[str, ...]",
    verify: "Verify",
    is_suspect: bool = False,
) -> "Tuple[Optional[str], Optional[Index], List[Unusable]]":
    """Find a current, complete store for *settings* in the first of *directories* that contains one.

    :param directories: each with the package that it is next to, None for the user's own directory
    :param verify: raises :class:`Unusable` if a store is not complete
    :param is_suspect: whether to verify the checksums of the store
    :returns: the path that contexts point at and its index, or None; and why directories with an index were rejected
    """
    rejected = []
    for directory, package in directories:
        # Tested first, because most directories contain no store.
        if directory is not None and exists(index_path(directory, settings)):
            try:
                protection = Protection(package)
                if package is None:
                    directory = resolve_protected(directory)
                else:
                    _check_for_openssl(directory)
                    protection.check_directory(directory, os.lstat(directory))
                index = find(directory, settings, protection, verify, is_suspect)
            except Unusable as failure:
                rejected.append(failure)
            except OSError as error:  # The directory was removed meanwhile.
                rejected.append(Unusable(f"{directory} is inaccessible: {error.strerror}"))
            else:
                return os.path.join(directory, index.target), index, rejected
    return None, None, rejected


def index_path(directory: str, settings: "Tuple[str, ...]") -> str:
    """Return the path of the index for *settings*. An index contains its settings, so a collision is a miss."""
    return os.path.join(directory, f"index-{crc32(os.fsencode(chr(0).join(settings))):08x}")


def find(
    directory: str, settings: "Tuple[str, ...]", protection: Protection, verify: "Verify", is_suspect: bool = False
) -> Index:
    """Return the index for *settings* in *directory*.

    The signature of the store's files, which are many, is checked once per :data:`RARE_INTERVAL` for all
    processes. Their checksums are verified if it has changed, and on the first use after boot: files are
    not synced, and a crash may have damaged them. The index's modification time records the last check.

    :raises Unusable: if an input has changed, or the store is not complete
    """
    path = index_path(directory, settings)
    try:
        data, checked = read_small(path, protection)
        index = Index.from_bytes(data)
    except (OSError, ValueError) as error:
        raise Unusable(f"{path} is damaged: {error}") from None
    if not index.snapshot.portable and index.host not in ("", host_name()):
        raise Unusable(f"{path} belongs to the machine {index.host}")
    if index.settings != settings or not _has_same_permissions(index):
        raise Unusable(f"{path} belongs to a process with other settings or permissions")
    age = time() - checked
    is_suspect = is_suspect or not 0 <= age < monotonic()
    snapshot = index.snapshot
    thorough = is_suspect or snapshot.portable or age >= RARE_INTERVAL
    if snapshot.portable:
        # Before the check, so that no change is lost.
        index.snapshot = snapshot.retaken(portable=False)
    if not snapshot.is_current(thorough):
        raise Unusable("a file or directory that roots are read from has changed")
    store = os.path.join(directory, index.digest)
    try:
        protection.check_directory(store, os.lstat(store))
        if index.link and os.readlink(os.path.join(directory, index.link)) != index.digest:
            raise Unusable(f"{index.link} is a link to another store")
        seen = path_signature(store)
        if thorough or seen != index.store_signature:
            files = files_signature(store)
            if is_suspect or (seen, files) != (index.store_signature, index.files_signature):
                verify(store, protection)
            # Those before the verification, so that no change is lost.
            index.store_signature, index.files_signature = seen, files
    except OSError as error:
        raise Unusable(f"{store} is missing or inaccessible: {error.strerror}") from None
    if thorough:
        mark_used(path)
        if index.link:
            mark_used(os.path.join(directory, index.link))
    return index


def mark_used(path: str) -> None:
    """Record that the index or link *path* is used now, as its modification time."""
    try:
        os.utime(path, follow_symlinks=os.utime not in os.supports_follow_symlinks)
    except OSError:
        pass  # It belongs to another user, or the file system is read-only.


def host_name() -> str:
    """Return the name of this machine or container."""
    return os.uname().nodename if hasattr(os, "uname") else ""


def _has_same_permissions(index: Index) -> bool:
    return all(map(is_readable, index.readable)) and not any(map(is_readable, index.unreadable))


def is_readable(path: str) -> bool:
    """Return whether this process may read *path*."""
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def read_small(path: str, protection: Protection, dir_fd: "Optional[int]" = None) -> "Tuple[bytes, float]":
    """Return the content of an index or a manifest, and its modification time in seconds.

    :param dir_fd: the descriptor of the directory that *path* is relative to
    """
    descriptor = os.open(path, _READ_FLAGS, dir_fd=dir_fd)
    try:
        status = os.fstat(descriptor)
        if status.st_size > MAX_SIZE or not protection.covers(status):
            raise OSError(f"{path} is not an index or a manifest")
        return os.read(descriptor, status.st_size), status.st_mtime
    finally:
        os.close(descriptor)


def store_directory(configured: "Optional[str]") -> "Tuple[Optional[str], str]":
    """Return the directory in which this process builds stores, or None, and the reason for None.

    :param configured: the value of CERTHOOK_STORE_DIR: None if it is unset, empty for ``none``
    """
    if configured is not None:
        return configured or None, "" if configured else "CERTHOOK_STORE_DIR=none"
    if is_privileged() or ids_differ():
        return None, "the process runs with the privileges of another user"
    directory = _user_directory()
    return directory, "" if directory else NO_DATA_DIRECTORY


def _user_directory() -> "Optional[str]":
    if _IS_WINDOWS:
        base = os.environ.get("LOCALAPPDATA", "") if process.use_environment else ""
        return os.path.join(base, "certhook", "Data") if os.path.isabs(base) else None
    if os.geteuid() == 0:
        return SUPERUSER_DIRECTORY
    uses_xdg = process.use_environment and sys.platform != "darwin"
    base = os.environ.get("XDG_DATA_HOME", "") if uses_xdg else ""
    # The XDG base directory specification requires that relative paths are ignored.
    if not os.path.isabs(base):
        home = os.path.expanduser("~") if process.use_environment else _home_in_passwd()
        if not os.path.isabs(home):
            return None
        base = os.path.join(home, "Library/Application Support" if sys.platform == "darwin" else ".local/share")
    return os.path.join(base, "certhook")


def _home_in_passwd() -> str:
    """Return the effective user's home directory according to the user database; empty if it has none."""
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_dir
    except (ImportError, KeyError):
        return ""


def resolve_protected(directory: str, is_beside_package: bool = False) -> str:
    """Verify that no other user can modify *directory*, which may not exist, or its parents.

    :param is_beside_package: whether it is next to the package, and therefore as trustworthy as the package
    :returns: its path without symbolic links
    :raises Unusable: if another user can
    """
    if os.path.islink(directory):
        raise Unusable(f"{directory} is a symbolic link; {_REMEDY}")
    protection = Protection()
    path = os.path.abspath(directory)
    # abspath() would remove a link that precedes "..".
    current = directory if os.path.isabs(directory) else path
    parent = ""
    while parent != current and not is_beside_package:
        try:
            status = os.lstat(current)
        except FileNotFoundError:
            pass
        except OSError as error:
            if not _IS_WINDOWS:  # There, a user may have no access to a parent.
                raise Unusable(f"{current} cannot be examined ({error.strerror}); {_REMEDY}") from None
        else:
            if stat.S_ISLNK(status.st_mode):
                return resolve_protected(os.path.realpath(directory))
            protection.check_directory(current, status)
        parent, current = current, os.path.dirname(current)
    _check_for_openssl(path)
    return path


def _check_for_openssl(path: str) -> None:
    if os.pathsep in path:
        raise Unusable(f"{path} contains {os.pathsep!r}, which separates directories for OpenSSL; {_REMEDY}")
