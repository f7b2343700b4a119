"""The texts that ``certhook trust`` prints."""

from __future__ import annotations

import os
import shlex

from certhook._text import printable
from certhook.cli import _systems, _terminal
from certhook.cli.trust import commands, directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Sequence

    from certhook.cli._systems import System
    from certhook.cli.trust.candidates import Candidate, Content
    from certhook.cli.trust.store import Store

#: The exit status if nothing was changed, and the commands were printed.
UNCHANGED = 3

_INDENTATION = "    "


def show_content(content: Content, store: Store) -> None:
    """Print every certificate of the file."""
    count = len(content.candidates)
    shown = printable(content.path)
    lines = [f"{shown} contains {count} certificate{'' if count == 1 else 's'}{_and_key(content)}:"]
    for one in content.candidates:
        lines += ["", *candidate_lines(one)]
        facts = [
            "" if not one.refusal else f"Not installed: {one.refusal}",
            f"Warning: {one.warning}" if one.warning else "",
            *(f"In the system's store already: {path}" for path in store.paths(one)[:1]),
        ]
        for fact in filter(None, facts):
            lines += _terminal.wrapped(fact, _INDENTATION, _INDENTATION)
    _terminal.show("\n".join(lines))


def _and_key(content: Content) -> str:
    return " and a private key, which is not copied" if content.has_key else ""


def candidate_lines(candidate: Candidate) -> list[str]:
    """Return the name, the validity and the fingerprint of a certificate."""
    first, last = candidate.anchor.validity or (None, None)
    return [
        f"  {candidate.full_name}",
        f"{_INDENTATION}valid from {first.date() if first else '(unreadable)'} to "
        f"{last.date() if last else '(unreadable)'}",
        f"{_INDENTATION}SHA-256 {candidate.anchor.sha256}",
    ]


def install_steps(system: System, content: Content, roots: Sequence[Candidate]) -> list[str]:
    """Return the shell commands with the effect of the installation."""
    steps = package_steps(system)
    path = os.path.abspath(content.path)
    # A pipe cannot be read twice, and a name with control characters cannot be shown.
    is_usable = content.is_single and os.path.isfile(path) and path.isprintable()
    if not system.directory:
        return [*steps, *system.install_commands(path)]
    for number, root in enumerate(roots):
        target = f"{system.directory}/{directory.free_name(system, root)}"
        # The command that processes the directory is last, and needed only once.
        *before, copy, update = system.install_commands(path, target, content.is_der)
        if not is_usable:
            copy = f"{system.elevated(('install', '-m', '644', '/dev/stdin', target))} <<'END'\n"
            copy += f"{root.pem.decode()}END"
        steps += [*(before if number == 0 else []), copy, *([update] if root is roots[-1] else [])]
    return steps


def package_steps(system: System) -> list[str]:
    """Return the command that installs the system's command, if it is missing."""
    is_missing = system.package and not _systems.find_command(system.update[0], system.root)
    return [system.elevated(system.package.split())] if is_missing else []


def show_steps(system: System, steps: Iterable[str]) -> None:
    """Print *steps*, which are not wrapped, so that they can be copied."""
    lines = [f"  {line}" if "\n" not in step else line for step in steps for line in step.split("\n")]
    _terminal.show("\n".join(["", f"Steps on {printable(system.name)}:", *lines]))


def show_alternative(system: System, content: Content) -> None:
    """Print why nothing was changed, and the variable that needs no privileges."""
    if not system.update:
        reason = "nothing was changed: the store of NixOS is part of its configuration; add the line above to it"
    elif system.family == "windows":
        reason = "nothing was changed: run the command in a terminal that was started as administrator"
    else:
        reason = "nothing was changed: this needs root privileges; run the commands above"
    _terminal.complain(reason)
    _show_variable(content)


def _show_variable(content: Content) -> None:
    path = os.path.abspath(content.path)
    if os.path.isfile(path) and not commands.is_privileged():
        setting = f"export CERTHOOK_EXTRA_CA_CERTS={shlex.quote(printable(path))}"
        if os.name == "nt":
            setting = f"setx CERTHOOK_EXTRA_CA_CERTS {printable(path)}"
        text = "Without these privileges, your Python programs with certhook trust it with:"
        _terminal.show("\n".join(["", *_terminal.wrapped(text), f"  {setting}"]))


def show_unknown_system(content: Content) -> None:
    """Print that the system is unknown, and the variable for Python programs."""
    _terminal.complain("nothing was changed: certhook does not know how this system installs root certificates")
    path = shlex.quote(printable(os.path.abspath(content.path)))
    text = "Python programs with certhook trust it with:"
    _terminal.show("\n".join(["", text, f"  export CERTHOOK_EXTRA_CA_CERTS={path}"]))


def show_installed(paths: Sequence[str], names: Sequence[str], variables: str) -> None:
    """Print the result of an installation.

    :param names: the arguments of ``--undo``
    :param variables: the variables because of which programs in this environment do not trust the roots
    """
    lines = ["", *(f"Installed: {path}" for path in paths)] if paths else ["", "Installed."]
    if variables:
        text = f"The system's store contains it now, but programs in this environment ignore it because of {variables}."
    else:
        text = "The system's store contains it: Python programs with certhook trust it now."
    lines += _terminal.wrapped(text)
    lines += [f"To remove it: certhook trust --undo {name}" for name in names]
    _terminal.show("\n".join(lines))
