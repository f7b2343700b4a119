"""Anchors of default trust, and the entries in files and stores from which they are merged."""

from __future__ import annotations

from certhook import _digest
from certhook._certificates import names, x509
from certhook._config import ANY_PURPOSE, CLIENT_AUTH, SERVER_AUTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

    from certhook._certificates.x509 import Certificate

#: The object identifier of each purpose, by the bit of the purpose.
PURPOSE_OIDS = {SERVER_AUTH: x509.SERVER_AUTH, CLIENT_AUTH: x509.CLIENT_AUTH}


class Entry:
    """A certificate in a file or a store, and its purposes there.

    :ivar certificate: the parsed certificate
    :ivar trusted: the purposes that it is trusted for, as bits
    :ivar rejected: the purposes that it is distrusted for, as bits
    :ivar auxiliary: OpenSSL's trust settings, from which these purposes result, as DER; empty if it has none
    """

    __slots__ = ("auxiliary", "certificate", "rejected", "trusted")

    def __init__(
        self, certificate: Certificate, trusted: int = ANY_PURPOSE, rejected: int = 0, auxiliary: bytes = b""
    ) -> None:
        self.certificate = certificate
        self.trusted = trusted
        self.rejected = rejected
        self.auxiliary = auxiliary

    @property
    def der(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.der


class Anchor:
    """A CA certificate, the sources that list it, and the block lists that distrust it.

    :ivar listed_by: a pair for each location that lists it: the source ("system", "bundled" or "extra") and the path
    :ivar distrusted_by: the paths of the block lists that distrust it; empty for an anchor that is trusted

    The other attributes are internal, and may change in any release:

    :ivar certificate: the parsed certificate
    :ivar auxiliary: OpenSSL's trust settings as DER, which OpenSSL applies in addition; empty if it has none
    """

    __module__ = "certhook"
    __slots__ = ("auxiliary", "certificate", "distrusted_by", "listed_by")

    listed_by: tuple[tuple[str, str], ...]
    distrusted_by: tuple[str, ...]
    certificate: Certificate
    auxiliary: bytes

    def __init__(
        self,
        certificate: Certificate,
        listed_by: tuple[tuple[str, str], ...] = (),
        distrusted_by: tuple[str, ...] = (),
        auxiliary: bytes = b"",
    ) -> None:
        self.certificate = certificate
        self.listed_by = listed_by
        self.distrusted_by = distrusted_by
        self.auxiliary = auxiliary

    @property
    def der(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.der

    @property
    def sha256(self) -> str:
        """The SHA-256 fingerprint of the certificate, in lower-case hexadecimal digits."""
        return _digest.hexdigest("sha256", self.der)

    @property
    def subject(self) -> str:
        """The name of the CA as :rfc:`4514` writes it; ``#`` and hexadecimal DER if it is malformed."""
        subject = self.certificate.subject
        try:
            return names.text(subject)
        except ValueError:
            return f"#{subject.hex()}"

    @property
    def validity(self) -> tuple[datetime, datetime] | None:
        """The first and the last second of its validity, as aware times in UTC; None if they are malformed."""
        try:
            return x509.dates(self.certificate.validity)
        except ValueError:
            return None

    @property
    def sources(self) -> list[str]:
        """The names of the sources that list it, without duplicates, in the order of the sources."""
        return list(dict.fromkeys(source for source, _ in self.listed_by))

    def __repr__(self) -> str:
        return f"<Anchor {self.subject}, listed by {', '.join(self.sources) or 'no source'}>"


def purpose_bits(trusted: list[str] | None, rejected: list[str]) -> tuple[int, int]:
    """Convert OpenSSL's trust settings to bits.

    A list of trusted purposes excludes every other purpose for this entry only. A rejected purpose
    is rejected for every entry with the certificate.

    :returns: the trusted and the rejected purposes
    """
    trusted_bits = rejected_bits = 0
    for bit, oid in PURPOSE_OIDS.items():
        if trusted is None or oid in trusted or x509.ANY_EXTENDED_KEY_USAGE in trusted:
            trusted_bits |= bit
        if oid in rejected or x509.ANY_EXTENDED_KEY_USAGE in rejected:
            rejected_bits |= bit
    return trusted_bits & ~rejected_bits, rejected_bits
