"""``check`` and reality: its verdict of each client equals the real client's, for a table of settings.

Each setting runs in a process of its own settings on a Debian machine, with real servers and
proxies. The old environment contains the versions before changes in the rules of libraries.
"""

from __future__ import annotations

import json
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator

import pki
import proxy_servers
import pytest
import support
from cryptography import x509
from layouts import DEBIAN_OPENSSL
from linux_machine import LinuxMachine

_REQUIREMENTS = {
    "newest": ["requests[socks]", "httpx[socks]"],
    "old": ["requests[socks]==2.31.0", "urllib3==1.26.20", "httpx[socks]==0.27.2"],
    "without SOCKS": ["requests", "httpx"],
}

#: For each of CASES (variables and a URL), prints the verdicts of ``check`` and of the real clients.
_PROGRAM = """
import contextlib, io, json, os, subprocess, sys, urllib.request, warnings
import httpx, requests
from certhook.cli import main
warnings.simplefilter("ignore")
clients = {
    "urllib": lambda url: urllib.request.build_opener().open(url, timeout=20).read(),
    "requests": lambda url: requests.get(url, timeout=20),
    "httpx": lambda url: httpx.get(url, timeout=20),
    "curl": lambda url: subprocess.run(["curl", "-q", "-sS", "-m", "20", url], check=True, capture_output=True),
}
environ = dict(os.environ)
for variables, url in json.loads(os.environ.pop("CASES")):
    os.environ.clear()
    os.environ.update({**environ, **variables})
    real = {}
    for name, fetch in clients.items():
        try:
            fetch(url)
        except Exception as error:
            real[name] = repr(error)
        else:
            real[name] = True
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        main(["check", "--json", url])
    print(json.dumps([json.loads(output.getvalue())["checks"][0], real]))
"""


class World:
    """Servers, proxies and files of roots.

    :ivar values: the values of the placeholders in the settings
    """

    def __init__(self, cas: support.Authorities, servers: support.Servers, directory: Path, stack: ExitStack) -> None:
        self.values = {name: servers.port(name) for name in cas.names}
        self.hosts: list[str] = []
        for name in ("system", "extra", "stranger"):
            (directory / f"{name}.pem").write_bytes(cas.pem(name))
            folder = directory / name
            folder.mkdir()
            (folder / support.hashed_name(cas.der(name))).write_bytes(cas.pem(name))
            self.values.update({f"{name}_file": directory / f"{name}.pem", f"{name}_directory": folder})
        (directory / "notes.txt").write_bytes(b"no certificate\n")
        (directory / "empty").mkdir()
        self.values.update(missing=directory / "missing", notes=directory / "notes.txt", empty=directory / "empty")
        self.values["dead"] = stack.enter_context(proxy_servers.closed_port())
        port = servers.port("system")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cas.system.issue_cert("localhost").configure_cert(context)
        http = proxy_servers.http(port, self.hosts)
        proxies = {
            "http": http,
            "tls": proxy_servers.inside_tls(context, http),
            "socks4": proxy_servers.socks4(port, self.hosts),
            "socks5": proxy_servers.socks5(port, self.hosts),
            "login": proxy_servers.socks5(port, self.hosts, (b"name", b"secret")),
        }
        for name, handler in proxies.items():
            self.values[name] = stack.enter_context(proxy_servers.listening(handler))
        self._add_named(cas, directory, stack)

    def _add_named(self, cas: support.Authorities, directory: Path, stack: ExitStack) -> None:
        """Start servers whose certificates have unusual names, or none."""
        root = pki.issue("names", ca=True)
        (directory / "names.pem").write_bytes(root.pem)
        self.values["names_file"] = directory / "names.pem"
        email = x509.SubjectAlternativeName([x509.RFC822Name("a@localhost")])
        named = {
            "common": pki.issue("localhost", root, hosts=()),
            "email": pki.issue("localhost", root, changed={x509.SubjectAlternativeName: (email, False)}),
            "other": pki.issue("localhost", root, hosts=("other.example",)),
            "address": pki.issue("127.0.0.1", root, hosts=()),
        }
        for name, leaf in named.items():
            path = directory / f"{name}.server.pem"
            path.write_bytes(leaf.secret + leaf.pem)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(path)
            self.values[name] = stack.enter_context(support.serving(context))


