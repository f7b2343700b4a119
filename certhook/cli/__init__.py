"""The command line, one file a verb."""

from __future__ import annotations

import argparse
import os
import sys

import certhook
from certhook.cli import _terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m certhook``.

    :param arguments: without the program's name; those of the process unless given
    :returns: the exit status, 0 if all is well
    """
    try:
        return _run(arguments)
    except (OSError, _terminal.Unwritable) as error:
        _terminal.complain(error)
        return 1
    except KeyboardInterrupt:
        _terminal.complain("stopped")
        return _STOPPED


# By SIGINT, as a shell says it.
_STOPPED = 130


def _run(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    try:
        options = parser.parse_args(arguments)
    finally:
        _terminal.flush()  # of --help
    exit_status: int = options.run(options)
    return exit_status


def _parser() -> argparse.ArgumentParser:
    # Only now: who stops it meanwhile sees no traceback.
    from certhook.cli import check, compile, diff, enable, env, export, freeze_bundle, freezer, list, run, status

    parser = argparse.ArgumentParser(
        prog=_program(),
        description="Default TLS trust that simply works: the operating system's roots chained with certifi's.",
        epilog=f"Without a VERB, it is 'status'. {status.EXIT_STATUS}",
    )
    parser.add_argument("--version", action="version", version=f"certhook {certhook.__version__}")
    verbs = parser.add_subparsers(metavar="VERB")
    for verb in (status, check, run, enable, list, diff, export, env, compile, freezer, freeze_bundle):
        verb.add_parser(verbs)
    # Without a verb: what a person first wants to know.
    status.add_arguments(parser)
    return parser


def _program() -> str:
    """What a person typed: the command of this name, or that of the interpreter."""
    is_command = os.path.splitext(os.path.basename(sys.argv[0]))[0].lower() == "certhook"
    return "certhook" if is_command else "python -m certhook"
