"""Environment variables that look like settings of certhook and have no effect."""

from __future__ import annotations

import difflib

from certhook._config import VARIABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

#: The prefix of the variables that belong to certhook alone.
PREFIX = "CERTHOOK_"


def unknown_variables(environ: Iterable[str]) -> dict[str, str]:
    """Return the variables with certhook's prefix that are not settings, sorted by name.

    :param environ: the names of the environment variables
    :returns: for each variable, the setting with the most similar name, "" if none is similar
    """
    # The common prefix would make all names similar.
    settings = {_without_prefix(name): name for name in VARIABLES}
    unknown = {}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in VARIABLES:
            similar = difflib.get_close_matches(_without_prefix(name), settings, 1)
            unknown[name] = settings[similar[0]] if similar else ""
    return unknown


def _without_prefix(name: str) -> str:
    return name[len(PREFIX) :] if name.startswith(PREFIX) else name
