"""``python -m certhook env``: print shell commands that make other programs use a file of root certificates.

On failure, standard output stays empty: with only some of the commands, programs would use
different root certificates.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import Callable, NamedTuple

from certhook._text import shown_value
from certhook.cli import _terminal
from certhook.cli._other_programs import VARIABLES, check_file, export
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


class _Shell(NamedTuple):
    """The syntax of a shell."""

    quote: Callable[[str], str]
    assignment: str
    removal: str


def _quote_for_fish(text: str) -> str:
    # Within single quotes, fish interprets two escapes.
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quote_for_powershell(text: str) -> str:
    # PowerShell treats typographic quotes like straight ones. Doubling escapes them.
    return "'" + re.sub("(['\u2018-\u201b])", r"\1\1", text) + "'"


_SHELLS = {
    "sh": _Shell(shlex.quote, "export {name}={value}", "unset {name}"),
    "fish": _Shell(_quote_for_fish, "set -gx {name} {value}", "set -e {name}"),
    "powershell": _Shell(_quote_for_powershell, "$env:{name} = {value}", "$env:{name} = $null"),
}
# The programs that $SHELL may name, and their syntax.
_PROGRAMS = {
    **dict.fromkeys(("ash", "bash", "busybox", "dash", "ksh", "mksh", "sh", "yash", "zsh"), "sh"),
    "fish": "fish",
    **dict.fromkeys(("powershell", "pwsh"), "powershell"),
}


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    width = max(map(len, VARIABLES))
    parser = _terminal.add_verb(
        verbs,
        "env",
        "print shell commands that make curl, Git, Node.js and others use the same root certificates",
        (
            "Print shell commands that set environment variables. The variables name a file of root certificates to "
            "programs, most of which are not written in Python. Evaluate the commands in the shell:",
            '  bash, zsh:  eval "$(certhook env)"\n'
            "  fish:       certhook env | source\n"
            "  PowerShell: certhook env --shell powershell | Out-String | Invoke-Expression",
            "Without FILE, the trusted root certificates are written to a file in certhook's data directory. Run the "
            "command again when trust has changed.",
        ),
        (
            "These variables are set:",
            "\n".join(f"  {name:{width}}  {programs}" for name, programs in VARIABLES.items()),
            "Node.js and Deno add the file to their own root certificates. The other programs use the file instead of "
            "theirs.",
            "Without FILE, Python programs with certhook are not affected: they ignore the variables. With FILE, they "
            "trust FILE and the system's directory of root certificates, but not certifi's bundle. Distrusted "
            "certificates remain distrusted. Servers that verify clients with default trust accept client "
            "certificates from every CA in FILE.",
            "To set the variables for one command: certhook run --env COMMAND",
            "If SSL_CERT_FILE already names another file, FILE is required: certhook does not silently replace your "
            "choice.",
            "Exit status: 0 if the commands were printed, 1 if they were not, 2 for invalid arguments.",
        ),
    )
    parser.add_argument("--shell", choices=_SHELLS, help="the shell (default: the one that $SHELL names)")
    _terminal.add_json(parser)
    # Last, and in this order: before Python 3.14, the usage shows an exclusive group only if it is adjacent.
    argument = parser.add_mutually_exclusive_group()
    text = "print commands that unset the variables; their earlier values are not restored"
    argument.add_argument("--unset", action="store_true", help=text)
    text = "a PEM file of root certificates, such as the result of 'certhook export FILE'"
    argument.add_argument("file", metavar="FILE", type=_terminal.not_empty, nargs="?", help=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the commands.

    :returns: 0
    :raises CommandError: if nothing was printed
    :raises SourceError: if the named file cannot be read
    """
    if _terminal.wants_json(options):
        _terminal.show_json(dict.fromkeys(VARIABLES, None if options.unset else _file(options)))
        return 0
    shell = _SHELLS[options.shell or _users_shell()]
    if options.unset:
        lines = [shell.removal.format(name=name) for name in VARIABLES]
    else:
        value = shell.quote(_file(options))
        lines = [shell.assignment.format(name=name, value=value) for name in VARIABLES]
    encoding = getattr(sys.stdout, "encoding", "utf-8")
    try:
        # A path may contain bytes that are not text. They are printed unchanged.
        text = "".join(f"{line}\n" for line in lines).encode(encoding, "surrogateescape")
    except UnicodeEncodeError as error:
        raise CommandError(f"{error.encoding} cannot encode the path; use a file with another name") from None
    _terminal.show_bytes(text)
    return 0


def _users_shell() -> str:
    path = os.environ.get("SHELL") or ("powershell" if os.name == "nt" else "sh")
    program = os.path.splitext(os.path.basename(path))[0]
    if program not in _PROGRAMS:
        known = ", ".join(_SHELLS)
        raise CommandError(f"SHELL={shown_value(path)} is not a known shell; use --shell with one of {known}")
    return _PROGRAMS[program]


def _file(options: argparse.Namespace) -> str:
    return export(os.environ) if options.file is None else check_file(options.file)
