"""Certificates with any property, valid or not. trustme creates only valid ones."""

from __future__ import annotations

import datetime
from typing import Any, Mapping, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)

#: Extensions, each with its criticality; None omits the extension.
Extensions = Mapping["type[x509.ExtensionType]", "tuple[x509.ExtensionType, bool] | None"]

_USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
           "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip


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
    changed: Extensions | None = None,
) -> Issued:
    """Issue a certificate, self-signed without an *issuer*.

    :param days: the start and end of its validity, relative to now
    :param changed: extensions that replace or add to those that :rfc:`5280` requires
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    issuer_name, signer = (issuer.certificate.subject, issuer.key) if issuer else (subject, key)
    builder = x509.CertificateBuilder(issuer_name, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW + days[0] * DAY).not_valid_after(NOW + days[1] * DAY)
    usages = ("key_cert_sign", "crl_sign") if ca else ("digital_signature",)
    extensions: dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool] | None] = {
        x509.BasicConstraints: (x509.BasicConstraints(ca=ca, path_length=None), True),
        x509.KeyUsage: (key_usage(*usages), True),
        x509.SubjectKeyIdentifier: (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        x509.AuthorityKeyIdentifier: (authority_key_identifier(signer), False),
    }
    if not ca and hosts:
        extensions[x509.SubjectAlternativeName] = (dns_names(*hosts), False)
    for extension, critical in filter(None, {**extensions, **(changed or {})}.values()):
        builder = builder.add_extension(extension, critical)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def dns_names(*hosts: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])


def key_usage(*usages: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in usages for usage in _USAGES})


def authority_key_identifier(signer: Any) -> x509.AuthorityKeyIdentifier:
    """Return the extension that identifies the key *signer*."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())


#: Omits all extensions that certificates of the 1990s lack.
BARE: Extensions = dict.fromkeys((x509.KeyUsage, x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier))


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def with_sha1(issued: Issued, issuer: Issued) -> Issued:
    """Return *issued* with a SHA-1 signature by an RSA key, which cryptography no longer creates."""
    new, old = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")  # OIDs of equal length
    content = issued.certificate.tbs_certificate_bytes
    signature = issuer.key.sign(content.replace(new, old), padding.PKCS1v15(), hashes.SHA1())
    weak = issued.der.replace(new, old).replace(issued.certificate.signature, signature)
    return Issued(x509.load_der_x509_certificate(weak), issued.key)


class Chain(NamedTuple):
    """The certificates that a server sends, its own first, and their root."""

    sent: tuple[Issued, ...]
    root: Issued


def chain(**leaf: Any) -> Chain:
    """Issue a root, an intermediate, and a server's certificate with the arguments *leaf* of :func:`issue`."""
    root = issue("the root", ca=True)
    intermediate = issue("the middle", root, ca=True)
    return Chain((issue("localhost", intermediate, **leaf), intermediate), root)


def namesake(
    authority: Any, serial: int, years: tuple[int, int], *extensions: tuple[x509.ExtensionType, bool]
) -> bytes:
    """Issue a root with the name and the key of *authority*, a :class:`trustme.CA`, as DER.

    :param serial: an even one makes the certificate shorter than the authority's own, an odd one longer
    :param years: the start and the end of its validity
    :param extensions: further extensions, each with its criticality
    """
    root = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    key = load_pem_private_key(authority.private_key_pem.bytes(), None)
    number = serial if serial % 2 == 0 else serial << 150
    builder = x509.CertificateBuilder(root.subject, root.subject, root.public_key(), number)
    start, end = (datetime.datetime(year, 1, 1) for year in years)
    builder = builder.not_valid_before(start).not_valid_after(end)
    for extension in root.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    if serial % 2:
        builder = builder.add_extension(x509.IssuerAlternativeName([x509.DNSName("a" * 99)]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def expired_namesake(authority: Any, serial: int) -> bytes:
    """Return a :func:`namesake` that expired in 2011."""
    return namesake(authority, serial, (2001, 2011))
