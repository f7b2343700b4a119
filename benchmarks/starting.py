"""Measure process start-up: the interpreter, ``import ssl``, and the first default context.

None of these can be measured twice in one process. The benchmarks start new processes alternately in
both environments; processes that measure a part of their run use ``perf_counter``.
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
UNUSED = "store unused for an hour"
RECENT = "store recently used"
NO_STORE = "no store"

# In seconds; longer than the interval in which certhook does not check the files of the store again.
_PAUSE = 3600.0


def measure(stock: Environment, certhook: Environment, rounds: int) -> list[Figure]:
    """Return all figures of this module.

    :param rounds: the number of processes of each kind
    """
    return [
        *_instructions(stock, certhook),
        *_wall(stock, certhook, rounds),
        *_first(stock, certhook, rounds),
    ]


def _instructions(stock: Environment, certhook: Environment) -> list[Figure]:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        print("Skipped: instruction counts (valgrind is not installed)")
        return []
    figures = []
    for name, code, target in (("interpreter start", "pass", 1.03), ("import ssl", "import ssl", 1.04)):
        counts: dict[str, list[int]] = {"stock": [], "certhook": []}
        for _ in range(3):
            for environment in (stock, certhook):
                counts[environment.name].append(count(valgrind, environment, code))
        # Runs differ by less than 0.1 %, so that medians are as good as pairs.
        pairs = [[median(counts[environment.name])] for environment in (stock, certhook)]
        figures.append(compare(START, f"{name}, in instructions", *pairs, unit=INSTRUCTIONS, target=target))
    return figures


def count(valgrind: str, environment: Environment, code: str, **variables: str) -> int:
    """Return the number of instructions of a process that runs *code*, with additional variables."""
    command = [valgrind, "--tool=callgrind", f"--callgrind-out-file={os.devnull}", str(environment.python), "-c", code]
    # A fixed seed, because the order of sets affects the count.
    env = environment.variables(PYTHONHASHSEED="0", **variables)
    done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8", check=True)
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if counted is None:
        raise RuntimeError(f"no instruction count in valgrind's output:\n{done.stderr}")
    return int(counted[1])


def _wall(stock: Environment, certhook: Environment, rounds: int) -> list[Figure]:
    """Measure whole processes from outside."""
    figures = []
    for name, code in (
        ("interpreter start", "pass"),
        ("a process that creates one default context, from start to end", "import ssl; ssl.create_default_context()"),
    ):
        times: dict[str, list[float]] = {"stock": [], "certhook": []}
        for number in range(rounds + 1):
            for environment in (stock, certhook) if number % 2 else (certhook, stock):
                duration = _timed(environment, code)
                if number:  # The first processes read from the disk and build the store.
                    times[environment.name].append(duration)
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
    # Name, function that prepares the store, variables of the process, and target for the ratio.
    situations: list[tuple[str, Callable[[], None], dict[str, str], float | None]] = [
        (UNUSED, lambda: _age(certhook.cache), {}, 0.15),
        (RECENT, lambda: _refresh(certhook.cache), {}, 0.12),
        ("prebuilt store", lambda: None, {"CERTHOOK_STORE_DIR": str(prebuilt)}, None),
        # In last position, because it leaves a store for the first one.
        (NO_STORE, lambda: _empty(certhook.cache), {}, 1.5),
    ]
    imports: dict[str, list[float]] = {"stock": [], "certhook": []}
    firsts: dict[str, list[float]] = {name: [] for name, *_ in situations}
    stock_firsts: list[float] = []
    for number in range(rounds + 1):
        import_ssl, context = stock.inside("first.py")
        if number:
            imports["stock"].append(import_ssl)
            stock_firsts.append(context)
        for name, prepare, variables, _ in situations:
            prepare()
            imported, first = certhook.inside("first.py", **variables)
            if number:
                # Includes the time that certhook adds to "import ssl".
                firsts[name].append(imported + first - import_ssl)
                if prepare is situations[0][1]:
                    imports["certhook"].append(imported)
    return [
        compare(START, "import ssl", imports["stock"], imports["certhook"]),
        *(compare(FIRST, name, stock_firsts, firsts[name], target=target) for name, _, _, target in situations),
    ]


def _empty(cache: Path) -> None:
    # Renamed instead of removed, because ext4 creates files slowly where many were just deleted.
    if cache.exists():
        cache.rename(tempfile.mkdtemp(prefix="used-", dir=cache.parent))


def _age(cache: Path) -> None:
    """Make the next process check every file thoroughly, like one that starts after a pause."""
    _touch(cache, time.time() - _PAUSE)


def _refresh(cache: Path) -> None:
    """Make the next process skip the thorough check."""
    _touch(cache, time.time())


def _touch(cache: Path, when: float) -> None:
    for path in cache.glob("index-*"):
        os.utime(path, (when, when))
