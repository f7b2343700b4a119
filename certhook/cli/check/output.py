"""The output of ``check``: reports, warnings and the summary as text, PEM, or JSON."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Sequence

import certhook
from certhook.cli import _terminal
from certhook.cli._terminal import coloured
from certhook.cli.check.clients import is_failing
from certhook.cli.check.interpreter import State, report_lines
from certhook.cli.check.progress import Progress
from certhook.cli.check.report import render
from certhook.cli.check.summary import fingerprint_lines, summary_lines

_MARKS = {
    "NOT ACTIVE:": _terminal.BAD,
    "Problems:": _terminal.BAD,
    "Fingerprints (SHA-256):": _terminal.BOLD,
    "Summary:": _terminal.BOLD,
}


class Output:
    """Shows results as soon as they are available.

    With ``--pem``, standard output contains only certificates, and standard error the problems.

    :param total: the number of servers
    """

    def __init__(self, options: argparse.Namespace, state: State, total: int) -> None:
        self._options, self._state = options, state
        self._as_json = _terminal.wants_json(options)
        self._is_quiet = options.quiet or options.pem is not None
        self._colours = options.pem is None and _terminal.has_colours()
        self._is_empty = True
        self._has_shown_state = False
        self.progress = Progress(total)

    def start(self) -> None:
        """Show the state of this interpreter, which precedes all results."""
        if not self._is_quiet:
            self._show_state()

    def show(self, check: dict[str, Any]) -> None:
        """Show the result for one server."""
        if self._as_json:
            return
        self.progress.clear()
        if self._options.pem is not None:
            _terminal.show_bytes(check["pem"].encode())
        has_problem = not check["verified"] or check["expiring"] or is_failing(check)
        if has_problem or not self._is_quiet:
            self._show_state()
            lines = render(check, self._colours).split("\n")
            if self._options.fingerprints:
                lines += fingerprint_lines(check)
            self._show(lines)

    def finish(self, checks: Sequence[dict[str, Any]]) -> None:
        """Show the summary, or the JSON object."""
        self.progress.clear()
        if self._as_json:
            _terminal.show_json(self._json(checks))
        elif self._is_quiet:
            if self._state.has_invalid_variable:
                self._show_state()
        elif len(checks) > 1:
            self._show(summary_lines(checks, self._colours))

    def _show_state(self) -> None:
        if not self._has_shown_state and not self._as_json:
            self._has_shown_state = True
            self._show(report_lines(self._state))

    def _show(self, lines: Sequence[str]) -> None:
        """Show *lines* after an empty line, unless they are the first ones."""
        if not lines:
            return
        text = "\n".join(coloured(lines, _MARKS) if self._colours else lines)
        text = text if self._is_empty else f"\n{text}"
        self._is_empty = False
        if self._options.pem is None:
            _terminal.show(text)
        elif sys.stderr is not None:
            text = _terminal.escaped(text).encode("utf-8", "backslashreplace").decode()
            print(text, file=sys.stderr, flush=True)

    def _json(self, checks: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return {
            "certhook": certhook.__version__,
            "active": not self._state.inactive_reason,
            "sources": list(self._state.sources),
            "checks": list(checks),
            "problems": list(self._state.problems),
            "inactive_reason": self._state.inactive_reason or None,
        }
