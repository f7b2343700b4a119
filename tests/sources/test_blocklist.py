"""Block lists: the certificates that an entry distrusts, and Debian's labels of deselected roots."""

from __future__ import annotations

import hashlib
from pathlib import Path

import certifi
import der
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certhook._certificates.x509 import Certificate
from certhook._config import ANY_PURPOSE, CLIENT_AUTH, SERVER_AUTH
from certhook._sources.blocklist import Blocklist, BlocklistEntry, identity

NAME, OTHER_NAME = der.common_name("distrusted"), der.common_name("other")
BAD = Certificate(der.certificate(NAME))
RENEWED = Certificate(der.certificate(NAME, serial=2))
SAME_SERIAL = Certificate(der.certificate(NAME, key=der.OTHER_KEY))
OTHER_SERIAL = Certificate(der.certificate(NAME, serial=2, key=der.OTHER_KEY))
SAME_KEY = Certificate(der.certificate(OTHER_NAME, serial=3))
OTHER = Certificate(der.certificate(OTHER_NAME, serial=3, key=der.OTHER_KEY))
ALL = [BAD, RENEWED, SAME_SERIAL, OTHER_SERIAL, SAME_KEY, OTHER]


def listed(*entries: BlocklistEntry) -> Blocklist:
    blocklist = Blocklist()
    for number, entry in enumerate(entries):
        blocklist.add(entry, f"/list {number}")
    return blocklist


def distrusted(entry: BlocklistEntry) -> list[Certificate]:
    """Return the certificates of :data:`ALL` that *entry* distrusts."""
    blocklist = listed(entry)
    found = []
    for certificate in ALL:
        purposes, paths = blocklist.match(certificate)
        assert purposes == (entry.purposes if paths else 0)
        assert set(paths) <= {"/list 0"}
        found += [certificate] if paths else []
    return found


def test_a_certificate_distrusts_itself_and_its_renewals() -> None:
    assert distrusted(BlocklistEntry(ANY_PURPOSE, BAD)) == [BAD, RENEWED]


def test_an_issuer_and_a_serial_number_distrust_each_certificate_with_both() -> None:
    entry = BlocklistEntry(ANY_PURPOSE, issuer=BAD.issuer, serial=BAD.serial)
    assert distrusted(entry) == [BAD, SAME_SERIAL]


def test_the_issuer_may_be_encoded_in_another_string_type() -> None:
    issuer = der.name([der.attribute(der.element(der.PRINTABLE_STRING, b" Certhook  TESTS"))])
    assert distrusted(BlocklistEntry(ANY_PURPOSE, issuer=issuer, serial=BAD.serial)) == [BAD, SAME_SERIAL]


@pytest.mark.parametrize("serial", [b"\2\1\1", b"\2\2\0\1", b"\2\x09" + bytes(8) + b"\1"])
def test_serial_numbers_are_compared_by_value(serial: bytes) -> None:
    entry = BlocklistEntry(ANY_PURPOSE, issuer=BAD.issuer, serial=serial)
    assert distrusted(entry) == [BAD, SAME_SERIAL]


@pytest.mark.parametrize("serial", [b"\2\1\2", b"\2\1\xff", b"\2\0", b"\1"])
def test_another_serial_number_distrusts_nothing(serial: bytes) -> None:
    assert BAD not in distrusted(BlocklistEntry(ANY_PURPOSE, issuer=BAD.issuer, serial=serial))


COMPRESSED = der.element(der.SEQUENCE, der.KEY[2:23], der.element(der.BIT_STRING, b"\0\3", der.KEY[27:59]))


@pytest.mark.parametrize("key", [der.NEGATED_KEY, COMPRESSED])
def test_keys_are_compared_by_value(key: bytes) -> None:
    other = Certificate(der.certificate(NAME, serial=2, key=key))
    assert identity(other) == identity(BAD)
    for entry in (BlocklistEntry(ANY_PURPOSE, BAD), BlocklistEntry(ANY_PURPOSE, key=der.KEY)):
        assert listed(entry).match(other) == (ANY_PURPOSE, ["/list 0"])
    for entry in (BlocklistEntry(ANY_PURPOSE, other), BlocklistEntry(ANY_PURPOSE, key=key)):
        assert RENEWED in distrusted(entry)


