"""``python -m certhook trust``: install a root certificate in the operating system's store, or remove it again."""

from __future__ import annotations

import os
import sys

from certhook._text import printable
from certhook.cli import _systems, _terminal
from certhook.cli.trust import candidates, commands, directory, native, removal, report, store
from certhook.cli.trust.report import Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Sequence

    from certhook.cli._systems import System
    from certhook.cli.trust.candidates import Candidate, Content
    from certhook.cli.trust.store import Store

_CONSEQUENCE = (
    "Programs that use the system's store will accept every certificate that this CA issues, for any server. Compare "
    "the fingerprint with the one that you have received from the owner of the CA in another way."
)


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "trust",
        "install a root certificate in the operating system's store, after showing it and the steps",
        (
            "Install the root certificates in FILE in the operating system's store, with the system's own command. The "
            "certificates and the commands are shown first, and nothing is changed without a confirmation. Only roots "
            "of CAs are installed, never the certificate of a server, an intermediate CA or a private key.",
            "FILE may contain several certificates, in PEM, DER or PKCS#7 format. It is read only once: the "
            "certificates that are shown are those that are installed.",
        ),
        (
            "Supported systems: Debian, Ubuntu, Alpine, Fedora, RHEL, Amazon Linux, Arch Linux, SUSE and FreeBSD. For "
            "NixOS, the lines of its configuration are printed. macOS and Windows are implemented, but were not yet "
            "tested on a real system.",
            "Exit status: 0 if the store contains the root certificates (with --undo: does not contain them), 1 if "
            "FILE contains none that may be installed, or the command failed, 2 for invalid arguments, 3 if nothing "
            "was changed because of --dry-run, or because privileges or the confirmation are missing.",
        ),
    )
    text = "a file with certificates; with --undo also a SHA-256 fingerprint, or the name of the installed file"
    parser.add_argument("file", metavar="FILE", type=_terminal.not_empty, help=text)
    text = "remove the root certificates that this command installed"
    parser.add_argument("--undo", action="store_true", help=text)
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation, for scripts")
    parser.add_argument("--dry-run", action="store_true", help="print the commands and change nothing")
    _terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Install root certificates, or remove them.

    :returns: the exit status
    :raises CommandError: if that fails
    """
    output = Output(_terminal.wants_json(options))
    system = _systems.current()
    if options.undo:
        status = removal.run(output, options.file, system, lambda question: _is_confirmed(options, question))
    else:
        status = _run(options, output, system)
    output.finish()
    return status


def _run(options: argparse.Namespace, output: Output, system: System | None) -> int:
    content = candidates.read(options.file)
    found = store.Store()
    content = content._replace(candidates=[_with_distrust(one, found) for one in content.candidates])
    report.show_content(output, content, found)
    roots = [one for one in content.candidates if not one.refusal]
    if not roots:
        shown = printable(content.path)
        _terminal.complain(f"nothing was changed: {shown} contains no root certificate that may be installed")
        return 1
    missing = [one for one in roots if not found.paths(one)]
    if not missing:
        output.show(["", "Nothing to do: the system's store contains it already."])
        return 0
    return _install(options, output, system, content, missing)


def _with_distrust(candidate: Candidate, found: Store) -> Candidate:
    lists = found.distrust(candidate)
    if not lists or candidate.refusal:
        return candidate
    return candidate._replace(refusal=f"This system distrusts it ({lists}), so that installing it has no effect.")


def _install(
    options: argparse.Namespace, output: Output, system: System | None, content: Content, roots: Sequence[Candidate]
) -> int:
    if system is None:
        _terminal.complain("nothing was changed: certhook does not know how this system installs root certificates")
        report.show_variable(output, content, "")
        return report.UNCHANGED
    report.show_steps(output, system, report.install_steps(system, content, roots))
    if not options.yes:
        output.show(["", *_terminal.wrapped(_CONSEQUENCE)])
    if options.dry_run:
        return report.UNCHANGED
    if not commands.is_privileged() or not system.update:
        report.complain_about_privileges(system)
        report.show_variable(output, content, "Without these privileges, your ")
        return report.UNCHANGED
    program = commands.find(system)
    if not _is_confirmed(options, "Install it?"):
        return report.UNCHANGED

    def verify() -> None:
        store.require(roots)

    with commands.interruptible():
        if system.directory:
            paths = directory.install(system, program, roots, verify)
            names = list(map(os.path.basename, paths))
        else:
            native.install(system, program, roots, verify)
            paths, names = [], [root.anchor.sha256 for root in roots]
    report.show_installed(output, paths, names, store.is_overridden(roots))
    return 0


def _is_confirmed(options: argparse.Namespace, question: str) -> bool:
    """Ask the user, unless an option answers the question."""
    if options.dry_run:
        return False
    if options.yes:
        return True
    is_terminal = sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()
    if not is_terminal or _terminal.wants_json(options):
        _terminal.complain("nothing was changed: the confirmation requires a terminal; use --yes in scripts")
        return False
    try:
        answer = input(f"\n{question} [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() in ("y", "yes"):
        return True
    _terminal.complain("nothing was changed")
    return False
