"""HTTPS servers that reply "hello" to every program in the format that the program expects."""

from __future__ import annotations

import contextlib
import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support import HELLO_WHEEL, hello_wheel

#: The CAs of the servers: one in the exported file, and one in no store.
TRUSTED, STRANGER = "system", "stranger"

_CRATES = {"crates": [{"name": "hello", "max_version": "1.0.0", "description": ""}], "meta": {"total": 1}}

#: The content type and the body of each path. ORIGIN stands for the URL of the server.
_PAGES = {
    "/": ("text/html", b'<!DOCTYPE html><a href="hello">hello</a>'),
    "/hello": ("text/plain", b"hello"),
    # AWS S3: GetObject.
    "/bucket/hello": ("application/octet-stream", b"hello"),
    # Git: the dumb HTTP protocol.
    "/repository/info/refs": ("text/plain", b"1" * 40 + b"\trefs/heads/hello\n"),
    "/repository/HEAD": ("text/plain", b"ref: refs/heads/hello\n"),
    # pip and uv: a package index (PEP 503).
    "/simple/hello/": ("text/html", f'<!DOCTYPE html><a href="/{HELLO_WHEEL}">{HELLO_WHEEL}</a>'.encode()),
    f"/{HELLO_WHEEL}": ("application/octet-stream", hello_wheel()),
    # Cargo: a sparse registry.
    "/config.json": ("application/json", b'{"dl": "ORIGIN/dl", "api": "ORIGIN"}'),
    "/api/v1/crates": ("application/json", json.dumps(_CRATES).encode()),
}


class _Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        content_type, body = _PAGES.get(self.path.partition("?")[0], ("text/plain", b""))
        body = body.replace(b"ORIGIN", f"https://localhost:{self.server.server_address[1]}".encode())
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """An HTTPS server on loopback that uses *context* for TLS."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        super().__init__(("127.0.0.1", 0), _Pages)

    def finish_request(self, request, client_address) -> None:
        # Perform the handshake in the thread of the connection, so that a failing client does not block the others.
        request.settimeout(60)
        with contextlib.suppress(OSError), self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)
            secured.unwrap()

    def handle_error(self, request, client_address) -> None:
        pass
