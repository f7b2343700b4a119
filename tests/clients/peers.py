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

#: The message of servers that refuse a request. The client reports it as an error.
REFUSAL = "refused: hello"

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


_STS = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>hello</Account></GetCallerIdentityResult>"
_FEED = "<?xml version='1.0'?><rss version='2.0'><channel><title>hello</title></channel></rss>"
_MODEL = {"id": "hello", "type": "base", "object": "model", "created": 0, "owned_by": "", "capabilities": {}}
#: The reply to most requests. Each client reads the property that its API defines.
_OBJECT = {
    **dict.fromkeys(("id", "name", "title", "login", "status", "response", "access_token", "model"), "hello"),
    "ok": True,
    "version": "9.0.0",
    "tagline": "You Know, for Search",
    "object": "list",
    "has_more": False,
    "first_id": "hello",
    "last_id": "hello",
    "token_type": "Bearer",
}

#: The content type and the body of each path.
PAGES = {
    "/": ("application/json", json.dumps(_OBJECT).encode()),
    "/feed": ("application/rss+xml", _FEED.encode()),
    "/simple/hello/": ("text/html", f'<!DOCTYPE html><a href="/{HELLO_WHEEL}">{HELLO_WHEEL}</a>'.encode()),
    f"/{HELLO_WHEEL}": ("application/octet-stream", hello_wheel()),
    "/graphql": ("application/json", b'{"data": {"hello": "hello"}}'),
    "/v1/models": ("application/json", json.dumps({**_OBJECT, "data": [_MODEL]}).encode()),
    "/engine.io/": ("text/plain", b'0{"sid":"hello","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'),
}


