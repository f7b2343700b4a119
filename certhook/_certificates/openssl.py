"""Certificates for OpenSSL: its PEM encoding, its hashed directory layout, and its verdict on a certificate."""

from __future__ import annotations

import binascii

from certhook import _loading
from certhook._certificates import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

    from certhook._certificates.x509 import Certificate


def to_pem(der: bytes) -> bytes:
    """Encode a certificate as PEM (:rfc:`7468`)."""
    text = binascii.b2a_base64(der, newline=False)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])


def hashed_files(certificates: Iterable[Certificate]) -> dict[str, bytes]:
    """Return the files of a hashed directory with *certificates*, by name, independent of their order.

    For one subject hash, OpenSSL opens the files 0, 1, 2, ... and stops at the first one that it
    rejects. Certificates that it rejects are therefore omitted if another one has the same hash.
    """
    by_hash: dict[str, list[bytes]] = {}
    for certificate in sorted(certificates, key=lambda certificate: certificate.der):
        try:
            name = names.subject_hash(certificate.subject)
        except ValueError:
            continue  # OpenSSL cannot decode this name either.
        by_hash.setdefault(name, []).append(certificate.der)
    files = {}
    for name, ders in by_hash.items():
        for number, der in enumerate(_accepted(ders) if len(ders) > 1 else ders):
            files[f"{name}.{number}"] = to_pem(der)
    return files


def _accepted(ders: list[bytes]) -> list[bytes]:
    return [*_loading.load_one_by_one(_loading.new_context(), ders, problems=[])]
