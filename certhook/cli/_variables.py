"""Environment variables that look like certhook's settings."""

from __future__ import annotations

from certhook._config import SETTINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping

#: The start of the names of certhook's own variables.
PREFIX = "CERTHOOK_"


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the names in *environ* that start with ``CERTHOOK_`` and are no settings, such as misspelt ones."""
    known = {setting.name for setting in SETTINGS}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
