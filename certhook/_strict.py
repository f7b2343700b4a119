"""Clearing ``VERIFY_X509_STRICT`` on contexts that urllib3 creates; imported only with ``CERTHOOK_X509_STRICT``.

Since Python 3.13, ``create_urllib3_context()`` sets the flag, as ``create_default_context()`` does.
Which code loads roots into the context later is irrelevant. A program that creates a context with
``SSLContext()`` and sets the flag does so on purpose.
"""

from __future__ import annotations

import sys

from certhook import _config
from certhook._state import Property, is_wrapped, marked, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from types import FrameType, ModuleType


class _Property(Property):
    """The property ``verify_flags`` that this module wrapped."""


def watch_urllib3(ssl_module: ModuleType) -> None:
    """Clear the flag whenever ``create_urllib3_context()`` sets it. A second call has no effect."""
    # gevent and truststore replace the property in a subclass.
    classes = [base for base in ssl_module.SSLContext.__mro__ if isinstance(vars(base).get("verify_flags"), property)]
    if (
        not classes
        or isinstance(vars(classes[0])["verify_flags"], _Property)
        and is_wrapped(classes[0], "verify_flags")
    ):
        return
    original = vars(classes[0])["verify_flags"]
    strict = ssl_module.VERIFY_X509_STRICT

    def set_flags(context: ssl.SSLContext, flags: int) -> None:
        is_creating = flags & strict and wrapper.__certhook_active__ and _is_creating(sys._getframe(1))
        if is_creating and not _config.current().x509_strict:
            flags &= ~strict
        original.fset(context, flags)

    wrapper = _Property(original.fget, marked(set_flags, original.fset), original.fdel, original.__doc__)
    wrapper.__certhook__ = original
    wrap(classes[0], "verify_flags", wrapper)


def clear_strict_of_urllib3(ssl_module: ModuleType, context: ssl.SSLContext, frame: FrameType | None) -> None:
    """Clear the flag on *context* if urllib3 loads roots into it.

    This covers contexts that urllib3 created before the variable was set.

    :param frame: the frame of the caller, if it is known
    """
    watch_urllib3(ssl_module)
    if _is_urllib3(frame):
        context.verify_flags &= ~ssl_module.VERIFY_X509_STRICT


def _is_creating(frame: FrameType | None) -> bool:
    """Return whether *frame* is that of ``create_urllib3_context()``."""
    return frame is not None and frame.f_code.co_name == "create_urllib3_context" and _is_urllib3(frame)


def _is_urllib3(frame: FrameType | None) -> bool:
    caller = frame and frame.f_globals.get("__name__")
    return isinstance(caller, str) and "urllib3" in caller.split(".")  # pip vendors a copy.
