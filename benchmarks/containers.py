"""Measure a short-lived container: a process that starts, creates one context, and makes one verified connection.

``python benchmarks/containers.py`` prints the table of ``docs/how-to/fleets.rst``. Stock Python names certifi's bundle.
certhook has no writable disk, with and without a store that ``certhook compile`` built into the image. The processes of
all kinds alternate in one run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import starting
from environments import Environment, make, run
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
            _show(kinds, options.rounds)


def _copy(environment: Environment, directory: Path) -> Environment:
    shutil.copytree(environment.python.parent.parent, directory, symlinks=True)
    return Environment(directory, environment.home.parent)


def _show(kinds: list[Kind], rounds: int) -> None:
    times: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    for number in range(rounds + 1):
        for kind in kinds:
            duration = _timed(kind)
            if number:
                times[kind.name].append(duration)
    valgrind = shutil.which("valgrind")
    first = None
    for kind in kinds:
        count = starting.count(valgrind, kind.environment, kind.code, CERTHOOK_STORE_DIR=kind.stores) if valgrind else 0
        typical = median(times[kind.name])
        first = first or (typical, count)
        ratio, instructions = typical / first[0], count / (first[1] or 1)
        print(f"{kind.name:30} {typical * 1e3:7.1f} ms {ratio:5.2f}  {count / 1e6:7.1f} M {instructions:5.2f}")


def _timed(kind: Kind) -> float:
    variables = kind.environment.variables(CERTHOOK_STORE_DIR=kind.stores)
    started = time.perf_counter()
    run([str(kind.environment.python), "-c", kind.code], variables)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
