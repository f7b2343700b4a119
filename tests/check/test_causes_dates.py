"""Each cause in the validity periods of certificates, shown by a real server."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

from cases import case, trusting
from lab import Lab, Result, Scenarios
from pki import DAY, NOW, chain, issue

from certhook.cli.check.causes import dates, diagnose
from certhook.cli.check.causes.dates import RELEASED
from certhook.cli.check.chain import Roots

CHANGE_LOG = Path(__file__).resolve().parents[2] / "CHANGELOG.rst"

scenarios = Scenarios()


@scenarios.shows(
    "wrong-clock", "The clock of this machine is probably wrong", "become valid later", "Set the date and time"
)
def test_a_chain_that_is_entirely_in_the_future_indicates_a_wrong_clock(lab: Lab) -> Result:
    root = issue("the root", ca=True, days=(10, 900))
    lab.trust(root)
    return lab.check(lab.serve((issue("localhost", root, days=(20, 90)),)))


@scenarios.shows("wrong-clock", "most trusted root certificates expired before that")
def test_expired_roots_indicate_a_wrong_clock(lab: Lab) -> Result:
    roots = [issue(f"root {number}", ca=True, days=(-900, -9)) for number in range(12)]
    lab.trust(*roots)
    return lab.check(lab.serve((issue("localhost", roots[0], days=(-90, -20)),)))


def check_leaf(lab: Lab, **leaf: Any) -> Result:
    bad = chain(**leaf)
    lab.trust(bad.root)
    return lab.check(lab.serve(bad.sent))


@scenarios.shows("expired", "The certificate of localhost expired on", "3 days ago", "renew it", "clock")
def test_an_expired_certificate_is_reported(lab: Lab) -> Result:
    return check_leaf(lab, days=(-30, -3))


@scenarios.shows("not-yet-valid", "is not yet valid: its validity begins on", "in 4 days", "clock of this machine")
def test_a_certificate_of_the_future_is_not_yet_valid(lab: Lab) -> Result:
    return check_leaf(lab, days=(5, 30))


def check_intermediate(lab: Lab, days: tuple[int, int]) -> Result:
    root = issue("the root", ca=True, days=(-900, 900))
    intermediate = issue("an old CA", root, ca=True, days=days)
    lab.trust(root)
    return lab.check(lab.serve((issue("localhost", intermediate), intermediate)))


@scenarios.shows(
    "issuer-expired", '"an old CA (certhook tests)", a CA in the certificate chain of localhost, expired on'
)
def test_an_expired_intermediate_is_reported(lab: Lab) -> Result:
    return check_intermediate(lab, (-30, -3))


@scenarios.shows(
    "issuer-not-yet-valid", '"an old CA (certhook tests)", a CA in the certificate chain of localhost, is not yet'
)
def test_an_intermediate_of_the_future_is_not_yet_valid(lab: Lab) -> Result:
    return check_intermediate(lab, (2, 30))


@scenarios.shows("root-expired", 'The root certificate "an old root (certhook tests)"', "pip install --upgrade certifi")
def test_an_expired_root_is_reported(lab: Lab) -> Result:
    root = issue("an old root", ca=True, days=(-900, -3))
    lab.trust(root)
    return lab.check(lab.serve((issue("localhost", root),)))


def test_every_cause_is_shown() -> None:
    assert scenarios.identifiers == {cause.id for cause in dates.CAUSES}


# Dates that no server on loopback can produce.


def test_a_clock_before_the_release_of_certhook_is_wrong() -> None:
    cause = diagnose(case(9, now=datetime.datetime(1970, 1, 2, tzinfo=datetime.timezone.utc)))
    assert cause.id == "wrong-clock" and "this version of certhook was released later" in cause.sentence
    assert diagnose(case(9, now=RELEASED + DAY)).id != "wrong-clock"


def roots(count: int, days: tuple[int, int]) -> Roots:
    return trusting(*(issue(f"root {number}", ca=True, days=days, organization="another") for number in range(count)))


def test_only_a_majority_of_at_least_ten_expired_roots_indicates_a_wrong_clock() -> None:
    later = NOW + 500 * DAY
    cause = diagnose(case(10, now=later, roots=roots(12, (-9, 300))))
    assert cause.id == "wrong-clock" and "most trusted root certificates" in cause.sentence
    assert diagnose(case(10, now=later, roots=roots(12, (-9, 900)))).id != "wrong-clock"
    assert diagnose(case(10, now=later, roots=roots(3, (-9, 300)))).id != "wrong-clock"


def release_dates(change_log: str) -> list[str]:
    """Return the dates of all releases except the unreleased one."""
    titles = re.findall(r"^[0-9.]+ \((.*)\)\n-+$", change_log, re.MULTILINE)
    assert titles
    return [title for title in titles if title != "unreleased"]


def test_the_release_date_is_not_before_the_change_log() -> None:
    assert release_dates("1.1.0 (unreleased)\n---\n\n- a\n\n1.0.0 (2031-12-30)\n---\n") == ["2031-12-30"]
    for date in release_dates(CHANGE_LOG.read_text(encoding="utf-8")):
        assert RELEASED.date() >= datetime.date.fromisoformat(date)
    assert RELEASED < NOW
