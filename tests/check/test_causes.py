"""Properties of all causes of failed connections."""

from __future__ import annotations

from typing import Any

import pytest
from cases import case, trusting
from cryptography import x509
from hypothesis import given, strategies
from lab import STARTTLS, Lab, assert_cause
from pki import chain, issue

from certhook.cli.check.causes import CAUSES, Cause, diagnose
from certhook.cli.check.probe import parse_chain
from certhook.cli.check.results import describe_chain

DEFECTS = [("expired", {"days": (-30, -3)}), ("wrong-host", {"hosts": ("a.example",)})]


def test_identifiers_are_unique() -> None:
    assert len({cause.id for cause in CAUSES}) == len(CAUSES)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.id)
def test_no_advice_weakens_verification(cause: Cause) -> None:
    advice = " ".join(cause.advice).lower()
    assert advice
    for word in ("verify=false", "cert_none", "--insecure", "-k ", "unverified", "disable", "ignore"):
        assert word not in advice
    for text in cause.advice:
        if "EXTRA_CA_CERTS" in text:  # The certificate must come from another channel.
            assert "not from this connection" in text or "ask" in text.lower()


def test_an_unknown_error_shows_its_message() -> None:
    cause = diagnose(case(41))
    assert cause.id == "other" and "for an unknown reason: text." in cause.sentence
    assert "openssl s_client -connect shop.example:443" in cause.advice[1]


@pytest.mark.parametrize("scheme", STARTTLS)
@pytest.mark.parametrize(("identifier", "leaf"), DEFECTS)
def test_a_server_with_starttls_has_the_same_causes(
    scheme: str, identifier: str, leaf: dict[str, Any], lab: Lab
) -> None:
    bad = chain(**leaf)
    lab.trust(bad.root)
    assert_cause(lab.check(f"{scheme}://localhost:{lab.serve(bad.sent, handler=STARTTLS[scheme])}"), identifier)


@pytest.mark.parametrize(("identifier", "leaf"), DEFECTS)
def test_a_server_behind_a_proxy_has_the_same_causes(identifier: str, leaf: dict[str, Any], lab: Lab) -> None:
    bad = chain(**{"hosts": ("shop.example",), **leaf})
    lab.trust(bad.root)
    lab.use_proxy(lab.serve(bad.sent))
    assert_cause(lab.check("shop.example"), identifier, "through the proxy 127.0.0.1:")


@pytest.mark.parametrize("is_complete", [True, False])
def test_every_error_has_a_cause_without_certificates(is_complete: bool) -> None:
    roots = trusting(issue("another root", ca=True, organization="another"))
    for code in range(100):
        for valid in (True, False):
            evidence = case(code, chain=(), chain_is_complete=is_complete, valid_without_strict=valid, roots=roots)
            cause = diagnose(evidence)
            assert cause.sentence and cause.advice and "{" not in cause.sentence + "".join(cause.advice)


CONSTRAINTS = x509.NameConstraints([x509.DNSName("a.example")], None)
ORIGINALS = chain(changed={x509.NameConstraints: (CONSTRAINTS, False)}).sent


@given(
    damage=strategies.lists(
        strategies.tuples(strategies.integers(0, 1), strategies.integers(0, 400), strategies.binary(max_size=3))
    ),
    code=strategies.sampled_from((2, 7, 9, 10, 18, 20, 62, 66, 67, 68, 84, 85, 88, 92)),
    valid=strategies.booleans(),
)
def test_every_error_has_a_cause_with_damaged_certificates(
    damage: list[tuple[int, int, bytes]], code: int, valid: bool
) -> None:
    """Each item of *damage* is the number of a certificate, a position, and the bytes to write there."""
    sent = [bytearray(one.der) for one in ORIGINALS]
    for number, position, octets in damage:
        sent[number][position : position + len(octets)] = octets
    certificates = parse_chain([bytes(one) for one in sent])
    evidence = case(code, chain=certificates, valid_without_strict=valid, roots=trusting(ORIGINALS[1]))
    assert diagnose(evidence).sentence
    assert len(describe_chain(evidence)) <= 3
