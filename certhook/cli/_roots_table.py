"""Root certificates in the output of verbs: as JSON, as a row of a table, and in full."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timezone

from certhook._certificates import openssl
from certhook._sources import removed
from certhook._text import printable
from certhook.cli import _mozilla
from certhook.cli._terminal import columns, cut, fits_terminal, padded, width, wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Mapping, Sequence

    from certhook._certificates.anchor import Anchor
    from certhook._sources.trust_set import TrustSet
    from certhook.exceptions import CerthookError

# The attributes that identify a CA, in order of preference.
_NAMES = ("CN=", "OU=", "O=")
# The attributes of an RFC 4514 name, and the characters that it escapes with a backslash only.
_ATTRIBUTE = re.compile(r"(?:\\.|[^\\,+])+")
_ESCAPED = re.compile(r'\\([ #,+"\\<>;])')

_INDENTATION = " " * 7
# Between the columns of a table.
_GAP = "  "
# The narrowest column of names, and the number of digits of a fingerprint that identify a root in a table.
_MIN_NAME, _PREFIX = 20, 16

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


def count_by_source(anchors: Iterable[Anchor]) -> dict[str, int]:
    """Return the number of *anchors* that each source lists."""
    counts: dict[str, int] = {}
    for anchor in anchors:
        for source in anchor.sources:
            counts[source] = counts.get(source, 0) + 1
    return dict(sorted(counts.items()))


def counted(count: int) -> str:
    """Return *count* followed by "root certificates"."""
    return f"{count} root certificate{'' if count == 1 else 's'}"


def as_json(anchor: Anchor) -> dict[str, Any]:
    """Return the name, fingerprint, validity and locations of *anchor* as a JSON object.

    ``removed_in`` is the release of certifi that removed it, None if no release did. ``private`` is None if Mozilla's
    list is not available.
    """
    first, last = anchor.validity or (None, None)
    return {
        "subject": anchor.subject,
        "sha256": anchor.sha256,
        "not_before": first and first.isoformat(),
        "not_after": last and last.isoformat(),
        "listed_by": [{"source": source, "path": path} for source, path in anchor.listed_by],
        "removed_in": removed.release(anchor),
        "private": _mozilla.is_private(anchor),
        "distrusted_by": list(anchor.distrusted_by),
        "expired": last is not None and last < datetime.now(timezone.utc),
    }


def detail_lines(root: dict[str, Any]) -> list[str]:
    """Return all facts in *root*, a result of :func:`as_json`, as lines."""
    expired = " (expired)" if root["expired"] else ""
    texts = [
        f"SHA-256 {root['sha256']}",
        f"valid from {root['not_before'] or '(unreadable)'} to {root['not_after'] or '(unreadable)'}{expired}",
        *(f"listed by {listing['source']}: {listing['path']}" for listing in root["listed_by"]),
    ]
    if root["removed_in"]:
        texts.append(f"removed from certifi's bundle in release {root['removed_in']}")
    if root["private"]:
        texts.append("not part of Mozilla's list")
    paths = [listing["path"] for listing in root["listed_by"]]
    return [*wrapped(root["subject"], "  ", "    "), *(line for text in texts for line in indented(text, paths))]


def indented(text: str, whole: Iterable[str] = ()) -> list[str]:
    """Return *text*, such as a path, as lines below the item that it describes.

    :param whole: parts of *text* that must not be split, as in :func:`certhook.cli._terminal.wrapped`
    """
    return wrapped(printable(text), _INDENTATION, _INDENTATION, map(printable, whole)) if text else []


def table_lines(rows: Sequence[Sequence[str]], margin: int = 0) -> list[list[str]]:
    """Return the lines of each of *rows*, whose first column is a name.

    On a terminal, a name that does not fit is continued on the next line. In a file or pipe, every row is one line.

    :param margin: the number of columns that the caller adds at the left
    """
    widths = [max(map(columns, column)) for column in zip(*rows)]
    if fits_terminal():
        fixed = sum(widths[1:]) + len(_GAP) * (len(widths) - 1)
        widths[0] = min(widths[0], max(width() - 1 - margin - fixed, _MIN_NAME))
    lines = []
    for name, *others in rows:
        first, *rest = wrapped(name, then="  ", limit=widths[0] + 1)
        cells = [padded(cell, size) for cell, size in zip((first, *others), widths)]
        lines.append([_GAP.join(cells).rstrip(), *rest])
    return lines


def last_day(root: dict[str, Any]) -> str:
    """Return the last day of the validity of *root* in UTC, with a mark if it is expired."""
    mark = " expired" if root["expired"] else ""
    return f"{(root['not_after'] or '(unknown)')[:10]}{mark}"


def distinct_names(roots: Sequence[dict[str, Any]]) -> list[str]:
    """Return the name of each of *roots*, with further attributes if several have the same name."""
    groups: dict[str, list[str]] = {}
    names = [short_name(root["subject"], None) for root in roots]
    for name, root in zip(names, roots):
        groups.setdefault(name, []).append(root["subject"])
    # For each name, the number of roots with each subject, and with each attribute.
    subjects = {name: Counter(group) for name, group in groups.items()}
    attributes = {
        name: Counter(attribute for subject in group for attribute in set(_ATTRIBUTE.findall(subject)))
        for name, group in groups.items()
    }
    return [
        name
        if len(groups[name]) == 1
        else _distinct_name(name, root, subjects[name][root["subject"]] > 1, attributes[name], len(groups[name]))
        for name, root in zip(names, roots)
    ]


def _distinct_name(
    name: str, root: dict[str, Any], is_same_subject: bool, attributes: Mapping[str, int], count: int
) -> str:
    """Return *name* with the attributes of *root* that not all of the *count* roots with this name have."""
    if is_same_subject:
        return f"{name} (SHA-256 {root['sha256'][:_PREFIX]}...)"
    own = [attribute for attribute in _ATTRIBUTE.findall(root["subject"]) if attributes[attribute] != count]
    return f"{name} ({unescaped(', '.join(own)) or 'no other attribute'})"


def short_name(subject: str, limit: int | None = 80) -> str:
    """Return the attribute of *subject* that identifies the CA, shortened to *limit* columns."""
    attributes = _ATTRIBUTE.findall(subject)
    values = [one[len(start) :] for start in _NAMES for one in attributes if one.startswith(start)]
    name = unescaped(values[0]) if values else subject
    return name if limit is None else cut(name, limit)


def display_name(subject: str) -> str:
    """Return the attribute of *subject* that identifies its owner, and the organization if it differs."""
    attributes = [attribute.partition("=") for attribute in _ATTRIBUTE.findall(subject)]
    values = {kind: unescaped(value) for kind, _, value in reversed(attributes)}
    found = [values[kind] for kind in ("CN", "O", "OU") if values.get(kind)]
    if not found:
        return subject or "(no name)"
    return found[0] if len(found) == 1 or found[1] in found[0] else f"{found[0]} ({found[1]})"


def sort_key(subject: str) -> str:
    """Return a key that sorts subjects by the name of the CA."""
    return short_name(subject).casefold()


def unescaped(subject: str) -> str:
    """Return *subject* without the backslashes before punctuation, as a user types it."""
    return _ESCAPED.sub(r"\1", subject)
