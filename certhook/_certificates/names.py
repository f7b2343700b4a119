"""Distinguished names: the subject hash, the canonical encoding and the text form.

For a malformed name, every function except :func:`folded`, :func:`is_self_issued` and
:func:`subject_hash_old` raises :exc:`ValueError`.
"""

from __future__ import annotations

from certhook._certificates.x509 import (
    BIT_STRING,
    OBJECT_IDENTIFIER,
    SEQUENCE,
    SET,
    bits,
    children,
    digest,
    dotted,
    element,
    read,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._certificates.x509 import Certificate

# The string types that OpenSSL compares as text (ASN1_MASK_CANON in crypto/x509/x_name.c),
# each with the encoding that OpenSSL assumes.
_TEXT_ENCODINGS = {
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
    """Return the eight hexadecimal digits under which OpenSSL looks up a CA in a hashed directory.

    This is the result of ``openssl x509 -subject_hash`` since OpenSSL 1.0.0: the first four
    bytes of the SHA-1 of :func:`canonical`, as a little-endian number.

    :param name: a ``Name`` as DER
    """
    return _hash_digits("sha1", canonical(name))


def hash_of_subject(certificate: Certificate) -> str:
    """Return :func:`subject_hash` of the subject of *certificate*."""
    return _hash_digits("sha1", canonical_subject(certificate))


def subject_hash_old(name: bytes) -> str:
    """Return the subject hash before OpenSSL 1.0.0, which Android still uses: based on the MD5 of *name*."""
    return _hash_digits("md5", name)


def _hash_digits(algorithm: str, data: bytes) -> str:
    return f"{int.from_bytes(digest(algorithm, data)[:4], 'little'):08x}"


def folded(name: bytes) -> bytes:
    """Return *name* in a form that is equal for equal names, whatever their string types, as in OpenSSL.

    A renewed certificate may contain its name in another string type. A malformed name is
    returned unchanged.
    """
    try:
        return canonical(name)
    except ValueError:
        return name


def folded_subject(certificate: Certificate) -> bytes:
    """Return :func:`folded` of the subject of *certificate*."""
    try:
        return canonical_subject(certificate)
    except ValueError:
        return certificate.subject


def is_self_issued(certificate: Certificate) -> bool:
    """Return whether subject and issuer of *certificate* are equal names, as those of a root are."""
    subject, issuer = certificate.subject, certificate.issuer
    return subject == issuer or folded_subject(certificate) == folded(issuer)


def canonical_subject(certificate: Certificate) -> bytes:
    """Return :func:`canonical` of the subject of *certificate*, which is computed once."""
    found = certificate.canonical_subject
    if found is None:
        found = certificate.canonical_subject = canonical(certificate.subject)
    return found


def canonical(name: bytes) -> bytes:
    """Return the canonical encoding of *name*, by which OpenSSL compares names.

    It consists of the sets without the enclosing sequence. Each value of a text type becomes a
    UTF8String with lower-case ASCII letters, without leading and trailing white space, and
    with one space for each inner run of white space. The unused bits of a bit string become zero.

    Source: ``x509_name_canon`` in OpenSSL's crypto/x509/x_name.c.
    """
    sets = []
    for attributes in _attributes(name):
        encoded = [_canonical_attribute(*attribute) for attribute in attributes]
        encoded.sort()  # DER sorts the elements of a SET OF by their encodings.
        if encoded:  # OpenSSL drops an empty set when it decodes a name.
            sets.append(element(SET, b"".join(encoded)))
    return b"".join(sets)


def _canonical_attribute(kind: bytes, tag: int, content: bytes, value: bytes) -> bytes:
    if tag in _TEXT_ENCODINGS:
        words = content.decode(_TEXT_ENCODINGS[tag]).encode().split()
        value = element(_UTF8_STRING, b" ".join(words).lower())
    elif tag == BIT_STRING:
        used = bits(content)
        value = element(BIT_STRING, (content[:1] if used else b"\0") + used)
    return element(SEQUENCE, kind + value)


def _attributes(name: bytes) -> list[list[tuple[bytes, int, bytes, bytes]]]:
    """Return the attributes of each set of *name*; see :func:`_attribute`."""
    tag, start, end = read(name, 0, len(name))
    if tag != SEQUENCE or end != len(name):
        raise ValueError("not a distinguished name")
    sets = []
    for tag, _, value, after in children(name, start, end):
        if tag != SET:
            raise ValueError("expected a SET of name attributes")
        sets.append([_attribute(name, *header) for header in children(name, value, after)])
    return sets


def _attribute(data: bytes, tag: int, _: int, start: int, end: int) -> tuple[bytes, int, bytes, bytes]:
    """Return an attribute: its type as DER, and the tag, the content and the whole encoding of its value."""
    parts = children(data, start, end)
    if tag != SEQUENCE or len(parts) != 2 or parts[0][0] != OBJECT_IDENTIFIER:
        raise ValueError("not a name attribute")
    (_, type_start, _, type_end), (value_tag, value_start, content_start, value_end) = parts
    return data[type_start:type_end], value_tag, data[content_start:value_end], data[value_start:value_end]


# The short names of RFC 4514, and further ones that OpenSSL prints.
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
_SPECIAL_CHARACTERS = frozenset(',+"\\<>;')


def text(name: bytes) -> str:
    """Return the string representation of *name* (:rfc:`4514`), which begins with the last set, usually the CN."""
    sets = ["+".join(_attribute_text(*attribute) for attribute in attributes) for attributes in _attributes(name)]
    return ",".join(reversed(sets))


def _attribute_text(kind: bytes, tag: int, content: bytes, value: bytes) -> str:
    _, start, end = read(kind, 0, len(kind))
    identifier = dotted(kind[start:end])
    is_text = tag in _TEXT_ENCODINGS
    shown = _escaped(content.decode(_TEXT_ENCODINGS[tag])) if is_text else f"#{value.hex()}"
    return f"{_SHORT_NAMES.get(identifier, identifier)}={shown}"


def _escaped(value: str) -> str:
    escaped = []
    for position, character in enumerate(value):
        is_outer = position in (0, len(value) - 1)
        if character in _SPECIAL_CHARACTERS or (character == "#" and position == 0) or (character == " " and is_outer):
            escaped.append(f"\\{character}")
        elif character.isprintable():
            escaped.append(character)
        else:
            # A certificate must not be able to move the cursor of a terminal.
            escaped += [f"\\{octet:02X}" for octet in character.encode("utf-8", "surrogatepass")]
    return "".join(escaped)
