"""``python -m certhook list``: the trusted root certificates."""

from __future__ import annotations

import json
import ssl
from datetime import timedelta

import der
import pytest
import support
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from roots import LONG_NAME, NOW, ROOTS, distrusted, root

from certhook.cli import _terminal

#: The names in the table, and the names of :data:`roots.ROOTS`.
NAMES = {
    "Sys, Inc.": "system",
    "Both": "both",
    "Bündled": "bundled",
    "Expired": "expired",
    "Extra": "extra",
    "Soon": "soon",
    f"{LONG_NAME[:40]}...": "long",
}
ALL = set(NAMES.values())


@pytest.fixture
def variables(dated_roots: dict[str, str]) -> dict[str, str]:
    return dated_roots


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", ALL),
        ("--source system", {"system", "both"}),
        ("--source bundled --source extra", ALL - {"system"}),
        ("--only system", {"system"}),
        ("--only bundled", {"bundled", "expired", "long"}),
        ("--name LONGER", {"long"}),
        ("--name bünd", {"bundled"}),
        ("--name sys,", {"system"}),
        (r"--name sys\,", {"system"}),
        ("--expired", {"expired"}),
        ("--expires-within 0", {"expired"}),
        ("--expires-within 30", {"expired", "soon"}),
        ("--expires-within 30 --source extra", {"soon"}),
    ],
)
def test_the_table_contains_the_roots_that_match_every_option(certhook, arguments, expected) -> None:
    done = certhook("list", *arguments.split())
    assert (done.returncode, done.stderr) == (0, "")
    header, *lines = done.stdout.splitlines()
    assert header.split("  ")[0] == "NAME"
    assert {NAMES[line[:43].rstrip()] for line in lines} == expected
    assert all(len(line) < 80 for line in lines)


def test_a_row_contains_the_name_the_last_day_and_the_sources(certhook) -> None:
    last_day = (NOW + timedelta(2000)).date()
    assert f"Both{'':39}  {last_day}  system, bundled" in certhook("list").stdout.splitlines()


def test_an_expired_root_is_red_on_a_terminal(on_terminal) -> None:
    red = [line for line in on_terminal("list").splitlines() if "\033[31m" in line]
    assert [line.partition("Expired")[0] for line in red] == ["\033[31m"]


def test_names_of_wide_characters_are_aligned(certhook, tmp_path) -> None:
    names = ["Both", "認証局", "認証局" * 7, "Re\u0301seau"]
    (tmp_path / "extra.pem").write_bytes(b"".join(root(name, 2000) for name in names))
    day = f"{NOW + timedelta(2000):%Y-%m-%d}"
    rows = [line.partition(day)[0] for line in certhook("list", "--only", "extra").stdout.splitlines() if day in line]
    assert len(rows) == len(names)
    assert {_terminal.columns(row) for row in rows} == {45}


@pytest.mark.parametrize("arguments", ["--name unknown", "--expired --only system"])
def test_the_exit_status_is_1_without_a_match(certhook, arguments) -> None:
    done = certhook("list", *arguments.split())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "certhook: none of the 7 trusted root certificates matches\n"


@pytest.mark.parametrize(
    "arguments",
    [
        "--source nowhere",
        "--only extra --source extra",
        "--expired --expires-within 3",
        "--expires-within soon",
        "--expires-within -1",
        "--expires-within 1000000000000",
        "root",
    ],
)
def test_invalid_arguments_are_refused(certhook, arguments) -> None:
    done = certhook("list", *arguments.split())
    assert (done.returncode, done.stdout) == (2, "")


def test_details_contain_the_full_name_the_fingerprint_and_every_file(certhook, tmp_path) -> None:
    shown = certhook("list", "--details", "--name", "both").stdout
    expected = x509.load_pem_x509_certificate(ROOTS["system"]["both"])
    assert shown.splitlines()[0] == "  CN=Both"
    assert support.shows(shown, f"SHA-256 {expected.fingerprint(hashes.SHA256()).hex()}")
    for source, file in (("system", "system.pem"), ("bundled", "bundle.pem")):
        assert support.shows(shown, f"listed by {source}: {tmp_path / file}")
    assert "listed by extra" not in shown


def test_json_contains_the_matching_roots_and_the_problems(certhook, tmp_path) -> None:
    done = certhook("list", "--json", "--only", "system", CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "missing.pem"))
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(found) == ["roots", "trusted", "problems"]
    assert [root["subject"] for root in found["roots"]] == [r"CN=Sys\, Inc."]
    assert list(found["roots"][0]) == ["subject", "sha256", "not_before", "not_after", "listed_by", "removed_in"]
    assert found["trusted"] == 5
    assert len(found["problems"]) == 1 and "missing.pem" in found["problems"][0]


def test_problems_are_printed_on_standard_error(certhook, tmp_path) -> None:
    done = certhook("list", CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "missing.pem"))
    assert done.returncode == 0
    assert "missing.pem" in done.stderr and "missing.pem" not in done.stdout


def test_roots_that_are_distrusted_or_that_openssl_rejects_are_not_listed(certhook, tmp_path) -> None:
    rejected = der.pem(der.root("rejected", key=der.element(der.SEQUENCE)))
    (tmp_path / "system.pem").write_bytes(distrusted(ROOTS["system"]["both"]) + rejected + ROOTS["system"]["system"])
    done = certhook("list", "--name", "e")
    assert "Both" not in done.stdout and "rejected" not in done.stdout
    digest = hashes.Hash(hashes.SHA256())
    digest.update(ssl.PEM_cert_to_DER_cert(rejected.decode()))
    assert support.shows(done.stderr, digest.finalize().hex(), "OpenSSL rejects it")
