"""The texts and the JSON object that ``certhook trust`` prints."""

from __future__ import annotations

import os

from certhook._text import printable
from certhook.cli import _systems, _terminal
from certhook.cli._variables import extra_command
from certhook.cli.trust import directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Sequence

    from certhook.cli._systems import System
    from certhook.cli.trust.candidates import Candidate, Content
    from certhook.cli.trust.store import Store

#: The exit status if nothing was changed, and the commands were printed.
UNCHANGED = 3

_INDENTATION = "    "


class Output:
    """Standard output: text that is printed at once, or one JSON object at the end.

    :ivar is_json: whether the user gave ``--json``
    :ivar facts: the JSON object
    """

    def __init__(self, is_json: bool) -> None:
        self.is_json = is_json
        self.facts: dict[str, Any] = {"changed": False, "certificates": [], "commands": [], "files": []}

    def show(self, lines: Iterable[str], **facts: object) -> None:
        """Print *lines*, or add *facts* to the JSON object."""
        self.facts.update(facts)
        if not self.is_json:
            _terminal.show("\n".join(lines))

    def finish(self) -> None:
        """Print the JSON object."""
        if self.is_json:
            _terminal.show_json(self.facts)


def show_content(output: Output, content: Content, store: Store) -> None:
    """Print every certificate of the file."""
    count = len(content.candidates)
    key = " and a private key, which is not copied" if content.has_key else ""
    lines = [f"{printable(content.path)} contains {count} certificate{'' if count == 1 else 's'}{key}:"]
    for one in content.candidates:
        facts = [
            f"Not installed: {one.refusal}" if one.refusal else "",
            f"Warning: {one.warning}" if one.warning else "",
            *(f"In the system's store already: {path}" for path in store.paths(one)[:1]),
        ]
        lines += ["", *candidate_lines(one)]
        for fact in filter(None, facts):
            lines += _terminal.wrapped(fact, _INDENTATION, _INDENTATION)
    output.show(lines, certificates=[as_json(one, store) for one in content.candidates])


def candidate_lines(candidate: Candidate) -> list[str]:
    """Return the name, the validity and the fingerprint of a certificate."""
    first, last = candidate.anchor.validity or (None, None)
    dates = f"valid from {first.date() if first else '(unreadable)'} to {last.date() if last else '(unreadable)'}"
    texts = [dates, f"SHA-256 {candidate.anchor.sha256}"]
    return [f"  {candidate.full_name}", *(f"{_INDENTATION}{text}" for text in texts)]


def as_json(candidate: Candidate, store: Store) -> dict[str, Any]:
    """Return a certificate as a JSON object: ``refusal`` is None if it may be installed."""
    first, last = candidate.anchor.validity or (None, None)
    return {
        "subject": candidate.anchor.subject,
        "sha256": candidate.anchor.sha256,
        "not_before": first and first.isoformat(),
        "not_after": last and last.isoformat(),
        "refusal": candidate.refusal or None,
        "warning": candidate.warning or None,
        "system_store": store.paths(candidate),
    }


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


def show_steps(output: Output, system: System, steps: Sequence[str]) -> None:
    """Print *steps*, which are not wrapped, so that they can be copied."""
    margin = "" if any("\n" in step for step in steps) else "  "  # The end of a here-document must not be indented.
    lines = [f"{margin}{line}" for step in steps for line in step.split("\n")]
    output.show(["", f"Steps on {printable(system.name)}:", *lines], commands=[*steps])


def complain_about_privileges(system: System) -> None:
    """Print why nothing was changed."""
    if not system.update:
        reason = "the store of NixOS is part of its configuration; add the line above to it"
    elif system.family == "windows":
        reason = "run the command in a terminal that was started as administrator"
    else:
        reason = "this needs root privileges; run the commands above"
    _terminal.complain(f"nothing was changed: {reason}")


def show_variable(output: Output, content: Content, condition: str) -> None:
    """Print the variable that makes Python programs trust the file under a *condition*."""
    path = printable(os.path.abspath(content.path))
    if os.path.isfile(path):
        setting = extra_command(path, os.environ)
        output.show(
            ["", *_terminal.wrapped(f"{condition}Python programs with certhook trust it with:"), f"  {setting}"]
        )


def show_installed(output: Output, paths: Sequence[str], names: Sequence[str], variables: str) -> None:
    """Print the result of an installation.

    :param paths: the files that were written
    :param names: the arguments of ``--undo``
    :param variables: the variables because of which programs in this environment do not trust the roots
    """
    text = "The system's store contains it: Python programs with certhook trust it now."
    if variables:
        text = f"The system's store contains it now, but programs in this environment ignore it because of {variables}."
    lines = ["", *(f"Installed: {path}" for path in paths), *_terminal.wrapped(text)]
    lines += [f"To remove it: certhook trust --undo {name}" for name in names]
    output.show(lines, changed=True, files=[*paths])
