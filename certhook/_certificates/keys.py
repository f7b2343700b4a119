"""Public keys by value: equal for every encoding of one key.

OpenSSL accepts several encodings of a public key. If a block list contains one of them, certificates
with the others must be distrusted, too.

Sources: :rfc:`5280#section-4.1` (SubjectPublicKeyInfo), :rfc:`8017` (RSA) and SEC 1, section 2.3.3
(points on elliptic curves).
"""

from __future__ import annotations

from certhook._certificates.x509 import (
    BIT_STRING,
    INTEGER,
    OBJECT_IDENTIFIER,
    SEQUENCE,
    bits,
    children,
    dotted,
    integer,
    read,
)

# Keys for signatures, ECDH and SM2, which OpenSSL reads in the same way.
_ELLIPTIC_CURVES = ("1.2.840.10045.2.1", "1.3.132.1.12", "1.2.156.10197.1.301")
# The first octets of points.
_COMPRESSED = (b"\2", b"\3")
_UNCOMPRESSED_AND_HYBRID = (b"\4", b"\6", b"\7")


def key_value(key: bytes) -> bytes:
    """Return the value of a public key, which is equal for all encodings of the key.

    - RSA: the modulus, whatever the algorithm (rsaEncryption, RSASSA-PSS, ...) and its parameters. The private key
      for one exponent yields the private keys for all others.
    - Elliptic curves: the x coordinate, for compressed, uncompressed and hybrid points, named and explicit
      parameters. A point and its negation have equal values, because the private key of one yields the private key
      of the other.
    - DSA: the number modulo p, as OpenSSL uses it, without its sign, which OpenSSL ignores. A number and its negation
      have equal values, because half of all signatures are valid for both.
    - Other algorithms: the content of the bit string.

    :param key: a SubjectPublicKeyInfo as DER; if it is malformed, its value is itself
    """
    try:
        return _value(key)
    except ValueError:
        return key


def _value(key: bytes) -> bytes:
    tag, start, end = read(key, 0, len(key))
    parts = children(key, start, end)
    if tag != SEQUENCE or [part[0] for part in parts] != [SEQUENCE, BIT_STRING]:
        raise ValueError("not a public key")
    algorithm = children(key, parts[0][2], parts[0][3])
    if not algorithm or algorithm[0][0] != OBJECT_IDENTIFIER:
        raise ValueError("not an algorithm")
    content = bits(key[parts[1][2] : parts[1][3]])
    if dotted(key[algorithm[0][2] : algorithm[0][3]]) in _ELLIPTIC_CURVES:
        return b"EC %x" % _x_coordinate(content)
    for read_value in (_rsa, _dsa):
        try:
            return read_value(content, *(key[part[1] : part[3]] for part in algorithm[1:]))
        except ValueError:
            pass
    return content


def _x_coordinate(point: bytes) -> int:
    if point.startswith(_COMPRESSED):
        return int.from_bytes(point[1:], "big")
    if point.startswith(_UNCOMPRESSED_AND_HYBRID) and len(point) % 2:
        return int.from_bytes(point[1 : 1 + len(point) // 2], "big")
    raise ValueError("not a point")


def _rsa(content: bytes, *parameters: bytes) -> bytes:
    """Return the value of an RSA key. Like OpenSSL, ignore data that follows the key."""
    numbers = _elements(content)
    if [tag for tag, _ in numbers] != [INTEGER, INTEGER]:
        raise ValueError("not an RSA key")
    return b"RSA %x" % integer(numbers[0][1], signed=False)


def _dsa(content: bytes, parameters: bytes = b"", *others: bytes) -> bytes:
    """Return the value of a DSA key. Like OpenSSL, ignore data that follows the key.

    :param parameters: a sequence that begins with the number p
    """
    _, _, after = read(content, 0, len(content))
    number, modulus = integer(content[:after]), integer(_elements(parameters)[0][1], signed=False)
    if not modulus:
        raise ValueError("not a DSA key")
    return b"DSA %x" % min(number % modulus, -number % modulus)


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """Return the tag and the whole encoding of each element of a sequence."""
    tag, start, end = read(data, 0, len(data))
    if tag != SEQUENCE or start == end:
        raise ValueError("not a sequence of elements")
    return [(part[0], data[part[1] : part[3]]) for part in children(data, start, end)]
