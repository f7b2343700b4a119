"""Disabling OpenSSL's verification while a connection is created; see :mod:`certhook._native`.

Other threads must not notice it: ``http.client`` before Python 3.12 reads ``check_hostname`` of a context, and then
sets it to this value. Reading and setting the modes of a context therefore waits until they are restored.
"""

from __future__ import annotations

import _ssl
import os
import ssl
from threading import RLock

from certhook._state import is_wrapped, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Not the properties of a subclass, which may be overridden.
_verify_mode: Any = vars(_ssl._SSLContext)["verify_mode"]
_check_hostname: Any = vars(_ssl._SSLContext)["check_hostname"]

#: Held while the verification of a context is disabled. Nothing is imported meanwhile. A fork replaces it.
lock = RLock()
#: The contexts whose verification is disabled at the moment, with their own values of verify_mode and check_hostname.
disabled: list[tuple[Any, int, bool]] = []


def modes(context: Any) -> tuple[int, bool]:
    """Return ``verify_mode`` and ``check_hostname`` of *context*."""
    return int(_verify_mode.__get__(context)), bool(_check_hostname.__get__(context))


def disable(context: Any) -> None:
    """Disable OpenSSL's verification of new connections of *context*. The lock is held, until :func:`restore`."""
    _check_hostname.__set__(context, False)
    _verify_mode.__set__(context, ssl.CERT_NONE)


def protect(owner: Any) -> None:
    """Make the properties of contexts of the class *owner* wait until the modes are restored."""
    for name in ("verify_mode", "check_hostname"):
        if not is_wrapped(owner, name):
            wrap(owner, name, _property(getattr(owner, name)))


class _Property(property):
    """A property with attributes of certhook."""


def _property(original: Any) -> Any:
    def get(context: Any) -> Any:
        if restore is None:  # The interpreter shuts down.
            return original.__get__(context)
        with lock:
            restore()
            return original.__get__(context)

    def set_(context: Any, value: Any) -> None:
        if restore is None:
            original.__set__(context, value)
            return
        with lock:
            restore()
            original.__set__(context, value)

    found = _Property(get, set_, None, original.__doc__)
    found.__certhook__ = original  # type: ignore[attr-defined]
    found.__certhook_active__ = True  # type: ignore[attr-defined]
    return found


def restore() -> None:
    """Restore the verification of contexts, also if creating a connection was interrupted."""
    while disabled:
        context, mode, check_hostname = disabled[-1]
        # Code without these properties may have changed them; the stricter values apply.
        if _verify_mode.__get__(context) == ssl.CERT_NONE:
            _verify_mode.__set__(context, mode)
        if check_hostname:
            _check_hostname.__set__(context, True)
        disabled.pop()


def _restore_in_child() -> None:
    """Restore the contexts after a fork, during which another thread may have held the lock."""
    global lock
    lock = RLock()
    restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restore_in_child)
