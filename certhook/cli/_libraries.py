"""Installed software that certhook does not reach, or that changes trust as well.

It is searched for in the metadata of this environment and in ``sys.modules``. Nothing is imported.
"""

from __future__ import annotations

import os
import sys

from certhook._text import shown_value
from certhook.cli import _metadata
from certhook.cli._library_table import LIBRARIES, OPTION, VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from certhook.cli._library_table import Library


_REPLACES_FILE = (
    "makes certifi return another file of root certificates; clients that use certifi, such as requests, trust only "
    "that file"
)

#: Packages that change trust in Python or its clients by being installed, and their effects.
CHANGERS = {
    "certifi-linux": _REPLACES_FILE,
    "certifi-win32": _REPLACES_FILE,
    "pip-system-certs": "changes trust in requests and pip; it is not needed in addition to certhook",
    "python-certifi-win32": _REPLACES_FILE,
}


_DROP_IN = "/certhook/bootstrap/sitecustomize.py"


def unreached_libraries() -> list[dict[str, Any]]:
    """Return the installed libraries that certhook does not reach, as JSON objects."""
    found: list[dict[str, Any]] = []
    for library in LIBRARIES:
        names = (library.project, *library.aliases) if library.mechanism in (OPTION, VARIABLE) else ()
        for name, installed in zip(names, map(_metadata.version, names)):
            if installed is not None:
                shown = library.name.replace(library.project, name)
                values = {variable: os.environ.get(variable) for variable in library.variables}
                variables = [
                    {"name": variable, "value": None if value is None else shown_value(value)}
                    for variable, value in values.items()
                ]
                found.append({"name": shown, "version": installed, "variables": variables, "remedy": _remedy(library)})
    return found


def _remedy(library: Library) -> str:
    instruction = library.instruction
    if library.option and not instruction:
        instruction = f"set {library.option} to a file of root certificates"
    if library.mechanism == OPTION:
        return instruction
    run = f"start the program with 'certhook run --env', which sets {library.variables[0]}"
    return f"{run}, or {instruction}" if instruction else run


def other_software(ssl: ModuleType) -> list[dict[str, Any]]:
    """Return the software that changes trust, or runs at start-up, in this process, as JSON objects."""
    found = {name: effect for name, effect in CHANGERS.items() if _metadata.version(name)}
    if "truststore" in ssl.SSLContext.__module__.split("."):
        found["truststore"] = (
            "is injected and creates all contexts: on Windows and macOS, the operating system verifies servers; on "
            "other systems, contexts use certhook's root certificates"
        )
    for name, is_active in (("gevent", _is_patched_by_gevent), ("eventlet", _is_patched_by_eventlet)):
        if is_active():
            found[name] = "has replaced parts of the ssl module; certhook supports its contexts"
    for name in ("sitecustomize", "usercustomize"):
        path = getattr(sys.modules.get(name), "__file__", None)
        if path and not path.replace(os.sep, "/").endswith(_DROP_IN):
            found[name] = f"{path} runs at every start of this interpreter"
    return [
        {"name": name, "version": _metadata.version(name), "effect": effect} for name, effect in sorted(found.items())
    ]


def _is_patched_by_gevent() -> bool:
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("ssl"))


def _is_patched_by_eventlet() -> bool:
    patcher: Any = sys.modules.get("eventlet.patcher")
    # eventlet patches ssl together with socket.
    return patcher is not None and bool(patcher.is_monkey_patched("socket"))
