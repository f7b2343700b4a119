"""Limiting the settings in variables by those in the system-wide settings file: variables can only narrow trust.

A setting in the file applies if its variable is unset. Otherwise, only roots that both allow are trusted. A variable
that allows more than the file is reported.

``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` belong to OpenSSL, and stock Python obeys them. They replace the system's store
even if the file omits the source ``system``. ``NIX_SSL_CERT_FILE`` belongs to nixpkgs' OpenSSL. For others, it is one
more file of roots, which ``extra_ca_certs`` limits.
"""

from __future__ import annotations

import sys

from certhook._config import EXTRA, MODES, PREFIX, SETTINGS, SOURCES
from certhook._public_bundles import BUNDLES, named_by_variables, split
from certhook._sources.locations import is_openssl_of_nixpkgs, well_known
from certhook._text import printable, shown
from certhook.exceptions import ConfigurationError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook._config import Config
    from certhook._public_bundles import Bundles

#: The states of the file. An ignored file has no effect, because another user could have written it.
ABSENT, USED, IGNORED = "absent", "used", "ignored"

#: The settings, by their names in the file.
NAMES = {
    setting.name[len(PREFIX) :].lower(): setting
    for setting in SETTINGS
    if setting.selects_roots and setting.name.startswith(PREFIX)
}

#: The number of problems that are reported.
MOST_PROBLEMS = 20

#: The defaults that depend on other settings, as limits.
DEFAULTS = {"sources": SOURCES, "adopt": BUNDLES}

# The values from the widest to the narrowest.
_ORDERS = {"mode": MODES, "removed": ("keep", "adopted", "drop")}

_SYSTEM = "system"
_REMEDY = "Unset the variable, or change the file"


class SettingsFile:
    """The settings in the file.

    :ivar path: the path of the file
    :ivar state: "absent", "used" or "ignored"
    :ivar is_readable: False if the file exists, or may exist, and could not be read
    :ivar limits: the parsed values, by the attributes of :class:`certhook._config.Config`
    :ivar lines: the number and the text of the value of each setting in the file, by its name
    :ivar problems: the faults of the file
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.state = ABSENT
        self.is_readable = True
        self.limits: dict[str, Any] = {}
        self.lines: dict[str, tuple[int, str]] = {}
        self.problems: list[SourceError] = []

    def sets(self, variable: str) -> str:
        """Return the name that stands for *variable* in the file, empty if the file does not set it."""
        return next((name for name in self.lines if NAMES[name].name == variable), "")

    def describe(self, attribute: str) -> str:
        """Return the setting in the file that limits *attribute*, for a message."""
        for name, (number, value) in self.lines.items():
            if NAMES[name].attribute == attribute:
                return f"'{name} = {printable(value)}' in line {number} of {self.path}"
        return f"the default, which is the limit because of a fault in {self.path},"

    def report(self, message: str) -> None:
        """Report a fault, up to a limit."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(SourceError(self.path, message))

    def restrict(self) -> None:
        """Make the defaults of the settings that the file lacks the limits of the variables."""
        for setting in NAMES.values():
            default = DEFAULTS.get(setting.attribute, setting.default)
            self.limits.setdefault(setting.attribute, default)


def is_adopted(bundle: str, bundles: Bundles) -> bool:
    """Return whether *bundle* is one of *bundles*; None stands for all known ones."""
    return bundle in (BUNDLES if bundles is None else bundles)


def narrowed(attribute: str, limit: Any, value: Any) -> Any:
    """Return the part of *value* that *limit* allows. *attribute* is not ``sources``."""
    if attribute in _ORDERS:
        return max(limit, value, key=_ORDERS[attribute].index)
    if attribute == "bundle":
        return value if value == "" else limit
    if attribute == "adopt":
        value = BUNDLES if value is None else value
    return tuple([one for one in value if one in limit])


def common(attribute: str, first: Any, second: Any) -> Any:
    """Return the part that two values of a setting in the file have in common."""
    if attribute == "bundle":
        return first if first == second else ""
    return narrowed(attribute, first, second)


