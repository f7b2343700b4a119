"""The files of this machine that may contain a root certificate that no source of trust reads.

They are listed, never trusted. Listing reads configuration files of other tools, but executes nothing.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import TYPE_CHECKING, NamedTuple

from certhook import _files
from certhook._sources import debian
from certhook._sources.distrust import P11_KIT
from certhook._sources.locations import HASHED, well_known
from certhook._sources.system import compiled_in
from certhook._state import is_privileged, process
from certhook.cli._other_programs import VARIABLES
from certhook.exceptions import SourceError

if TYPE_CHECKING:
    from typing import Callable, Iterator, Mapping

    from certhook._config import Config

#: The kinds of locations: a setting of certhook or OpenSSL, a directory next to a path in a setting that does not
#: exist, the directories that a system's command processes, directories with hashes as names, files with the roots
#: of a system, mkcert's directory, and variables and configuration files of other tools.
SETTING, NEARBY, INPUT, HASHES, STORE, MKCERT, VARIABLE, CONFIGURATION = (
    "setting",
    "nearby",
    "input",
    "hashes",
    "store",
    "mkcert",
    "variable",
    "configuration",
)

#: The directories that the command of each family of systems processes.
INPUTS = {
    "debian": (debian.LOCAL, debian.CERTIFICATES),
    "alpine": (debian.LOCAL, debian.CERTIFICATES),
    "fedora": P11_KIT[:2],
    "arch": P11_KIT[2:4],
    "suse": P11_KIT[4:],
    "freebsd": ("/usr/local/etc/ssl/certs", "/usr/share/certs/trusted", "/usr/local/share/certs"),
}
#: Subdirectories with distrusted certificates, and one that is listed as a directory of its own.
_OMITTED_DIRECTORIES = ("blocklist", "blacklist", "trust-source")

_MAX_DEPTH = 4
#: The variables of certhook and OpenSSL that contain paths.
SETTINGS = ("CERTHOOK_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR", "CERTHOOK_BUNDLE")

# Further variables that add a file of roots to those of another tool.
_VARIABLES = {
    **{name: programs for name, programs in VARIABLES.items() if name != "SSL_CERT_FILE"},
    "NIX_SSL_CERT_FILE": "programs of Nix",
    "PGSSLROOTCERT": "PostgreSQL clients",
    "UV_CERT_FILE": "uv",
    "YARN_HTTPS_CA_FILE_PATH": "Yarn",
    "npm_config_cafile": "npm",
}


class Location(NamedTuple):
    """A file or a directory, or a file in one.

    :ivar kind: one of the kinds above
    :ivar path: the path of the file
    :ivar origin: the directory that contains it for kinds of directories, or the name of the setting
    :ivar tool: the tool that uses it
    """

    kind: str
    path: str
    origin: str = ""
    tool: str = ""


def locations(config: Config, environ: Mapping[str, str]) -> Iterator[Location]:
    """Yield files and directories that may contain the certificate, the most relevant ones first.

    :param config: the settings
    :param environ: the environment variables
    """
    yield from _settings(config)
    for directory in dict.fromkeys(directory for directories in INPUTS.values() for directory in directories):
        yield Location(INPUT, directory, directory)
    files, directories = well_known(sys.platform)
    compiled_in_file, compiled_in_directory = compiled_in()
    hashed = [*(path for path, layout in directories if layout == HASHED), compiled_in_directory]
    for directory in dict.fromkeys(filter(None, hashed)):
        yield Location(HASHES, directory, directory)
    for path in dict.fromkeys(filter(None, (*files, compiled_in_file))):
        yield Location(STORE, path, path)
    yield from _mkcert(environ)
    if not is_privileged() and process.use_environment:
        yield from _variables(environ)
    yield from _configurations(environ)


def _settings(config: Config) -> Iterator[Location]:
    """Yield the paths in certhook's and OpenSSL's settings, and the directories of missing ones."""
    extra = [(SETTINGS[0], path) for path in config.extra]
    file = [(SETTINGS[1], config.cert_file or "")]
    directories = [(SETTINGS[2], path) for path in (config.cert_dir or "").split(os.pathsep)]
    for name, path in [*extra, *file, *directories, (SETTINGS[3], config.bundle or "")]:
        if not os.path.isabs(path):
            continue
        if os.path.lexists(path):
            yield Location(SETTING, path, name)
        elif name != SETTINGS[2]:
            yield Location(NEARBY, os.path.dirname(path), name, path)


def _mkcert(environ: Mapping[str, str]) -> Iterator[Location]:
    """Yield the root of mkcert, see getCAROOT() in its main.go. With sudo, that of the user who runs it."""
    directories = [environ.get("CAROOT", "")]
    if sys.platform == "win32":
        directories.append(os.path.join(environ.get("LOCALAPPDATA", ""), "mkcert"))
    else:
        for home in _homes(environ):
            data = "Library/Application Support" if sys.platform == "darwin" else ".local/share"
            directories.append(os.path.join(home, data, "mkcert"))
        directories.append(os.path.join(environ.get("XDG_DATA_HOME", ""), "mkcert"))
    for directory in directories:
        if os.path.isabs(directory):
            yield Location(MKCERT, os.path.join(directory, "rootCA.pem"), directory, "mkcert")


def _homes(environ: Mapping[str, str]) -> list[str]:
    """Return the home directory of this user, and that of the user who runs sudo."""
    homes = [os.path.expanduser("~")]
    if environ.get("SUDO_USER") and re.fullmatch("[A-Za-z0-9._-]+", environ["SUDO_USER"]):
        homes.append(os.path.expanduser(f"~{environ['SUDO_USER']}"))
    return [home for home in dict.fromkeys(homes) if os.path.isabs(home)]


def _variables(environ: Mapping[str, str]) -> Iterator[Location]:
    for name, programs in _VARIABLES.items():
        if environ.get(name):
            yield Location(VARIABLE, os.path.abspath(os.path.expanduser(environ[name])), name, programs)


# The settings of other tools: the tool, the files below a home directory or with an absolute path, and the setting.
_CONFIGURATIONS = (
    ("pip", ("/etc/pip.conf", ".pip/pip.conf", ".config/pip/pip.conf", "pip/pip.ini"), "cert"),
    ("pip", ("Library/Application Support/pip/pip.conf", "AppData/Roaming/pip/pip.ini"), "cert"),
    ("conda", (".condarc", ".conda/.condarc", ".config/conda/.condarc", "/etc/conda/.condarc"), "ssl_verify"),
    ("Git", ("/etc/gitconfig", ".gitconfig", ".config/git/config"), "sslCAInfo"),
    ("npm", (".npmrc",), "cafile"),
    ("curl", (".curlrc", ".config/curlrc"), "cacert"),
    ("wget", ("/etc/wgetrc", ".wgetrc"), "ca_certificate"),
)


def _configurations(environ: Mapping[str, str]) -> Iterator[Location]:
    prefix_files = [os.path.join(sys.prefix, name) for name in ("pip.conf", "pip.ini")]
    own = {
        "pip": [environ.get("PIP_CONFIG_FILE", ""), *prefix_files],
        "conda": [environ.get("CONDARC", ""), os.path.join(environ.get("CONDA_PREFIX", ""), ".condarc")],
        "Git": [environ.get("GIT_CONFIG_GLOBAL", "")],
    }
    for tool, names, setting in _CONFIGURATIONS:
        files = [os.path.join(home, name) for home in _homes(environ) for name in names] + own.pop(tool, [])
        for file in dict.fromkeys(files):
            for value in _values(file, setting) if os.path.isabs(file) else ():
                path = os.path.expanduser(value)
                if os.path.isabs(path):
                    yield Location(CONFIGURATION, path, f"{setting} in {file}", tool)


def _values(file: str, setting: str) -> list[str]:
    """Return the values of *setting* in a configuration file with one setting per line."""
    if not is_regular(file, 1 << 20):
        return []
    try:
        text = _files.read(file).decode("utf-8", "replace")
    except SourceError:
        return []
    found = re.findall(rf"(?mi)^[ \t]*-*{setting}[ \t]*[=: \t](.+)$", text)
    return [value for value in (each.strip(" \t\r").strip("\"'") for each in found) if value]


def is_regular(path: str, limit: int) -> bool:
    """Return whether *path* is a regular file of at most *limit* bytes. Devices and pipes are not opened."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size <= limit


