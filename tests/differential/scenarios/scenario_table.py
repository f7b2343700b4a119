"""The scenarios as data: where the roots lie on a machine, which variables are set, and which roots a client names.

The tables only state facts about the scenario and the rules of the specification. The roots:

========  =====================================================================================
system    only in the operating system's store
bundled   only in the bundles of Mozilla's roots
both      in both
private   only in the compiled-in file of a Python with a private OpenSSL
removed   in the operating system's store; an earlier certifi release contained it
rejected  in the operating system's store and in the bundles; distrusted if the system has a block list
stranger  in no source by default
========  =====================================================================================
"""

from __future__ import annotations

import os
from typing import Any, Dict, NamedTuple

import client_table
from layouts import (
    ALPINE,
    ARCH,
    BLOCKLIST,
    DEBIAN,
    DEBIAN_OPENSSL,
    ETC_SSL_OPENSSL,
    FEDORA_43,
    FEDORA_44,
    FEDORA_44_ONLY_BUNDLE,
    FEDORA_OPENSSL,
    STORE,
    SUSE,
)
from linux_machine import OPENSSL, Hashed, Pem
from namespace import Link

ROOTS = ("system", "bundled", "both", "private", "removed", "rejected", "stranger")
#: The roots in the operating system's store, and those in the bundles of certifi, pip, conda and Homebrew.
SYSTEM = "system both removed rejected"
BUNDLED = "bundled both rejected"


# Layouts.


class Store(NamedTuple):
    """The operating system's store.

    :ivar tree: its files; see :meth:`linux_machine.LinuxMachine.tree`
    :ivar roots: the roots that it contains
    :ivar own: the files of the distribution's own OpenSSL, None if it has none
    :ivar own_file: the roots in the compiled-in file of the distribution's own OpenSSL
    :ivar own_directory: the roots in its compiled-in directory
    :ivar etc_ssl: the roots in ``/etc/ssl/cert.pem`` and ``/etc/ssl/certs``
    :ivar distrusted: the roots in its block list
    :ivar platform: the value of ``sys.platform``
    """

    tree: dict
    roots: str = SYSTEM
    own: dict | None = None
    own_file: str = ""
    own_directory: str = ""
    etc_ssl: tuple[str, str] = ("", "")
    distrusted: str = ""
    platform: str = "linux"


def _filled(tree: dict) -> dict:
    """Return *tree*, a layout for the roots "system" and "both", with all roots of :data:`SYSTEM`."""
    return {
        path: entry._replace(names=SYSTEM)
        if isinstance(entry, (Pem, Hashed)) and entry.names == "system both"
        else entry
        for path, entry in tree.items()
    }


def _file(path: str, platform: str = "linux") -> Store:
    """Return a store that consists of one file."""
    etc_ssl = (SYSTEM if path == "/etc/ssl/cert.pem" else "", "")
    return Store({path: Pem(SYSTEM)}, etc_ssl=etc_ssl, platform=platform)


def _directory(path: str, platform: str = "linux") -> Store:
    """Return a store that consists of one directory."""
    return Store({path: Hashed(SYSTEM)}, etc_ssl=("", SYSTEM if path == "/etc/ssl/certs" else ""), platform=platform)


_DEBIAN_DISTRUST = {
    "/etc/ca-certificates.conf": b"mozilla/both.crt\n!mozilla/rejected.crt\n",
    "/usr/share/ca-certificates/mozilla/both.crt": Pem("both"),
    "/usr/share/ca-certificates/mozilla/rejected.crt": Pem("rejected"),
}
# A file of /usr/local/share/ca-certificates with two CAs is only in ca-certificates.crt, because Debian 11 hashed
# only files with one certificate.
_DEBIAN_11 = {
    "/etc/ssl/certs": Hashed("both removed rejected"),
    STORE: Pem(SYSTEM),
}

