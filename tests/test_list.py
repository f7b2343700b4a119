"""``certhook list`` and ``certhook diff``: which roots are trusted, and in what two sets of them differ."""

from __future__ import annotations

import json
import ssl
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import der
import pytest
import support
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certhook.cli import _terminal, main

NOW = datetime.now(timezone.utc).replace(microsecond=0)
KEY = ec.generate_private_key(ec.SECP256R1())


def root(name: str, days: int, key: ec.EllipticCurvePrivateKey = KEY) -> bytes:
    """A root as PEM, whose last second is so many *days* from now."""
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(named).issuer_name(named).public_key(key.public_key())
    builder = builder.not_valid_before(NOW - timedelta(3650)).not_valid_after(NOW + timedelta(days))
    certificate = builder.serial_number(x509.random_serial_number()).sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def rejected(pem: bytes) -> bytes:
    """The same root, as OpenSSL writes one that is distrusted for servers."""
    settings = der.auxiliary(rejected=["1.3.6.1.5.5.7.3.1"])
    return der.pem(ssl.PEM_cert_to_DER_cert(pem.decode()) + settings, "TRUSTED CERTIFICATE")


def write(path: Path, *roots: bytes) -> str:
    """Write a file of roots, and return its name."""
    path.write_bytes(b"".join(roots))
    return path.name


LONG = "A name that is longer than the column that the table has for it"
#: Which file lists which root.
ROOTS = {
    "system": {"system": root("Sys, Inc.", 1000), "both": root("Both", 2000)},
    "bundle": {"bundled": root("Bündled", 1000), "expired": root("Expired", -2), "long": root(LONG, 3000)},
    "extra": {"extra": root("Extra", 1000), "soon": root("Soon", 20)},
}
ROOTS["bundle"]["both"] = ROOTS["system"]["both"]
NAMES = {"Sys, Inc.": "system", "Both": "both", "Bündled": "bundled", "Expired": "expired", "Extra": "extra"}
NAMES.update({"Soon": "soon", f"{LONG[:40]}...": "long"})
ALL = set(NAMES.values())


@pytest.fixture
def certhook(installed: Path, tmp_path: Path):
    """Run ``python -m certhook`` with the roots in their places and *changed* variables."""
    for file, roots in ROOTS.items():
        (tmp_path / f"{file}.pem").write_bytes(b"".join(roots.values()))
    variables = {
        "SSL_CERT_FILE": str(tmp_path / "system.pem"),
        "SSL_CERT_DIR": str(tmp_path / "hashed"),
        "CERTHOOK_SOURCES": "system,bundled",
        "CERTHOOK_BUNDLE": str(tmp_path / "bundle.pem"),
        "CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "extra.pem"),
    }
    both = ROOTS["system"]["both"]
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / support.hashed_name(ssl.PEM_cert_to_DER_cert(both.decode()))).write_bytes(both)

    def run(*arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(installed), "-m", "certhook", *arguments],
            env=support.clean_env(**{**variables, **changed}),
            cwd=str(tmp_path),
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    return run


# list


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
def test_the_table_has_the_roots_that_were_asked_for(certhook, arguments, expected) -> None:
    done = certhook("list", *arguments.split())
    assert (done.returncode, done.stderr) == (0, "")
    head, *lines = done.stdout.splitlines()
    assert head.split("  ")[0] == "NAME"
    assert {NAMES[line[:43].rstrip()] for line in lines} == expected
    assert all(len(line) < 80 for line in lines)


def test_a_line_of_the_table_says_whose_root_it_is_how_long_it_is_valid_and_who_lists_it(certhook) -> None:
    last_day = (NOW + timedelta(2000)).date()
    assert f"Both{'':39}  {last_day}  system, bundled" in certhook("list").stdout.splitlines()


def test_an_expired_root_stands_out_on_a_terminal(monkeypatch, tmp_path, capsys) -> None:
    write(tmp_path / "roots.pem", *ROOTS["bundle"].values())
    monkeypatch.setenv("CERTHOOK_SOURCES", "extra")
    monkeypatch.setenv("CERTHOOK_EXTRA_CA_CERTS", str(tmp_path / "roots.pem"))
    monkeypatch.setattr(_output, "has_colours", lambda: True)
    assert main(["list"]) == 0
    coloured = [line for line in capsys.readouterr().out.splitlines()[1:] if _terminal.BAD in line]
    assert [line.partition(" ")[0] for line in coloured] == ["Expired"]


