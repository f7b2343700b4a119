"""A figure: the result of a measurement with and without certhook."""

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

    :ivar group: the heading in the table
    :ivar name: the measured operation
    :ivar unit: the unit of *stock* and *certhook*
    :ivar stock: the median without certhook, or of the reference that *name* contains
    :ivar certhook: the median with certhook
    :ivar ratio: the median of the ratios of values measured directly after each other
    :ivar spread: the first and the third quartile of these ratios
    :ivar rounds: the number of ratios
    :ivar target: the maximum intended ratio, or None
    """

    group: str
    name: str
    unit: str
    stock: float
    certhook: float
    ratio: float
    spread: tuple[float, float]
    rounds: int
    target: float | None = None


def compare(
    group: str,
    name: str,
    stock: Sequence[float],
    certhook: Sequence[float],
    unit: str = SECONDS,
    target: float | None = None,
) -> Figure:
    """Return the figure for *stock* and *certhook*; values with the same index come from the same round."""
    if len(stock) != len(certhook) or not stock:
        raise ValueError(f"{name}: {len(stock)} values cannot be compared with {len(certhook)}")
    ratios = sorted(after / before for before, after in zip(stock, certhook))
    last = len(ratios) - 1
    spread = (ratios[round(last * 0.25)], ratios[round(last * 0.75)])
    return Figure(group, name, unit, median(stock), median(certhook), median(ratios), spread, len(ratios), target)
