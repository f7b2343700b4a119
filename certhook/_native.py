"""``CERTHOOK_VERIFY=native``: Windows or macOS verifies the servers of contexts with default trust, through truststore.

The contexts remain contexts of ``ssl``. Python creates every connection (sockets, asyncio, gevent, urllib3) through
their methods ``_wrap_socket()`` and ``_wrap_bio()``. In a context with default trust or an adopted request, these
return an object that verifies the server at the end of the handshake, before any data is read or written. After a
failure, its methods raise ``SSLCertVerificationError``.

OpenSSL must complete the handshake although it may know neither the root nor an intermediate. Python has no
interface to disable its verification for one connection, so ``verify_mode`` of the context is CERT_NONE while the
connection is created. A lock hides this from other threads, and the settings of the context are read while it is
held. A signal handler, a fork or an exception may interrupt it; the next use of the context restores it first.

OpenSSL still verifies the peers of contexts without default trust, of servers, of contexts into which the caller
loaded CRLs or a directory, and of contexts of an injected truststore. Connections with CERT_NONE remain unverified.

This module is imported on Windows and macOS only. It has been tested under Wine, whose crypt32 downloads and checks
less than that of Windows, and with simulated results, but not on Windows or macOS themselves.
"""

from __future__ import annotations

import _ssl
import os
import ssl
import sys
from importlib import import_module
from threading import RLock

from certhook import _config, _native_chain, _native_modes
from certhook._config import SERVER_AUTH
from certhook._native_connection import Connection
from certhook._state import is_server, is_wrapped, mark, marked, markers_of, wrap
from certhook._watch import path_signature
from certhook.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook._config import Config
    from certhook._native_chain import Verifier
    from certhook._state import Function
    from certhook._types import Signature

_MINIMUM_PYTHON = (3, 10)
_PARAMETERS = ("ssl_context", "cert_chain", "server_hostname")

_lock = RLock()
# truststore's function, and why it cannot be used; None before it is imported.
_truststore: tuple[Verifier | None, str] | None = None
# The latest settings, the signature of the system-wide settings file, and the settings that it allows.
_latest: tuple[Config, Signature, Config] | None = None


def attach(context: Any, purpose: int, named: str | None) -> ConfigurationError | None:
    """Make the operating system verify the servers of *context*, if it has default trust for servers.

    :param purpose: the bit of the purpose for which *context* has default trust
    :param named: the public bundle that the caller named, None if it requested default trust
    :returns: a problem to report, because of which OpenSSL verifies them instead; None if there is none
    """
    config = _config.current().adopting(named)
    if purpose != SERVER_AUTH or is_server(context) or markers_of(context).is_for_server or obstacle(config):
        return None
    with _lock:
        verifier, problem = _import_truststore()
        if verifier is None:
            return ConfigurationError("CERTHOOK_VERIFY", problem) if problem else None
        if _wrap_class(context):
            mark(context).native = config
    return None


def obstacle(config: Config) -> str:
    """Return the effect of a setting because of which OpenSSL must verify servers, empty if there is none.

    The operating system trusts all of its roots. It must not verify servers if a setting excludes any of them.
    """
    found = _obstacle(config)
    if found:
        return found
    from certhook._sources import settings_file

    found = _obstacle(_limited(config))
    return found and f"{found} (see {settings_file.location()})"


def _limited(config: Config) -> Config:
    """Return *config* as far as the system-wide settings file allows. The file is read if it has changed."""
    global _latest
    from certhook._sources import limits, settings_file

    seen = path_signature(settings_file.location())
    if _latest is None or _latest[0] is not config or _latest[1] != seen:
        file = settings_file.load()
        result = limits.limited(config, file)[0]
        if file.problems:
            return result  # They may be transient.
        _latest = config, seen, result
    return _latest[2]


def _obstacle(config: Config) -> str:
    if config.overrides_system:
        return "SSL_CERT_FILE or SSL_CERT_DIR replaces the operating system's roots"
    if "system" not in config.sources:
        return "CERTHOOK_SOURCES excludes the operating system's roots"
    if config.mode == "fallback" and config.sources[0] != "system":
        return "CERTHOOK_MODE=fallback prefers another source to the operating system's roots"
    if config.removed == "drop":
        return "CERTHOOK_REMOVED=drop excludes roots of the operating system"
    return ""


