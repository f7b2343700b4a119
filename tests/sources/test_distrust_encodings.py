"""A distrusted CA with another encoding of its name or key, which OpenSSL accepts, is distrusted or rejected.

In each case, Python without certhook verifies a server with the CA in that encoding.
"""

from __future__ import annotations

import _ssl
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Callable

import der
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from der import BIT_STRING, SEQUENCE
from pki import Issued, issue

import certhook
from certhook import _trust
from certhook._certificates import x509
from certhook._config import SERVER_AUTH
from certhook._sources import distrust


@lru_cache(maxsize=None)
def authority(kind: str) -> Issued:
    generators = {"RSA": lambda: rsa.generate_private_key(65537, 2048), "DSA": lambda: dsa.generate_private_key(2048)}
    return issue("distrusted", ca=True, key=generators.get(kind, lambda: None)())


@lru_cache(maxsize=None)
def server(kind: str) -> Issued:
    return issue("server", authority(kind))


def replaced(certificate: bytes, position: int, change: Callable[[bytes], bytes]) -> bytes:
    """Return a certificate with another field at *position*, counted from the version, and an invalid signature."""
    _, start, end = x509.read(certificate, 0, len(certificate))
    signed, *rest = x509.children(certificate, start, end)
    fields = [certificate[field[1] : field[3]] for field in x509.children(certificate, signed[2], signed[3])]
    fields[position] = change(fields[position])
    return der.element(SEQUENCE, der.element(SEQUENCE, *fields), *(certificate[part[1] : part[3]] for part in rest))


def split(key: bytes) -> tuple[bytes, bytes]:
    """Return the algorithm of a key, and the content of its bit string."""
    _, start, end = x509.read(key, 0, len(key))
    algorithm, bits = x509.children(key, start, end)
    return key[algorithm[1] : algorithm[3]], key[bits[2] + 1 : bits[3]]


def elements(data: bytes) -> list[bytes]:
    """Return the elements of a sequence or a set."""
    _, start, end = x509.read(data, 0, len(data))
    return [data[part[1] : part[3]] for part in x509.children(data, start, end)]


def value(data: bytes) -> bytes:
    """Return the value of an element."""
    return data[x509.read(data, 0, len(data))[1] :]


