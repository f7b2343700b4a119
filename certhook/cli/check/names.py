"""Host names: whether a name in a certificate matches, which one is closest, and why a similar one does not match."""

from __future__ import annotations

import difflib
import ipaddress
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

_PRIVATE_SUFFIXES = ("local", "localhost", "localdomain", "internal", "intranet", "lan", "corp", "home", "private",
                     "test", "example", "invalid", "arpa", "box", "onion", "alt")  # fmt: skip


def is_address(host: str) -> bool:
    """Return whether *host* is an IP address."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_public(host: str) -> bool:
    """Return whether *host* is a name in the public DNS, for which a public CA may issue a certificate."""
    return not is_address(host) and "." in host and host.lower().rpartition(".")[2] not in _PRIVATE_SUFFIXES


def is_host_name(name: str) -> bool:
    """Return whether *name* can be the name of a server. Common names and wildcards often cannot."""
    return re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?", name) is not None


def to_ascii(name: str) -> str:
    """Return *name* in lower case, as certificates contain it: with international characters as "xn--"."""
    try:
        return name.encode("idna").decode().lower()
    except (UnicodeError, ValueError):
        return name.lower()


def matches(host: str, name: str) -> bool:
    """Return whether *name* in a certificate is valid for *host*, as OpenSSL decides."""
    host, name = to_ascii(host), name.lower()
    if host == name:
        return True
    first, _, parent = host.partition(".")
    return name == f"*.{parent}" and "." in parent and "_" not in first and not is_address(host)


def closest(host: str, names: Sequence[str]) -> list[str]:
    """Return *names* with the ones that are most similar to *host* first, and otherwise in the same order."""
    wanted = to_ascii(host)

    def rank(name: str) -> tuple[bool, int, float]:
        return not matches(wanted, name), -_common_labels(wanted, name.lower()), -_similarity(wanted, name.lower())

    return sorted(names, key=rank)


def _from_ascii(name: str) -> str:
    """Return *name* with its international characters, by the current rules (IDNA 2008), unlike Python's own ones."""
    try:
        labels = [one[4:].encode().decode("punycode") if one.startswith("xn--") else one for one in name.split(".")]
    except (UnicodeError, ValueError):
        return name
    return ".".join(labels)


def _common_labels(host: str, name: str) -> int:
    """Return the number of equal labels at the end, at least two: equal top-level domains are no similarity."""
    count = 0
    for ours, other in zip(reversed(host.split(".")), reversed(name.split("."))):
        if ours != other:
            break
        count += 1
    return count if count > 1 else 0


def _similarity(host: str, name: str) -> float:
    ratio = difflib.SequenceMatcher(None, host, name).quick_ratio()
    return ratio if ratio > 0.75 else 0.0


def explain_mismatch(host: str, names: Sequence[str]) -> str:
    """Return a sentence that explains why a similar one of *names* is not valid for *host*, "" if none is similar."""
    shown, host = host, to_ascii(host)
    first, _, parent = host.partition(".")
    for name in map(str.lower, names):
        suffix = name[1:]
        if _from_ascii(name) == shown.lower() and name != host:
            return f"Python converts {shown} to {host}, and other programs to {name}: connect to {name}."
        if not name.startswith("*.") or is_address(host):
            is_other_wildcard = "*" in name and _common_labels(host, name) > 1
            if is_other_wildcard:
                return f"Programs do not accept {name}: only the whole first part of a name may be *."
        elif host == suffix[1:]:
            return f"{name} includes names such as www{suffix}, but not {host} itself."
        elif suffix == f".{parent}":
            if "." not in parent:
                return f"Programs do not accept {name}: * must be followed by at least two parts, as in *.example.org."
            if "_" in first:
                return f"{name} does not include names with an underscore (_)."
        elif host.endswith(suffix):
            return f"{name} does not include {host}, because * replaces only one part of a name."
    return ""
