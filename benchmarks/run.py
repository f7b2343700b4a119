"""Measure certhook against stock Python, side by side in one run: ``python benchmarks/run.py``.

Makes two fresh environments, measures in turns, and writes a table, JSON and a
plot. Figures are no tests: what misses its mark stands in the table like the rest.
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
import plot
import report
import starting
from figures import Figure
from server import Server


def main() -> None:
    """Run the command line."""
    options = _options()
    started = time.monotonic()
    # In the user's own cache folder: no compiled store is used in /tmp, where everybody can write. Resolved,
    # since one refuses a link as well.
    cache = Path.home() / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="certhook-benchmarks-", dir=cache) as folder:
        work = Path(folder).resolve()
        server = Server(work)
        _say("Making the environments")
        stock, certhook = environments.make(options.python, work, server.authority)
        facts = report.surroundings(stock, certhook)
        few, some, many = (2, 3, 20) if options.fast else (5, 10, 100)
        steps: list[tuple[str, Callable[[], list[Figure]]]] = [
            ("starting processes", lambda: starting.measure(stock, certhook, many)),
            ("making contexts", lambda: contexts.measure(stock, certhook, few, work)),
            ("connecting", lambda: clients.measure(stock, certhook, some, server.port, work)),
        ]
        figures: list[Figure] = []
        with server:
            for name, measure in steps:
                _say(f"Measuring: {name}")
                figures += measure()
    print(f"\n{report.heading(facts)}\n\n{report.table(figures)}\n")
    if options.json is not None:
        options.json.write_text(report.to_json(facts, figures), encoding="utf-8")
    plot.write(options.plot, facts, figures)
    _say(f"{time.monotonic() - started:.0f} s; the plot is in {options.plot}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure certhook against stock Python, side by side in one run.")
    parser.add_argument("--python", default=sys.executable, help="the interpreter to measure; this one unless given")
    parser.add_argument("--fast", action="store_true", help="fewer rounds: three minutes at most, and more noise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    default = environments.HERE / "figures.svg"
    parser.add_argument("--plot", type=Path, metavar="FILE", default=default, help="the plot, an SVG or PNG file")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
