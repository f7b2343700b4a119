"""Files in every format that users mistake for PEM certificates, made with openssl and cryptography."""

from __future__ import annotations

import base64
import bz2
import datetime
import gzip
import io
import json
import lzma
import struct
import subprocess
import textwrap
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from pki import Issued, issue

PASSWORD = "secret"
ENCODINGS = {"PEM": Encoding.PEM, "DER": Encoding.DER}


class Files(NamedTuple):
    """Files by a description.

    :ivar ca: the CA whose certificate they contain
    :ivar readable: the content and the expected format of files from which the certificate is read
    :ivar encrypted: those from which only the command reads it
    :ivar without: those without a certificate
    """

    ca: Issued
    readable: dict[str, tuple[bytes, str]]
    encrypted: dict[str, tuple[bytes, str]]
    without: dict[str, tuple[bytes, str]]


def make_files(directory: Path) -> Files:
    """Make all files, with *directory* for those of openssl."""
    ca = issue("Corporate Root", ca=True)
    return Files(ca, {**_binary(ca, directory), **_text(ca.pem)}, _encrypted(ca, directory), _without(ca))


def _openssl(directory: Path, ca: Issued, *arguments: str) -> bytes:
    (directory / "ca.pem").write_bytes(ca.pem)
    (directory / "ca.key").write_bytes(ca.secret)
    command = ["openssl", *arguments, "-out", "result"]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    return (directory / "result").read_bytes()


def _binary(ca: Issued, directory: Path) -> dict[str, tuple[bytes, str]]:
    def openssl(*arguments: str) -> bytes:
        return _openssl(directory, ca, *arguments)

    pkcs7 = openssl("crl2pkcs7", "-nocrl", "-certfile", "ca.pem")
    unencrypted = openssl("pkcs12", "-export", "-nokeys", "-in", "ca.pem", "-passout", "pass:", "-certpbe", "NONE")
    (directory / "message").write_bytes(b"text")
    signing = ("-sign", "-signer", "ca.pem", "-inkey", "ca.key", "-nodetach", "-in", "message")
    return {
        "DER": (ca.der, "certificate in DER"),
        "DER with trust settings": (
            openssl("x509", "-in", "ca.pem", "-trustout", "-addtrust", "serverAuth", "-outform", "DER"),
            "certificate in DER",
        ),
        "PKCS#7 in PEM": (pkcs7, "PKCS#7 in PEM"),
        "PKCS#7 in DER": (
            openssl("crl2pkcs7", "-nocrl", "-certfile", "ca.pem", "-outform", "DER"),
            "PKCS#7 in DER",
        ),
        "PKCS#7 of a signed message": (openssl("smime", *signing, "-outform", "DER"), "PKCS#7 in DER"),
        "PKCS#7 in BER, with indefinite lengths": (
            openssl("cms", *signing, "-stream", "-indef", "-outform", "DER"),
            "PKCS#7 in DER",
        ),
        "PKCS#7 with the label CMS": (pkcs7.replace(b"PKCS7", b"CMS"), "PKCS#7 in PEM"),
        "PKCS#7 with its old label": (pkcs7.replace(b"PKCS7", b"PKCS #7 SIGNED DATA"), "PKCS#7 in PEM"),
        "indented PKCS#7": (b"  " + pkcs7.replace(b"\n", b"\n  "), "PKCS#7 in PEM"),
        "PKCS#7 in UTF-16": (pkcs7.decode().encode("utf-16"), "PKCS#7 in PEM"),
        "PKCS#12 in PEM": (_labelled(unencrypted, b"PKCS12"), "PKCS#12"),
        "PKCS#7 with the label CERTIFICATE": (pkcs7.replace(b"PKCS7", b"CERTIFICATE"), "PKCS#7 in PEM"),
        "PKCS#12 without encryption": (unencrypted, "PKCS#12"),
        "a Java keystore": (keystore(ca.der, ca.der), "Java keystore"),
        "trust settings": (
            openssl("x509", "-in", "ca.pem", "-trustout", "-addtrust", "serverAuth"),
            "certificate with OpenSSL's trust settings",
        ),
        "several with trust settings": (
            openssl("x509", "-in", "ca.pem", "-trustout") * 2,
            "certificate with OpenSSL's trust settings",
        ),
    }


