"""Everything before TLS: the connection, through a proxy or not, STARTTLS, and replies without TLS.

The peer may be malicious. All reads end at the :class:`Deadline`, and the sizes of replies are
limited.
"""

from __future__ import annotations

import socket
from contextlib import closing

from certhook.cli.check import tcp
from certhook.cli.check.failure import Deadline, Failure
from certhook.cli.check.proxies import Proxy
from certhook.cli.check.stream import Stream, Transport
from certhook.cli.check.target import Target
from certhook.cli.check.tunnel import open_through

_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"  # of PostgreSQL: the length, and the code 80877103
_MAX_REPLY = 4096
#: The time for an optional reply, in seconds.
REPLY_TIMEOUT = 3.0


def open_connection(target: Target, deadline: Deadline, proxy: Proxy | None) -> Transport:
    """Connect to *target*, through *proxy* if it is given.

    :raises Failure: in one of the steps "name", "connect" and "proxy"
    """
    return tcp.connect(*target.endpoint, deadline) if proxy is None else open_through(proxy, target, deadline)


def _start_smtp(stream: Stream) -> None:
    for command in (b"", b"EHLO localhost\r\n", b"STARTTLS\r\n"):
        stream.send(command)
        reply = stream.read_line()
        while reply[3:4] == "-":
            reply = stream.read_line()
        if reply[:1] != "2":
            raise Failure("starttls", reply)


def _start_imap(stream: Stream) -> None:
    reply = stream.read_line()
    if not reply.startswith("* OK"):
        raise Failure("starttls", reply)
    stream.send(b"c0 STARTTLS\r\n")
    reply = stream.read_line()
    while reply.startswith("* "):
        reply = stream.read_line()
    if not reply.startswith("c0 OK"):
        raise Failure("starttls", reply)


def _start_postgres(stream: Stream) -> None:
    stream.send(_SSL_REQUEST)
    reply = stream.read(1)
    if reply != b"S":
        raise Failure("starttls", "the server does not support TLS" if reply == b"N" else f"unexpected reply {reply!r}")


_STARTTLS = {"smtp": _start_smtp, "imap": _start_imap, "postgres": _start_postgres}


def start_tls(protocol: str, raw: Transport, deadline: Deadline) -> None:
    """Exchange the messages of *protocol* that precede the TLS handshake (STARTTLS).

    :raises Failure: in the step "starttls"
    """
    try:
        _STARTTLS[protocol](Stream(raw, deadline))
    except socket.timeout as error:
        raise Failure("starttls", "timed out", reason="timeout") from error
    except OSError as error:
        raise Failure("starttls", f"no reply: {error}") from error


def plaintext_reply(target: Target, deadline: Deadline, proxy: Proxy | None = None) -> bytes:
    """Return the server's reply to a plain HTTP request, or its greeting; empty if it sends none."""
    reply = b""
    try:
        with closing(open_connection(target, deadline, proxy)) as raw:
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
