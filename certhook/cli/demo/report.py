"""The result of ``demo`` as text."""

from __future__ import annotations

from certhook._finder import find_module
from certhook.cli import _terminal
from certhook.cli._terminal import padded, wrapped
from certhook.cli.demo.clients import CLIENTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ROOTS = {
    "system": "the system's store only",
    "bundled": "certifi's file only",
    "unlisted": "neither",
}
_HEADINGS = ("SERVER'S ROOT IN", "CLIENT WITH", "WITHOUT CERTHOOK", "WITH CERTHOOK")
_PASSED = "As expected:"
_FAILED = "Not as expected:"

#: The starts of lines, and their colours.
MARKS = {_PASSED: _terminal.GOOD, _FAILED: _terminal.BAD, "This Python:": _terminal.BOLD, "Next:": _terminal.BOLD}


def render(found: dict[str, Any], command: str) -> list[str]:
    """Return the lines for *found*, the JSON object.

    :param command: starts certhook's command line
    """
    parts = [
        _introduction(),
        _table(found["connections"]),
        _conclusion(found),
        _arrangement(found["explicitly_enabled"]),
    ]
    parts += [_interpreter(found), _next(command)]
    return "\n\n".join("\n".join(part) for part in parts).split("\n")


def _introduction() -> list[str]:
    text = (
        "Three HTTPS servers on this machine (127.0.0.1), and two kinds of clients: those with Python's default trust, "
        "such as urllib and aiohttp, and those with certifi's file, such as requests, httpx and pip."
    )
    return wrapped(text)


def _table(results: list[dict[str, Any]]) -> list[str]:
    rows: list[tuple[str, ...]] = [_HEADINGS]
    previous = ""
    for without, with_certhook in zip(results[::2], results[1::2]):
        root = without["root_source"]
        cells = [_cell(one) for one in (without, with_certhook)]
        rows.append(("" if root == previous else _ROOTS[root], CLIENTS[without["client"]], *cells))
        previous = root
    return _aligned(rows)


def _cell(result: dict[str, Any]) -> str:
    return result["verdict"] if result["as_expected"] else f"{result['verdict']} (!)"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) + 2 for column in zip(*rows)]
    return [f"  {''.join(map(padded, row, widths))}".rstrip() for row in rows]


def _conclusion(found: dict[str, Any]) -> list[str]:
    if not found["as_expected"]:
        return [_FAILED, *(line for text in found["findings"] for line in wrapped(text, "  - ", "    "))]
    text = (
        f"{_PASSED} with certhook, both kinds of clients verify servers whose root certificate is in the system's "
        "store or in certifi's file, and they still reject all others."
    )
    reason = next(result["message"] for result in found["connections"] if result["message"])
    return [*wrapped(text), *wrapped(f"The error of rejected connections is CERTIFICATE_VERIFY_FAILED, {reason}.")]


def _arrangement(is_explicit: bool) -> list[str]:
    enabled = (
        "Nothing enables certhook in this Python, so the clients enabled it themselves."
        if is_explicit
        else "Python enabled certhook in them through certhook.pth, as in any program."
    )
    text = (
        "How it works: the clients are processes of this Python. In their environment, SSL_CERT_FILE and a copy of "
        f"certifi replace the system's store and certifi with one demonstration root each. {enabled} Nothing on this "
        "machine was changed."
    )
    return wrapped(text)


def _interpreter(found: dict[str, Any]) -> list[str]:
    path = found["executable"]
    lines = wrapped(f"This Python: {path}, version {found['python']}", then="  ", whole=[path])
    if found["active"]:
        state = f"certhook {found['certhook']} is active, enabled by {found['enabled_by']}"
    elif found["disabled"]:
        state = "certhook is not active, because CERTHOOK_DISABLED is set; unset it to enable certhook"
    else:
        state = "certhook is not active: install it ('pip install .' in the directory of its source)"
    lines += wrapped(state, "  ", "  ", whole=[found["enabled_by"] or ""])
    rows: list[tuple[str, ...]] = [("TRUSTED ROOTS WITH", *_HEADINGS[2:])]
    for counts in found["trusted_roots"]:
        rows.append((CLIENTS[counts["client"]], *_counts(counts)))
    return [*lines, *_aligned(rows)]


def _counts(counts: dict[str, Any]) -> tuple[str, str]:
    if counts["stock_count"] is None:
        return "certifi is missing", ""
    by_source = ", ".join(f"{source} {count}" for source, count in counts["trusted_count_by_source"].items())
    return str(counts["stock_count"]), f"{counts['trusted_count']}{f' ({by_source})' if by_source else ''}"


def _next(command: str) -> list[str]:
    requirement = "" if find_module("cryptography") else "; this requires the package cryptography"
    return [
        *("Next:", "  # the state of this Python, and all problems", f"  {command}"),
        *(f"  # why a connection to HOST fails{requirement}", f"  {command} check HOST"),
    ]
