"""Violations of RFC 5280 that the strict check refuses, shown by a real server."""

from __future__ import annotations

import ssl

import pytest
from cryptography import x509
from lab import Lab, Result, Scenarios, assert_cause
from pki import Extensions, issue, key_usage

from certhook.cli.check.causes import form

scenarios = Scenarios()

NO_ISSUER_KEY = "it does not identify the key of its issuer (authority key identifier)"
CA = '"a careless CA (certhook tests)"'
LEAF = '"localhost (certhook tests)"'


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="the strict check requires OpenSSL 3")
@pytest.mark.parametrize(
    ("culprit", "kind", "value", "defect"),
    [
        (CA, x509.KeyUsage, None, "it is a CA, but does not list what it may be used for (key usage)"),
        (CA, x509.SubjectKeyIdentifier, None, "it is a CA, but does not identify its own key (subject key identifier)"),
        (
            CA,
            x509.AuthorityKeyIdentifier,
            None,
            "it does not identify the key of its issuer (authority key identifier)",
        ),
        (
            CA,
            x509.BasicConstraints,
            (x509.BasicConstraints(True, None), False),
            "it is a CA, but the mark for that is not critical (basic constraints)",
        ),
        (
            LEAF,
            x509.AuthorityKeyIdentifier,
            None,
            "it does not identify the key of its issuer (authority key identifier)",
        ),
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


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="the strict check requires OpenSSL 3")
@pytest.mark.parametrize(
    ("culprit", "changed"),
    [
        ("root", {x509.KeyUsage: None}),
        ("root", {x509.BasicConstraints: None}),
        ("root", {x509.AuthorityKeyIdentifier: None}),
        ("root", {x509.SubjectKeyIdentifier: None}),
        ("root", {x509.BasicConstraints: (x509.BasicConstraints(True, None), False)}),
        ("middle", {x509.AuthorityKeyIdentifier: None}),
        ("middle", {x509.BasicConstraints: (x509.BasicConstraints(True, 0), True)}),
        ("leaf", {x509.SubjectKeyIdentifier: None}),
        ("leaf", {x509.AuthorityKeyIdentifier: None}),
        ("leaf", {x509.KeyUsage: (key_usage("digital_signature", "key_cert_sign"), True)}),
        ("leaf", {x509.KeyUsage: None}),
        ("none", {}),
    ],
)
def test_a_lenient_python_announces_what_a_strict_one_refuses(culprit: str, changed: Extensions, lab: Lab) -> None:
    root = issue("the root", ca=True, changed=changed if culprit == "root" else None)
    middle = issue("the middle", root, ca=True, changed=changed if culprit == "middle" else None)
    leaf = issue("localhost", middle, changed=changed if culprit == "leaf" else None)
    lab.trust(root)
    port = lab.serve((leaf, middle))
    lab.set_verify_flags(on=ssl.VERIFY_X509_STRICT)
    strict, _ = lab.check(port)
    lab.set_verify_flags(off=ssl.VERIFY_X509_STRICT)
    lenient, text = lab.check(port)
    assert lenient["verified"]
    assert bool(lenient["hints"]) == (not strict["verified"]), strict["error"]
    assert ("Hint: Python 3.13 and later refuse this server" in text) == (not strict["verified"])


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="the strict check requires OpenSSL 3")
@scenarios.shows("strict", 'the certificate of "the root (certhook tests)" does not: it is not marked as a CA')
def test_a_root_of_an_old_form_is_reported(lab: Lab) -> Result:
    root = issue("the root", ca=True, changed={x509.BasicConstraints: None})
    lab.trust(root)
    lab.set_verify_flags(on=ssl.VERIFY_X509_STRICT)
    return lab.check(lab.serve((issue("localhost", root),)))


def test_every_cause_is_shown() -> None:
    assert scenarios.identifiers == {cause.id for cause in form.CAUSES}
