"""The plot in the README: many contexts, many anchors, and all ratios.

Text is stored as text, in a font that viewers without it replace by a narrower one, so that the file is small
and its changes are readable. The two colours differ in lightness, and every line and bar has a label next to
it, so that the plot is readable without distinguishing colours.
"""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")

from clients import CLIENTS, WITH_VARIABLE
from contexts import ANCHORS, FURTHER, MANY, MEMORY
from figures import Figure
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator
from named import FURTHER_NAMED, NAMED, ROOTS
from starting import FIRST, NO_STORE, RECENT, START, UNUSED

# From the colour-blind safe palette of Okabe and Ito.
_STOCK = "#D55E00"
_CERTHOOK = "#0072B2"
_GREY = "#666666"
_LIGHT = "#dddddd"

# The distance between labels, as a fraction of the height of the axes.
_LABEL_DISTANCE = 0.075

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "svg.fonttype": "none",
    # The same figures result in the same file.
    "svg.hashsalt": "certhook",
}

#: The bars: the group and the name of a figure, and the label in the plot.
_BARS = (
    (START, "interpreter start", "interpreter start"),
    (START, "import ssl", "import ssl"),
    (FIRST, NO_STORE, "first default context, no store"),
    (FIRST, UNUSED, "first default context, store unused for an hour"),
    (FIRST, RECENT, "first default context, store recently used"),
    (FURTHER, "a default context", "further default context"),
    (NAMED, FURTHER_NAMED, f"further context with a named file of {ROOTS} roots"),
    (FURTHER, MEMORY, "memory of a default context"),
    (CLIENTS, "one connection on an existing context", "one connection on an existing context"),
    (CLIENTS, "a new default context, and one connection on it", "a new default context and one connection"),
    (CLIENTS, "urllib.request.urlopen", "urllib.request.urlopen"),
    (CLIENTS, "one connection on an existing truststore.SSLContext", "one connection through truststore"),
    (CLIENTS, "requests.get", "requests.get, which names certifi's file"),
    (CLIENTS, WITH_VARIABLE, WITH_VARIABLE),
    (CLIENTS, "httpx.Client()", "httpx.Client(), which names certifi's file"),
)

#: The lines over the number of roots: a part of the figure's name, the marker and the label.
_KINDS = (
    ("no store", "D", "certhook, first, no store"),
    ("with a store", "^", "certhook, first, with a store"),
    ("a further context", "s", "certhook, each further"),
)


def write(path: Path, facts: dict[str, Any], figures: list[Figure]) -> None:
    """Draw *figures* to *path*, in the format of its extension."""
    with pyplot.rc_context(_STYLE):
        drawing = pyplot.figure(figsize=(9.6, 7.2), layout="constrained", facecolor="white")
        # Separate subfigures, so that the long labels of the bars do not shift the lines.
        upper, lower = drawing.subfigures(2, 1, height_ratios=(1, 1.15), hspace=0.06)
        many, anchors = upper.subplots(1, 2, gridspec_kw={"wspace": 0.08})
        _draw_many(many, figures)
        _draw_anchors(anchors, figures)
        _draw_ratios(lower.subplots(), figures)
        versions = f"certhook {facts['certhook']}, Python {facts['python']}, {facts['openssl']}"
        note = f"{versions}, {facts['processors']} processors; medians of one run"
        drawing.supxlabel(note, fontsize=8, color=_GREY)
        # Without the date and the version of matplotlib, which would change with every run.
        metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else None
        drawing.savefig(path, dpi=150, metadata=metadata)
        pyplot.close(drawing)


