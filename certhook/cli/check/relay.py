"""TLS with a proxy, inside of which TLS with a server can be spoken."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading

from certhook.cli.check import contexts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook.cli.check.plaintext import Deadline

_MOST = 65536  # bytes at a time


def inside_tls(raw: socket.socket, host: str, deadline: Deadline) -> socket.socket:
    """Secure *raw*, whose other end is the proxy *host*, as programs do.

    :returns: a socket for what is spoken inside: :mod:`ssl` cannot secure one that it has secured
    :raises OSError: where that fails, as where the proxy is not verified
    :raises ValueError: if *host* cannot be the name of a server
    """
    raw.settimeout(deadline.left())
    secured = contexts.as_programs_do().wrap_socket(raw, server_hostname=host)
    near, far = socket.socketpair()
    threading.Thread(target=carry, args=(secured, far, deadline), daemon=True).start()
    return near


def carry(secured: ssl.SSLSocket, far: socket.socket, deadline: Deadline) -> None:
    """Carry what both sides say to the other one, until one of them ends or nothing is left of the time."""
    with contextlib.suppress(OSError), secured, far:
        while True:
            ready = [secured] if secured.pending() else select.select([secured, far], [], [], deadline.left())[0]
            for source in ready:
                target = far if source is secured else secured
                try:
                    source.settimeout(0)  # What came may be no more than a message of TLS itself.
                    data = source.recv(_MOST)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    continue
                if not data:
                    return
                target.settimeout(deadline.left())
                target.sendall(data)
