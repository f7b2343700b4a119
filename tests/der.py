"""A small DER encoder, for certificates, names and trust settings that no library creates."""

from __future__ import annotations

import base64

SEQUENCE, SET, BIT_STRING, OCTET_STRING, OBJECT_IDENTIFIER = 0x30, 0x31, 0x03, 0x04, 0x06
UTF8_STRING, PRINTABLE_STRING = 0x0C, 0x13
COMMON_NAME = bytes.fromhex("0603550403")

# An algorithm, a validity and keys that OpenSSL accepts: ecdsa-with-SHA256, and points of P-256.
_ALGORITHM = bytes.fromhex("300a06082a8648ce3d040302")
VALIDITY = bytes.fromhex("301e170d3230303130313030303030305a170d3439313233313233353935395a")
KEY = bytes.fromhex(
    "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
#: The opposite point on the curve, which has the same x coordinate.
NEGATED_KEY = KEY[:-32] + bytes.fromhex("b01cbd1c01e58065711814b583f061e9d431cca994cea1313449bf97c840ae0a")
#: Another point on the curve: the double of :data:`KEY`.
OTHER_KEY = KEY[:-64] + bytes.fromhex(
    "7cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978"
    "07775510db8ed040293d9ac69f7430dbba7dade63ce982299e04b79d227873d1"
)


#: Purposes in extended key usages and trust settings.
SERVERS, CLIENTS, MAIL, ANY = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4", "2.5.29.37.0"


def element(tag: int, *parts: bytes) -> bytes:
    """Return an element with a length in the shortest form."""
    value = b"".join(parts)
    length = len(value)
    if length < 0x80:
        return bytes((tag, length)) + value
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + value


def object_identifier(dotted: str) -> bytes:
    """Return an object identifier."""
    first, second, *rest = map(int, dotted.split("."))
    value = b""
    for arc in (40 * first + second, *rest):
        octets = [arc & 0x7F]
        while arc > 0x7F:
            arc >>= 7
            octets.insert(0, 0x80 | arc & 0x7F)
        value += bytes(octets)
    return element(OBJECT_IDENTIFIER, value)


def attribute(value: bytes, kind: bytes = COMMON_NAME) -> bytes:
    """Return an attribute of a name.

    :param value: the encoded value
    :param kind: the encoded type
    """
    return element(SEQUENCE, kind, value)


def name(*sets: list[bytes]) -> bytes:
    """Return a name of sets of attributes."""
    return element(SEQUENCE, *(element(SET, *attributes) for attributes in sets))


def common_name(text: str) -> bytes:
    """Return a name with one attribute, a common name."""
    return name([attribute(element(UTF8_STRING, text.encode()))])


def certificate(subject: bytes, serial: int = 1, key: bytes = KEY, issuer: bytes | None = None) -> bytes:
    """Return a certificate for *subject* without extensions and with an invalid signature.

    :param issuer: the name of the issuer, "certhook tests" by default
    """
    number = element(0x02, serial.to_bytes(8, "big").lstrip(b"\0") or b"\0")
    issuer = common_name("certhook tests") if issuer is None else issuer
    fields = (b"\xa0\x03\x02\x01\x02", number, _ALGORITHM, issuer, VALIDITY, subject, key)
    return element(SEQUENCE, element(SEQUENCE, *fields), _ALGORITHM, element(BIT_STRING, b"\0\x30\0"))


def root(name: str, serial: int = 1, key: bytes = KEY) -> bytes:
    """Return a certificate whose subject and issuer have this common name."""
    subject = common_name(name)
    return certificate(subject, serial, key, issuer=subject)


def extension(kind: str, *purposes: str) -> bytes:
    """Return a critical extension with a list of purposes.

    :param kind: the type of the extension
    :param purposes: object identifiers in dotted form
    """
    value = element(OCTET_STRING, element(SEQUENCE, *map(object_identifier, purposes)))
    return element(SEQUENCE, object_identifier(kind), b"\x01\x01\xff", value)


def auxiliary(trusted: list[str] | None = None, rejected: list[str] | None = None) -> bytes:
    """Return OpenSSL's trust settings with these lists of purposes."""
    lists = [] if trusted is None else [element(SEQUENCE, *map(object_identifier, trusted))]
    lists += [] if rejected is None else [element(0xA0, *map(object_identifier, rejected))]
    return element(SEQUENCE, *lists)


def escaped(data: bytes) -> str:
    """Return *data* in the encoding of attributes of p11-kit objects."""
    return "".join(f"%{octet:02x}" for octet in data)


def pem(data: bytes, label: str = "CERTIFICATE", newline: bytes = b"\n") -> bytes:
    """Encode *data* as PEM."""
    text = base64.b64encode(data)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return newline.join([f"-----BEGIN {label}-----".encode(), *lines, f"-----END {label}-----".encode(), b""])
