"""The contexts for a check: as programs create them with and without certhook, and one that accepts every server."""

from __future__ import annotations

import _ssl
import contextlib
import functools
import socket
import ssl
import sys
from typing import Any, Sequence

from certhook import _api, _config
from certhook._state import context_class_of, markers_of
from certhook.cli.check import time_limit
from certhook.cli.check.failure import Deadline

# The limits of the time for reading the roots of a client, in seconds. OpenSSL waits for the writer of a pipe.
_MIN_READING, _MAX_READING = 1.0, 3.0


def default_context() -> ssl.SSLContext:
    """Return the default context with certhook, even if its hook is not active in this interpreter.

    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``
    """
    if is_hooked():
        return ssl.create_default_context()
    context = _with_default_flags(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    if not _config.current().x509_strict:
        disable_strict(context)
    _api.load_default_certs(context)
    return context


def is_hooked() -> bool:
    """Return whether certhook is active in this interpreter."""
    return hasattr(ssl.create_default_context, "__certhook__")


def stock_context(deadline: Deadline) -> ssl.SSLContext:
    """Return the default context of Python itself, without certhook and without an injected truststore.

    :raises OSError: if OpenSSL does not read its roots in time, because a file is a pipe
    """
    original = context_class_of(ssl)

    def unhooked(name: str) -> Any:
        function = getattr(original, name)
        return getattr(function, "__certhook__", function)

    class StockContext(original):  # type: ignore[misc, valid-type]
        def set_default_verify_paths(self) -> None:
            unhooked("set_default_verify_paths")(self)

    context: ssl.SSLContext = _with_default_flags(StockContext(ssl.PROTOCOL_TLS_CLIENT))
    time_limit.call(lambda: unhooked("load_default_certs")(context), _reading_time(deadline))
    return context


def named_context(deadline: Deadline, cafile: str | None = None, capath: str | None = None) -> ssl.SSLContext:
    """Return the context of a client in this interpreter that names a file or a directory of roots.

    :raises OSError: if the file cannot be read in time, or contains no certificate
    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``
    """
    create = functools.partial(ssl.create_default_context, cafile=cafile, capath=capath)
    return time_limit.call(create, _reading_time(deadline))


def _reading_time(deadline: Deadline) -> float:
    """Return the time for reading roots, in seconds. It does not depend on the server, so it has a minimum."""
    try:
        return min(max(deadline.left(), _MIN_READING), _MAX_READING)
    except socket.timeout:
        return _MIN_READING


def require_alternative_name(context: ssl.SSLContext) -> None:
    """Make *context* ignore the common name of a certificate without subject alternative name."""
    with contextlib.suppress(AttributeError):  # LibreSSL, PyPy
        context.hostname_checks_common_name = False


def add_roots(context: ssl.SSLContext, roots: Sequence[bytes]) -> None:
    """Make *context* also trust *roots*, certificates as DER."""
    if roots:
        cadata = b"".join(dict.fromkeys(roots))
        if markers_of(context).store is None:
            context.load_verify_locations(cadata=cadata)
        else:  # The method of the Python class would load the whole compiled store.
            _ssl._SSLContext.load_verify_locations(context, None, None, cadata)


def permissive_context() -> ssl.SSLContext:
    """Return a context that accepts every certificate, key size and TLS version. Never send data through it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    try:
        context.set_ciphers("ALL:@SECLEVEL=0")
    except ssl.SSLError:
        pass  # LibreSSL has no security levels.
    return context


def is_strict(context: ssl.SSLContext) -> bool:
    """Return whether *context* requires conformance to :rfc:`5280`, which is the default since Python 3.13."""
    return bool(context.verify_flags & ssl.VERIFY_X509_STRICT)


def disable_strict(context: ssl.SSLContext) -> ssl.SSLContext:
    """Disable the strict check of *context*, and return it."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _with_default_flags(context: ssl.SSLContext) -> ssl.SSLContext:
    """Set the flags that create_default_context() sets, without loading roots as it does."""
    if sys.version_info >= (3, 13):
        # The attribute of the C class, for the reason in recorder.record().
        flags: Any = vars(_ssl._SSLContext)["verify_flags"]
        flags.__set__(context, flags.__get__(context) | ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT)
    return context