STORES = {
    "Debian 12": Store(
        {**_filled(DEBIAN), **_DEBIAN_DISTRUST},
        own={path: entry for path, entry in DEBIAN_OPENSSL.items() if path not in DEBIAN},
        own_file=SYSTEM,
        own_directory=SYSTEM,
        etc_ssl=("", SYSTEM),
        distrusted="rejected",
    ),
    "Debian 11, two CAs in one file": Store(
        _DEBIAN_11,
        own={f"{OPENSSL}/certs": Link("/etc/ssl/certs")},
        own_directory="both removed rejected",
        etc_ssl=("", "both removed rejected"),
    ),
    "Debian without ca-certificates": Store(
        {"/etc/ssl/certs": os.mkdir},
        "",
        own={f"{OPENSSL}/certs": Link("/etc/ssl/certs"), f"{OPENSSL}/cert.pem": Link(STORE)},
    ),
    "Fedora 43": Store(_filled(FEDORA_43), own=FEDORA_OPENSSL, own_file=SYSTEM, etc_ssl=(SYSTEM, "")),
    "Fedora 44": Store(
        {**_filled(FEDORA_44), f"{BLOCKLIST}/rejected.pem": Pem("rejected")},
        own=FEDORA_OPENSSL,
        own_directory=SYSTEM,
        etc_ssl=("", SYSTEM),
        distrusted="rejected",
    ),
    "Fedora 44, only the file": Store(_filled(FEDORA_44_ONLY_BUNDLE), own=FEDORA_OPENSSL),
    "RHEL 6": Store(
        {
            "/etc/pki/tls/certs/ca-bundle.crt": Pem(SYSTEM),
            "/etc/pki/tls/cert.pem": Link("certs/ca-bundle.crt"),
        },
        own=FEDORA_OPENSSL,
        own_file=SYSTEM,
    ),
    "RHEL 8": _file("/etc/ssl/certs/ca-bundle.crt"),
    "Alpine": Store(
        _filled(ALPINE), own=ETC_SSL_OPENSSL, own_file=SYSTEM, own_directory=SYSTEM, etc_ssl=(SYSTEM, SYSTEM)
    ),
    "SUSE": Store(
        {**_filled(SUSE), "/etc/pki/trust/blocklist/rejected.pem": Pem("rejected")},
        own=ETC_SSL_OPENSSL,
        own_directory=SYSTEM,
        etc_ssl=("", SYSTEM),
        distrusted="rejected",
    ),
    "Arch": Store(_filled(ARCH), own=ETC_SSL_OPENSSL, own_file=SYSTEM, etc_ssl=(SYSTEM, "")),
    "Arch, only cadir": _directory("/etc/ca-certificates/extracted/cadir"),
    "only /etc/ssl/certs": _directory("/etc/ssl/certs"),
    "only /etc/ssl/cert.pem": _file("/etc/ssl/cert.pem"),
    "OpenELEC": _file("/etc/pki/tls/cacert.pem"),
    "old Red Hat": _file("/usr/share/ssl/certs/ca-bundle.crt"),
    "Entware": _file("/opt/etc/ssl/certs/ca-certificates.crt"),
    "OpenHarmony": Store({"/etc/ssl/certs/cacert.pem": Pem(SYSTEM), "/etc/security/certificates": Hashed(SYSTEM)}),
    "curl from source": _file("/usr/local/share/curl/curl-ca-bundle.crt"),
    "an empty container": Store({}, ""),
    "FreeBSD, ca_root_nss": Store(
        {
            "/usr/local/share/certs/ca-root-nss.crt": Pem(SYSTEM),
            "/usr/local/etc/ssl/untrusted/rejected.crt": Pem("rejected"),
        },
        distrusted="rejected",
        platform="freebsd14",
    ),
    "FreeBSD, certctl": _directory("/etc/ssl/certs", "freebsd14"),
    "FreeBSD, /usr/local/etc/ssl": _file("/usr/local/etc/ssl/cert.pem", "freebsd14"),
    "DragonFly BSD": _file("/usr/local/share/certs/ca-root-nss.crt", "dragonfly6"),
    "OpenBSD": _file("/etc/ssl/cert.pem", "openbsd7"),
    "NetBSD": Store(
        {"/etc/openssl/certs/ca-certificates.crt": Pem(SYSTEM), "/etc/openssl/certs": Hashed(SYSTEM)},
        platform="netbsd10",
    ),
    "Solaris": Store(
        {"/etc/certs/ca-certificates.crt": Pem(SYSTEM), "/etc/certs/CA": Hashed(SYSTEM)}, platform="sunos5"
    ),
    "OmniOS": _file("/etc/ssl/cacert.pem", "sunos5"),
    "AIX": _file("/var/ssl/certs/ca-bundle.crt", "aix7"),
    "Cygwin": _file("/usr/ssl/certs/ca-bundle.crt", "cygwin"),
    "Haiku": _file("/boot/system/data/ssl/CARootCertificates.pem", "haiku1"),
}

