"""To a server, and what is said there in the clear: to an HTTP proxy, up to STARTTLS, or instead of TLS.

The other side may be anybody. It is listened to no longer than the :class:`Deadline`
says, and what it says is kept short and printable.
"""

from __future__ import annotations

import base64
import socket
import threading
import time
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from certhook.cli._words import printable
from certhook.cli.check.relay import inside_tls
from certhook.cli.check.target import Target

_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"  # of PostgreSQL: its length, and 80877103
_LONGEST_LINE = 65536
_LONGEST_WORDS = 4096
#: In seconds, with a server that need not say anything.
PATIENCE = 3.0


class Failure(Exception):
    """A connection that ended early.

    :ivar step: one of "name", "connect", "proxy", "starttls", "tls" and "verify"
    :ivar code: of OpenSSL's verification, or of HTTP where a proxy refused
    :ivar reason: OpenSSL's word for it, as "WRONG_VERSION_NUMBER", or one of "timeout", "refused" and "unanswered"
    :ivar text: the message, printable
    :ivar was_asked: whether the server had asked for a certificate of the client
    """

    was_asked = False

    def __init__(self, step: str, text: str, code: int = 0, reason: str = "") -> None:
        text = printable(text)
        super().__init__(step, text, code, reason)
        self.step, self.text, self.code, self.reason = step, text, code, reason


class Deadline:
    """The moment until which everything has to be done.

    :param seconds: from now
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """The seconds that are left.

        :raises socket.timeout: if none are
        """
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise socket.timeout("timed out")
        return seconds


def reach(target: Target, deadline: Deadline, proxy: str | None) -> socket.socket:
    """Connect to *target*, or have *proxy* do so.

    :raises Failure: at one of the steps "name", "connect" and "proxy"
    """
    if proxy is None:
        return _tcp(target.host, target.port, deadline)
    try:
        address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if address.scheme not in ("http", "https"):
            raise Failure("proxy", f"it is a {address.scheme} proxy, and not an HTTP one")
        is_secured, host = address.scheme == "https", address.hostname or ""
        raw = _tcp(host, address.port or (443 if is_secured else 80), deadline)
    except Failure as failure:
        raise Failure("proxy", failure.text) from failure
    except ValueError as error:
        raise Failure("proxy", "that is not the address of a proxy") from error
    if is_secured:
        try:
            raw = inside_tls(raw, host, deadline)
        except (OSError, ValueError) as error:  # also a name that TLS has no use for
            raw.close()
            text = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
            raise Failure("proxy", f"no TLS with it, {text}") from error
    try:
        _tunnel(_Lines(raw, deadline), target, address)
    except OSError as error:
        raw.close()
        raise Failure("proxy", f"no answer: {error}") from error
    except Failure:
        raw.close()
        raise
    return raw


def _tcp(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address of *host* that answers, each of which gets a share of the time."""
    error = OSError("it has no address")
    addresses = _addresses(host, port, deadline)
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            raw = socket.socket(family, kind, protocol)
        except OSError as refusal:  # a system without IPv6
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
        raise Failure("connect", "no answer in time", reason="timeout") from error
    refused = isinstance(error, ConnectionRefusedError)
    raise Failure("connect", error.strerror or str(error), reason="refused" if refused else "") from error


def _addresses(host: str, port: int, deadline: Deadline) -> list[Any]:
    """What the system's resolver says, which has no time limit of its own that could be set."""
    answer: list[Any] = []

    def look_up() -> None:
        try:
            answer.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    try:
        thread.join(deadline.left())
    except socket.timeout:
        pass
    found = answer[0] if answer else socket.gaierror(socket.EAI_AGAIN, "no name server answered in time")
    if isinstance(found, Exception):
        unanswered = isinstance(found, socket.gaierror) and found.errno in (socket.EAI_AGAIN, socket.EAI_FAIL)
        text = getattr(found, "strerror", None) or str(found)
        raise Failure("name", text, reason="unanswered" if unanswered else "") from found
    return list(found)


