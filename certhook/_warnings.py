"""Warnings at the caller's line, and debug lines on standard error.

Nothing is ever written to standard output, which belongs to the program.
"""

from __future__ import annotations

import os
import sys
import warnings

import certhook
from certhook import _print_error
from certhook._finder import call_guarded
from certhook._state import process
from certhook._text import presentable
from certhook.exceptions import CerthookWarning


def warn(message: str) -> None:
    """Issue *message* as a warning at the line that requested trust, once per process.

    The command that explains it is appended.
    """
    if message in process.warnings:
        return
    process.warnings.add(message)
    try:
        text = f"{presentable(message).rstrip('.')}. {_advice()} for details"
        # Python imports modules to format a warning.
        call_guarded(warnings.warn, CerthookWarning(text), stacklevel=_caller_stacklevel() + 1)
    except CerthookWarning:
        raise  # A filter turns warnings into errors.
    except Exception:
        pass  # The program's showwarning() raises, or standard error is closed.


def debug(message: str) -> None:
    """Write one line to standard error, if the process has one."""
    _print_error(presentable(message))


def _advice() -> str:
    advice = command_line()
    return f"Run '{advice}'" if advice else "Set CERTHOOK_DEBUG=1"


def command_line() -> str:
    """Return the command that starts certhook's command line; empty in a frozen program, which has none."""
    # Nuitka defines __compiled__ in the modules that it compiles.
    if hasattr(sys, "frozen") or hasattr(sys, "_MEIPASS") or "__compiled__" in globals():
        return ""
    path = sys.executable or ""
    name = os.path.basename(path).lower()
    # In an embedded interpreter, sys.executable may be the host program or empty.
    if not name.startswith(("python", "pypy")):
        path = "python"
    command = f'"{path}" -m certhook' if " " in path else f"{path} -m certhook"
    # The drop-in serves interpreters in which certhook is not installed.
    return f"certhook run {command}" if certhook.enabled_by == "the sitecustomize drop-in" else command


def _caller_stacklevel() -> int:
    """Return the *stacklevel*, relative to :func:`warn`, of the first frame outside certhook and ssl."""
    level = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_internal(frame.f_globals.get("__name__")):
        frame = frame.f_back
        level += 1
    return level


def _is_internal(module: object) -> bool:
    return isinstance(module, str) and module.partition(".")[0] in ("certhook", "ssl")
