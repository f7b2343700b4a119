"""Removing compiled stores that no program uses.

Contexts point at links, which are replaced when trust changes, so a store that no link and no index
references is not in use. A store of a file that a caller named is used without a link. The time
of the last use is the modification time of an index, which the first context of a process updates.
"""

from __future__ import annotations

import os
import sys
from time import monotonic, time

from certhook._state import BUNDLE, process
from certhook._store import MAX_SIZE, Index, Protection, Unusable
from certhook._store.opening import open_stores
from certhook._store.verification import MANIFEST
from certhook._watch import MEMBERS, PATH, exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable, Mapping

    from certhook._directory import Directory

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
    """Return whether :func:`certhook._directory.temporary_name` generated *name*."""
    hidden, _, random = name.rpartition(".")
    return hidden[:1] == "." and _is(random, ("", 16)) and _is(hidden[1:], *kinds)


def _is_own(directory: Directory, name: str) -> bool:
    """Return whether the entry *name* is a temporary file, or a directory that contains only files of a store.

    Git, and caches of programs, name files and directories by 40 hexadecimal digits as well.
    """
    if name[:1] == ".":
        return True
    if not directory.is_directory(name):
        return False
    with directory.inner(name) as store:
        for file in store.names():
            is_certificate = file[8:9] == "." and _HEXADECIMAL.issuperset(file[:8]) and file[9:].isdigit()
            if not is_certificate and file not in (BUNDLE, MANIFEST):
                return False
    return True


# The age in seconds at which no process uses a temporary file any more, or reads a store that it found through a link.
_GRACE = 3600
# The age of the last use at which a store is removed automatically, in seconds.
_MAX_AGE = 30 * 24 * 3600


class _Stores:
    """A directory of stores, with the references between its entries.

    :param directory: the open directory
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._protection = Protection()
        self.names = directory.names()
        self.indexes = {name: self._index(name) for name in self.names if _is(name, _INDEX)}
        self.links = {name: self._target(name) for name in self.names if _is(name, _LINK)}
        self.removed: list[str] = []

    def _index(self, name: str) -> Index | None:
        try:
            return Index.from_bytes(self._directory.read(name, MAX_SIZE, self._protection.covers))
        except (OSError, ValueError):
            return None  # It is damaged, or has the format of another version.

    def _target(self, name: str) -> str:
        try:
            return self._directory.link(name)
        except OSError:
            return ""

    def last_use(self, name: str) -> float:
        """Return when a process last verified the store *name*, which has no index, in seconds; 0 if it is missing."""
        try:
            with self._directory.inner(name) as store:
                return store.status(MANIFEST).st_mtime
        except OSError:
            return 0.0

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
        directory = self._directory
        for name in names:
            try:
                if not is_unused(name, directory.status(name).st_mtime):
                    continue
                if not (_is(name, _INDEX, _LINK) or _is_own(directory, name)):
                    continue
                directory.remove(name)
                self.removed.append(os.path.join(directory.path, name))
            except OSError:
                continue  # It was removed meanwhile, or cannot be removed.
            self.indexes.pop(name, None)
            self.links.pop(name, None)

    def remove_stores(self, is_unused: IsUnused) -> None:
        """Remove the stores that nothing references and that are unused."""
        used = {index.digest for index in self.indexes.values() if index is not None} | {*self.links.values()}
        self.remove([name for name in self.names if _is(name, _STORE) and name not in used], is_unused)


def sweep(directory: Directory) -> None:
    """Remove entries of a directory of stores that no running program uses. Errors are ignored."""
    now = time()
    boot = now - monotonic()
    try:
        stores = _Stores(directory)
        stores.remove(stores.leftovers(), lambda _, used: now - used > _GRACE)

        def is_old(_: str, used: float) -> bool:
            return used < boot and now - used > _MAX_AGE

        # On Windows, and on file systems without links, contexts point at the stores themselves.
        valid = [index for index in stores.indexes.values() if index is not None]
        has_links = sys.platform != "win32" and all(index.link for index in valid)
        built = stores.times_of_building()
        stores.remove(built, lambda name, used: is_old(name, max(used, built[name])))
        stores.remove([name for name in stores.links if name not in _linked(stores)], is_old)
        named = stores.file_stores()
        stores.remove(named, lambda name, used: is_old(name, max(used, stores.last_use(name))))
        stores.remove_stores((lambda _, used: now - used > _GRACE) if has_links else is_old)
    except OSError:
        pass  # The directory was deleted.


def prune(path: str, package: str | None = None) -> list[str]:
    """Remove every store in the directory *path* that is not the current one of an index with existing inputs.

    Running programs may use the removed stores; their contexts are repaired after the next failed verification.

    :param package: the package next to the directory, None for the user's own directory
    :returns: the paths that were removed
    :raises Unusable: if another user can modify the directory, or it cannot be opened
    :raises OSError: if the directory cannot be read
    """

    def always(_: str, used: float) -> bool:
        return True

    with open_stores(path, package) as directory:
        stores = _Stores(directory)
        gone = [name for name, index in stores.indexes.items() if index is None or not _inputs_exist(index)]
        stores.remove(gone, always)
        stores.remove([name for name in stores.links if name not in _linked(stores)], always)
        stores.remove(stores.file_stores(), always)
        stores.remove(stores.leftovers(), always)
        stores.remove_stores(always)
        return stores.removed


def follow(former: str, link: str, package: str | None = None) -> None:
    """Let contexts that point at the link *former* follow *link*, unless an index references it.

    The name of a link depends on the bundle, so that an update of certifi creates another one. Later changes,
    such as a distrusted root, concern the contexts from before the update as well.

    :param package: the package next to their directory, None for the user's own directory
    """
    path, name = os.path.split(link)
    if os.path.dirname(former) != path or not (os.path.islink(former) and os.path.islink(link)):
        return
    former = os.path.basename(former)
    try:
        with open_stores(path, package) as directory:
            if former not in _linked(_Stores(directory)):
                directory.replace_link(former, name)
    except (OSError, Unusable):
        pass  # The directory was deleted, or is not writable.


def _linked(stores: _Stores) -> set[str]:
    return {index.link for index in stores.indexes.values() if index is not None}


def _inputs_exist(index: Index) -> bool:
    """Return whether the files and directories that existed when *index* was written still exist."""
    for kind, name, _, seen in index.snapshot.frequent:
        if (kind == MEMBERS or (kind == PATH and seen is not None)) and not exists(name):
            return False
    return True


def remove_former() -> None:
    """Remove the stores of version 0.1.0, in the cache directory, that were not used since the latest boot."""
    boot = time() - monotonic()
    path = _former_directory()
    if not os.path.isabs(path) or not os.path.isdir(path):
        return
    parent, name = os.path.split(path)
    try:
        with open_stores(path) as directory:
            for entry in directory.names():
                is_former = _is(entry, _INDEX, _STORE) or _is_leftover(entry, _INDEX, _STORE)
                if is_former and directory.status(entry).st_mtime < boot:
                    directory.remove(entry)
        with open_stores(parent) as directory:
            directory.remove_empty(name)
    except (OSError, Unusable):
        pass  # It contains other entries, or another user can modify it.


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
