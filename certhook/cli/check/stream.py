"""A plain connection whose reads and writes end at a deadline."""

from __future__ import annotations

from typing import Protocol

from certhook.cli.check.failure import Deadline

# The largest line, and the largest amount of data before TLS, in bytes.
_MAX_LINE = 1 << 16
_MAX_SIZE = 1 << 17


class Transport(Protocol):
    """The methods of a socket that a connection needs."""

    def settimeout(self, seconds: float, /) -> None:
        """Set the time limit of the following calls."""

    def recv(self, size: int, /) -> bytes:
        """Return up to *size* bytes, none at the end of the connection."""

    def sendall(self, data: bytes, /) -> None:
        """Send *data*."""

    def close(self) -> None:
        """Close the connection."""


class Stream:
    """A plain connection, limited by a deadline. It reads no byte ahead, because the next one may belong to TLS."""

    def __init__(self, raw: Transport, deadline: Deadline) -> None:
        self._raw = raw
        self._deadline = deadline
        self._left = _MAX_SIZE

    def send(self, data: bytes) -> None:
        """Send *data*."""
        self._raw.settimeout(self._deadline.left())
        self._raw.sendall(data)

    def read(self, size: int) -> bytes:
        """Read exactly *size* bytes.

        :raises OSError: if the connection ends, or the peer has sent too much
        """
        data = b""
        while len(data) < size:
            self._raw.settimeout(self._deadline.left())
            part = self._raw.recv(size - len(data))
            if not part:
                raise ConnectionResetError("the connection was closed")
            data += part
        self._left -= size
        if self._left < 0:
            raise OSError("the reply is too long")
        return data

    def read_line(self) -> str:
        """Read exactly one line, or the start of a longer one.

        :raises OSError: if the connection ends, or the peer has sent too much
        """
        line = bytearray()
        while not line.endswith(b"\n") and len(line) < _MAX_LINE:
            line += self.read(1)
        return line.decode("latin-1").rstrip("\r\n")
