"""Installing and removing the import hook from code, for hosts that run without ``site``.

Nothing is imported here that the working directory may contain: the import hook is not installed yet.
"""

import sys

import certhook
from certhook import _config, _finder
from certhook._state import markers_of, process, wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def install(*, use_environment: bool = True) -> None:
    """Install the import hook in this interpreter, and patch ``ssl`` if it is already imported.

    A second call has no effect. Nothing is installed if ``CERTHOOK_DISABLED`` is set.

    :param use_environment: False makes certhook ignore ``CERTHOOK_*``, ``SSL_CERT_FILE`` and
        ``SSL_CERT_DIR``, for hosts that exclude the environment; a later call cannot reverse
        this while the hook is installed
    """
    if use_environment and _config.is_disabled():
        return
    process.use_environment = use_environment and (process.use_environment or not is_installed())
    certhook._hook("certhook.install()")


def uninstall() -> None:
    """Remove the import hook and restore the functions of ``ssl``.

    Existing contexts keep their roots.
    """
    for finder in list(sys.meta_path):
        if _finder.is_ours(finder):
            sys.meta_path.remove(finder)
    certhook.enabled_by = None
    if wrapped:
        _unwrap()


def is_installed() -> bool:
    """Return whether the import hook is installed in this interpreter."""
    return any(_finder.is_ours(finder) for finder in sys.meta_path)


def _unwrap() -> None:
    """Restore the functions of ``ssl``. A wrapper that other code still holds calls the real function from now on."""
    from certhook._patch import load_completely

    for context in _contexts_with_store():
        # Without the wrappers, nothing would load the store when the context is asked for its roots.
        load_completely((context,))
    if "certhook._clients.pyopenssl" in sys.modules:
        sys.modules["certhook._clients.pyopenssl"].settle()
    native = sys.modules.get("certhook._native_modes")
    if native is None:
        _remove_wrappers()
        return
    with native.lock:
        # The wrappers would restore the contexts later, if creating a connection was interrupted.
        native.restore()
        _remove_wrappers()


def _remove_wrappers() -> None:
    while wrapped:
        owner_reference, name, wrapper_reference, is_own = wrapped.pop()
        owner, wrapper = owner_reference(), wrapper_reference()
        if owner is None or wrapper is None:
            continue
        wrapper.__certhook_active__ = False
        if vars(owner).get(name) is wrapper:
            if is_own:
                setattr(owner, name, wrapper.__certhook__)
            else:
                delattr(owner, name)


def _contexts_with_store() -> "list[Any]":
    """Return the contexts of this process that point at a compiled store."""
    # Not needed by install(), which must not load OpenSSL, and must work in a Python without it.
    import _ssl
    import gc

    found = []
    for candidate in gc.get_objects():
        if issubclass(type(candidate), _ssl._SSLContext) and markers_of(candidate).store is not None:
            found.append(candidate)
    return found
