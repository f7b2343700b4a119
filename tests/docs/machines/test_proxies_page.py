"""The commands of the page about corporate proxies, behind a proxy that inspects TLS."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler
from typing import Iterator

import pages
import proxy_servers
import pytest
import support
from containers import Container

PAGE = "how-to/proxies"
COMMANDS = [command.command for block in pages.blocks(PAGE, "console") for command in pages.commands(block)]
INSPECT, TRUST, CHECK, EXTRA = COMMANDS[:4]

#: Clients behind the proxy, each of which prints "hello".
CLIENTS = {
    "urllib": """python -c 'import urllib.request as u; print(u.urlopen("https://pypi.org/hello").read().decode())'""",
    "requests": """python -c 'import requests; print(requests.get("https://pypi.org/hello").text)'""",
    "curl": "curl --fail --silent --show-error https://pypi.org/hello",
    "pip": "pip download --no-cache-dir --retries 0 --no-deps -d /tmp/new --index-url https://pypi.org/simple hello",
}


class _Site(BaseHTTPRequestHandler):
    """pypi.org, as the proxy shows it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"hello"
        if self.path == "/simple/hello/":
            body = f'<a href="/{support.HELLO_WHEEL}">{support.HELLO_WHEEL}</a>'.encode()
        elif self.path.endswith(".whl"):
            body = support.hello_wheel()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class _TLS(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        super().__init__(("127.0.0.1", 0), _Site)

    def finish_request(self, request: socket.socket, client_address: object) -> None:
        request.settimeout(60)
        with contextlib.suppress(OSError), self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)


@pytest.fixture(scope="module")
def proxy(cas) -> Iterator[str]:
    """The URL of a proxy that answers for every server with a certificate of the company's CA for pypi.org."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cas.system.issue_cert("pypi.org").configure_cert(context)
    with _TLS(context) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        with proxy_servers.listening(proxy_servers.http(server.server_address[1], [])) as port:
            yield f"http://127.0.0.1:{port}"
        server.shutdown()


@pytest.fixture
def machine(shop, tmp_path, private_ca) -> Container:
    """A machine with certhook and the file of the IT department."""
    machine = shop.child(tmp_path / "machine")
    machine.write("/home/me/company-ca.pem", private_ca.decode())
    machine.workdir = "/home/me"
    return machine


def proxy_variables(proxy: str) -> dict[str, str]:
    """Return the variables of the page, for the proxy of the tests."""
    (line,) = [command for command in COMMANDS if "HTTPS_PROXY=" in command]
    named = dict(pair.split("=", 1) for pair in line.split()[1:])
    (excluded,) = [command.partition("NO_PROXY=")[2] for command in COMMANDS if "NO_PROXY=" in command]
    # curl and Git read the names in lower case.
    return {"NO_PROXY": excluded, "https_proxy": proxy, **dict.fromkeys(named, proxy)}


def succeeds(machine: Container, client: str, **variables: str) -> bool:
    """Return whether a client has received its answer. Any other error than an untrusted certificate fails the test."""
    done = machine.shell(f"rm -rf /tmp/new; {CLIENTS[client]}", env={"PIP_CONFIG_FILE": "/dev/null", **variables})
    output = done.stdout + done.stderr
    assert done.returncode == 0 or re.search("certificate", output, re.IGNORECASE), output
    return done.returncode == 0


def test_after_the_commands_all_clients_trust_the_proxy(machine, proxy) -> None:
    variables = proxy_variables(proxy)
    assert not any(succeeds(machine, client, **variables) for client in CLIENTS)
    done = machine.shell(CHECK, env=variables)
    assert done.returncode == 1
    assert support.shows(done.stdout, "NOT VERIFIED: pypi.org", "certhook tests system")

    done = machine.shell(INSPECT)
    assert done.returncode == 0
    assert support.shows(done.stdout, "SHA-256", "If you trust this CA")
    # The user of the container is root.
    assert machine.shell(f"{TRUST} --dry-run").returncode == 3
    done = machine.shell(f"{TRUST} --yes")
    assert done.returncode == 0, done.stderr

    done = machine.shell(CHECK, env=variables)
    assert done.returncode == 0, done.stdout
    (shown,) = [block.text for block in pages.blocks(PAGE, "text")]
    assert done.stdout.startswith(shown)
    assert [client for client in CLIENTS if not succeeds(machine, client, **variables)] == []
    # requests and pip owe this to certhook.
    assert not succeeds(machine, "requests", CERTHOOK_DISABLED="1", **variables)


def test_the_variable_adds_the_ca_only_for_python(machine, proxy) -> None:
    name, _, path = EXTRA.partition(" ")[2].partition("=")
    variables = {**proxy_variables(proxy), name: path}
    assert {client for client in CLIENTS if succeeds(machine, client, **variables)} == {"urllib", "requests", "pip"}
    line = f'eval "$(certhook env)"\n{CLIENTS["curl"]}'
    assert 'eval "$(certhook env)"' in (pages.DOCS / f"{PAGE}.rst").read_text()
    done = machine.shell(line, env=variables)
    assert (done.returncode, done.stdout) == (0, "hello"), done.stderr


def test_ssl_cert_file_with_the_company_ca_alone_excludes_the_public_roots(machine, servers) -> None:
    env = {"SERVERS": support.server_list(servers), "SSL_CERT_FILE": "/home/me/company-ca.pem"}
    done = machine.run("python", "-c", support.VERDICTS, env=env)
    assert support.verdicts(done.stdout) == {**dict.fromkeys(support.Authorities.names, False), "system": True}


def test_trust_refuses_the_certificate_of_a_server(machine, cas) -> None:
    leaf = cas.system.issue_cert("proxy.example").cert_chain_pems[0].bytes().decode()
    machine.write("/home/me/server.pem", leaf)
    done = machine.shell("certhook trust server.pem --yes")
    assert done.returncode not in (0, 3)
    assert "server" in done.stdout + done.stderr
