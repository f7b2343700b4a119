"""Of the causes that ``certhook check`` tells apart, what no server on loopback shows: other clocks, any verdict."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from conftest import ROOT
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, strategies
from lab import Lab, assert_cause, open_lab
from pki import DAY, NOW, Issued, chain, issue

from certhook._anchors import parse
from certhook.cli import _certificates, _visit, check
from certhook.cli.check.causes import Case, diagnose
from certhook.cli.check.causes.certificates import RELEASED
from certhook.cli.check.plaintext import Failure
from certhook.cli.check.chain import DISTRUSTED, TRUSTED, Roots, climb
from certhook.exceptions import ConfigurationError

lab = pytest.fixture(open_lab)


def case(code: int, step: str = "verify", **changed: Any) -> Case:
    sent = tuple(one.certificate for one in chain().sent)
    values = {"host": "shop.example", "port": 443, "protocol": "https", "failure": Failure(step, "text", code)}
    return Case(**{**values, "chain": sent, "roots": Roots([]), "now": NOW, **changed})


def trusting(*roots: Issued) -> Roots:
    return Roots((parse(root.pem)[0][0], TRUSTED, ()) for root in roots)


def distrusting(root: Issued, path: str) -> Roots:
    """Of a root that no source lists."""
    anchor = parse(root.pem)[0][0]
    anchor.rejected_by.append(path)
    return Roots([(anchor, DISTRUSTED, ())])


def trusted(count: int, days: tuple[int, int] = (-9, 9)) -> Roots:
    return trusting(*(issue(f"root {n}", ca=True, days=days, organization="another") for n in range(count)))


# Clocks.


def test_a_clock_that_is_before_the_release_of_certhook_is_wrong() -> None:
    cause = diagnose(case(9, now=datetime.datetime(1970, 1, 2, tzinfo=datetime.timezone.utc)))
    assert (cause.id, "certhook itself is younger" in cause.sentence) == ("wrong-clock", True)
    assert diagnose(case(9, now=RELEASED + DAY)).id != "wrong-clock"


def test_a_clock_by_which_most_roots_have_expired_is_wrong() -> None:
    later = NOW + 500 * DAY
    cause = diagnose(case(10, now=later, roots=trusted(12, (-9, 300))))
    assert (cause.id, "most of the trusted roots" in cause.sentence) == ("wrong-clock", True)
    assert diagnose(case(10, now=later, roots=trusted(12, (-9, 900)))).id != "wrong-clock"
    assert diagnose(case(10, now=later, roots=trusted(3, (-9, 300)))).id != "wrong-clock"


def dates_of_releases(change_log: str) -> list[str]:
    """The date of each release; the one to come, which says "unreleased", has none."""
    titles = re.findall(r"^[0-9.]+ \((.*)\)\n-+$", change_log, re.MULTILINE)
    assert titles
    return [title for title in titles if title != "unreleased"]


def test_the_date_of_the_release_keeps_up_with_the_change_log() -> None:
    assert dates_of_releases("1.1.0 (unreleased)\n---\n\n- a\n\n1.0.0 (2031-12-30)\n---\n") == ["2031-12-30"]
    for date in dates_of_releases((ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")):
        assert RELEASED.date() >= datetime.date.fromisoformat(date)
    assert RELEASED < NOW


# Verdicts.


@pytest.mark.parametrize("whole", [True, False])
def test_without_a_certificate_to_look_at_every_verdict_still_has_a_cause(whole: bool) -> None:
    roots = trusted(1)
    for code in range(100):
        for lenient in (True, False):
            cause = diagnose(case(code, chain=(), whole=whole, lenient=lenient, roots=roots))
            assert cause.sentence and cause.advice and "{" not in cause.sentence + "".join(cause.advice)


def test_a_public_ca_never_issues_from_its_root_so_the_issuer_is_an_intermediate() -> None:
    policy = x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)
    changed = {x509.CertificatePolicies: (x509.CertificatePolicies([policy]), False)}
    cause = diagnose(case(20, chain=(chain(changed=changed).sent[0].certificate,), roots=trusted(1)))
    assert cause.id == "missing-intermediate" and "the middle" in cause.sentence


def test_every_cause_that_a_setting_can_be_is_told_from_an_empty_one() -> None:
    roots = trusted(1)
    empty = ConfigurationError("SSL_CERT_DIR", "is empty. Nothing is trusted through it")
    wrong = ConfigurationError("SSL_CERT_FILE", "/nowhere: No such file or directory")
    assert diagnose(case(20, roots=roots, problems=[empty])).id == "root-unknown"
    assert diagnose(case(20, roots=roots, problems=[empty, wrong])).id == "setting-points-nowhere"


@pytest.mark.parametrize("root_is_sent", [True, False])
def test_a_distrusted_root_need_not_be_listed_by_any_source(root_is_sent: bool) -> None:
    bad = chain()
    sent = [one.certificate for one in (*bad.sent, *([bad.root] if root_is_sent else []))]
    renewed = issue("the root", ca=True, key=bad.root.key)
    for root in (bad.root, renewed):
        seen = case(19 if root_is_sent else 20, chain=sent, roots=distrusting(root, "/etc/block/root.crt"))
        cause = diagnose(seen)
        assert cause.id == "root-distrusted" and "/etc/block/root.crt" in cause.sentence
        assert check.links(seen)[-1]["distrusted_by"] == ["/etc/block/root.crt"]


# Certificates.


def test_a_certificate_that_cannot_be_read_ends_the_chain(lab: Lab) -> None:
    good = chain()
    lab.trust(issue("another root", ca=True, organization="another"))
    real, own = _certificates.load, good.sent[0].certificate.public_bytes(Encoding.DER)
    lab.patch.setattr(_visit, "load", lambda data: None if data == own else real(data))
    answer = lab.ask(lab.serve(good.sent))
    assert_cause(answer, "root-unknown", "Some certificate authority (CA) vouches for the server")
    assert answer[0]["chain"] == []


ORIGINALS = chain(changed={x509.NameConstraints: (x509.NameConstraints([x509.DNSName("a.example")], None), False)}).sent
# Where in a certificate, which of the two, and what stands there then.
DAMAGE = strategies.lists(
    strategies.tuples(strategies.integers(0, 1), strategies.integers(0, 400), strategies.binary(max_size=3))
)


@given(
    damage=DAMAGE,
    code=strategies.sampled_from((2, 7, 9, 10, 18, 20, 62, 66, 67, 68, 84, 85, 88, 92)),
    lenient=strategies.booleans(),
)
def test_whatever_is_in_a_certificate_there_is_a_cause(
    damage: list[tuple[int, int, bytes]], code: int, lenient: bool
) -> None:
    sent = [bytearray(one.der) for one in ORIGINALS]
    for which, place, octets in damage:
        sent[which][place : place + len(octets)] = octets
    seen = case(code, chain=_visit.read(list(map(bytes, sent))), lenient=lenient, roots=trusting(ORIGINALS[1]))
    assert diagnose(seen).sentence
    assert len(check.links(seen)) <= 3


def test_another_edition_of_a_presented_root_ends_the_path() -> None:
    root = issue("the root", ca=True)
    renewed = issue("the root", ca=True, key=root.key, days=(-1, 900))
    leaf = issue("shop.example", root)
    path, found = climb([leaf.certificate, root.certificate], trusting(renewed))
    assert path == [leaf.certificate, renewed.certificate] and found.certificate == renewed.certificate
