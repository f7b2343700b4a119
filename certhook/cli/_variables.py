"""Environment variables: their effects, and those that look like settings of certhook and have none."""

from __future__ import annotations

import difflib
import os
import shlex
import sys

from certhook import _config
from certhook._config import ALIASES, NATIVE_PLATFORMS, PREFIX, SETTINGS, VARIABLES
from certhook._state import is_privileged
from certhook._text import printable, shown_value
from certhook.cli import _settings_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Mapping

    from certhook._config import Config

_EXTRA = "CERTHOOK_EXTRA_CA_CERTS"

# The similarity to a setting at which a name without the prefix is a misspelling: one letter of a short name.
_ALMOST = 0.92

_EFFECTS = {setting.name: setting.description for setting in SETTINGS}
_EFFECTS.update({alias: f"is an alias of {name}, which {_EFFECTS[name]}" for name, alias in ALIASES.items()})


def describe(environ: Mapping[str, str], config: Config) -> list[dict[str, str]]:
    """Return the name, value and effect of each variable of certhook in *environ*, sorted by name.

    :param config: the settings in *environ*
    """
    effects = {name: _effect(name, environ[name], config) for name in _EFFECTS if name in environ}
    limited = _settings_file.effects(config)
    effects.update({name: effect for name, effect in limited.items() if name in effects})
    for name, similar in unknown_variables(environ).items():
        suggestion = f"; did you mean {similar}?" if similar else ""
        effects[name] = f"has no effect: certhook has no such variable{suggestion}"
    return [
        {"name": printable(name), "value": shown_value(environ[name]), "effect": effect}
        for name, effect in sorted(effects.items())
    ]


def _effect(name: str, value: str, config: Config) -> str:
    refused = [problem.message for problem in config.problems if problem.setting == name]
    if is_privileged():
        return "has no effect: the process runs set-uid or set-gid"
    if refused:
        return refused[0]
    if name.startswith(PREFIX) and not value:
        return "has no effect: it is empty"
    if name == "CERTHOOK_DISABLED" and not _config.is_disabled():
        return "has no effect: the value means no"
    if name == "NIX_SSL_CERT_FILE" and config.overrides_system:
        return "has no effect: SSL_CERT_FILE or SSL_CERT_DIR is set"
    if name == "SSL_CERT_FILE" and config.cert_file is None:
        return "has no effect: certhook wrote the file, for other programs"
    if name == "SSL_CERT_FILE" and config.named is not None:
        return "names a copy of Mozilla's roots, and therefore excludes no other roots"
    if name == "CERTHOOK_VERIFY":
        return _native_obstacle(config) or _EFFECTS[name]
    return _EFFECTS[name]


def native_problem(config: Config) -> list[str]:
    """Return the problem because of which truststore does not verify servers, if there is one."""
    if config.verify is None or sys.platform not in NATIVE_PLATFORMS:
        return []
    from certhook import _native

    problem = "" if _native.obstacle(config) else _native.problem()
    return [f"CERTHOOK_VERIFY: {problem}"] if problem else []


def _native_obstacle(config: Config) -> str:
    """Return why ``CERTHOOK_VERIFY`` has no effect, empty if it has one."""
    if config.verify is None:
        return "has no effect: it is empty"
    if sys.platform not in NATIVE_PLATFORMS:
        return "has no effect on this system: only Windows and macOS verify servers for programs"
    from certhook import _native

    obstacle = _native.obstacle(config)
    return f"has no effect: {obstacle}" if obstacle else _native.problem()


def misspelled(environ: Iterable[str]) -> list[str]:
    """Return a problem for each of :func:`unknown_variables`: the user expects an effect that it does not have."""
    return [
        f"{printable(name)} has no effect: certhook has no such variable"
        + (f"; did you mean {similar}?" if similar else "")
        for name, similar in unknown_variables(environ).items()
    ]


def unknown_variables(environ: Iterable[str]) -> dict[str, str]:
    """Return the variables that look like settings of certhook and are none, sorted by name.

    These are variables with certhook's prefix, and those whose complete name is almost that of a setting.

    :param environ: the names of the environment variables
    :returns: for each variable, the setting with the most similar name, "" if none is similar
    """
    # The common prefix would make all names similar.
    settings = {_without_prefix(name): name for name in VARIABLES}
    prefixed = [name for name in VARIABLES if name.startswith(PREFIX)]
    unknown = {}
    for name in sorted(set(environ).difference(VARIABLES)):
        if name.startswith(PREFIX):
            similar = difflib.get_close_matches(_without_prefix(name), settings, 1)
            unknown[name] = settings[similar[0]] if similar else ""
        elif "CERT" in name.upper():
            # CERTHOK_MODE, CERT_HOOK_MODE or certhook_mode.
            for similar_name in difflib.get_close_matches(name.upper(), prefixed, 1, _ALMOST):
                unknown[name] = similar_name
    return unknown


def extra_command(path: str, environ: Mapping[str, str], is_windows: bool = os.name == "nt") -> str:
    """Return the shell command that adds *path* to ``CERTHOOK_EXTRA_CA_CERTS``, and keeps the paths in it.

    :param environ: the environment of the user
    """
    if is_windows:
        present = f"%{_EXTRA}%;" if environ.get(_EXTRA) else ""
        return f'setx {_EXTRA} "{present}{path}"'
    present = f'"${_EXTRA}:"' if environ.get(_EXTRA) else ""
    return f"export {_EXTRA}={present}{shlex.quote(path)}"


def _without_prefix(name: str) -> str:
    return name[len(PREFIX) :] if name.startswith(PREFIX) else name
