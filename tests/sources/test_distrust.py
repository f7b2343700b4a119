"""Reading block lists: locations, unreadable lists, and their effect on the trust set.

test_layouts.py tests the block lists of whole systems.
"""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import der
import pytest
from der import SERVERS

import certhook
from certhook import _files
from certhook._certificates.anchor import Anchor
from certhook._certificates.x509 import Certificate
from certhook._config import SERVER_AUTH, Config
from certhook._sources import debian, distrust
from certhook._sources.blocklist import identity
from certhook._sources.collector import Collector
from certhook.exceptions import SourceError

BAD = der.root("distrusted")
GOOD = der.root("good")


@pytest.fixture
def collector() -> Collector:
    return Collector(Config({}), SERVER_AUTH)


def is_without_problems(collector: Collector) -> bool:
    return collector.problems == [] and collector.blocklist.is_complete


@pytest.mark.parametrize(
    "text", [b"Put -----BEGIN CERTIFICATE----- here", b"0 files", b"-----BEGIN TRUSTED CERTIFICATE-----"]
)
@pytest.mark.parametrize("name", ["README", "readme.txt", ".a.pem.swp"])
def test_documentation_and_hidden_files_are_not_a_problem(collector, name: str, text: bytes) -> None:
    for is_blocklist in (True, False):
        distrust.add_list(collector, f"/{name}", text, is_blocklist)
    assert is_without_problems(collector)


# Debian.


@pytest.mark.parametrize("line", ["!", "!mozilla/", "! ", "!/"])
def test_a_line_without_a_name_is_ignored(collector, line: str, tmp_path, monkeypatch) -> None:
    (tmp_path / "conf").write_text(f"{line}\n")
    monkeypatch.setattr(debian, "DESELECTED", str(tmp_path / "conf"))
    debian.read_deselected(collector)
    assert is_without_problems(collector)


def test_an_unreadable_file_of_a_local_ca_is_not_a_problem(collector, tmp_path, monkeypatch) -> None:
    def refuse(path: str) -> bytes:
        raise SourceError(path, "cannot be read: Permission denied") from PermissionError(errno.EACCES, "")

    monkeypatch.setattr(debian, "LOCAL", str(tmp_path))
    monkeypatch.setattr(_files, "read", refuse)
    (tmp_path / "own.crt").touch()
    assert debian.local_identities(collector) == set()
    assert is_without_problems(collector)


def test_cycles_of_links_between_directories_of_local_cas_end(collector, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(debian, "LOCAL", str(tmp_path))
    for name in "abc":
        (tmp_path / name).symlink_to(".")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "own.crt").write_bytes(der.pem(BAD))
    assert debian.local_identities(collector) == {identity(Certificate(BAD))}


def test_only_a_few_paths_are_watched_for_block_lists_that_do_not_exist(collector, monkeypatch) -> None:
    """Checking them is part of every context."""

    def missing(path: str) -> bytes:
        raise SourceError(path, "is missing") from FileNotFoundError(path)

    monkeypatch.setattr(distrust.sys, "platform", "linux")
    monkeypatch.setattr(debian._files, "read", missing)
    existing = {path: os.lstat(path) for path in ("/", "/etc", "/usr", "/usr/share")}

    def lstat(path: str) -> os.stat_result:
        if path in existing:
            return existing[path]
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)

    monkeypatch.setattr(os, "lstat", lstat)
    distrust.read(collector)
    assert [name for kind, name, _, _ in collector.recorder.snapshot().frequent if kind == "path"] == [
        "/etc/ca-certificates.conf",
        "/etc/pki",
        "/usr/share/pki",
        "/etc/ca-certificates",
        "/usr/share/ca-certificates",
    ]


# The trust set.


@pytest.fixture
def untrusted(tmp_path: Path, monkeypatch) -> Path:
    """A directory of distrusted certificates, on a system that is FreeBSD, with a configured bundle."""
    directory = tmp_path / "untrusted"
    directory.mkdir()
    (tmp_path / "bundle.pem").write_bytes(der.pem(BAD) + der.pem(GOOD))
    monkeypatch.setattr(distrust, "UNTRUSTED", (str(directory), str(tmp_path / "none")))
    monkeypatch.setattr(distrust.sys, "platform", "freebsd14")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(tmp_path / "bundle.pem"))
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    return directory


