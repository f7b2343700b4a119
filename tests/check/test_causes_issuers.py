"""Each cause for an issuer that is not trusted, shown by a real server."""

from __future__ import annotations

import ssl

import pytest
from cases import case, trusting
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID
from lab import Lab, Result, Scenarios
from pki import Extensions, Issued, chain, issue, rsa_key

from certhook.cli.check.causes import diagnose, issuers

scenarios = Scenarios()


# A root with another key.


@scenarios.shows("root-replaced", "A root certificate with this name is trusted here (", "its key differs")
def test_a_new_root_with_the_same_name_is_reported(lab: Lab) -> Result:
    old, new = chain(), chain()
    lab.trust(old.root)
    return lab.check(lab.serve(new.sent))


@scenarios.shows("root-replaced", "A root certificate with this name is trusted here (", "the certificate is forged")
def test_a_new_root_without_an_intermediate_is_reported(lab: Lab) -> Result:
    lab.trust(issue("the root", ca=True))
    return lab.check(lab.serve((issue("localhost", issue("the root", ca=True)),)))


# Another edition of a trusted root.


def identifying(root: Issued) -> Extensions:
    """Return an authority key identifier with the issuer and the serial number of *root*, as easy-rsa creates it."""
    certificate = root.certificate
    key = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
    value = x509.AuthorityKeyIdentifier(key, [x509.DirectoryName(certificate.issuer)], certificate.serial_number)
    return {x509.AuthorityKeyIdentifier: (value, False)}


@pytest.mark.parametrize("is_sent", [False, True])
@scenarios.shows("other-edition", "requires another edition of the root certificate", "not the same serial number")
def test_a_certificate_that_identifies_another_edition_of_the_root_is_reported(is_sent: bool, lab: Lab) -> Result:
    original = issue("the root", ca=True)
    renewed = issue("the root", ca=True, key=original.key)
    server = issue("localhost", original, changed=identifying(original))
    lab.trust(renewed)
    port = lab.serve((server, original) if is_sent else (server,))
    result = lab.check(port)
    assert f"{original.certificate.serial_number:X}" in result[1]
    # The advice helps.
    lab.trust(renewed, CERTHOOK_EXTRA_CA_CERTS=lab.write("original.pem", original.pem))
    assert lab.check(port)[0]["verified"]
    return result


@scenarios.shows("other-edition", "not the same key identifier")
def test_another_key_identifier_in_a_new_edition_is_reported(lab: Lab) -> Result:
    original = issue("the root", ca=True)
    identifier = {x509.SubjectKeyIdentifier: (x509.SubjectKeyIdentifier(b"another way to compute it"), False)}
    lab.trust(issue("the root", ca=True, key=original.key, changed=identifier))
    return lab.check(lab.serve((issue("localhost", original),)))


# An expired copy.


@scenarios.shows("expired-copy", "It is in a file of this machine:", "roots.pem", "does not send a current one")
def test_an_expired_copy_of_the_intermediate_is_named(lab: Lab) -> Result:
    root = issue("the root", ca=True)
    key = rsa_key()
    old = issue("an old CA", root, ca=True, key=key, days=(-30, -3))
    new = issue("an old CA", root, ca=True, key=key)
    lab.trust(root, old)
    server = issue("localhost", new)
    assert lab.check(lab.serve((server, new)))[0]["verified"]
    result = lab.check(lab.serve((server,)))
    assert result[0]["chain"][-1]["trust_status"] == "expired"
    return result


# A missing or trusted intermediate.


@scenarios.shows("not-a-root", '"localhost (certhook tests)" is trusted here, but it is the certificate of the server')
def test_a_trusted_server_certificate_is_not_a_root(lab: Lab) -> Result:
    good = chain()
    lab.trust(good.sent[0])
    lab.set_verify_flags(off=getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0))  # as before Python 3.13
    return lab.check(lab.serve(good.sent[:1]))


@scenarios.shows("missing-intermediate", "It sends a certificate with this name, but with another key.")
def test_an_intermediate_with_another_key_is_reported(lab: Lab) -> Result:
    root = issue("the root", ca=True)
    old, new = (issue("the middle", root, ca=True) for _ in range(2))
    lab.trust(root)
    return lab.check(lab.serve((issue("localhost", new), old)))


@scenarios.shows("missing-intermediate", 'If "the middle (certhook tests)" is itself a root certificate')
def test_an_issuer_of_a_known_organization_may_be_a_root(lab: Lab) -> Result:
    lab.trust(issue("the root G1", ca=True))
    return lab.check(lab.serve(chain().sent[:1]))


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


@scenarios.shows("missing-intermediate", 'does not send the certificate of "the middle (certhook tests)"')
def test_a_gap_in_the_middle_of_the_chain_is_reported(lab: Lab) -> Result:
    root = issue("the root", ca=True)
    middle = issue("the middle", root, ca=True)
    lower = issue("the lower CA", middle, ca=True)
    lab.trust(root)
    return lab.check(lab.serve((issue("localhost", lower), lower)))


def test_every_cause_is_shown() -> None:
    assert scenarios.identifiers == {cause.id for cause in issuers.CAUSES}


def test_the_issuer_of_a_public_certificate_is_an_intermediate() -> None:
    policy = x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)
    changed = {x509.CertificatePolicies: (x509.CertificatePolicies([policy]), False)}
    leaf = chain(changed=changed).sent[0].certificate
    cause = diagnose(case(20, chain=(leaf,), roots=trusting(issue("another root", ca=True, organization="another"))))
    assert cause.id == "missing-intermediate" and "the middle" in cause.sentence
