"""``python -m certhook diff``: compare the system's store with the bundle, or two files or directories."""

from __future__ import annotations

import argparse
import copy
import os
from typing import Any, NamedTuple, Sequence

from certhook import _config
from certhook._config import SERVER_AUTH
from certhook._sources import blocklist, collect, settings_file
from certhook._sources.collector import Collector
from certhook._sources.locations import ANY
from certhook._sources.reading import read_directory, read_file
from certhook._sources.trust_set import TrustSet
from certhook._text import printable, shown_value
from certhook.cli import _problem_list, _roots_table, _terminal
from certhook.cli._terminal import CommandError
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._certificates.anchor import Anchor

_MARK = " *"


class Side(NamedTuple):
    """One of the two sets that are compared.

    :ivar name: its name in the output
    :ivar anchors: its root certificates by their DER, sorted by name
    :ivar problems: the problems of reading it
    :ivar locations: the locations that were read, for a message
    """

    name: str
    anchors: dict[bytes, Anchor]
    problems: list[str]
    locations: str


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "diff",
        "compare the system's root certificates with the bundle's, or two files or directories",
        (
            "Compare the root certificates in the operating system's trust store with those in the bundle (certifi's, "
            "or the one that CERTHOOK_BUNDLE names): those that only one of them contains, and those with the same "
            "name and key but different certificates, for example after a renewal.",
            "With A and B, compare these two files or directories instead.",
        ),
        (
            "Exit status: 0 if both contain the same root certificates, 1 if they differ, 2 if one cannot be read "
            "completely or contains none, or if the arguments are invalid.",
        ),
        usage="%(prog)s [-h] [--json] [A B]",
    )
    text = "a file of root certificates, or a directory with such files (*.pem, *.crt, *.cer, *.der, or hashed names)"
    parser.add_argument("a", metavar="A", type=_terminal.not_empty, nargs="?", help=text)
    parser.add_argument("b", metavar="B", type=_terminal.not_empty, nargs="?", help="the other file or directory")
    _terminal.add_json(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Compare.

    :returns: 0 if both sides are equal, 1 if they differ, 2 if one cannot be read completely
    :raises CommandError: if a side contains no root certificate
    """
    paths = [path for path in (options.a, options.b) if path is not None]
    if len(paths) == 1:
        options.usage_error(f"expected two files or directories, but only {shown_value(paths[0])} was given")
    if paths:
        a, b = [_side(shown_value(path), _read(path)) for path in paths]
    else:
        a, b = _side("the system's store", _read_source("system")), _side("the bundle", _read_source("bundled"))
    problems = [*a.problems, *b.problems]
    empty = [side for side in (a, b) if not side.anchors]
    if empty or not _terminal.wants_json(options):
        _problem_list.complain_of(problems, "diff")
    if empty:
        raise CommandError(
            f"nothing was compared: no root certificate was found in {empty[0].name} ({empty[0].locations})",
            exit_status=2,
        )
    found = _compare(a, b)
    if _terminal.wants_json(options):
        _terminal.show_json({**found, "problems": problems})
    else:
        _show_report(found)
    if problems:
        return 2
    return 1 if found["only_a"] or found["only_b"] or found["renewed"] else 0


def _read_source(source: str) -> TrustSet:
    """Read one source, whatever CERTHOOK_SOURCES selects."""
    config = copy.copy(settings_file.effective(_config.current()))
    config.sources, config.extra = (source,), ()
    return collect(config, SERVER_AUTH, is_limited=False).trust_set()


def _read(path: str) -> TrustSet:
    """Read a file or directory, including certificates that this system distrusts."""
    collector = Collector(_config.current(), SERVER_AUTH)
    if os.path.isdir(path):
        read_directory(collector, "given", path, ANY)
    else:
        read_file(collector, "given", path)
    return collector.trust_set()


def _side(name: str, trust_set: TrustSet) -> Side:
    anchors = sorted((*trust_set.anchors, *trust_set.distrusted), key=lambda one: _roots_table.sort_key(one.subject))
    problems = [str(problem) for problem in trust_set.problems if isinstance(problem, SourceError)]
    locations = "; ".join(f"{shown_value(one.path)} {one.note}" for one in trust_set.locations)
    return Side(name, {anchor.der: anchor for anchor in anchors}, problems, locations or "no location was read")


def _compare(a: Side, b: Side) -> dict[str, Any]:
    """Return the differences as a JSON object."""
    only = [[anchor for der, anchor in x.anchors.items() if der not in y.anchors] for x, y in ((a, b), (b, a))]
    # CAs that both sides contain, but with different certificates.
    cas = [{_ca(anchor) for anchor in side.anchors.values()} for side in (a, b)]
    renewed = {_ca(anchor) for anchor in (*only[0], *only[1])} & cas[0] & cas[1]
    return {
        "a": a.name,
        "b": b.name,
        "in_both_count": len(a.anchors) - len(only[0]),
        "only_a": [_roots_table.as_json(anchor) for anchor in only[0] if _ca(anchor) not in renewed],
        "only_b": [_roots_table.as_json(anchor) for anchor in only[1] if _ca(anchor) not in renewed],
        "renewed": [
            {
                key: [_roots_table.as_json(anchor) for anchor in side.anchors.values() if _ca(anchor) == ca]
                for key, side in (("a", a), ("b", b))
            }
            for ca in sorted(renewed)
        ],
    }


def _ca(anchor: Anchor) -> tuple[bytes, bytes]:
    """Return the name and the key of the CA, which a renewed certificate keeps."""
    return blocklist.identity(anchor.certificate)


def _show_report(found: dict[str, Any]) -> None:
    headings = {"only_a": f"Only in {found['a']}:", "only_b": f"Only in {found['b']}:"}
    renewed = "Same name and key, different certificate:"
    lines = []
    for key, heading in headings.items():
        if found[key]:
            lines += ["", f"{heading} {len(found[key])}", *_rows(found[key])]
            for path in {path: None for root in found[key] for path in root["distrusted_by"]}:
                lines += _terminal.wrapped(printable(f"* distrusted by {path}"), "  ", "    ")
    if found["renewed"]:
        lines += ["", f"{renewed} {len(found['renewed'])}"]
    for pair in found["renewed"]:
        lines += _terminal.wrapped(_roots_table.short_name(pair["a"][0]["subject"], None), "  ", "    ")
        for key in ("a", "b"):
            for root in pair[key]:
                lines.append(f"       last day {_roots_table.last_day(root)}, in {found[key]}")
                lines.append(f"       SHA-256 {root['sha256']}")
    if lines:
        marks = dict.fromkeys(("In both:", renewed, *headings.values()), _terminal.BOLD)
        _terminal.show_report([f"In both: {found['in_both_count']}", *lines], marks)
    else:
        count = _roots_table.counted(found["in_both_count"])
        _terminal.show(f"{found['a']} and {found['b']} contain the same {count}")


def _rows(roots: Sequence[dict[str, Any]]) -> list[str]:
    """Return the rows of a table. Distrusted root certificates have a mark."""
    cells = [[name, _roots_table.last_day(root)] for name, root in zip(_roots_table.distinct_names(roots), roots)]
    table = _roots_table.table_lines(cells, len(_MARK))
    marked = [(_MARK if root["distrusted_by"] else " " * len(_MARK), lines) for root, lines in zip(roots, table)]
    return [f"{mark if line is lines[0] else '  '}{line}" for mark, lines in marked for line in lines]
