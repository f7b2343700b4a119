"""Environment to :class:`Config`: the one place where variables are read.

======================== ==================================================
SSL_CERT_FILE            the file and the directories of the operating
SSL_CERT_DIR             system's store, as OpenSSL reads them
NIX_SSL_CERT_FILE        one more well-known place of that store (nixpkgs)
CERTHOOK_DISABLED        do nothing (:func:`disabled`)
CERTHOOK_SOURCES         the sources, in order: ``system,bundled``
CERTHOOK_MODE            ``chain`` or ``fallback``
CERTHOOK_EXTRA_CA_CERTS  files and directories that are always added
CERTHOOK_BUNDLE          a PEM file in place of certifi's
CERTHOOK_ADOPT           whose public bundles mean default trust
CERTHOOK_LOAD            ``lazy`` (by compiled store) or ``eager``
CERTHOOK_CACHE_DIR       where compiled stores live; ``none``: nowhere
CERTHOOK_X509_STRICT     ``0``: without ``VERIFY_X509_STRICT``
CERTHOOK_ON_ERROR        ``warn`` or ``raise``
CERTHOOK_DEBUG           one line a step on standard error
======================== ==================================================

A set ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` counts even when it is empty, as it
does for OpenSSL; a ``CERTHOOK_*`` variable that is empty counts as unset. A value that
cannot be understood is named in a warning. Its default holds, unless the variable
says what to trust: a typing mistake never widens that, so there holds what was
understood, or what trusts least.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping

    from certhook.exceptions import ConfigurationError

#: Purposes of trust, as bits.
SERVER_AUTH = 1
CLIENT_AUTH = 2
ANY_PURPOSE = SERVER_AUTH | CLIENT_AUTH

#: Whether this process listens to its environment; see :func:`certhook.install`.
use_environment = True

SOURCES = ("system", "bundled")
#: Added whatever the sources are, so naming it leaves out the others.
EXTRA = "extra"
PUBLIC_BUNDLES = ("certifi", "pip", "botocore", "httplib2")
MODES = ("chain", "fallback")
LOADS = ("lazy", "eager")
ON_ERROR = ("warn", "raise")
_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")

#: Every variable that :class:`Config` reads.
VARIABLES = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NIX_SSL_CERT_FILE",
    "CERTHOOK_SOURCES",
    "CERTHOOK_MODE",
    "CERTHOOK_EXTRA_CA_CERTS",
    "CERTHOOK_BUNDLE",
    "CERTHOOK_ADOPT",
    "CERTHOOK_LOAD",
    "CERTHOOK_CACHE_DIR",
    "CERTHOOK_X509_STRICT",
    "CERTHOOK_ON_ERROR",
    "CERTHOOK_DEBUG",
)


def may_be_paths(value: str) -> bool:
    """Whether *value* may be paths, and is neither a URL nor PEM text: of these, no part is to be taken for one."""
    has_login = "//" in value and "@" in value
    return not has_login and not any(mark in value for mark in ("://", "-----BEGIN", "LS0tLS1CRUdJT"))


def purpose_bit(oid: str) -> int:
    """The bit of a purpose. Whatever is not server authentication gets no more than client authentication."""
    return SERVER_AUTH if oid == "1.3.6.1.5.5.7.3.1" else CLIENT_AUTH


class Config:
    """What the environment says, understood.

    :param environ: names to values; nothing else is looked at
    """

    __slots__ = (
        "adopt",
        "bundle",
        "cache_dir",
        "cert_dir",
        "cert_file",
        "debug",
        "extra",
        "load",
        "mode",
        "nix_cert_file",
        "on_error",
        "problems",
        "sources",
        "x509_strict",
    )

    def __init__(self, environ: "Mapping[str, str]") -> None:
        #: a :class:`ConfigurationError` for each value that could not be understood
        self.problems: list[ConfigurationError] = []
        #: the values of SSL_CERT_FILE and SSL_CERT_DIR, None where unset
        self.cert_file = environ.get("SSL_CERT_FILE")
        self.cert_dir = environ.get("SSL_CERT_DIR")
        self.nix_cert_file = "".join(self._paths(environ, "NIX_SSL_CERT_FILE", separator=None)) or None
        # Who set SSL_CERT_FILE said what to trust: the bundle stays out unless it is named.
        default = SOURCES[:1] if self.explicit else SOURCES
        named = self._names((*SOURCES, EXTRA), environ, "CERTHOOK_SOURCES", default)
        self.sources = tuple([name for name in named if name != EXTRA])
        self.mode = self._one_of(MODES, environ, "CERTHOOK_MODE", otherwise="fallback")
        self.on_error = self._one_of(ON_ERROR, environ, "CERTHOOK_ON_ERROR")
        self.extra = self._paths(environ, "CERTHOOK_EXTRA_CA_CERTS", os.pathsep)
        #: a path in place of certifi's, "" for one that was refused, None where unset
        self.bundle = self._bundle(environ)
        #: whose public bundles are adopted
        self.adopt = self._adopt(environ)
        self.load = self._one_of(LOADS, environ, "CERTHOOK_LOAD")
        #: a path, "" for nowhere, None for the user's cache folder
        self.cache_dir = self._cache_dir(environ)
        self.x509_strict = self._flag(environ, "CERTHOOK_X509_STRICT", default=True)
        self.debug = self._flag(environ, "CERTHOOK_DEBUG", default=False)

    @property
    def explicit(self) -> bool:
        """Whether somebody said what the operating system's store is."""
        return self.cert_file is not None or self.cert_dir is not None

    def _refuse(self, setting: str, message: str) -> None:
        # Imported only here: with good settings nobody needs it.
        from certhook.exceptions import ConfigurationError

        self.problems.append(ConfigurationError(setting, message))

    def _names(
        self, allowed: "tuple[str, ...]", environ: "Mapping[str, str]", setting: str, default: "tuple[str, ...]"
    ) -> "tuple[str, ...]":
        value = environ.get(setting, "")
        names = tuple(name.strip().lower() for name in value.split(",") if name.strip())
        unknown = [name for name in names if name not in allowed]
        if not names and value.strip():
            unknown = [""]  # Only commas: of "$A,$B", neither was set.
        if unknown:
            known = tuple(dict.fromkeys([name for name in names if name in allowed]))
            self._refuse(
                setting,
                f"{value!r} names {unknown[0]!r}; allowed are {_enumerate(allowed)}, separated by commas. "
                f"Without it: {','.join(known) or 'none'}",
            )
            return known
        return tuple(dict.fromkeys(names)) or default

    def _adopt(self, environ: "Mapping[str, str]") -> "tuple[str, ...]":
        names = self._names((*PUBLIC_BUNDLES, "none"), environ, "CERTHOOK_ADOPT", PUBLIC_BUNDLES)
        # With other names beside it: who says "none" wants less.
        return () if "none" in names else names

    def _one_of(
        self, allowed: "tuple[str, ...]", environ: "Mapping[str, str]", setting: str, otherwise: str = ""
    ) -> str:
        value = environ.get(setting, "")
        choice = value.strip().lower() or allowed[0]
        if choice in allowed:
            return choice
        otherwise = otherwise or allowed[0]
        self._refuse(setting, f"{value!r} is not allowed; {_enumerate(allowed)} is. Instead, this holds: {otherwise}")
        return otherwise

    def _flag(self, environ: "Mapping[str, str]", setting: str, default: bool) -> bool:
        value = environ.get(setting, "")
        word = value.strip().lower()
        if not word:
            return default
        if word not in _YES and word not in _NO:
            self._refuse(setting, f"{value!r} is not allowed; 0 or 1 is. Instead, this holds: {int(default)}")
            return default
        return word in _YES

    def _paths(self, environ: "Mapping[str, str]", setting: str, separator: "str | None") -> "tuple[str, ...]":
        value = environ.get(setting, "")
        if not may_be_paths(value):
            self._refuse(setting, f"{value!r} is not a path; that of a file with certificates was expected")
            return ()
        paths = []
        for path in value.split(separator) if separator else [value]:
            if os.path.isabs(path):
                paths.append(path)
            elif path:
                # The working directory, which another user may own, is not to choose the roots.
                self._refuse(setting, f"{path!r} is a relative path and was left out; give it from the root on")
        return tuple(paths)

    def _bundle(self, environ: "Mapping[str, str]") -> "str | None":
        if not environ.get("CERTHOOK_BUNDLE"):
            return None
        return "".join(self._paths(environ, "CERTHOOK_BUNDLE", separator=None))

    def _cache_dir(self, environ: "Mapping[str, str]") -> "str | None":
        if environ.get("CERTHOOK_CACHE_DIR", "").strip().lower() == "none":
            return ""
        return "".join(self._paths(environ, "CERTHOOK_CACHE_DIR", separator=None)) or None


