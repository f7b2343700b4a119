"""``python -m certhook diff``: in what do the system's store and the bundle differ, or any two files of roots?"""

from __future__ import annotations

import argparse
import copy
import os
from typing import Any, NamedTuple

from certhook import _config
from certhook._config import SERVER_AUTH
from certhook._sources import collect
from certhook._sources.collector import Collector, TrustSet
from certhook._sources.locations import ANY
from certhook._sources.reading import read_directory, read_file
from certhook.cli import _roots_table, _terminal
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._certificates.anchor import Anchor

_NAME_WIDTH = 60


class Side(NamedTuple):
    """What is compared: how it is called, and its roots by their DER."""

    name: str
    anchors: dict[bytes, Anchor]


class _Trouble(Exception):
    """Something cannot be compared, for the reason that it carries."""


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "diff",
        help="compare the system's roots with the bundle's, or two files or folders of roots",
        description=(
            "Compare the roots of the operating system's store with those of the bundle (certifi's, or that of "
            "CERTHOOK_BUNDLE): which ones only the one has, which ones only the other has, and for which authority "
            "and key they have different certificates, as after a renewal. With A and B, compare these."
        ),
        epilog="Exit status: 0 if they have the same roots, 1 if not, 2 if one cannot be read wholly.",
    )
    text = "a file of roots, or a folder of such files (*.pem, *.crt, *.cer, *.der, or named as 'openssl rehash' does)"
    parser.add_argument("a", metavar="A", type=_terminal.not_empty, nargs="?", help=text)
    parser.add_argument("b", metavar="B", type=_terminal.not_empty, nargs="?", help="what to compare it with")
    _terminal.add_json(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Compare.

    :returns: 0 if the roots are the same, 1 if they differ, 2 if something could not be read
    """
    paths = [path for path in (options.a, options.b) if path is not None]
    if len(paths) == 1:
        options.usage_error(f"with what is {paths[0]} to be compared? Name another file or folder behind it")
    problems: list[str] = []
    try:
        a, b = [_read(path, problems) for path in paths] or [
            _listed_by("system", "the system's store", problems),
            _listed_by("bundled", "the bundle", problems),
        ]
    except _Trouble as trouble:
        for text in (*problems, trouble):
            _terminal.complain(text)
        return 2
    found = compared(a, b)
    if _terminal.wants_json(options):
        _terminal.show_json({**found, "problems": problems})
    else:
        for problem in problems:
            _terminal.complain(problem)
        _terminal.show("\n".join(_render(found, a.name, b.name)))
    if problems:
        return 2
    return 1 if found["only_a"] or found["only_b"] or found["other_certificate"] else 0


def _listed_by(source: str, name: str, problems: list[str]) -> Side:
    """What one source lists, what is distrusted included."""
    config = copy.copy(_config.current())
    config.sources, config.extra = (source,), ()
    return _side(name, collect(config, SERVER_AUTH).trust_set(), problems)


def _read(path: str, problems: list[str]) -> Side:
    """What is in a file or a folder, whatever is distrusted on this system."""
    config = copy.copy(_config.current())
    collector = Collector(config, SERVER_AUTH)
    if os.path.isdir(path):
        read_directory(collector, "given", path, ANY)
    else:
        read_file(collector, "given", path)
    return _side(path, collector.trust_set(), problems)


def _side(name: str, found: TrustSet, problems: list[str]) -> Side:
    problems += [str(problem) for problem in found.problems if isinstance(problem, SourceError)]
    anchors = {anchor.der: anchor for anchor in (*found.anchors, *found.removed)}
    if not anchors:
        looked = "; ".join(f"{place.path} {place.note}" for place in found.locations)
        raise _Trouble(f"nothing to compare: no root was found in {name} ({looked or 'there is no such place'})")
    by_name = sorted(anchors.items(), key=lambda item: _roots_table.short(item[1].subject, _NAME_WIDTH).casefold())
    return Side(name, dict(by_name))


def compared(a: Side, b: Side) -> dict[str, Any]:
    """What only the one has, only the other, and what both have in different certificates, ready for JSON."""
    only = [[anchor for der, anchor in x.anchors.items() if der not in y.anchors] for x, y in ((a, b), (b, a))]
    # Whose key both sides have, though not by the same certificates.
    owners = [{_roots_table.identity(anchor) for anchor in side.anchors.values()} for side in (a, b)]
    differing = {_roots_table.identity(anchor) for anchor in (*only[0], *only[1])} & owners[0] & owners[1]
    return {
        "a": a.name,
        "b": b.name,
        "in_both": len(a.anchors) - len(only[0]),
        "only_a": [_described(anchor) for anchor in only[0] if _roots_table.identity(anchor) not in differing],
        "only_b": [_described(anchor) for anchor in only[1] if _roots_table.identity(anchor) not in differing],
        "other_certificate": [
            {
                key: [_described(anchor) for anchor in side.anchors.values() if _roots_table.identity(anchor) == owner]
                for key, side in (("a", a), ("b", b))
            }
            for owner in sorted(differing)
        ],
    }


def _described(anchor: Anchor) -> dict[str, Any]:
    return {**_roots_table.described(anchor), "distrusted_by": anchor.rejected_by}


def _render(found: dict[str, Any], a: str, b: str) -> list[str]:
    lines = []
    for key, name in (("only_a", a), ("only_b", b)):
        if found[key]:
            lines += ["", _heading(f"Only in {name}", len(found[key])), *(_line(root) for root in found[key])]
            for path in {path: None for root in found[key] for path in root["distrusted_by"]}:
                lines += _terminal.wrapped(f"* not trusted here: {path} distrusts it", "  ", "    ")
    if found["other_certificate"]:
        lines += ["", _heading("The same name and key, and another certificate", len(found["other_certificate"]))]
    for pair in found["other_certificate"]:
        lines.append(f"  {_roots_table.short(pair['a'][0]['subject'], _NAME_WIDTH)}")
        for key, name in (("a", a), ("b", b)):
            for root in pair[key]:
                lines.append(f"       last day {_roots_table.last_day(root)}, in {name}")
                lines.append(f"       SHA-256 {root['sha256']}")
    if not lines:
        return [f"{a} and {b} have the same {found['in_both']} roots"]
    return [_heading("In both", found["in_both"]), *lines]


def _heading(text: str, count: int) -> str:
    bold, plain = (_terminal.BOLD, _terminal.PLAIN) if _terminal.has_colours() else ("", "")
    return f"{bold}{text}:{plain} {count}"


def _line(root: dict[str, Any]) -> str:
    name = _roots_table.short(root["subject"], _NAME_WIDTH)
    mark = "*" if root["distrusted_by"] else " "
    return f"{mark:>2}{_terminal.padded(name, _NAME_WIDTH)}  {_roots_table.last_day(root)}"
