"""The command line: ``certhook`` and ``python -m certhook``. Each verb is a module or a package."""

from __future__ import annotations

import argparse
import os
import sys

import certhook
from certhook._store import Unusable
from certhook.cli import _terminal
from certhook.exceptions import CerthookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

# The exit status that a shell reports after SIGINT.
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    :param arguments: the arguments without the program name; by default those of the process
    :returns: the exit status, 0 for success
    """
    try:
        return _run(arguments)
    except _terminal.CommandError as error:
        _terminal.complain(error)
        return error.exit_status
    except (CerthookError, OSError, Unusable) as error:
        _terminal.complain(error)
        return 1
    except KeyboardInterrupt:
        _terminal.complain("stopped")
        return _INTERRUPTED


def _run(arguments: Sequence[str] | None) -> int:
    parser = _build_parser()
    try:
        options = parser.parse_args(arguments)
    finally:
        _terminal.flush()  # argparse has printed the output of --help.
    exit_status: int = options.run(options)
    return exit_status


def _build_parser() -> argparse.ArgumentParser:
    # Imported here, so that an interrupt during the imports causes no traceback.
    from certhook.cli import check, compile, diff, enable, env, export, freeze_bundle, freezer, list, run, status

    program = _program()
    parser = argparse.ArgumentParser(
        prog=program,
        description=_terminal.paragraphs(
            "Default TLS trust that simply works: Python programs trust the operating system's root certificates "
            "together with certifi's. certhook is active in every Python environment that it is installed in. The "
            "verbs show and export the trusted root certificates, explain failed connections, and enable certhook in "
            "other programs."
        ),
        epilog=_terminal.paragraphs(
            f"'{program} VERB --help' describes a verb and its exit status. Without a VERB, 'status' is run."
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"certhook {certhook.__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    for verb in (status, check, run, enable, list, diff, export, env, compile, freezer, freeze_bundle):
        verb.add_parser(verbs)
    status.add_arguments(parser)
    return parser


def _program() -> str:
    """Return the command that the user typed."""
    is_command = os.path.splitext(os.path.basename(sys.argv[0]))[0].lower() == "certhook"
    return "certhook" if is_command else "python -m certhook"
