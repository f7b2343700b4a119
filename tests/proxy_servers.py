"""Proxies on loopback as handlers of connections: HTTP, with and without TLS, and SOCKS 4, 4a and 5.

Each connects every client to one port, and records the requested hosts.
"""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import ssl
import threading
from typing import Any, Callable, Iterator

#: Handles one connection.
Handler = Callable[[socket.socket], None]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: object) -> None:
        request.settimeout(60)
        with contextlib.suppress(OSError):
            self.handler(request)


@contextlib.contextmanager
def listening(handler: Handler) -> Iterator[int]:
    """Run a proxy on loopback, and return its port."""
    with _Server(handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """Return a port that no process listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def inside_tls(context: ssl.SSLContext, handler: Handler) -> Handler:
    """Return a handler that calls *handler* with a plain socket whose data is transported inside TLS."""

    def handle(raw: socket.socket) -> None:
        secured = context.wrap_socket(raw, server_side=True)
        local, remote = socket.socketpair()
        with local:
            threading.Thread(target=relay, args=(secured, remote), daemon=True).start()
            handler(local)

    return handle


def relay(secured: ssl.SSLSocket, plain: socket.socket) -> None:
    """Copy data in both directions until one side ends or is silent for a minute, then close both sockets."""
    with contextlib.suppress(OSError), secured, plain:
        while True:
            ready = [secured] if secured.pending() else select.select([secured, plain], [], [], 60)[0]
            if not ready:
                return
            for source in ready:
                target = plain if source is secured else secured
                try:
                    source.settimeout(0)  # The received data may contain only a TLS message, such as a session ticket.
                    data = source.recv(65536)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    continue
                if not data:
                    return
                target.settimeout(60)
                target.sendall(data)


def _read(raw: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = raw.recv(size - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data


def _read_text(raw: socket.socket) -> bytes:
    text = b""
    while not text.endswith(b"\0"):
        text += _read(raw, 1)
    return text[:-1]


def copy(source: socket.socket, target: socket.socket) -> None:
    """Copy data until *source* ends."""
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def connect_to(port: int, raw: socket.socket) -> None:
    """Copy data between *raw* and a connection to *port*."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as upstream:
        replies = threading.Thread(target=copy, args=(upstream, raw), daemon=True)
        replies.start()
        copy(raw, upstream)
        replies.join(60)


def http(port: int, hosts: list[str]) -> Handler:
    """Return an HTTP proxy without authentication."""

    def handle(raw: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += _read(raw, 1)
            if not head.isascii():  # TLS or SOCKS
                raw.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
            if head == b"\5" or head == b"\4":
                raw.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
        hosts.append(head.split()[1].decode().rpartition(":")[0])
        raw.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        connect_to(port, raw)

    return handle


def socks4(port: int, hosts: list[str], code: int = 0x5A) -> Handler:
    """Return a SOCKS 4 and 4a proxy that replies with *code*."""

    def handle(raw: socket.socket) -> None:
        if _read(raw, 2) != b"\4\1":
            return
        _read(raw, 2)
        address = _read(raw, 4)
        _read_text(raw)
        is_name = address[:3] == bytes(3) and address[3]
        hosts.append(_read_text(raw).decode() if is_name else socket.inet_ntoa(address))
        raw.sendall(bytes([0, code]) + bytes(6))
        if code == 0x5A:
            connect_to(port, raw)

    return handle


def socks5(port: int, hosts: list[str], login: tuple[bytes, bytes] | None = None, code: int = 0) -> Handler:
    """Return a SOCKS 5 proxy that requires *login* and replies with *code*."""

    def handle(raw: socket.socket) -> None:
        if _read(raw, 1) != b"\5":
            return
        method = 2 if login else 0
        if method not in _read(raw, _read(raw, 1)[0]):
            raw.sendall(b"\5\xff")
            return
        raw.sendall(bytes([5, method]))
        if login:
            _read(raw, 1)
            given = tuple(_read(raw, _read(raw, 1)[0]) for _ in range(2))
            raw.sendall(b"\1\0" if given == login else b"\1\1")
            if given != login:
                return
        kind = _read(raw, 4)[3]
        if kind == 3:
            hosts.append(_read(raw, _read(raw, 1)[0]).decode())
        else:
            family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            hosts.append(socket.inet_ntop(family, _read(raw, size)))
        _read(raw, 2)
        raw.sendall(bytes([5, code, 0, 1]) + bytes(6))
        if not code:
            connect_to(port, raw)

    return handle
