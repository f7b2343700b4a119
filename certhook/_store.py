"""Compiled stores: finding one, and making sure that it may be used.

A compiled store is a trust set as a directory in OpenSSL's hashed layout, which
OpenSSL reads on demand: a context is pointed at it in microseconds, where
loading the roots takes 15 to 20 ms (cpython#95031). This module is on the way to
every first context; :mod:`certhook._compiler` makes what is found here.

::

    <folder>/index-<settings>   what the inputs looked like, and the store made of them
    <folder>/<digest>/          the store: <subject hash>.<n>, one PEM certificate in each
    <folder>/<digest>/cert.pem  all of them, for who asks ssl.get_default_verify_paths() for a file
    <folder>/<digest>/manifest  the names and sizes of these files

A folder is used only if nobody but this process's user and root can change
anything in it or on the way to it, and root uses only root's: OpenSSL will read
the store long after it was checked here.
"""

import os
import stat
import sys
from binascii import crc32
from time import monotonic, time

from certhook import _config

if sys.platform == "win32":
    from certhook import _registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Optional, Tuple

    from certhook._config import Config

    #: Time of change in nanoseconds, size in bytes, inode and device of a path; None where nothing is.
    Signature = Optional[Tuple[int, int, int, int]]

_INDEX = b"certhook index 6"
_MANIFEST = "certhook store 1"
MANIFEST = "manifest"
BUNDLE = "cert.pem"

# What kind of file it is, and whether its group or others can write (on Windows its
# mode does not say, but its access list).
_KIND_AND_OTHERS = 0o170000 if sys.platform == "win32" else 0o170000 | stat.S_IWGRP | stat.S_IWOTH

# A pipe in the place of a file is not waited for.
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)

# In bytes; an index or a manifest of 10,000 roots has 1 MB.
_LIMIT = 1 << 26

#: How long a look at where links lead, and one at every single file, hold, in seconds: see :class:`Inputs`.
LINKED_LOOK_EVERY = 0.1
DEEP_LOOK_EVERY = 10

# Whom the files of users that a user namespace does not map seem to belong to, user_namespaces(7):
# whoever has this number cannot tell his own from theirs.
_NOBODY = 65534

#: Where root's stores are, so that a daemon can still read them when it has dropped its privileges.
ROOTS_FOLDER = "/var/cache/certhook"


class Unusable(Exception):
    """A folder or a store cannot be used, for the reason that it carries.

    Whether it is *unsafe*, and not just missing or unwritable, says whether a person should hear of it;
    where it is just *public*, as what is in /tmp, only who chose it.
    """

    def __init__(self, reason: str, unsafe: bool = False, public: bool = False) -> None:
        super().__init__(reason)
        self.unsafe = unsafe
        self.public = public


class Inputs:
    """The paths that had a say in something, and how they looked just before they were read.

    :ivar near: files and directories, looked at whenever somebody asks
    :ivar linked: the directories to which links in those of *near* lead, looked at
        less often: an update of the operating system shows in *near* as well
    :ivar deep: the files in directories of both, often hundreds: the directory,
        and the names in it, separated by slashes. A file that comes, goes or is
        replaced shows in its directory; one that is overwritten in place shows
        only in itself, and is looked for least often
    :ivar deep_seen: :func:`look` at these
    :ivar portable: whether the signatures are :func:`portable_signature`
    """

    __slots__ = ("deep", "deep_seen", "linked", "near", "portable")

    def __init__(
        self,
        near: "dict[str, Signature]",
        linked: "dict[str, Signature]",
        deep: "dict[str, str]",
        deep_seen: int,
        portable: bool,
    ) -> None:
        self.near = near
        self.linked = linked
        self.deep = deep
        self.deep_seen = deep_seen
        self.portable = portable

    def is_current(self, deep: bool) -> bool:
        """Whether everything still looks as it did.

        :param deep: whether to look at every single file
        """
        for paths in (self.near, self.linked):
            if not look_the_same(paths.items(), self.portable):
                return False
        return not deep or look(self.deep, self.portable) == self.deep_seen

    def seen_anew(self, portable: bool) -> "Inputs":
        """The same paths as they look now."""
        see = portable_signature if portable else signature
        near = {path: see(path) for path in self.near}
        linked = {path: see(path) for path in self.linked}
        return Inputs(near, linked, self.deep, look(self.deep, portable), portable)


