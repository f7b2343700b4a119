"""State and facts: of this process, and of an ``SSLContext``.

OpenSSL ignores ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` in programs that are set-uid, set-gid, or
have file capabilities (secure_getenv(3)). certhook ignores its variables there as well, which
:func:`is_privileged` decides.
"""

import _ssl
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Dict, List, Optional, Set, Tuple

# Markers in the __dict__ of a context.
#: The compiled store from which OpenSSL reads the context's roots on demand.
STORE = "_certhook_store"
#: The compiled store of which the context contains every root.
LOADED = "_certhook_loaded"
#: Set if the caller loaded certificates of its own.
CALLERS = "_certhook_callers"
#: Set if create_default_context() created the context for a server.
SERVES = "_certhook_serves"

#: The directory of root's stores, which a daemon can still read after it has dropped its privileges.
ROOTS_DIRECTORY = "/var/cache/certhook"

_AT_SECURE = 23


class Process:
    """The state of certhook in this process.

    :ivar use_environment: whether the process reads its environment; see :func:`certhook.install`
    :ivar is_secure: the cached result of :func:`is_privileged`, empty before the first query
    :ivar config: the latest values of the variables, and the settings parsed from them
    :ivar trust: default trust by the bit of its purpose
    :ivar loadable: the PEM files of compiled stores, and whether OpenSSL loads them
    :ivar warnings: the messages that were already shown
    :ivar security_answers: recent output of macOS' security(1) by its arguments
    """

    __slots__ = ("config", "is_secure", "loadable", "security_answers", "trust", "use_environment", "warnings")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Restore the initial state."""
        self.use_environment = True
        self.is_secure = ""
        self.config: Optional[Tuple[List[Any], Any]] = None
        self.trust: Dict[int, Any] = {}
        self.loadable: Dict[str, bool] = {}
        self.warnings: Set[str] = set()
        self.security_answers: Dict[Tuple[str, ...], Tuple[float, Any, Any]] = {}


process = Process()


def is_privileged() -> bool:
    """Return whether this program was started set-uid, set-gid, or with file capabilities.

    On Linux, only the start of the program counts: a daemon that changes its user later keeps
    the environment that it was started with.
    """
    if not hasattr(os, "getuid"):
        return False
    secure = process.is_secure or _query()
    if secure != "temporarily unknown":
        process.is_secure = secure
    return ids_differ() if secure == "unknown" else secure != "no"


def ids_differ() -> bool:
    """Return whether the effective user or group differs from the real one."""
    return hasattr(os, "getuid") and (os.getuid() != os.geteuid() or os.getgid() != os.getegid())


def _query() -> str:
    """Return the kernel's AT_SECURE flag, see getauxval(3).

    :returns: "yes" or "no"; "unknown" if no interface exists; "temporarily unknown" if a later call may
        succeed: the user who starts a program also limits the number of files it may open
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


def beside_package() -> "Optional[str]":
    """Return the directory next to the package, in which ``python -m certhook compile`` creates the store."""
    # In memory (frozen into C, PyOxidizer), a module has no __file__.
    package = os.path.dirname(globals().get("__file__", ""))
    return os.path.join(os.path.dirname(package), "certhook-store") if os.path.isabs(package) else None


def own_directory(configured: "Optional[str]") -> "Tuple[Optional[str], str]":
    """Return the directory in which this process builds stores, or None and the reason.

    :param configured: the value of CERTHOOK_CACHE_DIR, empty for none
    """
    if configured is not None:
        return configured or None, "" if configured else "CERTHOOK_CACHE_DIR=none"
    if is_privileged() or ids_differ():
        return None, "the process runs with the privileges of another user"
    directory = _user_directory()
    return directory, "" if directory else "the user has no cache directory"


def _user_directory() -> "Optional[str]":
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "") if process.use_environment else ""
        return os.path.join(base, "certhook", "Cache") if os.path.isabs(base) else None
    if os.geteuid() == 0:
        return ROOTS_DIRECTORY
    uses_xdg = process.use_environment and sys.platform != "darwin"
    base = os.environ.get("XDG_CACHE_HOME", "") if uses_xdg else ""
    # The XDG base directory specification requires that relative paths are ignored.
    if not os.path.isabs(base):
        home = os.path.expanduser("~") if process.use_environment else _home_in_passwd()
        if not os.path.isabs(home):
            return None
        base = os.path.join(home, "Library/Caches" if sys.platform == "darwin" else ".cache")
    return os.path.join(base, "certhook")


def _home_in_passwd() -> str:
    """Return the effective user's home directory according to the user database; empty if it has none."""
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_dir
    except (ImportError, KeyError):
        return ""


def is_shared() -> bool:
    """Return whether other users may read the stores of this process: root's, for daemons that drop privileges."""
    return sys.platform != "win32" and os.geteuid() == 0


# The C class's attribute: SSLContext's own returns a member of an enumeration, and a subclass may override it.
# It is missing if the ssl module is a stub, in a Python without TLS (Pyodide).
_protocol: "Any" = getattr(_ssl._SSLContext, "protocol", None)


def has_tls() -> bool:
    """Return whether this Python supports TLS."""
    return _protocol is not None


def is_server(context: "Any") -> bool:
    """Return whether *context*, an ``SSLContext``, is for servers, so that it verifies clients."""
    return _protocol.__get__(context) == _ssl.PROTOCOL_TLS_SERVER  # type: ignore[no-any-return]


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


def clear_strict_of_urllib3(ssl: "ModuleType", context: "Any") -> None:
    """Clear ``VERIFY_X509_STRICT`` if urllib3 calls, which sets it before it loads roots.

    Other programs that set the flag do so on purpose.
    """
    frame = sys._getframe(1).f_back  # None if C code or a thread calls the method directly.
    caller = frame and frame.f_globals.get("__name__")
    if isinstance(caller, str) and "urllib3" in caller.split("."):  # pip vendors a copy.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
