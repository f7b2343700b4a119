"""TCP connections within a deadline."""

from __future__ import annotations

import socket
import threading
from typing import Any

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

    :raises Failure: in the step "name"
    """
    results: list[Any] = []

    def look_up() -> None:
        try:
            results.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            results.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    try:
        thread.join(deadline.left())
    except socket.timeout:
        pass
    result = results[0] if results else socket.gaierror(socket.EAI_AGAIN, "the name service did not answer in time")
    if isinstance(result, Exception):
        unanswered = isinstance(result, socket.gaierror) and result.errno in (socket.EAI_AGAIN, socket.EAI_FAIL)
        text = getattr(result, "strerror", None) or str(result)
        raise Failure("name", text, reason="unanswered" if unanswered else "") from result
    return list(result)