class _Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers["Upgrade"] == "websocket":
            self._serve_websocket()
        else:
            self._reply(*self._page())

    do_HEAD = do_GET

    def do_POST(self) -> None:
        if self.headers["Transfer-Encoding"] == "chunked":
            while int(self.rfile.readline(), 16):
                self.rfile.readline()
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if b"Action=GetCallerIdentity" in body:
            self._reply("text/xml", f"{_STS}</GetCallerIdentityResponse>".encode())
        else:
            self._reply(*self._page())

    def _page(self) -> tuple[str, bytes]:
        path = self.path.partition("?")[0]
        if path.endswith("/hello"):
            return "text/plain", b"hello"
        if path.endswith("/.well-known/openid-configuration"):
            address = f"https://{self.headers['Host']}/tenant"
            endpoints = dict.fromkeys(("issuer", "authorization_endpoint", "token_endpoint"), address)
            return "application/json", json.dumps(endpoints).encode()
        return PAGES.get(path, PAGES["/"])

    def _reply(self, content_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.end_headers()
        if self.command != "HEAD":
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


def _http2(
    secured: ssl.SSLSocket, headers_block: bytes = b"\x88", body: bytes = b"hello", trailers: bytes = b""
) -> None:
    """RFC 9113: reply to every request with status 200 (entry 8 of the static table of HPACK) and *body*."""

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
                secured.sendall(frame(headers, 4, stream, headers_block))
                secured.sendall(frame(data, 0 if trailers else 1, stream, body))
                if trailers:
                    secured.sendall(frame(headers, 5, stream, trailers))


def https(raw: socket.socket, secure: Secure) -> None:
    """HTTP/1.1 with :data:`PAGES`, WebSocket, and HTTP/2 for clients that negotiate it with ALPN."""
    with secure(raw) as secured:
        if secured.selected_alpn_protocol() == "h2":
            _http2(secured)
        else:
            _Http(secured, ("127.0.0.1", 0), None)


def grpc(raw: socket.socket, secure: Secure) -> None:
    """gRPC: reply to every call with a message that has the string "hello" as its field 15."""

    def field(name: str, value: str) -> bytes:
        return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

    with secure(raw) as secured:
        message = b"\0\0\0\0\7\x7a\5hello"
        _http2(secured, b"\x88" + field("content-type", "application/grpc"), message, field("grpc-status", "0"))


def _frame(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, 0, len(payload)) + payload + b"\xce"


def amqp(raw: socket.socket, secure: Secure) -> None:
    """AMQP 0-9-1: reply to Connection.StartOk with Connection.Close."""
    with secure(raw) as secured:
        if not secured.recv(4096):
            return
        secured.sendall(_frame(1, struct.pack(">HHBBI", 10, 10, 0, 9, 0) + b"\0\0\0\5PLAIN" + b"\0\0\0\5en_US"))
        if secured.recv(4096):
            text = REFUSAL.encode()
            secured.sendall(_frame(1, struct.pack(">HHHB", 10, 50, 403, len(text)) + text + b"\0\0\0\0"))
        while secured.recv(4096):
            pass


def ldap(raw: socket.socket, secure: Secure) -> None:
    """RFC 4511: reply to a bind request with invalidCredentials."""
    with secure(raw) as secured:
        request = secured.recv(4096)
        if request:
            text = b"\x04" + bytes([len(REFUSAL)]) + REFUSAL.encode()
            result = b"\x0a\x01\x31\x04\x00" + text
            message = request[2:5] + b"\x61" + bytes([len(result)]) + result
            secured.sendall(b"\x30" + bytes([len(message)]) + message)
        while secured.recv(4096):
            pass


def mysql(raw: socket.socket, secure: Secure) -> None:
    """MySQL's protocol 4.1: TLS begins after the client's request; reply to the log-in with an error."""

    def packet(number: int, payload: bytes) -> bytes:
        return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload

    capabilities = 0x00088A08 | 0x0205  # PLUGIN_AUTH, SECURE_CONNECTION, SSL, PROTOCOL_41, CONNECT_WITH_DB
    low, high = struct.pack("<I", capabilities)[:2], struct.pack("<I", capabilities)[2:]
    greeting = b"\x0a8.0.0\0" + struct.pack("<I", 1) + b"12345678\0" + low + b"\x2d\x02\0" + high + b"\x15" + bytes(10)
    raw.sendall(packet(0, greeting + b"123456789012\0" + b"mysql_native_password\0"))
    with raw.makefile("rb", buffering=0) as reader:
        size = struct.unpack("<I", reader.read(4)[:3] + b"\0")[0]
        reader.read(size)
    with secure(raw) as secured:
        log_in = secured.recv(4096)
        if log_in:
            secured.sendall(packet(log_in[3] + 1, b"\xff" + struct.pack("<H", 1045) + b"#28000" + REFUSAL.encode()))


def nats(raw: socket.socket, secure: Secure) -> None:
    """The protocol of NATS: TLS begins after INFO. A message follows the subscription."""
    raw.sendall(b'INFO {"server_id":"1","version":"2.0.0","max_payload":1000,"tls_required":true}\r\n')
    with secure(raw) as secured, secured.makefile("rb") as reader:
        for line in reader:
            if line.startswith(b"PING"):
                secured.sendall(b"PONG\r\n")
            elif line.startswith(b"SUB"):
                secured.sendall(b"MSG hello " + line.split()[-1] + b" 5\r\nhello\r\n")


def stomp(raw: socket.socket, secure: Secure) -> None:
    """STOMP 1.2: reply to every frame with CONNECTED."""
    with secure(raw) as secured:
        while secured.recv(4096):
            secured.sendall(b"CONNECTED\nversion:1.2\nserver:hello\n\n\0")


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
    "amqp": amqp,
    "grpc": grpc,
    "ldap": ldap,
    "mysql": mysql,
    "nats": nats,
    "stomp": stomp,
    "mqtt": mqtt,
    "mongodb": mongodb,
    "smtps": partial(dialogue, greeting="220 hi", replies=SMTP),
    "smtp": partial(dialogue, greeting="220 hi", replies=SMTP, upgrade="STARTTLS"),
    "imaps": partial(dialogue, greeting="* OK hi", replies=IMAP),
    "imap": partial(dialogue, greeting="* OK hi", replies=IMAP, upgrade="STARTTLS"),
    "ftp": partial(dialogue, greeting="220 hi", replies=FTP, upgrade="AUTH"),
}