def with_attributes(change: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> Callable[[bytes], bytes]:
    """Return a change of the type and the value of each attribute of a name."""
    return lambda name: der.name(
        *(
            [der.element(SEQUENCE, *change(*elements(attribute))) for attribute in elements(part)]
            for part in elements(name)
        )
    )


def as_string(tag: int, encoding: str = "ascii") -> Callable[[bytes], bytes]:
    """Return a change of a name to strings with *tag*."""
    return with_attributes(lambda kind, text: (kind, der.element(tag, value(text).decode().encode(encoding))))


def constructed(data: bytes) -> bytes:
    """Return an element in constructed form, with one part."""
    return der.element(data[0] | 0x20, data)


def high(data: bytes) -> bytes:
    """Return an element whose tag has one more byte than it needs."""
    return bytes((data[0] | 0x1F, data[0] & 0x1F)) + data[1:]


def indefinite(data: bytes) -> bytes:
    return data[:1] + b"\x80" + value(data) + b"\0\0"


def with_key_parts(change: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> Callable[[bytes], bytes]:
    """Return a change of the algorithm and the bit string of a key."""
    return lambda key: der.element(SEQUENCE, *change(*elements(key)))


def with_modulus(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Return a change of the first number of an RSA key."""

    def changed(content: bytes) -> bytes:
        modulus, exponent = elements(content)
        return der.element(SEQUENCE, change(modulus), exponent)

    return with_bits(changed)


def with_p_added(key: bytes) -> bytes:
    """Return a DSA key whose number is greater by p, which OpenSSL reduces."""
    p = int.from_bytes(value(elements(elements(elements(key)[0])[1])[0]), "big")
    number = int.from_bytes(value(split(key)[1]), "big") + p
    content = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return der.element(SEQUENCE, elements(key)[0], bits(der.element(x509.INTEGER, content)))


def with_longer_part(name: bytes) -> bytes:
    """Return a name in which the length of the first set has one more byte than it needs."""
    _, start, end = x509.read(name, 0, len(name))
    first, *rest = (name[part[1] : part[3]] for part in x509.children(name, start, end))
    return der.element(SEQUENCE, longer(first), *rest)


def with_algorithm(*parts: bytes) -> Callable[[bytes], bytes]:
    return lambda key: der.element(SEQUENCE, der.element(SEQUENCE, *parts), bits(split(key)[1]))


def with_bits(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda key: der.element(SEQUENCE, split(key)[0], bits(change(split(key)[1])))


def bits(content: bytes) -> bytes:
    return der.element(BIT_STRING, b"\0", content)


def longer(data: bytes) -> bytes:
    """Return an element whose length has one more byte than it needs."""
    _, start, _ = x509.read(data, 0, len(data))
    octets = (len(data) - start).to_bytes(start - 1 if data[1] & 0x80 else 1, "big")
    return data[:1] + bytes((0x80 | len(octets),)) + octets + data[start:]


def compressed(point: bytes) -> bytes:
    return bytes((2 + point[-1] % 2,)) + point[1:33]


def hybrid(point: bytes) -> bytes:
    return bytes((6 + point[-1] % 2,)) + point[1:]


SUBJECT, KEY = 5, 6
ENCODINGS = {
    "no parameters": ("RSA", KEY, with_algorithm(der.object_identifier("1.2.840.113549.1.1.1"))),
    "another algorithm": ("RSA", KEY, with_algorithm(der.object_identifier("2.5.8.1.1"), b"\5\0")),
    "further data": ("RSA", KEY, with_bits(lambda content: content + b"\0")),
    "a modulus without a sign": ("RSA", KEY, with_modulus(lambda n: der.element(x509.INTEGER, value(n)[1:]))),
    "a modulus with zeros": ("RSA", KEY, with_modulus(lambda n: der.element(x509.INTEGER, b"\0", value(n)))),
    "unused bits": (
        "RSA",
        KEY,
        with_key_parts(lambda kind, found: (kind, der.element(BIT_STRING, b"\7", value(found)[1:], b"\x7f"))),
    ),
    "DSA, further data": ("DSA", KEY, with_bits(lambda content: content + b"\0")),
    "DSA, y + p": ("DSA", KEY, with_p_added),
    "PrintableString": ("EC", SUBJECT, as_string(0x13)),
    "T61String": ("EC", SUBJECT, as_string(0x14)),
    "BMPString": ("EC", SUBJECT, as_string(0x1E, "utf-16-be")),
    "UniversalString": ("EC", SUBJECT, as_string(0x1C, "utf-32-be")),
    "case and spaces": (
        "EC",
        SUBJECT,
        with_attributes(lambda kind, text: (kind, der.element(0x13, value(text).upper().replace(b" ", b"  "), b"\t"))),
    ),
    "an empty set": ("EC", SUBJECT, lambda name: der.element(SEQUENCE, *elements(name), b"\x31\0")),
    "compressed": ("EC", KEY, with_bits(compressed)),
    "hybrid": ("EC", KEY, with_bits(hybrid)),
}
NOT_DER = {
    "a constructed string in a name": ("EC", SUBJECT, with_attributes(lambda kind, text: (kind, constructed(text)))),
    "a high tag of a string": ("EC", SUBJECT, with_attributes(lambda kind, text: (kind, high(text)))),
    "a high tag of a type": ("EC", SUBJECT, with_attributes(lambda kind, text: (high(kind), text))),
    "a high tag of a set": ("EC", SUBJECT, lambda name: der.element(SEQUENCE, *map(high, elements(name)))),
    "an indefinite length in a name": (
        "EC",
        SUBJECT,
        lambda name: der.element(SEQUENCE, *map(indefinite, elements(name))),
    ),
    **{
        f"a {change.__name__} form of the bits of a key, {kind}": (
            kind,
            KEY,
            with_key_parts(lambda algorithm, found, change=change: (algorithm, change(found))),
        )
        for kind in ("RSA", "EC", "DSA")
        for change in (constructed, high)
    },
    "a high tag of an algorithm": ("RSA", KEY, with_key_parts(lambda algorithm, found: (high(algorithm), found))),
    "a high tag of an RSA key": ("RSA", KEY, with_bits(high)),
    "a high tag of a modulus": ("RSA", KEY, with_modulus(high)),
    "an indefinite length of an RSA key": ("RSA", KEY, with_bits(indefinite)),
    "a high tag of a DSA key": ("DSA", KEY, with_bits(high)),
    "a long length of a DSA key": ("DSA", KEY, with_bits(longer)),
    "a long length of a name": ("EC", SUBJECT, longer),
    "a long length in a name": ("EC", SUBJECT, with_longer_part),
    "a long length of an algorithm": (
        "EC",
        KEY,
        lambda key: der.element(SEQUENCE, longer(split(key)[0]), bits(split(key)[1])),
    ),
    "a long length of an RSA key": ("RSA", KEY, with_bits(longer)),
}


def is_verified(root: bytes, kind: str, directory: Path) -> bool:
    """Return whether a context of Python without certhook verifies a server with this root.

    :param directory: a directory for temporary files
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=root)
    return verifies(context, kind, directory)


def verifies(context: ssl.SSLContext, kind: str, directory: Path) -> bool:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (directory / "chain.pem").write_bytes(server(kind).secret + server(kind).pem)
    serving.load_cert_chain(directory / "chain.pem")
    sent, received = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(received, sent, server_hostname="localhost")
    peer = serving.wrap_bio(sent, received, server_side=True)
    for _ in range(3):
        for side in (client, peer):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError:
                return False
    return client.version() is not None


@pytest.fixture
def trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that returns the trust set of a bundle with one root on a system that distrusts others."""
    monkeypatch.setattr(distrust.sys, "platform", "freebsd14")
    monkeypatch.setattr(distrust, "UNTRUSTED", (str(tmp_path / "untrusted"),))
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_STORE_DIR", str(tmp_path / "stores"))
    (tmp_path / "untrusted").mkdir()

    def read(root: bytes, *distrusted: bytes):
        # A new path, so that no earlier result is current.
        bundle = tmp_path / f"bundle{len(list(tmp_path.iterdir()))}.pem"
        bundle.write_bytes(der.pem(root))
        monkeypatch.setenv("CERTHOOK_BUNDLE", str(bundle))
        for number, certificate in enumerate(distrusted):
            (tmp_path / "untrusted" / str(number)).write_bytes(certificate)
        return certhook.trust_set()

    return read


@pytest.fixture
def verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that returns the verdicts of a context with a compiled store, and of one with every root loaded."""

    def ask(kind: str) -> list[bool]:
        found = []
        for load in ("lazy", "eager"):
            monkeypatch.setenv("CERTHOOK_LOAD", load)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            _trust.apply(context, SERVER_AUTH)
            assert bool(_ssl._SSLContext.cert_store_stats(context)["x509"]) <= (load == "eager")
            found.append(verifies(context, kind, tmp_path))
        return found

    return ask


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_distrusted_ca_in_another_encoding_is_distrusted(trust, verdicts, tmp_path: Path, name: str) -> None:
    kind, position, change = ENCODINGS[name]
    original = authority(kind).der
    other = replaced(original, position, change)
    assert other != original and is_verified(other, kind, tmp_path)
    assert [anchor.der for anchor in trust(other).anchors] == [other]
    assert verdicts(kind) == [True, True]
    for root, distrusted in ((other, original), (original, other)):
        found = trust(root, distrusted)
        assert ([anchor.der for anchor in found.anchors], [anchor.der for anchor in found.distrusted]) == ([], [root])
        assert verdicts(kind) == [False, False]


@pytest.mark.parametrize("name", NOT_DER)
def test_a_ca_whose_name_or_key_is_not_der_is_rejected(trust, verdicts, tmp_path: Path, name: str) -> None:
    kind, position, change = NOT_DER[name]
    other = replaced(authority(kind).der, position, change)
    assert is_verified(other, kind, tmp_path)
    found = trust(other)
    assert found.anchors == ()
    assert any("is not DER: " in str(problem) or "non-minimal length" in str(problem) for problem in found.problems)
    assert verdicts(kind) == [False, False]
