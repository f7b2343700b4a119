"""Settings: the environment variables and their values.

:data:`SETTINGS` describes every variable. The parser, the report of ``status`` and the table in
the README are derived from it.

A set ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` counts even if it is empty, as in OpenSSL. An empty
``CERTHOOK_*`` variable counts as unset. An invalid value is reported, and the default applies.
If the variable selects roots, the valid part or the most restrictive value applies instead, so
that a typing error never widens trust.
"""

import os

from certhook._state import is_privileged, load_module, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

    from certhook.exceptions import ConfigurationError

    #: Reports an invalid value.
    Refuse = Callable[[str], None]
    #: Converts the value of a set variable.
    Parser = Callable[[str, Refuse], Any]

#: The prefix of the variables that belong to certhook alone.
PREFIX = "CERTHOOK_"

#: Purposes of trust, as bits.
SERVER_AUTH = 1
CLIENT_AUTH = 2
ANY_PURPOSE = SERVER_AUTH | CLIENT_AUTH

SOURCES = ("system", "bundled")
#: This source is always read. If CERTHOOK_SOURCES contains only this name, the other sources are excluded.
EXTRA = "extra"
MODES = ("chain", "fallback")
REMOVED = ("adopted", "drop", "keep")
#: The client hooks.
CLIENTS = ("httpcore2", "pyopenssl", "grpc", "wassima")
LOADS = ("lazy", "eager")
ON_ERROR = ("warn", "raise")
NATIVE = "native"
#: The values of sys.platform on which CERTHOOK_VERIFY=native has an effect.
NATIVE_PLATFORMS = ("win32", "darwin")
_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")


def purpose_bit(oid: str) -> int:
    """Return the bit of the purpose *oid*. Any purpose but server authentication counts as client authentication."""
    return SERVER_AUTH if oid == "1.3.6.1.5.5.7.3.1" else CLIENT_AUTH


# Parsers. Each is called with the value of a set variable, and a function that reports an invalid value.


def _shown(text: str, value: "Optional[str]" = None) -> str:
    """Return *text*, a value or an entry of *value*, for a message, without secrets."""
    from certhook import _text

    return _text.shown(text) if value is None else _text.shown_entry(text, value)


def _verbatim(value: str, refuse: "Refuse") -> str:
    return value


def _choice(allowed: "Tuple[str, ...]", otherwise: str) -> "Parser":
    def parse(value: str, refuse: "Refuse") -> str:
        choice = value.strip().lower() or allowed[0]
        if choice in allowed:
            return choice
        refuse(f"invalid value {_shown(value)} (expected {' or '.join(allowed)}); using {otherwise}")
        return otherwise

    return parse


def _native_or_unset(value: str, refuse: "Refuse") -> "Optional[str]":
    word = value.strip().lower()
    if word in ("", NATIVE):
        return word or None
    refuse(f"invalid value {_shown(value)} (expected {NATIVE}); OpenSSL verifies servers")
    return None


def _flag(default: bool) -> "Parser":
    def parse(value: str, refuse: "Refuse") -> bool:
        word = value.strip().lower()
        if not word:
            return default
        if word not in _YES and word not in _NO:
            refuse(f"invalid value {_shown(value)} (expected 0 or 1); using {int(default)}")
            return default
        return word in _YES

    return parse


def _is_disabled(value: str, refuse: "Refuse") -> bool:
    word = value.strip().lower()
    return bool(word) and word not in _NO


def _names(allowed: "Tuple[str, ...]", may_be_none: bool = False) -> "Parser":
    expected = (*allowed, "none") if may_be_none else allowed

    def parse(value: str, refuse: "Refuse") -> "Optional[Tuple[str, ...]]":
        names = tuple(dict.fromkeys([name.strip().lower() for name in value.split(",") if name.strip()]))
        unknown = [name for name in names if name not in expected]
        if not names and value.strip():
            unknown = [""]  # Only commas: both variables in "$A,$B" were unset.
        known = () if "none" in names else tuple([name for name in names if name in allowed])
        if not unknown:
            return known if names else None
        refuse(
            f"{_shown(value)} contains {_shown(unknown[0], value)} (expected {' or '.join(expected)}, separated by "
            f"commas); using {','.join(known) or 'none'}"
        )
        return known

    return parse


