"""Where the current operating system keeps the administrator's own CAs, and the command that installs them.

Every fact is from the manual that :attr:`System.manual` names. The family of a Linux distribution is that of
os-release(5); for an unknown distribution, the installed commands decide.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
from typing import NamedTuple

from certhook import _files
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

#: The directories of the system's commands. PATH may contain a directory that another user can modify.
COMMAND_DIRECTORIES = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")

PEM, DER = "PEM", "DER"

_ELEVATORS = ("sudo", "doas")
_KEYCHAIN = "/Library/Keychains/System.keychain"


class System(NamedTuple):
    """An operating system, or a family of distributions.

    :ivar family: "debian", "alpine", "fedora", "arch", "suse", "freebsd", "nixos", "macos" or "windows"
    :ivar name: the name for users
    :ivar directory: the directory for the administrator's own CAs, empty if the system has none
    :ivar suffix: the suffix that files in it must have, empty if every file is read
    :ivar formats: the formats that files in it may have
    :ivar only_one: whether a file with several certificates is processed only in part
    :ivar update: the command that processes the directory after a file was added
    :ivar refresh: the command that processes the directory after a file was removed
    :ivar package: the command that installs *update*, if it is missing
    :ivar manual: the source of these facts
    :ivar additions: the commands that add a root without a directory; FILE stands for its file
    :ivar removals: the commands that remove it; SHA1 stands for its SHA-1 fingerprint
    :ivar root: the root directory of the system
    """

    family: str
    name: str
    directory: str = ""
    suffix: str = ""
    formats: tuple[str, ...] = (PEM,)
    only_one: bool = False
    update: tuple[str, ...] = ()
    refresh: tuple[str, ...] = ()
    package: str = ""
    manual: str = ""
    additions: tuple[tuple[str, ...], ...] = ()
    removals: tuple[tuple[str, ...], ...] = ()
    root: str = "/"

    def update_command(self) -> str:
        """Return the shell command that processes the directory after a file was added, with sudo if necessary."""
        return self.elevated(self.update)

    def refresh_command(self) -> str:
        """Return the shell command that processes the directory after a file was removed, with sudo if necessary."""
        return self.elevated(self.refresh)

    def elevated(self, command: Iterable[str]) -> str:
        """Return *command* for a shell, quoted, with sudo or doas if this user is not root."""
        if self.family == "windows" or _is_root():
            return " ".join(map(self.quoted, command))
        prefix = next((name for name in _ELEVATORS if find_command(name, self.root)), _ELEVATORS[0])
        return " ".join([prefix, *map(self.quoted, command)])

    def quoted(self, argument: str) -> str:
        """Return *argument* quoted for this system's shell."""
        if self.family == "windows":
            return argument if re.fullmatch(r"[\w.:\\/-]+", argument) else f'"{argument}"'
        return shlex.quote(argument)

    def installed_path(self, file: str) -> str:
        """Return the path below :attr:`directory` for a copy of *file*, with the required suffix."""
        stem, suffix = os.path.splitext(os.path.basename(file))
        return f"{self.directory}/{stem}{self.suffix or suffix or '.pem'}"

    def install_commands(self, file: str, target: str = "", is_der: bool = False) -> list[str]:
        """Return the shell commands that make this system trust the root in *file*.

        :param file: a file with one root, in PEM or DER format
        :param target: the path of the copy, by default :meth:`installed_path`
        :param is_der: whether *file* is in DER format, and must be converted if the system only reads PEM
        :returns: the commands, or for NixOS the line of its configuration; empty for an unknown system
        """
        if self.additions:
            return [self.elevated(command) for command in filled(self.additions, file)]
        if self.family == "nixos":
            line = f"security.pki.certificateFiles = [ {_nix_path(os.path.abspath(file))} ];"
            return [line, self.elevated(("nixos-rebuild", "switch"))]
        if not self.directory:
            return []
        target = target or self.installed_path(file)
        copy = ["install", "-m", "644", file, target]
        if is_der and DER not in self.formats:
            copy = ["openssl", "x509", "-inform", "DER", "-in", file, "-out", target]
        exists = os.path.isdir(os.path.join(self.root, self.directory.lstrip("/")))
        before = [] if exists else [self.elevated(("mkdir", "-p", self.directory))]
        return [*before, self.elevated(copy), self.update_command()]

    def remove_commands(self, target: str, sha1: str = "") -> list[str]:
        """Return the shell commands that remove the root which was installed as *target*.

        :param target: the path of the copy; on macOS that of any file with the root
        :param sha1: the SHA-1 fingerprint of the root, which identifies it on macOS and Windows
        """
        if self.removals:
            return [self.elevated(command) for command in filled(self.removals, target, sha1)]
        if self.family == "nixos":
            line = f"# remove {_nix_path(target)} from security.pki.certificateFiles"
            return [line, self.elevated(("nixos-rebuild", "switch"))]
        return [self.elevated(("rm", target)), self.refresh_command()] if self.directory else []


