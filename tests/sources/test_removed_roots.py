"""The list of removed roots is consistent with certifi's releases."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import re
import ssl
import tarfile
import types
import zipfile
from pathlib import Path

import certifi
import der
import pytest
import support

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


# The script that generates the list.


@pytest.fixture(scope="module")
def script() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("tools", support.ROOT / "tools" / "removed_roots.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ALPHA, BETA, GAMMA = (der.root(name) for name in ("Alpha", "beta", "Gamma"))


def by_fingerprint(*roots: bytes) -> dict[str, bytes]:
    return {hashlib.sha256(root).hexdigest(): root for root in roots}


def test_the_script_lists_the_first_release_after_the_last_one_with_a_root(script) -> None:
    bundles = {
        "1": by_fingerprint(ALPHA, BETA, GAMMA),
        "2": by_fingerprint(GAMMA),
        "3": by_fingerprint(ALPHA, BETA),
        "4.1": by_fingerprint(BETA),
        "10": by_fingerprint(GAMMA),
    }
    assert list(script.removed(bundles).values()) == [("4.1", "Alpha"), ("10", "beta")]


def test_the_script_lists_no_root_that_the_newest_release_contains(script) -> None:
    bundles = {"1": by_fingerprint(ALPHA), "2": by_fingerprint(BETA), "3": by_fingerprint(BETA, ALPHA)}
    assert script.removed(bundles) == {}


def test_the_script_reads_cacert_pem_in_wheels_and_source_distributions(script, tmp_path) -> None:
    text = "".join(ssl.DER_cert_to_PEM_cert(root) for root in (ALPHA, BETA)).encode()
    wheel, source = tmp_path / "certifi-1-py3-none-any.whl", tmp_path / "certifi-1.tar.gz"
    with zipfile.ZipFile(str(wheel), "w") as archive:
        archive.writestr("certifi/cacert.pem", text)
        archive.writestr("certifi/weak.pem", ssl.DER_cert_to_PEM_cert(GAMMA))
    with tarfile.open(str(source), "w:gz") as archive:
        for name in ("certifi-1/certifi/cacert.pem", "certifi-1/certifi/old_root.pem"):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    for file in (wheel, source):
        assert script.roots(script.bundle(file)) == by_fingerprint(ALPHA, BETA)


def test_the_list_is_in_the_form_that_the_script_writes(script) -> None:
    assert script.source(removed_roots.NEWEST_RELEASE, ROOTS) == SOURCE
