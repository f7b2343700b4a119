"""TCP connections within a deadline."""

from __future__ import annotations

import socket
from typing import Any

from certhook.cli.check import time_limit
from certhook.cli.check.failure import Deadline, Failure


def connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address of *host* that accepts. The remaining addresses share the remaining time equally.

    :raises Failure: in one of the steps "name" and "connect"
    """
    error = OSError("no address")
    addresses = resolve(host, port, deadline)
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            raw = socket.socket(family, kind, protocol)
        except OSError as refusal:  # The system does not support IPv6.
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
        raise Failure("connect", "timed out", reason="timeout") from error
    refused = isinstance(error, ConnectionRefusedError)
    raise Failure("connect", error.strerror or str(error), reason="refused" if refused else "") from error


def resolve(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Return the results of getaddrinfo(), which has no time limit of its own and therefore runs in a thread.

    :raises Failure: in the step "name"; in the step "connect" if no time remains to ask
    """
    try:
        seconds = deadline.left()
    except socket.timeout as error:  # This is not the fault of the name service.
        raise Failure("connect", "timed out", reason="timeout") from error
    try:
        return list(time_limit.call(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), seconds))
    except socket.timeout as error:
        text, unanswered = "the name service did not answer in time", True
        cause: Exception = error
    except (OSError, UnicodeError) as error:
        unanswered = isinstance(error, socket.gaierror) and error.errno in (socket.EAI_AGAIN, socket.EAI_FAIL)
        text = getattr(error, "strerror", None) or str(error)
        cause = error
    raise Failure("name", text, reason="unanswered" if unanswered else "") from cause
