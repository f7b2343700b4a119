"""Measure certhook against stock Python, side by side in one run: ``python benchmarks/run.py``.

The script creates two environments, measures in both alternately, and writes a table, JSON and a
plot. The figures are not tests: the table also shows figures that exceed their target.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable

import clients
import contexts
import environments
import named
import plot
import report
import starting
from figures import Figure
from server import Server


def main() -> None:
    """Run the command line."""
    options = _options()
    started = time.monotonic()
    # certhook uses no compiled store in /tmp, which all users can write to, or below a symbolic link.
    cache = Path.home() / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="certhook-benchmarks-", dir=cache) as directory:
        work = Path(directory).resolve()
        server = Server(work)
        _print("Creating the environments")
        stock, certhook = environments.make(options.python, work, server.authority)
        facts = report.system_facts(stock, certhook)
        few, some, many = (2, 3, 20) if options.fast else (5, 10, 100)
        steps: list[tuple[str, Callable[[], list[Figure]]]] = [
            ("starting processes", lambda: starting.measure(stock, certhook, many)),
            ("creating contexts", lambda: contexts.measure(stock, certhook, few, work)),
            ("naming a file", lambda: named.measure(stock, certhook, 3 * few, work)),
            ("connecting", lambda: clients.measure(stock, certhook, some, server.port, work)),
        ]
        figures: list[Figure] = []
        with server:
            for name, measure in steps:
                _print(f"Measuring: {name}")
                figures += measure()
    print(f"\n{report.heading(facts)}\n\n{report.table(figures)}\n")
    if options.json is not None:
        options.json.write_text(report.to_json(facts, figures), encoding="utf-8")
    plot.write(options.plot, facts, figures)
    _print(f"{time.monotonic() - started:.0f} s; the plot is in {options.plot}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure certhook against stock Python, side by side in one run.")
    parser.add_argument("--python", default=sys.executable, help="the interpreter to measure; default: this one")
    parser.add_argument("--fast", action="store_true", help="fewer rounds: at most three minutes, with more noise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE as JSON")
    default = environments.HERE / "figures.svg"
    parser.add_argument("--plot", type=Path, metavar="FILE", default=default, help="the SVG or PNG file for the plot")
    return parser.parse_args()


def _print(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