_HOMEBREW = "/home/linuxbrew/.linuxbrew/etc"
#: For each Python with a private OpenSSL, its files, and the roots in its compiled-in file.
PRIVATE_PYTHONS = {
    "another OpenSSL": ({}, ""),
    "conda": (
        {
            OPENSSL: Link("/opt/conda/ssl"),
            "/opt/conda/ssl/cacert.pem": Pem(f"{BUNDLED} private"),
            "/opt/conda/ssl/cert.pem": Link("cacert.pem"),
        },
        f"{BUNDLED} private",
    ),
    "Homebrew": (
        {
            OPENSSL: Link(f"{_HOMEBREW}/openssl@3"),
            f"{_HOMEBREW}/openssl@3/certs": os.mkdir,
            f"{_HOMEBREW}/openssl@3/cert.pem": Link("../ca-certificates/cert.pem"),
            f"{_HOMEBREW}/ca-certificates/cert.pem": Pem(f"{BUNDLED} private"),
        },
        f"{BUNDLED} private",
    ),
}


class Layout(NamedTuple):
    """The files of a machine with one interpreter.

    :ivar store: the operating system's store
    :ivar tree: all files
    :ivar file: the roots in OpenSSL's compiled-in file
    :ivar directory: the roots in OpenSSL's compiled-in directory
    :ivar private_bundle: whether certifi's file was replaced by one with the root "private" alone
    """

    store: Store
    tree: dict
    file: str = ""
    directory: str = ""
    private_bundle: bool = False


def _layouts() -> dict[str, Layout]:
    layouts = {}
    for name, store in STORES.items():
        if store.own is not None:
            tree = {**store.tree, **store.own}
            layouts[f"{name}; its own Python"] = Layout(store, tree, store.own_file, store.own_directory)
        # Its OPENSSLDIR is /etc/ssl.
        layouts[f"{name}; python-build-standalone"] = Layout(store, {**store.tree, **ETC_SSL_OPENSSL}, *store.etc_ssl)
        for python, (tree, file) in PRIVATE_PYTHONS.items():
            layouts[f"{name}; {python}"] = Layout(store, {**store.tree, **tree}, file)
    return layouts


LAYOUTS = _layouts()
LAYOUTS["Debian 12; its own Python, a private root as certifi's file"] = LAYOUTS["Debian 12; its own Python"]._replace(
    private_bundle=True
)


# Variables.

