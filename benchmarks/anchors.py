"""Generate bundles with any number of certificate authorities."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_NOT_BEFORE = datetime.datetime(2020, 1, 1)
_NOT_AFTER = datetime.datetime(2049, 1, 1)


def write(path: str, count: int) -> None:
    """Write *count* self-signed roots to *path*, as PEM, with different names and the same key (EC, P-256)."""
    key = ec.generate_private_key(ec.SECP256R1())
    with open(path, "wb") as bundle:
        for number in range(count):
            bundle.write(_root(key, number).public_bytes(serialization.Encoding.PEM))


def _root(key: ec.EllipticCurvePrivateKey, number: int) -> x509.Certificate:
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "NL"),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "certhook benchmarks"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Root {number}"),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(number + 1)
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