def test_the_columns_of_names_that_are_twice_as_wide_stand_below_each_other(monkeypatch, tmp_path, capsys) -> None:
    names = ["Both", "認証局", "認証局" * 7, "Re\u0301seau"]
    write(tmp_path / "roots.pem", *(root(name, 2000) for name in names))
    write(tmp_path / "other.pem", root("Other", 2000))
    monkeypatch.setenv("CERTHOOK_SOURCES", "extra")
    monkeypatch.setenv("CERTHOOK_EXTRA_CA_CERTS", str(tmp_path / "roots.pem"))
    day = f"{NOW + timedelta(2000):%Y-%m-%d}"
    assert main(["list"]) == 0
    assert main(["diff", str(tmp_path / "roots.pem"), str(tmp_path / "other.pem")]) == 1
    lines = [line.partition(day)[0] for line in capsys.readouterr().out.splitlines() if day in line]
    assert [_terminal.columns(line) for line in lines] == [45] * 4 + [64] * 5
    assert _terminal.cut("認証" * 20, 43) == f"{'認証' * 10}..."


@pytest.mark.parametrize("arguments", ["--name nobody", "--expired --only system"])
def test_where_no_root_is_like_that_a_script_can_tell(certhook, arguments) -> None:
    done = certhook("list", *arguments.split())
    assert (done.returncode, done.stdout) == (1, "")
    assert "none of the 7 trusted roots" in done.stderr


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
def test_a_question_that_cannot_be_understood_is_refused(certhook, arguments) -> None:
    done = certhook("list", *arguments.split())
    assert (done.returncode, done.stdout) == (2, "")


def test_details_are_the_whole_name_the_fingerprint_and_every_file(certhook, tmp_path) -> None:
    shown = certhook("list", "--details", "--name", "both").stdout
    expected = x509.load_pem_x509_certificate(ROOTS["system"]["both"])
    assert shown.splitlines()[0] == "  CN=Both"
    assert support.shows(shown, f"SHA-256 {expected.fingerprint(hashes.SHA256()).hex()}")
    for source, file in (("system", "system.pem"), ("bundled", "bundle.pem")):
        assert support.shows(shown, f"listed by {source}: {tmp_path / file}")
    assert "listed by extra" not in shown


def test_a_program_is_told_the_same_and_what_is_wrong(certhook, tmp_path) -> None:
    done = certhook("list", "--json", "--only", "system", CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "missing.pem"))
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(found) == ["roots", "trusted", "problems"]
    assert [root["subject"] for root in found["roots"]] == [r"CN=Sys\, Inc."]
    assert list(found["roots"][0]) == ["subject", "sha256", "not_before", "not_after", "listed_by"]
    assert found["trusted"] == 5
    assert len(found["problems"]) == 1 and "missing.pem" in found["problems"][0]


def test_a_person_hears_what_is_wrong_beside_the_table(certhook, tmp_path) -> None:
    done = certhook("list", CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "missing.pem"))
    assert done.returncode == 0
    assert "missing.pem" in done.stderr and "missing.pem" not in done.stdout


def test_neither_a_distrusted_root_nor_one_that_openssl_refuses_is_listed(certhook, tmp_path) -> None:
    refused = der.pem(der.certificate(der.common_name("refused"), key=der.element(der.SEQUENCE)))
    (tmp_path / "system.pem").write_bytes(rejected(ROOTS["system"]["both"]) + refused + ROOTS["system"]["system"])
    done = certhook("list", "--name", "e")
    assert "Both" not in done.stdout and "refused" not in done.stdout
    assert "OpenSSL refuses it" in done.stderr


# diff