class _Lines:
    """A connection on which both sides speak in lines, until the deadline."""

    def __init__(self, raw: socket.socket, deadline: Deadline) -> None:
        self._raw = raw
        self._deadline = deadline

    def say(self, text: bytes) -> None:
        self._raw.settimeout(self._deadline.left())
        self._raw.sendall(text)

    def byte(self) -> bytes:
        self._raw.settimeout(self._deadline.left())
        byte = self._raw.recv(1)
        if not byte:
            raise ConnectionResetError("the connection was closed")
        return byte

    def hear(self) -> str:
        """The next line, and not one byte more: what follows may be TLS."""
        line = b""
        while not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
            line += self.byte()
        return line.decode("latin-1").rstrip("\r\n")


def _tunnel(lines: _Lines, target: Target, proxy: SplitResult) -> None:
    """Have a proxy connect us (:rfc:`9110#section-9.3.6`)."""
    request = [f"CONNECT {target.ascii}:{target.port} HTTP/1.1", f"Host: {target.ascii}:{target.port}"]
    if proxy.username is not None:
        secret = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        request.append(f"Proxy-Authorization: Basic {base64.b64encode(secret).decode()}")
    lines.say("\r\n".join([*request, "", ""]).encode("latin-1", "replace"))
    status = lines.hear()
    words = status.split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise Failure("proxy", f"it answered {status[:60]!r}, which is not HTTP")
    while lines.hear():
        pass
    if words[1][0] != "2":
        raise Failure("proxy", " ".join(words[1:]), code=int(words[1][:3]))


def _smtp(lines: _Lines) -> None:
    for command in (b"", b"EHLO localhost\r\n", b"STARTTLS\r\n"):
        lines.say(command)
        answer = lines.hear()
        while answer[3:4] == "-":
            answer = lines.hear()
        if answer[:1] != "2":
            raise Failure("starttls", answer)


def _imap(lines: _Lines) -> None:
    answer = lines.hear()
    if not answer.startswith("* OK"):
        raise Failure("starttls", answer)
    lines.say(b"c0 STARTTLS\r\n")
    answer = lines.hear()
    while answer.startswith("* "):
        answer = lines.hear()
    if not answer.startswith("c0 OK"):
        raise Failure("starttls", answer)


def _postgres(lines: _Lines) -> None:
    lines.say(_SSL_REQUEST)
    answer = lines.byte()
    if answer != b"S":
        raise Failure("starttls", "it says that it has no TLS" if answer == b"N" else f"it answered {answer!r}")


_STARTTLS = {"smtp": _smtp, "imap": _imap, "postgres": _postgres}


def change_to_tls(protocol: str, raw: socket.socket, deadline: Deadline) -> None:
    """Say what *protocol* has said before TLS (STARTTLS).

    :raises Failure: at the step "starttls"
    """
    try:
        _STARTTLS[protocol](_Lines(raw, deadline))
    except socket.timeout as error:
        raise Failure("starttls", "no answer in time", reason="timeout") from error
    except OSError as error:
        raise Failure("starttls", f"no answer: {error}") from error


def first_words(target: Target, deadline: Deadline, proxy: str | None = None) -> bytes:
    """What a server says without TLS, of its own accord or to a plain HTTP request."""
    words = b""
    try:
        with reach(target, deadline, proxy) as raw:
            deadline = Deadline(min(deadline.left(), PATIENCE))
            raw.settimeout(deadline.left())
            raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while len(words) < _LONGEST_WORDS:
                raw.settimeout(deadline.left())
                data = raw.recv(_LONGEST_WORDS)
                words += data
                # An answer in HTTP may come in parts, and has an end; whoever speaks something else now waits for us.
                if not data or not words.startswith(b"HTTP/"):
                    break
    except (OSError, Failure):
        pass
    return words
