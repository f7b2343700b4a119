"""Words for a person: what others wrote, lists, dates."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from typing import Sequence


def printable(text: str, most: int = 120) -> str:
    """*text* from outside, as it can be shown: nothing in it moves a terminal's cursor, or fills its screen.

    :param most: characters of *text*; the rest is cut off
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])
    return shown + ("..." if len(text) > most else "")


def several(names: Sequence[str], most: int = 4) -> str:
    """The first of *names*, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def day(moment: datetime) -> str:
    """The date of *moment*."""
    return moment.strftime("%Y-%m-%d")


def days(time: timedelta) -> str:
    """How long *time* is."""
    count = max(time.days, 0)
    return "less than a day" if not count else "1 day" if count == 1 else f"{count} days"
