"""The figures as a table for a person, and as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from typing import Any

from environments import CHECKOUT, Environment, run
from figures import BYTES, INSTRUCTIONS, SECONDS, Figure

_SCALES = {
    SECONDS: ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    BYTES: ((2.0**20, "MiB"), (2.0**10, "KiB")),
    INSTRUCTIONS: ((1e9, "G"), (1e6, "M"), (1e3, "k")),
}


def surroundings(stock: Environment, certhook: Environment) -> dict[str, Any]:
    """What the figures depend on, and how many roots are trusted in each environment."""
    found = {}
    for environment in (stock, certhook):
        roots, openssl, python = environment.inside("roots.py")
        found[environment.name] = roots
    return {
        "certhook": _revision(),
        "python": python,
        "openssl": openssl,
        "roots": found,
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        # Above the number of processors: others are at work here, and times are not worth much.
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def _revision() -> str:
    """Which certhook this is; "-dirty" where the checkout has changes of its own."""
    try:
        return run(["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--tags"]).strip()
    except (OSError, RuntimeError):
        return "unknown"


def heading(facts: dict[str, Any]) -> str:
    """Two lines that stand over the table."""
    roots = facts["roots"]
    what = f"certhook {facts['certhook']}, Python {facts['python']}, {facts['openssl']}"
    return (
        f"{what}, {facts['platform']}, {facts['processors']} processors, load {facts['load']}\n"
        f"Roots of a default context: {roots['stock']} for stock, {roots['certhook']} with certhook"
    )


def table(figures: list[Figure]) -> str:
    """The table: medians, the median of the ratios with its quartiles, and what is wanted of it."""
    rows = [("", "stock", "certhook", "ratio", "quartiles", "wanted")]
    for figure in figures:
        ratio = _ratio(figure.ratio)
        quartiles = "–".join(map(_ratio, figure.spread)) if figure.rounds > 1 else ""
        wanted = "" if figure.wanted is None else f"≤ {figure.wanted:g}"
        stock, certhook = (amount(value, figure.unit) for value in (figure.stock, figure.certhook))
        rows.append((f"  {figure.name}", stock, certhook, ratio, quartiles, wanted))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [_line(rows[0], widths)]
    group = ""
    for figure, row in zip(figures, rows[1:]):
        if figure.group != group:
            group = figure.group
            lines.append(group)
        lines.append(_line(row, widths))
    return "\n".join(lines)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
    return "  ".join(cells).rstrip()


def _ratio(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def amount(value: float, unit: str) -> str:
    """*value* with three digits, in a multiple of *unit* that suits it."""
    scale, name = next((pair for pair in _SCALES[unit] if value >= pair[0]), _SCALES[unit][-1])
    value /= scale
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {name}"


def to_json(facts: dict[str, Any], figures: list[Figure]) -> str:
    """Everything, for programs."""
    return json.dumps({**facts, "figures": [dataclasses.asdict(figure) for figure in figures]}, indent=2) + "\n"
