"""Phrases in messages: lists, dates, durations and commands."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from typing import Sequence

#: The number of characters of a server's text that a message contains.
MAX_LENGTH = 120

#: The name of a file in commands that the user has to replace.
EXAMPLE_FILE = "/path/to/root.pem"


def join_first(items: Sequence[str], count: int = 4) -> str:
    """Return the first *count* of *items* and the number of the others."""
    others = len(items) - count
    return ", ".join(items[:count]) + (f" and {others} more" if others > 0 else "")


def date(moment: datetime) -> str:
    """Return the date of *moment* in ISO format."""
    return moment.strftime("%Y-%m-%d")


def duration(time: timedelta) -> str:
    """Return *time* in days."""
    days = max(time.days, 0)
    return "less than a day" if not days else "1 day" if days == 1 else f"{days} days"


def set_command(assignment: str) -> str:
    """Return the shell command that sets an environment variable."""
    return f"set {assignment}" if os.name == "nt" else f"export {assignment}"


def trust_remedies(start: str, file: str = "this file, from the administrator of that CA") -> tuple[str, str]:
    """Return the two remedies for a root that is not trusted: install it, or trust it only in Python programs.

    :param start: the beginning of the first one, which describes where to get the certificate
    :param file: a phrase for the file and its origin
    """
    return (
        f"{start} as a file, and {{add}}",
        f"Or trust {file} (not from this connection), only in Python programs:\n"
        + set_command("CERTHOOK_EXTRA_CA_CERTS={extra_instead}"),
    )