def test_an_entry_may_identify_certificates_in_several_ways() -> None:
    entry = BlocklistEntry(ANY_PURPOSE, RENEWED, issuer=BAD.issuer, serial=BAD.serial, key=der.OTHER_KEY)
    assert distrusted(entry) == [BAD, RENEWED, SAME_SERIAL, OTHER_SERIAL, OTHER]
    assert listed(entry).certificates == {RENEWED.der: RENEWED}


def test_a_sha1_distrusts_one_certificate() -> None:
    entry = BlocklistEntry(ANY_PURPOSE, sha1=hashlib.new("sha1", BAD.der).digest())
    assert distrusted(entry) == [BAD]


def test_a_public_key_distrusts_each_certificate_with_it() -> None:
    assert distrusted(BlocklistEntry(ANY_PURPOSE, key=der.KEY)) == [BAD, RENEWED, SAME_KEY]


@pytest.mark.parametrize("purposes", [SERVER_AUTH, CLIENT_AUTH, ANY_PURPOSE])
def test_an_entry_distrusts_for_its_purposes_only(purposes: int) -> None:
    assert listed(BlocklistEntry(purposes, BAD)).match(BAD) == (purposes, ["/list 0"] * 2)


def test_the_purposes_and_paths_of_several_entries_are_combined() -> None:
    blocklist = listed(BlocklistEntry(SERVER_AUTH, RENEWED), BlocklistEntry(CLIENT_AUTH, key=der.KEY))
    assert blocklist.match(BAD) == (ANY_PURPOSE, ["/list 0", "/list 1"])
    assert blocklist.match(OTHER) == (0, [])


def test_an_empty_block_list_distrusts_nothing() -> None:
    blocklist = Blocklist()
    assert [blocklist.match(certificate) for certificate in ALL] == [(0, [])] * len(ALL)
    assert (blocklist.certificates, blocklist.removed_labels, blocklist.is_complete) == ({}, {}, True)
    assert not list(blocklist.exempt)


def test_only_certificates_that_an_entry_contains_are_kept() -> None:
    blocklist = listed(BlocklistEntry(ANY_PURPOSE, BAD), BlocklistEntry(ANY_PURPOSE, key=der.KEY))
    assert blocklist.certificates == {BAD.der: BAD}


def test_an_entry_contains_only_its_purposes_by_default() -> None:
    entry = BlocklistEntry(SERVER_AUTH)
    assert (entry.purposes, entry.certificate, entry.fault) == (SERVER_AUTH, None, "")
    assert (entry.issuer, entry.serial, entry.sha1, entry.key) == (b"", b"", b"", b"")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "neither a certificate nor an issuer"),
        ({"issuer": NAME}, "neither a certificate nor an issuer"),
        ({"serial": BAD.serial}, "neither a certificate nor an issuer"),
        ({"certificate": BAD, "fault": "a reason"}, "^a reason$"),
        ({"key": der.KEY, "fault": "a reason"}, "^a reason$"),
    ],
)
def test_an_entry_that_identifies_nothing_is_an_error(parameters: dict[str, object], message: str) -> None:
    blocklist = Blocklist()
    with pytest.raises(ValueError, match=message):
        blocklist.add(BlocklistEntry(ANY_PURPOSE, **parameters), "/list")
    assert not blocklist.certificates
    assert blocklist.match(BAD) == (0, [])


def test_the_identity_of_a_ca_is_its_subject_and_key() -> None:
    assert identity(BAD) == identity(RENEWED)
    printable = der.name([der.attribute(der.element(der.PRINTABLE_STRING, b"DISTRUSTED"))])
    assert identity(BAD) == identity(Certificate(der.certificate(printable)))
    assert len({identity(certificate) for certificate in ALL}) == 4


# Labels.


def label(text: bytes, certificate: Certificate = BAD, between: bytes = b"", newline: bytes = b"\n") -> bytes:
    return b'# Label: "' + text + b'"' + newline + between + der.pem(certificate.der, newline=newline)


def labelled(bundle: bytes, *file_names: str, exempt: frozenset[object] = frozenset()) -> list[bytes]:
    """Return the certificates in *bundle* that are distrusted if Debian's *file_names* are deselected."""
    blocklist = Blocklist()
    blocklist.removed_labels = {name.encode(): f"/{number}" for number, name in enumerate(file_names)}
    blocklist.find_exempt_with(lambda: exempt)
    assert blocklist.add_labelled(bundle) is bool(blocklist.certificates)
    return list(blocklist.certificates)


