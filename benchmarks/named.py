"""Measure contexts with a file of roots that the caller names, such as a company's bundle."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from statistics import median

import anchors
from environments import Environment, certifi_bundle
from figures import Figure, compare

ROOTS = 120
NAMED = f"contexts with a named file of {ROOTS} roots"
FURTHER_NAMED = "a further context"

_BLOCK = re.compile(b"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n")


def write_file(environment: Environment, work: Path) -> str:
    """Write a file of :data:`ROOTS` roots to *work*: those of certifi's bundle, which ends with the server's authority.

    :returns: its path
    """
    path = work / "company.pem"
    blocks = _BLOCK.findall(Path(certifi_bundle(environment)).read_bytes())[-ROOTS:]
    missing = ROOTS - len(blocks)
    anchors.write(str(path), missing)
    path.write_bytes(b"".join([path.read_bytes(), *blocks]))
    return str(path)


def measure(stock: Environment, certhook: Environment, rounds: int, work: Path) -> list[Figure]:
    """Return all figures of this module.

    :param rounds: the number of processes of each kind
    """
    file = write_file(stock, work)
    stock_firsts: list[float] = []
    cold: list[float] = []
    warm: list[float] = []
    stock_further: list[float] = []
    further: list[float] = []
    for _ in range(rounds):
        import_ssl, context = stock.inside("first.py", file)
        stock_firsts.append(context)
        if certhook.cache.exists():
            # Renamed instead of removed; see starting.py.
            certhook.cache.rename(tempfile.mkdtemp(prefix="used-", dir=work))
        cold.append(sum(certhook.inside("first.py", file)) - import_ssl)
        warm.append(sum(certhook.inside("first.py", file)) - import_ssl)
        stock_further.append(median(pair[1] for pair in stock.inside("further.py", "3", "5", file)))
        further.append(median(pair[1] for pair in certhook.inside("further.py", "20", "20", file)))
    return [
        compare(NAMED, "the first context of a process, no store", stock_firsts, cold),
        compare(NAMED, "the first context of a process, with a store", stock_firsts, warm),
        compare(NAMED, FURTHER_NAMED, stock_further, further, target=0.01),
    ]
