"""Recording the server's messages during the TLS handshake, even if the handshake fails.

Python passes the messages of OpenSSL's message callback to ``SSLContext._msg_callback``.
"""

from __future__ import annotations

import _ssl
import ssl
from typing import Any

# Content types of TLS records and types of handshake messages (RFC 8446, sections 5.1 and 4).
_HANDSHAKE = 22
_CERTIFICATE = 11
_CERTIFICATE_REQUEST = 13


class Recorder:
    """The relevant messages of one server, as a message callback.

    :ivar chain: the certificates that the server sent as DER, its own first; None if its message was not seen
    :ivar certificate_requested: whether the server requested a client certificate
    """

    def __init__(self) -> None:
        self.chain: list[bytes] | None = None
        self.certificate_requested = False

    def __call__(
        self, connection: object, direction: str, version: int, content: int, kind: int, message: bytes
    ) -> None:
        """Record *message* if it is relevant."""
        if direction != "read" or content != _HANDSHAKE:
            return
        if kind == _CERTIFICATE_REQUEST:
            self.certificate_requested = True
        elif kind == _CERTIFICATE:
            self.chain = parse_certificates(message, with_extensions=version == ssl.TLSVersion.TLSv1_3)


def record(context: ssl.SSLContext) -> Recorder:
    """Record the messages of all later handshakes of *context*."""
    recorder = Recorder()
    # The attribute of the C class: the property of the Python class calls super() with the global SSLContext,
    # which truststore replaces.
    callback: Any = vars(_ssl._SSLContext).get("_msg_callback")
    if callback:
        callback.__set__(context, recorder)
    return recorder


def parse_certificates(message: bytes, with_extensions: bool) -> list[bytes] | None:
    """Parse a Certificate message including its header of four bytes (:rfc:`5246#section-7.4.2`).

    :param with_extensions: whether the message is from TLS 1.3 (:rfc:`8446#section-4.4.2`)
    :returns: the certificates as DER, or None if the message is malformed
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
