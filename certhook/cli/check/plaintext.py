"""Everything before TLS: TCP connect, HTTP CONNECT, STARTTLS, and replies without TLS.

The peer may be malicious. All reads end at the :class:`Deadline`, and the sizes of replies are
limited.
"""

from __future__ import annotations

import base64
import socket
import threading
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from certhook.cli.check.failure import Deadline, Failure
from certhook.cli.check.relay import open_relay
from certhook.cli.check.target import Target

_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"  # of PostgreSQL: the length, and the code 80877103
_MAX_LINE = 65536
_MAX_REPLY = 4096
#: The time for an optional reply, in seconds.
REPLY_TIMEOUT = 3.0


def open_connection(target: Target, deadline: Deadline, proxy: str | None) -> socket.socket:
    """Connect to *target*, through *proxy* if it is given.

    :raises Failure: in one of the steps "name", "connect" and "proxy"
    """
    if proxy is None:
        return _connect(target.host, target.port, deadline)
    try:
        address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if address.scheme not in ("http", "https"):
            raise Failure("proxy", f"{address.scheme}:// proxies are not supported; use an HTTP proxy")
        uses_tls, host = address.scheme == "https", address.hostname or ""
        raw = _connect(host, address.port or (443 if uses_tls else 80), deadline)
    except Failure as failure:
        raise Failure("proxy", failure.text) from failure
    except ValueError as error:
        raise Failure("proxy", "the address of the proxy is invalid") from error
    if uses_tls:
        try:
            raw = open_relay(raw, host, deadline)
        except (OSError, ValueError) as error:  # ValueError: the host is not a valid server name.
            raw.close()
            text = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
            raise Failure("proxy", f"TLS to the proxy failed: {text}") from error
    try:
        _open_tunnel(_Lines(raw, deadline), target, address)
    except OSError as error:
        raw.close()
        raise Failure("proxy", f"no reply from the proxy: {error}") from error
    except Failure:
        raw.close()
        raise
    return raw


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address of *host* that accepts. The remaining addresses share the remaining time equally."""
    error = OSError("no address")
    addresses = _resolve(host, port, deadline)
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            raw = socket.socket(family, kind, protocol)
        except OSError as refusal:  # The system does not support IPv6.
            error = refusal
            continue
        try:
            raw.settimeout(deadline.left() / (len(addresses) - number))
            raw.connect(address)
            return raw
        except OSError as refusal:
            raw.close()
            error = refusal
    if isinstance(error, socket.timeout):
        raise Failure("connect", "timed out", reason="timeout") from error
    refused = isinstance(error, ConnectionRefusedError)
    raise Failure("connect", error.strerror or str(error), reason="refused" if refused else "") from error


def _resolve(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Return the results of getaddrinfo(), which has no time limit of its own and therefore runs in a thread."""
    results: list[Any] = []

    def resolve() -> None:
        try:
            results.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            results.append(error)

    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    try:
        thread.join(deadline.left())
    except socket.timeout:
        pass
    result = results[0] if results else socket.gaierror(socket.EAI_AGAIN, "the name service did not answer in time")
    if isinstance(result, Exception):
        unanswered = isinstance(result, socket.gaierror) and result.errno in (socket.EAI_AGAIN, socket.EAI_FAIL)
        text = getattr(result, "strerror", None) or str(result)
        raise Failure("name", text, reason="unanswered" if unanswered else "") from result
    return list(result)


class _Lines:
    """A connection with a line-based protocol, limited by a deadline."""

    def __init__(self, raw: socket.socket, deadline: Deadline) -> None:
        self._raw = raw
        self._deadline = deadline

    def send(self, data: bytes) -> None:
        self._raw.settimeout(self._deadline.left())
        self._raw.sendall(data)

    def read_byte(self) -> bytes:
        self._raw.settimeout(self._deadline.left())
        byte = self._raw.recv(1)
        if not byte:
            raise ConnectionResetError("the connection was closed")
        return byte

    def read(self) -> str:
        """Read exactly one line. The bytes after it may belong to TLS."""
        line = b""
        while not line.endswith(b"\n") and len(line) < _MAX_LINE:
            line += self.read_byte()
        return line.decode("latin-1").rstrip("\r\n")


def _open_tunnel(lines: _Lines, target: Target, proxy: SplitResult) -> None:
    """Send the CONNECT request to a proxy (:rfc:`9110#section-9.3.6`)."""
    request = [f"CONNECT {target.ascii_host}:{target.port} HTTP/1.1", f"Host: {target.ascii_host}:{target.port}"]
    if proxy.username is not None:
        credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        request.append(f"Proxy-Authorization: Basic {base64.b64encode(credentials).decode()}")
    lines.send("\r\n".join([*request, "", ""]).encode("latin-1", "replace"))
    status = lines.read()
    words = status.split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise Failure("proxy", f"the reply of the proxy is not HTTP: {status[:60]!r}")
    while lines.read():
        pass
    if words[1][0] != "2":
        raise Failure("proxy", " ".join(words[1:]), code=int(words[1][:3]))


def _start_smtp(lines: _Lines) -> None:
    for command in (b"", b"EHLO localhost\r\n", b"STARTTLS\r\n"):
        lines.send(command)
        reply = lines.read()
        while reply[3:4] == "-":
            reply = lines.read()
        if reply[:1] != "2":
            raise Failure("starttls", reply)


def _start_imap(lines: _Lines) -> None:
    reply = lines.read()
    if not reply.startswith("* OK"):
        raise Failure("starttls", reply)
    lines.send(b"c0 STARTTLS\r\n")
    reply = lines.read()
    while reply.startswith("* "):
        reply = lines.read()
    if not reply.startswith("c0 OK"):
        raise Failure("starttls", reply)


def _start_postgres(lines: _Lines) -> None:
    lines.send(_SSL_REQUEST)
    reply = lines.read_byte()
    if reply != b"S":
        raise Failure("starttls", "the server does not support TLS" if reply == b"N" else f"unexpected reply {reply!r}")


_STARTTLS = {"smtp": _start_smtp, "imap": _start_imap, "postgres": _start_postgres}


def start_tls(protocol: str, raw: socket.socket, deadline: Deadline) -> None:
    """Exchange the messages of *protocol* that precede the TLS handshake (STARTTLS).

    :raises Failure: in the step "starttls"
    """
    try:
        _STARTTLS[protocol](_Lines(raw, deadline))
    except socket.timeout as error:
        raise Failure("starttls", "timed out", reason="timeout") from error
    except OSError as error:
        raise Failure("starttls", f"no reply: {error}") from error


def plaintext_reply(target: Target, deadline: Deadline, proxy: str | None = None) -> bytes:
    """Return the server's reply to a plain HTTP request, or its greeting; empty if it sends none."""
    reply = b""
    try:
        with open_connection(target, deadline, proxy) as raw:
            deadline = Deadline(min(deadline.left(), REPLY_TIMEOUT))
            raw.settimeout(deadline.left())
            raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while len(reply) < _MAX_REPLY:
                raw.settimeout(deadline.left())
                data = raw.recv(_MAX_REPLY)
                reply += data
                # An HTTP reply may arrive in parts and ends. A server with another protocol waits for the client.
                if not data or not reply.startswith(b"HTTP/"):
                    break
    except (OSError, Failure):
        pass
    return reply