def disabled() -> bool:
    """Whether ``CERTHOOK_DISABLED`` switches certhook off in this process."""
    value = os.environ.get("CERTHOOK_DISABLED", "").strip().lower()
    return bool(value) and value not in _NO and not privileged()


_secure: "str | None" = None


def privileged() -> bool:
    """Whether this program is set-uid or set-gid, or has file capabilities: OpenSSL ignores the environment there.

    Linux says so of its start. A daemon that takes on another user's rights later still
    means the variables that it was started with.
    """
    global _secure
    if not hasattr(os, "getuid"):
        return False
    secure = _secure or _starts_secure()
    if secure != "not now":
        _secure = secure
    return acts_for_another() if secure == "unknown" else secure != "no"


def acts_for_another() -> bool:
    """Whether the effective user or group of this process is another one than the real one."""
    return hasattr(os, "getuid") and (os.getuid() != os.geteuid() or os.getgid() != os.getegid())


_AT_SECURE = 23


def _starts_secure() -> str:
    """What Linux says of the start of this program: AT_SECURE, see getauxval(3).

    :returns: "yes" or "no"; "unknown" on other systems, and where nothing can say it; "not now" where something
        may later on: who starts a program chooses how many files it may open
    """
    if not sys.platform.startswith("linux"):
        return "unknown"
    try:
        with open("/proc/self/auxv", "rb", buffering=0) as file:
            vector = memoryview(file.read(4096)).cast("L")
        return _yes_or_no(any(kind == _AT_SECURE and value for kind, value in zip(vector[::2], vector[1::2])))
    except FileNotFoundError:
        otherwise = "unknown"  # There is no /proc, whoever this is.
    except PermissionError:
        otherwise = "yes"  # A process that changed its user, or gained rights, may not read it: proc(5).
    except (OSError, ValueError, TypeError):
        otherwise = "not now"
    try:
        from ctypes import CDLL, c_ulong

        getauxval = CDLL(None).getauxval
        getauxval.restype, getauxval.argtypes = c_ulong, (c_ulong,)
        return _yes_or_no(getauxval(_AT_SECURE))
    except Exception:
        return otherwise  # There is no ctypes, or not now.


