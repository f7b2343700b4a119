"""A block list matches certificates, renewed copies, serial numbers, keys, and labels in certifi's bundle."""

from __future__ import annotations

import hashlib
from pathlib import Path

import certifi
import der
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certhook._certificates.x509 import Certificate
from certhook._config import ANY_PURPOSE, CLIENT_AUTH
from certhook._sources.blocklist import Blocklist, BlocklistEntry

NAME = der.common_name("distrusted")
BAD = der.certificate(NAME)
GOOD = der.certificate(der.common_name("good"))
BAD_CERTIFICATE = Certificate(BAD)


def rejected(entry: BlocklistEntry, *certificates: bytes) -> list[int]:
    """Return the purposes for which each of *certificates* is rejected by a list with one entry."""
    blocklist = Blocklist()
    blocklist.add(entry, "the list")
    found = []
    for certificate in certificates:
        purposes, paths = blocklist.match(Certificate(certificate))
        assert set(paths) == ({"the list"} if purposes else set())
        found.append(purposes)
    return found


def test_a_certificate_and_its_renewed_copies_are_distrusted() -> None:
    renewed = der.certificate(NAME, serial=2)
    assert rejected(BlocklistEntry(ANY_PURPOSE, BAD_CERTIFICATE), BAD, renewed) == [ANY_PURPOSE] * 2


def test_the_string_type_of_a_name_is_insignificant() -> None:
    printable = der.name([der.attribute(der.element(der.PRINTABLE_STRING, b" Distrusted "))])
    assert rejected(BlocklistEntry(ANY_PURPOSE, BAD_CERTIFICATE), der.certificate(printable)) == [ANY_PURPOSE]


def test_a_certificate_with_another_name_or_key_is_not_distrusted() -> None:
    other_key = der.certificate(NAME, serial=2, key=der.OTHER_KEY)
    assert rejected(BlocklistEntry(ANY_PURPOSE, BAD_CERTIFICATE), GOOD, other_key) == [0, 0]


def test_an_entry_applies_only_to_its_purposes() -> None:
    assert rejected(BlocklistEntry(CLIENT_AUTH, BAD_CERTIFICATE), BAD, GOOD) == [CLIENT_AUTH, 0]


def test_an_issuer_and_a_serial_number_identify_a_certificate() -> None:
    entry = BlocklistEntry(ANY_PURPOSE, issuer=BAD_CERTIFICATE.issuer, serial=BAD_CERTIFICATE.serial)
    same, other = der.certificate(NAME, key=der.OTHER_KEY), der.certificate(NAME, serial=2)
    assert rejected(entry, BAD, same, other) == [ANY_PURPOSE, ANY_PURPOSE, 0]


def test_a_sha1_identifies_a_certificate() -> None:
    entry = BlocklistEntry(ANY_PURPOSE, sha1=hashlib.sha1(BAD).digest())
    assert rejected(entry, BAD, der.certificate(NAME, serial=2)) == [ANY_PURPOSE, 0]


def test_a_key_identifies_every_certificate_with_it() -> None:
    other_key = der.certificate(NAME, serial=2, key=der.OTHER_KEY)
    assert rejected(BlocklistEntry(ANY_PURPOSE, key=der.KEY), BAD, GOOD, other_key) == [ANY_PURPOSE, ANY_PURPOSE, 0]


@pytest.mark.parametrize(
    "entry",
    [
        BlocklistEntry(ANY_PURPOSE),
        BlocklistEntry(ANY_PURPOSE, issuer=NAME),
        BlocklistEntry(ANY_PURPOSE, serial=b"\x02\x01\x01"),
        BlocklistEntry(ANY_PURPOSE, BAD_CERTIFICATE, fault="malformed"),
    ],
)
def test_an_entry_that_identifies_nothing_is_refused(entry) -> None:
    blocklist = Blocklist()
    with pytest.raises(ValueError):
        blocklist.add(entry, "the list")
    assert not blocklist.certificates
    assert blocklist.match(BAD_CERTIFICATE) == (0, [])


# Labels.


def labelled(bundle: bytes, *labels: bytes) -> list[bytes]:
    """Return the certificates in *bundle* that are distrusted because of *labels*, names of removed files."""
    blocklist = Blocklist()
    blocklist.removed_labels = dict.fromkeys(labels, "the list")
    assert blocklist.add_labelled(bundle)
    return list(blocklist.certificates)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        (b"Bad Root (Class 1), Ltd.", "Bad_Root_=Class_1=__Ltd..crt"),
        (rb"F\u0151tan\xfas\xedtv\xe1ny A/B", "Főtanúsítvány_A_B.crt"),
        (rb"a\d \\ \u12", "a\\d_\\\\_\\u12.crt"),
    ],
)
def test_a_removed_file_of_debian_distrusts_the_root_with_its_label(label: bytes, name: str) -> None:
    comments = b"# Serial: 1\r\n# MD5 Fingerprint: 00\n"
    bundle = b'# Label: "%s"\n%s%s\n# Label: "Good"\n%s' % (label, comments, der.pem(BAD), der.pem(GOOD))
    assert labelled(bundle, name.encode()) == [BAD]


def test_a_bundle_is_not_searched_without_removed_files() -> None:
    assert not Blocklist().add_labelled(b'# Label: "a"\n' + der.pem(BAD))


@pytest.mark.parametrize(
    "bundle", [b'# Label: "\\u12"\n' + der.pem(BAD), b'# Label: "a"\n' * 9 + b"-----BEGIN CERTIFICATE-----"]
)
def test_malformed_labels_and_blocks_distrust_nothing(bundle: bytes) -> None:
    assert labelled(bundle, b"a.crt") == []


@given(
    st.lists(st.sampled_from([b'# Label: "', b"a", b'"', b"\\", b"u12", b"\n", b"# ", der.pem(BAD), der.pem(BAD)[:99]]))
)
def test_a_label_never_distrusts_anything_but_a_complete_certificate(parts: list[bytes]) -> None:
    assert set(labelled(b"".join(parts), b"a.crt")) <= {BAD}


def test_labels_in_the_bundle_of_certifi_are_found() -> None:
    (found,) = labelled(Path(certifi.where()).read_bytes(), b"ISRG_Root_X1.crt")
    assert hashlib.sha256(found).hexdigest() == "96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6"
