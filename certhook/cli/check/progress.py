"""One line on a terminal that shows which servers have not answered yet."""

from __future__ import annotations

import os
import sys
import time
from typing import Sequence

from certhook.cli._terminal import columns, cut, width

# A result within this time needs no progress. In seconds.
_DELAY = 0.5


class Progress:
    """The line, on standard error. It is erased before other output, and never written to a file or a pipe.

    :param total: the number of servers
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._start = time.monotonic()
        self._shown = ""
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._is_enabled = is_terminal and os.environ.get("TERM") != "dumb"

    def show(self, done: int, names: Sequence[str]) -> None:
        """Show the number of checked servers and the *names* of those in progress."""
        if not self._is_enabled or not names or time.monotonic() - self._start < _DELAY:
            return
        text = f"Waiting for {', '.join(names)}"
        if self._total > 1:
            text = f"{done} of {self._total} servers checked. {text}"
        text = cut(text, width(sys.stderr) - 1)
        if text != self._shown:
            self.clear()
            self._write(text)
            self._shown = text

    def clear(self) -> None:
        """Erase the line."""
        if self._shown:
            # Spaces: a Windows console may not support the escape sequence that erases a line.
            self._write(f"\r{' ' * columns(self._shown)}\r")
            self._shown = ""

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):
            self._is_enabled = False  # The terminal was closed.