def ders(anchors: tuple[Anchor, ...]) -> list[bytes]:
    return [anchor.der for anchor in anchors]


def test_a_trust_set_contains_the_removed_anchors_and_the_block_lists(untrusted: Path) -> None:
    trust = certhook.trust_set()
    assert (ders(trust.anchors), trust.distrusted) == ([BAD, GOOD], ())
    (untrusted / "bad.crt").write_bytes(BAD)
    trust = certhook.trust_set()
    assert (ders(trust.anchors), ders(trust.distrusted)) == ([GOOD], [BAD])
    assert trust.distrusted[0].distrusted_by == (str(untrusted / "bad.crt"),)
    assert trust.distrusted[0].sha256 == hashlib.sha256(BAD).hexdigest()
    assert trust.locations[0].count == 1


def test_a_trust_set_contains_the_distrusted_certificates_that_no_source_lists(untrusted: Path) -> None:
    unlisted = der.certificate(der.common_name("unlisted"))
    for number, certificate in enumerate((BAD, unlisted)):
        (untrusted / f"{number}.crt").write_bytes(certificate)
    trust = certhook.trust_set()
    assert (ders(trust.distrusted), ders(trust.blocklisted)) == ([BAD], [unlisted])
    assert trust.blocklisted[0].distrusted_by == (str(untrusted / "1.crt"),)
    assert trust.blocklisted[0].listed_by == ()


def test_a_trust_set_contains_the_certificates_that_a_source_rejects(untrusted: Path, tmp_path: Path) -> None:
    rejecting = der.pem(BAD + der.auxiliary(None, [SERVERS]), "TRUSTED CERTIFICATE")
    (tmp_path / "bundle.pem").write_bytes(rejecting + der.pem(GOOD))
    trust = certhook.trust_set()
    assert (ders(trust.anchors), ders(trust.distrusted), ders(trust.blocklisted)) == ([GOOD], [], [BAD])
    assert trust.blocklisted[0].distrusted_by == (str(tmp_path / "bundle.pem"),)


def test_a_distrusted_root_in_a_configured_bundle_is_reported(untrusted: Path) -> None:
    (untrusted / "bad.crt").write_bytes(BAD)
    (problem,) = certhook.trust_set().problems
    assert str(problem).startswith(f"{untrusted.parent / 'bundle.pem'}: the certificate with SHA-256 ")
    assert str(problem).endswith(f" is not trusted, because {untrusted / 'bad.crt'} distrusts it")


def test_fallback_continues_after_a_source_with_only_distrusted_roots(untrusted, monkeypatch, tmp_path) -> None:
    (tmp_path / "system.pem").write_bytes(der.pem(GOOD))
    (tmp_path / "bundle.pem").write_bytes(der.pem(BAD))
    (untrusted / "bad.crt").write_bytes(BAD)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", "")
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled,system")
    monkeypatch.setenv("CERTHOOK_MODE", "fallback")
    assert ders(certhook.trust_set().anchors) == [GOOD]


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE])
@pytest.mark.parametrize("function", ["listdir", "open"])
def test_a_list_with_a_transient_error_is_read_again_for_the_next_context(
    untrusted, monkeypatch, function: str, number: int
) -> None:
    (untrusted / "bad.crt").write_bytes(BAD)
    real = getattr(os, function)

    def fail(path, *arguments, **keywords):
        if str(path).startswith(str(untrusted)):
            raise OSError(number, os.strerror(number))
        return real(path, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        trust = certhook.trust_set()
    assert trust.volatile and not trust.distrust_is_known
    assert any("the certificates that it distrusts are unknown" in str(problem) for problem in trust.problems)
    trust = certhook.trust_set()
    assert not trust.volatile and trust.distrust_is_known
