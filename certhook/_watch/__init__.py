"""Change detection: has an input of a trust set changed since it was read?

An input is a file or directory, the members of a directory, a point in time, a registry key, a
Windows certificate store, or the trust settings of macOS. Its signature is a cheap fingerprint. A
:class:`Snapshot` contains the inputs with the signatures that they had just before they were read.

Inputs are checked at most every :data:`INTERVAL`; between two checks, no file is accessed.
Only a different signature is evidence of a change. An exception is not, because blockbuster,
debuggers and mocks make functions of ``os`` raise, and a process may have no file descriptor left.
Paths are checked with the functions that ``os`` re-exports, so that a replaced ``os`` has no effect:
OpenSSL reads the real files even while pyfakefs hides them.

This module is imported for every first context. It checks paths itself;
:mod:`certhook._watch.inputs` is imported only to check other kinds.
"""

import _ssl
import os
import sys
from binascii import crc32
from time import monotonic

from certhook import __version__
from certhook._config import SERVER_AUTH, SETTINGS
from certhook._finder import undisturbed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Optional, Tuple

    from certhook._config import Config
    from certhook._types import Rows, Signature

#: The kind of a file or a directory, whose name is its absolute path.
PATH = "path"
#: The kind of files in one directory, often hundreds. Its name is the directory, and its detail the names of the
#: files, separated by slashes. A file that is overwritten in place changes only this input.
MEMBERS = "members"

#: Whether VERIFY_X509_PARTIAL_CHAIN is set by default, so that a chain may end at any trusted certificate.
PARTIAL_CHAINS = sys.version_info >= (3, 13)

#: The time after which the inputs are checked again, in seconds.
INTERVAL = 0.1
#: The time after which expensive inputs and the files of a compiled store are checked again, in seconds.
RARE_INTERVAL = 10

# From this number of files on, opening the directory is cheaper than examining each file by its path.
_SCAN_FROM = 8
# The part of a file that a portable signature covers, in bytes.
_MAX_SIZE = 1 << 26
# O_NONBLOCK: opening a FIFO must not block.
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
# The file types of stat.S_IFMT().
_TYPE, _DIRECTORY, _REGULAR = 0o170000, 0o040000, 0o100000

_system: "Any" = sys.modules.get(os.name, os)  # posix or nt

# On Windows, signatures contain another timestamp, and stat() is slow for bytes.
_HAS_FAST_PATHS = sys.platform != "win32"


class Snapshot:
    """The inputs of a trust set with their signatures, in two groups.

    :ivar frequent: files, directories, and members of directories, checked every :data:`INTERVAL`
    :ivar rare: inputs that are expensive to check, checked every :data:`RARE_INTERVAL`
    :ivar content: files and directories among them with unreliable timestamps, and portable signatures; a process
        checks them when it looks up the trust set
    :ivar portable: whether all signatures are portable: independent of timestamps, inodes and devices, so that they
        remain valid in a container image
    :ivar is_provisional: whether an input could not be read because of an error that may be transient
    """

    __slots__ = ("content", "frequent", "is_provisional", "portable", "rare")

    def __init__(
        self,
        frequent: "Rows",
        rare: "Rows",
        content: "Rows",
        portable: bool = False,
        is_provisional: bool = False,
    ) -> None:
        self.frequent = frequent
        self.rare = rare
        self.content = content
        self.portable = portable
        self.is_provisional = is_provisional

    def is_current(self, thorough: bool) -> bool:
        """Return whether every input still has its signature.

        :param thorough: whether to check the expensive inputs as well
        """
        if not are_unchanged(self.frequent, self.portable) or not are_unchanged(self.content, portable=True):
            return False
        return not thorough or are_unchanged(self.rare, self.portable)

    def retaken(self, portable: bool) -> "Snapshot":
        """Return a snapshot of the same inputs with their current signatures."""
        frequent, rare, content = (
            [(kind, name, detail, current_signature(kind, name, detail, wanted)) for kind, name, detail, _ in rows]
            for rows, wanted in ((self.frequent, portable), (self.rare, portable), (self.content, True))
        )
        return Snapshot(frequent, rare, [] if portable else content, portable, self.is_provisional)


