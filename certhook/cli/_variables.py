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
    names = [name for name in sorted(environ) if name.startswith(PREFIX) and name not in VARIABLES]
    return {name: next(iter(difflib.get_close_matches(name, VARIABLES, 1)), "") for name in names}
