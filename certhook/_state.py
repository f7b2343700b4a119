"""The state of certhook in this process, the markers of contexts, and the functions that certhook wraps.

OpenSSL ignores ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` in programs that are set-uid, set-gid, or
have file capabilities (secure_getenv(3)). certhook ignores its variables there as well, which
:func:`is_privileged` decides.
"""

import os
import sys
from _thread import get_ident
from _weakref import ref
from time import monotonic, sleep

import certhook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Dict, List, Optional, Set, Tuple

    #: A function with any signature, and with attributes of certhook.
    Function = Any

#: The name of the attribute of a context that contains its markers.
MARKERS = "_certhook"

_AT_SECURE = 23


class Process:
    """The state of certhook in this process.

    :ivar use_environment: whether certhook reads environment variables; see :func:`certhook.install`
    :ivar at_secure: the cached result of :func:`_query_at_secure`, empty if it is not known
    :ivar config: the latest values of the variables, and the settings parsed from them
    :ivar trust: default trust by the bit of its purpose
    :ivar loadable: whether OpenSSL loads the PEM file of a compiled store, by the path of the file
    :ivar warnings: the messages that were already issued as warnings
    :ivar security_answers: recent output of macOS' security(1) by its arguments
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Restore the initial state."""
        self.use_environment = True
        self.at_secure = ""
        self.config: Optional[Tuple[List[Any], Any]] = None
        self.trust: Dict[int, Any] = {}
        self.loadable: Dict[str, bool] = {}
        self.warnings: Set[str] = set()
        self.security_answers: Dict[Tuple[str, ...], Tuple[float, Any, Any]] = {}


process = Process()


class Markers(ref):  # type: ignore[type-arg]
    """What certhook did to one context. Contexts without any markers have none.

    Programs copy the attributes of one context to another, which has no roots yet, so the markers
    refer to the context that they are valid for. Copies by way of pickle and copy are False.

    :ivar store: the compiled store from which OpenSSL reads the context's roots on demand, None if there is none
    :ivar loaded: the compiled store from which every root was loaded into the context
    :ivar has_caller_certs: whether the caller loaded certificates other than default trust
    :ivar is_for_server: whether create_default_context() created the context for a server
    """

    store: "Optional[str]" = None
    loaded: "Optional[str]" = None
    has_caller_certs = False
    is_for_server = False

    def __reduce__(self) -> "Tuple[Any, ...]":
        return bool, ()


#: The markers of contexts without any.
NO_MARKERS = Markers(Process)


def markers_of(context: "Any") -> Markers:
    """Return the markers of *context*, which may be any object. They must not be modified."""
    found = getattr(context, "__dict__", {}).get(MARKERS)
    return found if isinstance(found, ref) and found() is context else NO_MARKERS  # type: ignore[return-value]


def mark(context: "Any") -> Markers:
    """Return the markers of *context* for modification."""
    found = markers_of(context)
    if found is NO_MARKERS:
        found = context.__dict__[MARKERS] = Markers(context)
    return found


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
        with open("/proc/self/auxv", "rb", buffering=0) as file:
            vector = memoryview(file.read(4096)).cast("L")
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


# Seconds that a fork and the functions of other threads wait for each other.
_FORK_TIMEOUT = 5.0
# The threads that call an undisturbed function, with the depth of the calls, and those that fork.
_active: "Dict[int, int]" = {}
_forking: "Dict[int, bool]" = {}


def undisturbed(function: "Function") -> "Function":
    """Decorate *function*, which imports modules or reads files, so that other code does not disturb it.

    - If another thread forks, the child process lacks the thread that imports a module, and waits forever
      for it in its own import of the module. Forks therefore wait until the function returns.
    - Like OpenSSL, the function reads the real files: pyfakefs replaces ``os`` in every module.
    - It runs outside of the event loop, in which blockbuster makes functions of ``os`` raise.
    """

    def call(*args: "Any", **kwargs: "Any") -> "Any":
        thread = get_ident()
        depth = _active.get(thread, 0)
        _active[thread] = depth + 1
        if _forking and not depth:
            _wait_for_forks(thread)
        modules = sys.modules
        real, found = certhook._REAL_OS[0], modules.get("os")
        loop = getattr(modules.get("asyncio.events"), "_get_running_loop", bool)()
        try:
            if found is not real:
                modules["os"] = real
                _restore_os()
            if loop:
                modules["asyncio.events"]._set_running_loop(None)
            return function(*args, **kwargs)
        finally:
            if loop:
                modules["asyncio.events"]._set_running_loop(loop)
            if found is not None and found is not real:
                modules["os"] = found
            if depth:
                _active[thread] = depth
            else:
                _active.pop(thread, None)

    return call


def _restore_os() -> None:
    """Replace a fake ``os`` in certhook's modules by the real module."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "certhook" and "os" in getattr(module, "__dict__", ()):
            module.os = certhook._REAL_OS[0]  # type: ignore[attr-defined]


def _wait_for_forks(thread: int) -> None:
    deadline = monotonic() + _FORK_TIMEOUT
    while _forking and monotonic() < deadline:
        _active.pop(thread, None)
        sleep(0.001)
        _active[thread] = 1


def _before_fork() -> None:
    thread = get_ident()
    _forking[thread] = True
    deadline = monotonic() + _FORK_TIMEOUT
    while any(other != thread for other in list(_active)) and monotonic() < deadline:
        sleep(0.001)


def _after_fork_in_parent() -> None:
    _forking.pop(get_ident(), None)


def _after_fork_in_child() -> None:
    _forking.clear()
    depth = _active.get(get_ident(), 0)
    _active.clear()
    if depth:
        _active[get_ident()] = depth


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)

#: The active wrappers: the owner, the name, the wrapper, and whether the real function was the owner's own attribute.
wrapped: "List[Tuple[Any, str, Function, bool]]" = []


def is_wrapped(owner: "Any", name: str) -> bool:
    """Return whether certhook has wrapped the function *name* of *owner*, and reactivate a deactivated wrapper.

    :param owner: a class or a module
    """
    current = getattr(owner, name)
    if hasattr(current, "__certhook__"):
        _reactivate(owner, name, current)
        return True
    # A foreign wrapper around ours? After a reload, the functions are ssl's own again.
    is_foreign = getattr(current, "__module__", None) not in ("ssl", "_ssl", None)
    return is_foreign and any(owner is known and name == known_name for known, known_name, _, _ in wrapped)


def _reactivate(owner: "Any", name: str, function: "Function") -> None:
    """Activate our wrapper inside a foreign one, if uninstall() deactivated it."""
    while function is not None:
        if getattr(function, "__dict__", {}).get("__certhook_active__") is False:
            function.__certhook_active__ = True
            inherited = isinstance(owner, type) and getattr(super(owner, owner), name, None) is function.__certhook__
            wrapped.append((owner, name, function, not inherited))
        function = getattr(function, "__wrapped__", None)


def wrap(owner: "Any", name: str, wrapper: "Function") -> None:
    """Replace the function *name* of *owner* by *wrapper*."""
    wrapped.append((owner, name, wrapper, name in vars(owner)))
    setattr(owner, name, wrapper)


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
