"""``python -m certhook run``: any command, with certhook in every Python that it starts."""

from __future__ import annotations

import argparse
import os
import signal

import certhook
from certhook import _certifi
from certhook._finder import find_package
from certhook.cli import _terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping

# What shells and env(1) answer.
NOT_STARTED, NOT_FOUND = 126, 127


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "run",
        help="run a command with certhook in every Python that it starts, also where it is not installed",
        usage="%(prog)s [-h] COMMAND [ARG...]",
        description=(
            "Run a command with certhook in every Python from 3.8 on that it starts, and in what these start in turn. "
            "It need not be installed there, and nothing is changed there: PYTHONPATH, which they inherit, names a "
            "folder of certhook's. What PYTHONPATH named before stays, and so does another sitecustomize."
        ),
        epilog=(
            "Out of reach is a Python that ignores PYTHONPATH: with -I, -E or -S, a frozen program, the embeddable one "
            "for Windows; see 'enable'. To run one program in this very Python, where -S or its host switched off what "
            "starts certhook, there is 'python -m certhook.run SCRIPT', which no other process inherits. "
            "Exit status: the command's own; 127 if it was not found, 126 if it cannot be started, 2 if none was given."
        ),
    )
    text = "the command, and all that follows it; -- before it is left out"
    parser.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER, help=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Become the command; on Windows, which cannot do that, wait for it.

    :returns: the command's exit status, 127 if it was not found, 126 if it cannot be started,
        2 if none was given, 1 where certhook is in no place that PYTHONPATH can name
    """
    command: list[str] = options.command[options.command[:1] == ["--"] :]
    if not command:
        _terminal.complain("run: no command was given; for example: python -m certhook run python app.py")
        return 2
    if not command[0]:
        _terminal.complain("run: '' is no command; its name is empty")
        return NOT_FOUND
    try:
        environ = environment(os.environ)
    except ValueError as failure:
        _terminal.complain(f"run: {failure}")
        return 1
    try:
        return wait_for(command, environ) if os.name == "nt" else become(command, environ)
    except FileNotFoundError:
        _terminal.complain(f"run: {_why_not_found(command[0], environ)}")
        return NOT_FOUND
    except OSError as failure:
        hint = f"; for a Python program: python {command[0]}" if command[0].endswith(".py") else ""
        _terminal.complain(f"run: {command[0]!r} cannot be started: {failure.strerror}{hint}")
        return NOT_STARTED


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """*environ* with the drop-in first on PYTHONPATH.

    :raises ValueError: where certhook is in no place that PYTHONPATH can name
    """
    file = getattr(certhook, "__file__", None)
    if file is None:
        raise ValueError("certhook is in no folder here; install it with pip")
    package = os.path.dirname(os.path.abspath(file))
    folder = os.path.join(package, "bootstrap")
    if os.pathsep in folder:
        raise ValueError(f"PYTHONPATH cannot name {folder}, which has {os.pathsep!r} in it; install certhook elsewhere")
    variables = dict(environ)
    path = environ.get("PYTHONPATH", "")
    if path.split(os.pathsep)[0] != folder:
        variables["PYTHONPATH"] = f"{folder}{os.pathsep}{path}" if path else folder
    # The drop-in finds certifi in the interpreter that it serves, or beside certhook. They may be apart:
    # in an editable installation, or one of them in the user's site-packages.
    bundle = _certifi.bundle_path(find_package(_certifi.PACKAGE))
    if bundle and os.path.dirname(os.path.dirname(os.path.abspath(bundle))) != os.path.dirname(package):
        variables["CERTHOOK_BUNDLE"] = environ.get("CERTHOOK_BUNDLE") or os.path.abspath(bundle)
    return variables


def become(command: list[str], environ: dict[str, str]) -> int:
    """Replace this process: signals, job control and the exit status are the command's own.

    :raises OSError: if it cannot be started; otherwise this does not return
    """
    # Python ignores these, and a program inherits that: "certhook run yes | head" would never end.
    for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execvpe(command[0], command, environ)


def wait_for(command: list[str], environ: dict[str, str]) -> int:
    """Start the command and wait until it ends.

    :returns: its exit status
    :raises OSError: if it cannot be started
    """
    import shutil
    import subprocess

    # With the endings of PATHEXT, which CreateProcess() does not look for: npm is npm.cmd.
    found = shutil.which(command[0], path=environ.get("PATH"))
    if found is None:
        raise FileNotFoundError(command[0])
    with subprocess.Popen([found, *command[1:]], env=environ) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                pass  # The command was told as well, and decides.


def _why_not_found(name: str, environ: Mapping[str, str]) -> str:
    import shutil

    if shutil.which(name, path=environ.get("PATH")):
        return f"{name!r} cannot be started: the program that its first line names does not exist"
    where = "does not exist" if os.path.dirname(name) else "was not found in any folder of PATH"
    return f"{name!r} {where}"
