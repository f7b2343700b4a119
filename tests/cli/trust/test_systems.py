"""The recognition of operating systems, and the commands with which each of them installs a root."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from certhook.cli import _systems

RELEASES = {
    'ID=debian\nNAME="Debian GNU/Linux"': "debian",
    "NAME='Linux Mint'\nID=linuxmint\nID_LIKE=\"ubuntu debian\"": "debian",
    "ID=ubuntu\nID_LIKE=debian": "debian",
    "ID=gentoo": "debian",
    'ID="alpine"': "alpine",
    "ID=postmarketos\nID_LIKE=alpine": "alpine",
    "ID=wolfi": "alpine",
    "ID=fedora": "fedora",
    'ID="rhel"\nID_LIKE="fedora"': "fedora",
    'ID="rocky"\nID_LIKE="rhel centos fedora"': "fedora",
    'ID="ol"\nID_LIKE="fedora"': "fedora",
    'ID="amzn"\nID_LIKE="fedora"': "fedora",
    'ID="amzn"\nID_LIKE="centos rhel fedora"': "fedora",
    "ID=azurelinux": "fedora",
    "ID=arch": "arch",
    "ID=manjaro\nID_LIKE=arch": "arch",
    'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"': "suse",
    'ID="sles"\nID_LIKE="suse"': "suse",
    "# a comment\nID=nixos": "nixos",
    'ID="unbalanced\nID_LIKE=arch': "arch",
    "ID=windows": "",
    "ID=unknown": "",
    "": "",
}


def write(root: Path, path: str, content: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)
    (root / path).chmod(0o755)


@pytest.mark.parametrize("content", RELEASES)
def test_a_distribution_is_recognised_by_its_release_file(content: str, tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/os-release", content)
    found = _systems.current(str(tmp_path), "linux")
    assert (found.family if found else "") == RELEASES[content]


def test_the_release_file_in_etc_is_preferred(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/os-release", "ID=arch")
    write(tmp_path, "etc/os-release", "ID=fedora\nNAME=Mine")
    found = _systems.current(str(tmp_path), "linux")
    assert found is not None and (found.family, found.name) == ("fedora", "Mine")


@pytest.mark.parametrize(
    ("command", "text", "family"),
    [
        ("usr/sbin/update-ca-certificates", "LOCALCERTSDIR=/usr/local/share/ca-certificates", "debian"),
        ("usr/sbin/update-ca-certificates", "rm -f /etc/pki/trust/.updated", "suse"),
        ("usr/bin/update-ca-trust", "DEST=/etc/pki/ca-trust/extracted", "fedora"),
        ("usr/bin/update-ca-trust", "DEST=/etc/ca-certificates/extracted", "arch"),
        ("usr/sbin/update-ca-certificates", "CERTS=/etc/ssl/certs", ""),
    ],
)
def test_an_unknown_distribution_is_recognised_by_its_command(
    command: str, text: str, family: str, tmp_path: Path
) -> None:
    write(tmp_path, "etc/os-release", "ID=mine")
    write(tmp_path, command, text)
    found = _systems.current(str(tmp_path), "linux")
    assert (found.family if found else "") == family


@pytest.mark.parametrize(
    ("platform", "family"),
    [("darwin", "macos"), ("win32", "windows"), ("freebsd14", "freebsd"), ("cygwin", ""), ("sunos5", ""), ("ios", "")],
)
def test_a_platform_is_recognised(platform: str, family: str, tmp_path: Path) -> None:
    write(tmp_path, "etc/os-release", "ID=debian")
    found = _systems.current(str(tmp_path), platform)
    assert (found.family if found else "") == family


@pytest.mark.parametrize("family", [family for family, found in _systems.FAMILIES.items() if found.directory])
def test_a_file_is_copied_and_processed_with_sudo(family: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(_systems, "_is_root", lambda: False)
    system = _systems.FAMILIES[family]._replace(root=str(tmp_path))
    name = "my ca; rm -rf '~'.txt"
    for line in system.install_commands(f"/tmp/{name}"):
        assert shlex.split(line)[0] == "sudo"
    make, copy, update = system.install_commands(f"/tmp/{name}")
    assert shlex.split(make) == ["sudo", "mkdir", "-p", system.directory]
    target = f"{system.directory}/my ca; rm -rf '~'{system.suffix or '.txt'}"
    assert shlex.split(copy) == ["sudo", "install", "-m", "644", f"/tmp/{name}", target]
    assert shlex.split(update) == ["sudo", *system.update]
    (tmp_path / system.directory.lstrip("/")).mkdir(parents=True)
    assert system.install_commands(f"/tmp/{name}") == [copy, update]
    assert list(map(shlex.split, system.remove_commands(target))) == [["sudo", "rm", target], ["sudo", *system.refresh]]
    converted = shlex.split(system.install_commands("/tmp/a.der", is_der=True)[0])
    assert converted[1] == ("install" if "DER" in system.formats else "openssl")


def test_doas_is_used_without_sudo(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(_systems, "_is_root", lambda: False)
    write(tmp_path, "usr/bin/doas", "")
    system = _systems.FAMILIES["alpine"]._replace(root=str(tmp_path))
    assert system.update_command() == "doas update-ca-certificates"
    write(tmp_path, "usr/bin/sudo", "")
    assert system.update_command() == "sudo update-ca-certificates"


def test_root_needs_no_sudo(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(_systems, "_is_root", lambda: True)
    assert _systems.FAMILIES["debian"].refresh_command() == "update-ca-certificates --fresh"


def test_windows_paths_are_quoted_for_its_shell() -> None:
    system = _systems.FAMILIES["windows"]
    assert system.install_commands(r"C:\a\b.cer") == [r"certutil -addstore -f Root C:\a\b.cer"]
    assert system.install_commands(r"C:\a b&c.cer") == [r'certutil -addstore -f Root "C:\a b&c.cer"']


def test_nix_strings_are_escaped() -> None:
    (line, _) = _systems.FAMILIES["nixos"].install_commands('/a"${b}\\.pem')
    assert line == f'security.pki.certificateFiles = [ "{os.sep}a\\"\\${{b}}\\\\.pem" ];'
