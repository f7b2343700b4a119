"""The command line: ``certhook`` and ``python -m certhook``. Each verb is a module or a package."""

from __future__ import annotations

import argparse
import os
import sys

import certhook
from certhook._state import require_tls
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
    except Exception as error:
        if not _is_expected(error):
            raise
        _terminal.complain(_without_contexts() or error)
        return 1
    except KeyboardInterrupt:
        _terminal.complain("stopped")
        return _INTERRUPTED


def _is_expected(error: Exception) -> bool:
    if isinstance(error, (CerthookError, OSError)):
        return True
    # Not imported before: it needs the module _ssl.
    from certhook._store import Unusable

    return isinstance(error, Unusable) or bool(_without_contexts())


def _without_contexts() -> str:
    """Return why no program can create a TLS context in this Python; empty if one can."""
    try:
        import ssl

        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    except OSError as error:
        file = os.environ.get("OPENSSL_CONF")
        configured = f"OPENSSL_CONF={file}" if file else "its configuration file openssl.cnf"
        return (
            f"OpenSSL cannot create a TLS context, with certhook or without it: {error}. Does {configured} require "
            "algorithms that no active provider has, for example fips=yes without a FIPS provider?"
        )
    except Exception:
        return ""  # This Python has no TLS, which is the error itself.
    return ""


def _run(arguments: Sequence[str] | None) -> int:
    require_tls()
    parser = _build_parser()
    try:
        options = parser.parse_args(arguments)
    finally:
        _terminal.flush()  # argparse has printed the output of --help.
    exit_status: int = options.run(options)
    return exit_status


def _build_parser() -> argparse.ArgumentParser:
    # Imported here, so that an interrupt during the imports causes no traceback.
    from certhook.cli import (
        check,
        compile,
        diff,
        enable,
        env,
        export,
        freeze_bundle,
        freezer,
        inspect,
        list,
        run,
        status,
        trust,
    )

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
            f"'{program} VERB --help' describes a verb. Without a VERB, 'status' is run.",
            "Exit status: that of the verb, which its help describes; 2 for invalid arguments.",
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"certhook {certhook.__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    verbs_in_order = (
        status,
        check,
        inspect,
        trust,
        run,
        enable,
        list,
        diff,
        export,
        env,
        compile,
        freezer,
        freeze_bundle,
    )
    for verb in verbs_in_order:
        verb.add_parser(verbs)
    status.add_arguments(parser)
    return parser


def _program() -> str:
    """Return the command that the user typed."""
    is_command = os.path.splitext(os.path.basename(sys.argv[0]))[0].lower() == "certhook"
    return "certhook" if is_command else "python -m certhook"
