"""Files in DER other than one certificate: their kind, and the certificates in PKCS#7, PKCS#12 and Java keystores.

Containers may be in BER: their outer elements may have an indefinite length (X.690, 8.1.3.6), which
:mod:`certhook._certificates.x509` rejects. Functions that read elements raise :exc:`ValueError` for malformed input.
"""

from __future__ import annotations

from certhook._certificates.x509 import (
    BIT_STRING,
    GENERALIZED_TIME,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    UTC_TIME,
    Certificate,
    dotted,
    read,
)

#: The kinds of data in DER.
CERTIFICATE = "certificate"
PKCS7 = "PKCS#7"
PKCS12 = "PKCS#12"
PRIVATE_KEY = "private key"
ENCRYPTED_KEY = "encrypted private key"
PUBLIC_KEY = "public key"
REQUEST = "certificate signing request"
CRL = "certificate revocation list"
OTHER = "other data"

#: The number of certificates, or other elements of one value, that are read.
MOST_CERTIFICATES = 10_000

_CONTEXT_0 = 0xA0
_INDEFINITE = 0x80
_MAX_DEPTH = 64
_PKCS7_PREFIX = "1.2.840.113549.1.7."
_SIGNED_DATA = f"{_PKCS7_PREFIX}2"
_PBE_PREFIXES = ("1.2.840.113549.1.5.", "1.2.840.113549.1.12.1.")
_X509_BAG = bytes.fromhex("060a2a864886f70d01091601")  # the object identifier x509Certificate of RFC 7292
_ENCRYPTED_DATA = bytes.fromhex("06092a864886f70d010706")
_RC2_40 = bytes.fromhex("060a2a864886f70d010c0106")  # pbeWithSHAAnd40BitRC2-CBC, which OpenSSL 3 calls legacy
_RC4_128 = bytes.fromhex("060a2a864886f70d010c0101")

#: The first bytes of Java keystores: JKS and JCEKS.
KEYSTORES = (bytes.fromhex("feedfeed"), bytes.fromhex("cececece"))
_KEY_ENTRY, _CERTIFICATE_ENTRY = 1, 2


class Element:
    """An element of BER.

    :ivar tag: its tag
    :ivar start: the start of its value
    :ivar end: the end of its value
    :ivar after: the start of the next element
    """

    __slots__ = ("after", "end", "start", "tag")

    def __init__(self, data: bytes, at: int, limit: int) -> None:
        if data[at + 1 : at + 2] == bytes((_INDEFINITE,)) and at + 2 <= limit:
            self.tag, self.start = data[at], at + 2
            self.end = _end_of_contents(data, self.start, limit)
            self.after = self.end + 2
        else:
            self.tag, self.start, self.end = read(data, at, limit)
            self.after = self.end


def _end_of_contents(data: bytes, at: int, limit: int) -> int:
    """Return the position of the two zero bytes that end a value of indefinite length."""
    depth = 1
    while at + 2 <= limit:
        if data[at : at + 2] == b"\0\0":
            depth -= 1
            if not depth:
                return at
            at += 2
        elif data[at + 1] == _INDEFINITE:
            depth += 1
            if depth > _MAX_DEPTH:
                break
            at += 2
        else:
            at = read(data, at, limit)[2]
    raise ValueError("value without an end")


def elements(data: bytes, start: int, end: int, most: int = MOST_CERTIFICATES) -> list[Element]:
    """Return the elements between *start* and *end*, up to *most*."""
    found: list[Element] = []
    while start < end and len(found) < most:
        found.append(Element(data, start, end))
        start = found[-1].after
    return found


def kind(data: bytes) -> str:
    """Return the kind of *data*, which begins with an element of DER or BER.

    :raises ValueError: if it does not begin with a SEQUENCE
    """
    outer = Element(data, 0, len(data))
    if outer.tag != SEQUENCE:
        raise ValueError("not a SEQUENCE")
    parts = elements(data, outer.start, outer.end, 9)
    tags = [part.tag for part in parts]
    if tags[:1] == [OBJECT_IDENTIFIER]:
        return PKCS7 if _identifier(data, parts[0]).startswith(_PKCS7_PREFIX) else OTHER
    if tags == [SEQUENCE, SEQUENCE, BIT_STRING]:
        return _signed_kind(data, parts[0])
    if tags[:1] == [INTEGER]:
        return _versioned_kind(data, parts, tags)
    if tags[:1] == [SEQUENCE]:
        inner = elements(data, parts[0].start, parts[0].end, 1)
        if inner and inner[0].tag == OBJECT_IDENTIFIER and len(tags) == 2:
            if tags[1] == BIT_STRING:
                return PUBLIC_KEY
            if tags[1] == OCTET_STRING and _identifier(data, inner[0]).startswith(_PBE_PREFIXES):
                return ENCRYPTED_KEY
    return OTHER


def _identifier(data: bytes, element: Element) -> str:
    return dotted(data[element.start : element.end])


