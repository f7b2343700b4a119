"""``python -m certhook export``: the trusted root certificates in files for other programs."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import der
import pytest
from authorities import TRUSTED, names_in

from certhook._sources import debian
from certhook.cli import main

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes, and no links without privileges")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Set *variables* in this process."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def contents(directory: Path) -> dict[str, object]:
    """Return the files below *directory*, without compiled stores."""
    found = {path: path.lstat() for path in directory.rglob("*") if "cache" not in path.parts}
    return {str(path): path.read_bytes() if stat.S_ISREG(s.st_mode) else s.st_mode for path, s in found.items()}


# The content.


@pytest.mark.parametrize(
    ("arguments", "variable", "expected"),
    [
        ((), "SSL_CERT_FILE", TRUSTED),
        (("--directory",), "SSL_CERT_DIR", TRUSTED),
        (("--purpose", "client"), "SSL_CERT_FILE", TRUSTED - {"bundled"}),
        (("--purpose", "client", "--directory"), "SSL_CERT_DIR", TRUSTED - {"bundled"}),
    ],
)
def test_a_program_without_certhook_trusts_the_exported_roots(
    certhook, trusted_by, plain, tmp_path, arguments, variable, expected
) -> None:
    assert trusted_by(plain, SSL_CERT_FILE=os.devnull) == set()
    done = certhook("export", *arguments, "exported")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{len(expected)} root certificates written to {tmp_path / 'exported'}\n"
    assert trusted_by(plain, **{variable: str(tmp_path / "exported")}) == expected


def test_a_single_root_is_reported_in_the_singular(certhook, tmp_path) -> None:
    done = certhook("export", "exported", CERTHOOK_SOURCES="extra")
    assert done.stdout == f"1 root certificate written to {tmp_path / 'exported'}\n"


def test_the_file_named_dash_is_standard_output(certhook, tmp_path) -> None:
    done = certhook("export", "-")
    certhook("export", "exported")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", (tmp_path / "exported").read_text())
    assert names_in(done.stdout) == TRUSTED
    assert certhook("export", "--directory", "-").returncode == 2
    assert not (tmp_path / "-").exists()


def test_a_comment_contains_the_name_and_the_sources_of_each_root(certhook, cas) -> None:
    blocks = certhook("export", "-").stdout.split("\n\n")
    for name, sources in (("both", "system, bundled"), ("extra", "extra")):
        (block,) = (block for block in blocks if f"certhook tests {name}" in block)
        comment, listed, pem = block.split("\n", 2)
        assert comment.startswith("# ") and listed == f"# Listed by: {sources}"
        assert pem.strip() == cas.pem(name).decode().strip()


@pytest.mark.parametrize(
    "name", ["é ő 中", "-----BEGIN CERTIFICATE-----", "a\n-----END CERTIFICATE-----\n", "\x1b[2J\x80"]
)
def test_a_comment_is_printable_ascii_and_never_looks_like_pem(certhook, tmp_path, cas, name) -> None:
    (tmp_path / "extra.pem").write_bytes(der.pem(der.root(name)) + cas.pem("extra"))
    text = certhook("export", "-").stdout
    assert text.isascii() and text.replace("\n", "").isprintable()
    assert all(line.startswith("# CN=") or "--" not in line for line in text.splitlines() if line.startswith("#"))
    assert text.count("-----BEGIN ") == text.count("-----END ") == text.count("# Listed by") == 5


def test_roots_that_are_distrusted_or_that_openssl_rejects_are_not_exported(certhook, tmp_path, cas) -> None:
    distrusted = cas.der("both") + der.auxiliary(rejected=[der.SERVERS])
    rejected = der.pem(der.root("rejected", key=der.element(der.SEQUENCE)))
    (tmp_path / "system.pem").write_bytes(der.pem(distrusted, "TRUSTED CERTIFICATE") + rejected + cas.pem("system"))
    done = certhook("export", "-")
    assert done.returncode == 0
    assert names_in(done.stdout) == TRUSTED - {"both"}
    assert "OpenSSL rejects it" in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the list is Debian's")
def test_nothing_is_written_if_distrust_is_unknown(monkeypatch, environment, tmp_path, capsys) -> None:
    monkeypatch.setattr(debian, "DESELECTED", str(tmp_path))  # A directory cannot be read as a list.
    assert main(["export", str(tmp_path / "exported")]) == 1
    assert "might contain roots that the administrator excludes" in capsys.readouterr().err
    assert not (tmp_path / "exported").exists()


# Java.


def test_a_trust_store_for_java_contains_the_same_roots_with_unique_names(environment, tmp_path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    assert main(["export", "--format", "pkcs12", str(tmp_path / "exported.p12")]) == 0
    entries = pkcs12.load_pkcs12((tmp_path / "exported.p12").read_bytes(), None).additional_certs
    assert names_in(b"".join(entry.certificate.public_bytes(Encoding.PEM) for entry in entries).decode()) == TRUSTED
    assert len({entry.friendly_name.lower() for entry in entries}) == len(TRUSTED)


def test_a_trust_store_for_java_requires_cryptography(certhook, tmp_path) -> None:
    done = certhook("export", "--format", "pkcs12", "exported.p12")
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'cryptography>=45'" in done.stderr
    assert not (tmp_path / "exported.p12").exists()


# The target.


@posix
@pytest.mark.parametrize("arguments", [(), ("--directory",)])
def test_every_user_may_read_the_result_whatever_the_umask(certhook, tmp_path, arguments) -> None:
    done = certhook("export", *arguments, "exported", prefix=("sh", "-c", 'umask 077; exec "$@"', "sh"))
    assert done.returncode == 0
    exported = tmp_path / "exported"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (exported.iterdir() if arguments else [exported])}
    assert modes == {0o644}
    assert not arguments or stat.S_IMODE(exported.stat().st_mode) == 0o755


@posix
def test_a_program_that_reads_the_old_file_reads_it_to_its_end(certhook, tmp_path) -> None:
    (tmp_path / "exported").write_bytes(b"old")
    with open(tmp_path / "exported", "rb") as reader:
        assert certhook("export", "exported").returncode == 0
        assert reader.read() == b"old"
    assert names_in((tmp_path / "exported").read_text()) == TRUSTED


def test_an_exported_directory_is_updated(certhook, trusted_by, plain, tmp_path, cas) -> None:
    (tmp_path / "exported").mkdir()
    assert certhook("export", "--directory", "exported").returncode == 0
    (tmp_path / "extra.pem").write_bytes(cas.pem("stranger"))
    assert certhook("export", "--directory", "exported").returncode == 0
    expected = TRUSTED - {"extra"} | {"stranger"}
    assert trusted_by(plain, SSL_CERT_DIR=str(tmp_path / "exported")) == expected
    assert len(list((tmp_path / "exported").iterdir())) == len(expected) + 2  # with the bundle and the manifest
    assert not list(tmp_path.glob(".*"))


def directory_with_other_files(path: Path) -> None:
    path.mkdir()
    (path / "letter").write_bytes(b"dear")


def directory_with_foreign_hashed_names(path: Path) -> None:
    path.mkdir()
    (path / "00000000.0").write_bytes(b"dear")


UNCHANGED = {
    "a link": lambda path: path.symlink_to(path.with_name("letter")),
    "a dangling link": lambda path: path.symlink_to(path.with_name("nowhere")),
    "a link to a directory": lambda path: path.symlink_to(path.parent),
    "a pipe": lambda path: os.mkfifo(path),
    "a directory with other files": directory_with_other_files,
    "a directory with foreign hashed names": directory_with_foreign_hashed_names,
}


@posix
@pytest.mark.parametrize("arguments", [(), ("--directory",)])
@pytest.mark.parametrize("kind", UNCHANGED)
def test_a_target_that_is_not_an_earlier_export_is_not_changed(certhook, tmp_path, arguments, kind) -> None:
    (tmp_path / "letter").write_bytes(b"dear")
    UNCHANGED[kind](tmp_path / "exported")
    before = contents(tmp_path)
    done = certhook("export", *arguments, "exported")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"certhook: {tmp_path / 'exported'} was not changed: it ")
    assert contents(tmp_path) == before


@posix
def test_an_exported_directory_with_a_foreign_subdirectory_is_not_changed(certhook, tmp_path) -> None:
    assert certhook("export", "--directory", "exported").returncode == 0
    directory_with_other_files(tmp_path / "exported" / "00000000.0")
    before = contents(tmp_path)
    done = certhook("export", "--directory", "exported")
    assert (done.returncode, done.stdout) == (1, "")
    assert "it contains other files, such as 00000000.0" in done.stderr
    assert contents(tmp_path) == before


@posix
def test_a_directory_that_other_users_can_modify_is_not_changed(certhook, tmp_path) -> None:
    assert certhook("export", "--directory", "exported").returncode == 0
    (tmp_path / "exported").chmod(0o777)
    before = contents(tmp_path)
    done = certhook("export", "--directory", "exported", CERTHOOK_EXTRA_CA_CERTS=None)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"every user can modify {tmp_path / 'exported'} (mode 777), and could interfere" in done.stderr
    assert contents(tmp_path) == before


def test_without_a_root_the_old_file_is_kept(certhook, tmp_path) -> None:
    (tmp_path / "exported").write_bytes(b"old")
    before = contents(tmp_path)
    done = certhook("export", "exported", CERTHOOK_SOURCES="extra", CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "missing"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no trusted root certificate" in done.stderr
    assert contents(tmp_path) == before


@posix
@pytest.mark.parametrize("arguments", [(), ("--directory",)])
@pytest.mark.parametrize(
    ("parent", "reason"), [("missing", "No such file or directory"), ("system.pem", "Not a directory")]
)
def test_a_target_without_a_parent_directory_is_reported(certhook, tmp_path, arguments, parent, reason) -> None:
    before = contents(tmp_path)
    path = os.path.join(parent, "exported")
    done = certhook("export", *arguments, path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"certhook: {tmp_path / path} cannot be written: {reason}\n"
    assert contents(tmp_path) == before


@pytest.mark.parametrize("file", ["system.pem", "bundle.pem", "extra.pem", os.path.join("inner", "..", "extra.pem")])
def test_a_location_that_roots_are_read_from_is_not_changed(certhook, tmp_path, file) -> None:
    (tmp_path / "inner").mkdir()
    before = contents(tmp_path)
    done = certhook("export", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert "was not changed, because certhook reads root certificates from it" in done.stderr
    assert contents(tmp_path) == before