def look_the_same(paths: "Iterable[Tuple[str, Signature]]", portable: bool) -> bool:
    """Whether each of *paths* has its signature."""
    see = portable_signature if portable else _existing_signature
    try:
        for path, seen in paths:
            # That nothing is there is half as expensive to learn without an exception.
            if os.access(path, os.F_OK) if seen is None else see(path) != seen:
                return False
    except (OSError, ValueError):
        return False
    return True


class Watched:
    """Paths that are looked at for every context, and the signatures that they have to have.

    :param paths: in the order in which they are looked at
    """

    __slots__ = ("_paths",)

    if sys.platform == "win32":

        def __init__(self, paths: "Iterable[Tuple[str, Signature]]") -> None:
            self._paths = list(paths)

        def is_current(self) -> bool:
            """Whether all of them still look so."""
            return look_the_same(self._paths, portable=False)

    else:

        def __init__(self, paths: "Iterable[Tuple[str, Signature]]") -> None:
            # Encoded once, and not by each call.
            self._paths = [(os.fsencode(path), seen) for path, seen in paths]

        def is_current(self) -> bool:
            """Whether all of them still look so: :func:`look_the_same` without a call that can be spared."""
            access, stat = os.access, os.stat
            try:
                for path, seen in self._paths:
                    if seen is None:
                        if access(path, 0):
                            return False
                    else:
                        status = stat(path)
                        if (status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev) != seen:
                            return False
            except (OSError, ValueError):
                return False
            return True


def signature(path: str) -> "Signature":
    """What *path* looks like now, links followed: enough to see that it changed."""
    try:
        return _existing_signature(path)
    except (OSError, ValueError):
        return None


if sys.platform == "win32":

    def _existing_signature(path: str) -> "Signature":
        return _registry.key_signature(path) if _registry.is_key(path) else _signature_of(os.stat(path))

    def _signature_of(status: os.stat_result) -> "Signature":
        return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev

else:

    def _existing_signature(path: str) -> "Signature":
        return _signature_of(os.stat(path))

    def _signature_of(status: os.stat_result) -> "Signature":
        # The time of change shows what the time of modification does not: a mode that was
        # changed, and content that was changed by a tool which puts the old time back.
        return status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


def portable_signature(path: str) -> "Signature":
    """The same, of what survives when a file system is packed into the layers of a container image.

    No time does for certain. It is the mode and the size of a file and a checksum
    of what is in it, or of the names in a directory and where the links of these lead.
    """
    if sys.platform == "win32" and _registry.is_key(path):
        return _registry.portable_key_signature(path)
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                names = sorted((entry.name, os.readlink(entry) if entry.is_symlink() else "") for entry in entries)
            return status.st_mode, 0, crc32(repr(names).encode()), 0
        if not stat.S_ISREG(status.st_mode):
            return status.st_mode, 0, 0, 0
        descriptor = os.open(path, _READ)
        try:
            return status.st_mode, status.st_size, crc32(os.read(descriptor, min(status.st_size, _LIMIT))), 0
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None


def look(deep: "dict[str, str]", portable: bool = False) -> int:
    """A checksum of what the files of :attr:`Inputs.deep` look like now."""
    return checksum([_look_inside(folder, names.split("/"), portable) for folder, names in deep.items()])


def checksum(signatures: "list[list[Signature]]") -> int:
    """A checksum of the signatures of the files in each directory, in their order."""
    return crc32(repr(signatures).encode())


# So many files of a directory, and it is read to find them.
_MANY = 8


