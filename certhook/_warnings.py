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

#: The number of warnings that a process issues at most, besides a last one about those that it omits.
MOST = 20


def warn(message: str, others: int = 0) -> None:
    """Issue *message* as a warning at the line that requested trust, once per process.

    The command that explains it is appended. The number of warnings is limited, because files and variables may
    contain any number of faults, and may change while the process runs.

    :param others: the number of problems that follow
    """
    if message in process.warnings:
        return
    # Each operation is atomic, so that several threads respect the limit.
    process.warnings.add(message)
    if len(process.warnings) > MOST:
        process.warnings.discard(message)
        omit(others + 1)
        return
    _issue(f"{presentable(message).rstrip('.')}. {_advice()} for details")


def omit(count: int) -> None:
    """Issue the warning that *count* problems are not reported, once per process."""
    try:
        process.last_warning.pop()
    except IndexError:
        return
    command = command_line()
    advice = f". Run '{command} status --json' for a list of all problems" if command else ""
    problems = "1 more problem is" if count == 1 else f"{count} more problems are"
    _issue(f"{problems} not reported as a warning, and later ones are not either{advice}")


def is_exhausted() -> bool:
    """Return whether no more warnings are issued."""
    return not process.last_warning


def _issue(text: str) -> None:
    try:
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
