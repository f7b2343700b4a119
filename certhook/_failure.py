"""A certificate verification that failed: explaining it, and repairing the compiled store of the context.

A program may keep a context for hours. Meanwhile an administrator may have added a root, or a user may
have deleted the store. The failed connection cannot be saved, but the next one succeeds.

Clients of a server can cause any number of failures, each of which takes longer with a check of all files.
The checks therefore take a limited share of the time.
"""

from __future__ import annotations

import _ssl
from time import monotonic

from certhook import _config, _trust
from certhook._state import load_module, markers_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

# The number of callers among which the socket or the SSLObject is searched: gevent and PyPy add frames.
_DEPTH = 4
# Their methods that verify a certificate; the latter after a handshake, if the server requests it (TLS 1.3).
_METHODS = ("do_handshake", "read")
# Those of the module ssl that do so if the program requests no handshake. Other modules have functions of these names.
_METHODS_OF_SSL = ("send", "write")

# The share of time that checks may take, and the seconds that they may take before it is limited.
_SHARE, _BURST = 0.1, 2.0
# The seconds that checks have taken beyond their share, and when this was determined.
_excess, _determined = 0.0, 0.0


def handle(error: BaseException, frame: FrameType | None) -> None:
    """Add a note to *error*, and repair the compiled store of the context whose handshake failed.

    Programs raise the exception as well. Their frames and objects are not examined: a property may take long,
    and ``f_locals`` keeps local variables alive.

    :param frame: the caller of the exception, a method of ``SSLSocket`` or ``SSLObject``
    :raises OSError: or ImportError, if a fault of the system prevents the note
    """
    for _ in range(_DEPTH):
        if frame is None:
            return
        name = frame.f_code.co_name
        if name in _METHODS or (name in _METHODS_OF_SSL and frame.f_globals.get("__name__") == "ssl"):
            connection = frame.f_locals.get("self")
            if _is_connection(connection):
                # First, because the repair may change the roots that were trusted.
                failure = _explain(error, connection, frame)
                context = getattr(connection, "context", None)
                if markers_of(context).store is not None:
                    _recheck(context)
                if failure is not None:
                    raise failure
                return
        frame = frame.f_back


def _is_connection(value: Any) -> bool:
    """Return whether *value* is an ``SSLSocket`` or ``SSLObject``, also of gevent or eventlet.

    Programs have classes with methods of the same names. Their properties are not evaluated.
    """
    try:
        inner = object.__getattribute__(value, "__dict__").get("_sslobj")
    except AttributeError:
        return False
    return issubclass(type(inner), _ssl._SSLSocket)  # type: ignore[attr-defined]


def _explain(error: BaseException, connection: Any, frame: FrameType) -> Exception | None:
    """Add a note to *error*.

    :returns: the fault of the system that prevents it, None if there is none
    """
    config = _config.last()
    if not config.explain or not hasattr(error, "add_note"):  # Python 3.11 and later
        return None
    try:
        load_module("_explain").explain(error, connection, frame.f_back)
    except (OSError, ImportError) as fault:
        return fault
    except Exception as failure:  # The exception of the program is more important.
        if config.debug:
            load_module("_warnings").debug(f"internal error, no note is added: {failure!r}")
    return None


def _recheck(context: Any) -> None:
    global _excess, _determined
    start = monotonic()
    _excess = max(0.0, _excess - _SHARE * (start - _determined))
    _determined = start
    if _excess > _BURST:
        return
    try:
        _trust.recheck(context, "after a failed verification")
    finally:
        _excess += monotonic() - start
