"""grpcio, grpc.aio and OpenTelemetry's gRPC exporters: the roots of credentials for which the caller names none.

gRPC requests them once, when the process makes the first such channel, from a callback of grpcio. The callback reads
grpcio's own copy of Mozilla's roots, so this is a request for a public bundle. The hook changes the answer, which adds
no cost for each channel: all channels share the parsed roots. gRPC never repeats the request. If default trust changes
later, the hook therefore passes the roots to new credentials.

The hook does not set ``GRPC_DEFAULT_SSL_ROOTS_FILE_PATH``, which child processes would inherit.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

from certhook import _config
from certhook._state import incomplete, is_wrapped, load_module, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook._clients.certificates import Certificates
    from certhook._config import Config

_CYTHON = "grpc._cython.cygrpc"
_CLASS, _READER = "SSLChannelCredentials", "pkgutil"
# The arguments with which the callback reads grpcio's bundle.
_PACKAGE, _RESOURCE = "grpc._cython", "_credentials/roots.pem"

# Variables with which users choose the roots of gRPC: the first one by a path, the others by their values.
_PATH = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
_SWITCHES = ("GRPC_NOT_USE_SYSTEM_SSL_ROOTS", "GRPC_USE_SYSTEM_ROOTS_OVER_LANGUAGE_CALLBACK")
_YES = ("1", "t", "true", "y", "yes")  # as in absl::SimpleAtob()

# OpenSSL's trust settings that reject a certificate for servers. BoringSSL does not apply a list of trusted
# purposes. Without the certificate, a server could send it, and the chain would continue with its issuer.
_REJECTED = bytes.fromhex("300ca00a06082b06010505070301")

_NO_ROOTS = b"# no roots\n"


class _Roots:
    """The roots of credentials for which the caller names none, as PEM.

    :param get_data: the function of pkgutil
    :param is_late: whether gRPC may have requested its roots before the hook was active
    """

    def __init__(self, get_data: Any, is_late: bool) -> None:
        self._get_data = get_data
        self._is_late = is_late
        self._kept: bytes | None = None
        self._latest: tuple[Certificates, bytes] | None = None

    def for_credentials(self) -> bytes | None:
        """Return the roots to pass to new credentials, None if the roots that gRPC keeps are correct."""
        if _user_chooses():
            return None
        text = self._answer()
        if self._latest is not None and text is self._latest[1]:
            load_module("_clients.certificates").report(self._latest[0].trust)
        if self._kept is None and not self._is_late:
            return None  # gRPC will request them.
        if text is None and self._kept is not None:
            text = self._bundle()
        return None if text == self._kept else text

    def for_process(self) -> bytes:
        """Return the roots that gRPC keeps. Never raises, because C code calls it."""
        try:
            text = None if _user_chooses() else self._answer()
        except Exception:
            text = _NO_ROOTS  # CERTHOOK_ON_ERROR=raise
        self._kept = self._bundle() if text is None else text
        return self._kept

    def _bundle(self) -> bytes:
        data: bytes = self._get_data(_PACKAGE, _RESOURCE)
        return data

    def _answer(self) -> bytes | None:
        """Return grpcio's roots plus the other anchors of default trust, None if the request is not adopted."""
        config = _config.current()
        try:
            return self._text(config)
        except Exception as failure:
            if config.on_error == "raise":
                raise
            return self._latest[1] if self._latest is not None else _fall_back(config, failure)

    def _text(self, config: Config) -> bytes | None:
        from certhook._public_bundles import BUNDLES, GRPC

        if GRPC not in (BUNDLES if config.adopt is None else config.adopt):
            return None
        latest = self._latest
        found = load_module("_clients.certificates").current(config.adopting(GRPC), latest and latest[0])
        if found.trust.is_reduced:
            return None
        if latest is None or latest[0] is not found:
            self._latest = latest = found, self._encode(found)
        return latest[1]

    def _encode(self, found: Certificates) -> bytes:
        from certhook._certificates.openssl import to_pem
        from certhook._certificates.pem import decode

        # gRPC ignores everything after a certificate that BoringSSL cannot parse. It can parse all of the bundle.
        try:
            bundle = set(decode(self._bundle()))
        except Exception:
            bundle = set()  # A distribution removed or replaced it.
        trusted = sorted(found.trusted, key=lambda der: der not in bundle)
        blocks = [*map(to_pem, trusted), *(to_pem(der, _REJECTED) for der in found.rejected)]
        return b"".join(blocks) or _NO_ROOTS


def apply(module: ModuleType) -> None:
    """Replace the class of SSL credentials and the reader of grpcio's bundle in the extension module of *module*, grpc.

    :raises CerthookError: if it has no such class or reader
    """
    cython = sys.modules.get(_CYTHON)
    original, reader = getattr(cython, _CLASS, None), getattr(cython, _READER, None)
    if cython is None or not isinstance(original, type):
        raise incomplete(cython or module, _CLASS)
    if not callable(getattr(reader, "get_data", None)):
        raise incomplete(cython, f"{_READER}.get_data")
    are_wrapped = is_wrapped(cython, _CLASS), is_wrapped(cython, _READER)
    if any(are_wrapped):
        return
    is_importing = getattr(module.__spec__, "_initializing", False)
    roots = _Roots(reader.get_data, is_late=not is_importing)  # type: ignore[union-attr]
    wrap(cython, _READER, _Reader(reader, roots))
    wrap(cython, _CLASS, _credentials_class(original, roots))


def _credentials_class(original: Any, roots: _Roots) -> Any:
    """Return a subclass of *original*, the class of SSL credentials, with *roots* unless the caller names others."""

    def __new__(cls: type, *args: Any, **kwargs: Any) -> Any:
        if wrapper.__certhook_active__ and args and args[0] in (None, b""):
            args = (roots.for_credentials(), *args[1:])
        return original.__new__(cls, *args, **kwargs)

    attributes: dict[str, Any] = {name: getattr(original, name) for name in ("__module__", "__qualname__", "__doc__")}
    attributes.update(__slots__=(), __new__=__new__, __certhook__=original, __certhook_active__=True)
    wrapper: Any = type(original.__name__, (original,), attributes)
    return wrapper


class _Reader(ModuleType):
    """A stand-in for the module ``pkgutil`` in grpcio's extension module."""

    def __init__(self, original: Any, roots: _Roots) -> None:
        super().__init__(original.__name__, original.__doc__)
        self.__certhook__ = original
        self.__certhook_active__ = True
        self._roots = roots

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["__certhook__"], name)

    def get_data(self, package: str, resource: str) -> Any:
        """Return the roots if *resource* is grpcio's bundle, and data of *package* otherwise."""
        if resource == _RESOURCE and self.__certhook_active__:
            return self._roots.for_process()
        return self.__certhook__.get_data(package, resource)


def _user_chooses() -> bool:
    """Return whether a variable of gRPC selects the roots."""
    if os.environ.get(_PATH):
        return True
    return any(os.environ.get(name, "").strip().lower() in _YES for name in _SWITCHES)


def _fall_back(config: Config, failure: Exception) -> bytes | None:
    """Report an internal error, and return None, so that gRPC uses its bundle, unless the settings exclude that."""
    from certhook._public_bundles import GRPC
    from certhook._warnings import warn

    config = _config.effective(config)
    is_permitted = config.bundle is None and "bundled" in config.adopting(GRPC).sources
    consequence = "grpcio uses its own roots" if is_permitted else "grpcio has no roots"
    warn(f"internal error, {consequence}: {failure!r}")
    return None if is_permitted else _NO_ROOTS
