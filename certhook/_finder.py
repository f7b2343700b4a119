"""What :class:`certhook.Finder` does when it is asked for ``ssl``, and the loader proxy.

The finders behind it are asked for ``ssl``, as the import system would have
done, and a proxy is put before the loader of the spec they return. The proxy
lets the real loader run the module and then hands it to :mod:`certhook._patch`.
The finder stays installed, which is what makes ``importlib.reload(ssl)`` and a
second import work. :func:`find_package` is here for certifi, which the first
context needs to know the place of.
"""

import sys
from _thread import _local

from certhook import _say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Optional, Sequence

# Of each thread: the finders that a search in progress has not asked yet (walk), and whether it looks for a package
# (searches). Not by its number, which a thread of a forked child may have as well.
_here = _local()


def find(
    finder: object, path: "Optional[Sequence[str]]" = None, target: "Optional[ModuleType]" = None
) -> "Optional[ModuleSpec]":
    """Find ``ssl`` for *finder*, and put a proxy before its loader.

    Not by importlib.util.find_spec(): inside a finder that deadlocks across
    threads (DataDog/dd-trace-py#17742). A finder behind this one may do it all
    the same, or import ssl, and so come back here: then only those are asked
    that stand behind it, so that two such finders cannot call each other for ever.
    """
    outer = getattr(_here, "walk", None)  # type: Optional[list[Any]]
    rest = _behind(finder) if outer is None else outer[:]
    try:
        while rest:
            other = rest.pop(0)
            _here.walk = rest
            spec = ask(other, "ssl", path, target)
            if spec is not None:
                return _hooked(_used(spec, target))
        return None
    finally:
        _here.walk = outer


class Loader:
    """Stands before the loader of one spec until the module has been executed.

    A proxy for each spec, never an attribute set on the loader: frozen and
    builtin loaders are classes, a zipimporter serves its whole archive, and
    loaders written in C refuse attributes (pypa/virtualenv#1715). Attributes are
    those of the real loader, so the proxy has exactly the methods that it has:
    zip importers before Python 3.10 know ``load_module`` only.
    """

    __certhook__ = True
    __slots__ = ("_certhook_loader", "_certhook_spec")

    def __init__(self, spec: "ModuleSpec", loader: "Any") -> None:
        object.__setattr__(self, "_certhook_spec", spec)
        object.__setattr__(self, "_certhook_loader", loader)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._certhook_loader, name, value)  # ddtrace replaces methods of the loader that it finds

    def __getattr__(self, name: str) -> "Any":
        if name[:2] == "__" or name in Loader.__slots__:
            raise AttributeError(name)
        attribute = getattr(self._certhook_loader, name)
        if name == "exec_module":
            return self._certhook_exec_module
        if name == "load_module":
            return self._certhook_load_module
        return attribute

    def _certhook_exec_module(self, module: "ModuleType") -> None:
        self._certhook_step_back(module)
        self._certhook_loader.exec_module(module)
        fire(module)

    def _certhook_load_module(self, fullname: str) -> "ModuleType":
        self._certhook_step_back(None)
        module = self._certhook_loader.load_module(fullname)  # type: ModuleType
        fire(module)
        return module

    def _certhook_step_back(self, module: "Optional[ModuleType]") -> None:
        # Only where the proxy still stands: another tool may have put its own
        # loader before this one (dd-trace-py#9638).
        for spec in (self._certhook_spec, getattr(module, "__spec__", None)):
            if spec is not None and spec.loader is self:
                spec.loader = self._certhook_loader
        if getattr(module, "__loader__", None) is self:
            module.__loader__ = self._certhook_loader  # type: ignore[union-attr]


def ask(
    finder: "Any",
    fullname: str,
    path: "Optional[Sequence[str]]" = None,
    target: "Optional[ModuleType]" = None,
) -> "Optional[ModuleSpec]":
    """Ask one *finder* for a spec, as the import system of this Python does."""
    if hasattr(finder, "find_spec"):
        return finder.find_spec(fullname, path, target)  # type: ignore[no-any-return]
    if sys.version_info < (3, 12) and hasattr(finder, "find_module"):
        from importlib.util import spec_from_loader

        loader = finder.find_module(fullname, path)
        return None if loader is None else spec_from_loader(fullname, loader)
    return None


def find_package(name: str) -> "Optional[ModuleSpec]":
    """The spec of the top-level package *name*, which is not imported; None where it is not installed."""
    spec = getattr(sys.modules.get(name), "__spec__", None)  # type: Optional[ModuleSpec]
    if spec is None:
        # A finder that imports from a server makes a context when it is asked, and so comes back here.
        if getattr(_here, "searches", False):
            return None
        try:
            _here.searches = True
            for finder in list(sys.meta_path):
                spec = ask(finder, name)
                if spec is not None:
                    break
        finally:
            _here.searches = False
    # Any folder of that name on the path makes a namespace package, whose locations are no list.
    return spec if isinstance(getattr(spec, "submodule_search_locations", None), list) else None


def _used(spec: "ModuleSpec", target: "Optional[ModuleType]") -> "ModuleSpec":
    """The spec that the import system will use, having been given *spec*.

    Where a finder imported ssl while it was asked for it, that is this module's own.
    """
    imported = None if target is not None else sys.modules.get("ssl")
    return getattr(imported, "__spec__", None) or spec


def _behind(finder: object) -> "list[Any]":
    finders = list(sys.meta_path)
    for position, other in enumerate(finders):
        if other is finder:
            # Those before it were asked already, and did not know the module.
            del finders[:position]
            break
    return [other for other in finders if not is_ours(other)]


def _hooked(spec: "ModuleSpec") -> "ModuleSpec":
    try:
        if spec.loader is not None and not is_ours(spec.loader):
            spec.loader = Loader(spec, spec.loader)  # type: ignore[assignment]
    except Exception:
        # A spec of somebody's own that cannot be changed: ssl is imported all the same.
        pass
    return spec


def is_ours(hook: object) -> bool:
    """Whether *hook* is a finder or loader of this or another copy of certhook."""
    try:
        return getattr(hook, "__certhook__", None) is True
    except Exception:
        return False  # Somebody's own, which answers no question but those it knows.


def fire(module: "ModuleType") -> None:
    """Patch *module*, an executed ``ssl``. Never raises: ``import ssl`` has to work."""
    try:
        from certhook._patch import apply

        apply(module)
    except Exception as error:
        _say(f"ssl is left as it is, it could not be patched: {error!r}")


def patch_imported() -> None:
    """Patch the ``ssl`` that was imported before the hook was installed."""
    # Not taken from sys.modules: another thread may be in the middle of
    # importing it, and this statement waits for that.
    try:
        import ssl
    except ImportError:
        return  # None in its place: somebody wants it to fail.
    fire(ssl)
