"""Why no source of trust reads a file, and the commands after which one does.

The commands are those of the current system, and are only shown. They trust a certificate for all
programs of the system, or, with ``CERTHOOK_EXTRA_CA_CERTS``, for programs with certhook.
"""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Iterable, NamedTuple

from cryptography import x509

from certhook import _files
from certhook._certificates import formats, pem
from certhook._sources import debian
from certhook._sources.locations import well_known
from certhook._state import is_privileged, process
from certhook.cli import _systems
from certhook.cli._systems import System
from certhook.cli.check import locations
from certhook.cli.check.certificate import is_ca, to_der
from certhook.cli.check.wording import set_command
from certhook.exceptions import SourceError

if TYPE_CHECKING:
    from certhook._config import Config
    from certhook.cli.check.locations import Location

_DEBIAN = ("debian", "alpine")
_P11_KIT = ("fedora", "arch", "suse")
_EXTRA = "CERTHOOK_EXTRA_CA_CERTS"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_EXTRA_SUFFIXES = (".pem", ".crt", ".cer", ".der")


class Remedy(NamedTuple):
    """Why no source reads a file, and how to change that.

    :ivar reason: a clause
    :ivar system: the commands that make the system's programs trust the certificate
    :ivar setting: the command that makes programs with certhook trust it
    :ivar is_chosen: whether the administrator or the user stored the file in order to trust it
    """

    reason: str = ""
    system: tuple[str, ...] = ()
    setting: str = ""
    is_chosen: bool = True


def remedy(location: Location, certificate: x509.Certificate, system: System | None, config: Config) -> Remedy | None:
    """Return why no source reads the file at *location*, None if one does.

    :param certificate: the certificate in the file
    :param system: the current system, None if it is unknown
    :param config: the settings
    """
    return _Explanation(location, certificate, system, config).remedy()


def unreadable(location: Location, system: System | None) -> Remedy:
    """Return the remedy for a file or directory that this user may not read."""
    mode = "a+rx" if os.path.isdir(location.path) else "a+r"
    return Remedy(system=_printable([_elevated(system, "chmod", mode, location.path)]))


def damaged(location: Location, system: System | None) -> Remedy:
    """Return the remedy for a file with a malformed certificate."""
    if location.kind == locations.STORE and system is not None and system.update:
        return Remedy(system=(system.update_command(),))
    return Remedy()


