"""Entries and anchors keep their values; OpenSSL's trust settings are converted to bits of purposes."""

from __future__ import annotations

import der
import pytest
from der import ANY, CLIENTS, MAIL, SERVERS

from certhook._certificates.anchor import Anchor, Entry, purpose_bits
from certhook._certificates.x509 import Certificate
from certhook._config import ANY_PURPOSE, CLIENT_AUTH, SERVER_AUTH

CERTIFICATE = Certificate(der.certificate(der.common_name("Root")))


def test_an_entry_is_trusted_for_every_purpose_by_default() -> None:
    entry = Entry(CERTIFICATE)
    assert (entry.certificate, entry.der) == (CERTIFICATE, CERTIFICATE.der)
    assert (entry.trusted, entry.rejected, entry.auxiliary) == (ANY_PURPOSE, 0, b"")


def test_an_entry_may_be_limited_to_purposes() -> None:
    entry = Entry(CERTIFICATE, SERVER_AUTH, CLIENT_AUTH)
    assert (entry.trusted, entry.rejected) == (SERVER_AUTH, CLIENT_AUTH)


def test_entries_and_anchors_contain_trust_settings() -> None:
    assert Entry(CERTIFICATE, auxiliary=b"settings").auxiliary == b"settings"
    assert Anchor(CERTIFICATE, auxiliary=b"settings").auxiliary == b"settings"
    assert Anchor(CERTIFICATE).auxiliary == b""


def test_an_anchor_contains_the_locations_that_list_and_distrust_it() -> None:
    anchor = Anchor(CERTIFICATE, (("system", "/a"), ("system", "/b"), ("bundled", "/c")), ("/d",))
    assert (anchor.certificate, anchor.der) == (CERTIFICATE, CERTIFICATE.der)
    assert anchor.listed_by == (("system", "/a"), ("system", "/b"), ("bundled", "/c"))
    assert anchor.sources == ["system", "bundled"]
    assert anchor.distrusted_by == ("/d",)
    assert (Anchor(CERTIFICATE).listed_by, Anchor(CERTIFICATE).distrusted_by) == ((), ())


@pytest.mark.parametrize(
    ("trusted", "rejected", "expected"),
    [
        (None, [], (ANY_PURPOSE, 0)),
        ([], [], (0, 0)),
        ([SERVERS], [], (SERVER_AUTH, 0)),
        ([CLIENTS], [], (CLIENT_AUTH, 0)),
        ([MAIL], [], (0, 0)),
        ([MAIL, CLIENTS, SERVERS], [], (ANY_PURPOSE, 0)),
        ([ANY], [], (ANY_PURPOSE, 0)),
        (None, [SERVERS], (CLIENT_AUTH, SERVER_AUTH)),
        (None, [CLIENTS, MAIL], (SERVER_AUTH, CLIENT_AUTH)),
        (None, [MAIL], (ANY_PURPOSE, 0)),
        (None, [ANY], (0, ANY_PURPOSE)),
        ([ANY], [CLIENTS], (SERVER_AUTH, CLIENT_AUTH)),
        ([SERVERS], [SERVERS], (0, SERVER_AUTH)),
        ([SERVERS], [CLIENTS], (SERVER_AUTH, CLIENT_AUTH)),
        ([CLIENTS], [SERVERS, CLIENTS], (0, ANY_PURPOSE)),
    ],
)
def test_trust_settings_are_converted_to_bits(trusted, rejected, expected) -> None:
    assert purpose_bits(trusted, rejected) == expected
