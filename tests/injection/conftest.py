"""Prints a table of the injected faults."""

from __future__ import annotations

from injection.injecting import inject, injection_machine, table  # noqa: F401


def pytest_terminal_summary(terminalreporter) -> None:
    reports = [report for name in ("passed", "failed") for report in terminalreporter.stats.get(name, ())]
    lines = table([report for report in reports if getattr(report, "when", "") == "call"])
    if lines:
        terminalreporter.write_sep("=", "injected faults")
        for line in lines:
            terminalreporter.write_line(line)
