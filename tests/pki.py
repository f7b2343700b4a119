"""Certificates in every state that a real one can be in, good or bad; trustme makes only good ones."""

from __future__ import annotations

import datetime
from typing import Any, Mapping, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)

_ALL = (
    "content_commitment",
    "data_encipherment",
    "key_encipherment",
    "key_agreement",
    "encipher_only",
    "decipher_only",
)


class Issued(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def secret(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def issue(
    name: str,
    issuer: Issued | None = None,
    *,
    ca: bool = False,
    hosts: tuple[str, ...] = ("localhost",),
    days: tuple[int, int] = (-30, 300),
    organization: str = "certhook tests",
    key: Any = None,
    changed: Mapping[type[x509.ExtensionType], tuple[x509.ExtensionType, bool] | None] | None = None,
) -> Issued:
    """Make a certificate, of itself unless there is an *issuer*.

    :param days: from when until when it is valid, from now
    :param changed: extensions, and whether they are critical, instead of those that :rfc:`5280` asks for; None: none
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    above, signer = (issuer.certificate.subject, issuer.key) if issuer else (subject, key)
    builder = x509.CertificateBuilder(above, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW + days[0] * DAY).not_valid_after(NOW + days[1] * DAY)
    usage = x509.KeyUsage(digital_signature=not ca, crl_sign=ca, key_cert_sign=ca, **dict.fromkeys(_ALL, False))
    extensions: dict[type, tuple[x509.ExtensionType, bool] | None] = {
        x509.BasicConstraints: (x509.BasicConstraints(ca=ca, path_length=None), True),
        x509.KeyUsage: (usage, True),
        x509.SubjectKeyIdentifier: (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        x509.AuthorityKeyIdentifier: (identifier(signer), False),
    }
    if not ca and hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        extensions[x509.SubjectAlternativeName] = (names, False)
    for extension, critical in filter(None, {**extensions, **(changed or {})}.values()):
        builder = builder.add_extension(extension, critical)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def identifier(signer: Any) -> x509.AuthorityKeyIdentifier:
    """What says that the key *signer* signed."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())


#: Of a certificate of the last century: nothing but who it is.
BARE = dict.fromkeys((x509.KeyUsage, x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier))


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def with_sha1(issued: Issued, issuer: Issued) -> Issued:
    """The same certificate, signed with SHA-1 by an RSA key, which cryptography itself no longer does."""
    new, old = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")  # OIDs of equal length
    content = issued.certificate.tbs_certificate_bytes
    signature = issuer.key.sign(content.replace(new, old), padding.PKCS1v15(), hashes.SHA1())
    weak = issued.der.replace(new, old).replace(issued.certificate.signature, signature)
    return Issued(x509.load_der_x509_certificate(weak), issued.key)


class Chain(NamedTuple):
    """What a server sends, its own first, and the root that vouches for it."""

    sent: tuple[Issued, ...]
    root: Issued


def chain(**changed: Any) -> Chain:
    """A root, an intermediate and a server's certificate, this one *changed*."""
    root = issue("the root", ca=True)
    middle = issue("the middle", root, ca=True)
    return Chain((issue("localhost", middle, **changed), middle), root)