def is_virtual(device: int) -> bool:
    """Return whether *device* is one of the kernel's file systems. Reading their files may block or have effects."""
    for path in ("/proc", "/sys", "/dev"):
        try:
            if os.stat(path).st_dev == device != os.stat("/").st_dev:
                return True
        except OSError:
            continue
    return False


def members(location: Location, may_continue: Callable[[], bool]) -> Iterator[Location]:
    """Yield the files of *location*: itself, or the files in the directory.

    Only the directories of systems are read with their subdirectories, down to a limited depth.
    """
    if not os.path.isdir(location.path):
        yield location
        return
    pending, seen = [(location.path, 0)], set()
    while pending and may_continue():
        directory, depth = pending.pop()
        try:
            status = os.stat(directory)
            if (status.st_dev, status.st_ino) in seen or is_virtual(status.st_dev):
                continue  # A symbolic link forms a cycle, or leads to the kernel.
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except (OSError, ValueError):
            yield location._replace(path=directory)
            continue
        for entry in entries:
            if not may_continue():
                return
            if not _is_directory(entry):
                yield location._replace(path=entry.path)
            elif location.kind == INPUT and depth < _MAX_DEPTH and entry.name not in _OMITTED_DIRECTORIES:
                pending.append((entry.path, depth + 1))


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
