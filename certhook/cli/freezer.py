"""``python -m certhook freezer``: where the files are that a tool which freezes programs wants to be told of."""

from __future__ import annotations

from certhook import freezers
from certhook.cli import _terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "freezer",
        help="where the files for PyInstaller, Nuitka, cx_Freeze or PyOxidizer are",
        description=(
            "Print the path of what certhook has for a tool that freezes programs. How to use it stands at its top. "
            "PyInstaller finds its own without being told."
        ),
        epilog="Exit status: 0, 1 where certhook itself is in an archive, 2 for a NAME that is not known.",
    )
    parser.add_argument("name", metavar="NAME", choices=freezers.FILES, help=", ".join(freezers.FILES))
    _terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the path.

    :returns: 0, or 1 where certhook itself is in an archive
    """
    path = freezers.path_of(options.name)
    if path is None:
        _terminal.complain("the package is in no folder; install it with pip where you build")
        return 1
    _terminal.tell(options, path, path=path)
    return 0
