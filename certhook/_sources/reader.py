"""Reading files and directories into one set of anchors, with an account of it."""

from __future__ import annotations

import errno
import os
import re
from time import sleep, time_ns

from certhook import _anchors, _files, _x509
from certhook._sources.distrust import Distrust
from certhook._sources.places import ANY, HASHED_OLD
from certhook._store import Inputs, checksum, signature
from certhook.exceptions import CerthookError, ConfigurationError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

    from certhook._anchors import Anchor
    from certhook._config import Config
    from certhook._store import Signature

_HASHED_NAME = re.compile(r"([0-9a-f]{8})\.(0|[1-9][0-9]{0,5})")
# What stays as it is until the path looks different: it is not there, or not for this user.
_LASTING = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG)
# Linux follows no more of them, see path_resolution(7).
_MOST_LINKS = 40
_CERTIFICATE_NAMES = (".pem", ".crt", ".cer", ".der")


# How long a tick of a file system's clock is, in seconds: 10 ms, and on the coarsest 2 s.
_TICK = 0.02
_COARSE_TICK = 2.0


def _unsettled(seen: Signature) -> float:
    """For how long, in seconds, what looks like *seen* may change once more and still look so."""
    if seen is None:
        return 0.0
    changed = seen[0]
    age = (time_ns() - changed) / 1e9
    tick = _COARSE_TICK if changed % 1_000_000_000 == 0 else _TICK
    return tick - age if 0 <= age < tick else 0.0


class Place:
    """One file, directory or store that was looked at: what it gave, and why not more.

    :ivar source: "system", "bundled" or "extra"
    :ivar path: where it is, or what it is called
    :ivar ders: the anchors it listed, as DER, those that another place had listed before included
    :ivar note: why it gave none, in a few words
    """

    __module__ = "certhook"
    __slots__ = ("ders", "note", "path", "source")

    def __init__(self, source: str, path: str) -> None:
        self.source = source
        self.path = path
        self.ders: set[bytes] = set()
        self.note = ""

    @property
    def count(self) -> int:
        """How many anchors it listed, each once."""
        return len(self.ders)


