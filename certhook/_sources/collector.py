"""Collecting the anchors of all sources into one trust set."""

from __future__ import annotations

from time import time

from certhook._sources.blocklist import Blocklist
from certhook._sources.merged import Merged, in_order_of_use
from certhook._watch.recorder import Recorder
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

    from certhook._certificates.anchor import Anchor, Entry
    from certhook._certificates.x509 import Certificate
    from certhook._config import Config
    from certhook._watch import Snapshot
    from certhook.exceptions import CerthookError

_ONLY_EXPIRED = "lists only expired certificates that are not self-issued, which are ignored"


class Location:
    """A file, directory or store that was read, and the anchors that it lists.

    :ivar source: "system", "bundled" or "extra"
    :ivar path: the path, or the name of the store
    :ivar ders: the anchors as DER, including those that another location listed before
    :ivar note: why it lists no anchor; empty if it lists any
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
        """The number of anchors that it lists, without duplicates."""
        return len(self.ders)


class TrustSet:
    """The anchors of default trust for one purpose, with the locations that list them. Immutable.

    :ivar anchors: the anchors without duplicates, in the order of their sources
    :ivar restricted: certificates that OpenSSL rejects for the purpose because of trust settings in a source
    :ivar stored: the anchors and the restricted certificates in the order in which OpenSSL reads them
    :ivar expired: anchors that are ignored because they have expired and are not self-issued
    :ivar removed: anchors that a source lists and the administrator distrusts
    :ivar excluded: anchors that a source lists, and that ``CERTHOOK_REMOVED`` excludes
    :ivar rejected: distrusted certificates that no source lists as trusted
    :ivar distrust_is_known: whether all block lists could be read
    :ivar locations: each file, directory and store that was read
    :ivar problems: invalid settings and unreadable sources, as exceptions
    :ivar config: the settings
    :ivar snapshot: the inputs with their signatures, for change detection
    :ivar unreadable: block lists that this process may not read
    :ivar volatile: whether the result depends on something that no signature covers
    :ivar is_reduced: whether the public bundle that is requested lost roots after its installation
    """

    __module__ = "certhook"
    __slots__ = (
        "anchors",
        "config",
        "distrust_is_known",
        "excluded",
        "expired",
        "is_reduced",
        "locations",
        "problems",
        "rejected",
        "removed",
        "restricted",
        "snapshot",
        "stored",
        "unreadable",
        "volatile",
    )

    config: Config
    anchors: tuple[Anchor, ...]
    restricted: tuple[Anchor, ...]
    stored: tuple[Anchor, ...]
    expired: tuple[Anchor, ...]
    removed: tuple[Anchor, ...]
    excluded: tuple[Anchor, ...]
    rejected: tuple[Anchor, ...]
    distrust_is_known: bool
    locations: tuple[Location, ...]
    problems: tuple[CerthookError, ...]
    snapshot: Snapshot
    unreadable: tuple[str, ...]
    volatile: bool
    is_reduced: bool

    def __init__(
        self,
        config: Config,
        anchors: Iterable[Anchor],
        restricted: Iterable[Anchor],
        stored: Iterable[Anchor],
        expired: Iterable[Anchor],
        removed: Iterable[Anchor],
        excluded: Iterable[Anchor],
        rejected: Iterable[Anchor],
        distrust_is_known: bool,
        locations: Iterable[Location],
        problems: Iterable[CerthookError],
        snapshot: Snapshot,
        unreadable: Iterable[str],
        volatile: bool,
        is_reduced: bool,
    ) -> None:
        for name, value in (
            ("config", config),
            ("anchors", tuple(anchors)),
            ("restricted", tuple(restricted)),
            ("stored", tuple(stored)),
            ("expired", tuple(expired)),
            ("removed", tuple(removed)),
            ("excluded", tuple(excluded)),
            ("rejected", tuple(rejected)),
            ("distrust_is_known", distrust_is_known),
            ("locations", tuple(locations)),
            ("problems", tuple(problems)),
            ("snapshot", snapshot),
            ("unreadable", tuple(unreadable)),
            ("volatile", volatile),
            ("is_reduced", is_reduced),
        ):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} is read-only")

    def __len__(self) -> int:
        return len(self.anchors)


class Collector:
    """Merges the entries of all locations.

    :param config: the settings
    :param purpose: the bit of the purpose that anchors are collected for
    :ivar recorder: records the inputs
    :ivar blocklist: removes certificates, whichever source lists them
    :ivar certificates: every certificate that was parsed, by its DER, so that each is parsed once
    :ivar locations: each file, directory and store that was read
    :ivar problems: invalid settings and unreadable sources
    :ivar is_reduced: whether the public bundle that is requested lost roots after its installation
    """

    def __init__(self, config: Config, purpose: int) -> None:
        self.config = config
        self.purpose = purpose
        self.recorder = Recorder()
        self.blocklist = Blocklist()
        self.certificates: dict[bytes, Certificate] = {}
        self.locations: list[Location] = []
        self.problems: list[CerthookError] = [*config.problems]
        self.is_reduced = False
        self._now = time()
        self._merged: dict[bytes, Merged] = {}
        self._excluded: tuple[Anchor, ...] = ()

    def add_location(self, source: str, path: str) -> Location:
        """Register a location that is about to be read."""
        location = Location(source, path)
        self.locations.append(location)
        return location

    def add(self, location: Location, entries: Iterable[Entry], path: str | None = None) -> None:
        """Merge *entries* of *location*.

        :param path: the file in the location that contains them
        """
        for entry in entries:
            merged = self._merged.get(entry.der)
            if merged is None:
                merged = self._merged[entry.der] = Merged(entry.certificate, self.purpose)
                merged.reject(*self.blocklist.match(entry.certificate))
            merged.add(location.source, path or location.path, entry)
            if not (entry.trusted & self.purpose and merged.is_trusted):
                continue
            if not self._is_expired(merged):
                location.ders.add(entry.der)
            elif not location.ders:
                location.note = _ONLY_EXPIRED
        if location.ders and location.note == _ONLY_EXPIRED:
            location.note = ""

    def block_labelled(self, bundle: bytes) -> None:
        """Distrust the roots in *bundle* that the block list identifies by their labels, in every source."""
        if self.blocklist.add_labelled(bundle):
            for merged in self._merged.values():
                merged.reject(*self.blocklist.match(merged.certificate))

    def report_unknown_distrust(self, path: str, reason: object, error: BaseException | None = None) -> None:
        """Report that *path* cannot be read, so that it is unknown which certificates it distrusts.

        :param error: the error that occurred
        """
        self.problems.append(SourceError(path, f"{reason}; the certificates that it distrusts are unknown"))
        self.blocklist.is_complete = False
        self.recorder.read_failed(error)
        if isinstance(error, PermissionError):
            self.recorder.unreadable.append(path)

    def count(self) -> int:
        """Return the number of anchors collected so far."""
        return sum(1 for merged in self._merged.values() if self._is_anchor(merged))

    def anchors(self) -> list[Anchor]:
        """Return the anchors collected so far."""
        return [merged.anchor() for merged in self._merged.values() if self._is_anchor(merged)]

    def exclude(self, anchors: Iterable[Anchor]) -> None:
        """Exclude *anchors*, which the settings do not permit, from the trust set."""
        self._excluded = tuple(anchors)

    def removed(self) -> list[Anchor]:
        """Return the anchors that a source lists and the administrator distrusts."""
        wanted = self.purpose
        return [m.anchor() for m in self._merged.values() if m.trusted & wanted and m.rejected & wanted]

    def trust_set(self) -> TrustSet:
        """Return the result."""
        wanted = self.purpose
        every = list(self._merged.values())
        order = {merged: position for position, merged in enumerate(every)}
        candidates = [*every, *self._unlisted()]
        excluded = {anchor.der for anchor in self._excluded}
        anchors = [m for m in every if self._is_anchor(m) and m.certificate.der not in excluded]
        restricted = [m for m in every if m.is_restricted]
        stored = in_order_of_use(sorted([*anchors, *restricted], key=order.__getitem__), self._now)
        if not all(m.is_self_issued for m in stored):
            # When one of them expires, it may be ignored, or others become dead ends.
            ends = [end for end in (m.last_second() for m in stored) if end is not None and end > self._now]
            if ends:
                self.recorder.valid_until(min(ends))
        return TrustSet(
            self.config,
            anchors=[m.anchor() for m in anchors],
            restricted=[m.anchor() for m in restricted],
            stored=[m.anchor() for m in stored],
            expired=[m.anchor() for m in every if m.is_trusted and self._is_expired(m)],
            removed=self.removed(),
            excluded=self._excluded,
            rejected=[m.anchor() for m in candidates if m.rejected & wanted and not m.trusted & wanted],
            distrust_is_known=self.blocklist.is_complete,
            locations=self.locations,
            problems=self.problems,
            snapshot=self.recorder.snapshot(),
            unreadable=self.recorder.unreadable,
            volatile=self.recorder.volatile,
            is_reduced=self.is_reduced,
        )

    def _is_anchor(self, merged: Merged) -> bool:
        return merged.is_trusted and not self._is_expired(merged)

    def _is_expired(self, merged: Merged) -> bool:
        """Return whether *merged* has expired and is not self-issued, so that it can only break a chain.

        OpenSSL would use it instead of the renewed certificate that a server sends.
        """
        return merged.end is not None and merged.end <= self._now

    def _unlisted(self) -> list[Merged]:
        """Return the distrusted certificates that no source lists."""
        unlisted = []
        for certificate in self.blocklist.certificates.values():
            if certificate.der not in self._merged:
                merged = Merged(certificate, self.purpose)
                merged.reject(*self.blocklist.match(certificate))
                unlisted.append(merged)
        return unlisted