# The settings: variables, separated by spaces, and servers. In both, names in braces are values of the world.
_SERVERS = tuple(f"https://localhost:{{{name}}}/" for name in ("bundled", "extra"))
_ROOTS = (
    "",
    "REQUESTS_CA_BUNDLE= CURL_CA_BUNDLE= SSL_CERT_FILE= SSL_CERT_DIR=",
    "REQUESTS_CA_BUNDLE={extra_file}",
    "REQUESTS_CA_BUNDLE={extra_directory}",
    "REQUESTS_CA_BUNDLE={missing}",
    "REQUESTS_CA_BUNDLE={notes}",
    "REQUESTS_CA_BUNDLE={empty}",
    "REQUESTS_CA_BUNDLE={certifi}",
    "REQUESTS_CA_BUNDLE={missing} CURL_CA_BUNDLE={extra_file}",
    "REQUESTS_CA_BUNDLE= CURL_CA_BUNDLE={extra_file}",
    "CURL_CA_BUNDLE={missing}",
    "CURL_CA_BUNDLE={extra_directory}",
    "SSL_CERT_FILE={extra_file}",
    "SSL_CERT_FILE={missing}",
    "SSL_CERT_FILE={notes}",
    "SSL_CERT_FILE={extra_directory}",
    "SSL_CERT_FILE={certifi}",
    "SSL_CERT_DIR={extra_directory}",
    "SSL_CERT_DIR={missing}",
    "SSL_CERT_FILE={missing} SSL_CERT_DIR={extra_directory}",
    "SSL_CERT_FILE={extra_file} SSL_CERT_DIR={system_directory}",
    "SSL_CERT_FILE={extra_file} REQUESTS_CA_BUNDLE={system_file}",
    "CERTHOOK_EXTRA_CA_CERTS={extra_file}",
    "CERTHOOK_EXTRA_CA_CERTS={extra_file} REQUESTS_CA_BUNDLE={system_file}",
    "CERTHOOK_SOURCES=bundled",
    "CERTHOOK_ADOPT=none",
)
_NAMES = tuple(
    f"https://{host}:{{{name}}}/"
    for name in ("common", "email", "other", "address")
    for host in ("localhost", "127.0.0.1")
)
_DEAD = "HTTPS_PROXY=http://127.0.0.1:{dead} NO_PROXY="
_EXCEPTIONS = (
    "", "localhost", "LOCALHOST", ".localhost", "calhost", "*", "other,*", "*localhost", "localhost:{system}",
    "localhost:1", "other,localhost", "127.0.0.1", "127.0.0.0/8", "127.0.0.1/32", "10.0.0.0/8", "127.0.0.0/33",
    "127.0.0.1:{system}", "::1", "https://localhost", "http://localhost", "all://127.0.0.1",
)  # fmt: skip
_ROUTES = (
    "HTTPS_PROXY=http://127.0.0.1:{http}",
    "HTTPS_PROXY=127.0.0.1:{http}",
    "https_proxy=http://127.0.0.1:{http} HTTPS_PROXY=http://127.0.0.1:{dead}",
    "HTTPS_PROXY=https://localhost:{tls}",
    "HTTPS_PROXY=https://localhost:{tls} REQUESTS_CA_BUNDLE={extra_file}",
    "HTTPS_PROXY=https://127.0.0.1:{http}",
    "HTTPS_PROXY=http://localhost:{tls}",
    "HTTPS_PROXY=socks4://127.0.0.1:{socks4}",
    "HTTPS_PROXY=socks4a://127.0.0.1:{socks4}",
    "HTTPS_PROXY=socks5://127.0.0.1:{socks5}",
    "HTTPS_PROXY=socks5h://127.0.0.1:{socks5}",
    "HTTPS_PROXY=socks5h://127.0.0.1:{http}",
    "HTTPS_PROXY=socks5h://name:secret@127.0.0.1:{login}",
    "HTTPS_PROXY=socks5h://name:guess@127.0.0.1:{login}",
    "HTTPS_PROXY=socks5h://127.0.0.1:{login}",
    "HTTPS_PROXY=socks://127.0.0.1:{socks4}",
    "HTTPS_PROXY=gopher://127.0.0.1:{http}",
    "ALL_PROXY=http://127.0.0.1:{http}",
    "ALL_PROXY=http://127.0.0.1:{dead}",
    "ALL_PROXY=socks4://127.0.0.1:{dead}",
    "ALL_PROXY=socks5://127.0.0.1:{socks5}",
    "ALL_PROXY=socks5h://127.0.0.1:{dead} NO_PROXY=localhost",
    "ALL_PROXY=http://127.0.0.1:{dead} HTTPS_PROXY=http://127.0.0.1:{http}",
    "HTTP_PROXY=http://127.0.0.1:{dead}",
    "HTTP_PROXY=socks4://127.0.0.1:{dead}",
    "HTTP_PROXY=socks5://127.0.0.1:{dead}",
)
_LOCAL = ("https://localhost:{system}/", "https://127.0.0.1:{system}/")
_TABLES = {
    "variables of OpenSSL": [(setting, _SERVERS[1]) for setting in _ROOTS if "SSL_CERT" in setting],
    "roots": [(setting, url) for setting in _ROOTS for url in _SERVERS],
    "names": [
        (f"CERTHOOK_EXTRA_CA_CERTS={{names_file}} CURL_CA_BUNDLE={{names_file}}{more}", url)
        for url in _NAMES
        for more in ("", " SSL_CERT_FILE={names_file}")
    ],
    "exceptions": [(f"{_DEAD}{value}", url) for value in _EXCEPTIONS for url in _LOCAL],
    "routes": [(setting, _LOCAL[0]) for setting in _ROUTES],
}