_DEBIAN = System(
    "debian",
    "Debian",
    directory="/usr/local/share/ca-certificates",
    suffix=".crt",
    only_one=True,
    update=("update-ca-certificates",),
    # Without --fresh, links to the removed file stay in /etc/ssl/certs and hide other CAs with the same name.
    refresh=("update-ca-certificates", "--fresh"),
    package="apt-get install ca-certificates",
    manual="update-ca-certificates(8)",
)
_FEDORA = System(
    "fedora",
    "Fedora",
    directory="/etc/pki/ca-trust/source/anchors",
    formats=(PEM, DER),
    update=("update-ca-trust", "extract"),
    refresh=("update-ca-trust", "extract"),
    package="dnf install ca-certificates",
    manual="update-ca-trust(8)",
)
#: The supported families. The key is an identifier of os-release(5).
FAMILIES = {
    "debian": _DEBIAN,
    # Its update-ca-certificates is another program, which accepts every suffix and removes links itself.
    "alpine": _DEBIAN._replace(
        family="alpine",
        name="Alpine",
        suffix="",
        refresh=_DEBIAN.update,
        package="apk add ca-certificates",
        manual="update-ca-certificates.c of Alpine's ca-certificates",
    ),
    "fedora": _FEDORA,
    "arch": _FEDORA._replace(
        family="arch",
        name="Arch Linux",
        directory="/etc/ca-certificates/trust-source/anchors",
        package="pacman -S ca-certificates-utils",
    ),
    "suse": System(
        "suse",
        "SUSE",
        directory="/etc/pki/trust/anchors",
        formats=(PEM, DER),
        update=("update-ca-certificates",),
        refresh=("update-ca-certificates",),
        package="zypper install ca-certificates",
        manual="update-ca-certificates(8) of SUSE",
    ),
    "freebsd": System(
        "freebsd",
        "FreeBSD",
        directory="/usr/local/etc/ssl/certs",
        suffix=".pem",
        only_one=True,
        update=("certctl", "rehash"),
        refresh=("certctl", "rehash"),
        manual="certctl(8)",
    ),
    "nixos": System("nixos", "NixOS", manual="NixOS manual, option security.pki.certificateFiles"),
    "macos": System(
        "macos",
        "macOS",
        formats=(PEM, DER),
        update=("security",),
        manual="security(1)",
        additions=(("security", "add-trusted-cert", "-d", "-r", "trustRoot", "-k", _KEYCHAIN, "FILE"),),
        removals=(
            ("security", "remove-trusted-cert", "-d", "FILE"),
            ("security", "delete-certificate", "-Z", "SHA1", _KEYCHAIN),
        ),
    ),
    "windows": System(
        "windows",
        "Windows",
        formats=(PEM, DER),
        update=("certutil",),
        manual="certutil -addstore -?",
        additions=(("certutil", "-addstore", "-f", "Root", "FILE"),),
        removals=(("certutil", "-delstore", "Root", "SHA1"),),
    ),
}
# Identifiers of distributions that name none of the above in ID_LIKE.
_MEMBERS = {
    "alpine": "wolfi",
    "debian": "gentoo ubuntu void",
    "fedora": "amzn azurelinux centos mariner rhel",
    "suse": "opensuse sles",
}
_FAMILY_OF = {name: family for family, names in _MEMBERS.items() for name in names.split()}
_PLATFORMS = {"darwin": "macos", "win32": "windows", "cygwin": "", "freebsd": "freebsd"}
#: The command that installs the package on distributions with another package manager than their family.
_PACKAGES = {"gentoo": "emerge app-misc/ca-certificates", "void": "xbps-install ca-certificates"}
# A path in the command of each family of Linux distributions.
_PATHS_IN_COMMANDS = {
    "fedora": b"/etc/pki/ca-trust/",
    "arch": b"/etc/ca-certificates/extracted",
    "suse": b"/etc/pki/trust/",
    "debian": b"/usr/local/share/ca-certificates",
}


def current(root: str = "/", platform: str = sys.platform) -> System | None:
    """Return the system that this process runs on, None if it is unknown.

    :param root: the root directory of the system
    :param platform: the value of :data:`sys.platform`
    """
    for prefix, family in _PLATFORMS.items():
        if platform.startswith(prefix):
            return FAMILIES[family]._replace(root=root) if family else None
    if not platform.startswith("linux"):
        return None
    facts = _os_release(root)
    for name in [facts.get("ID", ""), *facts.get("ID_LIKE", "").split()]:
        system = FAMILIES.get(_FAMILY_OF.get(name, name))
        if system is not None and system.family not in _PLATFORMS.values():
            package = _PACKAGES.get(facts.get("ID", ""), system.package)
            return system._replace(name=facts.get("NAME") or system.name, root=root, package=package)
    system = _by_command(root)
    return system and system._replace(name=facts.get("NAME") or "this system", root=root)


def filled(commands: Iterable[Iterable[str]], file: str, sha1: str = "") -> list[list[str]]:
    """Return *commands* with the values of the placeholders FILE and SHA1."""
    values = {"FILE": file, "SHA1": sha1.upper()}
    return [[values.get(argument, argument) for argument in command] for command in commands]


def _os_release(root: str) -> dict[str, str]:
    """Return the fields of os-release(5)."""
    text = _content("/etc/os-release", root) or _content("/usr/lib/os-release", root)
    facts = {}
    for line in text.decode("utf-8", "replace").splitlines():
        field, _, value = line.strip().partition("=")
        with contextlib.suppress(ValueError):  # a quote is missing
            facts[field] = " ".join(shlex.split(value))
    return facts


def _content(path: str, root: str) -> bytes:
    with contextlib.suppress(SourceError):
        return _files.read(os.path.join(root, path.lstrip("/")))
    return b""


def _by_command(root: str) -> System | None:
    """Return the family whose paths the installed command, a script or a program, contains."""
    for family, path in _PATHS_IN_COMMANDS.items():
        command = find_command(FAMILIES[family].update[0], root)
        if command and path in _content(command, root):
            return FAMILIES[family]
    return None


def find_command(name: str, root: str = "/") -> str:
    """Return the absolute path of *name* in :data:`COMMAND_DIRECTORIES`, empty if it is not there."""
    for directory in COMMAND_DIRECTORIES:
        path = f"{directory}/{name}"
        if os.access(os.path.join(root, path.lstrip("/")), os.X_OK):
            return path
    return ""


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _nix_path(path: str) -> str:
    """Return *path* as a Nix expression: a string, because a path literal allows few characters."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'
