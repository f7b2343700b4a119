"""A bundle that was reduced after the installation of its package is recognised by the package's RECORD."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import zipfile
from pathlib import Path

import certifi
import pytest

from certhook._sources import installed

ROOTS = Path(certifi.where()).read_bytes()
BLOCKS = [block + b"-----END CERTIFICATE-----\n" for block in ROOTS.split(b"-----END CERTIFICATE-----\n")[:-1]]
COMPANY = b"# Company CA\n" + BLOCKS[0][BLOCKS[0].index(b"-----BEGIN") :]


def entry(name: str, content: bytes, algorithm: str = "sha256") -> str:
    """Return the line of a RECORD for the file *name*."""
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, content).digest()).rstrip(b"=").decode()
    return f"{name},{algorithm}={digest},{len(content)}"


class Site:
    """A site-packages directory with a package that contains a bundle."""

    def __init__(self, directory: Path, name: str = "certifi/cacert.pem") -> None:
        self.directory = directory
        self.name = name
        self.bundle = self.write(name, ROOTS)

    def write(self, name: str, content: bytes) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def record(self, *lines: str, distribution: str = "certifi-2026.5.20", end: str = "\n") -> Path:
        """Write a RECORD with *lines*; by default, with an entry for the present bundle."""
        lines = lines or (entry(self.name, self.bundle.read_bytes()),)
        text = end.join(["certifi/__init__.py,,", *lines, f"{distribution}.dist-info/RECORD,,", ""])
        return self.write(f"{distribution}.dist-info/RECORD", os.fsencode(text))

    def is_reduced_to(self, content: bytes) -> bool:
        self.bundle.write_bytes(content)
        return installed.is_reduced(str(self.bundle))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize(
    ("content", "is_reduced"),
    [
        (ROOTS, False),
        (BLOCKS[0], True),
        (b"", True),
        (b"".join(BLOCKS[:-1]), True),
        (ROOTS + COMPANY, False),
        (COMPANY + ROOTS, False),
        (b"".join([*BLOCKS[:50], COMPANY, *BLOCKS[50:]]), False),
        (ROOTS.replace(b"\n", b"\r\n"), False),
        (BLOCKS[0] + b"#" * len(ROOTS), True),
    ],
    ids=[
        "as installed",
        "one root",
        "empty",
        "one root less",
        "a CA appended",
        "a CA prepended",
        "a CA inserted",
        "Windows line endings",
        "one root and a comment",
    ],
)
def test_a_bundle_is_reduced_if_it_has_lost_roots_since_its_installation(site, content, is_reduced) -> None:
    site.record()
    assert site.is_reduced_to(content) is is_reduced


def test_a_bundle_without_a_record_is_not_reduced(site) -> None:
    assert not site.is_reduced_to(BLOCKS[0])
    site.record("certifi/core.py,,", "certifi/cacert.pem,,", entry("other/certifi/cacert.pem", ROOTS))
    assert not site.is_reduced_to(BLOCKS[0])


@pytest.mark.parametrize(
    "name",
    [
        "pip/_vendor/certifi/cacert.pem",
        "aliyunsdkcore/vendored/requests/packages/certifi/cacert.pem",
        "acme sdk/roots, all.pem",
    ],
)
def test_a_bundle_at_any_depth_is_found_in_the_record_of_its_distribution(tmp_path, name) -> None:
    site = Site(tmp_path, name)
    quoted = entry(f'"{name}"', ROOTS)
    record = site.record(entry("certifi/cacert.pem", b""), quoted, distribution="some_distribution-1.0")
    (found,) = installed.records_of(str(site.bundle))
    assert (found.path, found.sha256, found.size) == (str(record), hashlib.sha256(ROOTS).hexdigest(), len(ROOTS))
    assert site.is_reduced_to(BLOCKS[0])


@pytest.mark.parametrize("distribution", ["certifi-2026.5.20", "Certifi-2026.5.20", "python_certifi-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_form_of_the_distributions_name_and_of_line_ends_is_irrelevant(site, distribution, end) -> None:
    site.record(distribution=distribution, end=end)
    assert site.is_reduced_to(BLOCKS[0])


@pytest.mark.skipif(sys.platform != "win32", reason="the names of files are case-sensitive")
def test_the_case_of_a_path_is_irrelevant_on_windows(site) -> None:
    site.record(entry("Certifi/CaCert.pem", ROOTS))
    assert site.is_reduced_to(BLOCKS[0])


def test_the_record_of_an_earlier_version_that_was_left_behind_is_irrelevant(site) -> None:
    site.record(entry(site.name, ROOTS + COMPANY), distribution="certifi-2020.1.1")
    newer = site.record(distribution="certifi-2026.5.20")
    assert str(newer) in [record.path for record in installed.records_of(str(site.bundle))]
    assert not site.is_reduced_to(ROOTS)
    assert site.is_reduced_to(BLOCKS[0])


def test_an_entry_without_a_size_still_detects_a_private_root(site) -> None:
    site.record(entry(site.name, ROOTS).rpartition(",")[0] + ",")
    assert not site.is_reduced_to(ROOTS + COMPANY)
    assert site.is_reduced_to(COMPANY)


@pytest.mark.parametrize(
    "line",
    [
        entry("certifi/cacert.pem", ROOTS, "sha512"),
        "certifi/cacert.pem,sha256=,10",
        "certifi/cacert.pem,sha256=\N{GREEK SMALL LETTER ALPHA},10",
        "certifi/cacert.pem,sha256=AAAA,10",
        "certifi/cacert.pem",
        "\0certifi/cacert.pem,sha256=AAAA,10",
    ],
)
def test_an_entry_with_an_unknown_form_is_ignored(site, line) -> None:
    site.record(line)
    assert installed.records_of(str(site.bundle)) == []
    assert not site.is_reduced_to(BLOCKS[0])


def test_a_record_that_is_not_a_readable_file_is_ignored(site) -> None:
    (site.directory / "certifi-2026.5.20.dist-info" / "RECORD").mkdir(parents=True)
    (site.directory / "other.dist-info").write_bytes(b"")
    assert not site.is_reduced_to(BLOCKS[0])


def test_a_bundle_in_an_archive_or_at_no_path_is_not_reduced(tmp_path) -> None:
    archive = tmp_path / "library.zip"
    with zipfile.ZipFile(str(archive), "w") as file:
        file.writestr("certifi/cacert.pem", BLOCKS[0])
        file.writestr("certifi-2026.5.20.dist-info/RECORD", entry("certifi/cacert.pem", ROOTS))
    for path in (str(archive / "certifi" / "cacert.pem"), "", "certifi/cacert.pem", str(tmp_path / "missing.pem")):
        assert not installed.is_reduced(path)


def test_the_files_that_a_result_depends_on_are_watched(site) -> None:
    watched: list[str] = []
    record = site.record()
    assert not installed.is_reduced(str(site.bundle), watched.append)
    assert watched == [str(site.bundle), str(record)]


def test_the_installed_certifi_is_not_reduced() -> None:
    assert installed.records_of(certifi.where())
    assert not installed.is_reduced(certifi.where())
