"""The contexts to look at a server with: as programs make them, with certhook and without, and one that accepts all."""

from __future__ import annotations

import _ssl
import ssl
import sys
import warnings
from typing import Any

from certhook import _api, _config
from certhook._state import context_class_of
from certhook.exceptions import CerthookWarning


def as_programs_do() -> ssl.SSLContext:
    """A context with certhook, also where its hook is not active in this interpreter.

    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``
    """
    with warnings.catch_warnings():
        # What is wrong with a setting or a source is part of the answer.
        warnings.simplefilter("ignore", CerthookWarning)
        if hasattr(ssl.create_default_context, "__certhook__"):
            return ssl.create_default_context()
        context = _with_usual_flags(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        if not _config.current().x509_strict:
            without_strictness(context)
        _api.load_default_certs(context)
        return context


def as_without_certhook() -> ssl.SSLContext:
    """A context as Python itself makes it, without certhook, and without truststore where that was injected."""
    plain = context_class_of(ssl)

    def real(name: str) -> Any:
        function = getattr(plain, name)
        return getattr(function, "__certhook__", function)

    class Stock(plain):  # type: ignore[misc, valid-type]
        def set_default_verify_paths(self) -> None:
            real("set_default_verify_paths")(self)

    context: ssl.SSLContext = _with_usual_flags(Stock(ssl.PROTOCOL_TLS_CLIENT))
    real("load_default_certs")(context)
    return context


def _with_usual_flags(context: ssl.SSLContext) -> ssl.SSLContext:
    """The flags of create_default_context(), which itself is not asked, since it gives roots as well."""
    if sys.version_info >= (3, 13):
        # The C class's: the property of Python's own looks for its class by a name that may be another one's.
        flags: Any = vars(_ssl._SSLContext)["verify_flags"]
        flags.__set__(context, flags.__get__(context) | ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT)
    return context


def is_strict(context: ssl.SSLContext) -> bool:
    """Whether *context* refuses certificates for their form (:rfc:`5280`), as by default from Python 3.13 on."""
    return bool(context.verify_flags & ssl.VERIFY_X509_STRICT)


def without_strictness(context: ssl.SSLContext) -> ssl.SSLContext:
    """*context*, which no longer is strict."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def that_accepts_all() -> ssl.SSLContext:
    """A context to look with: it accepts every certificate, key and version of TLS, and sends nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    try:
        context.set_ciphers("ALL:@SECLEVEL=0")
    except ssl.SSLError:
        pass  # LibreSSL has no security levels.
    return context
