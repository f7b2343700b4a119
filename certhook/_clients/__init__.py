"""Client hooks: default trust for libraries that do not request it from ``ssl``.

:data:`MODULES` lists the module of each library that a hook patches. When that module has been executed, it is
passed to the function ``apply`` of the hook. If the library's internals differ from the expected ones, ``apply``
raises :exc:`certhook.CerthookError` before it changes anything. ``CERTHOOK_CLIENTS`` selects the hooks.
"""

from __future__ import annotations

from certhook import _config
from certhook._finder import undisturbed
from certhook._state import load_module, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

#: The modules that are patched, and the hook of each.
MODULES = {"httpcore2._ssl": "httpcore2", "OpenSSL.SSL": "pyopenssl", "grpc": "grpc", "wassima": "wassima"}

#: The start of the reason if a hook does not support the installed version of its library.
UNSUPPORTED = "this version is not supported"


@undisturbed
def apply(module: ModuleType) -> None:
    """Patch *module*, an executed module in :data:`MODULES`. Never raises; ``status`` reports a failure."""
    client = MODULES[module.__name__]
    config = _config.current()
    if client not in config.clients:
        process.clients[client] = "CERTHOOK_CLIENTS excludes it"
        return
    try:
        load_module(f"_clients.{client}").apply(module)
        process.clients[client] = ""
    except Exception as failure:
        process.clients[client] = f"{UNSUPPORTED}: {failure}"
    if config.debug:
        reason = process.clients[client]
        state = f"remains unchanged: {reason}" if reason else "uses default trust"
        load_module("_warnings").debug(f"{module.__name__} {state}")