def _signed_kind(data: bytes, content: Element) -> str:
    """Return the kind of a signed structure by the fields of its *content*."""
    tags = [part.tag for part in elements(data, content.start, content.end, 8)]
    if tags[:1] == [_CONTEXT_0] and tags[1:2] == [INTEGER]:
        return CERTIFICATE
    if tags[:1] == [INTEGER]:
        del tags[0]  # the version, or the serial number in a certificate of version 1
    if len(tags) > 2 and tags[:2] == [SEQUENCE, SEQUENCE]:
        if tags[2] in (UTC_TIME, GENERALIZED_TIME):
            return CRL
        return CERTIFICATE if tags[2:5] == [SEQUENCE, SEQUENCE, SEQUENCE] else REQUEST
    return REQUEST if tags == [SEQUENCE, SEQUENCE] else OTHER


def _versioned_kind(data: bytes, parts: list[Element], tags: list[int]) -> str:
    if tags[1:3] == [SEQUENCE, OCTET_STRING]:
        return PRIVATE_KEY  # PKCS #8
    if tags[1:2] == [SEQUENCE]:
        inner = elements(data, parts[1].start, parts[1].end, 1)
        is_content = inner and inner[0].tag == OBJECT_IDENTIFIER
        return PKCS12 if is_content and _identifier(data, inner[0]).startswith(_PKCS7_PREFIX) else OTHER
    if tags[1:2] == [OCTET_STRING]:
        return PRIVATE_KEY  # an elliptic curve key (RFC 5915)
    if tags == [INTEGER, INTEGER]:
        return PUBLIC_KEY  # PKCS #1
    return PRIVATE_KEY if len(tags) >= 6 and set(tags[:6]) == {INTEGER} else OTHER  # PKCS #1, or a DSA key


def pkcs7_certificates(data: bytes) -> list[bytes]:
    """Return the certificates in PKCS#7 *data* of the kind SignedData (:rfc:`2315`)."""
    outer = Element(data, 0, len(data))
    parts = elements(data, outer.start, outer.end)
    if len(parts) < 2 or _identifier(data, parts[0]) != _SIGNED_DATA:
        return []
    content = Element(data, parts[1].start, parts[1].end)
    for part in elements(data, content.start, content.end):
        if part.tag == _CONTEXT_0:
            found = elements(data, part.start, part.end)
            return [data[at : each.after] for at, each in zip([part.start, *(e.after for e in found)], found)]
        if part.tag not in (INTEGER, SET, SEQUENCE):
            break
    return []


def pkcs12_certificates(data: bytes) -> list[bytes]:
    """Return the certificates in PKCS#12 *data* that are not encrypted, as in trust stores of Java."""
    found: list[bytes] = []
    at = data.find(_X509_BAG)
    while at >= 0 and len(found) < MOST_CERTIFICATES:
        at += len(_X509_BAG)
        try:
            bag = Element(data, at, len(data))
            value = Element(data, bag.start, bag.end)
            found.append(data[value.start : value.end])
            at = value.end  # Bags inside each other would need quadratic memory.
        except ValueError:
            if data[at + 1 : at + 2] == bytes((_INDEFINITE,)):
                break  # The search for the end of each such bag would take quadratic time.
        at = data.find(_X509_BAG, at)
    return found


def is_encrypted(pkcs12: bytes) -> bool:
    """Return whether certificates in PKCS#12 data are encrypted."""
    return _ENCRYPTED_DATA in pkcs12


def is_legacy(pkcs12: bytes) -> bool:
    """Return whether OpenSSL 3 decrypts PKCS#12 data only with its legacy provider."""
    return _RC2_40 in pkcs12 or _RC4_128 in pkcs12


def keystore_certificates(data: bytes) -> list[bytes]:
    """Return the certificates in a Java keystore of the type JKS, up to the first entry that cannot be read.

    Source: ``engineLoad`` in OpenJDK's sun/security/provider/JavaKeyStore.java.
    """
    reader = _Reader(data, 4)
    found: list[bytes] = []
    try:
        version, count = reader.number(4), reader.number(4)
        for _ in range(count):
            entry = reader.number(4)
            reader.block(2)  # the alias
            reader.take(8)  # a date
            if entry == _KEY_ENTRY:
                reader.block(4)
            elif entry != _CERTIFICATE_ENTRY:
                break
            for _ in range(reader.number(4) if entry == _KEY_ENTRY else 1):
                if len(found) >= MOST_CERTIFICATES:
                    return found
                if version > 1:
                    reader.block(2)  # the type of the certificate
                found.append(reader.block(4))
    except ValueError:
        pass
    return found


class _Reader:
    """Reads the big-endian numbers and blocks of a Java keystore."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise ValueError("unexpected end of data")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def block(self, size: int) -> bytes:
        """Return a block that follows its length of *size* bytes."""
        return self.take(self.number(size))


def valid(ders: list[bytes]) -> tuple[bytes, ...]:
    """Return those of *ders* that are certificates, without duplicates and without data that follows them."""
    found: dict[bytes, None] = {}
    for der in ders:
        try:
            found[Certificate(der).der] = None
        except ValueError:
            pass
    return tuple(found)


def consecutive(data: bytes) -> tuple[bytes, ...]:
    """Return the certificates at the start of *data*, without duplicates."""
    found: dict[bytes, None] = {}
    start = 0
    try:
        while data[start : start + 1] == b"\x30" and len(found) < MOST_CERTIFICATES:
            end = read(data, start, len(data))[2]
            found[Certificate(data[start:end]).der] = None
            start = end
    except ValueError:
        pass
    return tuple(found)