def test_a_root_with_a_deselected_label_is_distrusted() -> None:
    bundle = label(b"other", OTHER) + label(b"one") + label(b"another", SAME_KEY)
    assert labelled(bundle, "one.crt") == [BAD.der]
    assert labelled(bundle, "one.crt", "another.crt") == [BAD.der, SAME_KEY.der]
    assert labelled(bundle, "none.crt") == labelled(bundle) == []


def test_the_path_of_the_list_belongs_to_its_label() -> None:
    blocklist = Blocklist()
    blocklist.removed_labels = {b"one.crt": "/one", b"two.crt": "/two"}
    blocklist.add_labelled(label(b"two") + label(b"one", OTHER))
    assert blocklist.match(BAD) == (ANY_PURPOSE, ["/two", "/two"])
    assert blocklist.match(OTHER) == (ANY_PURPOSE, ["/one", "/one"])


def test_an_exempt_root_remains_trusted() -> None:
    bundle = label(b"one") + label(b"two", OTHER)
    assert labelled(bundle, "one.crt", "two.crt", exempt=frozenset([identity(RENEWED)])) == [OTHER.der]


@pytest.mark.parametrize(
    ("text", "file_name"),
    [
        (b"A/B (C), D", "A_B_=C=__D.crt"),
        (b"Bad Root (Class 1), Ltd.", "Bad_Root_=Class_1=__Ltd..crt"),
        (rb"F\u0151tan\xfas\xedtv\xe1ny A/B", "Főtanúsítvány_A_B.crt"),
        (b"\\xdc\\u0151", "\u00dc\u0151.crt"),
        (b"\xc3", "\u00c3.crt"),
        (b"\\X4A\\xZZ", "\\X4A\\xZZ.crt"),
        (b"\\ud800", "?.crt"),
        (b"", ".crt"),
    ],
)
def test_a_label_is_converted_to_debians_file_name(text: bytes, file_name: str) -> None:
    assert labelled(label(text), file_name) == [BAD.der]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("lines", [0, 1, 20])
def test_up_to_twenty_comments_may_follow_a_label(lines: int, newline: bytes) -> None:
    assert labelled(label(b"one", between=b"# x" + newline if lines else b"", newline=newline), "one.crt") == [BAD.der]
    assert labelled(label(b"one", between=(b"#" + newline) * lines, newline=newline), "one.crt") == [BAD.der]


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(b"#\n" * 21, id="too many comments"),
        pytest.param(b"\n", id="an empty line"),
        pytest.param(b"text\n", id="text"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\n", id="a block without an end"),
    ],
)
def test_a_label_belongs_to_the_block_below_it_only(between: bytes) -> None:
    assert labelled(label(b"one", between=between), "one.crt") == []


def test_a_label_begins_at_the_start_of_a_line() -> None:
    assert labelled(b" " + label(b"one"), "one.crt") == []
    assert labelled(b"#" + label(b"one"), "one.crt") == []


def test_a_malformed_block_with_a_label_is_ignored() -> None:
    bundle = label(b"one").replace(der.pem(BAD.der), der.pem(b"text")) + label(b"one", OTHER)
    assert labelled(bundle, "one.crt") == [OTHER.der]


def test_an_incomplete_block_with_a_label_is_ignored() -> None:
    assert labelled(b'# Label: "one"\n' * 9 + b"-----BEGIN CERTIFICATE-----", "one.crt") == []


PARTS = [b'# Label: "', b"a", b'"', b"\\", b"u12", b"\n", b"# ", der.pem(BAD.der), der.pem(BAD.der)[:99]]


@given(st.lists(st.sampled_from(PARTS)))
def test_a_label_never_distrusts_anything_but_a_complete_certificate(parts: list[bytes]) -> None:
    assert set(labelled(b"".join(parts), "a.crt")) <= {BAD.der}


def test_labels_in_the_bundle_of_certifi_are_found() -> None:
    (found,) = labelled(Path(certifi.where()).read_bytes(), "ISRG_Root_X1.crt")
    assert hashlib.sha256(found).hexdigest() == "96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6"