class Reader:
    """The anchors that were found, and the account of where.

    :param config: what to read
    :param purpose: the bit of the purpose that the anchors are wanted for
    """

    def __init__(self, config: Config, purpose: int) -> None:
        self.config = config
        self.purpose = purpose
        self.places: list[Place] = []
        self.problems: list[CerthookError] = [*config.problems]
        # What each path that had a say looked like just before it was read, and
        # the same of the files in those of them that are directories, by name.
        self._near: dict[str, Signature] = {}
        self._linked: dict[str, Signature] = {}
        self._deep: dict[str, dict[str, Signature]] = {}
        #: whether something was read whose changes no signature shows (a Windows store)
        self.volatile = False
        #: the paths that may not be read, and that say what is distrusted
        self.closed: list[str] = []
        #: what is taken from the trust set, whichever source lists it
        self.distrust = Distrust()
        self._anchors: dict[bytes, Anchor] = {}

    @property
    def inputs(self) -> Inputs:
        """The paths that had a say, and how they looked."""
        deep = {folder: "/".join(files) for folder, files in self._deep.items()}
        seen = checksum([list(files.values()) for files in self._deep.values()])
        return Inputs(self._near, self._linked, deep, seen, portable=False)

    def watch(self, path: str) -> None:
        """Have a change of *path* seen, from now on."""
        self._watch(path, self._near)

    def watch_inside(self, path: str) -> None:
        """The same of a file in a directory, and of the directory of each link on the way to it."""
        watched = self._near
        for _ in range(_MOST_LINKS):
            folder, name = os.path.split(path)
            self._watch(folder, watched)
            try:
                path = os.path.join(folder, os.readlink(path))
            except (OSError, ValueError):
                break  # no link
            watched = self._linked
        files = self._deep.setdefault(folder, {})
        if name not in files:
            files[name] = self._settled(path)

    def _watch(self, path: str, watched: dict[str, Signature]) -> None:
        if path in watched or path in self._near:
            return
        # Of many places in a directory that is not there, the directory is watched.
        parent = os.path.dirname(path)
        while path != parent and not os.path.lexists(parent):
            path, parent = parent, os.path.dirname(parent)
        if path not in watched and path not in self._near:
            # As it looked at first: what was there then may have been read.
            watched[path] = self._linked.pop(path) if path in self._linked else self._settled(path)

    def _settled(self, path: str) -> Signature:
        """What *path* looks like before it is read, when another change of it would look different.

        One within the same tick of the file system's clock would not, and never be seen.
        """
        seen = signature(path)
        left = _unsettled(seen)
        if 0 < left <= _TICK:
            sleep(left)
            seen = signature(path)
            left = _unsettled(seen)
        if left > 0:
            self.volatile = True
        return seen

    def watch_keys(self, keys: Iterable[str]) -> None:
        """Have a change of keys of Windows' registry seen, from now on."""
        for key in keys:
            self._near[key] = signature(key)

    def watch_content(self, path: str, seen: Signature) -> None:
        """Have a change of what is no file seen, that looked like *seen* when it was read."""
        self._deep[path] = {"": seen}

    @property
    def anchors(self) -> list[Anchor]:
        """Those trusted for the purpose, in the order of their sources.

        One that any source rejects for it is left out, whoever else lists it.
        """
        wanted = self.purpose
        return [a for a in self._anchors.values() if a.trusted & wanted and not a.rejected & wanted]

    @property
    def removed(self) -> list[Anchor]:
        """Those that would be trusted for the purpose, and are rejected."""
        return [a for a in self._anchors.values() if a.trusted & self.purpose and a.rejected & self.purpose]

    @property
    def rejected(self) -> list[Anchor]:
        """Those that are rejected for the purpose, and that no source would have be trusted for it."""
        wanted = self.purpose
        found = [a for a in self._anchors.values() if a.rejected & wanted and not a.trusted & wanted]
        for der in self.distrust.certificates:
            if der not in self._anchors:
                anchor = _anchors.Anchor(der)
                self.distrust.apply(anchor)
                if anchor.rejected & wanted:
                    found.append(anchor)
        return found

    @property
    def count(self) -> int:
        """How many of :attr:`anchors` there are."""
        return len(self.anchors)

    def add(self, place: Place, anchors: list[Anchor], path: str | None = None) -> None:
        """Take *anchors* in, as listed by *place* (and there by the file *path*)."""
        for anchor in anchors:
            known = self._anchors.setdefault(anchor.der, anchor)
            listing = (place.source, path or place.path)
            if anchor.rejected and listing[1] not in known.rejected_by:
                known.rejected_by.append(listing[1])
            known.trusted |= anchor.trusted
            known.rejected |= anchor.rejected
            if known is anchor:
                self.distrust.apply(anchor)
            if listing not in known.listed:
                known.listed.append(listing)
            if anchor.trusted & self.purpose and not known.rejected & self.purpose:
                place.ders.add(anchor.der)

    def place(self, source: str, path: str) -> Place:
        """Open the account of one place."""
        place = Place(source, path)
        self.places.append(place)
        return place

    def file(self, source: str, path: str, setting: str | None = None) -> int:
        """Read a file of certificates.

        :param setting: the variable that named it; without one it is a place
            where nothing need be
        :returns: how many anchors it listed
        """
        place = self.place(source, path)
        anchors = self._load(path, place, setting)
        self.add(place, anchors)
        if not anchors and not place.note:
            self._nothing(place, setting, "holds no certificate")
        return place.count

    def text(self, source: str, path: str, data: bytes) -> int:
        """Read certificates that were in memory or in an archive at *path*."""
        place = self.place(source, path)
        anchors, skipped = self._parse(data)
        self.problems.extend(SourceError(path, message) for message in skipped)
        self.add(place, anchors)
        if not anchors:
            place.note = "holds no certificate"
            self.problems.append(SourceError(path, place.note))
        return place.count

    def _parse(self, data: bytes) -> tuple[list[Anchor], list[str]]:
        if self.distrust.gone:
            self.distrust.add_labelled(data)
            for anchor in self._anchors.values():
                self.distrust.apply(anchor)  # One that an earlier source listed.
        return _anchors.parse(data)

    def directory(self, source: str, path: str, layout: str, setting: str | None = None) -> int:
        """Read a directory of certificates.

        :param layout: one of :mod:`certhook._sources.places`
        :param setting: as in :meth:`file`
        :returns: how many anchors it listed
        """
        place = self.place(source, path)
        self.watch(path)
        try:
            names = sorted(os.listdir(path))
        except (OSError, ValueError) as error:
            self._nothing(place, setting, f"cannot be read: {getattr(error, 'strerror', None) or error}")
            if not setting and not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                self.problems.append(SourceError(path, place.note))
            self.failed(error)
            return 0
        if layout == ANY:
            self._any(place, names)
            expected = f"no certificate in a file *{', *'.join(_CERTIFICATE_NAMES)}"
        else:
            self._hashed(place, names, old=layout == HASHED_OLD)
            expected = "no certificate under a name that OpenSSL looks up, <subject hash>.<n>"
            if setting:
                expected += f"; 'openssl rehash {path}' makes these names"
        if not place.count:
            self._nothing(place, setting, f"holds {expected}")
        return place.count

    def _any(self, place: Place, names: list[str]) -> None:
        for name in names:
            path = os.path.join(place.path, name)
            named = name.lower().endswith(_CERTIFICATE_NAMES) or _HASHED_NAME.fullmatch(name)
            if named and not name.startswith(".") and not os.path.isdir(path):
                self.add(place, self._load(path, place), path)

    def _hashed(self, place: Place, names: list[str], old: bool) -> None:
        """Trust what OpenSSL would find here, and nothing else.

        It looks for a subject's hash with the numbers 0, 1, 2, ... up to the
        first that is missing, so a file under another name or hash is not
        trusted (crypto/x509/by_dir.c, ``get_cert_by_subject_ex``).
        """
        subject_hash = _x509.subject_hash_old if old else _x509.subject_hash
        found = sorted((m[1], int(m[2])) for m in map(_HASHED_NAME.fullmatch, names) if m)
        expected = {name: 0 for name, _ in found}
        for name, number in found:
            path = os.path.join(place.path, f"{name}.{number}")
            if number != expected[name]:
                continue
            if not os.path.exists(path):
                self.watch_inside(path)  # a link to what may appear
                continue
            expected[name] += 1
            anchors = self._load(path, place)
            try:
                here = [a for a in anchors if subject_hash(_x509.Certificate(a.der).subject) == name]
            except ValueError as error:
                self.problems.append(SourceError(path, f"was skipped: {error}"))
                continue
            self.add(place, here, path)

    def _load(self, path: str, place: Place, setting: str | None = None) -> list[Anchor]:
        # Before reading: a change that comes in between then shows.
        if path == place.path:
            self.watch(path)
        else:
            self.watch_inside(path)
        try:
            anchors, skipped = self._parse(_files.read(path))
        except SourceError as error:
            if path == place.path:
                self._nothing(place, setting, error.message)
            if not setting and not isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
                self.problems.append(error)
            self.failed(error.__cause__)
            return []
        self.problems.extend(SourceError(path, message) for message in skipped)
        return anchors

    def distrust_unknown(self, path: str, why: object, error: BaseException | None = None) -> None:
        """Have it known that what *path* distrusts is not known.

        :param error: with which it could not be read, if so
        """
        self.problems.append(SourceError(path, f"{why}; what it distrusts is not known"))
        self.distrust.is_known = False
        self.failed(error)
        if isinstance(error, PermissionError):
            self.closed.append(path)

    def failed(self, error: BaseException | None) -> None:
        """Have what could not be read tried again for the next context, unless its signature will show a change."""
        if isinstance(error, OSError) and error.errno not in _LASTING:
            self.volatile = True

    def _nothing(self, place: Place, setting: str | None, note: str) -> None:
        place.note = note
        if setting:
            what = f"{place.path} {note}" if place.path else "is empty"
            self.problems.append(ConfigurationError(setting, f"{what}. Nothing is trusted through it"))
