"""The entries of one certificate in all locations, merged."""

from __future__ import annotations

from certhook._certificates import names, x509
from certhook._certificates.anchor import Anchor
from certhook._watch import PARTIAL_CHAINS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

    from certhook._certificates.anchor import Entry
    from certhook._certificates.x509 import Certificate


class Merged:
    """A certificate with the purposes that result from its entries in all locations.

    :param purpose: the bit of the purpose that anchors are collected for
    :ivar certificate: the parsed certificate
    :ivar is_self_issued: whether its subject and its issuer are equal
    :ivar is_stock: whether stock Python would load it for the same request
    :ivar end: the time in seconds since the epoch from which it is ignored because it has expired; None
        for a self-issued one, because OpenSSL uses a valid root instead of an expired one
    :ivar trusted: the purposes that it is trusted for, as bits
    :ivar rejected: the purposes that it is distrusted for, as bits
    """

    __slots__ = (
        "_first",
        "_has_auxiliary",
        "_listed",
        "_purpose",
        "_rejected_by",
        "_rejecting",
        "certificate",
        "end",
        "is_self_issued",
        "is_stock",
        "rejected",
        "trusted",
    )

    def __init__(self, certificate: Certificate, purpose: int) -> None:
        self.certificate = certificate
        self.is_self_issued = names.is_self_issued(certificate)
        self.end = None if self.is_self_issued else self.last_second()
        self.is_stock = False
        self.trusted = self.rejected = 0
        self._purpose = purpose
        # The first entry of each source that has trust settings, or is trusted for the purpose.
        self._first: dict[str, Entry] = {}
        self._has_auxiliary = False
        # The first trust settings that reject the purpose.
        self._rejecting = b""
        # Dictionaries instead of sets, because the order is significant.
        self._listed: dict[tuple[str, str], None] = {}
        self._rejected_by: dict[str, None] = {}

    def add(self, source: str, path: str, entry: Entry) -> None:
        """Add an entry.

        OpenSSL ignores a certificate that it has already loaded. In each source, the first entry therefore
        determines the trust settings. A rejected purpose is rejected in every source.
        """
        self._listed[source, path] = None
        if entry.auxiliary:
            self._has_auxiliary = True
        if entry.rejected:
            self.reject(entry.rejected, [path])
            if entry.rejected & self._purpose and not self._rejecting:
                self._rejecting = entry.auxiliary
        first = entry
        if entry.auxiliary or entry.trusted & self._purpose:
            first = self._first.setdefault(source, entry)
        if first is entry or first.trusted & self._purpose:
            self.trusted |= entry.trusted

    def reject(self, purposes: int, paths: Iterable[str]) -> None:
        """Distrust the certificate for *purposes*, as the block lists or files *paths* do."""
        self.rejected |= purposes
        self._rejected_by.update(dict.fromkeys(paths))

    @property
    def is_trusted(self) -> bool:
        """Whether a source trusts it for the purpose, and none rejects it."""
        return bool(self.trusted & self._purpose and not self.rejected & self._purpose)

    @property
    def is_restricted(self) -> bool:
        """Whether OpenSSL rejects it for the purpose because of its trust settings."""
        return bool(self._auxiliary) and not self.is_trusted

    @property
    def _auxiliary(self) -> bytes:
        """The trust settings that OpenSSL applies."""
        if not self._has_auxiliary:
            return b""
        if self._rejecting:
            return self._rejecting
        trusting = [entry for entry in self._first.values() if entry.trusted & self._purpose]
        if trusting and not self.is_trusted:
            return b""  # A block list distrusts it.
        return next((entry.auxiliary for entry in trusting or self._first.values()), b"")

    def last_second(self) -> int | None:
        """Return the end of its validity in seconds since the epoch, None if it is malformed."""
        try:
            return int(x509.dates(self.certificate.validity)[1].timestamp())
        except ValueError:
            return None

    def is_past(self, now: float) -> bool:
        """Return whether it has expired."""
        end = self.last_second()
        return end is not None and end <= now

    def anchor(self) -> Anchor:
        """Return the result."""
        return Anchor(self.certificate, tuple(self._listed), tuple(self._rejected_by), self._auxiliary)


def in_order_of_use(every: Iterable[Merged], now: float) -> list[Merged]:
    """Sort certificates so that OpenSSL, which uses the first one with a name, completes every chain that it can.

    They remain in the order of the sources, because a program may depend on stock Python's order: the second
    certificate with a name may have constraints that the first one lacks. Dead ends come last: certificates from
    which no issuer in *every* leads to a valid self-issued one. Unless partial chains are trusted, dead ends can only
    break a chain, so the ones that stock Python would not load are dropped.

    :param now: the time in seconds since the epoch
    """
    ordered = list(every)
    if PARTIAL_CHAINS:
        return ordered
    # OpenSSL also trusts a certificate with a list of trusted purposes without its issuers.
    pending = [merged for merged in ordered if not (merged.is_self_issued or merged._auxiliary)]
    if not pending:
        return ordered
    ends = [merged for merged in ordered if merged.is_self_issued or merged._auxiliary]
    complete = {names.folded_subject(merged.certificate) for merged in ends if not merged.is_past(now)}
    while pending:
        found = {merged for merged in pending if names.folded(merged.certificate.issuer) in complete}
        if not found:
            break
        complete.update(names.folded_subject(merged.certificate) for merged in found)
        pending = [merged for merged in pending if merged not in found]
    dead_ends = set(pending)
    kept = [merged for merged in ordered if merged.is_stock or merged not in dead_ends]
    return sorted(kept, key=dead_ends.__contains__)
