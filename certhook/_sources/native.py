"""The choice of the module that reads the native certificate store of this platform."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def native_store() -> ModuleType | None:
    """Return the module that reads this platform's native store, None if the platform has only files.

    Each of these modules has the functions ``read(collector)`` and ``read_distrusted(collector)``.
    """
    if sys.platform == "win32":
        from certhook._sources import windows

        return windows
    if sys.platform == "darwin":
        from certhook._sources import macos

        return macos
    return None
