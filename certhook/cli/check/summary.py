"""The end of a report: the fingerprints of one server, and the table of all servers."""

from __future__ import annotations

from certhook.cli import _terminal
from certhook.cli._terminal import columns, cut, padded, wrapped
from certhook.cli.check.clients import is_failing
from certhook.cli.check.report import YELLOW, verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

_HEADINGS = ("SERVER", "VERDICT", "DAYS", "ROOT OR CAUSE")
# The largest part of the width that the column of the servers may take. A longer name is on a line of its own.
_MAX_SHARE = 0.4


def fingerprint_lines(check: dict[str, Any]) -> list[str]:
    """Return the fingerprint of each certificate of the chain as text."""
    lines = []
    for link in check["chain"]:
        if link["sha256"]:
            lines += [*wrapped(link["name"], "  ", "    "), f"    {link['sha256']}"]
    return ["", "Fingerprints (SHA-256):", *lines] if lines else []


def summary_lines(checks: Sequence[dict[str, Any]], colours: bool = False) -> list[str]:
    """Return the table of all servers as text."""
    width = _terminal.width() - 1
    rows = [_row(check) for check in checks]
    limit = int(width * _MAX_SHARE)
    sizes = [max(columns(row[index]) for row in (*rows, _HEADINGS)) for index in range(3)]
    sizes[0] = max(columns(row[0]) for row in (*rows, _HEADINGS) if columns(row[0]) <= limit)
    lines = ["Summary:", _cells(_HEADINGS, sizes, width)]
    for row, check in zip(rows, checks):
        if columns(row[0]) > limit:
            lines.append(f"  {row[0]}")
            row = ("", *row[1:])
        lines.append(_cells(row, sizes, width, _colour(check) if colours else ""))
    return [*lines, "", *wrapped(_totals(checks))]


def _row(check: dict[str, Any]) -> tuple[str, str, str, str]:
    days = check["days_left"]
    if days is not None and days < 0:
        days += 1  # Whole days since the end, as in the cause.
    return check["target"], verdict(check), "-" if days is None else str(days), _explanation(check)


def _explanation(check: dict[str, Any]) -> str:
    """Return the cause, the clients that fail, the certificate that expires first, or the root, in a few words."""
    if check["cause"]:
        return str(check["cause"]["id"].replace("-", " "))
    if is_failing(check):
        failing = [client["name"] for client in check["clients"] if client["verified"] is False]
        return f"not by {', '.join(failing)}"
    if check["expiring"]:
        first = min(check["expiring"], key=lambda certificate: str(certificate["not_after"]))
        return f"expires soon: {first['role']} {first['name']}"
    root = check["chain"][-1] if check["chain"] else None
    if root is None or not root["listed_by"]:
        return "-"
    sources = dict.fromkeys(listing["source"] for listing in root["listed_by"])
    return f"{', '.join(sources)}: {root['name']}"


def _cells(row: Sequence[str], sizes: Sequence[int], width: int, colour: str = "") -> str:
    server, result, days = padded(row[0], sizes[0]), padded(row[1], sizes[1]), row[2].rjust(sizes[2])
    rest = max(width - sum(sizes) - 8, 10)
    result = f"{colour}{result}{_terminal.PLAIN}" if colour else result
    return f"  {server}  {result}  {days}  {cut(row[3], rest)}"


def _colour(check: dict[str, Any]) -> str:
    if not check["verified"]:
        return _terminal.BAD
    return YELLOW if check["expiring"] or is_failing(check) else _terminal.GOOD


def _totals(checks: Sequence[dict[str, Any]]) -> str:
    verified = sum(check["verified"] for check in checks)
    # The verdicts count the certificates that have expired.
    soon = sum(any(one["days_left"] >= 0 for one in check["expiring"]) for check in checks)
    failing = sum(check["verified"] and is_failing(check) for check in checks)
    text = f"{len(checks)} servers: {verified} verified, {len(checks) - verified} not verified"
    text += f", {failing} not verified by all clients" if failing else ""
    return f"{text}, {soon} with a certificate that expires soon." if soon else f"{text}."