def limited(config: Config, file: SettingsFile) -> tuple[Config, list[ConfigurationError]]:
    """Return *config* limited by *file*, and a problem for each variable that allows more than the file."""
    if not file.limits:
        return config, []
    problems = []
    values: dict[str, Any] = {}
    for attribute, limit in file.limits.items():
        if attribute == "sources":
            continue  # They depend on the other settings.
        value = getattr(config, attribute)
        if not _is_set(config, attribute):
            values[attribute] = limit
            continue
        values[attribute] = narrowed(attribute, limit, value)
        if values[attribute] != (BUNDLES if attribute == "adopt" and value is None else value):
            problems.append(_exceeded(config, attribute, file, values[attribute]))
    if _exceeds_with_nix(config, file.limits):
        values["nix_cert_file"] = None
        problems.append(_exceeded(config, "nix_cert_file", file, (), limited_by="extra"))
    result = config.variant(config.named, **values)
    if _replaces_system(config, result, file):
        result = result.variant(result.requested, overrides_system=True)
    if "sources" in file.limits:
        sources = _sources(result, file.limits)
        if _is_set(config, "sources") and sources != result.sources:
            problems.append(_exceeded(config, "sources", file, sources))
        result = result.variant(result.named, configured_sources=sources)
    return result, problems


def _exceeds_with_nix(config: Config, limits: dict[str, Any]) -> bool:
    """Return whether NIX_SSL_CERT_FILE adds a file that *limits* exclude, and that stock Python does not read."""
    path = config.nix_cert_file
    if path is None or "extra" not in limits or config.overrides_system or is_openssl_of_nixpkgs():
        return False
    return path not in limits["extra"] and path not in well_known(sys.platform)[0]


def _replaces_system(config: Config, result: Config, file: SettingsFile) -> bool:
    """Return whether SSL_CERT_FILE replaces the system's store only because the file excludes the bundle it names."""
    if config.overrides_system or config.cert_file is None:
        return False
    takes_bundle = result.mode == MODES[0] and result.bundle is None and "bundled" in _sources(result, file.limits)
    return not takes_bundle or named_by_variables(result.cert_file or "", result.cert_dir, result.adopt) is None


def _sources(config: Config, limits: dict[str, Any]) -> tuple[str, ...]:
    """Return the sources of *config* that *limits* allow."""
    wanted = config.sources
    allowed = [source for source in limits.get("sources", wanted) if source != EXTRA]
    if limits.get("mode") == MODES[1] and "sources" in limits:
        # Without the first source, the second one would be used: roots that the file excludes.
        sources: list[str] = []
        for source in allowed:
            if source not in wanted:
                break
            sources.append(source)
    else:
        order = wanted if _is_set(config, "sources") else allowed
        sources = [source for source in order if source in wanted and source in allowed]
    if config.overrides_system and _SYSTEM in wanted and _SYSTEM not in sources:
        sources.insert(0, _SYSTEM)
    return tuple(sources)


def _is_set(config: Config, attribute: str) -> bool:
    """Return whether a variable sets *attribute*."""
    return bool(_variable_of(config, attribute)[1].strip())


def _variable_of(config: Config, attribute: str) -> tuple[str, str]:
    """Return the variable that sets *attribute*, and its value, empty if it is unset."""
    name = next(setting.name for setting in SETTINGS if setting.attribute == attribute)
    return name, config.environ.get(name, "")


def _exceeded(
    config: Config, attribute: str, file: SettingsFile, using: Any, limited_by: str = ""
) -> ConfigurationError:
    variable, value = _variable_of(config, attribute)
    if attribute == "adopt":
        using = list(dict.fromkeys([split(bundle)[0] if bundle in BUNDLES else bundle for bundle in using]))
    text = using if isinstance(using, str) else ", ".join(using or ())
    limit = file.describe(limited_by or attribute)
    message = f"{shown(value)} allows more than {limit} allows; using {text or 'none'}. {_REMEDY}"
    return ConfigurationError(variable, message)
