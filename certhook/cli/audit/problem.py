"""A problem that ``audit`` reports, and the grouping of equal problems."""

from __future__ import annotations

from typing import NamedTuple

from certhook._text import presentable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

    from certhook.exceptions import SourceError

# The number of paths of one problem in the JSON object. Another user may have created any number.
_MOST_PATHS = 100


class Problem(NamedTuple):
    """A difference between the installation and its description, or a permission of another user to change it.

    :ivar path: the file, directory or variable
    :ivar finding: the predicate of a sentence about it
    :ivar remedy: the next step of the user; "{path}" stands for the path
    """

    path: str
    finding: str
    remedy: str


def reason(error: SourceError) -> str:
    """Return why a file cannot be read, as the predicate of a sentence."""
    return error.message.partition("; expected")[0]


def as_json(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Return *problems* as JSON entries. Problems that differ only in their paths share an entry."""
    groups: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        paths = groups.setdefault((problem.finding, problem.remedy), [])
        if problem.path not in paths[-1:]:
            paths.append(problem.path)
    return [
        {
            "paths": [presentable(path) for path in paths[:_MOST_PATHS]],
            "path_count": len(paths),
            "finding": presentable(finding),
            "remedy": presentable(remedy.replace("{path}", paths[0] if len(paths) == 1 else "PATH")),
        }
        for (finding, remedy), paths in groups.items()
    ]
