"""A TLS connection whose every step ends at a time limit.

A socket of :mod:`ssl` has time limits only for waiting: while a server sends messages without data, such as session
tickets, key updates and requests to start again, OpenSSL reads them in one call that neither a time limit nor Ctrl-C
ends. Here, OpenSSL receives a limited amount of data for each call.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Callable, TypeVar

from certhook.cli.check.failure import Deadline
from certhook.cli.check.stream import Transport

_Result = TypeVar("_Result")

_CHUNK = 16384  # bytes
# The largest amount of data that one step may need, in bytes. OpenSSL accepts 100 KB of certificates.
_MAX_SIZE = 1 << 20


class TlsConnection:
    """TLS on *raw*, with the methods of a socket. TLS inside TLS is one on another.

    :param raw: the connection, which :meth:`close` closes
    :raises ValueError: if *host* is not a valid server name
    """

    def __init__(self, raw: Transport, context: ssl.SSLContext, host: str) -> None:
        self._raw = raw
        self._seconds = 0.0
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def settimeout(self, seconds: float) -> None:
        """Set the time limit of each of the following calls."""
        self._seconds = seconds

    def do_handshake(self) -> None:
        """Perform the handshake.

        :raises OSError: if it fails
        """
        self._step(self.tls.do_handshake)

    def recv(self, size: int) -> bytes:
        """Return up to *size* bytes, none at the end of the connection.

        :raises OSError: if the connection fails
        """
        try:
            return self._step(lambda: self.tls.read(size))
        except ssl.SSLEOFError:
            return b""

    def sendall(self, data: bytes) -> None:
        """Send *data*.

        :raises OSError: if the connection fails
        """
        for start in range(0, len(data), _CHUNK):
            self._step(lambda part=data[start : start + _CHUNK]: self.tls.write(part))  # type: ignore[misc]

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()

    def __enter__(self) -> TlsConnection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _step(self, function: Callable[[], _Result]) -> _Result:
        """Call *function* with the data that it needs from the peer, and send the data that it returns."""
        deadline = Deadline(self._seconds)
        left = _MAX_SIZE
        while True:
            try:
                result = function()
            except ssl.SSLWantReadError:
                self._flush(deadline)
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush(deadline)  # an alert for the peer
                raise
            else:
                self._flush(deadline)
                return result
            if left <= 0:
                raise OSError("the server sends messages without end")
            self._raw.settimeout(deadline.left())
            data = self._raw.recv(_CHUNK)
            left -= len(data)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _flush(self, deadline: Deadline) -> None:
        while self._outgoing.pending:
            self._raw.settimeout(deadline.left())
            self._raw.sendall(self._outgoing.read())


def start_tls(raw: Transport, context: ssl.SSLContext, host: str, deadline: Deadline) -> TlsConnection:
    """Perform a handshake on *raw*, which is closed if it fails.

    :raises OSError: if the handshake fails
    :raises ValueError: if *host* is not a valid server name
    """
    try:
        connection = TlsConnection(raw, context, host)
        connection.settimeout(deadline.left())
        connection.do_handshake()
    except BaseException:
        raw.close()
        raise
    return connection
