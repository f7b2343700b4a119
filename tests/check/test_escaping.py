"""No verb prints control characters, or characters that change the direction of text, from any source."""

from __future__ import annotations

import json
import os
import socket
import sys
import warnings
from pathlib import Path

import pytest
from cryptography import x509
from lab import Lab
from pki import Issued, chain, issue

from certhook import CerthookWarning, _state
from certhook._sources import debian, distrust
from certhook.cli import main

#: Escape sequences of terminals (7 and 8 bits), a bell, a line separator, and characters that reverse text.
HOSTILE = "\x1b]0;x\x07\x9b31m\u202egpj\u2066\u2028\r\x85end"
# A file name also contains a byte that is not UTF-8.
FILE = os.fsdecode(HOSTILE.encode() + b"\xff")

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such file names")

VERBS = [
    "",
    "--json",
    "status --roots",
    "list",
    "list --details",
    "list --json",
    "list --private",
    "list --removed",
    "list --name {HOSTILE}",
    "diff",
    "diff {EXTRA} {BUNDLE}",
    "diff {EXTRA} {BUNDLE} --json",
    "diff {MISSING} {EXTRA}",
    "export -",
    "export {MISSING}",
    "export {DIRECTORY}",
    "env",
    "env {EXTRA}",
    "env --unset --json",
    "inspect {EXTRA}",
    "inspect {EXTRA} --json",
    "inspect {DAMAGED} {BUNDLE} {TEXT} {DIRECTORY} {MISSING}",
    "inspect {TEXT} --json",
    "inspect localhost:{PORT}",
    "inspect localhost:{PORT} --json",
    "inspect localhost:{GREETING}",
    "trust {EXTRA} --dry-run",
    "trust {EXTRA} --dry-run --json",
    "trust {DAMAGED} --dry-run",
    "trust {MISSING} --dry-run",
    "trust {HOSTILE} --undo --dry-run",
    "enable {DIRECTORY} --dry-run",
    "enable {DIRECTORY} --dry-run --json",
    "enable {MISSING} --dry-run",
    "compile --directory {TEXT}",
    "check localhost:{PORT} --fingerprints",
    "check localhost:{PORT} --json",
    "check localhost:{PORT} --pem sent",
    "check localhost:{PORT} --warn-days 9999",
    "check localhost:{PORT} --ca {EXTRA}",
    "check localhost:{PORT} --ca {DAMAGED}",
    "check localhost:{GREETING}",
    "check smtp://localhost:{GREETING}",
    "check imap://localhost:{GREETING}",
    "check {HOSTILE}",
    "check {MISSING}",
    "check @{LIST}",
    "check @{MISSING}",
    "check @{TEXT}",
    "run {MISSING}",
    "{HOSTILE}",
    "completion {HOSTILE}",
]


def hostile_ca() -> Issued:
    constraints = x509.NameConstraints([x509.DNSName("\x1b[31mexample")], None)
    return issue(HOSTILE, ca=True, organization=HOSTILE, changed={x509.NameConstraints: (constraints, True)})


@pytest.fixture
def fields(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Prepare hostile files, variables, packages and servers, and return their names."""
    directory = lab.directory / FILE
    directory.mkdir()
    ca, sent = hostile_ca(), chain()
    leaf = issue(HOSTILE, ca, hosts=("\x1b[31mother.example",), organization=HOSTILE)

    def write(name: str, content: bytes) -> str:
        path = directory / f"{name}{FILE}.pem"
        path.write_bytes(content)
        return str(path)

    extra, bundle = write("extra", ca.pem), write("bundle", hostile_ca().pem + sent.root.pem)
    damaged = write("damaged", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + HOSTILE.encode())
    text, listed = write("text", HOSTILE.encode() + b"\xff\0"), write("list", f"example.org\n{HOSTILE}\n".encode())
    blocked = directory / "source" / "blocklist"
    blocked.mkdir(parents=True)
    (blocked / FILE).write_bytes(b"-----BEGIN CERTIFICATE-----\n" + HOSTILE.encode())
    (blocked / f"{FILE}.pem").write_bytes(issue(HOSTILE, ca=True).pem)
    monkeypatch.setattr(distrust, "P11_KIT", (str(directory / "source"),))
    monkeypatch.setattr(debian, "DESELECTED", write("conf", f"!{HOSTILE}\n!mozilla/{HOSTILE}.crt\n".encode()))
    packages = directory / "packages"
    metadata = packages / "requests-2.0.dist-info"
    (packages / "requests").mkdir(parents=True)
    (packages / "requests" / "__init__.py").write_bytes(b"")
    metadata.mkdir()
    (metadata / "METADATA").write_bytes(f"Metadata-Version: 2.1\nName: requests\nVersion: 2.0{HOSTILE}\n".encode())
    monkeypatch.setattr(sys, "path", [str(packages), *sys.path])
    variables = {
        "SSL_CERT_FILE": bundle,
        "SSL_CERT_DIR": str(directory),
        "CERTHOOK_BUNDLE": bundle,
        "CERTHOOK_EXTRA_CA_CERTS": os.pathsep.join((extra, damaged, text, str(directory / "missing"))),
        "CERTHOOK_MODE": HOSTILE,
        "CERTHOOK_SOURCES": f"system,bundled,{HOSTILE}",
        "CERTHOOK_ADOPT": HOSTILE,
        "CERTHOOK_CLIENTS": HOSTILE,
        "CERTHOOK_STORE_DIR": text,
        f"CERTHOOK_{HOSTILE}": HOSTILE,
        "REQUESTS_CA_BUNDLE": damaged,
        "NO_PROXY": HOSTILE,
        "SHELL": f"/bin/{HOSTILE}",
        "SUDO_USER": HOSTILE,
        "CERTHOOK_DEBUG": "1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    _state.process.reset()

    def greet(raw: socket.socket) -> None:
        raw.sendall(HOSTILE.encode() + b"\0\r\n")
        raw.recv(1024)

    return {
        "HOSTILE": HOSTILE,
        "EXTRA": extra,
        "BUNDLE": bundle,
        "DAMAGED": damaged,
        "TEXT": text,
        "LIST": listed,
        "DIRECTORY": str(directory),
        "MISSING": str(directory / "no" / FILE),
        "PORT": str(lab.serve((leaf, ca))),
        "GREETING": str(lab.listen(greet)),
    }


def unescaped(text: str) -> list[str]:
    """Return the characters of *text* that a terminal may interpret."""
    return sorted({one for one in text if not one.isprintable() and one != "\n"})


@posix
def test_no_verb_prints_hostile_text_unescaped(
    fields: dict[str, str], lab: Lab, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found: dict[str, list[str]] = {}
    shown = 0
    for verb in VERBS:
        arguments = [word.format(**fields) for word in verb.split()]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                main([*arguments, *(["--timeout", "5"] if verb.startswith(("check", "inspect")) else [])])
            except SystemExit:
                pass
        output = capsys.readouterr()
        texts = [output.out, output.err]
        texts += [str(one.message) for one in caught if issubclass(one.category, CerthookWarning)]
        if "--json" in verb and output.out:
            json.loads(output.out)
        shown += "\\x1b]0;x" in "".join(texts) or "\\u001b]0;x" in "".join(texts)
        bad = unescaped("".join(texts))
        if bad:
            found[verb] = bad
    assert not found
    # Otherwise, the hostile text did not reach the output.
    assert shown > len(VERBS) / 2
