"""The command line: ``certhook`` and ``python -m certhook``. Each verb is a module or a package."""

from __future__ import annotations

import argparse
import os
import sys

import certhook
from certhook._state import require_tls
from certhook._text import shown_value
from certhook.cli import _arguments, _terminal
from certhook.exceptions import CerthookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

#: The purpose of the command line.
DESCRIPTION = (
    "Default TLS trust for every Python program: the operating system's root certificates together with certifi's. "
    "certhook is active in every Python environment that it is installed in. The verbs show and change which root "
    "certificates are trusted, explain failed connections, and enable certhook in other programs."
)

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
    except Exception as error:
        if not _is_expected(error):
            raise
        _terminal.complain(_without_contexts() or _explain(error))
        return 1
    except KeyboardInterrupt:
        _terminal.complain("stopped")
        return _INTERRUPTED


def _is_expected(error: Exception) -> bool:
    if isinstance(error, (CerthookError, OSError, ImportError)):
        return True
    # Not imported before: it needs the module _ssl.
    from certhook._store import Unusable

    return isinstance(error, Unusable) or bool(_without_contexts())


def _explain(error: Exception) -> object:
    if isinstance(error, ImportError):
        # An update replaces certhook or Python, no file descriptor is left, or the disk is faulty.
        return f"a module cannot be imported: {error}; try again, or reinstall certhook"
    if isinstance(error, FileNotFoundError) and error.filename is None and _is_directory_deleted():
        return "the working directory was deleted; change to another directory"
    return error


def _is_directory_deleted() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _without_contexts() -> str:
    """Return why no program can create a TLS context in this Python; empty if one can."""
    try:
        import ssl

        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    except OSError as error:
        file = os.environ.get("OPENSSL_CONF")
        configured = f"OPENSSL_CONF={shown_value(file)}" if file else "its configuration file openssl.cnf"
        return (
            f"OpenSSL cannot create a TLS context, with certhook or without it: {error}. Does {configured} require "
            "algorithms that no active provider has, for example fips=yes without a FIPS provider?"
        )
    except Exception:
        return ""  # This Python has no TLS, which is the error itself.
    return ""


def _run(arguments: Sequence[str] | None) -> int:
    require_tls()
    parser, verbs = build_parser()
    try:
        options = _arguments.parse(parser, verbs, sys.argv[1:] if arguments is None else arguments)
    finally:
        _terminal.flush()  # argparse has printed the output of --help.
    exit_status: int = options.run(options)
    return exit_status


def build_parser(program: str = "") -> tuple[argparse.ArgumentParser, _arguments.Verbs]:
    """Return the parser of the command line and the parsers of the verbs.

    :param program: the name of the program; by default the command that the user typed
    """
    # Imported here, so that an interrupt during the imports causes no traceback.
    from certhook.cli import (
        audit,
        check,
        compile,
        completion,
        demo,
        diff,
        enable,
        env,
        export,
        freezer,
        inspect,
        list,
        run,
        status,
        trust,
    )

    program = program or _program()
    parser: argparse.ArgumentParser = _arguments.Parser(
        prog=program,
        usage="%(prog)s [VERB] [OPTION...]\n       %(prog)s HOST [OPTION...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"certhook {certhook.__version__}")
    verbs: _arguments.Verbs = parser.add_subparsers(prog=program, metavar="VERB", help=argparse.SUPPRESS)
    for verb in (
        *(
            status,
            check,
            inspect,
            trust,
            list,
            demo,
            run,
            enable,
            export,
            env,
            diff,
            compile,
            audit,
            freezer,
            completion,
        ),
    ):
        verb.add_parser(verbs)
    status.add_arguments(parser)
    parser.set_defaults(command_line=(parser, verbs))
    parser.description = "\n\n".join((_terminal.paragraphs(DESCRIPTION), _arguments.verbs_text(verbs)))
    parser.epilog = _terminal.paragraphs(
        f"'{program} VERB --help' describes a verb. Without a VERB, 'status' is run. A HOST, for example "
        f"intranet.example or localhost:8443, is checked, as with 'check HOST'.",
        f"'{program} completion SHELL' prints the completion of arguments for bash, zsh or fish.",
        "Exit status: that of the verb, which its help describes; 2 for invalid arguments.",
    )
    return parser, verbs


def _program() -> str:
    """Return the command that the user typed."""
    is_command = os.path.splitext(os.path.basename(sys.argv[0]))[0].lower() == "certhook"
    return "certhook" if is_command else "python -m certhook"
