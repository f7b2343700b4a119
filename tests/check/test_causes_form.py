"""Violations of RFC 5280 that the strict check refuses, shown by a real server."""

from __future__ import annotations

import ssl

import pytest
from cryptography import x509
from lab import Lab, Result, Scenarios, assert_cause
from pki import issue, key_usage

from certhook.cli.check.causes import form

scenarios = Scenarios()

CA = '"a careless CA (certhook tests)"'
LEAF = '"localhost (certhook tests)"'


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="the strict check requires OpenSSL 3")
@pytest.mark.parametrize(
    ("culprit", "kind", "value", "defect"),
    [
        (CA, x509.KeyUsage, None, "it is a CA without a key usage"),
        (CA, x509.SubjectKeyIdentifier, None, "it is a CA without a subject key identifier"),
        (CA, x509.AuthorityKeyIdentifier, None, "it has no authority key identifier"),
        (
            CA,
            x509.BasicConstraints,
            (x509.BasicConstraints(True, None), False),
            "it is a CA, but its basic constraints are not critical",
        ),
        (LEAF, x509.AuthorityKeyIdentifier, None, "it has no authority key identifier"),
        (
            LEAF,
            x509.KeyUsage,
            (key_usage("digital_signature", "key_cert_sign"), True),
            "its key usage permits it to sign certificates, but it is not a CA",
        ),
    ],
)
@scenarios.shows("strict", "CERTHOOK_X509_STRICT=0")
def test_the_defect_of_a_certificate_is_reported(culprit: str, kind, value, defect: str, lab: Lab) -> Result:
    changed = {kind: value}
    root = issue("the root", ca=True)
    intermediate = issue("a careless CA", root, ca=True, changed=changed if culprit == CA else None)
    lab.trust(root)
    lab.set_verify_flags(on=ssl.VERIFY_X509_STRICT)  # as since Python 3.13
    port = lab.serve((issue("localhost", intermediate, changed=changed if culprit == LEAF else None), intermediate))
    result = lab.check(port)
    assert_cause(result, "strict", f"the certificate of {culprit} does not: {defect}.")
    lab.set_verify_flags(off=ssl.VERIFY_X509_STRICT)
    assert lab.check(port)[0]["verified"]
    return result


def test_every_cause_is_shown() -> None:
    assert scenarios.identifiers == {cause.id for cause in form.CAUSES}
