"""What the wrapped functions of ``ssl`` do, and how to put the real ones back.

==================================== =========================================
``SSLContext.load_default_certs``    the trust set for the purpose
``SSLContext.set_default_verify_paths``  the trust set for servers
``create_default_context``           the same, as it calls the above; without
                                     ``VERIFY_X509_STRICT`` if so configured
``SSLContext.get_ca_certs``,         what they say of a context that was loaded,
``SSLContext.cert_store_stats``      where it is pointed at a compiled store
``SSLContext.load_verify_locations`` the trust set, where a public bundle is
                                     named; else what it does, on a context that
                                     was loaded before: a directory is asked only
                                     for names of which OpenSSL has no certificate
``get_default_verify_paths``         the compiled store, where OpenSSL's own
                                     places hold nothing
==================================== =========================================

The class ``SSLContext`` stays what it is. Each wrapper carries the real
function as ``__certhook__``: a second firing, a reload, a second copy of
certhook and a wrapper somebody else put around ours are all recognised by it.
(A flag in the module would survive ``importlib.reload(ssl)``, the patches would not.)
"""

import _ssl
import functools
import sys
from _thread import _local

from certhook import _config
from certhook._config import SERVER_AUTH, purpose_bit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Callable, Tuple

    #: A function of any signature, which carries attributes of ours.
    Function = Any
    #: Who has the function, its name, and what makes its wrapper.
    Target = Tuple[Any, str, Callable[[ModuleType, Function], Function]]

# In the __dict__ of a context: the compiled store that it is pointed at, or of which it has
# every certificate; that its caller gave it certificates, or made it to verify clients.
STORE = "_certhook_store"
LOADED = "_certhook_loaded"
CALLERS = "_certhook_callers"
SERVES = "_certhook_serves"

# The C class's: SSLContext's own makes a member of an enumeration, and a subclass's may be another one's.
# Where ssl is a stub, in a Python without TLS (Pyodide), there is none.
_protocol: "Any" = getattr(_ssl._SSLContext, "protocol", None)

# Contexts in the middle of load_default_certs, by id(), with the bit of the purpose.
_purposes: "dict[int, int]" = {}

# certhook._trust, from the first context on: to import it each time costs a microsecond.
_trust: "Any" = None

# Of each thread, whether it is in the middle of create_default_context(CLIENT_AUTH) (serves).
_here: "Any" = _local()

# What is wrapped now: the owner, the name, the wrapper, and whether the owner itself had the real one.
_wrapped: "list[tuple[Any, str, Function, bool]]" = []


def apply(ssl: "ModuleType") -> None:
    """Wrap the functions of *ssl*, a module that was executed; a second time does nothing, nor for a stub.

    :raises CerthookError: if *ssl* lacks one of them, before anything is changed
    """
    if _protocol is None:
        return
    context_class = context_class_of(ssl)
    targets: list[Target] = [
        (context_class, "set_default_verify_paths", _set_default_verify_paths),
        (context_class, "load_default_certs", _load_default_certs),
        (context_class, "load_verify_locations", _load_verify_locations),
        (context_class, "get_ca_certs", _asks_for_roots),
        (context_class, "cert_store_stats", _asks_for_roots),
        (ssl, "create_default_context", _create_default_context),
        (ssl, "get_default_verify_paths", _get_default_verify_paths),
    ]
    for owner, name, _ in targets:
        if not hasattr(owner, name):
            raise _incomplete(owner, name)
    # Its second name, while it still is that function (PEP 476).
    alias = getattr(ssl, "_create_default_https_context", None) is ssl.create_default_context
    for owner, name, make in targets:
        if not _is_wrapped(owner, name):
            _wrap(owner, name, make(ssl, getattr(owner, name)))
    if alias and not hasattr(ssl._create_default_https_context, "__certhook__"):
        _wrap(ssl, "_create_default_https_context", ssl.create_default_context)


