"""The failure of a connection, and the time limit of all connections to a server."""

from __future__ import annotations

import socket
import time

from certhook._text import printable
from certhook.cli.check.wording import MAX_LENGTH


class Failure(Exception):
    """A connection that failed.

    :ivar step: one of "name", "connect", "proxy", "starttls", "tls" and "verify"
    :ivar text: the error message with all non-printable characters escaped, up to a limit
    :ivar sentence: the same without this limit, for the refusals of this machine's settings
    :ivar code: OpenSSL's verification error, or the HTTP status of a proxy that refused
    :ivar reason: OpenSSL's reason, such as "WRONG_VERSION_NUMBER", or one of "timeout", "refused" and "unanswered"
    :ivar certificate_requested: whether the server had requested a client certificate
    """

    certificate_requested = False

    def __init__(self, step: str, text: str, code: int = 0, reason: str = "") -> None:
        self.sentence = printable(text)
        text = printable(text, MAX_LENGTH)
        super().__init__(step, text, code, reason)
        self.step, self.text, self.code, self.reason = step, text, code, reason


class Deadline:
    """A point in time at which every operation must be complete.

    :param seconds: the time from now
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the remaining time in seconds.

        :raises socket.timeout: if none remains
        """
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise socket.timeout("timed out")
        return seconds
