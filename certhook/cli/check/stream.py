"""A plain connection whose reads and writes end at a deadline."""

from __future__ import annotations

import socket

from certhook.cli.check.failure import Deadline

_MAX_LINE = 65536


class Stream:
    """A plain connection, limited by a deadline. It reads no byte ahead, because the next one may belong to TLS."""

    def __init__(self, raw: socket.socket, deadline: Deadline) -> None:
        self._raw = raw
        self._deadline = deadline

    def send(self, data: bytes) -> None:
        """Send *data*."""
        self._raw.settimeout(self._deadline.left())
        self._raw.sendall(data)

    def read(self, size: int) -> bytes:
        """Read exactly *size* bytes."""
        data = b""
        while len(data) < size:
            self._raw.settimeout(self._deadline.left())
            part = self._raw.recv(size - len(data))
            if not part:
                raise ConnectionResetError("the connection was closed")
            data += part
        return data

    def read_line(self) -> str:
        """Read exactly one line."""
        line = b""
        while not line.endswith(b"\n") and len(line) < _MAX_LINE:
            line += self.read(1)
        return line.decode("latin-1").rstrip("\r\n")
