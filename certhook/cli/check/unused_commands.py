"""A file with a certificate that no source reads: its format, and the commands that make programs trust it.

The commands are only shown. If the file has another format than PEM, or contains further
certificates that the user did not choose to trust, they first write the certificate to a new file.
"""

from __future__ import annotations

import os
import shlex
import stat
from typing import TYPE_CHECKING, Iterable

from certhook import _files
from certhook._certificates import formats, pem
from certhook._state import is_privileged, process
from certhook.cli import _systems
from certhook.cli.check import locations
from certhook.cli.check.certificate import to_der
from certhook.cli.check.wording import set_command
from certhook.exceptions import SourceError

if TYPE_CHECKING:
    from cryptography import x509

    from certhook._config import Config
    from certhook.cli._systems import System
    from certhook.cli.check.locations import Location

EXTRA = locations.SETTINGS[0]

# The administrator or the user stored a file here in order to trust all certificates in it.
_CHOSEN = (locations.SETTING, locations.NEARBY, locations.INPUT)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BEGIN = b"-----BEGIN "


class UnusedFile:
    """A file with a certificate that no source reads.

    :param certificate: the certificate
    :param system: the current system, None if it is unknown
    :param config: the settings
    :ivar is_readable: whether certhook reads the certificate from the file
    :ivar is_pem: whether every program does, because the file is PEM
    :ivar is_lenient_pem: whether p11-kit does, which accepts more than OpenSSL
    :ivar is_der: whether the file is the certificate as DER
    """

    def __init__(
        self, location: Location, certificate: x509.Certificate, system: System | None, config: Config
    ) -> None:
        self.location, self.path = location, location.path
        self.certificate, self.system, self.config = certificate, system, config
        data, der = content(self.path), to_der(certificate)
        entries = pem.parse(data)[0]
        is_utf16 = data.startswith(_UTF16)
        self.is_readable = any(entry.der == der for entry in entries)
        self.is_lenient_pem = any(entry.der == der for entry in pem.parse(data, lenient=True)[0])
        self.is_der = self.is_readable and _BEGIN not in data and not is_utf16
        self.is_pem = self.is_readable and not self.is_der and not is_utf16
        # The file that the commands trust, and the command that creates it.
        self._file, self._preparation = self.path, ""
        target = _new_path(self.path)
        self._format = formats.identify(data, self.path, target)
        if self.is_pem and location.kind not in _CHOSEN and len(entries) > 1:
            self._file, self._preparation = target, _extraction(self.path, data, der, target)
        elif not self.is_pem and not self.is_der:
            self._file, self._preparation = target, self._format.command

    def describe_format(self) -> str:
        """Return a clause about the format of the file."""
        return "it is in DER format" if self.is_der else f"its format is {self._format.name}"

    def install_commands(self) -> list[str]:
        """Return the commands that copy the certificate to the directory of the system, and process it."""
        system = self.system
        if system is None or not self._is_possible():
            return []
        target = system.installed_path(self.path) if system.directory else ""
        if target != self.path:
            target = free_path(target)
        preparation = [self._preparation] if self._preparation else []
        return [*preparation, *self.processed(*system.install_commands(self._file, target, self.is_der))]

    def processed(self, *commands: str) -> list[str]:
        """Return *commands* for the system's directory, preceded by the one that installs the system's command."""
        system = self.system
        if system is None or not system.package or _systems.find_command(system.update[0]):
            return list(commands)
        return [system.elevated(system.package.split()), *commands]

    def setting_commands(self) -> list[str]:
        """Return the commands that make programs with certhook trust the certificate, empty if there are none."""
        if is_privileged() or not process.use_environment or os.pathsep in self._file or not self._is_possible():
            return []
        name, value = EXTRA, self._file
        if self.location.kind == locations.NEARBY:
            name = self.location.origin
        if name == EXTRA:
            paths = [each for each in self.config.extra if each != self.path and os.path.exists(each)]
            value = os.pathsep.join(dict.fromkeys([*paths, self._file]))
        command = set_command(f"{name}={value if os.name == 'nt' else shlex.quote(value)}")
        return [self._preparation, command] if self._preparation else [command]

    def _is_possible(self) -> bool:
        return self._file == self.path or bool(self._preparation)

    def is_foreign(self) -> bool:
        """Return whether another user can change the file."""
        if os.name == "nt":
            return False
        try:
            status = os.stat(self.path)
        except OSError:
            return True
        return status.st_uid not in (0, os.geteuid()) or bool(status.st_mode & stat.S_IWOTH)


def _extraction(path: str, data: bytes, der: bytes, target: str) -> str:
    """Return the command that copies one certificate from a file with several, "" if there is none."""
    if os.name == "nt":
        return ""
    for number, block in enumerate(data.split(_BEGIN)[1:], 1):
        if any(entry.der == der for entry in pem.parse(_BEGIN + block)[0]):
            return f"awk '/-----BEGIN /{{n++}} n=={number}' {shlex.quote(path)} > {shlex.quote(target)}"
    return ""


def content(path: str) -> bytes:
    """Return the content of a file, empty if it cannot be read."""
    try:
        return _files.read(path)
    except SourceError:
        return b""


def free_path(path: str) -> str:
    """Return *path*, or a similar path at which no file exists."""
    stem, suffix = os.path.splitext(path)
    candidates = [path, *(f"{stem}-{number}{suffix}" for number in range(2, 100))]
    return next((each for each in candidates if not os.path.lexists(each)), candidates[-1])


def _new_path(path: str) -> str:
    stem = os.path.splitext(os.path.basename(path))[0]
    return free_path(os.path.join(os.path.expanduser("~"), f"{stem}.pem"))


def elevated(system: System | None, *command: str) -> str:
    """Return *command* for a shell, with sudo if necessary."""
    return system.elevated(command) if system is not None else " ".join(["sudo", *map(shlex.quote, command)])


def printable(commands: Iterable[str]) -> tuple[str, ...]:
    """Return *commands*, or none if a terminal would not show one of them as it is."""
    found = tuple(commands)
    return found if all(command.isprintable() for command in found) else ()