def _deferred(name: str) -> "Parser":
    """Return the parser *name* of :mod:`certhook._path_values`, which is imported only if a variable contains paths."""

    def parse(value: str, refuse: "Refuse") -> "Any":
        from certhook import _path_values

        return getattr(_path_values, name)(value, refuse)

    return parse


def _public_bundles(value: str, refuse: "Refuse") -> "Optional[Tuple[str, ...]]":
    from certhook._public_bundles import select

    return select(value, refuse)


class Setting:
    """An environment variable.

    :ivar name: the variable
    :ivar attribute: the attribute of :class:`Config` with its value
    :ivar parse: converts the value of a set variable
    :ivar default: the attribute's value if the variable is unset, or *parse* returns None
    :ivar selects_roots: whether the variable affects which roots are trusted
    :ivar description: the effect of the variable, as a phrase without a subject
    """

    def __init__(
        self, name: str, attribute: str, parse: "Parser", default: "Any", selects_roots: bool, description: str
    ) -> None:
        self.name, self.attribute, self.parse = name, attribute, parse
        self.default, self.selects_roots, self.description = default, selects_roots, description


# fmt: off
_ROWS: "Tuple[Tuple[str, str, Parser, Any, bool, str], ...]" = (
    ("SSL_CERT_FILE", "cert_file", _verbatim, None, True,
     "replaces the operating system's file of roots"),
    ("SSL_CERT_DIR", "cert_dir", _verbatim, None, True,
     "replaces the operating system's directory of roots"),
    ("NIX_SSL_CERT_FILE", "nix_cert_file", _deferred("path_or_unset"), None, True,
     "adds a file of roots to those of the operating system"),
    ("CERTHOOK_DISABLED", "disabled", _is_disabled, False, False,
     "disables certhook, unless the value is 0, false, no or off"),
    # The default depends on SSL_CERT_FILE and SSL_CERT_DIR.
    ("CERTHOOK_SOURCES", "sources", _names((*SOURCES, EXTRA)), None, True,
     "selects the sources and their order; extra alone excludes the others"),
    ("CERTHOOK_MODE", "mode", _choice(MODES, "fallback"), "chain", True,
     "combines all sources (chain) or uses the first that contains a root (fallback)"),
    ("CERTHOOK_EXTRA_CA_CERTS", "extra", _deferred("paths"), (), True,
     "adds roots from files and directories, separated by the path separator"),
    ("CERTHOOK_BUNDLE", "bundle", _deferred("path"), None, True,
     "replaces certifi's bundle with another PEM file"),
    ("CERTHOOK_ADOPT", "adopt", _public_bundles, None, True,
     "selects the public bundles to adopt, as names of packages or package/path; none disables adoption"),
    ("CERTHOOK_REMOVED", "removed", _choice(REMOVED, "drop"), "adopted", True,
     "excludes roots that certifi removed: from adopted requests (adopted), everywhere (drop) or nowhere (keep)"),
    ("CERTHOOK_CLIENTS", "clients", _names(CLIENTS, may_be_none=True), CLIENTS, False,
     "selects the client hooks; none disables them"),
    ("CERTHOOK_LOAD", "load", _choice(LOADS, "lazy"), "lazy", False,
     "loads roots on demand from a compiled store (lazy) or into every context (eager)"),
    ("CERTHOOK_NAMED_FILES", "named_files", _flag(True), True, False,
     "0 passes files of roots that callers name to OpenSSL unchanged"),
    ("CERTHOOK_STORE_DIR", "store_dir", _deferred("directory_or_none"), None, False,
     "sets the directory of compiled stores; none disables them"),
    ("CERTHOOK_X509_STRICT", "x509_strict", _flag(True), True, False,
     "0 disables the strict checks of Python 3.13 and later"),
    ("CERTHOOK_VERIFY", "verify", _native_or_unset, None, False,
     "makes Windows and macOS verify servers (native), through truststore, which 'pip install certhook[native]' adds"),
    ("CERTHOOK_EXPLAIN", "explain", _flag(True), True, False,
     "0 disables the notes on exceptions for failed verifications, with their reason"),
    ("CERTHOOK_ON_ERROR", "on_error", _choice(ON_ERROR, "warn"), "warn", False,
     "reports invalid settings and sources as warnings (warn) or exceptions (raise)"),
    ("CERTHOOK_DEBUG", "debug", _flag(False), False, False,
     "prints each step to standard error"),
)
# fmt: on

