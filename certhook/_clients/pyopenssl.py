"""pyOpenSSL: contexts of ``OpenSSL.SSL``, which Twisted, treq, pymongo[ocsp] and urllib3's inject_into_urllib3() use.

It uses the OpenSSL of the package ``cryptography``, whose compiled-in paths usually do not exist, and then reads the
first of five known files. ``Context.set_default_verify_paths()`` requests default trust, and so does
``load_verify_locations()`` of a public bundle, if the context verifies servers;
:mod:`certhook._clients.openssl_roots` determines whether it does.
"""

from __future__ import annotations

from certhook import _config
from certhook._config import CLIENT_AUTH, SERVER_AUTH
from certhook._finder import undisturbed
from certhook._state import incomplete, is_wrapped, load_module, mark, marked, markers_of, wrap
from certhook.exceptions import CerthookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Callable

    from certhook._clients.openssl_roots import Roots

    #: A function with any signature, and with attributes of certhook.
    Function = Any
    Factory = Callable[[ModuleType, Function], Function]

# The functions of OpenSSL that the hook calls. cryptography does not export all of them before release 41.
_FUNCTIONS = (
    "BIO_free",
    "BIO_new_mem_buf",
    "ERR_clear_error",
    "SSL_CTX_get_cert_store",
    "SSL_CTX_get_verify_mode",
    "SSL_CTX_set_cert_store",
    "SSL_get_certificate",
    "X509_STORE_add_cert",
    "X509_STORE_free",
    "X509_STORE_load_locations",
    "X509_STORE_new",
    "X509_STORE_up_ref",
    "X509_free",
    "d2i_X509_bio",
)

_PURPOSES = {
    "TLS_CLIENT_METHOD": SERVER_AUTH,
    "DTLS_CLIENT_METHOD": SERVER_AUTH,
    "TLS_SERVER_METHOD": CLIENT_AUTH,
    "DTLS_SERVER_METHOD": CLIENT_AUTH,
}

# The classes of contexts; reloading the module creates another one.
_contexts: tuple[type, ...] = ()


def apply(module: ModuleType) -> None:
    """Wrap the methods of *module*, ``OpenSSL.SSL``. A second call has no effect.

    :raises CerthookError: if *module* lacks one of them; nothing is wrapped then
    """
    classes = [getattr(module, name, None) for name in ("Context", "Connection")]
    targets = [(owner, name, make) for owner, methods in zip(classes, _METHODS) for name, make in methods.items()]
    # Contexts for DTLS are new in pyOpenSSL 22.1.
    targets = [target for target in targets if target[1] != "DTLSv1_listen" or hasattr(*target[:2])]
    for owner, name, _ in targets:
        if not callable(getattr(owner, name, None)):
            raise incomplete(module if owner is None else owner, name)
    library = getattr(module, "_lib", None)
    for name in ("_ffi", "VERIFY_PEER"):
        if not hasattr(module, name):
            raise incomplete(module, name)
    for name in _FUNCTIONS:
        if not hasattr(library, name):
            raise CerthookError(f"cryptography does not export {name} of OpenSSL; cryptography 41 and later do")
    global _contexts
    _contexts = (*_contexts, module.Context)
    for owner, name, make in targets:
        if not is_wrapped(owner, name):
            wrap(owner, name, make(module, getattr(owner, name)))


def settle() -> None:
    """Load the roots into all contexts that wait for the first connection, before certhook is uninstalled."""
    import gc

    for candidate in gc.get_objects():
        if issubclass(type(candidate), _contexts):
            roots = _roots_of(candidate)
            if roots is not None:
                _attempt(roots.settle)


def _roots_of(context: Any) -> Any:
    """Return the :class:`Roots` of *context*, None if it was created before the methods were wrapped."""
    return getattr(markers_of(context), "openssl_roots", None)


def _record(module: Any, context: Any, purpose: int | None, is_new: bool) -> Roots:
    markers: Any = mark(context)
    # Imported for the first context: many programs import OpenSSL.SSL, but use only OpenSSL.crypto.
    roots: Roots = load_module("_clients.openssl_roots").Roots(module, context._context, purpose, is_new)
    markers.openssl_roots = roots
    return roots


@undisturbed
def _attempt(function: Callable[..., Any], *args: Any) -> Any:
    """Return the result of *function*, or None after an internal error, which is reported as a warning.

    :raises CerthookError: if *function* raises it
    """
    try:
        return function(*args)
    except CerthookError:
        raise
    except Exception as failure:
        _warn(failure)
        return None


def _warn(failure: Exception) -> None:
    try:
        from certhook._warnings import warn
    except Exception:
        return  # The warning is less important than the connection.
    warn(f"internal error, a context of pyOpenSSL may lack roots: {failure!r}")


