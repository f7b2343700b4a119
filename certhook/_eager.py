"""Default trust for callers that need all roots at once, or paths of them."""

from __future__ import annotations

import os

from certhook import _config, _loading, _trust
from certhook._config import SERVER_AUTH
from certhook._state import BUNDLE, markers_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

_HEXADECIMAL = "0123456789abcdef"


def load_completely(context: ssl.SSLContext) -> None:
    """Load every root of the compiled store that *context* points at, if it points at one."""
    if markers_of(context).store is not None:
        _trust.recheck(context, "noticed by a query of the roots")
    _loading.load_completely(context)


def replacement_paths(capath: str | None) -> tuple[str | None, str] | None:
    """Return the paths with which certhook replaces Python's own if these contain no root.

    :param capath: Python's directory, None if it does not exist
    :returns: the file of the compiled store, None if OpenSSL does not load it, and its directory; None if
        *capath* contains a root or there is no compiled store
    """
    if capath is not None:
        try:
            if any(name[8:9] == "." and not name[:8].strip(_HEXADECIMAL) for name in os.listdir(capath)):
                return None
        except OSError:
            pass
    store = _trust.current(_config.current(), SERVER_AUTH).store
    if store is None:
        return None
    bundle = os.path.join(store, BUNDLE)
    return (bundle if _loading.is_loadable(bundle) else None), store
