"""``python -m certhook list``: which roots are trusted by default, as a table."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta, timezone

from certhook import _api
from certhook._config import EXTRA, SOURCES
from certhook.cli import _roots_table, _terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from certhook._certificates.anchor import Anchor

_NAME_WIDTH = 43
_SOURCES = (*SOURCES, EXTRA)


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "list",
        help="list the trusted roots, or those that a source, a name or an end date picks out",
        description=(
            "List the roots that are trusted by default. A root is the certificate of an authority that vouches for "
            "servers; its name, the last day on which it is valid, and who listed it are shown. With several "
            "options, a root has to meet all of them."
        ),
        epilog="Exit status: 0 if any root was found, 1 if none was, 2 for what cannot be understood.",
    )
    listed = parser.add_mutually_exclusive_group()
    text = "those that this source lists: %(choices)s; several times: any of them"
    listed.add_argument("--source", metavar="SOURCE", action="append", choices=_SOURCES, default=[], help=text)
    listed.add_argument("--only", metavar="SOURCE", choices=_SOURCES, help="those that this source alone lists")
    text = "those with TEXT in their full name, in capitals or not"
    parser.add_argument("--name", metavar="TEXT", default="", help=text)
    end = parser.add_mutually_exclusive_group()
    text = "those that are no longer valid"
    end.add_argument("--expired", action="store_const", const=0, dest="days", help=text)
    text = "those that are not valid DAYS from now, the expired ones among them"
    end.add_argument("--expires-within", type=_days, metavar="DAYS", dest="days", help=text)
    text = "the full name, SHA-256, validity and every file that lists it, in place of a table"
    parser.add_argument("--details", action="store_true", help=text)
    _terminal.add_json(parser)
    parser.set_defaults(run=run)


def _days(text: str) -> int:
    try:
        days = int(text)
        datetime.now(timezone.utc) + timedelta(days)
    except (ValueError, OverflowError):
        days = -1
    if days < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days; right would be 30")
    return days


def run(options: argparse.Namespace) -> int:
    """List the roots.

    :returns: 0 if any was found, 1 if none was
    """
    trust = _api.trust_set()
    trusted, trust_problems = _roots_table.accepted(trust)
    roots = [_roots_table.described(anchor) for anchor in trusted if _is_wanted(anchor, options)]
    roots.sort(key=lambda root: _roots_table.short(root["subject"], _terminal.WIDTH).casefold())
    problems = [str(problem) for problem in trust_problems]
    if _terminal.wants_json(options):
        _terminal.show_json({"roots": roots, "trusted": len(trusted), "problems": problems})
    else:
        for problem in problems:
            _terminal.complain(problem)
        if roots:
            lines = (
                [line for root in roots for line in _roots_table.details(root)] if options.details else _table(roots)
            )
            _terminal.show("\n".join(lines))
        elif trusted:
            _terminal.complain(f"none of the {len(trusted)} trusted roots is like that")
    return 0 if roots else 1


def _is_wanted(anchor: Anchor, options: argparse.Namespace) -> bool:
    wanted = options.name.casefold()
    subject = anchor.subject.casefold()
    if wanted not in subject and wanted not in _roots_table.plain(subject):
        return False
    if options.source and not set(options.source) & set(anchor.sources):
        return False
    if options.only and anchor.sources != [options.only]:
        return False
    if options.days is None:
        return True
    return anchor.validity is not None and anchor.validity[1] < datetime.now(timezone.utc) + timedelta(options.days)


def _table(roots: Sequence[dict[str, Any]]) -> list[str]:
    bold, bad, plain = (_terminal.BOLD, _terminal.BAD, _terminal.PLAIN) if _terminal.has_colours() else ("", "", "")
    now = datetime.now(timezone.utc).isoformat()
    lines = [f"{bold}{'NAME':{_NAME_WIDTH}}  {'LAST DAY':10}  LISTED BY{plain}"]
    for root in roots:
        name = _roots_table.short(root["subject"], _NAME_WIDTH)
        expired = (root["not_after"] or now) < now
        day = f"{bad if expired else ''}{_roots_table.last_day(root):10}{plain if expired else ''}"
        sources = dict.fromkeys(listing["source"] for listing in root["listed_by"])
        lines.append(f"{_terminal.padded(name, _NAME_WIDTH)}  {day}  {', '.join(sources)}")
    return lines
