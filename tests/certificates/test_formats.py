"""The format of any file is identified from its content, and the command for it converts the file to PEM."""

from __future__ import annotations

import os
import shlex
import shutil
import ssl
import subprocess
from pathlib import Path
from time import process_time

import certifi
import format_files
import pytest
import support
from format_files import PASSWORD, Files
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pki import issue

from certhook._certificates import container, formats, pem

posix = pytest.mark.skipif(os.name == "nt", reason="uses a POSIX shell and its programs")
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="uses the command openssl")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Files in every format."""
    return format_files.make_files(tmp_path_factory.mktemp("openssl"))


def convert(data: bytes, directory: Path, name: str = "it's a CA.bin", answer: str = "") -> list[bytes]:
    """Run the command for *data*, and return the certificates that OpenSSL loads from its result."""
    source = directory / name
    source.write_bytes(data)
    command = formats.identify(data, str(source)).command
    assert command
    before = set(directory.iterdir())
    subprocess.run(
        command + answer,
        shell=True,
        cwd=directory,
        check=True,
        timeout=60,
        capture_output=True,
        env=support.clean_env(),
    )
    assert source.read_bytes() == data
    (result,) = set(directory.iterdir()) - before
    return loaded(next(result.iterdir()) if result.is_dir() else result)


def loaded(path: Path) -> list[bytes]:
    """Return the CA certificates that OpenSSL loads from *path*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(path))
    return context.get_ca_certs(binary_form=True)


def test_every_format_with_a_readable_certificate_is_identified(files: Files) -> None:
    found = {name: formats.identify(data) for name, (data, _) in files.readable.items()}
    assert {name: each.name for name, each in found.items()} == {
        name: expected for name, (_, expected) in files.readable.items()
    }
    assert {name: each.certificates for name, each in found.items()} == dict.fromkeys(found, (files.ca.der,))


@posix
def test_the_command_for_every_format_writes_the_certificate_as_pem(files: Files, tmp_path: Path) -> None:
    for number, (name, (data, _)) in enumerate(files.readable.items()):
        directory = tmp_path / str(number)
        directory.mkdir()
        assert set(convert(data, directory)) == {files.ca.der}, name


@posix
def test_the_command_for_an_encrypted_file_asks_for_its_password(files: Files, tmp_path: Path) -> None:
    for number, (name, (data, expected)) in enumerate(files.encrypted.items()):
        directory = tmp_path / str(number)
        directory.mkdir()
        found = formats.identify(data)
        assert (found.name, found.certificates, found.is_pem) == (expected, (), False), name
        assert "password" in found.explanation
        assert convert(data, directory, answer=f" -passin pass:{PASSWORD}") == [files.ca.der], name


@posix
@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "ZIP"])
def test_an_archive_is_decompressed_by_the_command(kind: str, files: Files, tmp_path: Path) -> None:
    if kind != "ZIP" and shutil.which(kind) is None:
        pytest.skip(f"{kind} is not installed")
    data, expected = format_files.archives(files.ca.pem)[kind]
    assert formats.identify(data).name == expected
    assert convert(data, tmp_path) == [files.ca.der]


@posix
def test_a_keystore_that_keytool_wrote_is_converted(files: Files, tmp_path: Path) -> None:
    keytool = shutil.which("keytool")
    if keytool is None:
        pytest.skip("keytool is not installed")
    (tmp_path / "ca.pem").write_bytes(files.ca.pem)
    for kind in ("jks", "pkcs12"):
        directory = tmp_path / kind
        directory.mkdir()
        store = tmp_path / f"store.{kind}"
        options = ["-storetype", kind, "-keystore", str(store), "-storepass", "secret", "-noprompt"]
        command = [keytool, "-importcert", "-alias", "ca", "-file", str(tmp_path / "ca.pem"), *options]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        answer = "" if kind == "jks" else " -passin pass:secret"
        assert convert(store.read_bytes(), directory, answer=answer) == [files.ca.der]


