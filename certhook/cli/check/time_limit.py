"""Calls of functions without a time limit of their own, such as getaddrinfo() and the reading of files by OpenSSL."""

from __future__ import annotations

import socket
import threading
from typing import Callable, TypeVar

_Result = TypeVar("_Result")


def call(function: Callable[[], _Result], seconds: float) -> _Result:
    """Call *function* in a thread, and return its result.

    :raises socket.timeout: if it takes longer than *seconds*; the thread continues, see ``certhook/__main__.py``
    :raises OSError: if no thread can be started
    :raises Exception: if *function* raises it
    """
    results: list[_Result] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            results.append(function())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True, name="certhook call")
    try:
        thread.start()
    except RuntimeError as error:
        raise OSError(f"no thread can be started ({error}); raise the limit of 'ulimit -u'") from error
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise socket.timeout("timed out")
    return results[0]
