"""Host names in certificates, compared with OpenSSL."""

from __future__ import annotations

import pytest
from lab import Lab
from pki import chain

from certhook.cli.check.names import closest, explain_mismatch, matches

NAMES = [
    ("localhost", "localhost"),
    ("LOCALHOST", "localhost"),
    ("www.shop.example", "*.shop.example"),
    ("a.www.shop.example", "*.shop.example"),
    ("shop.example", "*.shop.example"),
    ("shop.example", "*.example"),
    ("nas.local", "*.local"),
    ("my_host.shop.example", "*.shop.example"),
    ("www.shop.example", "w*.shop.example"),
    ("www.shop.example", "www.*.example"),
    ("www.shop.example", "*"),
    ("münchen.example", "xn--mnchen-3ya.example"),
    ("www.shop.example", "www.shop.example"),
]


@pytest.mark.parametrize(("host", "name"), NAMES)
def test_a_name_matches_if_openssl_accepts_it(host: str, name: str, lab: Lab) -> None:
    good = chain(hosts=(name,))
    lab.trust(good.root)
    lab.use_proxy(lab.serve(good.sent))
    result, text = lab.check(f"{host}:443")
    assert result["verified"] == matches(host, name), text
    if not result["verified"]:
        assert result["cause"]["id"] == "wrong-host"
        assert explain_mismatch(host, [name]) in result["cause"]["message"]


@pytest.mark.parametrize(
    ("host", "name", "explanation"),
    [
        ("a.www.shop.example", "*.shop.example", "* replaces only one part of a name"),
        ("shop.example", "*.shop.example", "but not shop.example itself"),
        ("nas.local", "*.local", "must be followed by at least two parts"),
        ("my_host.shop.example", "*.shop.example", "names with an underscore"),
        ("www.shop.example", "w*.shop.example", "only the whole first part"),
    ],
)
def test_a_similar_name_that_does_not_match_is_explained(host: str, name: str, explanation: str) -> None:
    assert explanation in explain_mismatch(host, ["other.example", name])


def test_an_unrelated_name_is_not_explained() -> None:
    assert explain_mismatch("www.shop.example", ["*.other.example", "mail.example"]) == ""


def test_the_closest_of_many_names_is_shown_first(lab: Lab) -> None:
    names = (*(f"host{number}.example" for number in range(100)), "localhost", "*.localhosts.example")
    good = chain(hosts=names)
    lab.trust(good.root)
    _, text = lab.check(lab.serve(good.sent))
    assert "issued for localhost, host0.example, host1.example and 99 more" in " ".join(text.split())


def test_the_closest_name_is_the_most_similar_one() -> None:
    names = ["a.example", "mail.shop.org", "www.shop.org", "*.shop.org", "zzz.test"]
    assert closest("www.shop.org", names)[:2] == ["www.shop.org", "*.shop.org"]
    assert closest("ww.shop.org", names)[:2] == ["*.shop.org", "www.shop.org"]
    assert closest("shops.net", ["b.example", "shop.net", "a.example"]) == ["shop.net", "b.example", "a.example"]