def is_server(context: "Any") -> bool:
    """Whether *context*, an ``SSLContext``, is a server's, and verifies clients."""
    return _protocol.__get__(context) == _ssl.PROTOCOL_TLS_SERVER  # type: ignore[no-any-return]


def is_applied(context: "Any") -> bool:
    """Whether *context*, an ``SSLContext``, is loaded whole when it is asked for its roots, or given more."""
    return getattr(type(context).get_ca_certs, "__certhook_active__", False) is True


def remove() -> None:
    """Put back everything that still is certhook's. What others hold on to calls the real function from now on.

    Contexts that are pointed at a compiled store are loaded, for nobody will do so any more when they are asked.
    """
    for context in _pointed():
        _load_whole((context,))
    while _wrapped:
        owner, name, wrapper, own = _wrapped.pop()
        wrapper.__certhook_active__ = False
        if vars(owner).get(name) is wrapper:
            if own:
                setattr(owner, name, wrapper.__certhook__)
            else:
                delattr(owner, name)


def _pointed() -> "list[Any]":
    """The contexts of this process that are pointed at a compiled store. Nobody keeps a list of them."""
    import gc

    found = []
    for thing in gc.get_objects():
        if issubclass(type(thing), _ssl._SSLContext) and STORE in getattr(thing, "__dict__", ()):
            found.append(thing)
    return found


def _is_wrapped(owner: "Any", name: str) -> bool:
    current = getattr(owner, name)
    if hasattr(current, "__certhook__"):
        _wake(owner, name, current)
        return True
    # Somebody's plain wrapper, with ours inside? The real ones, new after a reload, are ssl's own.
    theirs = getattr(current, "__module__", None) not in ("ssl", "_ssl", None)
    return theirs and any(owner is known and name == known_name for known, known_name, _, _ in _wrapped)


def _wake(owner: "Any", name: str, function: "Function") -> None:
    """Have ours act again that was left inside somebody's wrapper when certhook was uninstalled."""
    while function is not None:
        if getattr(function, "__dict__", {}).get("__certhook_active__") is False:
            function.__certhook_active__ = True
            inherited = isinstance(owner, type) and getattr(super(owner, owner), name, None) is function.__certhook__
            _wrapped.append((owner, name, function, not inherited))
        function = getattr(function, "__wrapped__", None)


def _wrap(owner: "Any", name: str, wrapper: "Function") -> None:
    _wrapped.append((owner, name, wrapper, name in vars(owner)))
    setattr(owner, name, wrapper)


def context_class_of(ssl: "ModuleType") -> "Any":
    """The standard library's SSLContext, also where a subclass stands in its place (truststore, gevent)."""
    for base in getattr(ssl, "SSLContext", object).__mro__:
        if base.__module__ == "ssl":
            return base
    raise _incomplete(ssl, "SSLContext")


def _incomplete(owner: object, name: str) -> "Exception":
    from certhook.exceptions import CerthookError

    return CerthookError(f"{owner!r} has no {name}; is it still being imported? Call certhook.install() afterwards")


def _marked(wrapper: "Function", original: "Function") -> "Function":
    functools.update_wrapper(wrapper, original)
    # Methods of the C class have no module; pickle finds them on ssl's.
    wrapper.__module__ = "ssl"
    wrapper.__qualname__ = wrapper.__qualname__.replace("_SSLContext.", "SSLContext.")
    wrapper.__certhook__ = original
    wrapper.__certhook_active__ = True
    return wrapper


def _set_default_verify_paths(ssl: "ModuleType", original: "Function") -> "Function":
    context_class = context_class_of(ssl)

    def set_default_verify_paths(*args: "Any", **kwargs: "Any") -> None:
        # Any arguments: what is wrong with them, the real function says.
        if not wrapper.__certhook_active__ or kwargs or len(args) != 1 or not isinstance(args[0], context_class):
            original(*args, **kwargs)
            return
        _give(args[0], _purposes.get(id(args[0]), SERVER_AUTH), original, "system")

    wrapper = _marked(set_default_verify_paths, original)
    return wrapper


