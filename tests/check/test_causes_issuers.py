"""Each cause for an issuer that is not trusted, shown by a real server."""

from __future__ import annotations

import ssl

import pytest
from cases import case, trusting
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID
from lab import Lab, Result, Scenarios, assert_cause
from pki import chain, issue

from certhook.cli.check import probe
from certhook.cli.check.causes import diagnose, issuers

scenarios = Scenarios()


# A root with another key.


@scenarios.shows("root-made-anew", "A root certificate with this name is trusted here (", "its key differs")
def test_a_new_root_with_the_same_name_is_reported(lab: Lab) -> Result:
    old, new = chain(), chain()
    lab.trust(old.root)
    return lab.check(lab.serve(new.sent))


@scenarios.shows("root-made-anew", "A root certificate with this name is trusted here (", "the certificate is forged")
def test_a_new_root_without_an_intermediate_is_reported(lab: Lab) -> Result:
    lab.trust(issue("the root", ca=True))
    return lab.check(lab.serve((issue("localhost", issue("the root", ca=True)),)))


# A self-signed certificate.


@scenarios.shows("self-signed", "uses a self-signed certificate", "CERTHOOK_EXTRA_CA_CERTS", "not from this connection")
def test_a_self_signed_certificate_is_reported(lab: Lab) -> Result:
    lab.trust_unrelated()
    return lab.check(lab.serve((issue("localhost"),)))


@scenarios.shows("self-signed", "uses a self-signed certificate")
def test_a_self_signed_certificate_has_priority_over_an_unusable_setting(lab: Lab) -> Result:
    lab.trust_unrelated(CERTHOOK_EXTRA_CA_CERTS=str(lab.directory / "missing"))
    return lab.check(lab.serve((issue("localhost"),)))


@scenarios.shows("self-signed", "CERTHOOK_EXTRA_CERTS (did you mean CERTHOOK_EXTRA_CA_CERTS?)")
def test_a_mistyped_variable_is_reported_for_a_self_signed_certificate(lab: Lab) -> Result:
    own = issue("localhost")
    lab.trust_unrelated(CERTHOOK_EXTRA_CERTS=lab.write("own.pem", own.pem))
    return lab.check(lab.serve((own,)))


# A missing or trusted intermediate.


@scenarios.shows(
    "not-a-root", '"the middle (certhook tests)" is trusted here, but it is an intermediate certificate, not a root'
)
def test_a_trusted_intermediate_is_not_a_root(lab: Lab) -> Result:
    good = chain()
    lab.trust(good.sent[1])
    lab.set_verify_flags(off=getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0))  # as before Python 3.13
    return lab.check(lab.serve(good.sent))


@scenarios.shows("missing-intermediate", 'does not send the certificate of "the middle (certhook tests)"')
def test_a_missing_intermediate_is_reported(lab: Lab) -> Result:
    good = chain()
    lab.trust(good.root)
    assert lab.check(lab.serve(good.sent))[0]["verified"]
    return lab.check(lab.serve(good.sent[:1]))


@scenarios.shows("missing-intermediate", "fullchain.pem", "not sent by the server")
def test_a_root_without_the_intermediate_shows_the_gap(lab: Lab) -> Result:
    good = chain()
    lab.trust(good.root)
    return lab.check(lab.serve((good.sent[0], good.root)))


@scenarios.shows("missing-intermediate", "does not send the certificate of")
def test_a_missing_intermediate_has_priority_over_an_unusable_setting(lab: Lab) -> Result:
    good = chain()
    lab.trust(good.root, SSL_CERT_DIR=str(lab.directory / "missing"))
    return lab.check(lab.serve((good.sent[0], good.root)))


@scenarios.shows(
    "missing-intermediate", "administrator can download the missing certificate", "http://ca.example/middle.crt"
)
def test_the_address_of_a_missing_intermediate_is_shown(lab: Lab) -> Result:
    url = x509.UniformResourceIdentifier("http://ca.example/middle.crt")
    access = x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, url)])
    good = chain(changed={x509.AuthorityInformationAccess: (access, False)})
    lab.trust(good.root)
    return lab.check(lab.serve(good.sent[:1]))


# An unknown root.


def check_through_proxy(lab: Lab, issuer: str, host: str) -> Result:
    """Check *host* through a proxy that presents a certificate of the unknown root *issuer*."""
    root = issue(issuer, ca=True, organization=issuer)
    lab.trust_unrelated()
    lab.use_proxy(lab.serve((issue(host, root, hosts=(host,)), root)))
    return lab.check(host)


@pytest.mark.parametrize(("issuer", "host"), [("mitmproxy", "www.shop.org"), ("the company", "pypi.org")])
@scenarios.shows("inspection", "is probably intercepted", "ask its IT department", "do not continue")
def test_an_intercepted_connection_is_recognized(issuer: str, host: str, lab: Lab) -> Result:
    result = check_through_proxy(lab, issuer, host)
    assert_cause(result, "inspection", f"The connection to {host}", f'the certificate is from "{issuer}"')
    return result


@scenarios.shows("root-unknown", 'leads to "mitmproxy"')
def test_a_private_name_is_not_reported_as_intercepted(lab: Lab) -> Result:
    return check_through_proxy(lab, "mitmproxy", "git.corp")


@pytest.mark.parametrize("root_is_sent", [False, True])
@scenarios.shows("root-unknown", "which is not trusted here", "ask your IT department", "do not continue")
def test_an_unknown_root_is_reported(root_is_sent: bool, lab: Lab) -> Result:
    bad = chain()
    lab.trust_unrelated()
    result = lab.check(lab.serve((*bad.sent, *([bad.root] if root_is_sent else []))))
    assert 'leads to "the root (certhook tests)"' in result[0]["cause"]["sentence"]
    return result


@scenarios.shows("root-unknown", "CERTHOOK_EXTRA_CA_CERT (did you mean CERTHOOK_EXTRA_CA_CERTS?), CERTHOOK_X")
def test_mistyped_variables_are_reported_with_suggestions(lab: Lab) -> Result:
    good = chain()
    lab.trust_unrelated(CERTHOOK_EXTRA_CA_CERT=lab.write("company.pem", good.root.pem), CERTHOOK_X="1")
    return lab.check(lab.serve(good.sent))


def test_a_malformed_certificate_ends_the_chain(lab: Lab) -> None:
    good = chain()
    lab.trust_unrelated()
    parse, own = probe.parse, good.sent[0].der
    lab.patch.setattr(probe, "parse", lambda data: None if data == own else parse(data))
    result = lab.check(lab.serve(good.sent))
    assert_cause(result, "root-unknown", "leads to an unknown certificate authority (CA)")
    assert result[0]["chain"] == []


def test_every_cause_is_shown() -> None:
    assert scenarios.identifiers == {cause.id for cause in issuers.CAUSES}


def test_the_issuer_of_a_public_certificate_is_an_intermediate() -> None:
    policy = x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)
    changed = {x509.CertificatePolicies: (x509.CertificatePolicies([policy]), False)}
    leaf = chain(changed=changed).sent[0].certificate
    cause = diagnose(case(20, chain=(leaf,), roots=trusting(issue("another root", ca=True, organization="another"))))
    assert cause.id == "missing-intermediate" and "the middle" in cause.sentence
