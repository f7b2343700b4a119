"""Reported cases in which a program worked on stock Python and failed with certhook, or failed with both.

Each compares the result with stock Python, like every scenario, and with the exact set of roots that certhook should
trust.
"""

from __future__ import annotations

from typing import Iterable

import pytest
from scenario_machine import VERIFIED
from scenario_selection import RANDOM
from scenario_table import ROOTS, Scenario

DEFAULT = "a default context"
CERTIFI = ("a context as in requests", "the bundle as a string")
if RANDOM is not None:
    CERTIFI += ("requests", "botocore")

#: Every value of a variable that hides the system's store.
HIDING = (
    "SSL_CERT_FILE: a missing file",
    "SSL_CERT_FILE: empty",
    "SSL_CERT_DIR: a missing directory",
    "SSL_CERT_DIR: an empty directory",
    "SSL_CERT_DIR: empty",
    "SSL_CERT_FILE and SSL_CERT_DIR: missing",
)


def _cases(layout: str, settings: Iterable[str], clients: Iterable[str], trusted: str) -> dict[Scenario, str]:
    """Return scenarios on one layout, in which exactly the roots *trusted* are trusted."""
    return {Scenario(layout, setting, client): trusted for setting in settings for client in clients}


#: The scenarios of each case, all on one layout.
CASES = {
    "a variable hides the system's store from clients of certifi": {
        **_cases("Debian 12; another OpenSSL", HIDING, CERTIFI, "bundled both"),
        **_cases("Debian 12; another OpenSSL", ["SSL_CERT_FILE: a file"], CERTIFI, "system bundled both"),
    },
    "a variable names certifi's bundle": _cases(
        "Debian 12; another OpenSSL", ["SSL_CERT_FILE: a public bundle"], [DEFAULT], "system bundled both"
    ),
    "conda's activation": _cases(
        "Debian 12; conda", ["conda's activation"], [DEFAULT, *CERTIFI], "system bundled both private"
    ),
    "certifi's file was replaced by one private root": _cases(
        "Debian 12; its own Python, a private root as certifi's file", ["no variable"], CERTIFI, "private"
    ),
    "the system's store contains roots that certifi has removed": {
        **_cases("Debian 12; its own Python", ["no variable"], [DEFAULT], "system bundled both removed"),
        **_cases("Debian 12; its own Python", ["no variable"], CERTIFI, "system bundled both"),
    },
    "OpenSSL's compiled-in file contains Mozilla's roots: conda": {
        **_cases("Debian 12; conda", ["no variable"], [DEFAULT], "system bundled both private removed"),
        **_cases("Debian 12; conda", ["no variable"], CERTIFI, "system bundled both private"),
    },
    "OpenSSL's compiled-in file contains Mozilla's roots: Homebrew": {
        **_cases("Fedora 44; Homebrew", ["no variable"], [DEFAULT], "system bundled both private removed"),
        **_cases("Fedora 44; Homebrew", ["no variable"], CERTIFI, "system bundled both private"),
    },
    "the file of a store contains a CA that its directory lacks": _cases(
        "Debian 11, two CAs in one file; its own Python",
        ["no variable"],
        [DEFAULT],
        "system bundled both removed rejected",
    ),
    "NIX_SSL_CERT_FILE on another distribution": {
        **_cases(
            "Debian 12; another OpenSSL",
            ["NIX_SSL_CERT_FILE: an unrelated CA"],
            [DEFAULT],
            "stranger system bundled both removed",
        ),
        **_cases(
            "Debian 12; another OpenSSL",
            ["NIX_SSL_CERT_FILE: an unrelated CA"],
            CERTIFI,
            "stranger system bundled both",
        ),
    },
}


@pytest.mark.parametrize("name", CASES)
def test_certhook_trusts_exactly_the_expected_roots(scenario_machine, name: str) -> None:
    found = scenario_machine.results(CASES[name])
    violations = scenario_machine.violations(found)
    assert not violations, "\n" + "\n".join(violations)
    trusted = {
        scenario: " ".join(sorted(root for root in ROOTS if hooked[root] == VERIFIED))
        for scenario, (_, hooked) in found.items()
    }
    assert trusted == {scenario: " ".join(sorted(roots.split())) for scenario, roots in CASES[name].items()}
