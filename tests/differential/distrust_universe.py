"""The certificates of the tests of distrust, and random trees of files that distrust some of them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

import der
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from der import ANY, BIT_STRING, CLIENTS, MAIL, SEQUENCE, SERVERS

from certhook._certificates.keys import key_value
from certhook._certificates.x509 import Certificate

_BASIC_CONSTRAINTS = der.element(
    SEQUENCE, der.object_identifier("2.5.29.19"), b"\x01\x01\xff", der.element(0x04, bytes.fromhex("30030101ff"))
)
_ALGORITHM = der.element(SEQUENCE, der.object_identifier("1.2.840.10045.4.3.2"))
KEY_USAGE, REJECT = "2.5.29.37", "1.3.6.1.4.1.3319.6.10.1"


def authority(subject: bytes, serial: int, key: bytes, issuer: bytes | None = None) -> bytes:
    """Return the certificate of a CA with an invalid signature, which neither OpenSSL nor trust(1) verifies."""
    fields = (
        b"\xa0\x03\x02\x01\x02",
        der.element(0x02, bytes((serial,))),
        _ALGORITHM,
        issuer or subject,
        der.VALIDITY,
        subject,
        key,
        der.element(0xA3, der.element(SEQUENCE, _BASIC_CONSTRAINTS)),
    )
    return der.element(SEQUENCE, der.element(SEQUENCE, *fields), _ALGORITHM, der.element(BIT_STRING, b"\0\x30\0"))


def _elliptic(private: int) -> bytes:
    public = ec.derive_private_key(private, ec.SECP256R1()).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def compressed(key: bytes) -> bytes:
    """Return a key of P-256 with a compressed point."""
    algorithm, point = key[2:23], key[26:]
    return der.element(SEQUENCE, algorithm, der.element(BIT_STRING, b"\0", bytes((2 + point[64] % 2,)), point[1:33]))


def _rsa_keys() -> tuple[bytes, bytes, bytes]:
    """Return the encodings of one RSA key: usual, without parameters, and of RSASSA-PSS."""
    private = rsa.generate_private_key(65537, 2048)
    public = der.element(BIT_STRING, b"\0", private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1))
    usual, pss = (der.object_identifier(f"1.2.840.113549.1.1.{number}") for number in (1, 10))
    algorithms = (usual + b"\5\0", usual, pss)
    keys = [der.element(SEQUENCE, der.element(SEQUENCE, algorithm), public) for algorithm in algorithms]
    return keys[0], keys[1], keys[2]


def _universe() -> dict[str, bytes]:
    name = der.common_name
    rsa_key, without_parameters, pss = _rsa_keys()
    keys = [_elliptic(number) for number in range(2, 10)]
    printable = der.name([der.attribute(der.element(der.PRINTABLE_STRING, b"A"))])
    return {
        "a": authority(name("a"), 1, keys[0]),
        "a renewed": authority(name("a"), 2, keys[0]),
        "a in another string type": authority(printable, 3, keys[0]),
        "a with another key": authority(name("a"), 4, keys[1]),
        "a compressed": authority(name("a"), 5, compressed(keys[0])),
        "b with the key of a": authority(name("b"), 6, keys[0]),
        "b": authority(name("b"), 7, keys[2]),
        "rsa": authority(name("rsa"), 8, rsa_key),
        "rsa without parameters": authority(name("rsa"), 9, without_parameters),
        "rsa pss": authority(name("rsa"), 10, pss),
        "cross": authority(name("cross"), 11, keys[3], issuer=name("issuer")),
        "same issuer and serial": authority(name("other"), 11, keys[4], issuer=name("issuer")),
        "unrelated": authority(name("unrelated"), 12, keys[5]),
        "unrelated, too": authority(name("unrelated, too"), 13, keys[6]),
    }


UNIVERSE = {name: Certificate(data) for name, data in _universe().items()}


def key_of(certificate: Certificate) -> bytes:
    """Return the value of the key of a certificate."""
    return key_value(certificate.key)


class File(NamedTuple):
    """A file of a random tree.

    :ivar stricter: the keys that certhook may distrust although trust(1) does not
    :ivar limited: the keys for which the file limits the purposes; a key occurs once for each limitation
    """

    data: bytes
    stricter: tuple[bytes, ...] = ()
    limited: tuple[bytes, ...] = ()


def _quoted(data: bytes) -> str:
    return f'"{der.escaped(data)}"'


def _purposes(choose: random.Random) -> list[str]:
    return choose.sample([SERVERS, CLIENTS, MAIL, ANY], choose.randrange(1, 4))


def _trusted(choose: random.Random, certificate: Certificate) -> File:
    trusted = _purposes(choose) if choose.random() < 0.7 else None
    rejected = _purposes(choose) if choose.random() < 0.4 else None
    data = der.pem(certificate.der + der.auxiliary(trusted, rejected), "TRUSTED CERTIFICATE")
    # trust(1) removes the rejected purposes from the list literally; OpenSSL lets a rejection override "any".
    is_stricter = SERVERS in (rejected or ()) or ANY in (rejected or ())
    key = key_of(certificate)
    return File(data, (key,) if is_stricter else (), (key,))


def _object(*lines: str, pem: bytes = b"") -> bytes:
    return "\n".join(["[p11-kit-object-v1]", *lines, ""]).encode() + pem


def _distrusting_object(choose: random.Random, certificate: Certificate) -> File:
    mark = choose.choice(["x-distrusted: true", "x-distrusted: true", 'x-distrusted: "%01"', "x-distrusted: false"])
    forms = [
        _object(mark, pem=der.pem(certificate.der)),
        _object(mark, "trusted: true", pem=der.pem(certificate.der)),
        _object("class: certificate", "certificate-type: x-509", mark, f"value: {_quoted(certificate.der)}"),
        _object(
            "class: certificate",
            "certificate-type: x-509",
            mark,
            f"issuer: {_quoted(certificate.issuer)}",
            f"serial-number: {_quoted(certificate.serial)}",
        ),
        _object("class: certificate", "certificate-type: x-509", mark, pem=der.pem(certificate.key, "PUBLIC KEY")),
        _object("class: certificate", "certificate-type: x-509", mark, f"public-key-info: {_quoted(certificate.key)}"),
    ]
    return File(choose.choice(forms))


def _attached(choose: random.Random, certificate: Certificate) -> File:
    kind = choose.choice([KEY_USAGE, KEY_USAGE, REJECT])
    extension = der.extension(kind, *_purposes(choose))
    key = choose.choice([f"public-key-info: {_quoted(certificate.key)}", ""])
    identifier = der.object_identifier(kind)
    lines = [
        "class: x-certificate-extension",
        choose.choice([f"object-id: {kind}", f"object-id: {_quoted(identifier)}"]),
        f"value: {_quoted(extension)}",
        *([key] if key else []),
    ]
    data = _object(*lines, pem=b"" if key else der.pem(certificate.key, "PUBLIC KEY"))
    # trust(1) ignores this extension if there is no other one.
    value = key_of(certificate)
    return File(data, (value,) if kind == REJECT else (), (value,))


def _plain(choose: random.Random, certificate: Certificate) -> File:
    data = der.pem(certificate.der)
    forms = [data, data, certificate.der, b"  " + data, b"# a comment\n" + data, data.replace(b"\n", b"\r\n")]
    return File(choose.choice(forms))


def _dated(choose: random.Random, certificate: Certificate) -> File:
    """Return an object with a distrust date, which trust(1) passes to NSS and does not apply itself."""
    date = choose.choice(['"200101000000Z"', '"20200101000000Z"', '"490101000000Z"', '"%00"', "false"])
    after = f"nss-server-distrust-after: {date}"
    is_past = date.startswith(('"20', '"2020'))
    return File(
        _object("trusted: true", after, pem=der.pem(certificate.der)), (key_of(certificate),) if is_past else ()
    )


def _varied(choose: random.Random, certificate: Certificate) -> File:
    """Return an object with unusual white space, comments or line endings."""
    pem = der.pem(certificate.der)
    forms = [
        _object("x-distrusted: true", pem=pem).replace(b"\n", b"\r\n"),
        _object("  x-distrusted:true", pem=pem),
        _object("# x-distrusted: true", "", pem=pem),
        b"# a comment\n\n" + _object("", "x-distrusted :  true  ", "# a comment", pem=pem),
        b"[p11-kit-object-v1]\n" + pem + b"x-distrusted: true\n",
        b"  [p11-kit-object-v1]  \nx-distrusted: true\n" + pem,
        _object("x-distrusted: false", "x-distrusted: true", pem=pem),
        _object("x-distrusted: true", "x-distrusted: false", pem=pem),
        _object("x-distrusted: true", pem=pem).rstrip(b"\n"),
    ]
    # trust(1) accepts some of these objects and ignores others.
    malformed = [
        _object("x-distrusted: true", pem=b"\n  " + pem),
        _object("x-distrusted: true", "unknown: true", pem=pem),
        _object("x-distrusted: true", pem=pem.replace(b"CERTIFICATE", b"X509 CERTIFICATE")),
    ]
    if choose.random() < 0.2:
        return File(choose.choice(malformed), (key_of(certificate),))
    return File(choose.choice(forms))


def _several(choose: random.Random, certificate: Certificate) -> File:
    others = choose.sample(sorted(UNIVERSE), 2)
    return File(der.pem(certificate.der) + b"".join(der.pem(UNIVERSE[name].der) for name in others))


def _several_objects(choose: random.Random, certificate: Certificate) -> File:
    other = UNIVERSE[choose.choice(sorted(UNIVERSE))]
    files = [_distrusting_object(choose, certificate), _attached(choose, other)]
    return File(b"".join(file.data for file in files), files[1].stricter, files[1].limited)


_KINDS = (
    *(_plain, _plain, _several, _trusted, _trusted, _dated, _varied),
    *(_distrusting_object, _distrusting_object, _attached, _attached, _several_objects),
)
_NAMES = ("a.pem", "b.p11-kit", "c.crt", "README", ".hidden", "d")


def p11_kit_tree(choose: random.Random) -> dict[str, File]:
    """Return the files of a directory of p11-kit, by their paths."""
    tree = {}
    for _ in range(choose.randrange(1, 6)):
        directory = choose.choice(["", "anchors/", "anchors/", "blocklist/", "blocklist/"])
        certificate = UNIVERSE[choose.choice(sorted(UNIVERSE))]
        tree[f"{directory}{choose.choice(_NAMES)}"] = choose.choice(_KINDS)(choose, certificate)
    return tree


def write_tree(directory: Path, tree: dict[str, bytes]) -> None:
    """Write files and their directories, readable by every user."""
    for name, data in tree.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