def _look_inside(folder: str, names: "list[str]", portable: bool) -> "list[Signature]":
    if sys.platform == "win32" and _registry.is_store(folder):
        return [_registry.store_signature(folder)]
    if sys.platform == "darwin" and not os.path.isabs(folder):
        from certhook import _security

        return [_security.settings_signature(folder)]
    if portable or len(names) < _MANY or os.scandir not in os.supports_fd:
        return _look_at_each(folder, names, portable)
    found = {}
    wanted = set(names)
    try:
        # Relative to the open folder, its path is walked once and not for each file.
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if entry.name in wanted:
                        found[entry.name] = _signature_of(entry.stat())
        finally:
            os.close(descriptor)
    except OSError:
        # One of them cannot be examined, perhaps it is gone.
        return _look_at_each(folder, names, portable)
    return [found.get(name) for name in names]


def _look_at_each(folder: str, names: "list[str]", portable: bool) -> "list[Signature]":
    see = portable_signature if portable else signature
    return [see(os.path.join(folder, name)) for name in names]


class Index:
    """What a trust set was read from, and the store that was made of it.

    :ivar settings: everything besides the inputs that the set depends on
    :ivar digest: the name of the store
    :ivar store_seen: how its directory looked when it was whole
    :ivar inputs: the paths that had a say, and how they looked
    :ivar problems: what is to be warned of: pairs of a path or variable, and a sentence
    :ivar closed: the paths that may not be read, so that what they distrust is not known: the index
        is not for who may
    """

    __slots__ = ("closed", "digest", "inputs", "problems", "settings", "store_seen")

    def __init__(
        self,
        settings: "tuple[str, ...]",
        digest: str,
        store_seen: "Signature",
        inputs: "Inputs",
        problems: "list[tuple[str, str]]",
        closed: "list[str]",
    ) -> None:
        self.settings = settings
        self.digest = digest
        self.store_seen = store_seen
        self.inputs = inputs
        self.problems = problems
        self.closed = closed

    def to_bytes(self) -> bytes:
        """The index as it is written: lists of fields, each behind its length, separated by what no path has."""
        inputs = self.inputs
        near, linked = (
            [field for path, seen in paths.items() for field in (path, _field(seen))]
            for paths in (inputs.near, inputs.linked)
        )
        deep = [field for pair in inputs.deep.items() for field in pair]
        problems = [field for problem in self.problems for field in problem]
        basics = [self.digest, _field(self.store_seen), str(int(inputs.portable)), str(inputs.deep_seen)]
        fields: list[str] = []
        for part in (self.settings, basics, near, linked, deep, problems, self.closed):
            fields += [str(len(part)), *part]
        body = os.fsencode("\0".join(fields))
        return b"%s\0%08x\0%s" % (_INDEX, crc32(body), body)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Index":
        """Read what :meth:`to_bytes` wrote.

        :raises ValueError: for anything else
        """
        magic, _, rest = data.partition(b"\0")
        checksum, _, body = rest.partition(b"\0")
        if magic != _INDEX or checksum != b"%08x" % crc32(body):
            raise ValueError("not an index, or a damaged one")
        fields = os.fsdecode(body).split("\0")
        parts = []
        start = 0
        while start < len(fields):
            end = start + 1 + int(fields[start])
            if not start < end <= len(fields):
                raise ValueError("an index with a wrong length in it")
            parts.append(fields[start + 1 : end])
            start = end
        settings, (digest, store_seen, portable, deep_seen), near, linked, deep, problems, closed = parts
        if not digest or digest.strip("0123456789abcdef"):
            raise ValueError("an index with no digest in it")
        near_seen, linked_seen = ({path: _signature(seen) for path, seen in _pairs(paths)} for paths in (near, linked))
        inputs = Inputs(near_seen, linked_seen, dict(_pairs(deep)), int(deep_seen), portable == "1")
        return cls(tuple(settings), digest, _signature(store_seen), inputs, _pairs(problems), closed)


def _pairs(fields: "list[str]") -> "list[tuple[str, str]]":
    if len(fields) % 2:
        raise ValueError("an index with half a pair in it")
    return list(zip(fields[::2], fields[1::2]))


def _field(seen: "Signature") -> str:
    return " ".join(map(str, seen or ()))


