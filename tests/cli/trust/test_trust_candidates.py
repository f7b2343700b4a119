"""The certificates in a file that ``certhook trust`` shows, and those that it refuses to install."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs7, pkcs12
from pki import BARE, Issued, dns_names, issue, key_usage

from certhook._certificates import openssl
from certhook._certificates import x509 as der_reader
from certhook.cli import _systems, main
from certhook.cli._terminal import CommandError
from certhook.cli.trust import candidates, commands

ROOT = issue("the root", ca=True)
OTHER = issue("another root", ca=True)
MIDDLE = issue("the middle", ROOT, ca=True)
LEAF = issue("localhost", MIDDLE)
UNCHANGED = 3


@pytest.fixture
def show(monkeypatch, tmp_path: Path, capsys) -> Callable[..., tuple[int, str, str]]:
    """A function that runs ``trust --dry-run`` on Debian for a file, and returns its exit status and output."""
    monkeypatch.setattr(_systems, "current", lambda: _systems.FAMILIES["debian"]._replace(root=str(tmp_path)))
    monkeypatch.setattr(commands, "is_privileged", lambda: True)

    def run(content: bytes, name: str = "file.pem") -> tuple[int, str, str]:
        path = tmp_path / name
        path.write_bytes(content)
        status = main(["trust", "--dry-run", str(path)])
        output, errors = capsys.readouterr()
        return status, " ".join(output.split()), " ".join(errors.split())

    return run


def steps(output: str) -> str:
    return output.partition("Steps on")[2].partition(" Programs that use")[0]


def test_a_root_is_shown_with_its_name_validity_and_fingerprint(show) -> None:
    status, output, errors = show(ROOT.pem)
    certificate = ROOT.certificate
    assert (status, errors) == (UNCHANGED, "")
    assert "contains 1 certificate: the root (certhook tests) valid from " in output
    for date in (certificate.not_valid_before_utc, certificate.not_valid_after_utc):
        assert str(date.date()) in output
    assert f"SHA-256 {ROOT.certificate.fingerprint(hashes.SHA256()).hex()}" in output
    assert "install -m 644 /" in steps(output) and steps(output).endswith("update-ca-certificates")
    assert "Compare the fingerprint" in output, "the user may run the commands"


def without_extensions(issued: Issued) -> bytes:
    """Return a certificate without the fields that X.509 version 1 lacks, as DER. Its signature is invalid."""
    der = issued.der
    (_, at, start, end), *rest = der_reader.children(der, *der_reader.read(der, 0, len(der))[1:])
    fields = [
        der[first:last] for tag, first, _, last in der_reader.children(der, start, end) if tag not in (0xA0, 0xA3)
    ]
    parts = [
        der_reader.element(der_reader.SEQUENCE, b"".join(fields)),
        *(der[first:last] for _, first, _, last in rest),
    ]
    return der_reader.element(der_reader.SEQUENCE, b"".join(parts))


REFUSED = {
    "a server's certificate": (
        LEAF.pem,
        'the certificate of a server, and not of a CA. Install the root certificate of the CA "the middle"',
    ),
    "a self-signed server's certificate": (issue("self").pem, "signed with its own key, and not of a CA"),
    "an intermediate CA": (
        MIDDLE.pem,
        'an intermediate CA, which servers send themselves. Only the root certificate of "the root"',
    ),
    "an expired root": (issue("old", ca=True, days=(-30, -1)).pem, "It has expired"),
    "a CA whose key may not sign certificates": (
        issue("crl", ca=True, changed={x509.KeyUsage: (key_usage("crl_sign"), True)}).pem,
        "and not of a CA",
    ),
    "a certificate without basic constraints": (
        issue("none", changed={x509.BasicConstraints: None}).pem,
        "and not of a CA",
    ),
    "OpenSSL's trust settings": (
        openssl.to_pem(ROOT.der, bytes.fromhex("300c300a06082b06010505070302")),
        "OpenSSL trust settings restrict its use",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_certificates_are_refused_with_the_reason(kind: str, show) -> None:
    content, reason = REFUSED[kind]
    status, output, errors = show(content)
    assert status == 1
    assert f"Not installed: It is {reason}" in output or reason in output
    assert "contains no root certificate that may be installed" in errors
    assert not steps(output)


def test_an_old_root_without_extensions_is_a_root(show) -> None:
    status, output, _ = show(without_extensions(issue("old")))
    assert status == UNCHANGED and "Not installed" not in output


WARNINGS = {
    "It is also the certificate of a server (dev.example)": {
        x509.SubjectAlternativeName: (dns_names("dev.example"), False)
    },
    "It is restricted to other purposes": {
        x509.ExtendedKeyUsage: (x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CODE_SIGNING]), False)
    },
}


@pytest.mark.parametrize("text", WARNINGS)
def test_unusual_roots_are_installed_with_a_warning(text: str, show) -> None:
    status, output, _ = show(issue("unusual", ca=True, changed=WARNINGS[text]).pem)
    assert status == UNCHANGED and f"Warning: {text}" in output and steps(output)


def test_a_root_that_is_not_valid_yet_has_a_warning(show) -> None:
    _, output, _ = show(issue("new", ca=True, days=(10, 20)).pem)
    assert "Warning: It is not valid yet" in output and steps(output)


def test_only_the_roots_of_a_file_with_several_certificates_are_installed(show) -> None:
    status, output, _ = show(b"".join(one.pem for one in (LEAF, MIDDLE, ROOT, ROOT, OTHER)))
    assert status == UNCHANGED
    assert "contains 4 certificates" in output and output.count("Not installed") == 2
    text = steps(output)
    assert text.count("/certhook-the-root-") == text.count("/certhook-another-root-") == 1
    assert text.count("update-ca-certificates") == 1
    for issued, expected in ((ROOT, True), (OTHER, True), (MIDDLE, False), (LEAF, False)):
        assert (" ".join(issued.pem.decode().split()) in text) == expected


def test_a_private_key_is_never_copied(show) -> None:
    status, output, errors = show(ROOT.secret + ROOT.pem)
    assert status == UNCHANGED and "and a private key, which is not copied" in output
    assert "PRIVATE KEY" not in output and "file.pem /" not in steps(output)
    status, output, errors = show(ROOT.secret)
    assert (status, output) == (1, "")
    assert "private key" in errors and "PRIVATE KEY" not in errors


def test_a_certificate_in_der_is_converted(show) -> None:
    status, output, _ = show(ROOT.der, "file.der")
    assert status == UNCHANGED
    assert "openssl x509 -inform DER -in " in steps(output)


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
def test_roots_in_pkcs7_are_converted(encoding: Encoding, show) -> None:
    status, output, _ = show(pkcs7.serialize_certificates([MIDDLE.certificate, ROOT.certificate], encoding))
    assert status == UNCHANGED
    assert " ".join(ROOT.pem.decode().split()) in steps(output)


def test_the_format_of_another_file_is_explained_with_its_conversion(show) -> None:
    encrypted = pkcs12.serialize_key_and_certificates(
        b"root", ROOT.key, ROOT.certificate, None, BestAvailableEncryption(b"password")
    )
    status, output, errors = show(encrypted, "file.p12")
    assert (status, output) == (1, "")
    assert "PKCS#12" in errors and "openssl pkcs12 -nokeys" in errors
    assert "HTML page" in show(b"<html><body>Log in</body></html>")[2]


@pytest.mark.parametrize("content", [b"", b"text", b"\x30\x03abc", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_without_certificates_is_an_error(content: bytes, show) -> None:
    status, output, errors = show(content)
    assert (status, output) == (1, "") and "file.pem" in errors


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_names_with_control_characters_are_escaped(show) -> None:
    _, output, _ = show(issue("\x1b[31mred\u202e", ca=True).pem, "na\x1bme.pem")
    assert "\x1b" not in output and "\u202e" not in output
    assert "na\\x1bme.pem" in output and "/dev/stdin" in steps(output)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs")
def test_a_pipe_is_read_and_not_named_in_the_commands(show, tmp_path: Path, capsys) -> None:
    """The shell replaces <(command) by the name of a pipe."""
    reader, writer = os.pipe()
    os.write(writer, ROOT.pem)
    os.close(writer)
    assert main(["trust", "--dry-run", f"/dev/fd/{reader}"]) == UNCHANGED
    os.close(reader)
    output = capsys.readouterr().out
    assert "\ninstall -m 644 /dev/stdin" in output and "\nEND\nupdate-ca-certificates\n" in output, "no indentation"


def test_malformed_certificates_are_refused_or_shown(tmp_path: Path) -> None:
    path = tmp_path / "file.der"
    found = 0
    for position in range(len(ROOT.der)):
        damaged = bytearray(ROOT.der)
        damaged[position] ^= 0x81
        path.write_bytes(bytes(damaged))
        try:
            found += len(candidates.read(str(path)).candidates)
        except CommandError:
            pass
    assert 0 < found < len(ROOT.der)


def test_bare_roots_are_roots(show) -> None:
    assert show(issue("bare", ca=True, changed=BARE).pem)[0] == UNCHANGED


def test_an_empty_name_has_a_file_name(show) -> None:
    status, output, _ = show(issue("é", ca=True, organization="é").pem)
    assert status == UNCHANGED and "/certhook-" in steps(output)
