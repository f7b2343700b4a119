"""Limited lists of problems: files and variables may contain any number of faults, of which a command prints some."""

from __future__ import annotations

from certhook.cli import _terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

#: The number of problems that a command prints without --json.
MOST = 20


def complain_of(problems: Sequence[object], verb: str) -> None:
    """Print *problems* on standard error, up to a limit.

    :param verb: the verb that lists all of them with ``--json``
    """
    for line in first_ones(problems, verb):
        _terminal.complain(line)


def first_ones(problems: Sequence[object], verb: str) -> list[str]:
    """Return the first of *problems* as text, and the number of the others.

    :param verb: as in :func:`complain_of`
    """
    omitted = len(problems) - MOST
    shown = [str(problem) for problem in problems[:MOST]]
    return [*shown, f"{omitted} more: 'certhook {verb} --json' lists all of them"] if omitted > 0 else shown
