"""The list of removed roots is consistent with certifi's releases."""

from __future__ import annotations

import hashlib
import re
import ssl
from pathlib import Path

import certifi
import pytest

from certhook._sources import removed_roots

ROOTS = removed_roots.REMOVED_ROOTS
SOURCE = Path(removed_roots.__file__).read_text(encoding="utf-8")


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))


def test_each_entry_has_a_fingerprint_a_release_and_a_name() -> None:
    for fingerprint, (release, name) in ROOTS.items():
        assert re.fullmatch("[0-9a-f]{64}", fingerprint)
        assert re.fullmatch(r"[0-9.]+(\.post[0-9]+)?", release)
        assert name == name.strip() and name.isprintable() and name


def test_entries_are_unique_and_sorted_by_release_and_name() -> None:
    listed = re.findall(r'^    "([0-9a-f]+)": \("(.*?)", ', SOURCE, re.MULTILINE)
    assert [fingerprint for fingerprint, _ in listed] == list(ROOTS)
    keys = [(version(release), name.lower(), fingerprint) for fingerprint, (release, name) in ROOTS.items()]
    assert keys == sorted(keys)


def test_no_release_is_newer_than_the_one_that_the_list_was_generated_from() -> None:
    newest = version(removed_roots.NEWEST_RELEASE)
    assert {release for release, _ in ROOTS.values() if version(release) > newest} == set()


def installed_roots() -> set[str]:
    blocks = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", certifi.contents(), re.DOTALL)
    return {hashlib.sha256(ssl.PEM_cert_to_DER_cert(block)).hexdigest() for block in blocks}


def test_no_root_of_the_newest_release_is_listed() -> None:
    installed = version(certifi.__version__)
    # The version that certifi contains lacks the suffix ".post1".
    if installed != version(removed_roots.NEWEST_RELEASE)[: len(installed)]:
        pytest.skip(f"the list was not generated from the installed certifi {certifi.__version__}")
    assert len(installed_roots()) > 100
    assert installed_roots() & ROOTS.keys() == set()


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("America Online Root Certification Authority 1", "2015.4.28"),
        ("TrustCor ECA-1", "2022.12.7"),
        ("E-Tugra Global Root CA RSA v3", "2023.7.22"),
        ("Entrust Root Certification Authority - G4", "2024.12.14"),
        ("GLOBALTRUST 2020", "2025.8.3"),
    ],
)
def test_well_known_removals_are_listed(name, release) -> None:
    assert [found for found, listed in ROOTS.values() if listed == name] == [release]
