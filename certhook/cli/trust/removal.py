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
    from certhook.cli.trust.directory import Installed

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def run(argument: str, system: System | None, is_confirmed: Callable[[str], bool]) -> int:
    """Remove the installed roots that *argument* names: a file, a SHA-256 fingerprint, or an installed file.

    :param is_confirmed: asks the user
    :returns: the exit status
    :raises CommandError: if there are none, or they cannot be removed
    """
    if system is None or not system.update:
        raise CommandError("nothing was changed: certhook installs no root certificates on this system")
    if system.directory:
        return _remove_files(argument, system, is_confirmed)
    return _remove_native(argument, system, is_confirmed)


def _remove_files(argument: str, system: System, is_confirmed: Callable[[str], bool]) -> int:
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
    _show([file.candidate for file in files])
    removals = [system.remove_commands(f"{system.directory}/{file.name}") for file in files]
    report.show_steps(system, [*(steps[0] for steps in removals), removals[-1][-1]])
    if not commands.is_privileged():
        _terminal.complain("nothing was changed: this needs root privileges; run the commands above")
        return report.UNCHANGED
    program = commands.find(system)
    if not is_confirmed("Remove it from the system's store?"):
        return report.UNCHANGED
    directory.remove(system, program, files)
    _report_removed([file.candidate for file in files], files, system)
    return 0


def _remove_native(argument: str, system: System, is_confirmed: Callable[[str], bool]) -> int:
    wanted = _fingerprints(argument)
    # These systems do not record who installed a root. Public ones were not installed by certhook.
    roots = [Candidate(anchor) for anchor in Store().private_roots() if anchor.sha256 in wanted]
    if not roots:
        raise CommandError(_explain_missing(argument, wanted, system))
    _show(roots)
    file = printable(argument)
    report.show_steps(system, [one for root in roots for one in system.remove_commands(file, native.sha1(root))])
    if not commands.is_privileged():
        _terminal.complain("nothing was changed: this needs administrator privileges; run the commands above")
        return report.UNCHANGED
    program = commands.find(system)
    if not is_confirmed("Remove it from the system's store?"):
        return report.UNCHANGED
    native.remove(system, program, roots)
    _report_removed(roots, [], system)
    return 0


def _fingerprints(argument: str) -> set[str]:
    """Return the SHA-256 fingerprints of the certificates that *argument*, a fingerprint or a file, names."""
    fingerprint = argument.replace(":", "").lower()
    if _FINGERPRINT.fullmatch(fingerprint) and not os.path.lexists(argument):
        return {fingerprint}
    return {one.anchor.sha256 for one in candidates.read(argument).candidates}


def _explain_missing(argument: str, wanted: set[str], system: System) -> str:
    message = f"nothing was changed: certhook installed no root certificate that matches {printable(argument)}"
    listed = [root for root in map(Candidate, Store().private_roots()) if root.anchor.sha256 in wanted]
    paths = [path for root in listed for path in Store().paths(root)]
    return f"{message}; another program or user added it to the system's store ({paths[0]})" if paths else message


def _show(roots: list[Candidate]) -> None:
    _terminal.show("\n".join(line for root in roots for line in report.candidate_lines(root)))


def _report_removed(roots: list[Candidate], files: list[Installed], system: System) -> None:
    lines = ["", *(f"Removed: {system.directory}/{file.name}" for file in files)] if files else ["", "Removed."]
    store = Store()
    for root in roots:
        paths = store.paths(root)
        if paths:
            text = f'The system\'s store still contains "{root.name}", from another source: {paths[0]}'
            lines += _terminal.wrapped(text)
    if not any(map(store.paths, roots)):
        lines.append("The system's store does not contain it any more.")
    _terminal.show("\n".join(lines))
