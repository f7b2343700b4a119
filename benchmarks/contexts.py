"""What contexts cost: each further one, its memory, a thousand of them, and stores of many anchors."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median

import anchors
from environments import Environment
from figures import BYTES, Figure, compare

FURTHER = "further contexts"
MANY = "many contexts: seconds until there were that many, import ssl included"
ANCHORS = "stores of many anchors"

# Those made within a blink, and those that take stock seconds: each in processes of their own.
COUNTS = ((1, 10), (100, 1000))
SIZES = (100, 1000, 10000)
LIVE = 200
MEMORY = f"memory of each of {LIVE} live contexts"


def measure(stock: Environment, certhook: Environment, rounds: int, work: Path) -> list[Figure]:
    """All figures of this module.

    :param rounds: how many processes of each kind, where one takes seconds
    """
    return [
        *_further(stock, certhook, 5 * rounds),
        _memory(stock, certhook, rounds),
        *_many(stock, certhook, rounds),
        *_anchors(stock, certhook, rounds, work),
    ]


def _further(stock: Environment, certhook: Environment, rounds: int) -> list[Figure]:
    bare: list[float] = []
    default: list[float] = []
    stocks: list[float] = []
    medians: list[float] = []
    for _ in range(rounds):
        theirs = stock.inside("further.py", "3", "5")
        mine = certhook.inside("further.py", "50", "50")
        bare += [pair[0] for pair in mine]
        default += [pair[1] for pair in mine]
        stocks.append(median(pair[1] for pair in theirs))
        medians.append(median(pair[1] for pair in mine))
    return [
        compare(FURTHER, "a default context; for stock: a bare SSLContext", bare, default, wanted=1.25),
        compare(FURTHER, "a default context", stocks, medians, wanted=0.01),
    ]


def _memory(stock: Environment, certhook: Environment, rounds: int) -> Figure:
    theirs, mine = [], []
    for _ in range(rounds):
        theirs.append(stock.inside("memory.py", str(LIVE)))
        mine.append(certhook.inside("memory.py", str(LIVE)))
    return compare(FURTHER, MEMORY, theirs, mine, unit=BYTES, wanted=0.03)


def _many(stock: Environment, certhook: Environment, rounds: int) -> list[Figure]:
    figures = []
    for counts, often in zip(COUNTS, (5 * rounds, rounds)):
        arguments = [str(count) for count in counts]
        theirs, mine = [], []
        for _ in range(often):
            theirs.append(stock.inside("many.py", *arguments))
            mine.append(certhook.inside("many.py", *arguments))
        for place, count in enumerate(counts):
            columns = ([times[place] for times in side] for side in (theirs, mine))
            figures.append(compare(MANY, f"{count:,}", *columns))
    return figures


def _anchors(stock: Environment, certhook: Environment, rounds: int, work: Path) -> list[Figure]:
    figures = []
    for size in SIZES:
        bundle = str(work / f"{size}.pem")
        anchors.write(bundle, size)
        # Stock reads the first, certhook the second alone: so that both trust the same.
        variables = {"SSL_CERT_FILE": bundle, "CERTHOOK_BUNDLE": bundle, "CERTHOOK_SOURCES": "bundled"}
        theirs, cold, warm, further = [], [], [], []
        for _ in range(rounds):
            import_ssl, context = stock.inside("first.py", **variables)
            theirs.append(context)
            shutil.rmtree(certhook.cache, ignore_errors=True)
            cold.append(sum(certhook.inside("first.py", **variables)) - import_ssl)
            warm.append(sum(certhook.inside("first.py", **variables)) - import_ssl)
            further.append(median(pair[1] for pair in certhook.inside("further.py", "20", "20", **variables)))
        figures += [
            compare(ANCHORS, f"{size:,}, first context, no store yet", theirs, cold),
            compare(ANCHORS, f"{size:,}, first context, warm store", theirs, warm),
            compare(ANCHORS, f"{size:,}, a further context", theirs, further),
        ]
    return figures
