"""``python -m certhook run``: run a command with certhook active in every Python process that it starts."""

from __future__ import annotations

import argparse
import os
import signal

import certhook
from certhook import _certifi
from certhook._finder import find_package
from certhook._text import shown
from certhook.cli import _terminal
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping

# The exit statuses of shells and env(1).
NOT_STARTED, NOT_FOUND = 126, 127


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "run",
        "run a command with certhook active in every Python process that it starts",
        (
            "Run COMMAND with certhook active in every Python process (3.8 or later) that it starts, directly or "
            "indirectly. certhook need not be installed in these Pythons, and they are not changed: they inherit "
            "PYTHONPATH, to which a directory of certhook is added. Its other entries, and an existing sitecustomize "
            "module, remain effective.",
            "With --env, programs that are not written in Python, and libraries with a TLS implementation of their "
            "own, use the same root certificates. certhook writes them to a file in its data directory, and COMMAND "
            "inherits variables that name the file, such as SSL_CERT_FILE; 'certhook env --help' lists them. "
            "CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE and PIP_CERT are not set, because they would replace choices of Python "
            "programs. Variables that you have set are kept. If SSL_CERT_FILE names a file of your own, COMMAND is "
            "started only if you have set the others, too. Python programs with certhook ignore the new variables.",
        ),
        (
            "Some Pythons ignore PYTHONPATH: one that is started with -I, -E or -S, a frozen program, and the "
            "embeddable Python for Windows. For the last one, see 'enable'. To run a single program with -S, use "
            "'python -S -m certhook.run SCRIPT'; the processes that it starts do not inherit certhook.",
            "Exit status: that of COMMAND; 127 if it is not found, 126 if it cannot be started, 2 if none is given. "
            "With --env, 1 if the file of root certificates cannot be written.",
        ),
        usage="%(prog)s [-h] [--env] COMMAND [ARG...]",
    )
    text = "also set the variables of 'certhook env', for programs and libraries that certhook does not reach"
    parser.add_argument("--env", action="store_true", help=text)
    text = "the command and its arguments; a leading -- is removed"
    parser.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER, help=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Replace this process by the command; on Windows, which cannot do that, wait for the command.

    :returns: the exit status of the command
    :raises CommandError: if the command cannot be started
    """
    command: list[str] = options.command[options.command[:1] == ["--"] :]
    if not command:
        raise CommandError("run: no command was given; example: certhook run python app.py", exit_status=2)
    if not command[0]:
        raise CommandError("run: the name of the command is empty", NOT_FOUND)
    environ = _environment(os.environ)
    if options.env:
        from certhook.cli._other_programs import missing_variables

        try:
            environ.update(missing_variables(environ))
        except CommandError as failure:
            raise CommandError(f"run: {failure}") from None
    try:
        return wait_for(command, environ) if os.name == "nt" else _become(command, environ)
    except FileNotFoundError:
        raise CommandError(f"run: {_explain_not_found(command[0], environ)}", NOT_FOUND) from None
    except OSError as failure:
        hint = f"; to run a Python program: python {command[0]}" if command[0].endswith(".py") else ""
        message = f"run: {shown(command[0])} cannot be started: {failure.strerror}{hint}"
        raise CommandError(message, NOT_STARTED) from None


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* with the directory of the drop-in as the first entry of PYTHONPATH.

    :raises CommandError: if PYTHONPATH cannot contain that directory
    """
    file = getattr(certhook, "__file__", None)
    if file is None:
        raise CommandError("run: the package certhook is not in a directory; install it with pip")
    package = os.path.dirname(os.path.abspath(file))
    drop_in = os.path.join(package, "bootstrap")
    if os.pathsep in drop_in:
        raise CommandError(
            f"run: {drop_in} contains {os.pathsep!r}, which separates the entries of PYTHONPATH; install certhook in "
            "another directory"
        )
    variables = dict(environ)
    path = environ.get("PYTHONPATH", "")
    if path.split(os.pathsep)[0] != drop_in:
        variables["PYTHONPATH"] = f"{drop_in}{os.pathsep}{path}" if path else drop_in
    # The drop-in finds certifi in the interpreter that runs it, or next to certhook. certifi is elsewhere if certhook
    # is an editable installation, or one of the two is in the user's site-packages.
    bundle = _certifi.bundle_path(find_package(_certifi.PACKAGE))
    if bundle and os.path.dirname(os.path.dirname(os.path.abspath(bundle))) != os.path.dirname(package):
        variables["CERTHOOK_BUNDLE"] = environ.get("CERTHOOK_BUNDLE") or os.path.abspath(bundle)
    return variables


def _become(command: list[str], environ: dict[str, str]) -> int:
    """Replace this process, so that signals, job control and the exit status belong to the command.

    :raises OSError: if the command cannot be started; otherwise this function does not return
    """
    # Python ignores these signals, and the command would inherit that: "certhook run yes | head" would never end.
    numbers = [getattr(signal, name) for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ") if hasattr(signal, name)]
    handlers = [(number, signal.signal(number, signal.SIG_DFL)) for number in numbers]
    try:
        os.execvpe(command[0], command, environ)
    finally:  # The command could not be started, and this process reports it.
        for number, handler in handlers:
            signal.signal(number, handler)


def wait_for(command: list[str], environ: dict[str, str]) -> int:
    """Start the command and wait for its end.

    :returns: its exit status
    :raises OSError: if it cannot be started
    """
    import shutil
    import subprocess

    # which() applies PATHEXT, and CreateProcess() does not: the program of npm is npm.cmd.
    path = shutil.which(command[0], path=environ.get("PATH"))
    if path is None:
        raise FileNotFoundError(command[0])
    with subprocess.Popen([path, *command[1:]], env=environ) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                pass  # The command received it too, and decides whether to end.


def _explain_not_found(name: str, environ: Mapping[str, str]) -> str:
    import shutil

    if shutil.which(name, path=environ.get("PATH")):
        return f"{shown(name)} cannot be started: the interpreter that its first line names does not exist"
    return f"{shown(name)} does not exist" if os.path.dirname(name) else f"{shown(name)} was not found in PATH"
