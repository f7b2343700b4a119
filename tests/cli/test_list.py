"""``python -m certhook list``: the trusted root certificates."""

from __future__ import annotations

import json
import re
import shutil
import ssl
from datetime import timedelta

import der
import pytest
import roots
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
    LONG_NAME: "long",
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
    width = header.index("LAST DAY")
    assert {NAMES[line[:width].rstrip()] for line in lines} == expected


def test_a_row_contains_the_name_the_last_day_and_the_sources(certhook) -> None:
    last_day = (NOW + timedelta(2000)).date()
    assert f"Both{'':58}  {last_day}          system, bundled" in certhook("list").stdout.splitlines()


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_the_table_fits_the_terminal_and_long_names_are_continued(columns, certhook) -> None:
    shown = certhook("list", COLUMNS=str(columns)).stdout
    assert max(map(len, shown.splitlines())) < columns
    squeezed = "".join(shown.split())
    assert ("".join(LONG_NAME.split()) in squeezed) == (columns > 100)
    assert all(word in shown for word in LONG_NAME.split())


def test_roots_with_equal_names_are_distinguished(certhook, tmp_path) -> None:
    other = roots.root("Both", 700, organization="Another company")
    (tmp_path / "extra.pem").write_bytes(other + roots.root("Extra", 1000) + roots.root("Extra", 1001))
    shown = certhook("list", "--source", "extra", "--source", "system", COLUMNS="200").stdout
    assert "Both (O=Another company)  " in shown
    assert len(re.findall(r"^Extra \(SHA-256 [0-9a-f]{16}\.\.\.\)  ", shown, re.MULTILINE)) == 2


def test_private_roots_are_those_that_mozillas_list_lacks(certhook, installed, tmp_path) -> None:
    bundle = (support.purelib(installed) / "certifi" / "cacert.pem").read_text()
    (tmp_path / "extra.pem").write_bytes(bundle.encode() + ROOTS["extra"]["extra"])
    done = certhook("list", "--private", "--json", "--source", "extra")
    assert [root["subject"] for root in json.loads(done.stdout)["roots"]] == ["CN=Extra"]
    assert json.loads(done.stdout)["trusted_count"] > 100


def test_a_root_that_a_user_added_to_certifis_file_is_private(certhook, installed, tmp_path) -> None:
    site = tmp_path / "site"
    shutil.copytree(support.purelib(installed) / "certifi", site / "certifi")
    (info,) = support.purelib(installed).glob("certifi-*.dist-info")
    shutil.copytree(info, site / info.name)
    bundle = site / "certifi" / "cacert.pem"
    content = bundle.read_bytes()
    unset = ("CERTHOOK_BUNDLE", "CERTHOOK_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR")
    variables = {**dict.fromkeys(unset), "PYTHONPATH": str(site), "CERTHOOK_SOURCES": "bundled"}
    assert certhook("list", "--private", **variables).returncode == 1
    for changed in (content + ROOTS["extra"]["extra"], ROOTS["extra"]["extra"] + content):
        bundle.write_bytes(changed)
        shown = certhook("list", "--private", **variables).stdout
        assert [line.split()[0] for line in shown.splitlines()] == ["NAME", "Extra"]
    # Which roots were added is unknown, so pip's copy is used, if there is one.
    middle = content.index(b"-----BEGIN", len(content) // 2)
    bundle.write_bytes(content[:middle] + ROOTS["extra"]["extra"] + content[middle:])
    done = certhook("list", "--private", **variables)
    assert "\nExtra  " in done.stdout or "Mozilla's list is not available for --private" in done.stderr


def test_expired_roots_are_marked_without_colours(certhook) -> None:
    marked = [line for line in certhook("list").stdout.splitlines() if line.split("  ")[0] == "Expired"]
    assert [(NOW + timedelta(-2)).strftime("%Y-%m-%d expired") in line for line in marked] == [True]


def test_an_expired_root_is_red_on_a_terminal(on_terminal) -> None:
    red = [line for line in on_terminal("list").splitlines() if "\033[31m" in line]
    assert [line.partition("Expired")[0] for line in red] == ["\033[31m"]


def test_names_of_wide_characters_are_aligned(certhook, tmp_path) -> None:
    names = ["Both", "認証局", "認証局" * 7, "Re\u0301seau"]
    (tmp_path / "extra.pem").write_bytes(b"".join(root(name, 2000) for name in names))
    day = f"{NOW + timedelta(2000):%Y-%m-%d}"
    rows = [line.partition(day)[0] for line in certhook("list", "--only", "extra").stdout.splitlines() if day in line]
    assert len(rows) == len(names)
    assert {_terminal.columns(row) for row in rows} == {44}


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
    assert list(found) == ["roots", "trusted_count", "problems"]
    assert [root["subject"] for root in found["roots"]] == [r"CN=Sys\, Inc."]
    assert found["trusted_count"] == 5
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
