"""Each cause for an unknown issuer, shown by a real server."""

from __future__ import annotations

import pytest
from lab import Lab, Result, Scenarios, assert_cause
from pki import chain, issue

from certhook._sources import removed_roots
from certhook.cli.check import probe
from certhook.cli.check.causes import unknown

scenarios = Scenarios()


# A self-signed certificate.


@scenarios.shows("self-signed", "uses a self-signed certificate", "CERTHOOK_EXTRA_CA_CERTS", "not from this connection")
def test_a_self_signed_certificate_is_reported(lab: Lab) -> Result:
    lab.trust_unrelated()
    return lab.check(lab.serve((issue("localhost"),)))


@scenarios.shows("self-signed", "uses a self-signed certificate")
def test_a_self_signed_certificate_has_priority_over_an_unusable_setting(lab: Lab) -> Result:
    lab.trust_unrelated(CERTHOOK_EXTRA_CA_CERTS=str(lab.directory / "other" / "missing"))
    return lab.check(lab.serve((issue("localhost"),)))


@scenarios.shows("self-signed", "CERTHOOK_EXTRA_CERTS (did you mean CERTHOOK_EXTRA_CA_CERTS?)")
def test_a_mistyped_variable_is_reported_for_a_self_signed_certificate(lab: Lab) -> Result:
    own = issue("localhost")
    lab.trust_unrelated(CERTHOOK_EXTRA_CERTS=lab.write("own.pem", own.pem))
    return lab.check(lab.serve((own,)))


# The certificate of another server.


@pytest.mark.parametrize(
    ("name", "hosts", "phrases"),
    [
        ("proxy.example", ("proxy.example",), ("a self-signed certificate for", "one of these names: proxy.example")),
        ("TRAEFIK DEFAULT CERT", ("0f3a.traefik.default",), ("the default certificate of Traefik", "tls.certResolver")),
        (
            "Kubernetes Ingress Controller Fake Certificate",
            ("ingress.local",),
            ("ingress-nginx", "Add localhost to spec.tls of the Ingress", "kubectl describe ingress"),
        ),
        ("localhost.localdomain", (), ("sample certificate", "ssl_certificate")),
    ],
)
@scenarios.shows(
    "default-certificate", "The server has no certificate for localhost.", "Check the spelling of the name"
)
def test_a_self_signed_certificate_for_another_name_is_a_default_certificate(
    name: str, hosts: tuple[str, ...], phrases: tuple[str, ...], lab: Lab
) -> Result:
    lab.trust_unrelated()
    result = lab.check(lab.serve((issue(name, hosts=hosts),)))
    assert_cause(result, "default-certificate", *phrases)
    assert "EXTRA_CA_CERTS" not in result[1], "a trusted certificate for another name does not help"
    return result


@scenarios.shows("self-signed", "uses a self-signed certificate")
def test_a_self_signed_certificate_with_a_wildcard_for_the_host_is_no_default_certificate(lab: Lab) -> Result:
    lab.trust_unrelated()
    lab.use_proxy(lab.serve((issue("*.corp.example", hosts=("*.corp.example",)),)))
    return lab.check("git.corp.example")


@scenarios.shows("self-signed", "The server's certificate also expired on", "so it must be renewed in any case")
def test_an_expired_self_signed_certificate_must_be_renewed_first(lab: Lab) -> Result:
    lab.trust_unrelated()
    return lab.check(lab.serve((issue("localhost", days=(-30, -3)),)))


@pytest.mark.parametrize(
    ("host", "flaw", "name"),
    [
        ("localhost", "only as a common name, which many programs do not accept", "subjectAltName=DNS:localhost"),
        ("127.0.0.1", "does not contain 127.0.0.1 as an IP address", "subjectAltName=IP:127.0.0.1"),
    ],
)
@scenarios.shows("self-signed", "create the certificate again before you trust it")
def test_a_self_signed_certificate_with_only_a_common_name_must_be_created_again(
    host: str, flaw: str, name: str, lab: Lab
) -> Result:
    lab.trust_unrelated()
    result = lab.check(f"{host}:{lab.serve((issue(host, hosts=()),))}")
    assert_cause(result, "self-signed", flaw, name)
    return result


# Well-known CAs.