SETTINGS = tuple([Setting(*row) for row in _ROWS])

#: Former names of variables, which count if the present one is unset.
ALIASES = {"CERTHOOK_STORE_DIR": "CERTHOOK_CACHE_DIR"}

#: Every variable that certhook reads.
VARIABLES = (*[setting.name for setting in SETTINGS], *ALIASES.values())


class Config:
    """The values of all settings; see :data:`SETTINGS` for the attributes.

    :param environ: names and values of variables
    :ivar environ: the names and values of variables
    :ivar problems: a :class:`ConfigurationError` for each invalid value
    :ivar requested: the public bundle of :mod:`certhook._public_bundles` that a caller names; None for default trust
    :ivar named: *requested*, or else the public bundle that SSL_CERT_FILE names
    :ivar cert_file: the value of SSL_CERT_FILE; None if :mod:`certhook._exported` recognises the file
    :ivar configured_sources: the value of CERTHOOK_SOURCES, None if it is unset
    :ivar overrides_system: whether SSL_CERT_FILE or SSL_CERT_DIR replaces the system's store for servers
    """

    if TYPE_CHECKING:
        cert_file: "Optional[str]"
        cert_dir: "Optional[str]"
        nix_cert_file: "Optional[str]"
        disabled: bool
        sources: "Tuple[str, ...]"
        mode: str
        extra: "Tuple[str, ...]"
        bundle: "Optional[str]"
        adopt: "Optional[Tuple[str, ...]]"
        removed: str
        clients: "Tuple[str, ...]"
        load: str
        named_files: bool
        store_dir: "Optional[str]"
        x509_strict: bool
        verify: "Optional[str]"
        explain: bool
        on_error: str
        debug: bool

    def __init__(self, environ: "Mapping[str, str]") -> None:
        self.problems: List[ConfigurationError] = []
        self.environ = environ
        for setting in SETTINGS:
            name = setting.name
            if name in ALIASES and not environ.get(name):
                name = ALIASES[name]
            value = environ.get(name)
            parsed = None if value is None else setting.parse(value, self._refuse(name))
            setattr(self, setting.attribute, setting.default if parsed is None else parsed)
        self.configured_sources = self.sources
        if self.cert_file and self.is_exported(self.cert_file):
            self.cert_file = None
        self._requests: Dict[str, Config] = {}
        self.requested: Optional[str] = None
        named = None
        takes_bundle = self.mode == "chain" and self.bundle is None and "bundled" in (self.sources or SOURCES)
        if self.cert_file and takes_bundle:
            from certhook._public_bundles import named_by_variables

            named = named_by_variables(self.cert_file, self.cert_dir, self.adopt)
        self.overrides_system = named is None and (self.cert_file is not None or self.cert_dir is not None)
        self._set_named(named)

    def _set_named(self, name: "Optional[str]") -> None:
        self.named = name
        # A user who sets SSL_CERT_FILE chooses the roots; the bundle is excluded unless it is named.
        default = SOURCES[:1] if self.overrides_system and name is None else SOURCES
        sources = default if self.configured_sources is None else self.configured_sources
        self.sources = tuple([source for source in sources if source != EXTRA])

    def is_exported(self, path: str) -> bool:
        """Return whether ``certhook env`` wrote the file *path* with these settings, for programs without certhook."""
        if "exported-" not in path:
            return False
        from certhook import _exported

        return _exported.is_exported(path, self.store_dir, self.selection())

    def selection(self) -> str:
        """Return the values of the settings that select roots, except ``SSL_CERT_FILE``, as text."""
        attributes = [setting.attribute for setting in SETTINGS if setting.selects_roots]
        values = {attribute: getattr(self, attribute) for attribute in attributes}
        return repr([*{**values, "sources": self.configured_sources, "cert_file": None, "adopt": None}.values()])

    def adopting(self, name: "Optional[str]") -> "Config":
        """Return the settings for callers that name the public bundle *name*, or for default trust if it is None."""
        if name is None:
            return self
        if name not in self._requests:
            self._requests[name] = self.variant(name, requested=name)
        return self._requests[name]

    def literal(self) -> "Config":
        """Return the settings with which SSL_CERT_FILE replaces the system's store even if it names a public bundle."""
        return self if self.named is None else self.variant(None, overrides_system=True)

    def variant(self, name: "Optional[str]", **attributes: "Any") -> "Config":
        """Return the settings with other *attributes*, with *name* as the public bundle that is named."""
        variant: Config = object.__new__(Config)
        variant.__dict__.update(self.__dict__, _requests={}, **attributes)
        variant._set_named(name)
        return variant

    def _refuse(self, name: str) -> "Refuse":
        def refuse(message: str) -> None:
            # Imported only here: valid settings need no exception.
            self.problems.append(load_module("exceptions").ConfigurationError(name, message))

        return refuse


