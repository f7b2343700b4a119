"""Combining sources: the chain and fallback modes, the extra source, purposes, and the public trust set."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path

import pytest
from root_files import ROOTS, bundle, counts_of, hashed, letters_of, problems_of, read, read_system

import certhook
from certhook._certificates import x509
from certhook._config import CLIENT_AUTH, SERVER_AUTH
from certhook._sources import system
from certhook._sources.collector import Collector

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has stores instead of locations")


@posix
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "ahbc"),
        ({"CERTHOOK_SOURCES": "bundled,system"}, "hbac"),
        ({"CERTHOOK_SOURCES": "system"}, "ahc"),
        ({"CERTHOOK_SOURCES": "bundled"}, "hbc"),
        ({"CERTHOOK_MODE": "fallback"}, "ahc"),
        ({"CERTHOOK_MODE": "fallback", "CERTHOOK_SOURCES": "bundled,system"}, "hbc"),
    ],
)
def test_the_mode_and_the_order_of_sources_determine_the_roots(variables, expected: str, three_sources) -> None:
    assert letters_of(read(**{**three_sources, **variables})) == expected


@posix
def test_fallback_continues_after_a_source_without_a_root(three_sources, machine: Path) -> None:
    bundle(machine / "first.pem", "")
    assert letters_of(read(CERTHOOK_MODE="fallback", **three_sources)) == "hbc"


@posix
def test_fallback_adds_the_extra_source_to_sources_without_a_root(machine: Path) -> None:
    extra = bundle(machine / "extra.pem", "c")
    empty = bundle(machine / "bundle.pem", "")
    assert letters_of(read(CERTHOOK_MODE="fallback", CERTHOOK_EXTRA_CA_CERTS=extra, CERTHOOK_BUNDLE=empty)) == "c"


@posix
def test_an_anchor_is_unique_and_names_every_location_that_lists_it(three_sources, machine: Path) -> None:
    trust = read(**three_sources)
    (anchor,) = (anchor for anchor in trust.anchors if anchor.der == ROOTS["h"])
    assert anchor.listed_by == (
        ("system", str(machine / "first.pem")),
        ("bundled", str(machine / "bundle.pem")),
        ("extra", str(machine / "extra.pem")),
    )
    assert [count for name, count in counts_of(trust) if name in ("first.pem", "bundle.pem", "extra.pem")] == [2, 2, 2]


@posix
@pytest.mark.parametrize("mode", ["chain", "fallback"])
def test_the_bundle_is_never_read_for_clients(mode: str, three_sources, machine: Path) -> None:
    trust = read(CLIENT_AUTH, CERTHOOK_MODE=mode, **three_sources)
    assert letters_of(trust) == "ahc"
    assert "bundle.pem" not in dict(counts_of(trust))
    assert letters_of(read(CLIENT_AUTH, **{**three_sources, "CERTHOOK_SOURCES": "bundled"})) == "ch"


@posix
def test_an_internal_error_in_one_source_does_not_affect_the_others(three_sources, monkeypatch) -> None:
    def fail(collector: Collector) -> None:
        raise RuntimeError("internal error")

    monkeypatch.setattr(system, "read", fail)
    trust = read(**three_sources)
    assert letters_of(trust) == "hbc"
    assert problems_of(trust) == [("system", "could not be read: RuntimeError('internal error')")]


@posix
def test_invalid_settings_are_problems_of_the_trust_set(three_sources) -> None:
    trust = read(**{**three_sources, "CERTHOOK_MODE": "both"})
    assert [setting for setting, _ in problems_of(trust)] == ["CERTHOOK_MODE"]


# The extra source.


def test_the_extra_source_reads_files_and_directories(tmp_path: Path) -> None:
    directory = hashed(tmp_path / "extra", "b")
    for letter, name in [("c", "c.pem"), ("d", "d.CRT"), ("e", "e.cer")]:
        bundle(directory / name, letter)
    (directory / "f.der").write_bytes(ROOTS["f"])
    file = bundle(tmp_path / "file without a suffix", "a")
    trust = read_system(SSL_CERT_FILE="", SSL_CERT_DIR="", CERTHOOK_EXTRA_CA_CERTS=f"{file}{os.pathsep}{directory}")
    assert sorted(letters_of(trust)) == list("abcdef")
    assert {source for anchor in trust.anchors for source, _ in anchor.listed_by} == {"extra"}


@posix
def test_other_files_hidden_files_and_subdirectories_of_an_extra_directory_are_ignored(machine: Path) -> None:
    directory = machine / "extra"
    for name in ("README", "c.pem.bak", ".d.pem", ".e.crt", "sub/f.pem", "sub.pem/g.pem"):
        bundle(directory / name, "b")
    bundle(directory / "a.pem", "a")
    trust = read_system(CERTHOOK_EXTRA_CA_CERTS=directory)
    assert letters_of(trust) == "a"
    assert [path for anchor in trust.anchors for _, path in anchor.listed_by] == [str(directory / "a.pem")]


@posix
@pytest.mark.parametrize("name", ["missing", "empty file", "empty directory"])
def test_an_extra_path_without_a_certificate_is_reported_with_its_setting(name: str, machine: Path) -> None:
    bundle(machine / "empty file", "")
    hashed(machine / "empty directory", "")
    ((setting, message),) = problems_of(read_system(CERTHOOK_EXTRA_CA_CERTS=machine / name))
    assert setting == "CERTHOOK_EXTRA_CA_CERTS"
    assert str(machine / name) in message


# Purposes.


@posix
@pytest.mark.parametrize(
    ("settings", "servers", "clients"),
    [
        ({"trusted": [x509.SERVER_AUTH]}, "a", ""),
        ({"trusted": [x509.CLIENT_AUTH]}, "", "a"),
        ({"trusted": []}, "", ""),
        ({"rejected": [x509.SERVER_AUTH]}, "", "a"),
        ({"rejected": [x509.ANY_EXTENDED_KEY_USAGE]}, "", ""),
        ({"trusted": [x509.ANY_EXTENDED_KEY_USAGE]}, "a", "a"),
    ],
    ids=str,
)
def test_trust_settings_determine_the_purposes_of_an_anchor(settings, servers, clients, machine: Path) -> None:
    bundle(machine / "first.pem", "a", **settings)
    assert letters_of(read(SERVER_AUTH, CERTHOOK_SOURCES="system")) == servers
    assert letters_of(read(CLIENT_AUTH, CERTHOOK_SOURCES="system")) == clients


@posix
@pytest.mark.parametrize("sources", ["system,bundled", "bundled,system"])
def test_a_certificate_that_one_source_rejects_is_not_trusted_by_another(sources: str, machine: Path) -> None:
    bundle(machine / "first.pem", "a", rejected=[x509.SERVER_AUTH])
    trust = read(CERTHOOK_SOURCES=sources, CERTHOOK_BUNDLE=bundle(machine / "bundle.pem", "ab"))
    assert letters_of(trust) == "b"


@posix
def test_a_certificate_that_one_location_trusts_only_for_clients_may_be_trusted_by_another(machine: Path) -> None:
    bundle(machine / "first.pem", "a", trusted=[x509.CLIENT_AUTH])
    assert letters_of(read(CERTHOOK_BUNDLE=bundle(machine / "bundle.pem", "a"))) == "a"


# The public trust set.


def test_a_trust_set_without_a_root_has_a_problem_with_the_locations_that_were_read(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(bundle(tmp_path / "bundle.pem", "")))
    trust = certhook.trust_set()
    assert len(trust) == 0
    assert str(trust.problems[-1]).startswith("no trusted root was found")
    assert str(tmp_path / "bundle.pem") in str(trust.problems[-1])


def test_the_trust_set_contains_anchors_locations_and_problems(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(bundle(tmp_path / "bundle.pem", "ab")))
    trust = certhook.trust_set()
    assert isinstance(trust, certhook.TrustSet)
    assert [anchor.der for anchor in trust.anchors] == [ROOTS["a"], ROOTS["b"]]
    assert [(location.source, location.path, location.count) for location in trust.locations] == [
        ("bundled", str(tmp_path / "bundle.pem"), 2)
    ]
    assert trust.problems == ()
    assert len(certhook.trust_set(ssl.Purpose.CLIENT_AUTH)) == 0


def test_the_trust_set_is_immutable(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(bundle(tmp_path / "bundle.pem", "a")))
    trust = certhook.trust_set()
    with pytest.raises(AttributeError, match="read-only"):
        trust.anchors = ()
