"""The state of certhook in this process, the markers of contexts, and the functions that certhook wraps.

OpenSSL ignores ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` in programs that are set-uid, set-gid, or
have file capabilities (secure_getenv(3)). certhook ignores its variables there as well, which
:func:`is_privileged` decides.
"""

import os
import sys
from _weakref import ref

import certhook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Dict, List, Optional, Set, Tuple

    #: A function with any signature, and with attributes of certhook.
    Function = Any

#: The name of the attribute of a context that contains its markers.
MARKERS = "_certhook"

#: The file of a compiled store that contains all certificates.
BUNDLE = "cert.pem"

#: The owner of files of users outside the user namespace, user_namespaces(7). A process with this user ID cannot
#: distinguish its own files from theirs.
OVERFLOW_UID = 65534

_AT_SECURE = 23


class Process:
    """The state of certhook in this process.

    :ivar use_environment: whether certhook reads environment variables; see :func:`certhook.install`
    :ivar at_secure: the cached result of :func:`_query_at_secure`, empty if it is not known
    :ivar config: the latest values of the variables, and the settings parsed from them
    :ivar trust: default trust by the bit of its purpose and the public bundle that is requested, None without one
    :ivar loadable: whether OpenSSL loads the PEM file of a compiled store, by the path of the file
    :ivar named_files: the files of roots that callers named, by path; see :mod:`certhook._named_files`
    :ivar clients: the client hooks whose library is imported: empty if active, or else the reason why not
    :ivar warnings: the messages that were already issued as warnings
    :ivar last_warning: empty after the warning that no more problems are reported as warnings
    :ivar security_answers: recent output of macOS' security(1) by its arguments
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Restore the initial state."""
        self.use_environment = True
        self.at_secure = ""
        self.config: Optional[Tuple[List[Any], Any]] = None
        self.trust: Dict[Tuple[int, Optional[str]], Any] = {}
        self.loadable: Dict[str, bool] = {}
        self.named_files: Dict[str, Any] = {}
        self.clients: Dict[str, str] = {}
        self.warnings: Set[str] = set()
        self.last_warning = [True]
        self.security_answers: Dict[Tuple[str, ...], Tuple[float, Any, Any]] = {}


process = Process()


class Markers(ref):  # type: ignore[type-arg]
    """The markers of a context that certhook changed.

    Programs copy the attributes of one context to another, which has no roots yet. Markers are
    therefore valid only for the context that they refer to. The modules pickle and copy replace
    them by False. The garbage collector clears the reference before it finalizes the objects that it
    found, and these may use the context once more. The address is still valid then.

    :ivar address: the address of the context, 0 after it was deleted
    :ivar store: the compiled store, or the link to it, from which OpenSSL reads the context's roots on demand, or None
    :ivar resolved: the compiled store to which *store* led when the context was pointed at it
    :ivar request: the settings and the purpose of default trust that *store* contains, None for a file of the caller.
        Not kept by store: where there are no links, requests with equal roots share a store.
    :ivar loaded_request: the settings and the purpose of default trust that a context with other content received
    :ivar loaded: the path without links of the compiled store from which every root was loaded into the context
    :ivar has_caller_certs: whether the caller loaded certificates other than default trust
    :ivar has_caller_directory: whether the caller named a directory of certificates
    :ivar native: the settings of default trust, if the operating system verifies servers; see :mod:`certhook._native`
    :ivar is_for_server: whether create_default_context() created the context for a server
    """

    address = 0
    store: "Optional[str]" = None
    resolved: "Optional[str]" = None
    request: "Optional[Tuple[Any, int]]" = None
    loaded_request: "Optional[Tuple[Any, int]]" = None
    loaded: "Optional[str]" = None
    has_caller_certs = False
    has_caller_directory = False
    native: "Optional[Any]" = None
    is_for_server = False

    def __reduce__(self) -> "Tuple[Any, ...]":
        return bool, ()


#: The markers of all other contexts.
NO_MARKERS = Markers(Process)


def _forget_address(markers: "Any") -> None:
    markers.address = 0


def markers_of(context: "Any") -> Markers:
    """Return the markers of *context*, which may be any object. They must not be modified."""
    found = getattr(context, "__dict__", {}).get(MARKERS)
    is_own = isinstance(found, ref) and getattr(found, "address", 0) == id(context)
    return found if is_own else NO_MARKERS  # type: ignore[return-value]


def mark(context: "Any") -> Markers:
    """Return the markers of *context* for modification."""
    found = markers_of(context)
    if found is NO_MARKERS:
        new = Markers(context, _forget_address)
        new.address = id(context)
        # Another thread may mark the context at the same time.
        context.__dict__.setdefault(MARKERS, new)
        found = markers_of(context)
        if found is NO_MARKERS:  # The markers were copied from another context.
            found = context.__dict__[MARKERS] = new
    return found