def _load_default_certs(ssl: "ModuleType", original: "Function") -> "Function":
    inner = context_class_of(ssl).set_default_verify_paths

    def load_default_certs(self: "Any", purpose: "Any" = ssl.Purpose.SERVER_AUTH) -> None:
        if not wrapper.__certhook_active__ or not isinstance(purpose, ssl._ASN1Object):
            original(self, purpose)
            return
        bit = purpose_bit(purpose.oid)
        if type(self).set_default_verify_paths is inner:
            _give(self, bit, lambda context: original(context, purpose), "system")
        else:
            # A subclass that says itself what its default paths are has the last word.
            _purposes[id(self)] = bit
            try:
                original(self, purpose)
            finally:
                _purposes.pop(id(self), None)
        if not _config.last().x509_strict:
            _relax(ssl, self)

    wrapper = _marked(load_default_certs, original)
    return wrapper


def _create_default_context(ssl: "ModuleType", original: "Function") -> "Function":
    client_auth = ssl.Purpose.CLIENT_AUTH.oid

    def create_default_context(*args: "Any", **kwargs: "Any") -> "Any":
        purpose = args[0] if args else kwargs.get("purpose")
        # By its number: one that is equal to CLIENT_AUTH means the same.
        if purpose is not None and getattr(purpose, "oid", None) == client_auth:
            context = _serve(original, args, kwargs)
        else:
            context = original(*args, **kwargs)
        if wrapper.__certhook_active__ and not _config.last().x509_strict:
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    wrapper = _marked(create_default_context, original)
    return wrapper


def _serve(original: "Function", args: "Tuple[Any, ...]", kwargs: "dict[str, Any]") -> "Any":
    """Make a server's context: before Python 3.10, its protocol does not say that it is one."""
    if getattr(_here, "serves", False):
        return original(*args, **kwargs)
    try:
        _here.serves = True
        context = original(*args, **kwargs)
    finally:
        _here.serves = False
    getattr(context, "__dict__", {})[SERVES] = True
    return context


def _asks_for_roots(ssl: "ModuleType", original: "Function") -> "Function":
    def asks_for_roots(*args: "Any", **kwargs: "Any") -> "Any":
        # Also where certhook was uninstalled since: a context that is pointed at a store has no other way to them.
        _load_whole(args)
        return original(*args, **kwargs)

    return _marked(asks_for_roots, original)


def _load_verify_locations(ssl: "ModuleType", original: "Function") -> "Function":
    context_class = context_class_of(ssl)

    def load_verify_locations(*args: "Any", **kwargs: "Any") -> "Any":
        if not args or not isinstance(args[0], context_class):
            return original(*args, **kwargs)
        if wrapper.__certhook_active__:
            if not _config.current().x509_strict:
                _relax(ssl, args[0])
            named = _adoptable(args, kwargs)
            if named is not None:
                context, rest = args[0], named
                if rest:
                    load_verify_locations(context, **rest)
                _give(context, SERVER_AUTH, lambda _: original(*args, **kwargs), "bundled")
                return None
        _load_whole(args)
        args[0].__dict__[CALLERS] = True
        return original(*args, **kwargs)

    wrapper = _marked(load_verify_locations, original)
    return wrapper


def _relax(ssl: "ModuleType", context: "Any") -> None:
    """Clear ``VERIFY_X509_STRICT``, which urllib3 sets before it loads roots, as create_default_context() does.

    A program that sets the flag itself means it.
    """
    frame = sys._getframe(1).f_back  # None where a program in C, or a thread, calls the method itself
    caller = frame and frame.f_globals.get("__name__")
    if isinstance(caller, str) and "urllib3" in caller.split("."):  # pip carries a copy
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT


_LOCATIONS = ("cafile", "capath", "cadata")


def _adoptable(args: "Tuple[Any, ...]", kwargs: "dict[str, Any]") -> "dict[str, Any] | None":
    """What is named besides a public bundle; None where none is named that is adopted."""
    named = dict(zip(_LOCATIONS, args[1:]))
    file = named.get("cafile", kwargs.get("cafile"))
    text = named.get("cadata", kwargs.get("cadata"))
    try:
        from certhook._adopt import public

        is_public = public(args[0], file, text, _config.current())
    except Exception as failure:  # uninstalled, or out of file descriptors
        _say_failed("roots are loaded as they were named", failure)
        return None
    if not any(is_public) or SERVES in vars(args[0]) or getattr(_here, "serves", False):
        return None
    if len(args) > 4 or not kwargs.keys() <= set(_LOCATIONS) - named.keys():
        return None  # What is wrong with them, the real function says.
    named.update(kwargs)
    left = ("cafile", not is_public[0]), ("capath", True), ("cadata", not is_public[1])
    return {name: named[name] for name, is_left in left if is_left and named.get(name) is not None}


def _get_default_verify_paths(ssl: "ModuleType", original: "Function") -> "Function":
    def get_default_verify_paths() -> "Any":
        paths = original()
        if wrapper.__certhook_active__ and paths.cafile is None:
            try:
                store = (_trust or _import_trust()).store_in_place_of(paths.capath)
            except Exception as failure:  # uninstalled, or out of file descriptors
                _say_failed("the paths are Python's own", failure)
            else:
                if store is not None:
                    return paths._replace(cafile=store[0], capath=store[1])
        return paths

    wrapper = _marked(get_default_verify_paths, original)
    return wrapper


def _load_whole(args: "tuple[Any, ...]") -> None:
    if args and STORE in getattr(args[0], "__dict__", ()):
        try:
            from certhook._context import load_whole

            load_whole(args[0])
        except Exception as failure:  # uninstalled, or out of file descriptors
            _say_failed("roots could not be loaded", failure)


def _give(context: "Any", purpose: int, original: "Function", source: str) -> None:
    """Give default trust.

    Where certhook itself fails, the context gets what Python gives without it;
    or no root, where that is not wanted or the environment, by which Python
    finds the operating system's, is not to be listened to: a fault must not widen trust.

    :param original: called with the context, gives it what Python does
    :param source: the source that this amounts to
    """
    try:
        trust = _trust or _import_trust()
    except Exception as failure:  # uninstalled, or out of file descriptors
        _fall_back(context, original, source, failure)
        return
    try:
        problems = trust.give(context, purpose)
    except Exception as failure:
        # Not imported here: what failed may be that nothing can be imported any more.
        exceptions = sys.modules.get("certhook.exceptions")
        if exceptions is not None and isinstance(failure, exceptions.CerthookError):
            raise  # asked for, by CERTHOOK_ON_ERROR=raise
        _fall_back(context, original, source, failure)
        return
    if problems:
        trust.report(problems)


def _import_trust() -> "Any":
    global _trust
    from certhook import _trust

    return _trust


def _fall_back(context: "Any", original: "Function", source: str, failure: Exception) -> None:
    config = _config.current()
    if config.on_error == "raise":
        from certhook.exceptions import CerthookError

        raise CerthookError(f"certhook failed: {failure!r}") from failure
    # Where CERTHOOK_BUNDLE is set, another bundle replaces the one that the caller named.
    wanted = config.bundle is None if source == "bundled" else _config.use_environment
    if wanted and source in config.sources:
        original(context)
        _say_failed("the context has what Python gives without it", failure)
    else:
        _say_failed("the context has no roots", failure)


def _say_failed(what: str, failure: Exception) -> None:
    try:
        from certhook import _report
    except Exception:
        return  # The context matters more than the word about it.
    _report.warn(f"certhook failed, {what}: {failure!r}")