def _signature(field: str) -> "Signature":
    if not field:
        return None
    modified, size, inode, device = map(int, field.split())
    return modified, size, inode, device


def beside_package() -> "str | None":
    """Where ``python -m certhook compile`` puts the store: beside the package."""
    # In memory (frozen into C, PyOxidizer), a module has no __file__.
    package = os.path.dirname(globals().get("__file__", ""))
    return os.path.join(os.path.dirname(package), "certhook-store") if os.path.isabs(package) else None


def own_folder(config: "Config") -> "str | None":
    """The cache folder of this process, None where there is to be none."""
    if config.cache_dir is not None:
        return config.cache_dir or None
    if _config.privileged() or _config.acts_for_another():
        return None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "") if _config.use_environment else ""
        return os.path.join(base, "certhook", "Cache") if os.path.isabs(base) else None
    if os.geteuid() == 0:
        return ROOTS_FOLDER
    # The base directory specification has relative paths ignored.
    heeded = _config.use_environment and sys.platform != "darwin"
    base = os.environ.get("XDG_CACHE_HOME", "") if heeded else ""
    if not os.path.isabs(base):
        home = os.path.expanduser("~") if _config.use_environment else _home_of_user()
        if not os.path.isabs(home):
            return None
        base = os.path.join(home, "Library/Caches" if sys.platform == "darwin" else ".cache")
    return os.path.join(base, "certhook")


def _home_of_user() -> str:
    """The home of this process's user, whatever the environment says; empty where nobody knows it."""
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_dir
    except (ImportError, KeyError):
        return ""


def is_shared(folder: str) -> bool:
    """Whether other users may read the stores in *folder*: root's, for daemons that drop its privileges."""
    return sys.platform != "win32" and os.geteuid() == 0


def resolve(folder: str) -> str:
    """Make sure that nobody else can change *folder*, which may not exist yet, or the way to it.

    :returns: its path without symbolic links
    :raises Unusable: if somebody can
    """
    if os.path.islink(folder):
        raise Unusable(f"{folder} is a symbolic link; a folder of this user was expected", unsafe=True)
    path = _without_links(folder)
    if os.pathsep in path:
        # OpenSSL would take it for two directories.
        raise Unusable(f"{path} has {os.pathsep!r} in it, at which OpenSSL splits")
    if sys.platform == "win32":
        return path  # The user's folder there is private by its access list.
    place = path
    while True:
        try:
            status = os.lstat(place)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise Unusable(f"{place} cannot be examined: {error.strerror}") from None
        else:
            _check_owner(place, status)
        parent = os.path.dirname(place)
        if parent == place:
            return path
        place = parent


def _without_links(path: str) -> str:
    place = path
    while place != os.path.dirname(place):
        if os.path.islink(place):
            return os.path.realpath(path)
        place = os.path.dirname(place)
    return os.path.abspath(path)


def _check_owner(path: str, status: "os.stat_result") -> None:
    if not stat.S_ISDIR(status.st_mode):
        raise Unusable(f"{path} is no folder")
    if status.st_uid not in _owners():
        if status.st_uid == _NOBODY:
            raise Unusable(f"{path} belongs to a user who has no name here (nobody)")
        raise Unusable(f"{path} belongs to user {status.st_uid}; it has to be this process's user or root", unsafe=True)
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        reason = f"{path} can be written by others (mode {stat.S_IMODE(status.st_mode):o})"
        if status.st_mode & stat.S_ISVTX:
            # Once what this user has there is deleted, anybody may make it anew, under a program that still uses it.
            raise Unusable(f"{reason}; choose a place that is not", public=True)
        raise Unusable(f"{reason}; 'chmod go-w' it", unsafe=True)


def index_path(folder: str, settings: "tuple[str, ...]") -> str:
    """Where the index for *settings* is. They are compared when it is read, so a clash of names is only a miss."""
    return os.path.join(folder, f"index-{crc32(os.fsencode(chr(0).join(settings))):08x}")