def without_imports(load_completely: "Function", load_verify_locations: "Function") -> "Function":
    """Return a version of *load_completely*, which loads the compiled store of a context, that needs no import.

    While the interpreter shuts down, nothing can be imported, and the global variables of certhook's modules are
    None in the end. A signal handler may interrupt the import that it needs. The version then loads the store
    itself, with variables of its own.

    :param load_verify_locations: the real method of contexts
    """
    is_finalizing, listdir, markers_name, bundle = sys.is_finalizing, os.listdir, MARKERS, BUNDLE

    def load(args: "Tuple[Any, ...]") -> None:
        if not is_finalizing():
            load_completely(args)
        markers: Any = getattr(args[0], "__dict__", {}).get(markers_name) if args else None
        store = getattr(markers, "store", None)
        if store is None or markers.address != id(args[0]):
            return
        try:
            load_verify_locations(args[0], cafile=f"{store}/{bundle}")
        except OSError:
            try:
                names = listdir(store)
            except OSError:
                return  # It was deleted.
            for name in names:
                try:
                    load_verify_locations(args[0], cafile=f"{store}/{name}")
                except OSError:
                    pass  # It is not a certificate, or OpenSSL rejects it.
        markers.store = None

    return load


def is_privileged() -> bool:
    """Return whether this program was started set-uid, set-gid, or with file capabilities.

    On Linux, only the start of the program counts: a daemon that changes its user later keeps
    the environment that it was started with.
    """
    if not hasattr(os, "getuid"):
        return False
    secure = process.at_secure or _query_at_secure()
    if secure != "temporarily unknown":
        process.at_secure = secure
    return ids_differ() if secure == "unknown" else secure != "no"


def ids_differ() -> bool:
    """Return whether the effective user or group differs from the real one."""
    return hasattr(os, "getuid") and (os.getuid() != os.geteuid() or os.getgid() != os.getegid())


def _query_at_secure() -> str:
    """Query the kernel's flag AT_SECURE, see getauxval(3).

    :returns: "yes" or "no"; "unknown" if there is no interface; "temporarily unknown" if a later call may
        succeed, because the user who starts a program can limit the number of its open files
    """
    if not sys.platform.startswith("linux"):
        return "unknown"
    try:
        descriptor = os.open("/proc/self/auxv", os.O_RDONLY)  # Not open(), which is missing at shutdown.
        try:
            vector = memoryview(os.read(descriptor, 4096)).cast("L")
        finally:
            os.close(descriptor)
        return _yes_or_no(any(kind == _AT_SECURE and value for kind, value in zip(vector[::2], vector[1::2])))
    except FileNotFoundError:
        otherwise = "unknown"  # /proc is not mounted.
    except PermissionError:
        otherwise = "yes"  # A process that changed its user or gained privileges may not read it: proc(5).
    except (OSError, ValueError, TypeError):
        otherwise = "temporarily unknown"
    try:
        from ctypes import CDLL, c_ulong

        getauxval = CDLL(None).getauxval
        getauxval.restype, getauxval.argtypes = c_ulong, (c_ulong,)
        return _yes_or_no(getauxval(_AT_SECURE))
    except Exception:
        return otherwise  # ctypes is missing or cannot be loaded.


def _yes_or_no(value: object) -> str:
    return "yes" if value else "no"


#: The active wrappers: the owner, the name, the wrapper, and whether the real function was the owner's own attribute.
#: The owner and the wrapper are weak references, so that they are deleted as early at shutdown as in stock Python.
wrapped: "List[Tuple[ref[Any], str, ref[Function], bool]]" = []


def is_wrapped(owner: "Any", name: str) -> bool:
    """Return whether certhook has wrapped the function *name* of *owner*, and reactivate a deactivated wrapper.

    :param owner: a class or a module
    """
    current = getattr(owner, name)
    if hasattr(current, "__certhook__"):
        _reactivate(owner, name, current)
        return True
    # A foreign wrapper around ours? After a reload, the functions are ssl's own again.
    own = getattr(owner, "__module__", getattr(owner, "__name__", None))
    is_foreign = getattr(current, "__module__", None) not in ("ssl", "_ssl", None, own)
    return is_foreign and any(owner is known() and name == known_name for known, known_name, _, _ in wrapped)


def _reactivate(owner: "Any", name: str, function: "Function") -> None:
    """Activate our wrapper inside a foreign one, if uninstall() deactivated it."""
    while function is not None:
        if getattr(function, "__dict__", {}).get("__certhook_active__") is False:
            function.__certhook_active__ = True
            inherited = isinstance(owner, type) and getattr(super(owner, owner), name, None) is function.__certhook__
            wrapped.append((ref(owner), name, ref(function), not inherited))
        function = getattr(function, "__wrapped__", None)


