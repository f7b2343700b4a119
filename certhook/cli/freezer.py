"""``python -m certhook freezer``: print the path of certhook's files for a tool that freezes programs."""

from __future__ import annotations

from certhook import freezers
from certhook.cli import _terminal
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "freezer",
        "print the path of certhook's files for PyInstaller, Nuitka, cx_Freeze or PyOxidizer",
        (
            "Print the path of certhook's configuration file for TOOL, which freezes Python programs into executables. "
            "The first lines of the file explain how to use it. PyInstaller finds its files automatically.",
        ),
        ("Exit status: 0 if the path was printed, 1 if certhook is in an archive, 2 for an unknown TOOL.",),
    )
    parser.add_argument("name", metavar="TOOL", choices=freezers.FILES, help=f"one of {', '.join(freezers.FILES)}")
    _terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the path.

    :returns: 0
    :raises CommandError: if certhook is in an archive
    """
    path = freezers.path_of(options.name)
    if path is None:
        raise CommandError("the package certhook is not in a directory; install it with pip in the build environment")
    _terminal.show_result(options, path, path=path)
    return 0