def _yes_or_no(value: object) -> str:
    return "yes" if value else "no"


def _enumerate(words: "tuple[str, ...]") -> str:
    return " or ".join(words)


# The keys of the mapping below os.environ.
_keys: "list[Any]" = [getattr(os.environ, "encodekey", str)(name) for name in VARIABLES]
_UNSET: "list[Any]" = [None for _ in VARIABLES]

_last: "tuple[list[Any], Config] | None" = None


def current() -> "Config":
    """The configuration as the environment of this process says now.

    Looked at anew for each context, since a program may set a variable after it
    started; the same object as long as nothing changed.
    """
    global _last
    if not use_environment:
        values = _UNSET
    elif hasattr(os.environ, "_data"):
        # os.environ.get() raises and catches for a variable that is not set: a microsecond for each.
        data = os.environ._data
        values = _UNSET if data.keys().isdisjoint(_keys) else [data.get(key) for key in _keys]
    else:
        values = [os.environ.get(name) for name in VARIABLES]
    if values is not _UNSET and privileged():
        values = _UNSET
    last = _last
    if last is None or last[0] != values:
        # What is no text is somebody's mapping in the place of os.environ.
        found = {name: value for name, value in zip(VARIABLES, values) if isinstance(value, (str, bytes))}
        environ = {name: os.fsdecode(value) for name, value in found.items()}
        _last = last = (values, Config(environ))
    return last[1]


def last() -> "Config":
    """The configuration of the last look at the environment, which a context that was just made has had."""
    return current() if _last is None else _last[1]