def find(folder: str, settings: "tuple[str, ...]") -> "Index | None":
    """The index for *settings* in *folder*, if its inputs look as they did and its store is whole.

    What comes, goes or is replaced shows in a directory, and is seen at once. What is
    overwritten in place shows only in itself: hundreds of files, of the inputs and of the
    store, which processes that start one after another need not all look at.
    """
    path = index_path(folder, settings)
    try:
        data, looked = _slurp(path)
        index = Index.from_bytes(data)
        if index.settings != settings or any(map(_may_be_read, index.closed)):
            return None
        # That a file was replaced shows in the time of its directory, which is not looked at where it is portable.
        deep = index.inputs.portable or not _is_recent(looked)
        if not index.inputs.is_current(deep):
            return None
        store = os.path.join(folder, index.digest)
        if deep or signature(store) != index.store_seen:
            check(store)
        else:
            _check_folder(store)
    except (OSError, ValueError, Unusable):
        return None
    if deep:
        try:
            os.utime(path)
        except OSError:
            pass  # Somebody else's, or a disk that cannot be written.
    return index


def _may_be_read(path: str) -> bool:
    return os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)


def _is_recent(looked: float) -> bool:
    """Whether a look at every single file still holds: the index bears the time of the last one, by any process."""
    # What was written before the machine was started may be lost in part: nothing is synced.
    return 0 <= time() - looked < min(DEEP_LOOK_EVERY, monotonic())


def check(store: str) -> None:
    """Make sure that *store* is whole: exactly the files of its manifest, each of its size.

    :raises Unusable: if it is not
    """
    try:
        _check_folder(store)
        expected, _ = _slurp(os.path.join(store, MANIFEST))
        sizes = _sizes(store)
    except OSError as error:
        raise Unusable(f"it cannot be read: {error.strerror}") from None
    sizes.pop(MANIFEST, None)
    if manifest(sizes) != expected:
        raise Unusable("files of it are missing, foreign, or not of their size")


def is_whole(store: str) -> bool:
    """Whether :func:`check` finds nothing wrong with *store*."""
    try:
        check(store)
    except Unusable:
        return False
    return True


def _check_folder(store: str) -> None:
    if sys.platform != "win32":
        _check_owner(store, os.lstat(store))


def _sizes(store: str) -> "dict[str, int]":
    """The sizes of what is in *store*, -1 for what is no file or not ours."""
    if os.scandir not in os.supports_fd:
        return _scan(store)
    # Relative to the open folder, its path is walked once and not for each file.
    descriptor = os.open(store, os.O_RDONLY)
    try:
        return _scan(descriptor)
    finally:
        os.close(descriptor)


def _scan(folder: "str | int") -> "dict[str, int]":
    sizes = {}
    owners = _owners()
    with os.scandir(folder) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            sizes[entry.name] = status.st_size if _is_own_file(status, owners) else -1
    return sizes


def _owners() -> "tuple[int, ...]":
    """The users whose files are trusted: this process's and root."""
    if sys.platform == "win32" or os.geteuid() == _NOBODY:
        return (0,)
    return 0, os.geteuid()


def _is_own_file(status: os.stat_result, owners: "tuple[int, ...]") -> bool:
    """Whether it is a file that nobody but its owner can change, and that one of *owners* has."""
    return status.st_mode & _KIND_AND_OTHERS == stat.S_IFREG and status.st_uid in owners


def _slurp(path: str) -> "tuple[bytes, float]":
    """The content of a small file, and when it was modified, in seconds."""
    descriptor = os.open(path, _READ)
    try:
        status = os.fstat(descriptor)
        if status.st_size > _LIMIT or not _is_own_file(status, _owners()):
            raise OSError(f"{path} is not an index or a manifest")
        return os.read(descriptor, status.st_size), status.st_mtime
    finally:
        os.close(descriptor)


def manifest(sizes: "dict[str, int]") -> bytes:
    """The manifest of a store with files of these names and sizes."""
    names = sorted(sizes)
    return os.fsencode(f"{_MANIFEST}\n{' '.join(names)}\n{[sizes[name] for name in names]}\n")