def _context_init(module: Any, original: Function) -> Function:
    purposes = {getattr(module, name): purpose for name, purpose in _PURPOSES.items() if hasattr(module, name)}

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if wrapper.__certhook_active__:
            method = args[0] if args else kwargs.get("method")
            _attempt(_record, module, self, purposes.get(method), True)

    wrapper = marked(__init__, original, module.__name__)
    return wrapper


def _set_default_verify_paths(module: Any, original: Function) -> Function:
    context_class = module.Context

    def set_default_verify_paths(self: Any) -> None:
        roots = _requesting(module, context_class, self) if wrapper.__certhook_active__ else None
        if roots is None:
            original(self)
        else:
            roots.request(_config.current(), lambda: _load_stock(self, original))

    wrapper = marked(set_default_verify_paths, original, module.__name__)
    return wrapper


def _load_verify_locations(module: Any, original: Function) -> Function:
    context_class = module.Context

    def load_verify_locations(self: Any, cafile: Any, capath: Any = None) -> None:
        roots = _requesting(module, context_class, self) if wrapper.__certhook_active__ else _roots_of(self)
        if roots is not None:
            config = _config.current()
            is_requested = wrapper.__certhook_active__ and cafile is not None
            bundle = _attempt(_find_bundle, cafile, config.adopt) if is_requested else None
            if bundle is not None and roots.purpose != CLIENT_AUTH and _is_readable(cafile):
                if capath is not None:
                    load_verify_locations(self, None, capath)
                roots.request(config, lambda: None, cafile, bundle)
                return
            _attempt(roots.complete)
        original(self, cafile, capath)
        if roots is not None:
            roots.add_files(cafile, capath)

    wrapper = marked(load_verify_locations, original, module.__name__)
    return wrapper


def _get_cert_store(module: Any, original: Function) -> Function:
    def get_cert_store(self: Any) -> Any:
        roots = _roots_of(self)
        if roots is not None:
            # Even after uninstall(), a context that points at a compiled store must be loaded before it is accessed.
            _attempt(roots.complete, True)
        return original(self)

    wrapper = marked(get_cert_store, original, module.__name__)
    return wrapper


def _connect(module: Any, original: Function) -> Function:
    def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        if wrapper.__certhook_active__:
            roots = _roots_of(getattr(self, "_context", None))
            if roots is not None:
                _attempt(_use_for_client, module, self, roots)
        return original(self, *args, **kwargs)

    wrapper = marked(connect, original, module.__name__)
    return wrapper


def _use_for_client(module: Any, connection: Any, roots: Roots) -> None:
    roots.use(SERVER_AUTH, module._lib.SSL_get_certificate(connection._ssl) != module._ffi.NULL)


def _accept(module: Any, original: Function) -> Function:
    def accept(self: Any) -> None:
        if wrapper.__certhook_active__:
            _use_for_server(getattr(self, "_context", None))
        original(self)

    wrapper = marked(accept, original, module.__name__)
    return wrapper


def _set_context(module: Any, original: Function) -> Function:
    def set_context(self: Any, context: Any) -> None:
        # A server selects a context by the name that the client requests.
        if wrapper.__certhook_active__ and context is not getattr(self, "_context", None):
            _use_for_server(context)
        original(self, context)

    wrapper = marked(set_context, original, module.__name__)
    return wrapper


def _use_for_server(context: Any) -> None:
    roots = _roots_of(context)
    if roots is not None:
        _attempt(roots.use, CLIENT_AUTH)


_METHODS: tuple[dict[str, Factory], dict[str, Factory]] = (
    {
        "__init__": _context_init,
        "set_default_verify_paths": _set_default_verify_paths,
        "load_verify_locations": _load_verify_locations,
        "get_cert_store": _get_cert_store,
    },
    {
        "set_connect_state": _connect,
        "connect": _connect,
        "set_accept_state": _accept,
        "DTLSv1_listen": _accept,
        "set_context": _set_context,
    },
)


def _requesting(module: Any, context_class: type, context: Any) -> Any:
    """Return the :class:`Roots` of *context*, None if pyOpenSSL handles or rejects its request."""
    if not isinstance(context, context_class) or getattr(context, "_used", False):
        return None
    roots = _roots_of(context)
    return _attempt(_record, module, context, None, False) if roots is None else roots


def _find_bundle(file: Any, bundles: Any) -> Any:
    return load_module("_adoption").find_file(file, bundles)


def _is_readable(file: Any) -> bool:
    try:
        with open(file, "rb"):
            return True
    except OSError:
        return False  # pyOpenSSL reports it.


def _load_stock(context: Any, original: Function) -> None:
    """Call *original*, even if *context* was used for a connection, so that pyOpenSSL rejects changes."""
    is_used = getattr(context, "_used", None)
    if is_used is None:
        original(context)
        return
    context._used = False
    try:
        original(context)
    finally:
        context._used = is_used