def test_a_file_without_a_certificate_is_identified_and_nothing_is_converted(files: Files) -> None:
    found = {name: formats.identify(data, "/f") for name, (data, _) in files.without.items()}
    assert {name: each.name for name, each in found.items()} == {
        name: expected for name, (_, expected) in files.without.items()
    }
    assert {name for name, each in found.items() if each.certificates or each.is_pem} == set()
    assert {name for name, each in found.items() if each.command} == {"an empty keystore", "a JCEKS keystore"}
    assert all(each.explanation.endswith(".") for each in found.values())


def test_no_explanation_contains_the_content_of_a_key(files: Files) -> None:
    for name, (data, _) in files.without.items():
        if "key" in name and b"-----BEGIN" in data:
            digits = data.split(b"\n")[2][:20].decode()
            assert digits not in "".join(map(str, formats.identify(data, "/f"))), name


# PEM.


def test_pem_that_openssl_reads_needs_no_conversion(files: Files, tmp_path: Path) -> None:
    text = files.ca.pem
    for data in (text, text.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + text, b"# a comment\n" + text.rstrip(b"\n")):
        found = formats.identify(data, "/f")
        assert (found.name, found.certificates, found.command) == ("certificate in PEM", (files.ca.der,), "")
        assert found.is_pem
        (tmp_path / "f").write_bytes(data)
        assert loaded(tmp_path / "f") == [files.ca.der]


def test_a_format_is_pem_if_and_only_if_openssl_loads_the_file(files: Files, tmp_path: Path) -> None:
    for name, (data, _) in {**files.readable, **files.encrypted, **files.without}.items():
        (tmp_path / "f").write_bytes(data)
        try:
            is_loaded = loaded(tmp_path / "f") == [files.ca.der]
        except ssl.SSLError:
            is_loaded = False
        assert formats.identify(data).is_pem == is_loaded, name


def test_a_bundle_has_all_its_certificates() -> None:
    data = Path(certifi.where()).read_bytes()
    found = formats.identify(data)
    assert found.name == "certificates in PEM"
    assert f"{len(found.certificates)} certificates" in found.explanation
    assert list(found.certificates) == [entry.der for entry in pem.parse(data)[0]]
    quoted = b"".join(b"> " + line for line in data.splitlines(keepends=True))
    assert formats.identify(quoted).certificates == found.certificates


@posix
def test_certificates_in_der_one_after_another_are_converted(files: Files, tmp_path: Path) -> None:
    other = issue("Another Root", ca=True)
    found = formats.identify(files.ca.der + other.der)
    assert (found.name, found.certificates) == ("certificates in DER", (files.ca.der, other.der))
    assert set(convert(files.ca.der + other.der, tmp_path)) == {files.ca.der, other.der}


def test_a_key_next_to_a_certificate_is_mentioned(files: Files) -> None:
    for data in (files.ca.pem + files.ca.secret, files.ca.secret + files.ca.pem):
        found = formats.identify(data)
        assert (found.certificates, found.is_pem) == ((files.ca.der,), True)
        assert "private key" in found.explanation and "secret" in found.explanation


# Commands.


def test_the_command_writes_to_a_new_file(files: Files, tmp_path: Path) -> None:
    for name in ("ca.der", "ca.pem", "ca"):
        source = tmp_path / name
        source.write_bytes(files.ca.der)
        *_, target = shlex.split(formats.identify(files.ca.der, str(source)).command)
        assert not os.path.lexists(target)
        assert os.path.dirname(target) == str(tmp_path) and target.endswith(".pem")


def test_the_caller_may_choose_the_output(files: Files) -> None:
    assert formats.identify(files.ca.der, "/a b.crt", "/c d.crt").command.endswith(" -in '/a b.crt' -out '/c d.crt'")


def test_a_file_without_a_printable_path_is_a_placeholder_in_the_command(files: Files) -> None:
    for path in ("", "a\nb", "a\033[2Jb", "a\udcffb"):
        assert " -in FILE " in formats.identify(files.ca.der, path).command


@posix
@pytest.mark.parametrize("name", ["a b", "$(touch x)", "a;b", "`x`", "-in", "a'b\"c", "{source}", "é"])
def test_paths_in_the_command_are_quoted(name: str, files: Files, tmp_path: Path) -> None:
    assert convert(files.ca.der, tmp_path, name) == [files.ca.der]


