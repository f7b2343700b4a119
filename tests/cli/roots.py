"""Root certificates with given names and validities."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone

import der
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NOW = datetime.now(timezone.utc).replace(microsecond=0)
KEY = ec.generate_private_key(ec.SECP256R1())
LONG_NAME = "A name that is longer than the widest column of all the tables"


def root(name: str, days: int, key: ec.EllipticCurvePrivateKey = KEY, organization: str | None = None) -> bytes:
    """Return a root certificate as PEM, valid until *days* from now."""
    attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]
    if organization:
        attributes.append(x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization))
    subject = x509.Name(attributes)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.not_valid_before(NOW - timedelta(3650)).not_valid_after(NOW + timedelta(days))
    certificate = builder.serial_number(x509.random_serial_number()).sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def distrusted(pem: bytes) -> bytes:
    """Return *pem* as a TRUSTED CERTIFICATE that rejects server authentication."""
    settings = der.auxiliary(rejected=[der.SERVERS])
    return der.pem(ssl.PEM_cert_to_DER_cert(pem.decode()) + settings, "TRUSTED CERTIFICATE")


#: The root certificates by file and name.
ROOTS = {
    "system": {"system": root("Sys, Inc.", 1000), "both": root("Both", 2000)},
    "bundle": {"bundled": root("Bündled", 1000), "expired": root("Expired", -2), "long": root(LONG_NAME, 3000)},
    "extra": {"extra": root("Extra", 1000), "soon": root("Soon", 20)},
}
ROOTS["bundle"]["both"] = ROOTS["system"]["both"]
