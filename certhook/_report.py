"""How certhook speaks: warnings at the caller's line, and debug lines on standard error.

Nothing is ever written to standard output: it belongs to the program.
"""

from __future__ import annotations

import os
import sys
import warnings

import certhook
from certhook import _say
from certhook.exceptions import CerthookWarning, presentable

# What was said already in this process: a program that makes a thousand
# contexts hears of one bad path once.
_said: set[str] = set()


def warn(message: str) -> None:
    """Show *message* once in this process, as a warning at the line that asked for trust.

    It ends with the command that explains it.
    """
    if message in _said:
        return
    _said.add(message)
    try:
        text = f"{presentable(message).rstrip('.')}. Run '{_command()}' to see what is trusted, and why"
        warnings.warn(CerthookWarning(text), stacklevel=_callers_level())
    except CerthookWarning:
        raise  # A filter turns warnings into errors.
    except Exception:
        pass  # Somebody's showwarning(), or a closed standard error: not the program's fault.


def forget() -> None:
    """Show again what was shown before."""
    _said.clear()


def debug(message: str) -> None:
    """Write one line to standard error, where the process has one."""
    _say(presentable(message))


def _command() -> str:
    """What to type, in an interpreter that has a name of its own: an embedded one may have its host's, or none."""
    path = sys.executable or ""
    name = os.path.basename(path).lower()
    if not name.startswith(("python", "pypy")) or hasattr(sys, "frozen"):
        path = "python"
    command = f'"{path}" -m certhook' if " " in path else f"{path} -m certhook"
    # There it is installed elsewhere, and only "run" makes this interpreter know of it.
    return f"certhook run {command}" if certhook.enabled_by == "the sitecustomize drop-in" else command


def _callers_level() -> int:
    """The *stacklevel*, seen from :func:`warn`, of the first frame outside certhook and ssl."""
    level = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__")):
        frame = frame.f_back
        level += 1
    return level


def _is_inside(module: object) -> bool:
    return isinstance(module, str) and module.partition(".")[0] in ("certhook", "ssl")
