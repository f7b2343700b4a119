"""What the tests of ``certhook check`` share: servers on loopback in every state, and the verb, asked about them."""

from __future__ import annotations

import contextlib
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
from pki import Issued

from certhook.cli import _contexts, check, main
from certhook.cli.check.plaintext import Deadline
from certhook.cli.check.relay import carry

#: Says what is to be said on a connection; an OSError is the client's going, which is what many tests are about.
Answer = Callable[[socket.socket], object]
Answered = Tuple[Dict[str, Any], str]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, answer: Answer, address: str) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.answer = answer
        super().__init__((address, 0), socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: object) -> None:
        request.settimeout(60)
        with contextlib.suppress(OSError):
            self.answer(request)


def answer_tls(context: ssl.SSLContext, raw: socket.socket) -> None:
    """Hear one word in TLS, and answer it."""
    with context.wrap_socket(raw, server_side=True) as secured:
        secured.recv(1024)
        secured.sendall(b"good bye\r\n")


def say_http(raw: socket.socket) -> None:
    raw.recv(1024)
    raw.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def smtp(context: ssl.SSLContext, raw: socket.socket) -> None:
    raw.sendall(b"220-mail\r\n220 mail.example\r\n")
    assert raw.recv(1024).startswith(b"EHLO")
    raw.sendall(b"250-mail\r\n250 STARTTLS\r\n")
    assert raw.recv(1024) == b"STARTTLS\r\n"
    raw.sendall(b"220 go ahead\r\n")
    answer_tls(context, raw)


def imap(context: ssl.SSLContext, raw: socket.socket) -> None:
    raw.sendall(b"* OK hello\r\n")
    assert raw.recv(1024) == b"c0 STARTTLS\r\n"
    raw.sendall(b"* an aside\r\nc0 OK go ahead\r\n")
    answer_tls(context, raw)


def postgres(context: ssl.SSLContext, raw: socket.socket) -> None:
    assert raw.recv(8) == bytes.fromhex("0000000804d2162f")
    raw.sendall(b"S")
    answer_tls(context, raw)


STARTTLS = {"smtp": smtp, "imap": imap, "postgres": postgres}


def _inside_tls(context: ssl.SSLContext, answer: Answer, raw: socket.socket) -> None:
    """Have *answer* be given inside TLS."""
    secured = context.wrap_socket(raw, server_side=True)
    near, far = socket.socketpair()
    with near:
        threading.Thread(target=carry, args=(secured, far, Deadline(60)), daemon=True).start()
        answer(near)


def _tunnel(port: int, seen: list[str], raw: socket.socket) -> None:
    """Answer CONNECT as a proxy does that sends everybody to the server at *port*."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += raw.recv(1)
    seen.append(head.decode())
    if b"Proxy-Authorization: Basic bmFtZTpzZWNyZXQ=" not in head:
        raw.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        return
    raw.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port), timeout=60) as onward:
        back = threading.Thread(target=_pump, args=(onward, raw), daemon=True)
        back.start()
        _pump(raw, onward)
        back.join(60)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Lab:
    """Servers on loopback, the roots that are trusted, and the verb."""

    def __init__(self, request: pytest.FixtureRequest, stack: contextlib.ExitStack) -> None:
        self._request = request
        self.folder: Path = request.getfixturevalue("tmp_path")
        self.patch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        self.stack = stack

    def as_root(self) -> None:
        """Skip the test where there are no rights to mount, except in CI."""
        self._request.getfixturevalue("root")

    # Whom to trust.

    def trust(self, *roots: Issued, **variables: str) -> None:
        """Have the system's store be these roots, and no source have another one."""
        file = self.folder / "roots.pem"
        file.write_bytes(b"".join(root.pem for root in roots) or b"none\n")
        defaults = {"SSL_CERT_FILE": str(file), "SSL_CERT_DIR": "", "CERTHOOK_CACHE_DIR": support.cache_dir}
        for name, value in {**defaults, **variables}.items():
            self.patch.setenv(name, value)

    def file(self, name: str, content: bytes) -> str:
        """The path of a new file."""
        (self.folder / name).write_bytes(content)
        return str(self.folder / name)

    def flags(self, on: int = 0, off: int = 0) -> None:
        """Have contexts verify with these flags, as in another release of Python."""
        real = _contexts.as_programs_do

        def changed() -> ssl.SSLContext:
            context = real()
            context.verify_flags = (context.verify_flags | on) & ~off
            return context

        self.patch.setattr(_contexts, "as_programs_do", changed)

    # Servers.

    def context(self, sent: tuple[Issued, ...]) -> ssl.SSLContext:
        """A server's context that sends the certificates *sent*, however weak they are."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(self.file("server.pem", sent[0].secret + b"".join(one.pem for one in sent)))
        return context

    def listen(self, answer: Answer, address: str = "127.0.0.1") -> int:
        """The port of a server that gives each connection to *answer*."""
        server = self.stack.enter_context(_Server(answer, address))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.stack.callback(server.shutdown)
        return server.server_address[1]

    def serve(
        self,
        sent: tuple[Issued, ...],
        adjust: Callable[[ssl.SSLContext], object] = lambda context: None,
        answer: Callable[[ssl.SSLContext, socket.socket], object] = answer_tls,
        address: str = "127.0.0.1",
    ) -> int:
        """The port of a server of TLS with the certificates *sent*."""
        context = self.context(sent)
        adjust(context)
        return self.listen(partial(answer, context), address)

    def nobody(self) -> int:
        """A port where nobody listens, and that nobody else gets."""
        taken = self.stack.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])

    def proxy(self, port: int, login: str = "name:secret@", sent: tuple[Issued, ...] = ()) -> list[str]:
        """Have HTTPS_PROXY lead every connection to the server at *port*; the list gets what the proxy was asked.

        :param sent: the certificates of a proxy that speaks TLS itself
        """
        seen: list[str] = []
        answer = partial(_tunnel, port, seen)
        if sent:
            place = f"localhost:{self.listen(partial(_inside_tls, self.context(sent), answer))}"
            self.patch.setenv("HTTPS_PROXY", f"https://{login}{place}")
        else:
            self.patch.setenv("HTTPS_PROXY", f"http://{login}127.0.0.1:{self.listen(answer)}")
        return seen

    # The verb.

    def ask(self, target: object, *arguments: str) -> Answered:
        """What ``check --json`` says of one target, of "localhost" if that is a port, and the same for a person."""
        target = f"localhost:{target}" if isinstance(target, int) else target
        status = main(["check", "--json", *arguments, str(target)])
        return told(self._request.getfixturevalue("capsys").readouterr().out, status)


def told(output: str, status: int) -> Answered:
    """What ``check --json`` printed of one target, and the same for a person."""
    found = json.loads(output)
    (result,) = found["checks"]
    assert status == (0 if result["verified"] else 1)
    assert (result["cause"] is None) == result["verified"]
    text = check.render(result)
    assert all(len(line) < 80 and line.isprintable() for line in text.split("\n")), text
    return result, text


def assert_cause(answer: Answered, identifier: str, *words: str) -> None:
    """The cause is *identifier*, and what a person reads has these *words*."""
    result, text = answer
    assert result["cause"] and result["cause"]["id"] == identifier, text
    said = " ".join(text.split())
    for word in words:
        assert word in said, text


def open_lab(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: object) -> Iterator[Lab]:
    """The fixture ``lab`` of the test files that have one."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(name)
    with contextlib.ExitStack() as stack:
        yield Lab(request, stack)