def _labelled(data: bytes, label: bytes) -> bytes:
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, base64.encodebytes(data), label)


def keystore(trusted: bytes, of_key: bytes) -> bytes:
    """Return a Java keystore with a trusted certificate and a key with its certificate. Its checksum is wrong."""

    def text(value: str) -> bytes:
        return struct.pack(">H", len(value)) + value.encode()

    def certificate(data: bytes) -> bytes:
        return text("X.509") + struct.pack(">I", len(data)) + data

    entries = [
        struct.pack(">I", 1) + text("mykey") + bytes(8) + struct.pack(">I", 5) + b"12345" + struct.pack(">I", 1),
        certificate(of_key),
        struct.pack(">I", 2) + text("root") + bytes(8) + certificate(trusted),
    ]
    return bytes.fromhex("feedfeed") + struct.pack(">II", 2, 2) + b"".join(entries) + bytes(20)


def _text(pem: bytes) -> dict[str, tuple[bytes, str]]:
    begin, *body, end = pem.splitlines()
    digits = b"".join(body)
    text = pem.decode()

    def prefixed(prefix: str) -> bytes:
        return textwrap.indent(text, prefix).encode()

    return {
        "indented": (prefixed("    "), "indented PEM"),
        "indented with tabs": (prefixed("\t"), "indented PEM"),
        "YAML": (b"ca: |\n" + prefixed("  "), "indented PEM"),
        "an indented END line": (pem.replace(b"-----END", b"  -----END"), "indented PEM"),
        "an e-mail": (prefixed("> "), "quoted PEM"),
        "an e-mail that was quoted twice": (prefixed("> > "), "quoted PEM"),
        "commented out": (prefixed("# "), "commented-out PEM"),
        "an environment variable": (pem.replace(b"\n", rb"\n"), "escaped PEM"),
        "an environment variable in quotes": (b'"' + pem.replace(b"\n", rb"\n") + b'"', "escaped PEM"),
        "escaped twice": (pem.replace(b"\n", rb"\\n"), "escaped PEM"),
        "line endings of Windows, escaped": (pem.replace(b"\n", rb"\r\n"), "escaped PEM"),
        "JSON": (json.dumps({"a": [1], "ca": text}).encode(), "escaped PEM"),
        "JSON of PHP": (json.dumps({"ca": text}).replace("/", r"\/").encode(), "escaped PEM"),
        "a string of C": (b"".join(b'"' + line + b'\\n"\n' for line in pem.splitlines()), "escaped PEM"),
        "a URL": (
            text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D").replace("\n", "%0A").encode(),
            "escaped PEM",
        ),
        "a URL with plus signs for spaces": (
            text.replace("+", "%2B").replace("=", "%3D").replace(" ", "+").replace("\n", "%0A").encode(),
            "escaped PEM",
        ),
        "quoted-printable": (
            pem.replace(b"=", b"=3D").replace(digits[:64], digits[:60] + b"=\n" + digits[60:64]),
            "escaped PEM",
        ),
        "spaces instead of line breaks": (pem.replace(b"\n", b" "), "PEM on one line"),
        "no line breaks": (pem.replace(b"\n", b""), "PEM on one line"),
        "base64 after BEGIN on its line": (begin + digits + b"\n" + end + b"\n", "PEM on one line"),
        "END on the last line of base64": (begin + b"\n" + digits + end + b"\n", "PEM on one line"),
        "en dashes": (pem.replace(b"--", "\u2013".encode()), "PEM with wrong dashes"),
        "em dashes": (pem.replace(b"-----", "\u2014\u2014-".encode()), "PEM with wrong dashes"),
        "en dashes of Windows-1252": (pem.replace(b"--", b"\x96"), "PEM with wrong dashes"),
        "four dashes": (pem.replace(b"-----", b"----"), "PEM with wrong dashes"),
        "six dashes": (pem.replace(b"-----", b"------"), "PEM with wrong dashes"),
        "four dashes before END": (pem.replace(b"-----END", b"----END"), "PEM with wrong dashes"),
        "no dashes": (pem.replace(b"-----", b""), "PEM with wrong dashes"),
        "lower case": (pem.replace(b"BEGIN CERTIFICATE", b"begin certificate"), "PEM with a wrong header"),
        "an underscore": (pem.replace(b" CERTIFICATE", b"_CERTIFICATE"), "PEM with a wrong header"),
        "two spaces": (pem.replace(b" CERTIFICATE", b"  CERTIFICATE"), "PEM with a wrong header"),
        "two labels": (pem.replace(b"BEGIN CERT", b"BEGIN X509 CERT"), "PEM with a wrong header"),
        "no END line": (begin + b"\n" + b"\n".join(body) + b"\n", "PEM without its END line"),
        "no BEGIN line": (b"\n".join([*body, end, b""]), "PEM without its BEGIN line"),
        "text before BEGIN": (b"CA=" + pem, "PEM inside other text"),
        "XML": (b"<x><ca>" + pem + b"</ca></x>", "PEM inside other text"),
        "line endings of Mac OS 9": (pem.replace(b"\n", b"\r"), "PEM with the line endings of Mac OS 9"),
        "the obsolete label": (
            pem.replace(b"CERTIFICATE", b"X509 CERTIFICATE"),
            "certificate in PEM with an obsolete header",
        ),
        "UTF-16 of Windows": (text.replace("\n", "\r\n").encode("utf-16"), "PEM in UTF-16"),
        "UTF-16 without a mark": (text.encode("utf-16-le"), "PEM in UTF-16"),
        "UTF-16, big-endian": (text.encode("utf-16-be"), "PEM in UTF-16"),
        "base64 alone": (digits, "base64 without a header"),
        "lines of base64": (b"\n".join(body) + b"\n", "base64 without a header"),
        "a Kubernetes secret": (base64.b64encode(pem), "base64 without a header"),
        "a malformed block after the certificate": (pem + begin + b"\nAAAA\n" + end + b"\n", "certificate in PEM"),
    }


