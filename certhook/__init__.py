"""Default TLS trust that simply works: the operating system's roots chained with certifi's.

This module is what runs at every interpreter start: ``certhook.pth`` calls
:func:`start` while :mod:`site` is still at work, before ``sitecustomize``, before any code of the
program, and in a plain virtual environment twice (gh-75723). So nothing here may
raise, print, or import what :mod:`site` has not imported anyway: that is ``sys``
and ``os``. It is one module, since each further one would cost every start half
a million instructions, one in a hundred.

The public names are fetched from the modules that define them when somebody
first asks for them (:pep:`562`).
"""

import os
import sys

__version__ = "0.1.0"

__all__ = [
    "Anchor",
    "CerthookError",
    "CerthookWarning",
    "ConfigurationError",
    "Place",
    "SourceError",
    "TrustSet",
    "__version__",
    "install",
    "is_installed",
    "load_default_certs",
    "trust_set",
    "uninstall",
]

_DEFINED_IN = {
    "install": "certhook._install",
    "is_installed": "certhook._install",
    "uninstall": "certhook._install",
    "Anchor": "certhook._anchors",
    "Place": "certhook._sources.reader",
    "TrustSet": "certhook._sources",
    "load_default_certs": "certhook._trust",
    "trust_set": "certhook._trust",
}

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Optional, Sequence

    from certhook._anchors import Anchor
    from certhook._install import install, is_installed, uninstall
    from certhook._sources import TrustSet
    from certhook._sources.reader import Place
    from certhook._trust import load_default_certs, trust_set
    from certhook.exceptions import CerthookError, CerthookWarning, ConfigurationError, SourceError

#: What installed the import hook of this interpreter, None until something did.
enabled_by = None  # type: Optional[str]


class Finder:
    """A meta-path finder that knows one name; :mod:`certhook._finder` does the rest."""

    # Read instead of isinstance(): a second copy of certhook has a class of its own.
    __certhook__ = True

    def find_spec(
        self, fullname: str, path: "Optional[Sequence[str]]" = None, target: "Optional[ModuleType]" = None
    ) -> "Optional[ModuleSpec]":
        """Return the spec of ``ssl`` with a proxy for its loader, and None for any other name."""
        if fullname != "ssl":
            return None
        try:
            from certhook._finder import find
        except Exception as error:
            # Uninstalled under the program, or broken: ssl is imported all the same.
            _say(f"ssl is left as it is, it could not be patched: {error!r}")
            return None
        return find(self, path, target)


def start(caller: str = "site-packages") -> None:
    """Install the import hook, unless ``CERTHOOK_DISABLED`` is set.

    Never raises: an interpreter starts with or without certhook.

    :param caller: what enabled certhook, for ``python -m certhook`` to show
    """
    try:
        if os.environ.get("CERTHOOK_DISABLED"):
            from certhook._config import disabled

            if disabled():
                return
        _hook(caller)
    except Exception as error:
        if os.environ.get("CERTHOOK_DEBUG", "").strip().lower() not in ("", "0", "false", "no", "off"):
            _say(f"not installed: {error!r}")


def _say(message: str) -> None:
    """Write one line to standard error, where the process has one."""
    try:
        sys.stderr.write(f"certhook: {message}\n")
    except Exception:
        pass  # None, closed, or somebody's own.


def _hook(caller: str) -> None:
    """Put a finder first on ``sys.meta_path``, once, and patch ``ssl`` if it is there already."""
    global enabled_by
    for finder in sys.meta_path:
        try:
            if getattr(finder, "__certhook__", None) is True:
                break
        except Exception:
            pass  # Somebody's own, which answers no question but those it knows.
    else:
        sys.meta_path.insert(0, Finder())
        enabled_by = caller
    if "ssl" in sys.modules:
        from certhook._finder import patch_imported

        patch_imported()


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'certhook' has no attribute {name!r}")
    module = __import__(_DEFINED_IN.get(name, "certhook.exceptions"), fromlist=[name])
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})
