"""Reading the fields of X.509 certificates from their DER encoding.

The reader descends to the fields of ``TBSCertificate`` (:rfc:`5280#section-4.1`). In names and
public keys, by which block lists identify certificates, it checks the tags and lengths of all
elements. It checks the encoding (ITU-T X.690) but does not validate certificates, which is OpenSSL's
task. Every function raises :exc:`ValueError` for malformed input.
"""

from __future__ import annotations

from certhook._digest import digest as digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
SET = 0x31
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
_VERSION = 0xA0  # [0] EXPLICIT, in TBSCertificate
_CONSTRUCTED = 0x20
_FIRST_OTHER_CLASS = 0x40  # Lower tags belong to the universal class of X.690.

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0"

_MAX_IDENTIFIER = 128
# Hostile files may contain millions of elements. A list of revoked certificates has the most.
_MAX_CHILDREN = 100_000
# A name or a key has fewer than a hundred elements in five levels. OpenSSL accepts names of up to 1 MiB.
_MAX_ELEMENTS, _MAX_DEPTH, _MAX_NAME = 1000, 64, 1 << 16

# The beginnings of the object identifiers of keys that are elements in a bit string.
_ENCODED_KEYS = (
    bytes.fromhex("2a864886f70d0101"),  # RSA: PKCS #1 (RFC 8017)
    bytes.fromhex("55080101"),  # RSA: X.509 (1988)
    bytes.fromhex("2a8648ce3804"),  # DSA (RFC 3279)
    bytes.fromhex("2b0e0302"),  # DSA: Open Systems Environment Implementors' Workshop
)


def read(data: bytes, start: int, end: int) -> tuple[int, int, int]:
    """Read the header of the element at *start*.

    :param end: the end of the element's container
    :returns: the tag, the start of the value, and the end of the element
    """
    if start + 2 > end:
        raise ValueError("unexpected end of data")
    tag, length = data[start], data[start + 1]
    if tag & 0x1F == 0x1F:
        raise ValueError("unsupported multi-byte tag")
    start += 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or start + size > end:
            raise ValueError("invalid length")
        length = int.from_bytes(data[start : start + size], "big")
        start += size
        if length < 0x80 or length >> 8 * (size - 1) == 0:
            raise ValueError("non-minimal length")
    if start + length > end:
        raise ValueError("element exceeds its container")
    return tag, start, start + length


def children(data: bytes, start: int, end: int) -> list[tuple[int, int, int, int]]:
    """Read the headers of the elements between *start* and *end*.

    :returns: for each element its tag, its start, the start of its value, and its end
    """
    found = []
    while start < end:
        value = start + 2
        # Most elements are short. For them, this is faster than read() and equivalent to it.
        if value <= end and data[start + 1] < 0x80 and data[start] & 0x1F != 0x1F and value + data[start + 1] <= end:
            tag, after = data[start], value + data[start + 1]
        else:
            tag, value, after = read(data, start, end)
        found.append((tag, start, value, after))
        start = after
        if len(found) > _MAX_CHILDREN:
            raise ValueError("too many elements")
    return found


class Certificate:
    """The DER-encoded fields of a certificate.

    :param data: a certificate, which may be followed by other data
    :raises ValueError: if *data* does not begin with a certificate
    :ivar der: the certificate without the data that follows it
    :ivar rest: the data that follows the certificate, such as OpenSSL's trust settings
    :ivar canonical_subject: see :func:`certhook._certificates.names.canonical_subject`, which sets it
    """

    __slots__ = ("canonical_subject", "der", "issuer", "key", "rest", "serial", "subject", "validity")

    def __init__(self, data: bytes) -> None:
        tag, start, end = read(data, 0, len(data))
        parts = children(data, start, end)
        if tag != SEQUENCE or [part[0] for part in parts] != [SEQUENCE, SEQUENCE, BIT_STRING]:
            raise ValueError("not an X.509 certificate")
        fields = children(data, parts[0][2], parts[0][3])
        if fields and fields[0][0] == _VERSION:
            del fields[0]
        if [field[0] for field in fields[:6]] != [INTEGER] + [SEQUENCE] * 5:
            raise ValueError("unexpected fields in TBSCertificate")
        serial, _, issuer, validity, subject, key = (data[field[1] : field[3]] for field in fields[:6])
        # OpenSSL accepts other encodings of names and keys, which no block list would match.
        # The issuer and the subject of a root are usually equal, and are then checked once.
        for value, part in {issuer: "issuer", subject: "subject", key: "public key"}.items():
            if len(value) > _MAX_NAME and value is not key:
                raise ValueError(f"the {part} is longer than {_MAX_NAME >> 10} KiB")
            try:
                _check_encoding(value)
            except ValueError as error:
                raise ValueError(f"the {part} is not DER: {error}") from None
        self.canonical_subject: bytes | None = None
        self.der = data[:end]
        self.rest = data[end:]
        self.serial, self.issuer, self.validity = serial, issuer, validity
        self.subject, self.key = subject, key


