"""Clearing ``VERIFY_X509_STRICT`` on contexts that urllib3 creates; imported only with ``CERTHOOK_X509_STRICT=0``."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from types import FrameType, ModuleType


def clear_strict_of_urllib3(ssl_module: ModuleType, context: ssl.SSLContext, frame: FrameType | None) -> None:
    """Clear ``VERIFY_X509_STRICT`` on *context* if the caller is urllib3, which sets it before it loads roots.

    Other callers that set the flag do so on purpose.

    :param frame: the frame of the caller, if it is known
    """
    caller = frame and frame.f_globals.get("__name__")
    if isinstance(caller, str) and "urllib3" in caller.split("."):  # pip vendors a copy.
        context.verify_flags &= ~ssl_module.VERIFY_X509_STRICT
