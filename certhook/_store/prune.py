"""Removing compiled stores that no program uses.

Contexts point at links, which are replaced when trust changes, so a store that no link and no index
references is not in use. A store of a file that a caller named is used without a link. The time
of the last use is the modification time of an index, which the first context of a process updates.
"""

from __future__ import annotations

import os
import sys
from time import monotonic, time

from certhook import _files
from certhook._state import BUNDLE, process
from certhook._store import Index, Protection, Unusable, read_small
from certhook._store.verification import MANIFEST, last_use
from certhook._watch import MEMBERS, PATH, exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable, Mapping

    #: Returns whether an entry of a directory may be removed: its name and the time of its last use.
    IsUnused = Callable[[str, float], bool]

# The kinds of entries, with the lengths of the hexadecimal digits in their names. Other entries are not certhook's.
_INDEX, _LINK, _STORE, _FILE_STORE = ("index-", 8), ("trust-", 16), ("", 40), ("file-", 40)
_HEXADECIMAL = frozenset("0123456789abcdef")


def _is(name: str, *kinds: tuple[str, int]) -> bool:
    return any(
        name.startswith(prefix) and len(name) == len(prefix) + digits and _HEXADECIMAL.issuperset(name[len(prefix) :])
        for prefix, digits in kinds
    )


def _is_leftover(name: str, *kinds: tuple[str, int]) -> bool:
    """Return whether :func:`certhook._files.temporary_path` generated *name*."""
    hidden, _, random = name.rpartition(".")
    return hidden[:1] == "." and _is(random, ("", 16)) and _is(hidden[1:], *kinds)


def _is_own(path: str) -> bool:
    """Return whether *path* is a temporary file, or a directory that contains only files of a store.

    Git, and caches of programs, name files and directories by 40 hexadecimal digits as well.
    """
    if os.path.basename(path)[:1] == ".":
        return True
    if os.path.islink(path) or not os.path.isdir(path):
        return False
    for name in os.listdir(path):
        is_certificate = name[8:9] == "." and _HEXADECIMAL.issuperset(name[:8]) and name[9:].isdigit()
        if not is_certificate and name not in (BUNDLE, MANIFEST):
            return False
    return True


# The age in seconds at which no process uses a temporary file any more, or reads a store that it found through a link.
_GRACE = 3600
# The age of the last use at which a store is removed automatically, in seconds.
_MAX_AGE = 30 * 24 * 3600


