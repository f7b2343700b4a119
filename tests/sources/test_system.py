"""The operating system's store: the compiled-in and well-known locations, and the layouts of directories."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import Callable

import der
import pytest
from root_files import ROOTS, bundle, counts_of, hash_of, hashed, letters_of, problems_of, read_system

from certhook._certificates import names
from certhook._sources import system
from certhook._sources.locations import HASHED_OLD

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has stores instead of locations")


def test_compiled_in_locations_precede_well_known_ones(machine: Path) -> None:
    bundle(machine / "compiled.pem", "a")
    hashed(machine / "compiled", "b")
    bundle(machine / "first.pem", "c")
    assert letters_of(read_system()) == "abc"


@pytest.mark.parametrize(
    "create", [lambda root: bundle(root / "compiled.pem", "a"), lambda root: hashed(root / "compiled", "a")]
)
def test_the_first_well_known_file_and_directory_are_added_to_the_compiled_in_ones(
    create: Callable, machine: Path
) -> None:
    create(machine)
    bundle(machine / "first.pem", "c")
    bundle(machine / "second.pem", "d")
    hashed(machine / "first", "e")
    trust = read_system()
    assert letters_of(trust) == "ace"
    assert [name for name, _ in counts_of(trust)] == ["compiled.pem", "compiled", "first.pem", "first"]
    assert trust.problems == ()


def test_a_compiled_in_location_that_is_also_well_known_is_read_once(machine: Path) -> None:
    (machine / "compiled.pem").symlink_to(bundle(machine / "first.pem", "a"))
    (machine / "compiled").symlink_to(hashed(machine / "first", "b"))
    bundle(machine / "second.pem", "c")
    trust = read_system()
    assert letters_of(trust) == "ab"
    assert [name for name, _ in counts_of(trust)] == ["compiled.pem", "compiled"]


def test_a_location_without_a_certificate_is_treated_as_missing(machine: Path) -> None:
    bundle(machine / "compiled.pem", "")
    hashed(machine / "compiled", "")
    bundle(machine / "first.pem", "")
    bundle(machine / "second.pem", "b")
    hashed(machine / "first", "")
    bundle(machine / "second" / "any.pem", "c")
    trust = read_system()
    assert letters_of(trust) == "bc"
    assert counts_of(trust) == [(name, 0) for name in ("compiled.pem", "compiled", "first.pem")] + [
        ("second.pem", 1),
        ("first", 0),
        ("second", 1),
    ]
    assert all(location.note for location in trust.locations if not location.count)
    assert trust.problems == ()


def test_the_first_well_known_file_and_the_first_well_known_directory_with_an_anchor_are_used(machine: Path) -> None:
    bundle(machine / "first.pem", "a")
    bundle(machine / "second.pem", "b")
    hashed(machine / "first", "c")
    bundle(machine / "second" / "any.pem", "d")
    assert letters_of(read_system()) == "ac"


def test_missing_locations_are_not_a_problem(machine: Path) -> None:
    trust = read_system()
    assert (letters_of(trust), trust.problems) == ("", ())
    assert len(trust.locations) == 6


def test_an_unreadable_well_known_location_is_reported_and_the_next_one_is_used(machine: Path) -> None:
    (machine / "first.pem").mkdir()
    bundle(machine / "second.pem", "b")
    trust = read_system()
    assert letters_of(trust) == "b"
    ((name, message),) = problems_of(trust)
    assert name == "first.pem"
    assert "a directory" in message


def test_a_malformed_block_is_reported_and_the_rest_of_the_file_is_used(machine: Path) -> None:
    path = bundle(machine / "compiled.pem", "a")
    path.write_bytes(path.read_bytes() + der.pem(b"malformed") + der.pem(ROOTS["b"]))
    trust = read_system()
    assert letters_of(trust) == "ab"
    ((name, message),) = problems_of(trust)
    assert name == "compiled.pem"
    assert "line " in message


def test_nix_ssl_cert_file_precedes_the_compiled_in_file(machine: Path) -> None:
    nix = bundle(machine / "nix.pem", "g")
    bundle(machine / "compiled.pem", "a")
    bundle(machine / "first.pem", "b")
    trust = read_system(NIX_SSL_CERT_FILE=nix)
    assert letters_of(trust) == "gab"
    assert [name for name, _ in counts_of(trust)][:2] == ["nix.pem", "compiled.pem"]


def test_a_missing_nix_ssl_cert_file_is_not_a_problem(machine: Path) -> None:
    """Nix sets the variable to /no-cert-file.crt while it builds a package."""
    bundle(machine / "compiled.pem", "a")
    trust = read_system(NIX_SSL_CERT_FILE="/no-cert-file.crt")
    assert (letters_of(trust), trust.problems) == ("a", ())


def test_the_compiled_in_locations_are_those_of_this_interpreter() -> None:
    paths = ssl.get_default_verify_paths()
    assert system.compiled_in() == (paths.openssl_cafile, paths.openssl_capath)


# Hashed directories.


def test_files_of_a_hashed_directory_that_openssl_does_not_find_are_ignored(machine: Path) -> None:
    directory = hashed(machine / "compiled", "a")
    bundle(directory / "b.pem", "b")
    bundle(directory / "00000000.0", "c")
    bundle(directory / f"{hash_of('d')}.1", "d")
    bundle(directory / f"{hash_of('e')}.00", "e")
    bundle(directory / f"{hash_of('f')}.r0", "f")
    bundle(directory / f"{hash_of('g', old=True)}.0", "g")
    assert letters_of(read_system()) == "a"


def test_certificates_with_one_subject_are_read_up_to_the_first_missing_number(machine: Path) -> None:
    subject = der.common_name("one subject")
    certificates = [der.certificate(subject, number) for number in range(12)]
    directory = hashed(machine / "compiled", "")
    for number, certificate in enumerate(certificates):
        (directory / f"{names.subject_hash(subject)}.{number}").write_bytes(der.pem(certificate))
    assert [anchor.der for anchor in read_system().anchors] == certificates
    (directory / f"{names.subject_hash(subject)}.2").unlink()
    assert [anchor.der for anchor in read_system().anchors] == certificates[:2]


def test_a_dangling_link_in_a_hashed_directory_counts_as_missing_and_is_not_a_problem(machine: Path) -> None:
    directory = hashed(machine / "compiled", "a")
    (directory / f"{hash_of('b')}.0").symlink_to("missing.pem")
    trust = read_system()
    assert (letters_of(trust), trust.problems) == ("a", ())


def test_a_certificate_with_a_malformed_subject_in_a_hashed_directory_is_reported(machine: Path) -> None:
    directory = hashed(machine / "compiled", "a")
    (directory / "00000000.0").write_bytes(der.pem(der.certificate(b"\x30\x02\x05\x00")))
    trust = read_system()
    assert letters_of(trust) == "a"
    assert problems_of(trust) == [
        ("00000000.0", "contains a certificate that is ignored: expected a SET of name attributes")
    ]


def test_android_directories_use_the_old_subject_hash(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = hashed(machine / "cacerts", "ab", old=True)
    hashed(directory, "c")
    monkeypatch.setattr(system, "well_known", lambda platform: ((), ((str(directory), HASHED_OLD),)))
    assert sorted(letters_of(read_system())) == ["a", "b"]


def test_cas_of_the_user_of_android_are_added_to_those_of_the_system(machine: Path, monkeypatch) -> None:
    hashed(machine / "first", "a")
    added = hashed(machine / "added", "b", old=True)
    monkeypatch.setattr(system, "users_directories", lambda platform: ((str(added), HASHED_OLD),))
    assert letters_of(read_system()) == "ab"


def test_an_anchor_in_a_directory_is_listed_with_its_file(machine: Path) -> None:
    directory = hashed(machine / "compiled", "a")
    (anchor,) = read_system().anchors
    assert anchor.listed_by == (("system", str(directory / f"{hash_of('a')}.0")),)
