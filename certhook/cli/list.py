"""``python -m certhook list``: list the root certificates that are trusted by default, as a table."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta, timezone

import certhook
from certhook._config import EXTRA, SOURCES
from certhook._sources.removed import release
from certhook.cli import _mozilla, _problem_list, _roots_table, _terminal
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from certhook._certificates.anchor import Anchor

_SOURCES = (*SOURCES, EXTRA)


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "list",
        "list the trusted root certificates, or those that match a source, a name or an end date",
        (
            "List the root certificates that are trusted by default: the name of the certificate authority (CA), the "
            "last day of the validity, and the sources that list the certificate. With several filters, a certificate "
            "must match all of them.",
        ),
        (
            _roots_table.SOURCES,
            "Exit status: 0 if a root certificate matches, 1 if none does, 2 for invalid arguments.",
        ),
    )
    filters = parser.add_argument_group("filters", "List only root certificates that")
    listed = filters.add_mutually_exclusive_group()
    text = "are listed by this source (%(choices)s); repeat the option to select several sources"
    listed.add_argument("--source", metavar="SOURCE", action="append", choices=_SOURCES, default=[], help=text)
    text = "are listed by this source and no other"
    listed.add_argument("--only", metavar="SOURCE", choices=_SOURCES, help=text)
    filters.add_argument("--name", metavar="TEXT", default="", help="have TEXT in their full name, ignoring case")
    end = filters.add_mutually_exclusive_group()
    end.add_argument("--expired", action="store_const", const=0, dest="days", help="have expired")
    text = "have expired, or expire within DAYS days"
    end.add_argument("--expires-within", type=_days, metavar="DAYS", dest="days", help=text)
    text = "were removed from certifi's bundle, so that requests for a public bundle do not trust them"
    filters.add_argument("--removed", action="store_true", help=text)
    text = "are private: neither certifi nor an earlier release of it contains them"
    filters.add_argument("--private", action="store_true", help=text)
    text = "show the full name, fingerprint, validity and locations of each root certificate instead of a table"
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
        raise argparse.ArgumentTypeError(f"invalid number of days: {text!r} (example: 30)")
    return days


def run(options: argparse.Namespace) -> int:
    """List the matching root certificates.

    :returns: 0 if there are any, 1 if there are none
    :raises CommandError: with ``--private``, if Mozilla's list is not available
    """
    trust_set = certhook.trust_set()
    trusted, all_problems = _roots_table.accepted_by_openssl(trust_set)
    # CERTHOOK_REMOVED=drop excludes removed roots from the trusted ones.
    candidates = [*trusted, *trust_set.excluded] if options.removed else trusted
    if options.private and not _mozilla.is_available():
        raise CommandError("Mozilla's list is not available for --private: run 'pip install certifi'")
    roots = [_roots_table.as_json(anchor) for anchor in candidates if _matches(anchor, options)]
    roots.sort(key=lambda root: _roots_table.sort_key(root["subject"]))
    problems = [str(problem) for problem in all_problems]
    if _terminal.wants_json(options):
        _terminal.show_json({"roots": roots, "trusted_count": len(trusted), "problems": problems})
        return 0 if roots else 1
    _problem_list.complain_of(problems, "list")
    if roots and options.details:
        _terminal.show("\n".join(line for root in roots for line in _roots_table.detail_lines(root)))
    elif roots:
        _show_table(roots, options.removed)
    elif trusted:
        _terminal.complain(f"none of the {len(trusted)} trusted root certificates matches")
    return 0 if roots else 1


def _matches(anchor: Anchor, options: argparse.Namespace) -> bool:
    text = options.name.casefold()
    subject = anchor.subject.casefold()
    if text not in subject and text not in _roots_table.unescaped(subject):
        return False
    if options.source and not set(options.source) & set(anchor.sources):
        return False
    if options.only and anchor.sources != [options.only]:
        return False
    if options.removed and not release(anchor):
        return False
    if options.private and not _mozilla.is_private(anchor):
        return False
    if options.days is None:
        return True
    return anchor.validity is not None and anchor.validity[1] < datetime.now(timezone.utc) + timedelta(options.days)


def _show_table(roots: Sequence[dict[str, Any]], shows_release: bool) -> None:
    """Print a table. Expired root certificates are marked, and have another colour.

    :param shows_release: whether to add the release of certifi that removed each root
    """
    rows = [["NAME", "LAST DAY", "LISTED BY", *(["REMOVED IN"] if shows_release else [])]]
    for name, root in zip(_roots_table.distinct_names(roots), roots):
        sources = ", ".join(dict.fromkeys(listing["source"] for listing in root["listed_by"]))
        release = [root["removed_in"] or ""] if shows_release else []
        rows.append([name, _roots_table.last_day(root), sources, *release])
    header, *table = _roots_table.table_lines(rows)
    marks = {header[0]: _terminal.BOLD}
    marks.update({lines[0]: _terminal.BAD for lines, root in zip(table, roots) if root["expired"]})
    _terminal.show_report([line for lines in (header, *table) for line in lines], marks)