class Monitor:
    """Checks a snapshot repeatedly, each group at its interval.

    :param snapshot: the inputs with their signatures, which are not portable
    :param also: further inputs that are checked frequently
    :param verify: called every :data:`RARE_INTERVAL`, and with True by :meth:`check_now`; returns whether the result is
        still valid
    """

    __slots__ = ("_checked", "_checked_rare", "_others", "_paths", "_rare", "_verify")

    def __init__(self, snapshot: Snapshot, also: "Rows", verify: "Callable[[bool], bool]") -> None:
        self._verify = verify
        self._checked = self._checked_rare = monotonic()
        self._paths, self._others = _split_paths([*also, *snapshot.frequent])
        self._rare = snapshot.rare

    def is_current(self) -> bool:
        """Return whether nothing has changed, as far as the intervals allow."""
        now = monotonic()
        if now - self._checked < INTERVAL:
            return True
        try:
            if not self._is_unchanged(now - self._checked_rare >= RARE_INTERVAL, is_suspect=False):
                return False
        except Exception:
            pass  # The next check tries again; see the documentation of this module.
        else:
            # Only now: until then, other threads check for themselves.
            self._checked = now
        return True

    def check_now(self) -> bool:
        """Return whether nothing has changed, according to a check of everything at once."""
        try:
            return bool(self._is_unchanged(thorough=True, is_suspect=True))
        except Exception:
            return True

    @undisturbed
    def _is_unchanged(self, thorough: bool, is_suspect: bool) -> bool:
        if not _paths_unchanged(self._paths) or not are_unchanged(self._others, portable=False):
            return False
        if thorough:
            now = monotonic()
            if not self._verify(is_suspect) or not are_unchanged(self._rare, portable=False):
                return False
            self._checked_rare = now
        return True


def index_settings(config: "Config", purpose: int) -> "Tuple[str, ...]":
    """Return everything that a trust set depends on besides its inputs: the key of its index."""
    bundle = config.bundle
    if bundle is None and "bundled" in config.sources and purpose == SERVER_AUTH:
        bundle = _bundle_key(config.named)
    _, file, _, directory = _ssl.get_default_verify_paths()
    # CERTHOOK_ADOPT changes the result of requests for public bundles, not the trust set.
    relevant = [setting.attribute for setting in SETTINGS if setting.selects_roots and setting.attribute != "adopt"]
    selected = [repr(getattr(config, attribute)) for attribute in relevant]
    # Every LibreSSL has the same version number. Partial chains affect the order of certificates with equal names.
    version = f"{_ssl.OPENSSL_VERSION}, {PARTIAL_CHAINS}"
    named = f"{config.named} {config.requested}"
    overrides = str(config.overrides_system)
    return (__version__, version, sys.platform, str(purpose), file, directory, str(bundle), named, overrides, *selected)


def _bundle_key(named: "Optional[str]") -> str:
    """Return the text that identifies the public bundle *named*, or certifi's, in the settings of an index."""
    if named is None and not hasattr(sys, "_MEIPASS"):
        from certhook._finder import find_package

        spec = find_package("certifi")
        if spec is not None:
            return f"{spec.origin} {spec.submodule_search_locations}"
    from certhook import _public_bundles

    return _public_bundles.index_key(named or _public_bundles.CERTIFI)


def exists(path: str) -> bool:
    """Return whether *path* exists. access() would use the real user and ignore capabilities."""
    try:
        _system.stat(path)
    except (OSError, ValueError):
        return False
    return True


def decode_rows(fields: "List[str]") -> "Rows":
    """Decode the rows of one group in an index.

    :raises ValueError: if *fields* are malformed
    """
    if len(fields) % 4:
        raise ValueError("an index with an incomplete input")
    signatures = map(decode_signature, fields[3::4])
    return list(zip(fields[::4], fields[1::4], fields[2::4], signatures))


def decode_signature(field: str) -> "Signature":
    """Decode a signature in an index."""
    if not field:
        return None
    changed, size, inode, device = map(int, field.split())
    return changed, size, inode, device


def _split_paths(rows: "Rows") -> "Tuple[List[Tuple[bytes, Signature]], Rows]":
    """Return the paths in *rows*, encoded in advance, and the rows of other inputs."""
    paths = [(os.fsencode(name), seen) for kind, name, _, seen in rows if _HAS_FAST_PATHS and kind == PATH]
    return paths, [row for row in rows if not (_HAS_FAST_PATHS and row[0] == PATH)]


def are_unchanged(rows: "Rows", portable: bool) -> bool:
    """Return whether each input has its signature."""
    if not portable:
        paths, rows = _split_paths(rows)
        if not _paths_unchanged(paths):
            return False
    return all(current_signature(kind, name, detail, portable) == seen for kind, name, detail, seen in rows)


