"""Each cause in the names, keys and uses of certificates, shown by a real server."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from cryptography import x509
from lab import Lab, Result, Scenarios
from pki import (
    Extensions,
    authority_key_identifier,
    chain,
    issue,
    rsa_key,
    with_sha1,
)

from certhook.cli.check.causes import certificates

scenarios = Scenarios()

refuses_weak_keys = pytest.mark.skipif(
    getattr(ssl.create_default_context(), "security_level", 2) < 2,
    reason="the default contexts of this Python accept 1024 bits and SHA-1",
)


def check_leaf(lab: Lab, **leaf: Any) -> Result:
    bad = chain(**leaf)
    lab.trust(bad.root)
    return lab.check(lab.serve(bad.sent))


def check_intermediate(lab: Lab, name: str, hosts: tuple[str, ...] = ("localhost",), **intermediate: Any) -> Result:
    root = issue("the root", ca=True)
    middle = issue(name, root, ca=True, **intermediate)
    lab.trust(root)
    return lab.check(lab.serve((issue("localhost", middle, hosts=hosts), middle)))


# Names.


@scenarios.shows("wrong-host", "valid for one.example, two.example, but not for localhost", "use one of these names")
def test_a_certificate_for_other_hosts_is_refused(lab: Lab) -> Result:
    return check_leaf(lab, hosts=("one.example", "two.example"))


@scenarios.shows("wrong-host", "The certificate is valid for shop.example, but not for localhost")
def test_a_common_name_counts_without_alternative_names(lab: Lab) -> Result:
    good = chain()
    lab.trust(good.root)
    intermediate = good.sent[1]
    return lab.check(lab.serve((issue("shop.example", intermediate, hosts=()), intermediate)))


@scenarios.shows("wrong-host", "The certificate contains no host name, so it is not valid for localhost")
def test_a_certificate_without_host_names_is_refused(lab: Lab) -> Result:
    mail = x509.SubjectAlternativeName([x509.RFC822Name("mail@shop.example")])
    good = chain()
    lab.trust(good.root)
    intermediate = good.sent[1]
    leaf = issue("the shop", intermediate, changed={x509.SubjectAlternativeName: (mail, False)})
    return lab.check(lab.serve((leaf, intermediate)))


@scenarios.shows("address-as-name", "contains 127.0.0.1 as a DNS name", "'IP:127.0.0.1'")
def test_an_address_as_dns_name_is_refused(lab: Lab) -> Result:
    good = chain(hosts=("127.0.0.1",))
    lab.trust(good.root)
    return lab.check(f"127.0.0.1:{lab.serve(good.sent)}")


def limited_to(*names: str) -> Extensions:
    permitted = [x509.DNSName(name) for name in names]
    return {x509.NameConstraints: (x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), True)}


@scenarios.shows("name-constraints", '"a limited CA (certhook tests)" may not issue certificates for localhost')
def test_a_name_outside_the_constraints_of_a_ca_is_refused(lab: Lab) -> Result:
    result = check_intermediate(lab, "a limited CA", changed=limited_to("corp.example"))
    assert "only for corp.example" in result[0]["cause"]["message"]
    return result


@scenarios.shows("name-constraints", "may not issue certificates for wiki.local")
def test_another_name_outside_the_constraints_is_reported(lab: Lab) -> Result:
    return check_intermediate(lab, "a limited CA", ("localhost", "wiki.local"), changed=limited_to("localhost"))


# Keys and signatures.


@refuses_weak_keys
@scenarios.shows("weak", '"localhost (certhook tests)" has a key that is too short (1024 bits)')
def test_a_short_key_is_weak(lab: Lab) -> Result:
    return check_leaf(lab, key=rsa_key(1024))


@refuses_weak_keys
@scenarios.shows("weak", '"a short CA (certhook tests)" has a key that is too short')
def test_a_short_key_of_a_ca_is_weak(lab: Lab) -> Result:
    return check_intermediate(lab, "a short CA", key=rsa_key(1024))


@refuses_weak_keys
@scenarios.shows("weak", '"localhost (certhook tests)" is signed with an insecure algorithm')
def test_a_sha1_signature_is_weak(lab: Lab) -> Result:
    root = issue("the root", ca=True, key=rsa_key())
    lab.trust(root)
    result = lab.check(lab.serve((with_sha1(issue("localhost", root), root),)))
    assert [link["trust_status"] for link in result[0]["chain"]] == [None, "trusted"]
    return result


@scenarios.shows(
    "wrong-signature",
    'names "the root (certhook tests)" as its issuer, but is not signed with the known key',
    "forged",
)
def test_a_signature_by_another_key_is_wrong(lab: Lab) -> Result:
    root, namesake = (issue("the root", ca=True) for _ in range(2))
    claim = {x509.AuthorityKeyIdentifier: (authority_key_identifier(root.key), False)}
    lab.trust(root)
    return lab.check(lab.serve((issue("localhost", namesake, changed=claim),)))


def test_every_cause_is_shown() -> None:
    assert scenarios.identifiers == {cause.id for cause in certificates.CAUSES}