def _check_encoding(data: bytes) -> None:
    """Check the headers of all elements in *data*, a name or a public key, including the bits of an RSA or DSA key."""
    position, end = 0, len(data)
    outer: list[int] = []  # the ends of the elements that contain the current one
    is_encoded = False
    count = 0
    while position < end or outer:
        if position == end:
            end = outer.pop()
            continue
        value = position + 2
        # As in children().
        if value <= end and data[position + 1] < 0x80 and data[position] & 0x1F != 0x1F:
            tag, after = data[position], value + data[position + 1]
        else:
            tag, value, after = read(data, position, end)
        if after > end:
            raise ValueError("element exceeds its container")
        count += 1
        if count > _MAX_ELEMENTS or len(outer) > _MAX_DEPTH:
            raise ValueError("too many elements")
        if tag & _CONSTRUCTED:
            if tag < _FIRST_OTHER_CLASS and tag not in (SEQUENCE, SET):
                raise ValueError("constructed encoding of a primitive type")
            outer.append(end)
            position, end = value, after
        else:
            if tag == OBJECT_IDENTIFIER and data.startswith(_ENCODED_KEYS, value, after):
                is_encoded = True
            position = after
    if is_encoded:
        # The key is in the bit string after the algorithm. OpenSSL ignores data after the key.
        _, start, end = read(data, 0, len(data))
        tag, _, value, after = children(data, start, end)[-1]
        if tag == BIT_STRING and value < after:
            tag, start, end = read(data, value + 1, after)
            if tag & _CONSTRUCTED:
                children(data, start, end)


def integer(data: bytes, signed: bool = True) -> int:
    """Return the value of an INTEGER. Its encoding may be longer than necessary.

    :param signed: whether it may be negative. OpenSSL ignores the sign of some numbers.
    """
    tag, start, end = read(data, 0, len(data))
    if tag != INTEGER or start == end or end != len(data):
        raise ValueError("not an integer")
    return int.from_bytes(data[start:end], "big", signed=signed)


def bits(value: bytes) -> bytes:
    """Return the bits of a BIT STRING. Like OpenSSL, set the unused bits to zero.

    :param value: the content of the element
    """
    if not value or value[0] > 7:
        raise ValueError("invalid bit string")
    if not value[0] or len(value) == 1:
        return value[1:]
    return value[1:-1] + bytes((value[-1] >> value[0] << value[0],))


def element(tag: int, content: bytes) -> bytes:
    """Encode an element."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def extension_type(data: bytes) -> str:
    """Return the type of an X.509 extension as a dotted object identifier."""
    _, _, start, end = _extension_parts(data)[0]
    return dotted(data[start:end])


def _extension_parts(data: bytes) -> list[tuple[int, int, int, int]]:
    tag, start, end = read(data, 0, len(data))
    parts = children(data, start, end)
    if tag != SEQUENCE or end != len(data) or not parts or parts[0][0] != OBJECT_IDENTIFIER:
        raise ValueError("not an X.509 extension")
    return parts


def key_purposes(data: bytes) -> list[str]:
    """Read an extension with a list of key purposes, such as Extended Key Usage (:rfc:`5280#section-4.2.1.12`).

    :returns: the purposes as dotted object identifiers
    """
    tag, _, start, end = _extension_parts(data)[-1]
    if tag != OCTET_STRING:
        raise ValueError("expected an OCTET STRING as the extension value")
    tag, value, after = read(data, start, end)
    if tag != SEQUENCE or after != end:
        raise ValueError("expected one SEQUENCE of key purposes")
    return object_identifiers(data, value, after)


def object_identifiers(data: bytes, start: int, end: int) -> list[str]:
    """Return the object identifiers between two positions, dotted."""
    found = []
    for tag, _, value, after in children(data, start, end):
        if tag != OBJECT_IDENTIFIER:
            raise ValueError("expected an OBJECT IDENTIFIER")
        found.append(dotted(data[value:after]))
    return found


def dotted(value: bytes) -> str:
    """Return an object identifier in dotted form (X.690, 8.19).

    :param value: the content of the element
    """
    if not value or value[-1] & 0x80:
        raise ValueError("truncated object identifier")
    if len(value) > _MAX_IDENTIFIER:
        raise ValueError(f"object identifier of more than {_MAX_IDENTIFIER} bytes")
    arcs: list[int] = []
    arc = 0
    for position, octet in enumerate(value):
        if octet == 0x80 and (position == 0 or not value[position - 1] & 0x80):
            raise ValueError("non-minimal object identifier")
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def dates(validity: bytes) -> tuple[datetime, datetime]:
    """Return the first and the last second of a certificate's *validity* in UTC (:rfc:`5280#section-4.1.2.5`)."""
    tag, start, end = read(validity, 0, len(validity))
    times = [time_value(kind, validity[value:after]) for kind, _, value, after in children(validity, start, end)]
    if tag != SEQUENCE or len(times) != 2:
        raise ValueError("expected a SEQUENCE of two dates")
    return times[0], times[1]


def time_value(tag: int, value: bytes) -> datetime:
    """Return the value of a ``Time`` with this tag and content (:rfc:`5280#section-4.1.2.5.1`)."""
    from datetime import datetime, timezone

    digits = value[:-1].decode("ascii")
    if tag == UTC_TIME and len(digits) == 12:
        digits = ("19" if digits >= "50" else "20") + digits
    elif tag != GENERALIZED_TIME:
        raise ValueError("invalid date")
    if len(digits) != 14 or not digits.isdigit() or value[-1:] != b"Z":
        raise ValueError("invalid date")
    numbers = [int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2))]
    return datetime(*numbers, tzinfo=timezone.utc)  # type: ignore[arg-type, misc]
