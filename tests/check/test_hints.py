"""Hints about servers that are verified."""

from __future__ import annotations

import socket

import pytest
import support
from cryptography import x509
from lab import Lab
from pki import Issued, chain, issue

from certhook.cli.check import hints


@pytest.mark.parametrize(
    ("days", "is_hinted"),
    [((-88, 3), True), ((-50, 40), False), ((-300, 10), True), ((-300, 20), False), ((-3, 3), False)],
)
def test_a_certificate_that_expires_soon_is_reported(days: tuple[int, int], is_hinted: bool, lab: Lab) -> None:
    """A certificate with a short lifetime is reported later, because it is renewed later."""
    root = issue("the root", ca=True, days=(-900, 900))
    lab.trust(root)
    result, text = lab.check(lab.serve((issue("localhost", root, days=days),)))
    assert result["verified"]
    assert ("Hint: The certificate of localhost expires on" in text) == is_hinted
    assert f"in {days[1] - 1} days. Ask the server's" in " ".join(text.split()) or not is_hinted


def test_a_root_that_expires_soon_is_reported(lab: Lab) -> None:
    root = issue("the root", ca=True, days=(-900, 5))
    lab.trust(root)
    _, text = lab.check(lab.serve((issue("localhost", root),)))
    text = " ".join(text.split())
    assert 'The certificate of "the root (certhook tests)", a CA in the chain, expires on' in text
    assert "Get the new root certificate from the administrator of this CA" in text


def check_public_name(lab: Lab, root: Issued, bundled: Issued, host: str = "www.shop.org", **leaf: object) -> list[str]:
    """Check *host* through a proxy that presents a certificate of *root*, and return the hints."""
    lab.trust(SSL_CERT_FILE=lab.write("store.pem", root.pem), CERTHOOK_SOURCES="system,bundled")
    lab.patch.setenv("CERTHOOK_BUNDLE", lab.write("bundle.pem", bundled.pem))
    lab.use_proxy(lab.serve((issue(host, root, hosts=(host,), **leaf),)))
    result, text = lab.check(host)
    assert result["verified"]
    assert support.shows(text, *result["hints"])
    return result["hints"]


def test_a_public_host_with_a_certificate_from_a_private_ca_is_reported(lab: Lab) -> None:
    bundled = issue("a public CA", ca=True, organization="public")
    (hint,) = check_public_name(lab, issue("Inspector", ca=True, organization="Company"), bundled)
    assert 'is from "Inspector (Company)", a private CA (' in hint and "store.pem" in hint


def test_a_private_ca_with_the_name_of_a_public_one_is_reported(lab: Lab) -> None:
    bundled, namesake = (issue("a public CA", ca=True, organization="public") for _ in range(2))
    (hint,) = check_public_name(lab, namesake, bundled)
    assert "a private CA (" in hint


def test_another_edition_of_a_public_ca_is_not_reported(lab: Lab) -> None:
    bundled = issue("a public CA", ca=True, organization="public")
    other = issue("a public CA", ca=True, organization="public", key=bundled.key)
    assert check_public_name(lab, other, bundled) == []


def test_a_public_host_with_a_certificate_from_a_public_ca_is_not_reported(lab: Lab) -> None:
    bundled = issue("a public CA", ca=True, organization="public")
    assert check_public_name(lab, bundled, bundled) == []


def test_a_private_name_with_a_certificate_from_a_private_ca_is_not_reported(lab: Lab) -> None:
    bundled = issue("a public CA", ca=True, organization="public")
    assert check_public_name(lab, issue("Company CA", ca=True), bundled, "git.corp") == []


def test_a_certificate_with_the_policy_of_public_cas_is_not_reported(lab: Lab) -> None:
    """The root of a public CA may be missing in Mozilla's list."""
    bundled = issue("a public CA", ca=True, organization="public")
    policy = x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)
    changed = {x509.CertificatePolicies: (x509.CertificatePolicies([policy]), False)}
    assert check_public_name(lab, issue("New CA", ca=True), bundled, changed=changed) == []


@pytest.mark.parametrize(
    ("addresses", "is_public"),
    [(["93.184.216.34"], True), (["10.0.0.1"], False), (["93.184.216.34", "10.0.0.1"], False), (["fe80::1%1"], False)],
)
def test_only_public_addresses_make_a_name_public(addresses: list[str], is_public: bool, monkeypatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    assert hints.has_public_address("www.shop.org", 443) == is_public


def test_a_name_that_does_not_resolve_has_no_public_address(monkeypatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert not hints.has_public_address("www.shop.org", 443)


def test_of_two_editions_of_a_root_the_valid_one_is_shown(lab: Lab) -> None:
    old = issue("the root", ca=True, days=(-900, -3))
    new = issue("the root", ca=True, key=old.key, days=(-10, 900))
    lab.trust(old, new)
    result, text = lab.check(lab.serve((issue("localhost", new), new)))
    assert result["verified"]
    assert result["chain"][-1]["not_after"][:10] == new.certificate.not_valid_after_utc.date().isoformat()


def test_a_verified_server_with_a_good_certificate_has_no_hints(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)
    result, text = lab.check(lab.serve(good.sent))
    assert result["hints"] == [] and "Hint" not in text
