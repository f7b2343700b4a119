"""The plot that the README shows: many contexts, many anchors, and all ratios.

The two colours differ in lightness too, and every line and dot is labelled where
it stands, so the plot is read without telling colours apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from clients import CLIENTS
from contexts import ANCHORS, FURTHER, MANY, MEMORY
from figures import Figure
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator
from starting import FIRST, START

# Of the colour-blind safe palette of Okabe and Ito.
_STOCK = "#D55E00"
_CERTHOOK = "#0072B2"
_GREY = "#666666"
_LIGHT = "#dddddd"

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "svg.fonttype": "path",
    # The same file for the same figures.
    "svg.hashsalt": "certhook",
}

#: The bars: which figures, by group and name, and what they are called in the plot.
_BARS = (
    (START, "interpreter start", "interpreter start"),
    (START, "import ssl", "import ssl"),
    (FIRST, "no store yet", "first default context of a process, no store yet"),
    (FIRST, "warm store, not used for an hour", "the same, with a store that was not used for an hour"),
    (FIRST, "warm store, used seconds ago", "the same, with a store that was used seconds ago"),
    (FURTHER, "a default context", "each further default context"),
    (FURTHER, MEMORY, "memory of a default context"),
    (CLIENTS, "one connection on an existing context", "one connection on an existing context"),
    (CLIENTS, "a new default context, and one connection on it", "a new default context and one connection"),
    (CLIENTS, "urllib.request.urlopen", "urllib.request.urlopen"),
    (CLIENTS, "one connection on an existing truststore.SSLContext", "one connection through truststore"),
    (CLIENTS, "requests.get", "requests.get, which names certifi's file"),
    (CLIENTS, "httpx.Client()", "httpx.Client(), which names certifi's file"),
)

#: How the lines over the number of roots are called.
_KINDS = (
    ("no store yet", "D", "certhook,\nfirst, no store yet"),
    ("warm store", "^", "certhook,\nfirst, warm store"),
    ("a further context", "s", "certhook,\neach further"),
)


def write(path: Path, facts: dict[str, Any], figures: list[Figure]) -> None:
    """Draw *figures* into *path*, in the format that its name says."""
    with pyplot.rc_context(_STYLE):
        drawing = pyplot.figure(figsize=(9.6, 7.2), layout="constrained", facecolor="white")
        # Apart, so that the long labels of the bars do not push the lines aside.
        upper, lower = drawing.subfigures(2, 1, height_ratios=(1, 1.15), hspace=0.06)
        many, anchors = upper.subplots(1, 2, gridspec_kw={"wspace": 0.08})
        _draw_many(many, figures)
        _draw_anchors(anchors, figures)
        _draw_ratios(lower.subplots(), figures)
        what = f"certhook {facts['certhook']}, Python {facts['python']}, {facts['openssl']}"
        note = f"{what}, {facts['processors']} processors; medians of one run"
        drawing.supxlabel(note, fontsize=8, color=_GREY)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        drawing.savefig(path, dpi=150, metadata=metadata)
        pyplot.close(drawing)


def _draw_ratios(axes: Axes, figures: list[Figure]) -> None:
    """One bar a figure, from 1, which is stock, to its ratio."""
    found = {(figure.group, figure.name): figure.ratio for figure in figures}
    bars = [(label, found[group, name]) for group, name, label in _BARS if (group, name) in found]
    for place, (_, ratio) in enumerate(bars):
        axes.barh(place, ratio - 1, left=1, height=0.6, color=_CERTHOOK if ratio < 1 else _STOCK)
        # At the end of the bar; where there is no bar to speak of, behind the line.
        left = ratio < 0.9
        axes.annotate(
            _rounded(ratio),
            (ratio if left else max(ratio, 1.0), place),
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
    axes.set_title("Time and memory with certhook, as a multiple of what stock Python needs")
    axes.set_xlabel("ratio, logarithmic; 1 is stock Python")
    axes.spines["left"].set_visible(False)


def _rounded(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.0995 else f"{ratio:.2g}"


def _draw_many(axes: Axes, figures: list[Figure]) -> None:
    many = [figure for figure in figures if figure.group == MANY]
    counts = [int(figure.name.replace(",", "")) for figure in many]
    _line(axes, counts, [figure.stock for figure in many], _STOCK, "o", "stock")
    _line(axes, counts, [figure.certhook for figure in many], _CERTHOOK, "s", "certhook")
    _both_logarithmic(axes, counts)
    axes.set_title("Time until there were n default contexts")
    axes.set_xlabel("n, in one process, import ssl included")


def _draw_anchors(axes: Axes, figures: list[Figure]) -> None:
    chosen = [figure for figure in figures if figure.group == ANCHORS]
    sizes = sorted({_size(figure) for figure in chosen})
    _line(axes, sizes, [figure.stock for figure in chosen if _KINDS[0][0] in figure.name], _STOCK, "o", "stock, each")
    for name, marker, label in _KINDS:
        times = [figure.certhook for figure in chosen if name in figure.name]
        _line(axes, sizes, times, _CERTHOOK, marker, label)
    _both_logarithmic(axes, sizes)
    axes.set_title("Time of one default context")
    axes.set_xlabel("roots that it trusts")


def _size(figure: Figure) -> int:
    return int(figure.name.partition(", ")[0].replace(",", ""))


def _line(axes: Axes, x: list[int], y: list[float], colour: str, marker: str, label: str) -> None:
    axes.plot(x, y, color=colour, marker=marker, markersize=4.5, linewidth=1.6)
    axes.annotate(
        label, (x[-1], y[-1]), xytext=(7, 0), textcoords="offset points", va="center", fontsize=8, color=colour
    )


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
