"""Measure a short-lived container: a process that starts, creates one context, and makes one verified connection.

``python benchmarks/containers.py`` prints the table of ``docs/how-to/fleets.rst``. Stock Python names certifi's bundle.
certhook has no writable disk, with and without a store that ``certhook compile`` built into the image. The processes of
all kinds alternate in one run. The columns are the elapsed time and the CPU time in milliseconds, and optionally the
millions of instructions, each with its ratio to stock Python.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import starting
from environments import Environment, make
from server import Server

_CONNECT = """
import socket
with socket.create_connection(("127.0.0.1", {port}), 20) as raw:
    with context.wrap_socket(raw, server_hostname="localhost") as secured:
        secured.sendall(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
        assert secured.recv(4096)
"""
_CERTIFI = "import certifi, ssl\ncontext = ssl.create_default_context(cafile=certifi.where())\n"
_DEFAULT = "import ssl\ncontext = ssl.create_default_context()\n"


class Kind(NamedTuple):
    """A kind of process: its name, environment, code, and the directory of its stores."""

    name: str
    environment: Environment
    code: str
    stores: str = "/nonexistent"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="the number of processes of each kind")
    parser.add_argument("--instructions", action="store_true", help="also count instructions with valgrind, slowly")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        with Server(work) as server:
            stock, certhook = make(sys.executable, work, server.authority)
            connect = _CONNECT.format(port=server.port)
            image = _copy(certhook, work / "image")
            image.run("-m", "certhook", "compile", CERTHOOK_STORE_DIR="none")
            kinds = [
                Kind("stock Python with certifi", stock, _CERTIFI + connect),
                Kind("certhook, no store, read-only", certhook, _DEFAULT + connect, "none"),
                Kind("certhook, store in the image", image, _DEFAULT + connect),
            ]
            _show(kinds, options.rounds, shutil.which("valgrind") if options.instructions else None)


def _copy(environment: Environment, directory: Path) -> Environment:
    shutil.copytree(environment.python.parent.parent, directory, symlinks=True)
    return Environment(directory, environment.home.parent)


def _show(kinds: list[Kind], rounds: int, valgrind: str | None) -> None:
    times: dict[str, list[tuple[float, float]]] = {kind.name: [] for kind in kinds}
    for number in range(rounds + 1):
        for kind in kinds:
            measured = _timed(kind)
            if number:
                times[kind.name].append(measured)
    first: list[float] = []
    for kind in kinds:
        found = [median(values) for values in zip(*times[kind.name])]
        if valgrind:
            found.append(starting.count(valgrind, kind.environment, kind.code, CERTHOOK_STORE_DIR=kind.stores) / 1e9)
        first = first or found
        shown = (f"{value * 1e3:7.1f} ({value / base:4.2f})" for value, base in zip(found, first))
        print(f"{kind.name:30} {'  '.join(shown)}")


def _timed(kind: Kind) -> tuple[float, float]:
    """Return the elapsed time and the CPU time of a process. The latter depends less on the load of the machine."""
    command = [str(kind.environment.python), "-c", kind.code]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=kind.environment.variables(CERTHOOK_STORE_DIR=kind.stores))
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - started
    process.returncode = status
    if status:
        raise RuntimeError(f"{command} failed")
    return elapsed, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
