"""The stores of Windows, with recorded results of ``ssl.enum_certificates``."""

from __future__ import annotations

import pytest
from root_files import ROOTS, letters_of, problems_of

from certhook._certificates import x509
from certhook._config import CLIENT_AUTH, SERVER_AUTH, Config
from certhook._sources import windows
from certhook._sources.collector import Collector
from certhook._sources.trust_set import TrustSet


def read_windows(purpose: int = SERVER_AUTH, **stores: object) -> TrustSet:
    """Read stores with these items; an exception instead of items is raised."""

    def enumerate_store(name: str):
        items = stores.get(name, [])
        if isinstance(items, Exception):
            raise items
        return items

    collector = Collector(Config({}), purpose)
    windows.read_distrusted(collector, enumerate_store)
    windows.read(collector, enumerate_store)
    return collector.trust_set()


def test_the_ca_and_root_stores_are_read() -> None:
    trust = read_windows(CA=[(ROOTS["a"], "x509_asn", True)], ROOT=[(ROOTS["b"], "x509_asn", True)])
    assert sorted(letters_of(trust)) == ["a", "b"]
    assert [anchor.listed_by for anchor in trust.anchors if anchor.der == ROOTS["b"]] == [
        (("system", "Windows ROOT store"),)
    ]
    assert not trust.volatile


@pytest.mark.parametrize(
    ("trust", "servers", "clients"),
    [
        (True, "a", "a"),
        (False, "", ""),
        (frozenset(), "", ""),
        (frozenset({x509.SERVER_AUTH}), "a", ""),
        (frozenset({x509.CLIENT_AUTH, "1.3.6.1.5.5.7.3.4"}), "", "a"),
        ({x509.SERVER_AUTH, x509.CLIENT_AUTH}, "a", "a"),
    ],
)
def test_a_root_is_trusted_for_the_purposes_that_windows_returns(trust, servers: str, clients: str) -> None:
    items = [(ROOTS["a"], "x509_asn", trust)]
    assert letters_of(read_windows(SERVER_AUTH, ROOT=items)) == servers
    assert letters_of(read_windows(CLIENT_AUTH, ROOT=items)) == clients


def test_other_encodings_are_ignored_and_malformed_certificates_are_reported() -> None:
    items = [(b"any", "pkcs_7_asn", True), (b"malformed", "x509_asn", True), (ROOTS["a"], "x509_asn", True)]
    trust = read_windows(ROOT=items)
    assert letters_of(trust) == "a"
    assert [name for name, _ in problems_of(trust)] == ["Windows ROOT store"]


def test_an_unreadable_store_is_reported_and_the_other_one_is_used() -> None:
    trust = read_windows(CA=PermissionError(13, "Access is denied"), ROOT=[(ROOTS["a"], "x509_asn", True)])
    assert letters_of(trust) == "a"
    assert problems_of(trust) == [("Windows CA store", "cannot be read: Access is denied")]
    assert trust.volatile


def test_the_disallowed_store_distrusts_certificates() -> None:
    trust = read_windows(
        Disallowed=[(ROOTS["a"], "x509_asn", True), (b"?", "pkcs_7_asn", True)],
        ROOT=[(ROOTS["a"], "x509_asn", True)],
        CA=[(ROOTS["b"], "x509_asn", True)],
    )
    assert letters_of(trust) == "b"
    assert [anchor.distrusted_by for anchor in trust.distrusted] == [("Windows Disallowed store",)]
    assert trust.problems == ()


def test_an_unreadable_disallowed_store_is_reported() -> None:
    trust = read_windows(Disallowed=OSError(5, "Access is denied"))
    assert problems_of(trust) == [
        (
            "Windows Disallowed store",
            "cannot be read: Access is denied; the certificates that it distrusts are unknown",
        )
    ]
    assert not trust.distrust_is_known and trust.volatile
