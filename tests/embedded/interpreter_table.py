"""A table of the interpreters in which certhook works, printed from the results of a test run.

The mark ``row(interpreter, enabled_by)`` adds a test to the table; tests with equal marks
share a row. A test for a combination that does *not* work passes the reason to the mark
as a third argument. Results are stored in the user properties of the test reports, which
xdist transfers to the controller.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

#: The columns between the two arguments of the mark and the last column.
COLUMNS = ("with a store", "with none", "without certhook")
#: The trusted CAs, sorted -> the text of a cell.
DESCRIPTIONS = {
    (): "nothing",
    ("both", "system"): "the store",
    ("both", "bundled"): "the bundle",
    ("both", "bundled", "system"): "store and bundle",
}


def configure(config: pytest.Config) -> None:
    """Register the mark ``row``."""
    config.addinivalue_line(
        "markers", "row(interpreter, enabled_by, [reason]): add the test to the table of interpreters"
    )


def has_row(item: pytest.Item) -> bool:
    """Return whether the test has a row in the table."""
    return item.get_closest_marker("row") is not None


def begin(item: pytest.Item) -> None:
    """Add the row of a test to its reports, even if a fixture skips the test."""
    mark = item.get_closest_marker("row")
    if mark is not None:
        interpreter, enabled_by, *reason = mark.args
        item.user_properties += [("row", [interpreter, enabled_by]), ("reason", reason)]


def record(item: pytest.Item, has_store: bool, hooked: set[str], stock: set[str]) -> None:
    """Record the trusted CAs, with certhook and without, on a machine with or without a system store."""
    column = COLUMNS[0 if has_store else 1]
    item.user_properties += [(column, _describe(hooked)), (f"{column}, without certhook", _describe(stock))]


def _describe(names: set[str]) -> str:
    return DESCRIPTIONS.get(tuple(sorted(names)), ", ".join(sorted(names)))


class _Row(NamedTuple):
    results: dict[str, str]
    seconds: list[float]
    reasons: list[str]

    def cells(self) -> tuple[str, ...]:
        if self.reasons:
            return "", "", "", self.reasons[0]
        hooked = [self.results.get(column, "not tested") for column in COLUMNS[:2]]
        stock = [self.results.get(f"{column}, without certhook", "not tested") for column in COLUMNS[:2]]
        return *hooked, "; ".join(stock), f"{sum(self.seconds):.0f}"


def write(reporter: pytest.TerminalReporter) -> None:
    """Print the table in reStructuredText."""
    rows: dict[tuple[str, ...], _Row] = {}
    for outcome, reports in reporter.stats.items():
        for report in reports:
            properties = dict(getattr(report, "user_properties", ()))
            if "row" in properties:
                row = rows.setdefault(tuple(properties["row"]), _Row({}, [], []))
                row.results.update(properties)
                row.seconds.append(report.duration)
                if not report.passed:
                    row.reasons.insert(0, f"{outcome}: {_reason(report)}")
                row.reasons.extend(f"does not work: {reason}" for reason in properties["reason"])
    if rows:
        reporter.section("interpreters in which certhook works")
        head = ("interpreter", "enabled by", *COLUMNS, "seconds, or reason")
        lines = [head, *sorted((*names, *row.cells()) for names, row in rows.items())]
        widths = [max(map(len, column)) for column in zip(*lines)]
        rule = ["=" * width for width in widths]
        for line in (rule, head, rule, *lines[1:], rule):
            reporter.line("  ".join(map(str.ljust, line, widths)).rstrip())


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].replace("Skipped: ", "", 1)
    crash = getattr(report.longrepr, "reprcrash", None)
    return (crash.message if crash else report.longreprtext).strip().partition("\n")[0]