# The keys of the mapping inside os.environ.
_keys: "List[Any]" = [getattr(os.environ, "encodekey", str)(name) for name in VARIABLES]
_UNSET: "List[Any]" = [None for _ in VARIABLES]


def current() -> Config:
    """Return the settings in the environment of this process.

    Programs may set a variable at any time, so every context reads the environment. The same
    object is returned as long as nothing changes.
    """
    if not process.use_environment:
        values = _UNSET
    elif hasattr(os.environ, "_data"):
        # os.environ.get() takes a microsecond for each unset variable, because of an exception.
        data = os.environ._data
        values = _UNSET if data.keys().isdisjoint(_keys) else [data.get(key) for key in _keys]
    else:
        values = [os.environ.get(name) for name in VARIABLES]
    if values is not _UNSET and is_privileged():
        values = _UNSET
    last = process.config
    if last is None or last[0] != values:
        # A program may have replaced os.environ by a mapping with values of other types.
        found = {name: value for name, value in zip(VARIABLES, values) if isinstance(value, (str, bytes))}
        environ = {name: os.fsdecode(value) for name, value in found.items()}
        from certhook._finder import undisturbed  # Not imported if certhook is disabled.

        process.config = last = (values, undisturbed(Config)(environ))
    config: Config = last[1]
    return config


def last() -> Config:
    """Return the settings of the latest context, or :func:`current` before the first one."""
    return current() if process.config is None else process.config[1]


def effective(config: Config) -> Config:
    """Return *config* as far as the system-wide settings file allows, for use after an internal error.

    :returns: *config* if that cannot be determined
    """
    try:
        limited: Config = load_module("_sources.settings_file").effective(config)
    except Exception:
        return config
    return limited


def is_disabled() -> bool:
    """Return whether ``CERTHOOK_DISABLED`` disables certhook in this process."""
    value = os.environ.get("CERTHOOK_DISABLED", "")
    return _is_disabled(value, lambda message: None) and not is_privileged()
