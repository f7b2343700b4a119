"""What a server says while TLS is being set up, also where that fails.

OpenSSL's callback for debugging tells it.
"""

from __future__ import annotations

import _ssl
import ssl
from typing import Any

# Kinds of content of TLS, and of messages of its handshake (RFC 8446, 5.1 and 4).
_HANDSHAKE = 22
_CERTIFICATE = 11
_CERTIFICATE_REQUEST = 13


class Heard:
    """What a server said.

    :ivar chain: the certificates it sent, its own first, as DER; None if that was not heard
    :ivar was_asked: whether it asked for a certificate of the client
    """

    def __init__(self) -> None:
        self.chain: list[bytes] | None = None
        self.was_asked = False

    def __call__(
        self, connection: object, direction: str, version: int, content: int, kind: int, message: bytes
    ) -> None:
        """Take note of a *message*."""
        if direction != "read" or content != _HANDSHAKE:
            return
        if kind == _CERTIFICATE_REQUEST:
            self.was_asked = True
        elif kind == _CERTIFICATE:
            self.chain = chain_of(message, with_extensions=version == ssl.TLSVersion.TLSv1_3)


def listen(context: ssl.SSLContext) -> Heard:
    """From now on, hear what is said to *context*."""
    heard = Heard()
    # The C class's: the property of Python's own looks for its class by a name that may be another one's.
    callback: Any = vars(_ssl._SSLContext).get("_msg_callback")
    if callback:
        callback.__set__(context, heard)
    return heard


def chain_of(message: bytes, with_extensions: bool) -> list[bytes] | None:
    """The certificates in a message, with its header of four bytes (:rfc:`5246#section-7.4.2`).

    :param with_extensions: whether it is one of TLS 1.3 (:rfc:`8446#section-4.4.2`)
    :returns: as DER, or None if the message is not understood
    """
    position = 4
    if with_extensions:
        position += 1 + message[position] if message[position:] else 0
    position, end = position + 3, position + 3 + int.from_bytes(message[position : position + 3], "big")
    chain = []
    while position < end <= len(message):
        length = int.from_bytes(message[position : position + 3], "big")
        chain.append(message[position + 3 : position + 3 + length])
        position += 3 + length
        if with_extensions:
            position += 2 + int.from_bytes(message[position : position + 2], "big")
    return chain if position == end == len(message) else None
