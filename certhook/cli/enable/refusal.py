"""The exception of ``enable`` and ``disable``."""

from __future__ import annotations

from certhook.cli._terminal import CommandError


class Refused(CommandError):
    """The verb cannot be completed; the message gives the reason and the remedy."""
