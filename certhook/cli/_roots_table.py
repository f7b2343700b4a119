"""What the verbs say of roots: to a program, in a line of a table, and in full."""

from __future__ import annotations

import re

from certhook import _loading
from certhook._sources import blocklist
from certhook.cli._terminal import cut, wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook._certificates.anchor import Anchor
    from certhook._sources.collector import TrustSet
    from certhook.exceptions import CerthookError

# What a person calls a CA, the most telling first.
_NAMES = ("CN=", "OU=", "O=")
# The attributes of a name as RFC 4514 writes it, and the characters that it escapes by a backslash alone.
_ATTRIBUTE = re.compile(r"(?:\\.|[^\\,+])+")
_ESCAPED = re.compile(r'\\([ #,+"\\<>;])')

_DEEPER = " " * 7


def accepted(trust: TrustSet) -> tuple[list[Anchor], list[CerthookError]]:
    """Return the anchors of *trust* that OpenSSL accepts, and all problems including those of the others."""
    problems = list(trust.problems)
    ders = [anchor.der for anchor in trust.anchors]
    loaded = {*_loading.load_one_by_one(_loading.new_context(), ders, problems)}
    return [anchor for anchor in trust.anchors if anchor.der in loaded], problems


def described(anchor: Anchor) -> dict[str, Any]:
    """Whose *anchor* is, how long it is valid, and who listed it, ready for JSON."""
    first, last = anchor.validity or (None, None)
    return {
        "subject": anchor.subject,
        "sha256": anchor.sha256,
        "not_before": first and first.isoformat(),
        "not_after": last and last.isoformat(),
        "listed_by": [{"source": source, "path": path} for source, path in anchor.listed],
    }


def details(root: dict[str, Any]) -> list[str]:
    """The same for a person, in lines."""
    texts = [
        f"SHA-256 {root['sha256']}",
        f"valid from {root['not_before'] or 'no date'} to {root['not_after'] or 'no date'}",
        *(f"listed by {listing['source']}: {listing['path']}" for listing in root["listed_by"]),
    ]
    return [*wrapped(root["subject"], "  ", "    "), *(line for text in texts for line in detail(text))]


def detail(text: str) -> list[str]:
    """*text* in lines below what it belongs to."""
    return wrapped(text, _DEEPER, _DEEPER) if text else []


def plain(subject: str) -> str:
    """*subject* without the backslashes before punctuation, as a person would type it."""
    return _ESCAPED.sub(r"\1", subject)


def short(subject: str, width: int) -> str:
    """The most telling part of *subject*, cut to *width* columns."""
    parts = _ATTRIBUTE.findall(subject)
    telling = [part[len(start) :] for start in _NAMES for part in parts if part.startswith(start)]
    name = plain(telling[0]) if telling else subject
    return cut(name, width)


def last_day(root: dict[str, Any]) -> str:
    """The last day on which *root* is valid, in UTC."""
    return (root["not_after"] or "no date")[:10]


def identity(anchor: Anchor) -> tuple[bytes, bytes]:
    """Whose key *anchor* is: its subject as OpenSSL compares it, and the key. A renewed copy has the same."""
    return blocklist.identity(anchor.certificate)