def wrap(owner: "Any", name: str, wrapper: "Function") -> None:
    """Replace the function *name* of *owner* by *wrapper*."""
    wrapped.append((ref(owner), name, ref(wrapper), name in vars(owner)))
    setattr(owner, name, wrapper)


class Property(property):
    """A property with attributes of certhook."""

    __certhook__: "Any"
    __certhook_active__ = True


_METADATA = (
    *("__module__", "__name__", "__qualname__", "__doc__", "__type_params__"),
    "__annotations__" if sys.version_info < (3, 14) else "__annotate__",
)


def marked(wrapper: "Function", original: "Function", module: str = "ssl") -> "Function":
    """Return *wrapper* with the metadata of *original*, a function of *module*, and marked as certhook's."""
    # Not functools.update_wrapper(): ssl no longer imports functools in Python 3.14, so a functools.py in the working
    # directory of a program that has it on its path would be executed, unlike on stock Python.
    for name in _METADATA:
        try:
            setattr(wrapper, name, getattr(original, name))
        except AttributeError:
            pass
    wrapper.__dict__.update(getattr(original, "__dict__", {}))
    wrapper.__wrapped__ = original
    # Methods of the C class have no module; pickle looks them up in ssl.
    wrapper.__module__ = module
    wrapper.__qualname__ = wrapper.__qualname__.replace("_SSLContext.", "SSLContext.")
    wrapper.__certhook__ = original
    wrapper.__certhook_active__ = True
    return wrapper


def load_module(name: str) -> "Any":
    """Return certhook's module *name*, and import it before Python runs the handler of a signal.

    A handler that interrupted the import and created a context would find incomplete modules.
    """
    name = f"certhook.{name}"
    module = sys.modules.get(name)
    if module is not None and not getattr(module.__spec__, "_initializing", False):
        return module
    from certhook._finder import undisturbed  # Settings are read in processes without a hook.

    return undisturbed(_import)(name)


def _import(name: str) -> "Any":
    import _signal  # type: ignore[import-not-found]  # Built-in: the module signal imports enum.

    # Windows has no signals that could be blocked.
    mask = getattr(_signal, "pthread_sigmask", None)
    blocked = mask(_signal.SIG_BLOCK, _signal.valid_signals()) if mask else ()
    try:
        __import__(name)
        return sys.modules[name]
    finally:
        if mask:
            mask(_signal.SIG_SETMASK, blocked)


def print_problem(message: str) -> None:
    """Print *message* once per process, if nothing can be imported to issue it as a warning; not at shutdown."""
    if sys.meta_path is not None and message not in process.warnings:
        process.warnings.add(message)
        certhook._print_error(message)


def require_tls() -> None:
    """Raise :exc:`certhook.CerthookError` if this Python has no TLS."""
    try:
        import _ssl
    except ImportError as error:
        reason = f"it was built without the module ssl ({error})"
    else:
        if hasattr(getattr(_ssl, "_SSLContext", None), "protocol"):
            return
        reason = "its module ssl is a stub without OpenSSL, as in Pyodide, where the browser makes all connections"
    from certhook.exceptions import CerthookError

    raise CerthookError(f"this Python has no TLS: {reason}. certhook has no effect in it")


def is_server(context: "Any") -> bool:
    """Return whether *context*, an ``SSLContext``, is for servers, so that it verifies clients."""
    import _ssl  # Settings are read in processes that never load OpenSSL.

    # SSLContext's own attribute returns a member of an enumeration, and a subclass may override it.
    protocol: Any = vars(_ssl._SSLContext)["protocol"]
    return protocol.__get__(context) == _ssl.PROTOCOL_TLS_SERVER  # type: ignore[no-any-return]


def is_hooked(context: "Any") -> bool:
    """Return whether the methods of *context*, an ``SSLContext``, are wrapped by certhook."""
    return getattr(type(context).get_ca_certs, "__certhook_active__", False) is True


def context_class_of(ssl: "ModuleType") -> "Any":
    """Return the standard library's SSLContext, even if a subclass replaces it (truststore, gevent).

    :raises CerthookError: if *ssl* has none
    """
    for base in getattr(ssl, "SSLContext", object).__mro__:
        if base.__module__ == "ssl":
            return base
    raise incomplete(ssl, "SSLContext")


def incomplete(owner: object, name: str) -> "Exception":
    """Return the exception for a module or class that lacks the attribute *name*."""
    from certhook.exceptions import CerthookError

    return CerthookError(f"{owner!r} has no {name}; if it is still being imported, call certhook.install() afterwards")
