"""The figures as a text table and as JSON."""

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


def system_facts(stock: Environment, certhook: Environment) -> dict[str, Any]:
    """Return versions, platform and load, and the number of trusted roots in each environment."""
    root_counts = {}
    for environment in (stock, certhook):
        roots, openssl, python = environment.inside("roots.py")
        root_counts[environment.name] = roots
    return {
        "certhook": _revision(),
        "python": python,
        "openssl": openssl,
        "roots": root_counts,
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        # If the load exceeds the number of processors, other processes distort the times.
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def _revision() -> str:
    """Return the revision of certhook; the suffix "-dirty" marks uncommitted changes."""
    try:
        return run(["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--tags"]).strip()
    except (OSError, RuntimeError):
        return "unknown"


def heading(facts: dict[str, Any]) -> str:
    """Return the two lines above the table."""
    roots = facts["roots"]
    versions = f"certhook {facts['certhook']}, Python {facts['python']}, {facts['openssl']}"
    return (
        f"{versions}, {facts['platform']}, {facts['processors']} processors, load {facts['load']}\n"
        f"Roots of a default context: {roots['stock']} for stock, {roots['certhook']} with certhook"
    )


def table(figures: list[Figure]) -> str:
    """Return the table: medians, the median and the quartiles of the ratios, and the target."""
    rows = [("", "stock", "certhook", "ratio", "quartiles", "target")]
    for figure in figures:
        ratio = _ratio(figure.ratio)
        quartiles = "–".join(map(_ratio, figure.spread)) if figure.rounds > 1 else ""
        target = "" if figure.target is None else f"≤ {figure.target:g}"
        stock, certhook = (amount(value, figure.unit) for value in (figure.stock, figure.certhook))
        rows.append((f"  {figure.name}", stock, certhook, ratio, quartiles, target))
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
    """Return *value* with three digits, in a suitable multiple of *unit*."""
    scale, name = next((pair for pair in _SCALES[unit] if value >= pair[0]), _SCALES[unit][-1])
    value /= scale
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {name}"


def to_json(facts: dict[str, Any], figures: list[Figure]) -> str:
    """Return all facts and figures as JSON."""
    return json.dumps({**facts, "figures": [dataclasses.asdict(figure) for figure in figures]}, indent=2) + "\n"
