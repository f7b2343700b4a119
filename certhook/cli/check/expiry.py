"""Certificates that expire soon."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def days_left(check: dict[str, Any], now: datetime) -> int | None:
    """Return the number of whole days until the first certificate of the chain expires, None if no date is known.

    It is negative if a certificate has expired.
    """
    ends = [_end(link) for link in check["chain"] if link["not_after"]]
    return (min(ends) - now).days if ends else None


def expiring(check: dict[str, Any], days: int, now: datetime) -> list[dict[str, Any]]:
    """Return the certificates of the chain that expire within *days* days, also the root, as JSON objects."""
    found = []
    for depth, link in enumerate(check["chain"]):
        if link["not_after"] and _end(link) - now <= timedelta(days):
            role = "root" if link["trust_status"] else "intermediate" if depth else "server"
            left = (_end(link) - now).days
            end = {key: link[key] for key in ("name", "sha256", "not_after")}
            found.append({"role": role, **end, "days_left": left, "message": _sentence(role, end, left)})
    return found


def _sentence(role: str, link: dict[str, Any], left: int) -> str:
    owner = "The server's certificate" if role == "server" else f'The {role} certificate "{link["name"]}"'
    date = link["not_after"][:10]
    if left < 0:
        return f"{owner} expired on {date}."
    amount = "less than a day" if left == 0 else "1 day" if left == 1 else f"{left} days"
    return f"{owner} expires in {amount}, on {date}."


def _end(link: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(link["not_after"])


def current_time() -> datetime:
    """Return the current time."""
    return datetime.now(timezone.utc)