class _Explanation:
    """Determines why no source reads one file."""

    def __init__(
        self, location: Location, certificate: x509.Certificate, system: System | None, config: Config
    ) -> None:
        self.location, self.path = location, location.path
        self.certificate = certificate
        self.system = system
        self.config = config
        data = _content(self.path)
        der = to_der(certificate)
        self.is_readable = any(entry.der == der for entry in pem.parse(data)[0])
        self.is_lenient_pem = any(entry.der == der for entry in pem.parse(data, lenient=True)[0])
        self.is_der = self.is_readable and b"-----BEGIN " not in data and not data.startswith(_UTF16)
        self.is_pem = self.is_readable and not self.is_der and not data.startswith(_UTF16)
        self.converted = _new_path(self.path)
        self.format = formats.identify(data, self.path, self.converted)

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
        is_chosen = self.location.kind in (locations.SETTING, locations.NEARBY, locations.INPUT, locations.HASHES)
        return Remedy(reason, () if override else _printable(commands), self._setting_command(), is_chosen)

    def _override(self) -> str:
        """Return the settings because of which the system's store is not read, empty if it is."""
        if self.config.overrides_system:
            return " and ".join(name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ)
        return "" if "system" in self.config.sources else "CERTHOOK_SOURCES"

    # The reasons, by the kind of the location. Each returns the reason and the commands for the system.

    def _setting(self) -> tuple[str, list[str]] | None:
        name = self.location.origin
        if not self.is_readable:
            return f"{name} names it, but {self._format()}", []
        if name == "SSL_CERT_FILE" and not self.is_pem:
            return f"{name} names it, but {self._format()}", []
        if name == _EXTRA and not self.path.lower().endswith(_EXTRA_SUFFIXES) and self.path not in self.config.extra:
            return f"in a directory, {_EXTRA} adds only files {_alternatives(_EXTRA_SUFFIXES)}", []
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
            return f"{system.name} does not read {directory}", self._install()
        if system.family in _DEBIAN:
            return self._debian_input(system)
        if system.family in _P11_KIT:
            return self._p11_kit_input(system)
        return self._pending(system)

    def _debian_input(self, system: System) -> tuple[str, list[str]]:
        command = system.update[0]
        if not self.is_pem:
            return f"{self._format()}, and {command} requires PEM", self._install()
        if self.location.origin == debian.CERTIFICATES:
            name = os.path.relpath(self.path, debian.CERTIFICATES)
            if os.fsencode(name) not in _selected():
                # A last line without a line feed would continue.
                start = "" if _content(debian.DESELECTED)[-1:] in (b"", b"\n") else "\\n"
                append = system.elevated(("tee", "-a", debian.DESELECTED))
                line = f"printf '{start}%s\\n' {system.quoted(name)} | {append}"
                return f"{debian.DESELECTED} does not select it", [*self._package(), line, system.update_command()]
        elif not self.path.endswith(system.suffix):
            renamed = os.path.splitext(self.path)[0] + system.suffix
            reason = f'{command} ignores files whose names do not end in "{system.suffix}"'
            return reason, [*self._package(), system.elevated(("mv", self.path, renamed)), system.update_command()]
        return self._pending(system)

    def _p11_kit_input(self, system: System) -> tuple[str, list[str]]:
        parent, anchors = os.path.dirname(self.path), os.path.join(self.location.origin, "anchors")
        command = system.update[0]
        if not is_ca(self.certificate) and self.certificate.version != x509.Version.v1:
            return f"{command} ignores certificates that are not marked as a certificate authority (CA)", []
        if not self.is_lenient_pem and not self.is_der:
            return f"{self._format()}, and {command} requires PEM or DER", self._install()
        if parent != anchors:
            move = system.elevated(("mv", self.path, system.directory))
            reason = f"{command} trusts only the files in {anchors}, without its subdirectories"
            return reason, [*self._package(), move, system.update_command()]
        return self._pending(system)

    def _pending(self, system: System) -> tuple[str, list[str]]:
        for path in well_known(sys.platform)[0]:
            if os.path.isfile(path) and not os.access(path, os.R_OK):
                return f"this user may not read {path}", [system.elevated(("chmod", "a+r", path))]
        return f"{system.update[0]} was not run after it was added", [*self._package(), system.update_command()]

    def _hashes(self) -> tuple[str, list[str]]:
        directory = os.path.dirname(self.path)
        reason = f"OpenSSL finds the files in {directory} by links with hashes of their names, and its link is missing"
        if self.location.kind == locations.HASHES and self.system is not None and self.system.directory:
            return reason, self._install()
        quoted = shlex.quote(directory)
        rehash = f"openssl rehash {quoted}"
        return reason, [rehash if os.access(directory, os.W_OK) else _elevated(self.system, *rehash.split(" ", 2))]

    def _store(self) -> tuple[str, list[str]]:
        return "another file contains the root certificates of this system", self._install()

    def _mkcert(self) -> tuple[str, list[str]]:
        return "mkcert created it, but did not install it on this system", ["mkcert -install"]

    def _tool(self) -> tuple[str, list[str]]:
        kind = "environment variable" if self.location.kind == locations.VARIABLE else "setting"
        return f"the {kind} {self.location.origin} applies only to {self.location.tool}", self._install()

    # Commands.

    def _package(self) -> list[str]:
        system = self.system
        if system is None or not system.package or _systems.find_command(system.update[0]):
            return []
        return [system.elevated(system.package.split())]

    def _install(self) -> list[str]:
        """Return the commands that copy the file to the directory of the system, and process it."""
        system = self.system
        if system is None:
            return []
        target = system.installed_path(self.path) if system.directory else ""
        if self.is_pem or self.is_der:
            return [*self._package(), *system.install_commands(self.path, target, self.is_der)]
        if not self.format.command:
            return []
        commands = system.install_commands(self.converted, target)
        return [*self._package(), self.format.command, *commands]

    def _setting_command(self) -> str:
        """Return the commands that add the file to programs with certhook, empty if there are none."""
        if is_privileged() or not process.use_environment:
            return ""
        path = self.path if self.is_readable else self.converted if self.format.command else ""
        if not path or os.pathsep in path or not path.isprintable():
            return ""
        paths = [each for each in self.config.extra if each != self.path and os.path.exists(each)]
        value = os.pathsep.join(dict.fromkeys([*paths, path]))
        command = set_command(f"{_EXTRA}={value if os.name == 'nt' else shlex.quote(value)}")
        return command if self.is_readable else f"{self.format.command}\n{command}"

    def _format(self) -> str:
        return "it is in DER format" if self.is_der else f"its format is: {self.format.name}"


def _content(path: str) -> bytes:
    try:
        return _files.read(path)
    except SourceError:
        return b""


def _new_path(path: str) -> str:
    """Return the path of a new file in the user's home directory, to which a conversion of *path* is written."""
    stem = os.path.splitext(os.path.basename(path))[0]
    candidates = (os.path.join(os.path.expanduser("~"), f"{stem}{suffix}.pem") for suffix in ("", "-converted"))
    return next((each for each in candidates if not os.path.lexists(each)), f"{stem}-converted.pem")


def _selected() -> set[bytes]:
    """Return the names in Debian's configuration that are selected."""
    return {line.strip() for line in _content(debian.DESELECTED).split(b"\n") if not line.startswith((b"#", b"!"))}


def _elevated(system: System | None, *command: str) -> str:
    return system.elevated(command) if system is not None else shlex.join(("sudo", *command))


def _printable(commands: Iterable[str]) -> tuple[str, ...]:
    """Return *commands*, or none if a terminal would not show one of them as it is."""
    found = tuple(commands)
    return found if all(command.isprintable() for command in found) else ()


def _alternatives(suffixes: Iterable[str]) -> str:
    return "*" + ", *".join(suffixes)