def _encrypted(ca: Issued, directory: Path) -> dict[str, tuple[bytes, str]]:
    export = ("pkcs12", "-export", "-in", "ca.pem", "-inkey", "ca.key", "-passout", f"pass:{PASSWORD}")
    found = {
        "PKCS#12 of cryptography": serialize_key_and_certificates(
            b"ca", ca.key, ca.certificate, None, BestAvailableEncryption(PASSWORD.encode())
        ),
        "PKCS#12 of openssl": _openssl(directory, ca, *export),
        "PKCS#12 of Windows, with RC2": _openssl(directory, ca, *export, "-legacy"),
    }
    return {name: (data, "PKCS#12") for name, data in found.items()}


def _without(ca: Issued) -> dict[str, tuple[bytes, str]]:
    issuer = ca.certificate.issuer.public_bytes()
    malformed = ca.der.replace(issuer, issuer[:3] + b"\xff" + issuer[4:])
    return {
        **_keys(),
        **_other_signed(ca),
        "an empty file": (b"", "empty file"),
        "white space": (b" \r\n\n", "empty file"),
        "null characters": (bytes(100), "empty file"),
        "a login page": (b"\n<!DOCTYPE html>\n<html><title>Login</title></html>", "HTML page"),
        "a page after a comment": (b"<!-- x --><HTML></HTML>", "HTML page"),
        "an answer of a server": (b'{"error": "not found"}', "JSON"),
        "XML": (b'<?xml version="1.0"?><error/>', "XML"),
        "text": (b"404 page not found\n", "other text"),
        "a public key of SSH": (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me@example.org\n", "SSH key"),
        "a key of PuTTY": (b"PuTTY-User-Key-File-3: ssh-ed25519\n", "private key of PuTTY"),
        "PGP": (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxyz\n-----END PGP PUBLIC KEY BLOCK-----\n", "PGP public key"),
        "DH parameters": (b"-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n", "other PEM"),
        "a part of the certificate": (ca.pem[:200], "incomplete PEM"),
        "a line is missing": (b"".join(ca.pem.splitlines(keepends=True)[:4]) + ca.pem[-26:], "incomplete PEM"),
        "another character in the certificate": (ca.pem.replace(b"MII", b"XII", 1), "malformed PEM"),
        "a malformed certificate": (malformed, "malformed certificate in DER"),
        "part of DER": (ca.der[:200], "incomplete DER"),
        "text that begins like DER": (b"00000000 " * 50, "other text"),
        "DER of another kind": (b"\x30\x06\x04\x04" + bytes(range(4)), "unknown binary file"),
        "the database of Firefox": (b"SQLite format 3\0" + bytes(99), "SQLite database"),
        "a store of Windows": (b"\0\0\0\0CERT" + bytes(99), "certificate store of Windows"),
        "another binary file": (b"\x7fELF" + bytes(range(256)), "unknown binary file"),
        "an empty keystore": (bytes.fromhex("feedfeed0000000200000000"), "Java keystore"),
        "a JCEKS keystore": (bytes.fromhex("cececece0000000200000001") + bytes(50), "Java keystore"),
    }


def _keys() -> dict[str, tuple[bytes, str]]:
    curve = ec.generate_private_key(ec.SECP256R1())
    keys = {
        "RSA": rsa.generate_private_key(65537, 2048),
        "EC": curve,
        "DSA": dsa.generate_private_key(2048),
        "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    }
    password = BestAvailableEncryption(b"secret")
    found: dict[str, tuple[bytes, str]] = {}
    for name, key in keys.items():
        for form, encoding in ENCODINGS.items():
            formats = {"PKCS#8": PrivateFormat.PKCS8, "traditional": PrivateFormat.TraditionalOpenSSL}
            for kind in list(formats)[: 1 if name == "Ed25519" else 2]:
                data = key.private_bytes(encoding, formats[kind], NoEncryption())
                found[f"{name} key, {kind}, {form}"] = data, f"private key in {form}"
            data = key.private_bytes(encoding, PrivateFormat.PKCS8, password)
            found[f"{name} key, encrypted, {form}"] = data, f"encrypted private key in {form}"
            data = key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
            found[f"{name} public key, {form}"] = data, f"public key in {form}"
    rsa_key = keys["RSA"]
    for form, encoding in ENCODINGS.items():
        data = rsa_key.public_key().public_bytes(encoding, PublicFormat.PKCS1)
        found[f"RSA public key, PKCS#1, {form}"] = data, f"public key in {form}"
    traditional = rsa_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, password)
    found["RSA key, encrypted in the traditional form"] = traditional, "private key in PEM"
    openssh = curve.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    found["a key of OpenSSH"] = openssh, "private key in PEM"
    return found


def _other_signed(ca: Issued) -> dict[str, tuple[bytes, str]]:
    name = ca.certificate.subject
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(ca.key, hashes.SHA256())
    start, end = datetime.datetime(2020, 1, 1), datetime.datetime(2040, 1, 1)
    builder = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(start).next_update(end)
    revoked = builder.sign(ca.key, hashes.SHA256())
    found = {}
    for form, encoding in ENCODINGS.items():
        found[f"a request, {form}"] = request.public_bytes(encoding), f"certificate signing request in {form}"
        found[f"a revocation list, {form}"] = revoked.public_bytes(encoding), f"certificate revocation list in {form}"
    return found


def archives(pem: bytes) -> dict[str, tuple[bytes, str]]:
    """Return compressed files that contain *pem*."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        archive.writestr("ca.pem", pem)
    return {
        "gzip": (gzip.compress(pem), "gzip archive"),
        "bzip2": (bz2.compress(pem), "bzip2 archive"),
        "xz": (lzma.compress(pem), "xz archive"),
        "ZIP": (file.getvalue(), "ZIP archive"),
    }
