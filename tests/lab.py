"""Servers on loopback in any state, trusted roots, and the command ``certhook check``."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import socketserver
import ssl
import threading
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Tuple

import pytest
import support
from pki import Issued, issue
from proxy_servers import connect_to, inside_tls

from certhook.cli import main
from certhook.cli.check import contexts, curl, models
from certhook.cli.check.report import render

#: Handles one connection. An OSError is ignored, because a client that refuses the certificate disconnects.
Handler = Callable[[socket.socket], object]
#: The JSON object of one server, and the report as text.
Result = Tuple[Dict[str, Any], str]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, handler: Handler, address: str) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.handler = handler
        super().__init__((address, 0), socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: object) -> None:
        request.settimeout(60)
        with contextlib.suppress(OSError):
            self.handler(request)


def answer_tls(context: ssl.SSLContext, raw: socket.socket) -> None:
    """Complete the handshake, read one request and answer it."""
    with context.wrap_socket(raw, server_side=True) as secured:
        secured.recv(1024)
        secured.sendall(b"good bye\r\n")


def answer_http(raw: socket.socket) -> None:
    """Answer any request without TLS."""
    raw.recv(1024)
    raw.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def _smtp(context: ssl.SSLContext, raw: socket.socket) -> None:
    raw.sendall(b"220-mail\r\n220 mail.example\r\n")
    assert raw.recv(1024).startswith(b"EHLO")
    raw.sendall(b"250-mail\r\n250 STARTTLS\r\n")
    assert raw.recv(1024) == b"STARTTLS\r\n"
    raw.sendall(b"220 go ahead\r\n")
    answer_tls(context, raw)


def _imap(context: ssl.SSLContext, raw: socket.socket) -> None:
    raw.sendall(b"* OK hello\r\n")
    assert raw.recv(1024) == b"c0 STARTTLS\r\n"
    raw.sendall(b"* an aside\r\nc0 OK go ahead\r\n")
    answer_tls(context, raw)


def _postgres(context: ssl.SSLContext, raw: socket.socket) -> None:
    assert raw.recv(8) == bytes.fromhex("0000000804d2162f")
    raw.sendall(b"S")
    answer_tls(context, raw)


#: The handlers of servers with STARTTLS.
STARTTLS = {"smtp": _smtp, "imap": _imap, "postgres": _postgres}


def _tunnel(port: int, requests: list[str], raw: socket.socket) -> None:
    """Act as an HTTP proxy that requires "name:secret" and connects every client to *port*."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = raw.recv(1)
        if not data:  # The client has disconnected.
            return
        head += data
    requests.append(head.decode())
    if b"Proxy-Authorization: Basic bmFtZTpzZWNyZXQ=" not in head:
        raw.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        return
    raw.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    connect_to(port, raw)


