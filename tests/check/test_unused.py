"""Roots that are present on a machine, but unused: the cause, the commands, and the server after them.

Each test runs in a mount namespace with the layout of a distribution, with its own command if Debian
provides it, and with a real server. Stock Python verifies the server after the commands for the system.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import threading
from functools import partial
from typing import Iterator

import lab
import namespace
import pytest
from namespace import Link
from pki import BARE, chain, issue
from unused_machine import (
    ALPINE,
    ANCHORS,
    ARCH,
    DEBIAN,
    FEDORA,
    HOME,
    LOCAL,
    P11_KIT,
    SHARED,
    STORE,
    SUSE,
    UNKNOWN,
    diagnose,
)

from certhook.cli.check.causes import unused

pytestmark = pytest.mark.usefixtures("root", "openssl")

SENT, ROOT = chain()
OTHER = issue("another root", ca=True, organization="another")
PKCS7 = subprocess.run(
    ["openssl", "crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin"], input=ROOT.pem, stdout=subprocess.PIPE, check=True
).stdout
NOT_MARKED = issue("localhost", key=SENT[0].key)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a server with a certificate that leads to ROOT."""
    yield from _serve(SENT, tmp_path_factory)


@pytest.fixture(scope="module")
def self_signed_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a server with a self-signed certificate that is not marked as a CA."""
    yield from _serve((NOT_MARKED,), tmp_path_factory)


def _serve(sent, tmp_path_factory) -> Iterator[int]:
    path = tmp_path_factory.mktemp("server") / "server.pem"
    path.write_bytes(sent[0].secret + b"".join(one.pem for one in sent))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with lab._Server(partial(lab.answer_tls, context), "127.0.0.1") as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


# For each file: the layout, the path, the content, the reason, and a command.
FILES = {
    "wrong suffix": (DEBIAN, f"{LOCAL}/company.pem", ROOT.pem, 'names do not end in ".crt"', f"mv {LOCAL}/company.pem"),
    "not processed": (
        DEBIAN,
        f"{LOCAL}/inner/company.crt",
        ROOT.pem,
        "update-ca-certificates was not run",
        "update-ca",
    ),
    "DER": (DEBIAN, f"{LOCAL}/company.crt", ROOT.der, "it is in DER format, which", "openssl x509 -inform DER"),
    "PKCS#7": (DEBIAN, f"{LOCAL}/company.crt", PKCS7, "its format is PKCS#7 in PEM", "openssl pkcs7 -print_certs"),
    "UTF-16": (
        DEBIAN,
        f"{LOCAL}/company.crt",
        ROOT.pem.decode().encode("utf-16"),
        "its format is PEM in UTF-16, which update-ca-certificates does not read",
        "certhook inspect --pem",
    ),
    "not selected": (
        {**DEBIAN, "/etc/ca-certificates.conf": b"# a comment without a line feed"},
        f"{SHARED}/company/the root.crt",
        ROOT.pem,
        "/etc/ca-certificates.conf does not select it",
        "tee -a /etc/ca-certificates.conf",
    ),
    "selected, not processed": (
        {**DEBIAN, "/etc/ca-certificates.conf": b"company/root.crt\n"},
        f"{SHARED}/company/root.crt",
        ROOT.pem,
        "update-ca-certificates was not run",
        "update-ca-certificates",
    ),
    "without a hash": (DEBIAN, "/etc/ssl/certs/company.pem", ROOT.pem, "links with hashes", f"{LOCAL}/company.crt"),
    "without a hash, in DER": (
        DEBIAN,
        "/etc/ssl/certs/a.cer",
        ROOT.der,
        "links with hashes",
        "openssl x509 -inform DER",
    ),
    "directory of Fedora": (DEBIAN, f"{ANCHORS}/a.pem", ROOT.pem, f"Debian GNU/Linux does not read {P11_KIT}", LOCAL),
    "a second file of one name": (
        {**DEBIAN, f"{LOCAL}/company.crt": OTHER.pem},
        f"{LOCAL}/company.pem",
        ROOT.pem,
        "names do not end in",
        f"{LOCAL}/company-2.crt",
    ),
    "without a hash, and a file of this name": (
        {**DEBIAN, f"{LOCAL}/company.crt": OTHER.pem},
        "/etc/ssl/certs/company.pem",
        ROOT.pem,
        "links with hashes",
        f"{LOCAL}/company-2.crt",
    ),
    "Fedora, not processed": (FEDORA, f"{ANCHORS}/a.txt", ROOT.pem, "update-ca-trust was not run", "update-ca-trust"),
    "Fedora, DER": (FEDORA, f"{ANCHORS}/a.der", ROOT.der, "update-ca-trust was not run", "update-ca-trust extract"),
    "Fedora, indented": (
        FEDORA,
        f"{ANCHORS}/a.pem",
        ROOT.pem.replace(b"-----BEGIN", b"  -----BEGIN"),
        "update-ca-trust was not run",
        "update-ca-trust extract",
    ),
    "Fedora, PKCS#7": (FEDORA, f"{ANCHORS}/a.p7b", PKCS7, "its format is PKCS#7 in PEM", "openssl pkcs7 -print_certs"),
    "Fedora, parent directory": (FEDORA, f"{P11_KIT}/a.pem", ROOT.pem, f"only the files in {ANCHORS}", f"mv {P11_KIT}"),
    "Fedora, subdirectory": (FEDORA, f"{ANCHORS}/b/a.pem", ROOT.pem, "without its subdirectories", f"mv {ANCHORS}/b"),
    "Fedora, without a hash": (FEDORA, "/etc/pki/tls/certs/a.pem", ROOT.pem, "links with hashes", f"{ANCHORS}/a.pem"),
    "Fedora, directory of Debian": (FEDORA, f"{LOCAL}/a.crt", ROOT.pem, f"Fedora does not read {LOCAL}", ANCHORS),
    "mkcert": (DEBIAN, f"{HOME}/.local/share/mkcert/rootCA.pem", ROOT.pem, "mkcert created it", None),
    "pip": (
        {**DEBIAN, f"{HOME}/.config/pip/pip.conf": b"[global]\n cert = /opt/a.pem\n"},
        "/opt/a.pem",
        ROOT.pem,
        f"the setting cert in {HOME}/.config/pip/pip.conf applies only to pip",
        LOCAL,
    ),
    "Git": (
        {**DEBIAN, f"{HOME}/.gitconfig": b"[http]\n\tsslCAInfo = ~/a.pem\n"},
        f"{HOME}/a.pem",
        ROOT.pem,
        f"the setting sslCAInfo in {HOME}/.gitconfig applies only to Git",
        LOCAL,
    ),
    "conda": (
        {**DEBIAN, f"{HOME}/.condarc": b"ssl_verify: /opt/a.pem\n"},
        "/opt/a.pem",
        OTHER.pem + ROOT.pem + OTHER.pem,
        f"the setting ssl_verify in {HOME}/.condarc applies only to conda",
        "awk '/-----BEGIN /{n++} n==2' /opt/a.pem",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_the_commands_make_the_system_trust_an_unused_root(name: str, port: int, tmp_path) -> None:
    layout, path, content, reason, command = FILES[name]
    # mkcert's own command is not installed here.
    outcome = diagnose(port, {**layout, path: content}, tmp_path, execute=0 if command else 1)
    assert outcome.cause == "root-unused", outcome
    assert f'leads to "the root (certhook tests)". {path} contains this root certificate' in outcome.sentence
    assert reason in outcome.sentence and (command or "mkcert -install\n") in f"{outcome.advice}\n"
    assert (outcome.is_verified, outcome.stock) == (True, [False, bool(command)]), outcome


# For each file that only a variable names: the variables, the path, the content, and the reason.
VARIABLES = {
    "requests": (
        {"REQUESTS_CA_BUNDLE": "/opt/a.pem"},
        "/opt/a.pem",
        ROOT.pem,
        "REQUESTS_CA_BUNDLE applies only to requests",
    ),
    "Node.js": ({"NODE_EXTRA_CA_CERTS": "/opt/a.pem"}, "/opt/a.pem", ROOT.pem, "applies only to Node.js, npm"),
    "Git": ({"GIT_SSL_CAINFO": "/opt/a.pem"}, "/opt/a.pem", ROOT.pem, "GIT_SSL_CAINFO applies only to Git"),
    "a directory": ({"CURL_CA_BUNDLE": "/opt/pki"}, "/opt/pki/a", ROOT.pem, "CURL_CA_BUNDLE applies only to curl"),
    "$CAROOT": ({"CAROOT": "/opt/ca"}, "/opt/ca/rootCA.pem", ROOT.pem, "mkcert created it"),
    "a bundle": ({"PIP_CERT": "/opt/a b.pem"}, "/opt/a b.pem", OTHER.pem + ROOT.pem, "PIP_CERT applies only to pip"),
    "a mistyped path": (
        {"CERTHOOK_EXTRA_CA_CERTS": "/opt/pki/compny.pem"},
        "/opt/pki/company.pem",
        ROOT.pem,
        "CERTHOOK_EXTRA_CA_CERTS names /opt/pki/compny.pem, which does not exist",
    ),
    "another format": (
        {"CERTHOOK_EXTRA_CA_CERTS": "/opt/a.p7b:/usr/local/share/ca-certificates"},
        "/opt/a.p7b",
        PKCS7,
        "CERTHOOK_EXTRA_CA_CERTS names it, but its format is PKCS#7 in PEM",
    ),
    "a suffix in a directory": (
        {"CERTHOOK_EXTRA_CA_CERTS": "/opt/pki"},
        "/opt/pki/company.txt",
        ROOT.pem,
        "in a directory, CERTHOOK_EXTRA_CA_CERTS adds only files *.pem, *.crt, *.cer, *.der",
    ),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_the_last_command_makes_programs_with_certhook_trust_an_unused_root(name: str, port: int, tmp_path) -> None:
    variables, path, content, reason = VARIABLES[name]
    outcome = diagnose(port, {**DEBIAN, path: content}, tmp_path, execute=-1, **variables)
    assert outcome.cause == "root-unused", outcome
    assert path in outcome.sentence and reason in outcome.sentence
    assert (outcome.is_verified, outcome.stock) == (True, [False, False]), outcome


# For each distribution whose command is not executed here: the layout, the path, the reason, and the advice.
OTHERS = {
    # Its update-ca-certificates reads files with any suffix.
    "Alpine": (ALPINE, f"{LOCAL}/a.pem", "update-ca-certificates was not run", "update-ca-certificates"),
    "Arch": (ARCH, "/etc/ca-certificates/trust-source/anchors/a.crt", "update-ca-trust was not run", "update-ca-trust"),
    "Arch, parent directory": (
        ARCH,
        "/etc/ca-certificates/trust-source/a.crt",
        "only the files in /etc/ca-certificates/trust-source/anchors",
        "mv /etc/ca-certificates/trust-source/a.crt /etc/ca-certificates/trust-source/anchors/a.crt",
    ),
    "SUSE": (SUSE, "/etc/pki/trust/anchors/a.pem", "update-ca-certificates was not run", "update-ca-certificates"),
    "SUSE, the vendor's": (SUSE, "/usr/share/pki/trust/anchors/a.pem", "was not run", "update-ca-certificates"),
    "SUSE, directory of Fedora": (
        SUSE,
        f"{ANCHORS}/a.pem",
        "openSUSE Leap does not read",
        "/etc/pki/trust/anchors/a.pem",
    ),
    "unknown": (UNKNOWN, f"{LOCAL}/a.crt", f"it is unknown which command of this system reads {LOCAL}", "export CERT"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_commands_are_those_of_the_distribution(name: str, port: int, tmp_path) -> None:
    layout, path, reason, commands = OTHERS[name]
    outcome = diagnose(port, {**layout, path: ROOT.pem}, tmp_path)
    assert outcome.cause == "root-unused" and reason in outcome.sentence and commands in outcome.advice, outcome


def test_a_missing_command_is_installed_first(port: int, tmp_path) -> None:
    tree = {**DEBIAN, f"{LOCAL}/a.crt": ROOT.pem, "/usr/sbin/update-ca-certificates": b"not executable"}
    outcome = diagnose(port, tree, tmp_path)
    assert "apt-get install ca-certificates\nupdate-ca-certificates" in outcome.advice, outcome


def test_p11_kit_ignores_a_certificate_that_is_not_marked_as_a_ca(self_signed_port: int, tmp_path) -> None:
    tree = {**FEDORA, f"{ANCHORS}/server.pem": NOT_MARKED.pem}
    outcome = diagnose(self_signed_port, tree, tmp_path, execute=-1)
    assert outcome.cause == "root-unused", outcome
    assert (
        "contains this certificate" in outcome.sentence and "not marked as a certificate authority" in outcome.sentence
    )
    assert (outcome.is_verified, outcome.stock) == (True, [False, False])


def test_a_setting_that_replaces_the_systems_store_excludes_the_systems_commands(port: int, tmp_path) -> None:
    tree = {**DEBIAN, f"{LOCAL}/a.crt": ROOT.pem, "/opt/other.pem": OTHER.pem}
    outcome = diagnose(port, tree, tmp_path, execute=0, SSL_CERT_FILE="/opt/other.pem")
    assert "SSL_CERT_FILE replaces the system's root certificates" in outcome.sentence, outcome
    assert "update-ca-certificates" not in outcome.advice and outcome.is_verified


# Files that are no remedy. For each: the cause, the content of the store (None: unreadable), other files, whether root
# may ignore permissions, and phrases.

EXPIRED = issue("the root", ca=True, days=(-300, -3), key=ROOT.key).pem
BROKEN = ROOT.pem[:300] + b"?" + ROOT.pem[301:]
ILLEGIBLE = b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n"
DISTRUST = '[p11-kit-object-v1]\nclass: certificate\nissuer: "{}"\nserial-number: "{}"\nx-distrusted: true\n'
LINES = OTHER.pem.count(b"\n") + 1


def _distrusted() -> bytes:
    import der

    from certhook._certificates.x509 import Certificate

    certificate = Certificate(ROOT.der)
    return DISTRUST.format(der.escaped(certificate.issuer), der.escaped(certificate.serial)).encode()


NO_REMEDY = {
    "expired": (
        "unused-root-expired",
        b"",
        {f"{LOCAL}/a.crt": EXPIRED},
        True,
        ["only an edition", f"replace {LOCAL}/a.crt"],
    ),
    "expired, and a valid edition elsewhere": (
        "root-unused",
        b"",
        {f"{LOCAL}/a.crt": EXPIRED, f"{LOCAL}/b.crt": SENT[1].pem, "/etc/ssl/certs/c.pem": ROOT.pem},
        True,
        ["/etc/ssl/certs/c.pem contains this root certificate"],
    ),
    "only an intermediate certificate": (
        "root-intermediate-only",
        b"",
        {f"{LOCAL}/a.crt": SENT[1].pem},
        True,
        ['"the middle (certhook tests)"', "the root certificate of"],
    ),
    "distrusted by its serial number": (
        "unused-root-distrusted",
        b"",
        {f"{LOCAL}/a.crt": ROOT.pem, f"{P11_KIT}/bad.p11-kit": _distrusted()},
        True,
        [f"{P11_KIT}/bad.p11-kit distrusts it", "Do not continue"],
    ),
    "damaged, with the name of the issuer": (
        "root-damaged",
        OTHER.pem + BROKEN,
        {},
        True,
        [f"{STORE} probably contains its certificate at line {LINES}", "damaged"],
    ),
    "truncated": (
        "root-damaged",
        OTHER.pem,
        {f"{LOCAL}/a.crt": ROOT.pem[:-60]},
        True,
        [f"{LOCAL}/a.crt probably contains its certificate at line 1"],
    ),
    "illegible": (
        "roots-damaged",
        OTHER.pem + ILLEGIBLE,
        {},
        True,
        [f"the certificate at line {LINES} was skipped: invalid base64", "Replace this certificate"],
    ),
    "unreadable store": ("roots-unreadable", None, {}, False, ["this user may not read", "chmod a+r"]),
    "unreadable store, and a processed file": (
        "root-unused",
        None,
        {f"{LOCAL}/a.crt": ROOT.pem},
        False,
        [f"this user may not read {STORE}", f"chmod a+r {STORE}"],
    ),
    "unreadable file": (
        "file-unreadable",
        b"",
        {f"{LOCAL}/a.crt": namespace.unreadable(ROOT.pem)},
        False,
        [f"may be in {LOCAL}/a.crt, which this user may not read", f"chmod a+r {LOCAL}/a.crt"],
    ),
    "unreadable directory": (
        "file-unreadable",
        b"",
        {f"{LOCAL}/inner/a.crt": ROOT.pem, f"{LOCAL}/inner": namespace.inaccessible},
        False,
        [f"may be in {LOCAL}/inner, which this user may not read", f"chmod a+rx {LOCAL}/inner"],
    ),
    "another CA with the same name": (
        "root-unknown",
        b"",
        {f"{LOCAL}/a.crt": issue("the root", ca=True, changed=BARE).pem},
        True,
        ["which is not trusted here"],
    ),
    "trusted only for mail": (
        "root-unknown",
        b"",
        {
            f"{LOCAL}/a.crt": subprocess.run(
                ["openssl", "x509", "-trustout", "-addtrust", "emailProtection"],
                input=ROOT.pem,
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
        },
        True,
        ["which is not trusted here"],
    ),
}


@pytest.mark.parametrize("name", NO_REMEDY)
def test_a_file_that_is_no_remedy_has_another_cause(name: str, port: int, tmp_path) -> None:
    cause, store, files, privileged, phrases = NO_REMEDY[name]
    tree = {**DEBIAN, STORE: namespace.unreadable(b"?") if store is None else store, **files}
    outcome = diagnose(port, tree, tmp_path, privileged=privileged)
    assert outcome.cause == cause, outcome
    for phrase in phrases:
        assert phrase in f"{outcome.sentence} {outcome.advice}"
    assert not outcome.check["verified"]


# Hostile files and directories.


HOSTILE = {
    "a FIFO": {f"{LOCAL}/0.crt": os.mkfifo, "/etc/ssl/certs/0.pem": os.mkfifo},
    "a device": {f"{LOCAL}/0.crt": Link("/dev/zero"), f"{P11_KIT}/0": Link("/dev/tty")},
    "a link to itself": {
        f"{LOCAL}/0": Link("0"),
        f"{LOCAL}/1": Link("."),
        f"{LOCAL}/2": Link("/"),
        f"{LOCAL}/3": Link("?"),
    },
    "a large file": {f"{LOCAL}/0.crt": namespace.sparse(4 << 30), f"{LOCAL}/1.crt": namespace.sparse(60 << 20)},
    "binary files": {f"{LOCAL}/{n}.crt": bytes([48, 130]) + os.urandom(5000) for n in range(20)},
    "a configuration that is no file": {f"{HOME}/.gitconfig": os.mkfifo, f"{HOME}/.condarc": os.mkdir},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_special_and_large_files_do_not_prevent_the_search(name: str, port: int, tmp_path) -> None:
    outcome = diagnose(port, {**DEBIAN, **HOSTILE[name], f"{LOCAL}/company.pem": ROOT.pem}, tmp_path)
    assert outcome.cause == "root-unused" and f"{LOCAL}/company.pem" in outcome.sentence, outcome
    assert outcome.check["seconds"] < 10  # the default of --timeout


def test_every_cause_is_shown() -> None:
    shown = {"root-unused", *(cause for cause, *_ in NO_REMEDY.values())}
    assert {cause.id for cause in (*unused.CAUSES, *unused.POSSIBLE_CAUSES)} == shown - {"root-unknown"}