def _draw_ratios(axes: Axes, figures: list[Figure]) -> None:
    """Draw one bar for each figure, from 1 (stock) to its ratio."""
    ratios_by_name = {(figure.group, figure.name): figure.ratio for figure in figures}
    bars = [(label, ratios_by_name[group, name]) for group, name, label in _BARS if (group, name) in ratios_by_name]
    for position, (_, ratio) in enumerate(bars):
        axes.barh(position, ratio - 1, left=1, height=0.6, color=_CERTHOOK if ratio < 1 else _STOCK)
        # At the end of the bar, or next to the line if the bar is too short.
        left = ratio < 0.9
        axes.annotate(
            _rounded(ratio),
            (ratio if left else max(ratio, 1.0), position),
            xytext=(-4 if left else 4, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=8,
        )
    ratios = [ratio for _, ratio in bars]
    axes.set_xscale("log")
    axes.set_xlim(min(ratios) / 2, 2 * max(2.0, *ratios))
    axes.set_yticks(range(len(bars)), [label for label, _ in bars], fontsize=8.5)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x", color=_LIGHT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title("Time and memory with certhook, relative to stock Python")
    axes.set_xlabel("ratio, logarithmic; 1 is stock Python")
    axes.spines["left"].set_visible(False)


def _rounded(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.0995 else f"{ratio:.2g}"


def _draw_many(axes: Axes, figures: list[Figure]) -> None:
    many = [figure for figure in figures if figure.group == MANY]
    counts = [int(figure.name.replace(",", "")) for figure in many]
    lines = [
        _Line("stock", [figure.stock for figure in many], _STOCK, "o"),
        _Line("certhook", [figure.certhook for figure in many], _CERTHOOK, "s"),
    ]
    _draw_lines(axes, counts, lines)
    axes.set_title("Time to create n default contexts")
    axes.set_xlabel("n, in one process, including import ssl")


def _draw_anchors(axes: Axes, figures: list[Figure]) -> None:
    chosen = [figure for figure in figures if figure.group == ANCHORS]
    sizes = sorted({_size(figure) for figure in chosen})
    lines = [_Line("stock, each", [figure.stock for figure in chosen if _KINDS[0][0] in figure.name], _STOCK, "o")]
    for name, marker, label in _KINDS:
        lines.append(_Line(label, [figure.certhook for figure in chosen if name in figure.name], _CERTHOOK, marker))
    _draw_lines(axes, sizes, lines)
    axes.set_title("Time of one default context")
    axes.set_xlabel("number of trusted roots")


def _size(figure: Figure) -> int:
    return int(figure.name.partition(", ")[0].replace(",", ""))


class _Line(NamedTuple):
    label: str
    values: list[float]
    colour: str
    marker: str


def _draw_lines(axes: Axes, x: list[int], lines: list[_Line]) -> None:
    """Draw *lines* with logarithmic axes, and the label of each next to its end."""
    for line in lines:
        axes.plot(x, line.values, color=line.colour, marker=line.marker, markersize=4.5, linewidth=1.6)
    _both_logarithmic(axes, x)
    axes.set_ylim(axes.get_ylim())  # The positions of the labels depend on the limits.
    low, high = map(log, axes.get_ylim())
    heights = _spread([(log(line.values[-1]) - low) / (high - low) for line in lines])
    for line, height in zip(lines, heights):
        axes.annotate(
            line.label,
            (x[-1], height),
            xycoords=("data", "axes fraction"),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=line.colour,
        )


def _spread(heights: list[float]) -> list[float]:
    """Move *heights* apart, so that labels there do not overlap."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    moved = dict(zip(order, sorted(heights)))
    for _ in range(100):
        for lower, upper in zip(order, order[1:]):
            excess = _LABEL_DISTANCE - (moved[upper] - moved[lower])
            if excess > 0:
                moved[lower] -= excess / 2
                moved[upper] += excess / 2
    return [moved[index] for index in range(len(heights))]


def _both_logarithmic(axes: Axes, x: list[int]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(x, [f"{value:,}" for value in x])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(_seconds))
    axes.grid(axis="y", color=_LIGHT, linewidth=0.6)
    axes.set_axisbelow(True)


def _seconds(value: float, _: int) -> str:
    for scale, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= 0.999 * scale:
            return f"{value / scale:g} {unit}"
    return f"{value / 1e-6:g} µs"
