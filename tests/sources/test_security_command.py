"""Running security(1) of macOS, with a shell script in its place."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from certhook._watch import macos as watch_macos
from certhook._watch.macos import OUTPUT, run
from certhook.exceptions import SourceError


@pytest.fixture
def security(tmp_path: Path, monkeypatch):
    """A function that replaces security(1) by a shell script."""
    if sys.platform == "win32":
        pytest.skip("Windows has no shell")
    monkeypatch.setattr(watch_macos, "home", lambda: "/home/user")

    def script(text: str) -> None:
        path = tmp_path / "security"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(watch_macos, "SECURITY", str(path))

    return script


def test_the_command_inherits_no_variables_working_directory_or_input(security, monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/tmp/elsewhere")
    monkeypatch.setenv("SECRET", "42")
    security('pwd; env | grep -v "^_=\\|^PWD=\\|^SHLVL=" | sort; cat; for a in "$@"; do echo "<$a>"; done')
    assert run("find-certificate", "a b; c").decode().splitlines() == [
        "/",
        "HOME=/home/user",
        "LANG=C",
        "PATH=/usr/bin:/bin:/usr/sbin:/sbin",
        "<find-certificate>",
        "<a b; c>",
    ]


def test_the_output_file_is_read_and_removed(security, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    security('echo "...Trust Settings exported successfully."; printf plist > "$3"; echo "$3" > "$0.path"')
    assert run("trust-settings-export", "-d", OUTPUT) == b"plist"
    output = (tmp_path / "security.path").read_text().strip()
    assert output.startswith(str(tmp_path)) and not os.path.exists(os.path.dirname(output))


@pytest.mark.parametrize(
    ("arguments", "script"),
    [
        (
            ("trust-settings-export", "-d", OUTPUT),
            "echo 'SecTrustSettingsCreateExternalRepresentation: No Trust Settings were found.' >&2; exit 1",
        ),
        (
            ("trust-settings-export", OUTPUT),
            "echo 'SecTrustSettingsCreateExternalRepresentation: Es wurden keine Einstellungen gefunden.' >&2; exit 1",
        ),
        (("trust-settings-export", OUTPUT), "echo 'Réglages introuvables.' >&2; exit 1"),
        (("find-certificate", "-a", "-p", "x"), "echo 'The specified item could not be found' >&2; exit 44"),
        (("find-certificate", "-a", "-p", "x"), ":"),
    ],
)
def test_missing_settings_and_empty_keychains_are_not_a_failure(arguments, script: str, security) -> None:
    security(script)
    assert run(*arguments) == b""


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'The Trust Settings Record was corrupted.' >&2; exit 1", "status 1: The Trust Settings Record was"),
        ("echo 'SecTrust: UNIX[Operation not permitted]' >&2; exit 1", "status 1: SecTrust: UNIX"),
        ("echo 'Keine Einstellungen.' >&2; : > $3; exit 1", "status 1: Keine Einstellungen."),
        ("echo 'Keine Einstellungen.' >&2; exit 2", "status 2: Keine Einstellungen."),
        ("exit 1", "status 1: no message"),
        ("exit 3", "status 3: no message"),
        ("exit 44", "status 44: no message"),
        (":", "cannot be read: No such file or directory"),
        ("kill -9 $$", "status -9"),
        ("exec sleep 60", "did not finish within 1 seconds"),
    ],
)
def test_a_failure_of_the_command_is_reported(script: str, message: str, security, monkeypatch) -> None:
    monkeypatch.setattr(watch_macos, "TIMEOUT", 1 if "sleep" in script else 60)
    security(script)
    with pytest.raises(SourceError, match=message):
        run("trust-settings-export", "-d", OUTPUT)


def test_a_missing_command_is_reported(monkeypatch) -> None:
    monkeypatch.setattr(watch_macos, "SECURITY", os.path.abspath("no/security"))
    with pytest.raises(SourceError, match="cannot be run"):
        run("find-certificate")


def test_unlimited_output_is_not_read_into_memory(security, monkeypatch) -> None:
    monkeypatch.setattr("certhook._files.LIMIT", 1 << 20)
    security("head -c 2000000 /dev/zero")
    with pytest.raises(SourceError, match="larger than 1 MiB"):
        run("find-certificate")