#: The values of variables that contain paths, and the roots at these paths.
FILES = {
    "a file": ("{directory}/company.pem", "system"),
    "a missing file": ("{directory}/missing.pem", ""),
    "empty": ("", ""),
    "a public bundle": ("{certifi}", BUNDLED),
    "an unrelated CA": ("{directory}/unrelated.pem", "stranger"),
    "conda's bundle": ("/opt/conda/ssl/cacert.pem", f"{BUNDLED} private"),
}
DIRECTORIES = {
    "a directory": ("{directory}/company", "system"),
    "a missing directory": ("{directory}/missing", ""),
    "an empty directory": ("{directory}/empty", ""),
    "empty": ("", ""),
    "an unrelated CA": ("{directory}/unrelated", "stranger"),
    # OpenSSL 3 also reads a file.
    "a file": ("{directory}/company.pem", "system"),
    "a public bundle": ("{certifi}", BUNDLED),
    "two directories": ("{directory}/missing:{directory}/unrelated", "stranger"),
}
PUBLIC = ("a public bundle", "conda's bundle")
FILE_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NIX_SSL_CERT_FILE",
    "CERTHOOK_EXTRA_CA_CERTS",
    "CERTHOOK_BUNDLE",
)
#: For each variable a key of FILES or DIRECTORIES; for other variables the value itself.
Setting = Dict[str, str]


def value_of(variable: str, kind: str) -> str:
    """Return the value of a variable, with placeholders for paths."""
    if variable == "SSL_CERT_DIR":
        return DIRECTORIES[kind][0]
    return FILES[kind][0] if variable in FILE_VARIABLES else kind


def _roots_in(setting: Setting, variable: str) -> set[str]:
    """Return the roots at the path in a variable."""
    table = DIRECTORIES if variable == "SSL_CERT_DIR" else FILES
    return set(table[setting.get(variable, "empty")][1].split())


SETTINGS: dict[str, Setting] = {"no variable": {}}
for _variable in FILE_VARIABLES:
    SETTINGS.update({f"{_variable}: {kind}": {_variable: kind} for kind in FILES if kind != "conda's bundle"})
SETTINGS.update({f"SSL_CERT_DIR: {kind}": {"SSL_CERT_DIR": kind} for kind in DIRECTORIES})
SETTINGS.update(
    {
        f"CERTHOOK_SOURCES={value}": {"CERTHOOK_SOURCES": value}
        for value in ("", "system", "bundled", "bundled,system", "extra")
    }
)
SETTINGS.update(
    {
        "CERTHOOK_LOAD=eager": {"CERTHOOK_LOAD": "eager"},
        "CERTHOOK_REMOVED=drop": {"CERTHOOK_REMOVED": "drop"},
        "CERTHOOK_REMOVED=keep": {"CERTHOOK_REMOVED": "keep"},
        "conda's activation": {"CONDA_PREFIX": "/opt/conda", "SSL_CERT_FILE": "conda's bundle"},
        "SSL_CERT_FILE and SSL_CERT_DIR: missing": {
            "SSL_CERT_FILE": "a missing file",
            "SSL_CERT_DIR": "a missing directory",
        },
        "SSL_CERT_FILE: an unrelated CA, all sources": {
            "SSL_CERT_FILE": "an unrelated CA",
            "CERTHOOK_SOURCES": "system,bundled",
        },
        "SSL_CERT_FILE: a public bundle, with an extra CA": {
            "SSL_CERT_FILE": "a public bundle",
            "CERTHOOK_EXTRA_CA_CERTS": "an unrelated CA",
        },
        "SSL_CERT_FILE: missing, REQUESTS_CA_BUNDLE: a public bundle": {
            "SSL_CERT_FILE": "a missing file",
            "REQUESTS_CA_BUNDLE": "a public bundle",
        },
    }
)


# Clients.


class Client(NamedTuple):
    """A client.

    :ivar code: code that defines ``fetch(port)``; ``FILES`` is the directory of :data:`FILES`
    :ivar default: whether it requests default trust
    :ivar bundle: whether it names a public bundle
    :ivar variables: the variables that replace the bundle, in order of precedence
    :ivar finds_files: whether it passes the system's files to OpenSSL itself if a variable hides them
    :ivar is_slow: whether only the servers with a chain of one certificate are used
    """

    code: str
    default: bool = False
    bundle: bool = False
    variables: tuple[str, ...] = ()
    is_slow: bool = False
    finds_files: bool = False


