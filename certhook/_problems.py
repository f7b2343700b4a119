"""The problems of default trust in a warm process, as the index of a compiled store records them."""

from __future__ import annotations

from certhook._config import VARIABLES
from certhook._finder import find_package
from certhook.exceptions import ConfigurationError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

    from certhook.exceptions import CerthookError


def restore(problems: Iterable[tuple[str, str]]) -> list[CerthookError]:
    """Return the exceptions for *problems*, pairs of a path or variable and a message."""
    return [(ConfigurationError if name in VARIABLES else SourceError)(name, message) for name, message in problems]


def lack_bundle(problems: Iterable[CerthookError]) -> bool:
    """Return whether certifi was missing and still is. A program may add it to ``sys.path`` later."""
    if all(getattr(problem, "path", None) != "certifi" for problem in problems):
        return False
    try:
        return find_package("certifi") is None
    except Exception:
        return True  # Not evidence of a change: a finder of the program raises.
