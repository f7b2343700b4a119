"""Default TLS trust for every Python program: the operating system's roots and certifi's.

This module runs at every interpreter start. ``certhook.pth`` calls :func:`start` while
:mod:`site` is running: before ``sitecustomize``, before any code of the program, and twice in a
plain virtual environment (gh-75723). Code that runs at that time must not raise, must not
print, and may import only ``sys`` and ``os``, which :mod:`site` has imported already. It is a
single module because each further one would add half a million instructions, 1 %, to
every interpreter start.

The public names are imported from their modules on first access (:pep:`562`).
"""

import os
import sys

__version__ = "1.0.0"

__all__ = (
    "Anchor",
    "CerthookError",
    "CerthookWarning",
    "ConfigurationError",
    "Location",
    "SourceError",
    "TrustSet",
    "__version__",
    "create_default_context",
    "install",
    "is_installed",
    "load_default_certs",
    "trust_set",
    "uninstall",
)

_MODULES = {
    "install": "_install",
    "is_installed": "_install",
    "uninstall": "_install",
    "Anchor": "_certificates.anchor",
    "Location": "_sources.trust_set",
    "TrustSet": "_sources.trust_set",
    "create_default_context": "_api",
    "load_default_certs": "_api",
    "trust_set": "_api",
}

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Optional, Sequence

    from certhook._api import create_default_context, load_default_certs, trust_set
    from certhook._certificates.anchor import Anchor
    from certhook._install import install, is_installed, uninstall
    from certhook._sources.trust_set import Location, TrustSet
    from certhook.exceptions import CerthookError, CerthookWarning, ConfigurationError, SourceError

# In a container, because pyfakefs replaces modules and functions that are attributes of modules.
_REAL_OS = (os,)

# The working directory before the program can change it; None if it was deleted. See certhook._working_directory.
try:
    _START_DIRECTORY = os.path.normcase(os.getcwd())  # type: Optional[str]
except OSError:
    _START_DIRECTORY = None

# The threads inside undisturbed functions of certhook._finder, with the depth of the calls.
_active = {}  # type: dict[int, int]

#: The mechanism that installed the import hook in this interpreter; None if it is not installed.
enabled_by = None  # type: Optional[str]


#: The modules that the import hook patches: ``ssl``, and one of each client in :mod:`certhook._clients`.
_HOOKED = frozenset(("ssl", "httpcore2._ssl", "OpenSSL.SSL", "grpc", "wassima"))


class Finder:
    """A meta-path finder for ``_HOOKED``; :mod:`certhook._finder` does the work."""

    # Tested instead of isinstance(), because a second copy of certhook has its own class.
    __certhook__ = True

    def find_spec(
        self, fullname: str, path: "Optional[Sequence[str]]" = None, target: "Optional[ModuleType]" = None
    ) -> "Optional[ModuleSpec]":
        """Return the spec of a module in ``_HOOKED`` with a proxy for its loader, and None for any other name.

        While certhook imports modules, they are not found in the working directory.
        """
        is_hooked = fullname in _HOOKED
        if not is_hooked and (path is not None or not _active):
            return None
        try:
            from certhook._finder import find, find_installed
        except Exception as error:
            # certhook was uninstalled while the program runs, or is damaged; ssl must still be importable.
            if is_hooked:
                _print_error(f"cannot patch {fullname}, so it remains unchanged: {error!r}")
            return None
        return find(self, fullname, path, target, _activate) if is_hooked else find_installed(self, fullname)


def start(caller: str = "site-packages") -> None:
    """Install the import hook, unless ``CERTHOOK_DISABLED`` is set.

    Never raises, so that the interpreter always starts.

    :param caller: the mechanism that calls this function, shown by ``python -m certhook``
    """
    try:
        if os.environ.get("CERTHOOK_DISABLED"):
            from certhook._config import is_disabled

            if is_disabled():
                return
        _hook(caller)
    except Exception as error:
        if os.environ.get("CERTHOOK_DEBUG", "").strip().lower() not in ("", "0", "false", "no", "off"):
            _print_error(f"not installed: {error!r}")


def _print_error(message: str) -> None:
    """Write one line to standard error, if the process has one."""
    try:
        sys.stderr.write(f"certhook: {message}\n")
    except Exception:
        pass  # Standard error is None or closed, or the program replaced it.


def _hook(caller: str) -> None:
    """Insert a finder at the start of ``sys.meta_path``, unless there is one, and patch imported modules."""
    global enabled_by
    for finder in sys.meta_path:
        try:
            if getattr(finder, "__certhook__", None) is True:
                break
        except Exception:
            pass  # A foreign finder that raises for unknown attributes.
    else:
        sys.meta_path.insert(0, Finder())
        enabled_by = caller
    for name in _HOOKED:
        if name in sys.modules:
            # Imported instead of read from sys.modules, to wait for a thread that is still importing it.
            try:
                __import__(name)
                module = sys.modules[name]
            except (ImportError, KeyError):
                continue  # sys.modules contains None, or another thread's import has failed.
            _activate(module)


def _activate(module: "ModuleType") -> None:
    """Patch *module*, an executed module in ``_HOOKED``. Never raises, so that importing it always works."""
    name = getattr(module, "__name__", None)
    try:
        if name == "ssl":
            from certhook._patch import apply
        else:
            from certhook._clients import apply
        apply(module)
    except Exception as error:
        _print_error(f"cannot patch {name}, so it remains unchanged: {error!r}")


if not TYPE_CHECKING:  # Type checkers see the names above, and reject all others.

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'certhook' has no attribute {name!r}")
        from certhook._state import load_module

        value = globals()[name] = getattr(load_module(_MODULES.get(name, "exceptions")), name)
        return value


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})