def _reuse(name: str, **facts: Any) -> Client:
    return Client(client_table.CLIENTS[name].code, **facts)


# A request with as few imports as possible.
_WITH_CONTEXT = """
import os, socket, ssl
def fetch_with(port, context):
    with socket.create_connection(("localhost", port), timeout=60) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as secured:
            secured.sendall(b"GET /hello HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
            with secured.makefile("rb") as reader:
                return reader.read().rpartition(b"\\r\\n\\r\\n")[2]
"""
_WITH_CERTIFI = f"{_WITH_CONTEXT}import certifi\n"
_REQUESTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_HTTPX = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# pip in this process, because starting it for each server takes most of the time.
_PIP = """
import contextlib, io, logging, os, tempfile
from pip._internal.cli.main import main
def fetch(port):
    url = f"https://localhost:{port}/simple/"
    output = io.StringIO()
    with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(output), \\
         contextlib.redirect_stderr(output):
        status = main(["download", "--no-deps", "--no-cache-dir", "--retries=0", "--disable-pip-version-check",
                       "--dest", directory, "--index-url", url, *OPTIONS, "hello"])
    if status:
        raise RuntimeError(output.getvalue())
    return "hello"
"""

CLIENTS = {
    "urllib": _reuse("urllib", default=True),
    "http.client": _reuse("http.client", default=True),
    "a default context": Client(
        _WITH_CONTEXT
        + """
def fetch(port):
    return fetch_with(port, ssl.create_default_context())
""",
        default=True,
    ),
    "a context as in requests": Client(
        _WITH_CERTIFI
        + """
def fetch(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    file = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()
    context.load_verify_locations(file)
    return fetch_with(port, context)
""",
        bundle=True,
        variables=_REQUESTS,
    ),
    "a context as in httpx": Client(
        _WITH_CERTIFI
        + """
def fetch(port):
    file, directory = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    roots = {"cafile": file} if file else {"capath": directory} if directory else {"cafile": certifi.where()}
    return fetch_with(port, ssl.create_default_context(**roots))
""",
        bundle=True,
        variables=_HTTPX,
    ),
    "the bundle as a string": Client(
        _WITH_CERTIFI
        + """
def fetch(port):
    return fetch_with(port, ssl.create_default_context(cadata=certifi.contents()))
""",
        bundle=True,
    ),
    "a file of the caller": Client(
        _WITH_CONTEXT
        + """
def fetch(port):
    return fetch_with(port, ssl.create_default_context(cafile=os.path.join(FILES, "company.pem")))
"""
    ),
    # On Python 3.10 and later, pip uses a copy of truststore, which adds OpenSSL's verify locations to its bundle.
    "pip": Client(f"OPTIONS = []{_PIP}", True, True, _REQUESTS, is_slow=True, finds_files=True),
    "pip, legacy-certs": Client(
        f"OPTIONS = ['--use-deprecated=legacy-certs']{_PIP}", False, True, _REQUESTS, is_slow=True
    ),
}
#: Clients that require their libraries.
LIBRARIES = {
    "requests": _reuse("requests", bundle=True, variables=_REQUESTS),
    "httpx": _reuse("httpx", bundle=True, variables=_HTTPX),
    "botocore": _reuse("botocore", bundle=True, variables=("REQUESTS_CA_BUNDLE",)),
    "aiohttp": _reuse("aiohttp", default=True),
}


# The promises, from the facts above.


class Scenario(NamedTuple):
    """A machine, variables and a client, by their names in the tables."""

    layout: str
    setting: str
    client: str