class Lab:
    """Servers on loopback, trusted roots and the command.

    :ivar directory: an empty directory
    :ivar patch: the monkeypatch fixture
    :ivar stack: closes everything after the test
    """

    def __init__(self, request: pytest.FixtureRequest, patch: pytest.MonkeyPatch, stack: contextlib.ExitStack) -> None:
        self._request = request
        self.directory: Path = request.getfixturevalue("tmp_path")
        self.patch = patch
        self.stack = stack

    def require_root(self) -> None:
        """Skip the test if the user is not root, except in CI."""
        self._request.getfixturevalue("root")

    def write(self, name: str, content: bytes) -> str:
        """Write a file and return its path."""
        (self.directory / name).write_bytes(content)
        return str(self.directory / name)

    def event(self) -> threading.Event:
        """Return an event that is set after the test, for servers that wait."""
        event = threading.Event()
        self.stack.callback(event.set)
        return event

    # Trust.

    def trust(self, *roots: Issued, **variables: str) -> None:
        """Trust only *roots*, as the system's store, and set environment variables."""
        path = self.write("roots.pem", b"".join(root.pem for root in roots) or b"none\n")
        defaults = {"SSL_CERT_FILE": path, "SSL_CERT_DIR": "", "CERTHOOK_STORE_DIR": support.cache_dir}
        for name, value in {**defaults, **variables}.items():
            self.patch.setenv(name, value)

    def trust_unrelated(self, **variables: str) -> None:
        """Trust only a root that issued no server's certificate."""
        self.trust(issue("another root", ca=True, organization="another"), **variables)

    def set_verify_flags(self, on: int = 0, off: int = 0) -> None:
        """Change the flags of default contexts to those of another Python version."""
        default_context = contexts.default_context

        def changed() -> ssl.SSLContext:
            context = default_context()
            context.verify_flags = (context.verify_flags | on) & ~off
            return context

        self.patch.setattr(contexts, "default_context", changed)

    # Servers.

    def server_context(self, sent: tuple[Issued, ...]) -> ssl.SSLContext:
        """Return a server's context that sends the certificates *sent* and accepts weak keys."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(self.write("server.pem", sent[0].secret + b"".join(one.pem for one in sent)))
        return context

    def listen(self, handler: Handler, address: str = "127.0.0.1") -> int:
        """Start a server that passes each connection to *handler*, and return its port."""
        server = self.stack.enter_context(_Server(handler, address))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.stack.callback(server.shutdown)
        return server.server_address[1]

    def serve(
        self,
        sent: tuple[Issued, ...],
        adjust: Callable[[ssl.SSLContext], object] = lambda context: None,
        handler: Callable[[ssl.SSLContext, socket.socket], object] = answer_tls,
        address: str = "127.0.0.1",
    ) -> int:
        """Start a TLS server that sends the certificates *sent*, and return its port."""
        context = self.server_context(sent)
        adjust(context)
        return self.listen(partial(handler, context), address)

    def closed_port(self) -> int:
        """Return a port that no process listens on or will listen on during the test."""
        taken = self.stack.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])

    def use_proxy(self, port: int, credentials: str = "name:secret@", sent: tuple[Issued, ...] = ()) -> list[str]:
        """Start a proxy that connects every client to *port*, and set HTTPS_PROXY.

        :param sent: the certificates of the proxy, which uses TLS if they are given
        :returns: the list of requests to the proxy, which grows
        """
        requests: list[str] = []
        handler = partial(_tunnel, port, requests)
        if sent:
            address = f"localhost:{self.listen(inside_tls(self.server_context(sent), handler))}"
            self.patch.setenv("HTTPS_PROXY", f"https://{credentials}{address}")
        else:
            self.patch.setenv("HTTPS_PROXY", f"http://{credentials}127.0.0.1:{self.listen(handler)}")
        return requests

    def use_proxy_handler(self, handler: Handler) -> None:
        """Start a proxy with this handler, and set HTTPS_PROXY."""
        self.patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{self.listen(handler)}")

    # The command.

    def check(self, target: object, *arguments: str) -> Result:
        """Run ``check --json`` for one target. A port means localhost."""
        target = f"localhost:{target}" if isinstance(target, int) else target
        status = main(["check", "--json", *arguments, str(target)])
        return parse_output(self._request.getfixturevalue("capsys").readouterr().out, status)


def parse_output(output: str, status: int) -> Result:
    """Return the result in the output of ``check --json`` for one target."""
    found = json.loads(output)
    (result,) = found["checks"]
    assert status == (0 if result["verified"] else 1)
    assert (result["cause"] is None) == result["verified"]
    text = render(result)
    assert all(line.isprintable() for line in text.split("\n")), text
    assert not [line for line in text.split("\n") if len(line) >= 80 and not _is_intact(line, result)], text
    return result, text


def _is_intact(line: str, result: dict[str, Any]) -> bool:
    """Return whether *line* must not be wrapped: it is a command, an address, or contains a long path only."""
    advice = result["cause"]["advice"] if result["cause"] else ()
    commands = [command for text in advice for command in text.split("\n")[1:]]
    return line.strip() in commands or line.startswith("  More: https://") or " " not in line.strip()


def assert_cause(result: Result, identifier: str, *phrases: str) -> None:
    """Assert that the cause is *identifier*, and that the report contains *phrases*."""
    found, text = result
    assert found["cause"] and found["cause"]["id"] == identifier, text
    assert f"\n  More: https://certhook.readthedocs.io/en/stable/troubleshooting.html#{identifier}\n" in text
    words = " ".join(text.split())
    for phrase in phrases:
        assert phrase in words, text


class Scenarios:
    """Tests that show the causes of one module with real servers.

    The decorated function sets up a situation and returns the result of the check.

    :ivar identifiers: the causes that are shown
    """

    def __init__(self) -> None:
        self.identifiers: set[str] = set()

    def shows(self, identifier: str, *phrases: str) -> Callable[[Any], Any]:
        """Make a function a test that expects the cause *identifier* and *phrases* in the report."""
        self.identifiers.add(identifier)

        def decorate(scenario: Any) -> Any:
            @functools.wraps(scenario)
            def test(*args: Any, **kwargs: Any) -> None:
                assert_cause(scenario(*args, **kwargs), identifier, *phrases)

            return test

        return decorate


def require_client_certificate(root: Issued, version: ssl.TLSVersion | None = None) -> Callable[[ssl.SSLContext], None]:
    """Return a function that makes a server's context require a client certificate from *root*.

    :param version: the latest TLS version that the server supports
    """

    def adjust(context: ssl.SSLContext) -> None:
        if version is not None:
            context.maximum_version = version
        context.load_verify_locations(cadata=root.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED

    return adjust


@contextlib.contextmanager
def open_lab(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Open a lab without proxies or terminal settings in the environment."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(name)
    # The tests of clients install these.
    monkeypatch.setattr(curl, "find", lambda: None)
    monkeypatch.setattr(models, "version_of", lambda package: None)
    with contextlib.ExitStack() as stack:
        yield Lab(request, monkeypatch, stack)
