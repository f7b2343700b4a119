"""Measure contexts: time and memory of each further one, a thousand contexts, and stores with many anchors."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median

import anchors
from environments import Environment
from figures import BYTES, Figure, compare

FURTHER = "further contexts"
MANY = "many contexts: seconds to create that many, including import ssl"
ANCHORS = "stores with many anchors"

# Small numbers, and numbers that take stock seconds, in separate processes.
COUNTS = ((1, 10), (100, 1000))
SIZES = (100, 1000, 10000)
LIVE = 200
MEMORY = f"memory of each of {LIVE} live contexts"


def measure(stock: Environment, certhook: Environment, rounds: int, work: Path) -> list[Figure]:
    """Return all figures of this module.

    :param rounds: the number of processes of each kind, if one takes seconds
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
    stock_medians: list[float] = []
    certhook_medians: list[float] = []
    for _ in range(rounds):
        stock_pairs = stock.inside("further.py", "3", "5")
        certhook_pairs = certhook.inside("further.py", "50", "50")
        bare += [pair[0] for pair in certhook_pairs]
        default += [pair[1] for pair in certhook_pairs]
        stock_medians.append(median(pair[1] for pair in stock_pairs))
        certhook_medians.append(median(pair[1] for pair in certhook_pairs))
    return [
        compare(FURTHER, "a default context, relative to a bare SSLContext", bare, default, target=1.1),
        compare(FURTHER, "a default context", stock_medians, certhook_medians, target=0.01),
    ]


def _memory(stock: Environment, certhook: Environment, rounds: int) -> Figure:
    stock_sizes, certhook_sizes = [], []
    for _ in range(rounds):
        stock_sizes.append(stock.inside("memory.py", str(LIVE)))
        certhook_sizes.append(certhook.inside("memory.py", str(LIVE)))
    return compare(FURTHER, MEMORY, stock_sizes, certhook_sizes, unit=BYTES, target=0.02)


def _many(stock: Environment, certhook: Environment, rounds: int) -> list[Figure]:
    figures = []
    for counts, repetitions in zip(COUNTS, (5 * rounds, rounds)):
        arguments = [str(count) for count in counts]
        stock_times, certhook_times = [], []
        for _ in range(repetitions):
            stock_times.append(stock.inside("many.py", *arguments))
            certhook_times.append(certhook.inside("many.py", *arguments))
        for index, count in enumerate(counts):
            columns = ([times[index] for times in side] for side in (stock_times, certhook_times))
            figures.append(compare(MANY, f"{count:,}", *columns))
    return figures


def _anchors(stock: Environment, certhook: Environment, rounds: int, work: Path) -> list[Figure]:
    figures = []
    for size in SIZES:
        bundle = str(work / f"{size}.pem")
        anchors.write(bundle, size)
        # Stock reads only the first variable, certhook only the second, so that both trust the same roots.
        variables = {"SSL_CERT_FILE": bundle, "CERTHOOK_BUNDLE": bundle, "CERTHOOK_SOURCES": "bundled"}
        stock_times, cold, warm, further = [], [], [], []
        for _ in range(rounds):
            import_ssl, context = stock.inside("first.py", **variables)
            stock_times.append(context)
            shutil.rmtree(certhook.cache, ignore_errors=True)
            cold.append(sum(certhook.inside("first.py", **variables)) - import_ssl)
            warm.append(sum(certhook.inside("first.py", **variables)) - import_ssl)
            further.append(median(pair[1] for pair in certhook.inside("further.py", "20", "20", **variables)))
        figures += [
            compare(ANCHORS, f"{size:,}, first context, no store", stock_times, cold),
            compare(ANCHORS, f"{size:,}, first context, with a store", stock_times, warm),
            compare(ANCHORS, f"{size:,}, a further context", stock_times, further),
        ]
    return figures