@posix
def test_a_relative_path_that_looks_like_an_option_is_quoted(files: Files, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = files.readable["indented"][0]
    Path("--help").write_bytes(data)
    subprocess.run(formats.identify(data, "--help").command, shell=True, check=True, timeout=60)
    assert loaded(tmp_path / "--help.pem") == [files.ca.der]


def test_windows_converts_without_openssl(files: Files, monkeypatch) -> None:
    monkeypatch.setattr(os, "name", "nt")
    for name, (data, _) in files.readable.items():
        command = formats.identify(data, r"C:\My files\ca.bin").command
        assert " -m certhook inspect --pem " in command, name
        assert command.endswith(r' "C:\My files\ca.bin"')
    for data, _ in files.encrypted.values():
        assert formats.identify(data, r"C:\ca.p12").command == ""


# Any bytes.


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
@example(b"\x30\x80")
@example(b"\x30\x80\x30\x80")
@example(b"\x30\x06\x06\x00\x06\x00\x06\x00")
@example(b"-----BEGIN CERTIFICATE")
@example(bytes.fromhex("feedfeed0000000200000001000000010001"))
@example(b"BEGIN CERTIFICATE =3D%%%")
@example(b"0\x00")
def test_any_bytes_have_a_format_and_raise_no_exception(data: bytes) -> None:
    found = formats.identify(data, "/f")
    assert found.name and found.explanation and not found.certificates


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_modified_file_has_a_format_and_raises_no_exception(files: Files, data: st.DataObject) -> None:
    tables = {**files.readable, **files.encrypted, **files.without}
    changed = bytearray(tables[data.draw(st.sampled_from(sorted(tables)))][0])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(changed)))
        changed[start : start + data.draw(st.integers(0, 50))] = data.draw(st.binary(max_size=6))
    found = formats.identify(bytes(changed), "/f")
    assert found.name and found.explanation


HOSTILE = {
    "BEGIN lines": b"-----BEGIN CERTIFICATE-----\n",
    "BEGIN lines in lower case": b"-----begin certificate-----",
    "END lines": b"-----END CERTIFICATE-----\n",
    "BEGIN lines of keys": b"-----BEGIN PRIVATE KEY-----\n",
    "empty blocks": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "one word": b"BEGIN",
    "spaces after BEGIN": b"BEGIN         ",
    "spaces": b" ",
    "base64": b"MIIB",
    "base64 and spaces": b"A ",
    "quotation marks": b'"',
    "equals signs": b"=",
    "backslashes": b"\\",
    "comments": b"<!-- -->",
    "open comments": b"<!--",
    "null characters": b"a\0",
    "indefinite lengths": b"\x30\x80",
    "sequences": b"\x30\x84\x7f\xff\xff\xff",
    "empty sequences": b"\x30\0",
    "bags of PKCS#12": bytes.fromhex("3080060a2a864886f70d01091601"),
    "gaps": b"-----BEGIN CERTIFICATE-----\n" + b"A" * 5000 + b"\\n",
    "line feeds": b"\n",
    "carriage returns": b"\r",
}


def test_bags_inside_each_other_need_no_more_memory_than_the_file() -> None:
    bag = bytes.fromhex("060a2a864886f70d01091601a0830300000483020000")
    data = bag * 20_000
    assert len(container.pkcs12_certificates(data)) > 1
    assert sum(map(len, container.pkcs12_certificates(data))) <= len(data)


@pytest.mark.parametrize("pattern", HOSTILE)
def test_identification_takes_linear_time(pattern: str) -> None:
    """Quadratic time would be 64 times as long for an input of eight times the size; the limit is 32 times."""

    def seconds(size: int, head: bytes, tail: bytes) -> float:
        data = head + HOSTILE[pattern] * (size // len(HOSTILE[pattern])) + tail
        started = process_time()
        formats.identify(data)
        return process_time() - started

    # A character that belongs to no format, so that a pattern for the whole text does not match, and "A" is base64.
    for head, tail in ((b"", b""), (b"", b"!"), (b"A" * 16, b"!"), (b"BEGIN CERTIFICATE", b""), (b"\x30\x80", b"")):
        small = min(seconds(200_000, head, tail) for _ in range(2))
        assert seconds(1_600_000, head, tail) < 32 * max(small, 0.005)
