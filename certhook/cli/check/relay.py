"""TLS inside TLS: the connection to a server through a proxy that itself requires TLS."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading

from certhook.cli.check import contexts
from certhook.cli.check.failure import Deadline

_MAX_READ = 65536  # bytes


def open_relay(
    raw: socket.socket,
    proxy_host: str,
    handshake: Deadline,
    deadline: Deadline,
    context: ssl.SSLContext | None = None,
) -> socket.socket:
    """Start TLS on *raw*, a connection to the proxy *proxy_host*, and relay it to a new socket.

    :mod:`ssl` wraps only plain sockets, so the TLS connection to the server cannot use the
    wrapped socket directly.

    :param handshake: the deadline of the handshake
    :param deadline: the deadline of the connection
    :param context: verifies the proxy; default trust if it is None
    :returns: a plain socket; a thread copies its data to and from the TLS connection
    :raises OSError: if the handshake fails or the proxy is not verified
    :raises ValueError: if *proxy_host* is not a valid server name
    """
    raw.settimeout(handshake.left())
    secured = (context or contexts.default_context()).wrap_socket(raw, server_hostname=proxy_host)
    local, remote = socket.socketpair()
    threading.Thread(target=relay, args=(secured, remote, deadline), daemon=True).start()
    return local


def relay(secured: ssl.SSLSocket, plain: socket.socket, deadline: Deadline) -> None:
    """Copy data in both directions until one side ends or the deadline passes, then close both sockets."""
    with contextlib.suppress(OSError), secured, plain:
        while True:
            ready = [secured] if secured.pending() else select.select([secured, plain], [], [], deadline.left())[0]
            for source in ready:
                target = plain if source is secured else secured
                try:
                    source.settimeout(0)  # The received data may contain only a TLS message, such as a session ticket.
                    data = source.recv(_MAX_READ)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    continue
                if not data:
                    return
                target.settimeout(deadline.left())
                target.sendall(data)
