"""The little of X.509 that certhook needs: is this a certificate, whose, and where does OpenSSL look for it.

A walker over DER (ITU-T X.690) that goes as deep as the fields of
``TBSCertificate`` (:rfc:`5280#section-4.1`) and no further. It judges nothing:
whether a certificate is good is OpenSSL's to say. Every function raises
:exc:`ValueError` for input that is not what it has to be.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
SET = 0x31
VERSION = 0xA0  # [0] EXPLICIT, in TBSCertificate
REJECT = 0xA0  # [0] IMPLICIT, in X509_CERT_AUX

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0"


def read(data: bytes, start: int, end: int) -> tuple[int, int, int]:
    """Read the header of the element at *start*.

    :returns: its tag, where its value starts, and where it ends, which is at most *end*
    """
    if start + 2 > end:
        raise ValueError("an element is cut short")
    tag, length = data[start], data[start + 1]
    if tag & 0x1F == 0x1F:
        raise ValueError("a tag of several bytes, which certificates do not have")
    start += 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or start + size > end:
            raise ValueError("a length that DER does not allow")
        length = int.from_bytes(data[start : start + size], "big")
        start += size
        if length < 0x80 or length >> 8 * (size - 1) == 0:
            raise ValueError("a length that is not in its shortest form")
    if start + length > end:
        raise ValueError("an element is longer than what holds it")
    return tag, start, start + length


def children(data: bytes, start: int, end: int) -> list[tuple[int, int, int, int]]:
    """The elements between *start* and *end*: of each its tag, start, start of value, and end."""
    found = []
    while start < end:
        tag, value, after = read(data, start, end)
        found.append((tag, start, value, after))
        start = after
    return found


class Certificate:
    """The fields of one certificate, as DER.

    :param data: DER, of which the certificate is the first element
    :raises ValueError: for what is not a whole certificate
    """

    __slots__ = ("der", "rest", "serial", "issuer", "validity", "subject", "key")

    def __init__(self, data: bytes) -> None:
        tag, start, end = read(data, 0, len(data))
        parts = children(data, start, end)
        if tag != SEQUENCE or [part[0] for part in parts] != [SEQUENCE, SEQUENCE, BIT_STRING]:
            raise ValueError("not the three parts of a certificate")
        fields = children(data, parts[0][2], parts[0][3])
        if fields and fields[0][0] == VERSION:
            del fields[0]
        if [field[0] for field in fields[:6]] != [INTEGER] + [SEQUENCE] * 5:
            raise ValueError("not the fields of a certificate")
        serial, _, issuer, validity, subject, key = (data[f[1] : f[3]] for f in fields[:6])
        #: the certificate alone
        self.der = data[:end]
        #: what follows it in *data*: OpenSSL's trust settings, or nothing
        self.rest = data[end:]
        self.serial, self.issuer, self.validity = serial, issuer, validity
        self.subject, self.key = subject, key


def auxiliary(data: bytes) -> tuple[list[str] | None, list[str]]:
    """Read OpenSSL's trust settings, which follow the certificate in a ``TRUSTED CERTIFICATE``.

    Source: ``X509_CERT_AUX`` in OpenSSL's crypto/x509/x_x509a.c.

    :returns: the purposes it is trusted for, None where there is no such list,
        and those it is rejected for, as dotted object identifiers
    """
    tag, start, end = read(data, 0, len(data))
    if tag != SEQUENCE or end != len(data):
        raise ValueError("not OpenSSL's trust settings")
    trusted: list[str] | None = None
    rejected: list[str] = []
    for tag, _, value, after in children(data, start, end):
        if tag == SEQUENCE:
            trusted = _object_identifiers(data, value, after)
        elif tag == REJECT:
            rejected = _object_identifiers(data, value, after)
    return trusted, rejected


def key_purposes(data: bytes) -> list[str]:
    """Read an extension that lists purposes of a key, as Extended Key Usage does (:rfc:`5280#section-4.2.1.12`).

    :returns: the purposes, as dotted object identifiers
    """
    tag, start, end = read(data, 0, len(data))
    parts = children(data, start, end)
    if tag != SEQUENCE or end != len(data) or not parts or parts[0][0] != OBJECT_IDENTIFIER:
        raise ValueError("not an extension")
    tag, _, start, end = parts[-1]
    if tag != OCTET_STRING:
        raise ValueError("not the value of an extension")
    tag, value, after = read(data, start, end)
    if tag != SEQUENCE or after != end:
        raise ValueError("not a list of purposes")
    return _object_identifiers(data, value, after)


def _object_identifiers(data: bytes, start: int, end: int) -> list[str]:
    found = []
    for tag, _, value, after in children(data, start, end):
        if tag != OBJECT_IDENTIFIER:
            raise ValueError("not a list of object identifiers")
        found.append(dotted(data[value:after]))
    return found


def dotted(value: bytes) -> str:
    """The object identifier with the content octets *value*, in dotted form (X.690, 8.19)."""
    if not value or value[-1] & 0x80:
        raise ValueError("an object identifier is cut short")
    if len(value) > 128:
        raise ValueError("an object identifier that is longer than any")
    arcs: list[int] = []
    arc = 0
    for position, octet in enumerate(value):
        if octet == 0x80 and (position == 0 or not value[position - 1] & 0x80):
            raise ValueError("an object identifier that is not in its shortest form")
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def digest(algorithm: str, data: bytes) -> bytes:
    """A digest that something is looked up by, which a FIPS build allows whatever its *algorithm*."""
    import hashlib

    if sys.version_info >= (3, 9):
        return hashlib.new(algorithm, data, usedforsecurity=False).digest()
    return hashlib.new(algorithm, data).digest()


_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18


def dates(validity: bytes) -> tuple[datetime, datetime]:
    """The first and the last second of *validity*, the field of a certificate, in UTC (:rfc:`5280#section-4.1.2.5`)."""
    tag, start, end = read(validity, 0, len(validity))
    times = [_time(kind, validity[value:after]) for kind, _, value, after in children(validity, start, end)]
    if tag != SEQUENCE or len(times) != 2:
        raise ValueError("not the two dates of a certificate")
    return times[0], times[1]


def _time(tag: int, value: bytes) -> datetime:
    from datetime import datetime, timezone

    digits = value[:-1].decode("ascii")
    if tag == _UTC_TIME and len(digits) == 12:
        digits = ("19" if digits >= "50" else "20") + digits
    elif tag != _GENERALIZED_TIME:
        raise ValueError("not a date")
    if len(digits) != 14 or not digits.isdigit() or value[-1:] != b"Z":
        raise ValueError("not a date")
    numbers = [int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2))]
    return datetime(*numbers, tzinfo=timezone.utc)  # type: ignore[arg-type, misc]
