"""Finding a module on behalf of :class:`certhook.Finder`, and the loader proxy.

The finders after certhook's are asked for the module, as the import system would ask them, and
the loader of the spec that they return is replaced by a proxy. The proxy lets the real
loader execute the module and then calls a function that patches it. The finder stays
installed, so that ``importlib.reload()`` and a second import work. :func:`find_package`
locates certifi for the first context.

:func:`undisturbed` decorates the functions that import modules or read files for a context.

This module imports no other module of certhook.
"""

import os
import sys
from _thread import _local, get_ident
from time import monotonic, sleep

import certhook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Callable, Dict, Optional, Sequence

    #: Patches an executed module.
    Activate = Callable[[ModuleType], None]

# Python's own finder, which importlib.machinery exports.
_PathFinder: "Any" = sys.modules["_frozen_importlib_external"].PathFinder

# Per thread: the finders that a search in progress has not asked yet, by module (remaining), and whether it searches
# a package (searches). Thread identifiers would not do: a thread of a forked child may reuse one.
_thread_state = _local()


def find(
    finder: object,
    name: str,
    path: "Optional[Sequence[str]]",
    target: "Optional[ModuleType]",
    activate: "Activate",
) -> "Optional[ModuleSpec]":
    """Find the module *name* for *finder*, and replace its loader by a proxy.

    Does not call importlib.util.find_spec(), which deadlocks across threads inside a finder
    (DataDog/dd-trace-py#17742). A finder after this one may call it, or import the module, and re-enter
    this function. Only the finders that remain are asked then, so that two such finders do not
    call each other indefinitely.

    :param activate: called with the executed module
    """
    searches = getattr(_thread_state, "remaining", None)  # type: Optional[Dict[str, Optional[list[Any]]]]
    if searches is None:
        searches = _thread_state.remaining = {}
    outer = searches.get(name)
    remaining = _finders_after(finder) if outer is None else outer[:]
    try:
        while remaining:
            other = remaining.pop(0)
            searches[name] = remaining
            spec = ask(other, name, path, target)
            if spec is not None:
                return _hooked(_effective(spec, name, target), activate)
        return None
    finally:
        searches[name] = outer


class Loader:
    """A proxy for the loader of one spec, until the module has been executed.

    Each spec gets its own proxy, because the loader itself cannot be modified: frozen and
    built-in loaders are classes, a zipimporter is shared by its archive, and loaders written
    in C reject attributes (pypa/virtualenv#1715). All attributes are those of the real loader,
    so the proxy has exactly the same methods: zip importers before Python 3.10 have only
    ``load_module``.
    """

    __certhook__ = True
    __slots__ = ("_certhook_activate", "_certhook_loader", "_certhook_spec")

    def __init__(self, spec: "ModuleSpec", loader: "Any", activate: "Activate") -> None:
        object.__setattr__(self, "_certhook_spec", spec)
        object.__setattr__(self, "_certhook_loader", loader)
        object.__setattr__(self, "_certhook_activate", activate)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._certhook_loader, name, value)  # ddtrace replaces methods of loaders.

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
        self._certhook_restore(module)
        self._certhook_loader.exec_module(module)
        self._certhook_activate(module)

    def _certhook_load_module(self, fullname: str) -> "ModuleType":
        self._certhook_restore(None)
        module = self._certhook_loader.load_module(fullname)  # type: ModuleType
        self._certhook_activate(module)
        return module

    def _certhook_restore(self, module: "Optional[ModuleType]") -> None:
        # Only if the proxy is still in place: another tool may have inserted its own loader (dd-trace-py#9638).
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
    """Ask one *finder* for a spec, as the import system of this Python version does."""
    if hasattr(finder, "find_spec"):
        return finder.find_spec(fullname, path, target)  # type: ignore[no-any-return]
    if sys.version_info < (3, 12) and hasattr(finder, "find_module"):
        from importlib.util import spec_from_loader

        loader = finder.find_module(fullname, path)
        return None if loader is None else spec_from_loader(fullname, loader)
    return None


def find_package(name: str) -> "Optional[ModuleSpec]":
    """Return the spec of the top-level package *name* without importing it; None if it is not installed.

    A directory in the working directory is not an installed package.
    """
    spec = find_module(name)
    # A directory of that name on the path is a namespace package, whose locations are not a list.
    return spec if isinstance(getattr(spec, "submodule_search_locations", None), list) else None