class _Directory:
    """A directory of stores, with the references between its entries.

    :param path: its path
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.names = os.listdir(path)
        self.indexes = {name: self._index(name) for name in self.names if _is(name, _INDEX)}
        self.links = {name: self._target(name) for name in self.names if _is(name, _LINK)}
        self.removed: list[str] = []

    def _index(self, name: str) -> Index | None:
        try:
            return Index.from_bytes(read_small(os.path.join(self.path, name), Protection())[0])
        except (OSError, ValueError, Unusable):
            return None  # It is damaged, or has the format of another version.

    def _target(self, name: str) -> str:
        try:
            return os.readlink(os.path.join(self.path, name))
        except OSError:
            return ""

    def file_stores(self) -> list[str]:
        """Return the stores of files that callers named."""
        return [name for name in self.names if _is(name, _FILE_STORE)]

    def leftovers(self) -> list[str]:
        """Return the temporary files of interrupted processes."""
        return [name for name in self.names if _is_leftover(name, _INDEX, _LINK, _STORE, _FILE_STORE)]

    def times_of_building(self) -> dict[str, int]:
        """Return when the stores of the indexes were built. The index of a store without a first use has no time."""
        return {name: 0 if index is None else index.built[0] for name, index in self.indexes.items()}

    def remove(self, names: Iterable[str], is_unused: IsUnused) -> None:
        """Remove those of *names* that are unused."""
        for name in names:
            path = os.path.join(self.path, name)
            try:
                if not is_unused(name, os.lstat(path).st_mtime) or not (_is(name, _INDEX, _LINK) or _is_own(path)):
                    continue
                _files.remove(path)
                self.removed.append(path)
            except OSError:
                continue  # It was removed meanwhile, or cannot be removed.
            self.indexes.pop(name, None)
            self.links.pop(name, None)

    def remove_stores(self, is_unused: IsUnused) -> None:
        """Remove the stores that nothing references and that are unused."""
        used = {index.digest for index in self.indexes.values() if index is not None} | {*self.links.values()}
        self.remove([name for name in self.names if _is(name, _STORE) and name not in used], is_unused)


def sweep(path: str) -> None:
    """Remove entries of the directory *path* that no running program uses. Errors are ignored."""
    now = time()
    boot = now - monotonic()
    try:
        directory = _Directory(path)
        directory.remove(directory.leftovers(), lambda _, used: now - used > _GRACE)

        def is_old(_: str, used: float) -> bool:
            return used < boot and now - used > _MAX_AGE

        # On Windows, and on file systems without links, contexts point at the stores themselves.
        valid = [index for index in directory.indexes.values() if index is not None]
        has_links = sys.platform != "win32" and all(index.link for index in valid)
        built = directory.times_of_building()
        directory.remove(built, lambda name, used: is_old(name, max(used, built[name])))
        directory.remove([name for name in directory.links if name not in _linked(directory)], is_old)
        named = directory.file_stores()
        directory.remove(named, lambda name, used: is_old(name, max(used, last_use(os.path.join(path, name)))))
        directory.remove_stores((lambda _, used: now - used > _GRACE) if has_links else is_old)
    except OSError:
        pass  # The directory was deleted.


def prune(path: str) -> list[str]:
    """Remove every store in the directory *path* that is not the current one of an index with existing inputs.

    Running programs may use the removed stores; their contexts are repaired after the next failed verification.

    :returns: the paths that were removed
    :raises OSError: if the directory cannot be read
    """
    directory = _Directory(path)

    def always(_: str, used: float) -> bool:
        return True

    gone = [name for name, index in directory.indexes.items() if index is None or not _inputs_exist(index)]
    directory.remove(gone, always)
    directory.remove([name for name in directory.links if name not in _linked(directory)], always)
    directory.remove(directory.file_stores(), always)
    directory.remove(directory.leftovers(), always)
    directory.remove_stores(always)
    return directory.removed


def follow(former: str, link: str) -> None:
    """Let contexts that point at the link *former* follow *link*, unless an index references it.

    The name of a link depends on the bundle, so that an update of certifi creates another one. Later changes,
    such as a distrusted root, concern the contexts from before the update as well.
    """
    path, name = os.path.split(link)
    if os.path.dirname(former) != path or not (os.path.islink(former) and os.path.islink(link)):
        return
    try:
        if os.path.basename(former) not in _linked(_Directory(path)):
            _files.replace_link(former, name)
    except OSError:
        pass  # The directory was deleted, or is not writable.


def _linked(directory: _Directory) -> set[str]:
    return {index.link for index in directory.indexes.values() if index is not None}


def _inputs_exist(index: Index) -> bool:
    """Return whether the files and directories that existed when *index* was written still exist."""
    for kind, name, _, seen in index.snapshot.frequent:
        if (kind == MEMBERS or (kind == PATH and seen is not None)) and not exists(name):
            return False
    return True


def remove_former() -> None:
    """Remove the stores of version 0.1.0, in the cache directory, that were not used since the latest boot."""
    boot = time() - monotonic()
    try:
        path = _former_directory()
        for name in os.listdir(path):
            entry = os.path.join(path, name)
            is_former = _is(name, _INDEX, _STORE) or _is_leftover(name, _INDEX, _STORE)
            if is_former and os.lstat(entry).st_mtime < boot:
                _files.remove(entry)
        os.rmdir(path)
    except OSError:
        pass  # It does not exist, or contains other entries.


def _former_directory() -> str:
    """Return the directory in which version 0.1.0 stored stores."""
    environ: Mapping[str, str] = os.environ if process.use_environment else {}
    if sys.platform == "win32":
        return os.path.join(environ.get("LOCALAPPDATA", ""), "certhook", "Cache")
    if os.geteuid() == 0:
        return "/var/cache/certhook"
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Caches/certhook")
    base = environ.get("XDG_CACHE_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.expanduser("~/.cache"), "certhook")
