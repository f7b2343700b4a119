"""``certhook trust`` on macOS and Windows: the commands that it runs, against a model of the system's store.

The output of failed commands follows the known messages of these systems. No real system is involved.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pki import issue

from certhook._certificates import x509
from certhook._certificates.anchor import Anchor
from certhook.cli import _systems, main
from certhook.cli.trust import commands, removal, store

ROOT = issue("the root", ca=True)
PUBLIC = issue("a public root", ca=True)
KEYCHAIN = "/Library/Keychains/System.keychain"
PROGRAMS = {"macos": "/usr/bin/security", "windows": r"C:\Windows\System32\certutil.exe"}
FAILURES = {
    "macos": b"SecTrustSettingsSetTrustSettings: The authorization was denied since no user interaction was "
    b"possible.\n",
    "windows": b"CertUtil: -addstore command FAILED: 0x80070005 (WIN32: 5 ERROR_ACCESS_DENIED)\r\n"
    b"CertUtil: Access is denied.\r\n",
}


class Model:
    """The system's store. Commands change it, and the model of :class:`store.Store` reads it."""

    def __init__(self) -> None:
        self.roots: dict[bytes, Anchor] = {}
        self.commands: list[list[str]] = []
        self.modes: list[int] = []
        self.failing = ""
        self.output = b""
        self.ignores_additions = False

    def run(self, command: list[str], **options: Any) -> SimpleNamespace:
        self.commands.append(command)
        assert options["stdin"] == subprocess.DEVNULL and set(options["env"]) <= {"PATH", "LC_ALL", "SystemRoot"}
        verb = command[1]
        if verb == self.failing:
            return SimpleNamespace(returncode=1, stdout=self.output)
        if verb in ("add-trusted-cert", "-addstore"):
            self.modes.append(stat.S_IMODE(os.stat(os.path.dirname(command[-1])).st_mode))
            der = ssl.PEM_cert_to_DER_cert(Path(command[-1]).read_text())
            if not self.ignores_additions:
                self.add(der)
        elif verb in ("delete-certificate", "-delstore"):
            (digest,) = (one.lower() for one in command if len(one) == 40)
            self.roots = {der: root for der, root in self.roots.items() if hashlib.sha1(der).hexdigest() != digest}
        return SimpleNamespace(returncode=0, stdout=b"")

    def add(self, der: bytes, *sources: tuple[str, str]) -> None:
        self.roots[der] = Anchor(x509.Certificate(der), (("system", "the store"), *sources))

    def trust_set(self, config: object, is_limited: bool = True) -> SimpleNamespace:
        anchors = tuple(self.roots.values())
        return SimpleNamespace(anchors=anchors, distrusted=(), blocklisted=(), distrust_is_known=True)


@pytest.fixture(params=["macos", "windows"])
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(family: str, monkeypatch) -> Model:
    created = Model()
    monkeypatch.setattr(_systems, "current", lambda: _systems.FAMILIES[family])
    monkeypatch.setattr(commands, "find", lambda system: PROGRAMS[family])
    monkeypatch.setattr(commands, "is_privileged", lambda: True)
    monkeypatch.setattr(commands.subprocess, "run", created.run)
    monkeypatch.setattr(store, "read_trust_set", created.trust_set)
    assert removal.Store is store.Store
    return created


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "root.der").write_bytes(ROOT.der)
    return str(tmp_path / "root.der")


def test_a_root_is_added_and_removed_with_the_system_s_command(family: str, model: Model, file: str, capsys) -> None:
    assert main(["trust", "--yes", file]) == 0
    output = capsys.readouterr().out
    (command,) = model.commands
    if family == "macos":
        assert command[:-1] == [PROGRAMS[family], "add-trusted-cert", "-d", "-r", "trustRoot", "-k", KEYCHAIN]
        assert f"security add-trusted-cert -d -r trustRoot -k {KEYCHAIN} {file}\n" in output
    else:
        assert command[:-1] == [PROGRAMS[family], "-addstore", "-f", "Root"]
        assert f"certutil -addstore -f Root {file}\n" in output
    # A private copy: the user's file may be replaced after the confirmation.
    assert model.modes == [0o700] or os.name == "nt"
    assert not os.path.exists(command[-1]) and not os.path.exists(os.path.dirname(command[-1]))
    assert list(model.roots) == [ROOT.der]
    sha256 = hashlib.sha256(ROOT.der).hexdigest()
    assert f"To remove it: certhook trust --undo {sha256}\n" in output
    assert main(["trust", "--yes", file]) == 0 and len(model.commands) == 1
    assert "Nothing to do" in capsys.readouterr().out

    assert main(["trust", "--undo", "--yes", sha256]) == 0
    assert model.roots == {}
    sha1 = hashlib.sha1(ROOT.der).hexdigest().upper()
    expected = {
        "macos": [["remove-trusted-cert", "-d"], ["delete-certificate", "-Z", sha1, KEYCHAIN]],
        "windows": [["-delstore", "Root", sha1]],
    }
    removals = [command[1:] for command in model.commands[1:]]
    assert [one[:2] if one[0] == "remove-trusted-cert" else one for one in removals] == expected[family]
    assert "does not contain it any more" in capsys.readouterr().out


def test_a_failure_is_reported_and_undone(family: str, model: Model, file: str, capsys) -> None:
    model.failing = {"macos": "add-trusted-cert", "windows": "-addstore"}[family]
    model.output = FAILURES[family]
    assert main(["trust", "--yes", file]) == 1
    errors = capsys.readouterr().err
    assert f"{PROGRAMS[family]} failed with exit status 1: " in errors
    assert model.output.decode().splitlines()[0].strip() in errors
    assert "Nothing was changed" in errors
    assert model.commands[-1][1] in ("delete-certificate", "-delstore")


def test_an_addition_without_effect_is_undone(family: str, model: Model, file: str, capsys) -> None:
    model.ignores_additions = True
    assert main(["trust", "--yes", file]) == 1
    errors = capsys.readouterr().err
    assert "the command succeeded, but the system's store does not contain" in errors
    assert "What was added was removed" in errors
    assert model.commands[-1][1] in ("delete-certificate", "-delstore")


def test_an_interruption_is_undone(family: str, model: Model, file: str, monkeypatch, capsys) -> None:
    def interrupt(roots: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "require", interrupt)
    assert main(["trust", "--yes", file]) == 130
    assert model.roots == {}


def test_public_roots_and_roots_that_are_not_listed_are_not_removed(family: str, model: Model, capsys) -> None:
    model.add(PUBLIC.der, ("bundled", "cacert.pem"))
    for der in (PUBLIC.der, ROOT.der):
        assert main(["trust", "--undo", "--yes", hashlib.sha256(der).hexdigest()]) == 1
        assert "certhook installed no root certificate that matches" in capsys.readouterr().err
    assert model.commands == [] and list(model.roots) == [PUBLIC.der]


def test_without_privileges_the_command_is_printed(family: str, model: Model, file: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr(commands, "is_privileged", lambda: False)
    monkeypatch.setattr(_systems, "_is_root", lambda: False)
    assert main(["trust", "--yes", file]) == 3
    output, errors = capsys.readouterr()
    assert ("sudo security" if family == "macos" else "  certutil") in output
    assert ("root privileges" if family == "macos" else "started as administrator") in errors
    model.add(ROOT.der)
    assert main(["trust", "--undo", "--yes", file]) == 3
    assert model.commands == []
