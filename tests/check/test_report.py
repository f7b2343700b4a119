"""The report as text."""

from __future__ import annotations

import pytest
from lab import Lab, assert_cause
from pki import DAY, NOW, chain, issue

from certhook.cli.check.report import render


def test_the_chain_is_shown_from_the_server_to_the_root(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)
    _, text = lab.check(lab.serve(good.sent))
    assert text.index("localhost (") < text.index("+- the middle") < text.index("+- the root")
    assert f"valid from {NOW - 30 * DAY:%Y-%m-%d} to {NOW + 300 * DAY:%Y-%m-%d}" in text
    assert "VERIFIED: localhost, port" in text and "Without certhook: also verified" in text


def test_a_verdict_that_depends_on_certhook_is_shown(lab: Lab) -> None:
    good = chain()
    lab.trust(CERTHOOK_EXTRA_CA_CERTS=lab.write("company.pem", good.root.pem))
    result, text = lab.check(lab.serve(good.sent))
    assert result["verified"] and not result["verified_without_certhook"]
    assert "Without certhook: not verified: unable to get local issuer" in " ".join(text.split())


def test_the_cause_and_the_remedies_precede_the_chain_and_the_error_message(lab: Lab) -> None:
    bad = chain(days=(-30, -3))
    lab.trust(bad.root)
    _, text = lab.check(lab.serve(bad.sent))
    lines = text.splitlines()
    assert lines[0].startswith("NOT VERIFIED: localhost, port ")
    assert lines[1].startswith("Cause: The certificate of localhost expired on ")
    places = [
        text.index(part)
        for part in ("What to do:\n  1. ", "\n  More: ", "+- the middle", "Error message: ", "Without certhook:")
    ]
    assert places == sorted(places)


def test_other_clients_are_shown_with_the_reason(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)
    result, _ = lab.check(lab.serve(good.sent))
    reason = "it trusts other roots (REQUESTS_CA_BUNDLE)"
    clients = [
        {"name": "requests", "version": "2", "verified": False, "error": None, "reason": reason},
        {
            "name": "curl",
            "version": "8",
            "verified": False,
            "error": {"message": "self-signed certificate"},
            "reason": None,
        },
        {"name": "httpx", "version": "0.28", "verified": True, "error": None, "reason": None},
    ]
    result = {**result, "clients": clients, "hints": ["The certificate ends soon."]}
    text = render(result)
    lines = text.splitlines()
    assert lines[1:4] == [
        f"requests: fails because {reason}",
        "curl: fails: self-signed certificate",
        "Hint: The certificate ends soon.",
    ]
    assert text.index("+- the root") < text.index("Same result: httpx")
    failed = {**result, "verified": False, "error": {"step": "verify", "message": "expired", "code": 10}}
    failed["clients"] = [
        *clients,
        {"name": "urllib", "version": "3", "verified": False, "error": failed["error"], "reason": None},
    ]
    lines = render(failed).splitlines()
    assert "httpx: verifies this server" in lines and f"requests: fails because {reason}" in lines
    assert "Same result: urllib" in lines


@pytest.mark.parametrize(
    ("headline", "is_trusted", "is_running"),
    [
        ("\033[32mVERIFIED:", True, True),
        ("\033[31mNOT VERIFIED:", False, True),
        ("\033[31mNO CONNECTION:", True, False),
    ],
)
def test_colours_do_not_change_the_text(headline: str, is_trusted: bool, is_running: bool, lab: Lab) -> None:
    good = chain()
    lab.trust(*([good.root] if is_trusted else []))
    result, plain = lab.check(lab.serve(good.sent) if is_running else lab.closed_port())
    coloured = render(result, colours=True)
    assert "\033" not in plain and f"{headline}\033[0m localhost" in coloured
    for code in ("\033[31m", "\033[32m", "\033[1m", "\033[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_only_the_first_of_many_hosts_are_shown(lab: Lab) -> None:
    names = tuple(f"host{number}.example" for number in range(1500))
    bad = chain(hosts=names)
    lab.trust(bad.root)
    result, text = lab.check(lab.serve(bad.sent))
    assert_cause((result, text), "wrong-host", "for host0.example", "host3.example and 1496 more")
    assert result["chain"][0]["hosts"] == list(names)
    assert len(text) < 3000


@pytest.mark.parametrize("name", ["\x1b[2J\r\n\u202e", "very " * 5000])
def test_names_in_certificates_are_escaped_and_shortened(name: str, lab: Lab) -> None:
    lab.trust_unrelated()
    bad = issue("localhost", issue("root", ca=True), organization=name)
    result, text = lab.check(lab.serve((bad,)))
    assert not result["verified"] and len(text) < 3000
    assert all(character.isprintable() or character == "\n" for character in text)
