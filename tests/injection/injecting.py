"""Fixtures and helpers of the tests that inject faults."""

from __future__ import annotations

import collections
import os
import shutil
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from injection import machine

#: The number of faults of each operation in the default tests, 200 in all.
FEW = {
    "cold build": 30,
    "warm lookup": 20,
    "update": 20,
    "named file": 18,
    "export": 16,
    "export, existing file": 12,
    "export --directory": 10,
    "export --directory, existing": 12,
    "compile": 8,
    "env": 12,
    "run --env": 6,
    "enable": 10,
    "disable": 10,
    "enable, ._pth": 8,
    "disable, ._pth": 8,
}

#: Injects faults into an operation and returns the results; see :meth:`machine.Machine.inject`.
Inject = Callable[..., "dict[str, Any]"]


@pytest.fixture(scope="session")
def injection_machine(root: None, once, installed: Path, plain: Path) -> machine.Machine:
    """The machine on which faults are injected; without strace, the test is skipped, and fails in CI."""
    reason = machine.unavailable()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with once("injection") as (directory, is_first):
        made = machine.Machine(directory, plain)
        if is_first:
            made.create(installed)
        return made


@pytest.fixture
def inject(injection_machine: machine.Machine, tmp_path: Path, record_property) -> Iterator[Inject]:
    """Inject faults into an operation, and record the number of each kind."""

    def run(operation: str, **options: Any) -> dict[str, Any]:
        done = injection_machine.inject(tmp_path, operation, **options)
        kinds = collections.Counter(
            (operation, each["kind"], each["occurrence"]) for each in done["results"] if each["injected"]
        )
        record_property("injections", [[*key, count] for key, count in kinds.items()])
        return done

    yield run
    shutil.rmtree(tmp_path, ignore_errors=True)


def broken_promises(done: dict[str, Any]) -> str:
    """Return the faults after which a promise was broken, as text; empty if there are none."""
    lines = []
    for each in done["results"]:
        if each["problems"]:
            lines += ["", each["fault"], *(f"  {problem}" for problem in each["problems"])]
            lines += [f"  {key}: {each[key]}" for key in ("result", "errors", "trace")]
    return "\n".join(lines)


def table(reports: list[Any]) -> list[str]:
    """Return a table of the injections that tests recorded: the operations, and the kinds of faults."""
    counts: collections.Counter[tuple[str, str, str]] = collections.Counter()
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == "injections":
                for operation, kind, occurrence, count in value:
                    counts[operation, kind, occurrence] += count
    if not counts:
        return []
    kinds = sorted({(kind, occurrence) for _, kind, occurrence in counts})
    operations = list(dict.fromkeys(operation for operation, _, _ in sorted(counts)))
    names = [f"{kind}{'+' if occurrence == 'persistent' else ''}".replace(" ", "\u00a0") for kind, occurrence in kinds]
    lines = [" ".join([f"{'(+: persistent)':28}", *names, "all"])]
    for operation in operations:
        row = [counts[operation, kind, occurrence] for kind, occurrence in kinds]
        lines.append(_row(operation, names, [*row, sum(row)]))
    totals = [sum(counts[(operation, *kind)] for operation in operations) for kind in kinds]
    return [*lines, _row("all", names, [*totals, sum(totals)])]


def _row(title: str, names: list[str], numbers: list[int]) -> str:
    widths = [*map(len, names), 4]
    return " ".join([f"{title:28}", *(f"{number:{width}}" for number, width in zip(numbers, widths))])
