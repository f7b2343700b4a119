"""Certificates in the forms that OpenSSL reads, PEM text and hashed directories, and its verdict on them."""

from __future__ import annotations

import _ssl
import binascii

from certhook import _digest
from certhook._certificates import names
from certhook._state import context_class_of
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Iterable

    from certhook._certificates.x509 import Certificate
    from certhook.exceptions import CerthookError

# Not the context's own method, which a subclass may override and certhook wraps.
_load = _ssl._SSLContext.load_verify_locations


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
    return [*load_one_by_one(new_context(), ders, problems=[])]


def load_one_by_one(
    context: ssl.SSLContext, anchors: Iterable[bytes], problems: list[CerthookError]
) -> tuple[bytes, ...]:
    """Load each of *anchors* that OpenSSL accepts into *context*.

    :param anchors: certificates as DER
    :param problems: a problem is appended for each rejected certificate
    :returns: the certificates that were loaded
    """
    loaded = []
    for anchor in anchors:
        try:
            _load(context, cadata=anchor)
        except _ssl.SSLError as error:
            name = f"the certificate with SHA-256 {_digest.hexdigest('sha256', anchor)}"
            problems.append(SourceError(name, f"is ignored because OpenSSL rejects it: {error}"))
        else:
            loaded.append(anchor)
    return tuple(loaded)


def new_context() -> ssl.SSLContext:
    """Return an empty context of the standard library's class, to test whether OpenSSL accepts certificates."""
    # A module of certhook must not keep ssl alive at shutdown; see certhook._state.wrapped.
    import ssl

    return context_class_of(ssl)(ssl.PROTOCOL_TLS_CLIENT)  # type: ignore[no-any-return]