def find_module(name: str) -> "Optional[ModuleSpec]":
    """Return the spec of the top-level module *name* without importing it; None if it is not installed."""
    imported = getattr(sys.modules.get(name), "__spec__", None)  # type: Optional[ModuleSpec]
    spec = _search(name) if imported is None else imported
    if spec is not None and _may_be_local(spec):
        from certhook import _working_directory

        return _working_directory.installed(name, spec, imported is not None, _search)
    return spec


def _search(
    name: str, path: "Optional[Sequence[str]]" = None, excludes: "Optional[Callable[[ModuleSpec], bool]]" = None
) -> "Optional[ModuleSpec]":
    """Ask all finders for the top-level module *name*.

    :param path: replaces ``sys.path`` in Python's own finder
    :param excludes: whether the spec of a finder before Python's own does not count
    """
    # A finder that imports from a server creates a context when it is asked, and re-enters this function.
    if getattr(_thread_state, "searches", False):
        return None
    try:
        _thread_state.searches = True
        for finder in [other for other in sys.meta_path if not is_ours(other)]:
            is_own = path is not None and finder is _PathFinder
            try:
                spec = finder.find_spec(name, path) if is_own else ask(finder, name)
            except Exception:
                return None  # It prevents the import.
            if is_own:
                excludes = None
            if spec is not None and (excludes is None or not excludes(spec)):
                return spec
        return None
    finally:
        _thread_state.searches = False


def find_installed(finder: object, name: str) -> "Optional[ModuleSpec]":
    """Find the module *name*, which this thread imports for certhook, elsewhere than in the working directory.

    :returns: None if another thread imports it, or if it is not found
    :raises ModuleNotFoundError: if only the working directory contains it
    """
    thread = get_ident()
    if thread not in _active or getattr(_thread_state, "finds", False):
        return None
    try:
        _thread_state.finds = True
        spec = next(filter(None, (ask(other, name) for other in _finders_after(finder))), None)
    finally:
        _thread_state.finds = False
    if spec is None or not _may_be_local(spec):
        return spec
    from certhook import _working_directory

    # The finders of a program may import its modules.
    if _working_directory.is_part_of_program(sys._getframe(2)):
        return spec
    found = _working_directory.installed(name, spec, False, _search)
    if found is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    # The same file, if another entry names the directory as well, is also the program's module.
    if found is not spec and (not found.origin or found.origin != spec.origin):
        _private.setdefault(thread, []).append(found)
    return found


def _may_be_local(spec: "ModuleSpec") -> bool:
    """Return whether *spec* may be in the working directory; False for most modules."""
    locations = getattr(spec, "submodule_search_locations", None)
    location = spec.origin if locations is None else next(iter(locations), None)
    if not location or not (locations is not None or getattr(spec, "has_location", False)):
        return False
    directory = os.path.dirname(location)
    try:
        here = os.getcwd()
    except OSError:
        return True
    is_named = directory in sys.path and os.path.isabs(directory)
    if not is_named or directory == here or os.path.normcase(directory) == certhook._START_DIRECTORY:
        return True
    # The module site has made the entries of PYTHONPATH absolute.
    named = os.environ.get("PYTHONPATH", "")
    return bool(named) and not all(map(os.path.isabs, named.split(os.pathsep)))


def is_ours(hook: object) -> bool:
    """Return whether *hook* is a finder or loader of this or another copy of certhook."""
    try:
        return getattr(hook, "__certhook__", None) is True
    except Exception:
        return False  # A foreign one that raises for unknown attributes.


def _effective(spec: "ModuleSpec", name: str, target: "Optional[ModuleType]") -> "ModuleSpec":
    """Return the spec that the import system will use after it received *spec* for the module *name*.

    If a finder imported the module while it was asked for it, this is the imported module's own spec.
    """
    imported = None if target is not None else sys.modules.get(name)
    return getattr(imported, "__spec__", None) or spec


def _finders_after(finder: object) -> "list[Any]":
    finders = list(sys.meta_path)
    for position, other in enumerate(finders):
        if other is finder:
            # The import system has already asked the finders before it.
            del finders[:position]
            break
    return [other for other in finders if not is_ours(other)]


def _hooked(spec: "ModuleSpec", activate: "Activate") -> "ModuleSpec":
    try:
        if spec.loader is not None and not is_ours(spec.loader):
            spec.loader = Loader(spec, spec.loader, activate)  # type: ignore[assignment]
    except Exception:
        pass  # A foreign spec that cannot be changed; the module must still be importable.
    return spec