def _default_trust(layout: Layout, setting: Setting) -> set[str]:
    """Return the roots that the configured sources of default trust list."""
    overriding = [setting.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in setting]
    overrides_system = any(kind not in PUBLIC for kind in overriding)
    sources = setting.get("CERTHOOK_SOURCES") or ("system" if overrides_system else "system,bundled")
    listed = _roots_in(setting, "CERTHOOK_EXTRA_CA_CERTS")
    if "system" in sources:
        listed |= _roots_in(setting, "NIX_SSL_CERT_FILE")
        listed |= _roots_in(setting, "SSL_CERT_FILE") if "SSL_CERT_FILE" in setting else set(layout.file.split())
        listed |= _roots_in(setting, "SSL_CERT_DIR") if "SSL_CERT_DIR" in setting else set(layout.directory.split())
        if not overrides_system:
            listed |= {*layout.file.split(), *layout.directory.split(), *layout.store.roots.split()}
    if "bundled" in sources:
        has_bundle = setting.get("CERTHOOK_BUNDLE", "empty") != "empty"
        listed |= _roots_in(setting, "CERTHOOK_BUNDLE") if has_bundle else _certifi(layout)
    return listed


def _certifi(layout: Layout) -> set[str]:
    return {"private"} if layout.private_bundle else set(BUNDLED.split())


def _chosen_file(client: Client, setting: Setting) -> str:
    """Return the kind of the file in the client's own variables, "" if none is set."""
    kinds = (setting.get(variable, "empty") for variable in client.variables)
    return next((kind for kind in kinds if kind != "empty"), "")


def listed_roots(scenario: Scenario) -> set[str]:
    """Return the roots that a configured source lists for this request, in addition to stock Python's roots."""
    layout, setting, client = look_up(scenario)
    default_trust = _default_trust(layout, setting)
    # Removed roots are excluded from requests for a public bundle.
    adopted = default_trust if setting.get("CERTHOOK_REMOVED") == "keep" else default_trust - {"removed"}
    chosen = _chosen_file(client, setting)
    listed: set[str] = set()
    if client.default:
        listed |= adopted if setting.get("SSL_CERT_FILE") in PUBLIC else default_trust
    if client.bundle and (not chosen or chosen in PUBLIC) and not layout.private_bundle:
        listed |= adopted
    return listed


def excluded_roots(scenario: Scenario) -> set[str]:
    """Return the roots that the administrator or the user of certhook excludes from this request."""
    layout, setting, client = look_up(scenario)
    chosen = _chosen_file(client, setting)
    if not client.default and (not client.bundle or layout.private_bundle or chosen and chosen not in PUBLIC):
        return set()  # A file that the caller names is passed through unchanged.
    excluded = set(layout.store.distrusted.split())
    # A source that CERTHOOK_SOURCES omits is omitted everywhere, and CERTHOOK_BUNDLE replaces every public bundle.
    without = {name: kind for name, kind in setting.items() if name not in ("CERTHOOK_SOURCES", "CERTHOOK_BUNDLE")}
    if without != setting:
        excluded |= (_default_trust(layout, without) | _certifi(layout)) - _default_trust(layout, setting)
    if setting.get("CERTHOOK_REMOVED") == "drop":
        excluded.add("removed")
    return excluded


def passes_files(scenario: Scenario) -> bool:
    """Return whether the client passes the system's files to OpenSSL itself, which certhook does not change."""
    _, setting, client = look_up(scenario)
    return client.finds_files and not setting.keys().isdisjoint(_HTTPX)


def look_up(scenario: Scenario) -> tuple[Layout, Setting, Client]:
    """Return the entries of the tables."""
    client = CLIENTS.get(scenario.client) or LIBRARIES[scenario.client]
    return LAYOUTS[scenario.layout], SETTINGS[scenario.setting], client


def is_redundant(scenario: Scenario) -> bool:
    """Return whether neither the client nor certhook reads the variables."""
    _, setting, client = look_up(scenario)
    others = {name for name in setting if name in _REQUESTS and name not in client.variables}
    return bool(others) and others == setting.keys()
