"""The wrappers of functions in ``ssl``.

``load_default_certs``, ``set_default_verify_paths`` and ``create_default_context`` use default
trust, and so does ``load_verify_locations`` of a public bundle. An empty context reads another file
of many roots from its own compiled store. All other certificates are loaded after the complete
compiled store, because OpenSSL searches directories only for subjects that are not loaded.
``get_ca_certs`` and ``cert_store_stats`` also load the store first, and return the same as without it.
``get_default_verify_paths`` returns the compiled store if stock Python finds no roots. A failed
verification (``SSLCertVerificationError``) is explained, and repairs the compiled store of its context.

The class ``SSLContext`` is not replaced. Each wrapper carries the real function as ``__certhook__``,
which identifies it on a second activation, after a reload, in a second copy of certhook, and inside
a foreign wrapper. (A flag in the module would survive ``importlib.reload(ssl)``, unlike the wrappers.)

At the end of the interpreter's shutdown, the global variables of this module are None. The wrappers then
use only their own variables. They do not refer to the module ``ssl``, whose variables would be None as well.
"""

import _ssl
import os
import sys
from _thread import _local
from _weakref import ref

from certhook import _config, _state
from certhook._config import SERVER_AUTH, purpose_bit
from certhook._finder import undisturbed
from certhook._state import (
    Property,
    context_class_of,
    incomplete,
    is_wrapped,
    load_module,
    mark,
    marked,
    markers_of,
    print_problem,
    process,
    wrap,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Callable, Dict, List, Optional, Tuple

    #: A function with any signature, and with attributes of certhook.
    Function = Any
    Factory = Callable[[ModuleType, Function], Function]

# The module certhook._trust, from the first context on; an import statement takes a microsecond.
_trust: "Any" = None

# VERIFY_CRL_CHECK_LEAF and the additional flag of VERIFY_CRL_CHECK_CHAIN.
_CRL_CHECKS = 0x4 | 0x8

# Per thread: the purpose of the contexts inside load_default_certs() by id (purposes), and whether
# create_default_context(CLIENT_AUTH) is running (serves).
_thread_state: "Any" = _local()


def apply(ssl: "ModuleType") -> None:
    """Wrap the functions of *ssl*, an executed module. A second call has no effect.

    :raises CerthookError: if *ssl* lacks one of the functions; nothing is wrapped then
    """
    if not hasattr(_ssl._SSLContext, "protocol"):
        return  # A stub, in a Python without TLS (Pyodide).
    context_class = context_class_of(ssl)
    targets: List[Tuple[Any, str, Factory]] = [(context_class, name, make) for name, make in METHODS.items()]
    targets.append((context_class, "verify_flags", wrap_verify_flags))
    targets.append((ssl, "create_default_context", wrap_create_default_context))
    targets.append((ssl, "get_default_verify_paths", _get_default_verify_paths))
    targets.append((ssl.SSLCertVerificationError, "__init__", _verification_error))
    for owner, name, _ in targets:
        if not hasattr(owner, name):
            raise incomplete(owner, name)
    # urllib uses this alias, which a program may have replaced (PEP 476).
    has_alias = getattr(ssl, "_create_default_https_context", None) is ssl.create_default_context
    for owner, name, make in targets:
        if not is_wrapped(owner, name):
            wrap(owner, name, make(ssl, getattr(owner, name)))
    if has_alias and not hasattr(ssl._create_default_https_context, "__certhook__"):
        wrap(ssl, "_create_default_https_context", ssl.create_default_context)
    # At interpreter shutdown, settings could not be parsed, because nothing can be imported.
    if not _is_strict():
        _call("_strict", "watch_urllib3", ssl)


def _set_default_verify_paths(ssl: "ModuleType", original: "Function") -> "Function":
    context_class = context_class_of(ssl)

    def set_default_verify_paths(*args: "Any", **kwargs: "Any") -> None:
        is_valid = not kwargs and len(args) == 1 and isinstance(args[0], context_class)
        if _config is None or not wrapper.__certhook_active__ or not is_valid:
            # The real function reports invalid arguments.
            original(*args, **kwargs)
            return
        purposes = getattr(_thread_state, "purposes", {})
        _apply_trust(args[0], purposes.get(id(args[0]), SERVER_AUTH), original, "system")

    wrapper = marked(set_default_verify_paths, original)
    return wrapper


def _load_default_certs(ssl: "ModuleType", original: "Function") -> "Function":
    inner = context_class_of(ssl).set_default_verify_paths
    purpose_class, module = ssl._ASN1Object, ref(ssl)

    def load_default_certs(self: "Any", purpose: "Any" = ssl.Purpose.SERVER_AUTH) -> None:
        if _config is None or not wrapper.__certhook_active__ or not isinstance(purpose, purpose_class):
            original(self, purpose)
            return
        bit = purpose_bit(purpose.oid)
        if type(self).set_default_verify_paths is inner:
            _apply_trust(self, bit, lambda context: original(context, purpose), "system")
        else:
            # A subclass overrides set_default_verify_paths(), and may call the wrapped one.
            purposes = _thread_state.__dict__.setdefault("purposes", {})
            purposes[id(self)] = bit
            try:
                original(self, purpose)
            finally:
                purposes.pop(id(self), None)
        if not _is_strict():
            _clear_strict(module, self)

    wrapper = marked(load_default_certs, original)
    return wrapper


def wrap_create_default_context(ssl: "ModuleType", original: "Function") -> "Function":
    client_auth, strict = ssl.Purpose.CLIENT_AUTH.oid, ssl.VERIFY_X509_STRICT

    def create_default_context(*args: "Any", **kwargs: "Any") -> "Any":
        if _config is None:
            return original(*args, **kwargs)
        purpose = args[0] if args else kwargs.get("purpose")
        # Compared by object identifier: other objects may equal CLIENT_AUTH.
        if purpose is not None and getattr(purpose, "oid", None) == client_auth:
            context = _create_for_server(original, args, kwargs)
        else:
            context = original(*args, **kwargs)
        if wrapper.__certhook_active__ and not _is_strict():
            context.verify_flags &= ~strict
        return context

    wrapper = marked(create_default_context, original)
    return wrapper


def wrap_verify_flags(ssl: "ModuleType", original: "Any") -> "Any":
    def set_flags(context: "Any", flags: int) -> None:
        original.fset(context, flags)
        # Stock Python finds revocation lists in the directories of default trust.
        if flags & _CRL_CHECKS and _config is not None and wrapper.__certhook_active__:
            _attempt("", "_revocation", "load_lists", context)

    wrapper = Property(original.fget, marked(set_flags, original.fset), original.fdel, original.__doc__)
    wrapper.__certhook__ = original
    return wrapper


def _create_for_server(original: "Function", args: "Tuple[Any, ...]", kwargs: "dict[str, Any]") -> "Any":
    """Create a server's context, and mark it, because before Python 3.10 its protocol does not identify it."""
    if getattr(_thread_state, "serves", False):
        return original(*args, **kwargs)
    try:
        _thread_state.serves = True
        context = original(*args, **kwargs)
    finally:
        _thread_state.serves = False
    if hasattr(context, "__dict__"):  # A patched SSLContext may return any object.
        mark(context).is_for_server = True
    return context


def _roots_query(ssl: "ModuleType", original: "Function") -> "Function":
    load = _state.without_imports(load_completely, _ssl._SSLContext.load_verify_locations)

    def query_roots(*args: "Any", **kwargs: "Any") -> "Any":
        # Even after uninstall(), a context that points at a store must be loaded before it is queried.
        load(args)
        return original(*args, **kwargs)

    return marked(query_roots, original)


def _load_verify_locations(ssl: "ModuleType", original: "Function") -> "Function":
    context_class, module = context_class_of(ssl), ref(ssl)
    load = _state.without_imports(load_completely, _ssl._SSLContext.load_verify_locations)

    def load_verify_locations(*args: "Any", **kwargs: "Any") -> "Any":
        if _config is None:
            load(args)
        if _config is None or not args or not isinstance(args[0], context_class):
            return original(*args, **kwargs)
        context, file = args[0], None
        config = _readable_settings() if wrapper.__certhook_active__ else None
        if config is not None:
            args, kwargs = _with_fixed_paths(args, kwargs)
            if not config.x509_strict:
                _clear_strict(module, context)
            request = _public_bundle_request(context, args, kwargs, config)
            if request is not None:
                bundle, others = request
                if others:
                    load_verify_locations(context, **others)
                if _apply_trust(context, SERVER_AUTH, lambda _: original(*args, **kwargs), "bundled", bundle):
                    return None
            file = _attempt("", "_named_files", "attach", context, args[1:], kwargs, config)
            if file is not None and file.store is not None:
                return None
        load(args)
        markers = mark(context)
        markers.has_caller_certs = True
        if kwargs.get("capath") is not None or len(args) > 2 and args[2] is not None:
            markers.has_caller_directory = True
        result = original(*args, **kwargs)
        if file is not None:
            _attempt("", "_named_files", "compile_file", file, context)
        return result

    wrapper = marked(load_verify_locations, original)
    return wrapper


def _with_fixed_paths(args: "Tuple[Any, ...]", kwargs: "dict[str, Any]") -> "Tuple[Tuple[Any, ...], dict[str, Any]]":
    """Return the arguments with the paths of path objects, which may return other paths when they are asked again."""
    if any(hasattr(type(value), "__fspath__") for value in args[1:3]):
        args = (args[0], *map(_path, args[1:3]), *args[3:])
    for name in ("cafile", "capath"):
        if hasattr(type(kwargs.get(name)), "__fspath__"):
            kwargs = {**kwargs, name: _path(kwargs[name])}
    return args, kwargs


def _path(value: "Any") -> "Any":
    try:
        return os.fspath(value)
    except Exception:
        return value  # The real function reports it.


def _public_bundle_request(context: "Any", args: "Tuple[Any, ...]", kwargs: "dict[str, Any]", config: "Any") -> "Any":
    """Return the public bundle that the caller requests, and the other arguments; None if the call is not adopted."""
    if markers_of(context).is_for_server or getattr(_thread_state, "serves", False):
        return None
    consequence = "the certificates that the caller names are loaded"
    request = _attempt(consequence, "_adoption", "find_request", context, args[1:], kwargs, config)
    return None if request is not None and _creates_server(sys._getframe(1).f_back) else request


def _creates_server(frame: "Any") -> bool:
    """Return whether *frame* is that of a function that creates a connection of a server.

    ssl.wrap_socket(), until Python 3.11, and that of gevent create a context whose protocol is also one of clients.
    """
    return frame is not None and "server_side" in frame.f_code.co_varnames and bool(frame.f_locals.get("server_side"))


def _readable_settings() -> "Any":
    """Return the settings; None if a module that parses them cannot be imported, for lack of a file descriptor."""
    try:
        return _config.current()
    except Exception:
        return None


def _is_strict() -> bool:
    """Return whether the strict checks remain enabled."""
    try:
        return bool(_config.last().x509_strict)
    except Exception:
        return True  # The settings cannot be read.


def _clear_strict(module: "ref[ModuleType]", context: "Any") -> None:
    # The frame is None if C code or a thread calls the wrapper directly.
    caller = sys._getframe(1).f_back
    _attempt("CERTHOOK_X509_STRICT has no effect", "_strict", "clear_strict_of_urllib3", module(), context, caller)


METHODS: "Dict[str, Factory]" = {  # In this order, because the second wrapper depends on the first.
    "set_default_verify_paths": _set_default_verify_paths,
    "load_default_certs": _load_default_certs,
    "load_verify_locations": _load_verify_locations,
    "get_ca_certs": _roots_query,
    "cert_store_stats": _roots_query,
}


def _get_default_verify_paths(ssl: "ModuleType", original: "Function") -> "Function":
    def get_default_verify_paths() -> "Any":
        paths = original()
        if wrapper.__certhook_active__ and paths.cafile is None:
            store = _attempt("Python's own paths are returned", "_eager", "replacement_paths", paths.capath)
            if store is not None:
                return paths._replace(cafile=store[0], capath=store[1])
        return paths

    wrapper = marked(get_default_verify_paths, original)
    return wrapper


def _verification_error(ssl: "ModuleType", original: "Function") -> "Function":
    # In the closure: before Python 3.10, all interpreters of a process share the class, and one may have ended.
    call, caller, error, note = _call, sys._getframe, Exception, _note_failure

    def __init__(self: "Any", *args: "Any", **kwargs: "Any") -> None:
        original(self, *args, **kwargs)
        try:
            if wrapper.__certhook_active__:
                call("_failure", "handle", self, caller(1))
        except error as failure:
            note(self, failure)

    wrapper = marked(__init__, original)
    return wrapper


def _note_failure(error: "Any", failure: Exception) -> None:
    """Add a note to *error* if a fault of the system, which may also have caused *error*, prevents an explanation."""
    try:
        is_system = isinstance(failure, (OSError, ImportError)) and sys.meta_path is not None
        if is_system and _config.last().explain and not getattr(error, "__notes__", ()):
            error.add_note(f"certhook: this error cannot be explained: {failure!r}")  # Python 3.11 and later
    except Exception:
        pass  # The exception of the program is more important.


@undisturbed
def _call(module: str, function: str, *args: "Any") -> "Any":
    """Call a function of one of certhook's modules, which is imported first."""
    return getattr(load_module(module), function)(*args)


def _attempt(consequence: str, module: str, function: str, *args: "Any") -> "Any":
    """Return the result of a function of one of certhook's modules; None if it fails, which may affect nothing."""
    try:
        return _call(module, function, *args)
    except Exception as failure:  # certhook was uninstalled, or no file descriptor is left.
        if consequence:
            _warn_of_failure(consequence, failure)
        return None


def load_completely(args: "tuple[Any, ...]") -> None:
    """Load the compiled store that the first of *args* points at, if that is a context that points at one."""
    if args and markers_of(args[0]).store is not None:
        _attempt("", "_eager", "load_completely", args[0])


def _apply_trust(
    context: "Any", purpose: int, original: "Function", source: str, named: "Optional[str]" = None
) -> bool:
    """Make *context* trust the anchors of default trust.

    If certhook fails, the context gets the roots of stock Python. It gets none if these would
    widen trust: if the settings exclude that source, or exclude the environment by which
    Python finds the operating system's roots.

    :param original: loads the roots of stock Python into the context that it is called with
    :param source: the source that these roots correspond to
    :param named: the public bundle that the caller names
    :returns: False if the bundle was reduced, so that the caller's request is not adopted
    """
    try:
        trust = _trust or _import_trust()
    except Exception as failure:  # certhook was uninstalled, or no file descriptor is left.
        _fall_back(context, original, source, named, failure)
        return True
    try:
        problems = trust.apply(context, purpose, named)
    except Exception as failure:
        # Not imported here: the failure may be that nothing can be imported. A signal handler may interrupt the import.
        error = getattr(sys.modules.get("certhook.exceptions"), "CerthookError", ())
        if isinstance(failure, error):
            raise  # CERTHOOK_ON_ERROR=raise
        _fall_back(context, original, source, named, failure)
        return True
    if problems is not None and _config.last().verify is not None:
        problems = [*problems, *_verify_natively(context, purpose, named)]
    if problems:
        trust.report(problems)
    return problems is not None


def _verify_natively(context: "Any", purpose: int, named: "Optional[str]") -> "List[Any]":
    """Make the operating system verify the servers of *context*, which has default trust.

    :returns: the problem to report, if there is one; OpenSSL verifies servers then
    """
    if sys.platform not in _config.NATIVE_PLATFORMS:
        return []
    problem = _attempt("OpenSSL verifies servers", "_native", "attach", context, purpose, named)
    if problem is not None and _config.last().on_error == "raise":
        raise problem.with_traceback(None)
    return [] if problem is None else [problem]


@undisturbed
def _import_trust() -> "Any":
    global _trust
    _trust = load_module("_trust")
    return _trust


def _fall_back(context: "Any", original: "Function", source: str, named: "Optional[str]", failure: Exception) -> None:
    config = _readable_settings()
    if config is not None and config.on_error == "raise":
        raise load_module("exceptions").CerthookError(f"internal error: {failure!r}") from failure
    if config is None:
        is_permitted = process.use_environment and not _selects_roots()
    else:
        config = _config.effective(config)
        # CERTHOOK_BUNDLE replaces the bundle that the caller named.
        is_permitted = config.bundle is None if source == "bundled" else process.use_environment
        is_permitted = is_permitted and source in config.adopting(named).sources
    if is_permitted:
        original(context)
        mark(context).has_caller_certs = True  # Its directories are searched before those of a store.
        _warn_of_failure("the context has the roots of stock Python", failure)
    else:
        _warn_of_failure("the context has no roots", failure)


def _selects_roots() -> bool:
    """Return whether a variable of certhook that affects trust is set, although its value cannot be parsed."""
    names = [setting.name for setting in _config.SETTINGS if setting.selects_roots]
    return any(os.environ.get(name) for name in names if name.startswith("CERTHOOK_"))


def _warn_of_failure(consequence: str, failure: Exception) -> None:
    message = f"internal error, {consequence}: {failure!r}"
    try:
        warn = load_module("_warnings").warn
    except Exception:
        warn = print_problem
    warn(message)
