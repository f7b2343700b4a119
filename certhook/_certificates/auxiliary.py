"""OpenSSL's trust settings, which follow a certificate in a ``TRUSTED CERTIFICATE``.

Every function raises :exc:`ValueError` for malformed input.
"""

from __future__ import annotations

from certhook._certificates import x509

_REJECT = 0xA0  # [0] IMPLICIT, in X509_CERT_AUX


def read(data: bytes) -> tuple[list[str] | None, list[str]]:
    """Read OpenSSL's trust settings, which follow the certificate in a ``TRUSTED CERTIFICATE``.

    Source: ``X509_CERT_AUX`` in OpenSSL's crypto/x509/x_x509a.c.

    :returns: the trusted purposes, None if they are not restricted, and the rejected
        purposes, as dotted object identifiers
    """
    tag, start, end = x509.read(data, 0, len(data))
    if tag != x509.SEQUENCE or end != len(data):
        raise ValueError("invalid OpenSSL trust settings")
    trusted: list[str] | None = None
    rejected: list[str] = []
    for tag, _, value, after in x509.children(data, start, end):
        if tag == x509.SEQUENCE:
            trusted = x509.object_identifiers(data, value, after)
        elif tag == _REJECT:
            rejected = x509.object_identifiers(data, value, after)
    return trusted, rejected


def purpose_lists(data: bytes) -> bytes:
    """Reduce OpenSSL's trust settings, which :func:`read` accepts, to the lists of purposes.

    The other fields have no effect on trust, and OpenSSL may reject them.

    :returns: trust settings as DER, empty if they contain no list
    """
    _, start, end = x509.read(data, 0, len(data))
    parts = {tag: data[at:after] for tag, at, _, after in x509.children(data, start, end)}
    lists = [parts[tag] for tag in (x509.SEQUENCE, _REJECT) if tag in parts]
    return x509.element(x509.SEQUENCE, b"".join(lists)) if lists else b""
