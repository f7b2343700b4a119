"""``certhook trust --undo``: removing exactly the roots that ``certhook trust`` installed."""

from __future__ import annotations

import os
import re

from certhook._text import printable
from certhook.cli import _terminal
from certhook.cli._terminal import CommandError
from certhook.cli.trust import candidates, commands, directory, native, report
from certhook.cli.trust.candidates import Candidate
from certhook.cli.trust.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from certhook.cli._systems import System
    from certhook.cli.trust.report import Output

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def run(output: Output, argument: str, system: System | None, is_confirmed: Callable[[str], bool]) -> int:
    """Remove the installed roots that *argument* names: a file, a SHA-256 fingerprint, or an installed file.

    :param is_confirmed: asks the user
    :returns: the exit status
    :raises CommandError: if there are none, or they cannot be removed
    """
    if system is None or not system.update:
        raise CommandError("nothing was changed: certhook installs no root certificates on this system")
    if system.directory:
        return _remove_files(output, argument, system, is_confirmed)
    return _remove_native(output, argument, system, is_confirmed)


def _remove_files(output: Output, argument: str, system: System, is_confirmed: Callable[[str], bool]) -> int:
    own = directory.installed(system)
    name = os.path.basename(argument)
    if argument in (name, f"{system.directory}/{name}") and directory.NAME.fullmatch(name):
        files = [file for file in own if file.name == name]
        wanted = {file.candidate.anchor.sha256 for file in files}
    else:
        wanted = _fingerprints(argument)
        files = [file for file in own if file.candidate.anchor.sha256 in wanted]
    if not files:
        raise CommandError(_explain_missing(argument, wanted, system))
    roots = [file.candidate for file in files]
    removals = [system.remove_commands(f"{system.directory}/{file.name}") for file in files]
    steps = [*(one[0] for one in removals), removals[-1][-1]]  # The directory is processed once.
    program = _prepare(output, system, roots, steps, is_confirmed)
    if not program:
        return report.UNCHANGED
    directory.remove(system, program, files)
    _report_removed(output, system, roots, [f"{system.directory}/{file.name}" for file in files])
    return 0


def _remove_native(output: Output, argument: str, system: System, is_confirmed: Callable[[str], bool]) -> int:
    wanted = _fingerprints(argument)
    # These systems do not record who installed a root. Public ones were not installed by certhook.
    roots = [Candidate(anchor) for anchor in Store().private_roots() if anchor.sha256 in wanted]
    if not roots:
        raise CommandError(_explain_missing(argument, wanted, system))
    steps = [one for root in roots for one in system.remove_commands(printable(argument), native.sha1(root))]
    program = _prepare(output, system, roots, steps, is_confirmed)
    if not program:
        return report.UNCHANGED
    native.remove(system, program, roots)
    _report_removed(output, system, roots, [])
    return 0


def _prepare(
    output: Output, system: System, roots: list[Candidate], steps: list[str], is_confirmed: Callable[[str], bool]
) -> str:
    """Show the roots and the steps, and ask the user.

    :returns: the absolute path of the system's command, empty if nothing may be changed
    """
    found = Store()
    lines = [line for root in roots for line in report.candidate_lines(root)]
    output.show(lines, certificates=[report.as_json(root, found) for root in roots])
    report.show_steps(output, system, steps)
    if not commands.is_privileged():
        report.complain_about_privileges(system)
        return ""
    program = commands.find(system)
    return program if is_confirmed("Remove it from the system's store?") else ""


def _fingerprints(argument: str) -> set[str]:
    """Return the SHA-256 fingerprints of the certificates that *argument*, a fingerprint or a file, names."""
    fingerprint = argument.replace(":", "").lower()
    if _FINGERPRINT.fullmatch(fingerprint) and not os.path.lexists(argument):
        return {fingerprint}
    return {one.anchor.sha256 for one in candidates.read(argument).candidates}


def _explain_missing(argument: str, wanted: set[str], system: System) -> str:
    message = f"nothing was changed: certhook installed no root certificate that matches {printable(argument)}"
    found = Store()
    for root in map(Candidate, found.private_roots()):
        if root.anchor.sha256 in wanted:
            return f"{message}; another program or user added it to the system's store: {_other(system, root, found)}"
    return message


def _other(system: System, root: Candidate, found: Store) -> str:
    """Return the file that contains *root*, or else the location of the store that lists it."""
    files = directory.other_files(system, root) if system.directory else []
    return printable((files or found.paths(root))[0])


def _report_removed(output: Output, system: System, roots: list[Candidate], files: list[str]) -> None:
    lines = ["", *(f"Removed: {file}" for file in files)]
    store = Store()
    for root in roots:
        if store.paths(root):
            other = _other(system, root, store)
            lines += _terminal.wrapped(f'The system\'s store still contains "{root.name}", because of {other}')
    if not any(map(store.paths, roots)):
        lines.append("The system's store does not contain it any more.")
    output.show(lines, changed=True, files=files)
