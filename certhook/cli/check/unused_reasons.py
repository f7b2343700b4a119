"""Why no source of trust reads a file, and the commands after which one does.

The commands are those of the current system. They trust a certificate for all programs of the
system, or, with ``CERTHOOK_EXTRA_CA_CERTS``, for programs with certhook.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509

from certhook._sources import debian
from certhook._sources.locations import well_known
from certhook.cli.check import locations
from certhook.cli.check.certificate import is_ca
from certhook.cli.check.unused_commands import EXTRA, UnusedFile, content, elevated, free_path, printable

if TYPE_CHECKING:
    from certhook._config import Config
    from certhook.cli._systems import System
    from certhook.cli.check.locations import Location

_DEBIAN = ("debian", "alpine")
_P11_KIT = ("fedora", "arch", "suse")
_EXTRA_SUFFIXES = (".pem", ".crt", ".cer", ".der")


class Remedy(NamedTuple):
    """Why no source reads a file, and how to change that.

    :ivar reason: a clause
    :ivar system: the commands that make the system's programs trust the certificate
    :ivar setting: the commands that make programs with certhook trust it
    :ivar is_foreign: whether another user can change the file
    """

    reason: str = ""
    system: tuple[str, ...] = ()
    setting: tuple[str, ...] = ()
    is_foreign: bool = False


def remedy(location: Location, certificate: x509.Certificate, system: System | None, config: Config) -> Remedy | None:
    """Return why no source reads the file at *location*, None if one does.

    :param certificate: the certificate in the file
    :param system: the current system, None if it is unknown
    :param config: the settings
    """
    return _Explanation(UnusedFile(location, certificate, system, config)).remedy()


def unreadable(location: Location, system: System | None) -> Remedy:
    """Return the remedy for a file or directory that this user may not read."""
    mode = "a+rx" if os.path.isdir(location.path) else "a+r"
    return Remedy(system=printable([elevated(system, "chmod", mode, location.path)]))


def damaged(location: Location, system: System | None) -> Remedy:
    """Return the remedy for a file with a malformed certificate."""
    if location.kind == locations.STORE and system is not None and system.update:
        return Remedy(system=(system.update_command(),))
    return Remedy()


class _Explanation:
    """Determines why no source reads one file."""

    def __init__(self, file: UnusedFile) -> None:
        self.file, self.path, self.location = file, file.path, file.location
        self.system, self.config = file.system, file.config

    def remedy(self) -> Remedy | None:
        """Return the reason and the commands."""
        explain = {
            locations.SETTING: self._setting,
            locations.NEARBY: self._nearby,
            locations.INPUT: self._input,
            locations.HASHES: self._hashes,
            locations.STORE: self._store,
            locations.MKCERT: self._mkcert,
            locations.VARIABLE: self._tool,
            locations.CONFIGURATION: self._tool,
        }[self.location.kind]
        found = explain()
        if found is None:
            return None
        reason, commands = found
        override = self._override()
        if override and self.location.kind in (locations.INPUT, locations.HASHES, locations.STORE):
            reason = f"{reason}; and {override} replaces the system's root certificates"
        setting = printable(self.file.setting_commands())
        return Remedy(reason, () if override else printable(commands), setting, self.file.is_foreign())

    def _override(self) -> str:
        """Return the settings because of which the system's store is not read, empty if it is."""
        if self.config.overrides_system:
            return " and ".join(name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ)
        return "" if "system" in self.config.sources else "CERTHOOK_SOURCES"

    # The reasons, by the kind of the location. Each returns the reason and the commands for the system.

    def _setting(self) -> tuple[str, list[str]] | None:
        name = self.location.origin
        if not self.file.is_readable:
            return f"{name} names it, but {self.file.describe_format()}", []
        if name == "SSL_CERT_FILE" and not self.file.is_pem:
            return f"{name} names it, but {self.file.describe_format()}", []
        if name == EXTRA and not self.path.lower().endswith(_EXTRA_SUFFIXES) and self.path not in self.config.extra:
            return f"in a directory, {EXTRA} adds only files {_alternatives(_EXTRA_SUFFIXES)}", []
        if name == "SSL_CERT_DIR":
            return self._hashes()
        return None  # A source reads it.

    def _nearby(self) -> tuple[str, list[str]]:
        return f"{self.location.origin} names {self.location.tool}, which does not exist", []

    def _input(self) -> tuple[str, list[str]]:
        system, directory = self.system, self.location.origin
        if system is None or not system.update:
            return f"it is unknown which command of this system reads {directory}", []
        if directory not in locations.INPUTS.get(system.family, ()):
            return f"{system.name} does not read {directory}", self.file.install_commands()
        if system.family in _DEBIAN:
            return self._debian_input(system)
        if system.family in _P11_KIT:
            return self._p11_kit_input(system)
        return self._pending(system)

    def _debian_input(self, system: System) -> tuple[str, list[str]]:
        command = system.update[0]
        if not self.file.is_pem:
            return (
                f"{self.file.describe_format()}, which {command} does not read",
                self.file.install_commands(),
            )
        if self.location.origin == debian.CERTIFICATES:
            name = os.path.relpath(self.path, debian.CERTIFICATES)
            if os.fsencode(name) not in _selected():
                # A last line without a line feed would continue.
                start = "" if content(debian.DESELECTED)[-1:] in (b"", b"\n") else "\\n"
                append = system.elevated(("tee", "-a", debian.DESELECTED))
                line = f"printf '{start}%s\\n' {system.quoted(name)} | {append}"
                return f"{debian.DESELECTED} does not select it", self.file.processed(line, system.update_command())
        elif not self.path.endswith(system.suffix):
            renamed = free_path(os.path.splitext(self.path)[0] + system.suffix)
            reason = f'{command} ignores files whose names do not end in "{system.suffix}"'
            return reason, self.file.processed(system.elevated(("mv", self.path, renamed)), system.update_command())
        return self._pending(system)

    def _p11_kit_input(self, system: System) -> tuple[str, list[str]]:
        parent, anchors = os.path.dirname(self.path), os.path.join(self.location.origin, "anchors")
        command = system.update[0]
        if not is_ca(self.file.certificate) and self.file.certificate.version != x509.Version.v1:
            return f"{command} ignores certificates that are not marked as a certificate authority (CA)", []
        if not self.file.is_lenient_pem and not self.file.is_der:
            return (
                f"{self.file.describe_format()}, which {command} does not read",
                self.file.install_commands(),
            )
        if parent != anchors:
            move = system.elevated(("mv", self.path, free_path(os.path.join(anchors, os.path.basename(self.path)))))
            reason = f"{command} trusts only the files in {anchors}, without its subdirectories"
            return reason, self.file.processed(move, system.update_command())
        return self._pending(system)

    def _pending(self, system: System) -> tuple[str, list[str]]:
        for path in well_known(sys.platform)[0]:
            if os.path.isfile(path) and not os.access(path, os.R_OK):
                return f"this user may not read {path}", [system.elevated(("chmod", "a+r", path))]
        return f"{system.update[0]} was not run after it was added", self.file.processed(system.update_command())

    def _hashes(self) -> tuple[str, list[str]]:
        directory = os.path.dirname(self.path)
        reason = f"OpenSSL finds the files in {directory} by links with hashes of their names, and its link is missing"
        if self.location.kind == locations.HASHES and self.system is not None and self.system.directory:
            return reason, self.file.install_commands()
        return reason, [elevated(self.system, "openssl", "rehash", directory)]

    def _store(self) -> tuple[str, list[str]]:
        return "another file contains the root certificates of this system", self.file.install_commands()

    def _mkcert(self) -> tuple[str, list[str]]:
        return "mkcert created it, but did not install it on this system", ["mkcert -install"]

    def _tool(self) -> tuple[str, list[str]]:
        kind = "environment variable" if self.location.kind == locations.VARIABLE else "setting"
        return f"the {kind} {self.location.origin} applies only to {self.location.tool}", self.file.install_commands()


def _selected() -> set[bytes]:
    """Return the names in Debian's configuration that are selected."""
    return {line.strip() for line in content(debian.DESELECTED).split(b"\n") if not line.startswith((b"#", b"!"))}


def _alternatives(suffixes: tuple[str, ...]) -> str:
    return "*" + ", *".join(suffixes)
