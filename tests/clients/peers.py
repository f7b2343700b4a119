"""Loopback servers for the clients. Each implements enough of its protocol for one request and the reply "hello".

A protocol is a function with two parameters: the connection, and a function that performs the
TLS handshake. Depending on the protocol, TLS begins immediately or after a command.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import socketserver
import ssl
import struct
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Callable

from support import HELLO_WHEEL, hello_wheel

Secure = Callable[[socket.socket], ssl.SSLSocket]
Protocol = Callable[[socket.socket, Secure], None]


class Peer(socketserver.ThreadingTCPServer):
    """A server for *protocol* that uses *context* for TLS."""

    daemon_threads = True

    def __init__(self, protocol: Protocol, context: ssl.SSLContext) -> None:
        self.protocol = protocol
        self.context = context
        super().__init__(("127.0.0.1", 0), BaseHTTPRequestHandler)

    def __enter__(self) -> Peer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()
        self.server_close()

    def finish_request(self, request, client_address) -> None:
        request.settimeout(60)
        try:
            self.protocol(request, self._secure)
        except OSError:
            pass  # The client does not trust the server or has closed the connection.

    def _secure(self, raw: socket.socket) -> ssl.SSLSocket:
        secured = self.context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
        try:
            secured.do_handshake()
        except OSError:
            # Read all remaining data. Otherwise the kernel resets the connection, and the client may miss the alert.
            with secured:
                socket.socket.shutdown(secured, socket.SHUT_WR)
                while socket.socket.recv(secured, 4096):
                    pass
            raise
        return secured


_ELASTICSEARCH = {"name": "hello", "tagline": "You Know, for Search", "version": {"number": "9.0.0"}}
_STS = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>hello</Account></GetCallerIdentityResult>"

#: The content type and the body of each path.
PAGES = {
    "/hello": ("text/plain", b"hello"),
    "/": ("application/json", json.dumps(_ELASTICSEARCH).encode()),
    "/simple/hello/": ("text/html", f'<!DOCTYPE html><a href="/{HELLO_WHEEL}">{HELLO_WHEEL}</a>'.encode()),
    f"/{HELLO_WHEEL}": ("application/octet-stream", hello_wheel()),
}


class _Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers["Upgrade"] == "websocket":
            self._serve_websocket()
        else:
            self._reply(*PAGES[self.path])

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._reply("text/xml", f"{_STS}</GetCallerIdentityResponse>".encode())

    def _reply(self, content_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.end_headers()
        self.wfile.write(body)

    def _serve_websocket(self) -> None:
        """RFC 6455: accept the handshake, send a text frame, and reply to the client's close frame.

        The client initiates the close, so that it does not read in one thread while it writes in another:
        before Python 3.13, that corrupts a TLS connection.
        """
        key = f"{self.headers['Sec-WebSocket-Key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.write(b"\x81\x05hello")
        if self.rfile.read1():
            self.wfile.write(b"\x88\x00")
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


def _http2(secured: ssl.SSLSocket) -> None:
    """RFC 9113: reply to every request with status 200 (entry 8 of the static table of HPACK) and "hello"."""

    def frame(kind: int, flags: int, stream: int = 0, payload: bytes = b"") -> bytes:
        return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload

    data, headers, settings = 0x0, 0x1, 0x4
    with secured.makefile("rb") as reader:
        reader.read(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
        secured.sendall(frame(settings, 0))
        for head in iter(partial(reader.read, 9), b""):
            size, flags, stream = struct.unpack(">IBI", head)
            reader.read(size >> 8)
            if size & 0xFF == settings and not flags:
                secured.sendall(frame(settings, 1))
            elif size & 0xFF == headers:
                secured.sendall(frame(headers, 4, stream, b"\x88") + frame(data, 1, stream, b"hello"))


def https(raw: socket.socket, secure: Secure) -> None:
    """HTTP/1.1 with :data:`PAGES`, WebSocket, and HTTP/2 for clients that negotiate it with ALPN."""
    with secure(raw) as secured:
        if secured.selected_alpn_protocol() == "h2":
            _http2(secured)
        else:
            _Http(secured, ("127.0.0.1", 0), None)


def mqtt(raw: socket.socket, secure: Secure) -> None:
    """MQTT 3.1.1: reply to CONNECT with CONNACK and a PUBLISH packet."""
    with secure(raw) as secured:
        if secured.recv(4096):
            secured.sendall(b"\x20\x02\x00\x00" + b"\x30\x08\x00\x01ahello")
        while secured.recv(4096):
            pass


def _bson(document: dict[str, object]) -> bytes:
    elements = b""
    for name, value in document.items():
        if isinstance(value, bool):
            kind, data = b"\x08", struct.pack("<?", value)
        elif isinstance(value, int):
            kind, data = b"\x10", struct.pack("<i", value)
        elif isinstance(value, float):
            kind, data = b"\x01", struct.pack("<d", value)
        else:
            kind, data = b"\x02", struct.pack("<i", len(value) + 1) + value.encode() + b"\0"
        elements += kind + name.encode() + b"\0" + data
    return struct.pack("<i", len(elements) + 5) + elements + b"\0"


#: The description of a MongoDB primary, which is also the reply to every command.
_PRIMARY = {"ok": 1.0, "ismaster": True, "minWireVersion": 0, "maxWireVersion": 21, "text": "hello"}


def mongodb(raw: socket.socket, secure: Secure) -> None:
    """The wire protocol of MongoDB: reply to OP_MSG with OP_MSG and to OP_QUERY with OP_REPLY."""
    with secure(raw) as secured, secured.makefile("rb") as reader:
        for head in iter(partial(reader.read, 16), b""):
            size, request, _, code = struct.unpack("<4i", head)
            reader.read(size - 16)
            reply, prefix = (2013, struct.pack("<Ib", 0, 0)) if code == 2013 else (1, struct.pack("<iqii", 8, 0, 0, 1))
            body = prefix + _bson(_PRIMARY)
            secured.sendall(struct.pack("<4i", 16 + len(body), 0, request, reply) + body)


SMTP = {"EHLO": "250-localhost\r\n250 STARTTLS", "STARTTLS": "220 go", "NOOP": "250 hello", "QUIT": "221 bye"}
IMAP = {
    "CAPABILITY": "* CAPABILITY IMAP4rev1 STARTTLS\r\n{tag} OK done",
    "STARTTLS": "{tag} OK go",
    "NOOP": "{tag} OK hello",
    "LOGOUT": "* BYE\r\n{tag} OK done",
}
FTP = {"AUTH": "234 go", "USER": "331 and?", "PASS": "230 in", "PWD": '257 "hello"', "QUIT": "221 bye"}


def dialogue(
    raw: socket.socket, secure: Secure, greeting: str, replies: dict[str, str], upgrade: str | None = None
) -> None:
    """A line-based protocol. TLS begins before the *greeting* or, if *upgrade* is given, after that command."""
    channel = raw if upgrade else secure(raw)
    line, reply = "", greeting
    while True:
        channel.sendall(reply.format(tag=line.partition(" ")[0]).encode() + b"\r\n")
        if upgrade and upgrade in line.split():
            channel = secure(channel)
        with channel.makefile("rb") as reader:
            line = reader.readline().decode()
        if not line:
            channel.close()
            return
        reply = next(replies[word] for word in line.upper().split() if word in replies)


PROTOCOLS: dict[str, Protocol] = {
    "https": https,
    "mqtt": mqtt,
    "mongodb": mongodb,
    "smtps": partial(dialogue, greeting="220 hi", replies=SMTP),
    "smtp": partial(dialogue, greeting="220 hi", replies=SMTP, upgrade="STARTTLS"),
    "imaps": partial(dialogue, greeting="* OK hi", replies=IMAP),
    "imap": partial(dialogue, greeting="* OK hi", replies=IMAP, upgrade="STARTTLS"),
    "ftp": partial(dialogue, greeting="220 hi", replies=FTP, upgrade="AUTH"),
}
