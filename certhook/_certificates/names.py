"""Distinguished names: the subject hash, the canonical encoding and the text form."""

from __future__ import annotations

from certhook._certificates.x509 import OBJECT_IDENTIFIER, SEQUENCE, SET, children, digest, dotted, read

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
