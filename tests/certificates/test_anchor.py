"""An anchor describes its certificate and the sources that list it."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import der
import pytest
from cryptography import x509 as cryptography_x509
from cryptography.x509.oid import NameOID

from certhook._certificates import pem
from certhook._certificates.anchor import Anchor
from certhook._certificates.x509 import Certificate

ONE = Certificate(der.certificate(der.common_name("Root 1")))

#: Names of attributes that RFC 4514 does not define.
ATTRIBUTE_NAMES = {
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.ORGANIZATION_IDENTIFIER: "organizationIdentifier",
    NameOID.SERIAL_NUMBER: "serialNumber",
}


@pytest.mark.filterwarnings("ignore:Parsed a serial number:UserWarning")
def test_subjects_and_dates_of_public_roots_are_those_that_cryptography_reads(public_bundle: Path) -> None:
    for entry in pem.parse(public_bundle.read_bytes())[0]:
        anchor = Anchor(entry.certificate)
        expected = cryptography_x509.load_der_x509_certificate(anchor.der)
        assert anchor.subject == expected.subject.rfc4514_string(ATTRIBUTE_NAMES)
        assert anchor.validity == (expected.not_valid_before_utc, expected.not_valid_after_utc)


def test_an_anchor_has_a_fingerprint_a_subject_and_dates() -> None:
    anchor = Anchor(ONE)
    assert anchor.der == ONE.der
    assert anchor.sha256 == cryptography_x509.load_der_x509_certificate(ONE.der).fingerprint(_sha256()).hex()
    assert anchor.subject == "CN=Root 1"
    assert anchor.validity == (
        datetime(2020, 1, 1, tzinfo=timezone.utc),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=timezone.utc),
    )


def _sha256():
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()


def test_a_malformed_subject_is_shown_in_hexadecimal_digits() -> None:
    anchor = Anchor(Certificate(der.certificate(b"\x30\x02\x05\x00")))
    assert anchor.subject == "#30020500"


def test_malformed_dates_are_missing() -> None:
    certificate = Certificate(ONE.der.replace(der.VALIDITY, der.VALIDITY.replace(b"Z", b"+")))
    assert Anchor(certificate).validity is None


def test_an_anchor_names_each_source_once() -> None:
    anchor = Anchor(ONE, listed_by=(("system", "/a.pem"), ("bundled", "/b.pem"), ("system", "/c.pem")))
    assert anchor.sources == ["system", "bundled"]
    assert repr(anchor) == "<Anchor CN=Root 1, listed by system, bundled>"
    assert repr(Anchor(ONE)) == "<Anchor CN=Root 1, listed by no source>"
