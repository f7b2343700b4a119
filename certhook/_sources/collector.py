"""Collecting the anchors of all sources into one trust set."""

from __future__ import annotations

from time import time

from certhook._certificates.pem import Known
from certhook._sources.blocklist import Blocklist
from certhook._sources.merged import Merged, in_order_of_use
from certhook._sources.trust_set import Location, TrustSet
from certhook._watch.recorder import Recorder
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

    from certhook._certificates.anchor import Anchor, Entry
    from certhook._config import Config
    from certhook._sources.limits import SettingsFile
    from certhook.exceptions import CerthookError

_ONLY_EXPIRED = "lists only expired certificates that are not self-issued, which are ignored"


class Collector:
    """Merges the entries of all locations.

    :param config: the settings
    :param purpose: the bit of the purpose that anchors are collected for
    :ivar recorder: records the inputs
    :ivar blocklist: removes certificates, whichever source lists them
    :ivar now: the time for which trust is determined, in seconds since the epoch
    :ivar settings_file: the system-wide settings file, which limited *config*; None if it was not read
    :ivar certificates: every certificate that was parsed, so that each is parsed once
    :ivar locations: each file, directory and store that was read
    :ivar problems: invalid settings and unreadable sources
    :ivar is_reduced: whether the public bundle that is requested lost roots after its installation
    """

    def __init__(self, config: Config, purpose: int) -> None:
        self.config = config
        self.purpose = purpose
        self.recorder = Recorder()
        self.blocklist = Blocklist()
        self.certificates = Known()
        self.locations: list[Location] = []
        self.problems: list[CerthookError] = [*config.problems]
        self.is_reduced = False
        self.settings_file: SettingsFile | None = None
        self.now = time()
        self._merged: dict[bytes, Merged] = {}
        self._excluded: tuple[Anchor, ...] = ()

    def add_location(self, source: str, path: str, is_stock: bool = False) -> Location:
        """Register a location that is about to be read.

        :param is_stock: whether stock Python would load it for the same request
        """
        location = Location(source, path, is_stock)
        self.locations.append(location)
        return location

    def add(self, location: Location, entries: Iterable[Entry], path: str | None = None, is_found: bool = True) -> None:
        """Merge *entries* of *location*.

        :param path: the file in the location that contains them
        :param is_found: whether OpenSSL finds them by their own subject hashes, if it is a hashed directory
        """
        for entry in entries:
            location.listed.add(entry.der)
            merged = self._merged.get(entry.der)
            if merged is None:
                merged = self._merged[entry.der] = Merged(entry.certificate, self.purpose)
                merged.reject(*self.blocklist.match(entry.certificate))
            merged.add(location.source, path or location.path, entry)
            merged.is_stock = merged.is_stock or (location.is_stock and is_found)
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

    @property
    def doubt(self) -> str:
        """Why the administrator may exclude more roots than is known, as a clause; empty if everything was read."""
        if not self.blocklist.is_complete:
            return "it may contain roots that this system distrusts"
        file = self.settings_file
        return "" if file is None or file.is_readable else f"{file.path}, which may exclude it, cannot be read"

    def count(self) -> int:
        """Return the number of anchors collected so far."""
        return sum(1 for merged in self._merged.values() if self._is_anchor(merged))

    def anchors(self) -> list[Anchor]:
        """Return the anchors collected so far."""
        return [merged.anchor() for merged in self._merged.values() if self._is_anchor(merged)]

    def is_stock(self, anchor: Anchor) -> bool:
        """Return whether stock Python would load *anchor* for the same request."""
        return self._merged[anchor.der].is_stock

    def exclude(self, anchors: Iterable[Anchor]) -> None:
        """Exclude *anchors* from the trust set, as ``CERTHOOK_REMOVED`` requires."""
        self._excluded = tuple(anchors)

    def distrusted(self) -> list[Anchor]:
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
        restricted = [m for m in every if m.is_restricted and (m.is_stock or m.rejected & wanted)]
        # Certificates that stock Python would load come first, so that others with equal names change no chain.
        ordered = sorted([*anchors, *restricted], key=lambda m: (not m.is_stock, order[m]))
        stored = in_order_of_use(ordered, self.now)
        if not all(m.is_self_issued for m in every if m.is_trusted):
            # When one of them expires, it may be ignored, or others become dead ends.
            self._depends_on_time([m.last_second() for m in every if m.is_trusted])
        return TrustSet(
            config=self.config,
            anchors=[m.anchor() for m in anchors],
            restricted=[m.anchor() for m in restricted],
            stored=[m.anchor() for m in stored],
            expired=[m.anchor() for m in every if m.is_trusted and self._is_expired(m)],
            distrusted=self.distrusted(),
            excluded=self._excluded,
            blocklisted=[m.anchor() for m in candidates if m.rejected & wanted and not m.trusted & wanted],
            distrust_is_known=not self.doubt,
            locations=self.locations,
            problems=self.problems,
            snapshot=self.recorder.snapshot(),
            volatile=self.recorder.volatile,
            is_reduced=self.is_reduced,
        )

    def _depends_on_time(self, ends: Iterable[int | None]) -> None:
        """Record the next of *ends*, and the latest one that has passed, because the clock may be set back."""
        known = [end for end in ends if end is not None]
        future = [end for end in known if end > self.now]
        past = [end for end in known if end <= self.now]
        for end in [*sorted(future)[:1], *sorted(past)[-1:]]:
            self.recorder.depends_on_time(end, self.now)

    def _is_anchor(self, merged: Merged) -> bool:
        return merged.is_trusted and not self._is_expired(merged)

    def _is_expired(self, merged: Merged) -> bool:
        """Return whether *merged* has expired and is not self-issued, so that it can only break a chain.

        OpenSSL would use it instead of the renewed certificate that a server sends.
        """
        return merged.end is not None and merged.end <= self.now

    def _unlisted(self) -> list[Merged]:
        """Return the distrusted certificates that no source lists."""
        unlisted = []
        for certificate in self.blocklist.certificates.values():
            if certificate.der not in self._merged:
                merged = Merged(certificate, self.purpose)
                merged.reject(*self.blocklist.match(certificate))
                unlisted.append(merged)
        return unlisted