# The longest time that a fork and the undisturbed functions of other threads wait for each other, in seconds.
_FORK_TIMEOUT = 5.0
# The threads inside undisturbed functions with the depth of the calls, and the threads that are forking.
_active = certhook._active
# By thread: modules that were imported for certhook, while the working directory contains one of the same name.
_private: "Dict[int, list[ModuleSpec]]" = {}
_forking: "Dict[int, bool]" = {}


def undisturbed(function: "Callable[..., Any]") -> "Callable[..., Any]":
    """Decorate *function*, which imports modules or reads files, so that other code does not disturb it.

    - If another thread forks, the child process lacks the thread that imports a module, and waits forever
      for it in its own import of the module. Forks therefore wait until the function returns.
    - Like OpenSSL, the function reads the real files: pyfakefs replaces ``os`` in every module.
    - It runs outside of the event loop, in which blockbuster makes functions of ``os`` raise.
    """

    def call(*args: "Any", **kwargs: "Any") -> "Any":
        thread = get_ident()
        depth = _active.get(thread, 0)
        modules = sys.modules
        real, found = certhook._REAL_OS[0], modules.get("os")
        loop = getattr(modules.get("asyncio.events"), "_get_running_loop", bool)()
        try:
            _active[thread] = depth + 1
            if _forking and not depth:
                _wait_for_forks(thread)
            if found is not real:
                modules["os"] = real
                _restore_os()
            if loop:
                modules["asyncio.events"]._set_running_loop(None)
            return function(*args, **kwargs)
        finally:
            if loop:
                modules["asyncio.events"]._set_running_loop(loop)
            if found is not None and found is not real:
                modules["os"] = found
            _leave(thread)

    return call


def _leave(thread: int) -> None:
    # Not the earlier depth: greenlets of one thread may return in another order than they called.
    depth = _active.pop(thread, 1) - 1
    if depth > 0:
        _active[thread] = depth
    elif _private:
        # The program may import its own modules of these names later.
        for spec in _private.pop(thread, ()):
            if getattr(sys.modules.get(spec.name), "__spec__", None) is spec:
                for name in [name for name in list(sys.modules) if name.partition(".")[0] == spec.name]:
                    del sys.modules[name]


def call_guarded(function: "Callable[..., Any]", *args: "Any", **kwargs: "Any") -> "Any":
    """Call *function*, which finds no modules in the working directory."""
    thread = get_ident()
    _active[thread] = _active.get(thread, 0) + 1
    try:
        return function(*args, **kwargs)
    finally:
        _leave(thread)


def _restore_os() -> None:
    """Replace a fake ``os`` in certhook's modules by the real module."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "certhook" and "os" in getattr(module, "__dict__", ()):
            module.os = certhook._REAL_OS[0]  # type: ignore[attr-defined]


def _wait_for_forks(thread: int) -> None:
    deadline = monotonic() + _FORK_TIMEOUT
    while set(_forking) - {thread} and monotonic() < deadline:
        _active.pop(thread, None)
        sleep(0.001)
        _active[thread] = 1


def _before_fork() -> None:
    thread = get_ident()
    _forking[thread] = True
    deadline = monotonic() + _FORK_TIMEOUT
    while set(_active) - {thread} and monotonic() < deadline:
        sleep(0.001)


def _after_fork_in_parent() -> None:
    _forking.pop(get_ident(), None)


def _after_fork_in_child() -> None:
    _forking.clear()
    depth = _active.get(get_ident(), 0)
    _active.clear()
    if depth:
        _active[get_ident()] = depth


def _detached(function: "Callable[..., Any]") -> "Callable[..., Any]":
    """Return a copy of *function* with only the globals that it uses.

    The interpreter keeps the functions that are registered for forks until it ends. They must not keep this
    module alive, and with it the wrapped ssl, because objects that are deleted at shutdown use ssl.
    """
    create: Any = type(function)
    # Python adds the built-in functions itself since 3.10.
    used = ("__builtins__", *function.__code__.co_names)
    copy: Callable[..., Any] = create(function.__code__, {key: globals()[key] for key in used if key in globals()})
    return copy


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_detached(_before_fork),
        after_in_parent=_detached(_after_fork_in_parent),
        after_in_child=_detached(_after_fork_in_child),
    )
