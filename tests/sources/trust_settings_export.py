"""Exported trust settings of macOS, as TrustSettingsSchema.h of Apple's Security framework describes them."""

from __future__ import annotations

import plistlib
from datetime import datetime

import der

from certhook._certificates.x509 import Certificate, digest

#: Two self-issued roots with one subject, and a CA that they issued.
SUBJECT = der.common_name("certhook tests")
ROOT, OTHER_ROOT = der.certificate(SUBJECT), der.certificate(SUBJECT, serial=2, key=der.OTHER_KEY)
ISSUED = der.certificate(der.common_name("issued"), serial=0x9A3C)

#: Policies.
SSL, BASIC, SMIME = (bytes.fromhex(f"2a864886f76364010{n}") for n in (3, 2, 8))
#: Results.
TRUST_ROOT, TRUST_AS_ROOT, DENY, UNSPECIFIED = 1, 2, 3, 4


def rule(**values: object) -> dict[str, object]:
    """Return a dictionary of usage constraints: ``rule(Result=3)``."""
    return {f"kSecTrustSettings{name}": value for name, value in values.items()}


def entry(certificate: bytes, *rules: object, **changes: object) -> tuple[str, dict[str, object]]:
    """Return the key and the settings of one certificate; without rules, those of ``security add-trusted-cert``."""
    parsed = Certificate(certificate)
    settings: dict[str, object] = {
        "issuerName": parsed.issuer,
        "modDate": datetime(2024, 5, 13, 7, 51, 12),
        "serialNumber": parsed.serial[2:],
    }
    if rules:
        settings["trustSettings"] = list(rules)
    return digest("sha1", certificate).hex().upper(), {**settings, **changes}


def export(*entries: tuple[str, object], version: object = 1) -> bytes:
    """Return the output of ``security trust-settings-export`` with these settings."""
    return plistlib.dumps({"trustList": dict(entries), "trustVersion": version})
