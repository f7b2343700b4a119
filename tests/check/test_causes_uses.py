"""Each cause in the permitted uses of certificates, shown by a real server."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from lab import Lab, Result, Scenarios, assert_cause
from pki import BARE, Extensions, Issued, chain, dns_names, issue, key_usage

from certhook.cli.check.causes import uses

scenarios = Scenarios()

ONLY_FOR_CLIENTS: Extensions = {
    x509.ExtendedKeyUsage: (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
}


def check_leaf(lab: Lab, **leaf: Any) -> Result:
    bad = chain(**leaf)
    lab.trust(bad.root)
    return lab.check(lab.serve(bad.sent))


def check_intermediate(lab: Lab, name: str, hosts: tuple[str, ...] = ("localhost",), **intermediate: Any) -> Result:
    root = issue("the root", ca=True)
    middle = issue(name, root, ca=True, **intermediate)
    lab.trust(root)
    return lab.check(lab.serve((issue("localhost", middle, hosts=hosts), middle)))


# Issuing certificates.


@scenarios.shows("not-a-ca", 'The certificate of "no CA (certhook tests)" was used to issue another', "not of a CA")
def test_a_certificate_from_a_server_certificate_is_refused(lab: Lab) -> Result:
    root = issue("the root", ca=True)
    server = issue("no CA", root, changed=BARE)
    lab.trust(root)
    lab.set_verify_flags(off=ssl.VERIFY_X509_STRICT)
    return lab.check(lab.serve((issue("localhost", server), server)))


@scenarios.shows(
    "wrong-purpose",
    "The certificate of localhost is not valid for TLS servers: it is only valid for clients (clientAuth)",
    "get a certificate for localhost",
)
def test_a_client_certificate_is_not_valid_for_servers(lab: Lab) -> Result:
    return check_leaf(lab, changed=ONLY_FOR_CLIENTS)


@scenarios.shows(
    "wrong-purpose",
    '"a CA for clients (certhook tests)", a CA in the certificate chain of localhost, is',
    "may not issue certificates for servers",
)
def test_a_ca_for_clients_is_not_valid_for_servers(lab: Lab) -> Result:
    result = check_intermediate(lab, "a CA for clients", changed=ONLY_FOR_CLIENTS)
    assert "get a certificate for localhost" not in result[1]
    return result


@scenarios.shows("wrong-key-usage", "may be used only for nonRepudiation, dataEncipherment", "usage digitalSignature")
def test_a_key_usage_without_signatures_is_refused(lab: Lab) -> Result:
    usage = key_usage("content_commitment", "data_encipherment")
    return check_leaf(lab, changed={x509.KeyUsage: (usage, True)})


@scenarios.shows(
    "wrong-key-usage",
    "may be used only for keyCertSign, cRLSign (key usage)",
    "the certificate of the certificate authority (CA) ",
)
def test_a_ca_certificate_as_server_certificate_is_refused(lab: Lab) -> Result:
    root: Issued = issue("the root", ca=True, changed={x509.SubjectAlternativeName: (dns_names("localhost"), False)})
    lab.trust(root)
    result = lab.check(lab.serve((root,)))
    assert "usage digitalSignature" not in result[1]
    return result


def constraints(ca: bool, path_length: int | None = None) -> Extensions:
    return {x509.BasicConstraints: (x509.BasicConstraints(ca, path_length), True)}


MAY_NOT_SIGN: Extensions = {x509.KeyUsage: (key_usage("digital_signature"), True)}
NO_CONSTRAINTS: Extensions = {x509.BasicConstraints: None}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (constraints(False), "it is marked as the certificate of a server or a person, not of a CA (CA:FALSE)"),
        (MAY_NOT_SIGN, "does not contain the signing of certificates (keyCertSign)"),
        ({**NO_CONSTRAINTS, x509.KeyUsage: None}, "it is not marked as the certificate of a CA (basic constraints"),
        (NO_CONSTRAINTS, "it is not marked as the certificate of a CA (basic constraints"),
    ],
)
@scenarios.shows(
    "not-a-ca", 'The certificate of "the middle (certhook tests)" was used', "Ask the server's administrator"
)
def test_the_intermediate_that_may_not_issue_certificates_is_named(
    changed: Extensions, reason: str, lab: Lab
) -> Result:
    lab.set_verify_flags(off=ssl.VERIFY_X509_STRICT)
    result = check_intermediate(lab, "the middle", changed=changed)
    assert_cause(result, "not-a-ca", reason)
    return result


@pytest.mark.parametrize(
    "changed", [constraints(False), MAY_NOT_SIGN, {**NO_CONSTRAINTS, x509.KeyUsage: None}], ids=["CA", "usage", "none"]
)
@scenarios.shows(
    "not-a-ca", 'The certificate of "the root (certhook tests)" was used', "Replace this root certificate ("
)
def test_the_file_of_a_root_that_may_not_issue_certificates_is_named(changed: Extensions, lab: Lab) -> Result:
    lab.set_verify_flags(off=ssl.VERIFY_X509_STRICT)
    root = issue("the root", ca=True, changed=changed)
    lab.trust(root)
    port = lab.serve((issue("localhost", root),))
    result = lab.check(port)
    assert "roots.pem" in "".join(result[1].split())
    # The advice helps: the same key, and the two extensions.
    lab.trust(issue("the root", ca=True, key=root.key))
    assert lab.check(port)[0]["verified"]
    return result


@scenarios.shows(
    "path-too-long",
    '"the middle (certhook tests)" permits no other CA between itself and a server',
    'issued directly by "the middle (certhook tests)", not by "another CA (certhook tests)"',
)
def test_a_chain_with_too_many_cas_is_refused(lab: Lab) -> Result:
    root = issue("the root", ca=True)
    middle = issue("the middle", root, ca=True, changed=constraints(True, 0))
    another = issue("another CA", middle, ca=True)
    lab.trust(root)
    return lab.check(lab.serve((issue("localhost", another), another, middle)))


# Other uses and rules.


@scenarios.shows("wrong-purpose", "anyExtendedKeyUsage), which OpenSSL does not accept for servers")
def test_a_certificate_for_any_use_is_not_valid_for_servers(lab: Lab) -> Result:
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    return check_leaf(lab, changed={x509.ExtendedKeyUsage: (usage, False)})


@scenarios.shows("wrong-purpose", "an obsolete extension excludes this use (nsCertType", "without nsCertType")
def test_a_netscape_certificate_type_for_clients_is_not_valid_for_servers(lab: Lab) -> Result:
    kind = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.16.840.1.113730.1.1"), b"\x03\x02\x07\x80")
    return check_leaf(lab, changed={x509.UnrecognizedExtension: (kind, False)})


@scenarios.shows("unknown-extension", "The certificate of localhost contains a rule", "extension 1.3.6.1.4.1.99999.1")
def test_an_unknown_critical_extension_is_refused(lab: Lab) -> Result:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\0")
    return check_leaf(lab, changed={x509.UnrecognizedExtension: (unknown, True)})


def test_every_cause_is_shown() -> None:
    assert scenarios.identifiers == {cause.id for cause in uses.CAUSES}