def problem() -> str:
    """Return why truststore cannot be used, empty if it can."""
    with _lock:
        return _import_truststore()[1]


def _import_truststore() -> tuple[Verifier | None, str]:
    """Return truststore's function that verifies a chain, or why it cannot be used."""
    global _truststore
    if _truststore is None:
        _truststore = None, ""  # On PyPy, truststore creates a context while it is imported.
        try:
            _truststore = _find_verifier()
        except BaseException:  # A signal handler raised it.
            _truststore = None
            raise
    return _truststore


def _find_verifier() -> tuple[Verifier | None, str]:
    if sys.version_info < _MINIMUM_PYTHON:
        return None, "has no effect: truststore needs Python 3.10 or later; OpenSSL verifies servers"
    try:
        verifier: Any = import_module("truststore._api")._verify_peercerts_impl
        code = verifier.__code__
        is_known = code.co_varnames[: code.co_argcount] == _PARAMETERS
        is_secure = is_known and _native_chain.rejects_untrusted(verifier)
    except ModuleNotFoundError as error:
        if error.name == "truststore":
            return None, "has no effect: truststore is missing; run 'pip install certhook[native]'"
        return None, f"has no effect: truststore cannot be imported: {error}"
    except Exception as error:  # Its library of the operating system is missing.
        return None, f"has no effect: truststore cannot be used: {error!r}"
    if not is_known:
        return None, "has no effect: this version of truststore is unknown; run 'pip install certhook[native]'"
    if not is_secure:
        return None, "has no effect: this system accepts servers whose certificates have no trusted root"
    return verifier, ""


def _wrap_class(context: Any) -> bool:
    """Wrap the methods that create the connections of *context*, and return whether certhook's wrappers are in use."""
    for owner in type(context).__mro__:
        query = vars(owner).get("get_ca_certs")
        if getattr(query, "__certhook_active__", False):
            break
    else:
        return False
    for name, parameters in {"_wrap_socket": ("sock",), "_wrap_bio": ("incoming", "outgoing")}.items():
        if not is_wrapped(owner, name):
            wrap(owner, name, _wrapper(getattr(owner, name), (*parameters, "server_side", "server_hostname")))
    _native_modes.protect(owner)
    return True


def _wrapper(original: Function, parameters: tuple[str, ...]) -> Function:
    def create(self: Any, *args: Any, **kwargs: Any) -> Any:
        if markers_of is None:  # The interpreter shuts down.
            return original(self, *args, **kwargs)
        config = markers_of(self).native
        if config is None or not wrapper.__certhook_active__:
            if _native_modes.disabled:
                with _native_modes.lock:
                    _native_modes.restore()
            return original(self, *args, **kwargs)
        given = {**dict(zip(parameters, args)), **kwargs}
        with _native_modes.lock:
            _native_modes.restore()
            mode, check_hostname = _native_modes.modes(self)
            is_unchanged = mode == ssl.CERT_NONE or given.get("server_side") or _has_other_content(self)
            if is_unchanged or not wrapper.__certhook_active__:
                return original(self, *args, **kwargs)
            host = given.get("server_hostname")
            host = host.decode("ascii") if isinstance(host, (bytes, bytearray)) else host
            if check_hostname and not host and parameters[0] == "sock":
                # The caller checked this, but another thread may have set check_hostname since then.
                raise ValueError("check_hostname requires server_hostname")
            policy = _native_chain.Policy(self, config, check_hostname, host or None)
            _native_modes.disabled.append((self, mode, check_hostname))
            try:
                _native_modes.disable(self)
                connection = original(self, *args, **kwargs)
            finally:
                _native_modes.restore()
        verifier = _import_truststore()[0]
        return Connection(connection, policy, verifier)

    wrapper = marked(create, original)
    return wrapper


def _has_other_content(context: Any) -> bool:
    """Return whether *context* has CRLs or a directory of the caller, which only OpenSSL can apply."""
    return bool(markers_of(context).has_caller_directory or _ssl._SSLContext.cert_store_stats(context)["crl"])


def _replace_lock() -> None:
    """Replace the lock after a fork, during which another thread may have held it."""
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_lock)
