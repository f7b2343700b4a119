"""What certhook costs a process that starts: the interpreter, ``import ssl``, the first default context.

Nothing here can be measured twice in one process, so fresh processes are started
alternately, and those that measure a part of themselves do so with ``perf_counter``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Callable

from environments import Environment, run
from figures import INSTRUCTIONS, Figure, compare

START = "start of a process"
FIRST = "first default context of a process"

# Longer ago than certhook takes the last look at every file to hold.
_PAUSE = 3600.0


def measure(stock: Environment, certhook: Environment, rounds: int) -> list[Figure]:
    """All figures of this module.

    :param rounds: how many processes of each kind
    """
    return [
        *_instructions(stock, certhook),
        *_wall(stock, certhook, rounds),
        *_first(stock, certhook, rounds),
    ]


def _instructions(stock: Environment, certhook: Environment) -> list[Figure]:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        print("Instructions are not counted: there is no valgrind here.")
        return []
    figures = []
    for name, code, wanted in (("interpreter start", "pass", 1.05), ("import ssl", "import ssl", None)):
        counts: dict[str, list[int]] = {"stock": [], "certhook": []}
        for _ in range(3):
            for environment in (stock, certhook):
                counts[environment.name].append(_count(valgrind, environment, code))
        # Each is the same to a thousandth in every run, so the median is as good as pairs.
        pairs = [[median(counts[environment.name])] for environment in (stock, certhook)]
        figures.append(compare(START, f"{name}, in instructions", *pairs, unit=INSTRUCTIONS, wanted=wanted))
    return figures


def _count(valgrind: str, environment: Environment, code: str) -> int:
    command = [valgrind, "--tool=callgrind", f"--callgrind-out-file={os.devnull}", str(environment.python), "-c", code]
    # The order of sets and dictionaries is part of the count.
    variables = environment.variables(PYTHONHASHSEED="0")
    done = subprocess.run(command, env=variables, capture_output=True, encoding="utf-8", check=True)
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if counted is None:
        raise RuntimeError(f"valgrind says no count:\n{done.stderr}")
    return int(counted[1])


def _wall(stock: Environment, certhook: Environment, rounds: int) -> list[Figure]:
    """Whole processes, from outside."""
    figures = []
    for name, code in (
        ("interpreter start", "pass"),
        ("a process that makes one default context, from start to end", "import ssl; ssl.create_default_context()"),
    ):
        times: dict[str, list[float]] = {"stock": [], "certhook": []}
        for number in range(rounds + 1):
            for environment in (stock, certhook) if number % 2 else (certhook, stock):
                taken = _timed(environment, code)
                if number:  # The first ones read from the disk, and make the store.
                    times[environment.name].append(taken)
        figures.append(compare(START, name, times["stock"], times["certhook"]))
    return figures


def _timed(environment: Environment, code: str) -> float:
    command, variables = [str(environment.python), "-c", code], environment.variables()
    started = time.perf_counter()
    run(command, variables)
    return time.perf_counter() - started


def _first(stock: Environment, certhook: Environment, rounds: int) -> list[Figure]:
    prebuilt = certhook.cache.with_name("prebuilt")
    certhook.run("-m", "certhook", "compile", "--directory", str(prebuilt))
    # What the store is like when the process starts, how it is brought about, and the variables of the process.
    situations: list[tuple[str, Callable[[], None], dict[str, str], float | None]] = [
        ("warm store, not used for an hour", lambda: _age(certhook.cache), {}, None),
        ("warm store, used seconds ago", lambda: _refresh(certhook.cache), {}, 0.15),
        ("prebuilt store", lambda: None, {"CERTHOOK_CACHE_DIR": str(prebuilt)}, None),
        # The last one: it leaves a store for the first one.
        ("no store yet", lambda: _empty(certhook.cache), {}, 2.5),
    ]
    imports: dict[str, list[float]] = {"stock": [], "certhook": []}
    firsts: dict[str, list[float]] = {name: [] for name, *_ in situations}
    stocks: list[float] = []
    for number in range(rounds + 1):
        import_ssl, context = stock.inside("first.py")
        if number:
            imports["stock"].append(import_ssl)
            stocks.append(context)
        for name, prepare, variables, _ in situations:
            prepare()
            imported, first = certhook.inside("first.py", **variables)
            if number:
                # Certhook's share of "import ssl" belongs to it.
                firsts[name].append(imported + first - import_ssl)
                if prepare is situations[0][1]:
                    imports["certhook"].append(imported)
    return [
        compare(START, "import ssl", imports["stock"], imports["certhook"]),
        *(compare(FIRST, name, stocks, firsts[name], wanted=wanted) for name, _, _, wanted in situations),
    ]


def _empty(cache: Path) -> None:
    # Moved away and not removed: ext4 is slow to make files where many were just deleted.
    if cache.exists():
        cache.rename(tempfile.mkdtemp(prefix="used-", dir=cache.parent))


def _age(cache: Path) -> None:
    """Have the next process look at every file, as one does that starts after a pause."""
    _touch(cache, time.time() - _PAUSE)


def _refresh(cache: Path) -> None:
    _touch(cache, time.time())


def _touch(cache: Path, when: float) -> None:
    for path in cache.glob("index-*"):
        os.utime(path, (when, when))
