"""A figure: what was measured side by side, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Sequence

SECONDS = "s"
BYTES = "B"
INSTRUCTIONS = "instructions"


@dataclass
class Figure:
    """One line of the table.

    :ivar group: what it belongs to, a heading of the table
    :ivar name: what was measured
    :ivar unit: of *stock* and *certhook*
    :ivar stock: median without certhook, or of what *name* says it is compared with
    :ivar certhook: median with certhook
    :ivar ratio: median of the ratios of values measured right after each other
    :ivar spread: the first and the third quartile of these ratios
    :ivar rounds: how many ratios there are
    :ivar wanted: what the ratio should be at most, None where nothing is said
    """

    group: str
    name: str
    unit: str
    stock: float
    certhook: float
    ratio: float
    spread: tuple[float, float]
    rounds: int
    wanted: float | None = None


def compare(
    group: str,
    name: str,
    stock: Sequence[float],
    certhook: Sequence[float],
    unit: str = SECONDS,
    wanted: float | None = None,
) -> Figure:
    """The figure of *stock* and *certhook*, whose values at one place were measured in one round."""
    if len(stock) != len(certhook) or not stock:
        raise ValueError(f"{name}: {len(stock)} values cannot be compared with {len(certhook)}")
    ratios = sorted(mine / theirs for theirs, mine in zip(stock, certhook))
    last = len(ratios) - 1
    spread = (ratios[round(last * 0.25)], ratios[round(last * 0.75)])
    return Figure(group, name, unit, median(stock), median(certhook), median(ratios), spread, len(ratios), wanted)