@pytest.mark.parametrize(
    ("name", "phrases"),
    [
        ("(STAGING) Pretend Pear X1", ("a test CA of Let's Encrypt", "--test-cert")),
        ("CloudFlare Origin SSL Certificate Authority", ("Cloudflare", "the orange cloud")),
        ("Caddy Local Authority - 2026 ECC Root", ("Caddy", "pki/authorities/local/root.crt")),
        ("minikubeCA", ("~/.minikube/ca.crt",)),
        ("kubernetes", ("kubectl config view --raw --minify",)),
        ("Amazon RDS eu-west-1 Root CA RSA2048 G1", ("global-bundle.pem",)),
        ("mkcert me@laptop", ("mkcert -CAROOT",)),
    ],
)
@scenarios.shows("product-ca", "is not trusted here")
def test_the_remedy_for_a_well_known_private_ca_is_shown(name: str, phrases: tuple[str, ...], lab: Lab) -> Result:
    root = issue(name, ca=True, organization=name)
    lab.trust_unrelated()
    result = lab.check(lab.serve((issue("localhost", root), root)))
    assert_cause(result, "product-ca", *phrases)
    return result


# An unknown root.


@scenarios.shows("root-unknown", "update the public roots of this machine", "certifi", "an expired certificate of")
def test_a_chain_to_a_root_that_browsers_have_removed_is_reported(lab: Lab) -> Result:
    """As in 2020: the server still sends a certificate that refers to an expired root."""
    old = issue("AddTrust External CA Root", ca=True, organization="AddTrust AB", days=(-900, -3))
    cross = issue("USERTrust RSA CA", old, ca=True, days=(-900, -3))
    lab.trust_unrelated()
    label = next(iter(removed_roots.REMOVED_ROOTS))
    lab.patch.setitem(removed_roots.REMOVED_ROOTS, label, ("2021.5.30", "AddTrust External CA Root"))
    result = lab.check(lab.serve((issue("localhost", cross), cross)))
    assert "your company" not in result[1]
    return result


@scenarios.shows(
    "root-unknown",
    'CERTHOOK_EXTRA_CA_CERTS adds another certificate: "another CA (certhook tests)" (',
    "company.pem:/path/to/root.pem",
)
def test_a_variable_with_another_ca_is_reported(lab: Lab) -> Result:
    lab.trust_unrelated(CERTHOOK_EXTRA_CA_CERTS=lab.write("company.pem", issue("another CA", ca=True).pem))
    bad = chain()
    return lab.check(lab.serve((*bad.sent, bad.root)))


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


@scenarios.shows("root-unknown", 'leads to "Zscaler"')
def test_a_private_name_is_not_reported_as_intercepted(lab: Lab) -> Result:
    return check_through_proxy(lab, "Zscaler", "git.corp")


@scenarios.shows("inspection", 'CERTHOOK_EXTRA_CA_CERTS adds another certificate: "another CA" (', "company.pem")
def test_a_variable_with_another_ca_is_reported_for_an_intercepted_connection(lab: Lab) -> Result:
    another = issue("another CA", ca=True, organization="another CA")
    lab.patch.setenv("CERTHOOK_EXTRA_CA_CERTS", lab.write("company.pem", another.pem))
    return check_through_proxy(lab, "Zscaler", "www.shop.org")


@pytest.mark.parametrize("root_is_sent", [False, True])
@scenarios.shows("root-unknown", "which is not trusted here", "ask your IT department", "do not continue")
def test_an_unknown_root_is_reported(root_is_sent: bool, lab: Lab) -> Result:
    bad = chain()
    lab.trust_unrelated()
    result = lab.check(lab.serve((*bad.sent, *([bad.root] if root_is_sent else []))))
    assert 'leads to "the root (certhook tests)"' in result[0]["cause"]["message"]
    return result


@scenarios.shows("root-unknown", "is also not valid for localhost, only for intranet.example, www.intranet.example.")
def test_other_names_in_a_certificate_from_an_unknown_root_are_reported(lab: Lab) -> Result:
    lab.trust_unrelated()
    root = issue("the root", ca=True)
    return lab.check(lab.serve((issue("intranet.example", root, hosts=("intranet.example", "www.intranet.example")),)))


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
    assert scenarios.identifiers == {cause.id for cause in unknown.CAUSES}
