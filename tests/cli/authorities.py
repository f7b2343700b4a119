"""The certificate authorities of the tests in exported files."""

from __future__ import annotations

import ssl

#: The authorities that are trusted with the fixture *variables*.
TRUSTED = {"system", "bundled", "both", "extra"}


def names_in(pem: str) -> set[str]:
    """Return the authorities of the certificates in *pem*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem)
    subjects = [dict(pair for pairs in root["subject"] for pair in pairs) for root in context.get_ca_certs()]
    return {subject.get("organizationName", "").rpartition(" ")[2] for subject in subjects}