@pytest.fixture(scope="module")
def world(cas, servers, tmp_path_factory) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(cas, servers, tmp_path_factory.mktemp("world"), stack)


@pytest.fixture(scope="session")
def checked_environments(once, pip_install, wheel) -> dict[str, Path]:
    """The interpreters of environments with certhook's wheel, its extra and the clients."""
    pythons = {}
    for name, requirements in _REQUIREMENTS.items():
        with once(f"check {name}".replace(" ", "-")) as (directory, is_first):
            pythons[name] = support.interpreter_of(directory / "venv")
            if is_first:
                support.make_environment(directory / "venv")
                pip_install(pythons[name], wheel, "cryptography", "--no-compile", *requirements)
    return pythons


def verdicts(
    python: Path, table: str, world: World, cas, servers, tmp_path: Path
) -> Iterator[tuple[str, str, object, object]]:
    """Yield each setting of a table, the client, the verdict of ``check`` and the real one."""
    machine = LinuxMachine(cas, servers, python, python, tmp_path)
    values = {**world.values, "certifi": machine.certifi / "cacert.pem"}
    cases = [
        (dict(pair.split("=", 1) for pair in setting.format_map(values).split()), url.format_map(values))
        for setting, url in _TABLES[table]
    ]
    over = {str(machine.certifi / "cacert.pem"): machine.bundle}
    done = machine.run(python, _PROGRAM, DEBIAN_OPENSSL, tmp_path, over=over, CASES=json.dumps(cases))
    lines = done.stdout.splitlines()
    assert len(lines) == len(cases), done.stderr
    for (setting, url), line in zip(_TABLES[table], lines):
        check, real = json.loads(line)
        assert "secret" not in line.replace(str(tmp_path), "")
        for client in check["clients"]:
            yield setting, url, client, real[client["name"]]


@pytest.mark.parametrize(
    ("environment", "table"),
    [
        *(("newest", table) for table in ("roots", "names", "exceptions", "routes")),
        *(("old", table) for table in ("variables of OpenSSL", "names", "routes")),
        ("without SOCKS", "routes"),
    ],
)
def test_the_verdict_of_each_client_is_that_of_the_real_client(
    root, checked_environments, world, cas, servers, tmp_path, environment, table
) -> None:
    found = list(verdicts(checked_environments[environment], table, world, cas, servers, tmp_path))
    different = [
        f"{setting} {url}: {client['name']}: check {client['verified']} ({client['error']}), really {real}"
        for setting, url, client, real in found
        if client["verified"] is not (real is True)
    ]
    assert not different, "\n".join(different)
    assert len({client["name"] for _, _, client, _ in found}) == 4