def current_signature(kind: str, name: str, detail: str, portable: bool) -> "Signature":
    """Return the current signature of an input."""
    if kind == PATH:
        return content_signature(name) if portable else path_signature(name)
    if kind == MEMBERS:
        names = detail.split("/")
        if portable:
            found = [content_signature(os.path.join(name, one)) for one in names]
            return crc32(repr(found).encode()), len(found), 0, 0
        return _members_signature(name, names)
    from certhook._watch.inputs import restore

    return restore(kind, name).signature(portable)


def path_signature(path: str) -> "Signature":
    """Return the signature of *path*, following symbolic links."""
    try:
        status = _system.stat(path)
    except (OSError, ValueError):
        return None
    return status_signature(status)


def status_signature(status: os.stat_result) -> "Signature":
    """Return the signature of a path with this status."""
    # Unlike the modification time, the change time also reflects a changed mode, and tools that restore the
    # modification time after changing the content.
    changed = status.st_ctime_ns if _HAS_FAST_PATHS else status.st_mtime_ns
    return changed, status.st_size, status.st_ino, status.st_dev


def content_signature(path: str) -> "Signature":
    """Return a signature of *path* that depends on no timestamp, inode or device.

    It consists of the mode, the size and a checksum: of a file's content, or of a directory's
    names and link targets.
    """
    try:
        mode = _system.stat(path).st_mode
        if mode & _TYPE == _DIRECTORY:
            with _system.scandir(path) as entries:
                names = sorted([(one.name, _system.readlink(one.path) if one.is_symlink() else "") for one in entries])
            return mode, 0, crc32(repr(names).encode()), 0
        if mode & _TYPE != _REGULAR:
            return mode, 0, 0, 0
        descriptor = _system.open(path, _READ_FLAGS)
        try:
            size = _system.fstat(descriptor).st_size
            return mode, size, crc32(_system.read(descriptor, min(size, _MAX_SIZE))), 0
        finally:
            _system.close(descriptor)
    except (OSError, ValueError):
        return None


def _members_signature(directory: str, names: "List[str]") -> "Signature":
    if len(names) >= _SCAN_FROM:
        try:
            return files_signature(directory, names)
        except OSError:
            pass  # Only the files are readable, not the directory.
    return sum_signatures([path_signature(os.path.join(directory, name)) for name in names])


def sum_signatures(signatures: "List[Signature]") -> "Signature":
    """Return the signature of files in one directory from their own signatures: the sums, and the number of files.

    A change of a file increases its change time, and a replaced file changes the directory itself.
    """
    found = [seen for seen in signatures if seen is not None]
    changed, sizes, inodes = (sum([seen[field] for seen in found]) for field in range(3))
    return changed, sizes, inodes, len(found)


def files_signature(directory: str, names: "Optional[List[str]]" = None) -> "Signature":
    """Return the signature of the files *names* in *directory*, or of all entries without following links.

    :raises OSError: if the directory cannot be read
    """
    if os.stat not in os.supports_dir_fd:  # Windows
        names = _system.listdir(directory) if names is None else names
        return sum_signatures([path_signature(os.path.join(directory, name)) for name in names])
    changed = sizes = inodes = count = 0
    # Relative to an open directory, the kernel resolves its path once instead of once per file.
    descriptor = _system.open(directory, os.O_RDONLY)
    try:
        follows = names is not None
        stat = _system.stat
        for name in _system.listdir(descriptor) if names is None else names:
            try:
                status = stat(name, dir_fd=descriptor, follow_symlinks=follows)
            except OSError:
                continue  # It was removed, as sum_signatures() assumes.
            changed += status.st_ctime_ns
            sizes += status.st_size
            inodes += status.st_ino
            count += 1
    finally:
        _system.close(descriptor)
    return changed, sizes, inodes, count


def _paths_unchanged(paths: "List[Tuple[bytes, Signature]]") -> bool:
    """Return whether each of *paths* has its signature. This runs for many contexts, so it calls only ``os``."""
    access, stat = _system.access, _system.stat
    try:
        for path, seen in paths:
            if seen is None:
                # Half as expensive as the exception that stat() raises for a missing file.
                if access(path, 0):
                    return False
            else:
                status = stat(path)
                if (status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev) != seen:
                    return False
    except (OSError, ValueError):
        return False
    return True
