"""The installed libraries with a client hook, and whether the hook is active."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from certhook._clients import MODULES, UNSUPPORTED
from certhook._state import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The project on PyPI of each hook.
_PROJECTS = {"httpcore2": "httpcore2", "pyopenssl": "pyOpenSSL", "grpc": "grpcio", "wassima": "wassima"}


def client_hooks() -> list[dict[str, Any]]:
    """Return the installed libraries as JSON objects, with the reason if their hook is not active.

    The libraries are imported, because a hook is active only if the internals of its library are those that it
    expects. A library in the working directory is not installed, and is not imported.
    """
    found: list[dict[str, Any]] = []
    path = sys.path[:]
    sys.path[:] = [entry for entry in path if not _is_working_directory(entry)]
    try:
        for module, client in MODULES.items():
            project = _PROJECTS[client]
            try:
                entry = {"name": project, "version": version(project)}
            except PackageNotFoundError:
                continue
            found.append({**entry, "hook": client, "inactive_reason": _reason(module, client) or None})
    finally:
        sys.path[:] = path
    return found


def _is_working_directory(entry: str) -> bool:
    try:
        return os.path.samefile(entry or os.curdir, os.curdir)
    except OSError:
        return False  # One of the two does not exist.


def _reason(module: str, client: str) -> str:
    """Return why the hook *client* is not active, empty if it is."""
    try:
        with redirect_stdout(sys.stderr):  # JSON would be invalid with other text.
            import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # Also SystemExit, and the panics of extension modules written in Rust.
        return f"it cannot be imported: {error!r}"
    return process.clients.get(client, "certhook is not active in this interpreter")


def problems(hooks: list[dict[str, Any]]) -> list[str]:
    """Return a problem for each library in *hooks* with internals that its hook does not support."""
    reasons = [(f"{hook['name']} {hook['version']}", hook["inactive_reason"] or "") for hook in hooks]
    return [f"{library}: {reason}" for library, reason in reasons if reason.startswith(UNSUPPORTED)]
