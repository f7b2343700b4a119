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

# The string types that OpenSSL compares as text (ASN1_MASK_CANON in
# crypto/x509/x_name.c), with the encoding it takes each of them for.
_TEXT = {
    0x0C: "utf-8",  # UTF8String
    0x13: "latin-1",  # PrintableString
    0x14: "latin-1",  # T61String
    0x16: "latin-1",  # IA5String
    0x1A: "latin-1",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}
_UTF8_STRING = 0x0C


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


def subject_hash(name: bytes) -> str:
    """The eight hex digits under which OpenSSL looks for a CA in a directory.

    As ``openssl x509 -subject_hash`` prints them since OpenSSL 1.0.0: SHA-1 of
    :func:`canonical`, its first four bytes as a little-endian number.

    :param name: a ``Name``, as DER
    """
    return _first_four_bytes("sha1", canonical(name))


def subject_hash_old(name: bytes) -> str:
    """The same before OpenSSL 1.0.0, which Android's directories still use: MD5 of the name as it is."""
    return _first_four_bytes("md5", name)


def _first_four_bytes(algorithm: str, data: bytes) -> str:
    return f"{int.from_bytes(digest(algorithm, data)[:4], 'little'):08x}"


def digest(algorithm: str, data: bytes) -> bytes:
    """A digest that something is looked up by, which a FIPS build allows whatever its *algorithm*."""
    import hashlib

    if sys.version_info >= (3, 9):
        return hashlib.new(algorithm, data, usedforsecurity=False).digest()
    return hashlib.new(algorithm, data).digest()


def folded(name: bytes) -> bytes:
    """*name* as OpenSSL compares it: whoever renews a certificate may write its name in another string type.

    One that cannot be read is compared as it is.
    """
    try:
        return canonical(name)
    except ValueError:
        return name


def canonical(name: bytes) -> bytes:
    """The canonical encoding of *name*, by which OpenSSL compares names.

    Source: ``x509_name_canon`` in OpenSSL's crypto/x509/x_name.c. The sets stand
    one after the other, without the sequence around them; each value of a
    text type is a UTF8String in lower case (ASCII letters only) without space
    at its ends, and with one space for each run of it inside.
    """
    sets = []
    for attributes in _attributes(name):
        # The elements of a SET OF stand in the order of their encodings.
        encoded = sorted(_canonical_attribute(*attribute) for attribute in attributes)
        if encoded:  # OpenSSL loses an empty set when it reads the name
            sets.append(_element(SET, b"".join(encoded)))
    return b"".join(sets)


def _canonical_attribute(kind: bytes, tag: int, value: bytes, whole: bytes) -> bytes:
    if tag in _TEXT:
        text = value.decode(_TEXT[tag]).encode()
        whole = _element(_UTF8_STRING, b" ".join(text.split()).lower())
    return _element(SEQUENCE, kind + whole)


def _attributes(name: bytes) -> list[list[tuple[bytes, int, bytes, bytes]]]:
    """The sets of attributes of *name*: of each its type as DER, and the tag, content and whole of its value."""
    tag, start, end = read(name, 0, len(name))
    if tag != SEQUENCE or end != len(name):
        raise ValueError("not a name")
    sets = []
    for tag, _, value, after in children(name, start, end):
        if tag != SET:
            raise ValueError("not a relative distinguished name")
        sets.append([_attribute(name, *part) for part in children(name, value, after)])
    return sets


def _attribute(data: bytes, tag: int, _: int, start: int, end: int) -> tuple[bytes, int, bytes, bytes]:
    parts = children(data, start, end)
    if tag != SEQUENCE or len(parts) != 2 or parts[0][0] != OBJECT_IDENTIFIER:
        raise ValueError("not an attribute of a name")
    (_, type_start, _, type_end), (kind, value_start, value, after) = parts
    return data[type_start:type_end], kind, data[value:after], data[value_start:after]


def _element(tag: int, value: bytes) -> bytes:
    length = len(value)
    if length < 0x80:
        return bytes((tag, length)) + value
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + value


# The short names of RFC 4514, and those that OpenSSL prints besides.
_SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}
_SPECIAL = frozenset(',+"\\<>;')


def text(name: bytes) -> str:
    """*name* for a person to read: the string representation of :rfc:`4514`, in which the common name comes first."""
    sets = ["+".join(_attribute_text(*attribute) for attribute in attributes) for attributes in _attributes(name)]
    return ",".join(reversed(sets))


def _attribute_text(kind: bytes, tag: int, value: bytes, whole: bytes) -> str:
    _, start, end = read(kind, 0, len(kind))
    oid = dotted(kind[start:end])
    shown = _escaped(value.decode(_TEXT[tag])) if tag in _TEXT else f"#{whole.hex()}"
    return f"{_SHORT_NAMES.get(oid, oid)}={shown}"


def _escaped(value: str) -> str:
    escaped = []
    for position, character in enumerate(value):
        at_an_end = position in (0, len(value) - 1)
        if character in _SPECIAL or (character == "#" and position == 0) or (character == " " and at_an_end):
            escaped.append(f"\\{character}")
        elif character.isprintable():
            escaped.append(character)
        else:
            # Nothing in a certificate is to move the cursor of a terminal.
            escaped += [f"\\{octet:02X}" for octet in character.encode("utf-8", "surrogatepass")]
    return "".join(escaped)


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
