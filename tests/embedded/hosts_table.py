"""The table of the interpreters that certhook works in, as the tests of one run saw them.

A test with the mark ``row(interpreter, enabled_by)`` is in it; tests with the same mark share
a line. A test that shows what does *not* work gives the mark the reason as well. What was
seen travels in the properties of a test's report, which xdist hands on.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

#: The columns after the two of the mark, but for the last.
SEEN = ("with a store", "with none", "without certhook")
#: What each set of authorities is called.
WORDS = {
    (): "nothing",
    ("both", "system"): "the store",
    ("both", "bundled"): "the bundle",
    ("both", "bundled", "system"): "store and bundle",
}


def configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", "row(interpreter, enabled_by, [why_not]): a line of the table of interpreters")


def has_row(item: pytest.Item) -> bool:
    """Whether the test is in the table."""
    return item.get_closest_marker("row") is not None


def begin(item: pytest.Item) -> None:
    """Have the reports of a test name its row, also where it is skipped before it begins."""
    mark = item.get_closest_marker("row")
    if mark is not None:
        interpreter, enabled_by, *why_not = mark.args
        item.user_properties += [("row", [interpreter, enabled_by]), ("why not", why_not)]


def record(item: pytest.Item, has_store: bool, chained: set[str], stock: set[str]) -> None:
    """Enter whom the program of a row trusted with certhook and without, where there is a store or none."""
    column = SEEN[0 if has_store else 1]
    item.user_properties += [(column, _word(chained)), (f"{column}, without certhook", _word(stock))]


def _word(names: set[str]) -> str:
    return WORDS.get(tuple(sorted(names)), ", ".join(sorted(names)))


class _Row(NamedTuple):
    seen: dict[str, str]
    seconds: list[float]
    reasons: list[str]

    def cells(self) -> tuple[str, ...]:
        if self.reasons:
            return "", "", "", self.reasons[0]
        chained = [self.seen.get(column, "not seen") for column in SEEN[:2]]
        stock = [self.seen.get(f"{column}, without certhook", "not seen") for column in SEEN[:2]]
        return *chained, "; ".join(stock), f"{sum(self.seconds):.0f}"


def write(reporter: pytest.TerminalReporter) -> None:
    """Print the table, in reStructuredText."""
    rows: dict[tuple[str, ...], _Row] = {}
    for outcome, reports in reporter.stats.items():
        for report in reports:
            properties = dict(getattr(report, "user_properties", ()))
            if "row" in properties:
                row = rows.setdefault(tuple(properties["row"]), _Row({}, [], []))
                row.seen.update(properties)
                row.seconds.append(report.duration)
                if not report.passed:
                    row.reasons.insert(0, f"{outcome}: {_reason(report)}")
                row.reasons.extend(f"does not work: {reason}" for reason in properties["why not"])
    if rows:
        reporter.section("the interpreters that certhook works in")
        head = ("interpreter", "enabled by", *SEEN, "seconds, or why not")
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
