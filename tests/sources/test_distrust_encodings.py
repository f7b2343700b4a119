"""A distrusted CA with another encoding of its key, which OpenSSL accepts, is distrusted.

In each case, Python without certhook verifies a server with the CA in that encoding.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Callable

import der
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from der import BIT_STRING, SEQUENCE
from pki import Issued, issue

import certhook
from certhook._certificates import x509
from certhook._sources import distrust


@lru_cache(maxsize=None)
def authority(kind: str) -> Issued:
    key = rsa.generate_private_key(65537, 2048) if kind == "RSA" else None
    return issue("distrusted", ca=True, key=key)


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
    "compressed": ("EC", KEY, with_bits(compressed)),
    "hybrid": ("EC", KEY, with_bits(hybrid)),
}
NOT_DER = {
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
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(tmp_path / "bundle.pem"))
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    (tmp_path / "untrusted").mkdir()

    def read(root: bytes, *distrusted: bytes):
        (tmp_path / "bundle.pem").write_bytes(der.pem(root))
        for number, certificate in enumerate(distrusted):
            (tmp_path / "untrusted" / str(number)).write_bytes(certificate)
        return certhook.trust_set()

    return read


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_distrusted_ca_with_another_encoding_of_its_key_is_distrusted(trust, tmp_path: Path, name: str) -> None:
    kind, position, change = ENCODINGS[name]
    original = authority(kind).der
    other = replaced(original, position, change)
    assert other != original and is_verified(other, kind, tmp_path)
    assert [anchor.der for anchor in trust(other).anchors] == [other]
    for root, distrusted in ((other, original), (original, other)):
        found = trust(root, distrusted)
        assert ([anchor.der for anchor in found.anchors], [anchor.der for anchor in found.removed]) == ([], [root])


@pytest.mark.parametrize("name", NOT_DER)
def test_a_ca_whose_name_or_key_is_not_der_is_rejected(trust, tmp_path: Path, name: str) -> None:
    kind, position, change = NOT_DER[name]
    other = replaced(authority(kind).der, position, change)
    assert is_verified(other, kind, tmp_path)
    found = trust(other)
    assert found.anchors == ()
    assert any("non-minimal length" in str(problem) for problem in found.problems)