def test_the_system_is_compared_with_the_bundle(certhook) -> None:
    done = certhook("diff")
    assert (done.returncode, done.stderr) == (1, "")
    blocks = [block.splitlines() for block in done.stdout.split("\n\n")]
    assert [lines[0] for lines in blocks] == ["In both: 1", "Only in the system's store: 1", "Only in the bundle: 3"]
    assert [line[:62].strip() for line in blocks[1][1:]] == ["Sys, Inc."]
    assert [line[:62].strip() for line in blocks[2][1:]] == [LONG[:57] + "...", "Bündled", "Expired"]


@pytest.mark.parametrize("sources", ["system", "bundled", "extra"])
def test_it_is_compared_whatever_the_sources_are(certhook, sources) -> None:
    assert certhook("diff", CERTHOOK_SOURCES=sources).stdout == certhook("diff").stdout


def test_the_same_roots_in_another_order_are_the_same(certhook, tmp_path) -> None:
    write(tmp_path / "bundle.pem", ROOTS["system"]["both"], ROOTS["system"]["system"])
    done = certhook("diff")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "the system's store and the bundle have the same 2 roots\n"


def test_a_renewed_root_is_neither_gone_nor_new(certhook, tmp_path) -> None:
    old, new, namesake = (
        root("Renewed", 10),
        root("Renewed", 4000),
        root("Renewed", 10, ec.generate_private_key(KEY.curve)),
    )
    done = certhook("diff", "--json", write(tmp_path / "a.pem", old, namesake), write(tmp_path / "b.pem", new))
    found = json.loads(done.stdout)
    assert done.returncode == 1
    (pair,) = found["other_certificate"]
    for side, days in (("a", 10), ("b", 4000)):
        assert [one["not_after"] for one in pair[side]] == [(NOW + timedelta(days)).isoformat()]
    # The same name with another key is another CA.
    assert [one["subject"] for one in found["only_a"]] == ["CN=Renewed"]
    shown = certhook("diff", "a.pem", "b.pem").stdout
    assert "The same name and key, and another certificate: 1\n  Renewed\n" in shown
    assert f"last day {(NOW + timedelta(4000)).date()}, in b.pem" in shown


def test_files_and_folders_are_compared_with_each_other(certhook, tmp_path, cas) -> None:
    (tmp_path / "folder").mkdir()
    write(tmp_path / "folder" / "a.crt", cas.pem("system"))
    write(tmp_path / "folder" / support.hashed_name(cas.der("both")), cas.pem("both"))
    write(tmp_path / "two.pem", cas.pem("both", "system"))
    assert certhook("diff", "folder", "two.pem").returncode == 0
    found = json.loads(certhook("diff", "--json", "folder", "bundle.pem").stdout)
    assert list(found) == ["a", "b", "in_both", "only_a", "only_b", "other_certificate", "problems"]
    assert (found["a"], found["b"], found["in_both"]) == ("folder", "bundle.pem", 0)
    assert (len(found["only_a"]), len(found["only_b"])) == (2, 4)


def test_a_distrusted_root_is_marked_and_by_whom(certhook, tmp_path) -> None:
    write(tmp_path / "system.pem", ROOTS["system"]["system"], rejected(ROOTS["system"]["system"]))
    shown = certhook("diff").stdout
    assert " *Sys, Inc." in shown
    assert support.shows(shown, f"* not trusted here: {tmp_path / 'system.pem'} distrusts it")


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_what_holds_no_root_cannot_be_compared(certhook, tmp_path, content) -> None:
    if content is not None:
        write(tmp_path / "a.pem", content)
    done = certhook("diff", "a.pem", "bundle.pem")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no root was found in a.pem" in done.stderr


def test_what_cannot_be_read_wholly_is_compared_and_said_to_be_broken(certhook, tmp_path) -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    done = certhook("diff", write(tmp_path / "a.pem", broken, ROOTS["system"]["both"]), "bundle.pem")
    assert done.returncode == 2
    assert "In both: 1\n" in done.stdout
    assert "a.pem" in done.stderr and "line 1" in done.stderr


def test_one_file_is_compared_with_nothing(certhook) -> None:
    done = certhook("diff", "bundle.pem")
    assert (done.returncode, done.stdout) == (2, "")
    assert "with what is bundle.pem to be compared?" in done.stderr
