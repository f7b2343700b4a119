"""Root certificates in the output of verbs: as JSON, as a row of a table, and in full."""

from __future__ import annotations

import re

from certhook._certificates import openssl
from certhook._sources import removed
from certhook._text import printable
from certhook.cli._terminal import cut, padded, wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook._certificates.anchor import Anchor
    from certhook._sources.trust_set import TrustSet
    from certhook.exceptions import CerthookError

# The attributes that identify a CA, in order of preference.
_NAMES = ("CN=", "OU=", "O=")
# The attributes of an RFC 4514 name, and the characters that it escapes with a backslash only.
_ATTRIBUTE = re.compile(r"(?:\\.|[^\\,+])+")
_ESCAPED = re.compile(r'\\([ #,+"\\<>;])')

_INDENTATION = " " * 7

#: The meanings of the sources, for the help of verbs.
SOURCES = (
    "Root certificates come from these sources: system is the operating system's trust store, bundled is certifi's "
    "file or the one that CERTHOOK_BUNDLE names, and extra is the files and directories in CERTHOOK_EXTRA_CA_CERTS."
)


def accepted_by_openssl(trust_set: TrustSet) -> tuple[list[Anchor], list[CerthookError]]:
    """Return the anchors that OpenSSL accepts, and all problems, including the rejected anchors."""
    problems = list(trust_set.problems)
    ders = [anchor.der for anchor in trust_set.anchors]
    loaded = {*openssl.load_one_by_one(openssl.new_context(), ders, problems)}
    return [anchor for anchor in trust_set.anchors if anchor.der in loaded], problems


def counted(count: int) -> str:
    """Return *count* followed by "root certificates"."""
    return f"{count} root certificate{'' if count == 1 else 's'}"


def as_json(anchor: Anchor) -> dict[str, Any]:
    """Return the name, fingerprint, validity and locations of *anchor* as a JSON object.

    ``removed_in`` is the release of certifi that removed it, None if no release did.
    """
    first, last = anchor.validity or (None, None)
    return {
        "subject": anchor.subject,
        "sha256": anchor.sha256,
        "not_before": first and first.isoformat(),
        "not_after": last and last.isoformat(),
        "listed_by": [{"source": source, "path": path} for source, path in anchor.listed],
        "removed_in": removed.release(anchor),
    }


def detail_lines(root: dict[str, Any]) -> list[str]:
    """Return all facts in *root*, a result of :func:`as_json`, as lines."""
    texts = [
        f"SHA-256 {root['sha256']}",
        f"valid from {root['not_before'] or '(unreadable)'} to {root['not_after'] or '(unreadable)'}",
        *(f"listed by {listing['source']}: {listing['path']}" for listing in root["listed_by"]),
    ]
    if root["removed_in"]:
        texts.append(f"removed from certifi's bundle in release {root['removed_in']}")
    return [*wrapped(root["subject"], "  ", "    "), *(line for text in texts for line in indented(text))]


def indented(text: str) -> list[str]:
    """Return *text*, such as a path, as lines below the item that it describes."""
    return wrapped(printable(text), _INDENTATION, _INDENTATION) if text else []


def row(root: dict[str, Any], width: int) -> str:
    """Return the name of *root* in *width* columns, and the last day of its validity."""
    return f"{padded(short_name(root['subject'], width), width)}  {last_day(root):10}"


def last_day(root: dict[str, Any]) -> str:
    """Return the last day of the validity of *root* in UTC."""
    return (root["not_after"] or "(unknown)")[:10]


def short_name(subject: str, limit: int = 80) -> str:
    """Return the attribute of *subject* that identifies the CA, shortened to *limit* columns."""
    attributes = _ATTRIBUTE.findall(subject)
    values = [one[len(start) :] for start in _NAMES for one in attributes if one.startswith(start)]
    return cut(unescaped(values[0]) if values else subject, limit)


def sort_key(subject: str) -> str:
    """Return a key that sorts subjects by the name of the CA."""
    return short_name(subject).casefold()


def unescaped(subject: str) -> str:
    """Return *subject* without the backslashes before punctuation, as a user types it."""
    return _ESCAPED.sub(r"\1", subject)
