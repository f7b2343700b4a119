"""Running the operating system's own command with the privileges of the administrator."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Iterator

from certhook._text import printable
from certhook.cli import _systems
from certhook.cli._protection import Checker, Unprotected
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

    from certhook.cli._systems import System

_MAX_OUTPUT = 2000
# The signals that a terminal and an init system send.
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def is_privileged() -> bool:
    """Return whether this process may change the system's store."""
    if sys.platform == "win32":
        import ctypes

        return bool(ctypes.windll.shell32.IsUserAnAdmin())
    return os.geteuid() == 0


def find(system: System) -> str:
    """Return the absolute path of the command that installs a root.

    PATH is not used: it may contain a directory of another user.

    :raises CommandError: if it is missing, or another user can modify it
    """
    (name, *_) = system.update
    path = _windows_path(name) if system.family == "windows" else _systems.find_command(name)
    if not path:
        package = f"; install it: {system.elevated(system.package.split())}" if system.package else ""
        raise CommandError(f"nothing was changed: the command {name} is missing{package}")
    try:
        Checker().check(path)
    except Unprotected as failure:
        raise CommandError(f"nothing was changed: {failure}") from None
    return path


def run(program: str, arguments: Sequence[str]) -> None:
    """Run a command in a clean environment.

    :param program: its absolute path
    :raises CommandError: if it fails, with its output
    """
    mask = os.umask(0o022)  # Every user must be able to read the files that it writes.
    try:
        done = subprocess.run(
            [program, *arguments],
            env=_environment(program),
            cwd=os.path.dirname(program) if os.name == "nt" else "/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise CommandError(f"{program} cannot be run: {error.strerror}") from None
    finally:
        os.umask(mask)
    if done.returncode:
        lines = done.stdout.decode("utf-8", "replace").strip()[-_MAX_OUTPUT:].splitlines()
        output = "; ".join(printable(line.strip()) for line in lines if line.strip()) or "no output"
        raise CommandError(f"{program} failed with exit status {done.returncode}: {output}")


def _environment(program: str) -> dict[str, str]:
    if os.name == "nt":
        directory = os.path.dirname(program)
        return {"PATH": directory, "SystemRoot": os.path.dirname(directory)}
    return {"PATH": ":".join(_systems.COMMAND_DIRECTORIES), "LC_ALL": "C"}


def _windows_path(name: str) -> str:
    """Return the path of a program of Windows. The variable SystemRoot is not used: the caller sets it."""
    if sys.platform != "win32":
        return ""
    import ctypes

    buffer = ctypes.create_unicode_buffer(260)
    ctypes.windll.kernel32.GetSystemDirectoryW(buffer, len(buffer))
    path = os.path.join(buffer.value, f"{name}.exe")
    return path if os.path.isfile(path) else ""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Handle SIGTERM and SIGHUP like Ctrl-C, so that a started installation is undone.

    An ignored signal, such as SIGHUP with nohup(1), stays ignored.
    """
    handled = [one for one in _SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]
    previous = {one: signal.signal(one, signal.default_int_handler) for one in handled}
    try:
        yield
    finally:
        for one, handler in previous.items():
            signal.signal(one, handler)


@contextlib.contextmanager
def uninterruptible() -> Iterator[None]:
    """Ignore interrupts, also in commands that are started: an undo that is interrupted leaves an unknown state."""
    signals = [signal.SIGINT, *_SIGNALS]
    previous = {one: signal.signal(one, signal.SIG_IGN) for one in signals}
    try:
        yield
    finally:
        for one, handler in previous.items():
            signal.signal(one, handler)
