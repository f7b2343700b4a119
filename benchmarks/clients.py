"""Time typical uses of contexts with pyperf: connections, and three HTTP clients.

requests and httpx name certifi's file, which certhook adopts, and requests any other file in REQUESTS_CA_BUNDLE.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pyperf
from environments import HERE, Environment, certifi_bundle
from figures import Figure, compare
from named import write_file

CLIENTS = "clients, and connections to a server on loopback"
WITH_VARIABLE = "requests.get with REQUESTS_CA_BUNDLE"

#: The function in ``inside/clients.py``, its name in the table, the variable that names a file, a factor for the
#: number of rounds, and the target for the ratio.
_BENCHMARKS: tuple[tuple[str, str, str, int, float | None], ...] = (
    ("default_context", "create_default_context()", "", 1, None),
    ("certifi_context", "create_default_context(cafile=certifi.where())", "", 1, None),
    ("existing_context", "one connection on an existing context", "SSL_CERT_FILE", 4, 1.05),
    ("new_context", "a new default context, and one connection on it", "SSL_CERT_FILE", 1, None),
    ("truststore_existing_context", "one connection on an existing truststore.SSLContext", "SSL_CERT_FILE", 1, None),
    ("urlopen", "urllib.request.urlopen", "SSL_CERT_FILE", 1, None),
    ("requests_get", "requests.get", "", 1, None),
    ("requests_get", WITH_VARIABLE, "REQUESTS_CA_BUNDLE", 1, 0.2),
    ("httpx_client", "httpx.Client()", "", 1, None),
)


def measure(stock: Environment, certhook: Environment, rounds: int, port: int, work: Path) -> list[Figure]:
    """Return all figures of this module.

    :param rounds: the minimum number of pyperf processes of each kind
    :param port: the port of the loopback server; certifi's bundle contains its authority
    """
    figures = []
    file = write_file(stock, work)
    for function, name, variable, factor, target in _BENCHMARKS:
        if function.startswith("truststore") and not _has_truststore(stock):
            print(f"Skipped: {name} (truststore needs Python 3.10)")
            continue
        timers = []
        for environment in (stock, certhook):
            variables = {"CERTHOOK_SOURCES": "system,bundled"}
            if variable == "SSL_CERT_FILE":
                variables[variable] = certifi_bundle(environment)
            elif variable:
                variables[variable] = file
            timers.append(_Timer(environment, function, port, variables, work))
        values: tuple[list[float], list[float]] = ([], [])
        for number in range(rounds * factor):
            for index in (0, 1) if number % 2 else (1, 0):
                values[index].append(timers[index].time())
        figures.append(compare(CLIENTS, name, *values, target=target))
    return figures


def _has_truststore(environment: Environment) -> bool:
    code = "import importlib.util; print(importlib.util.find_spec('truststore') is not None)"
    return environment.run("-c", code).strip() == "True"


class _Timer:
    """Run one benchmark in one environment with pyperf, one process at a time."""

    def __init__(
        self, environment: Environment, function: str, port: int, variables: dict[str, str], work: Path
    ) -> None:
        self._environment = environment
        self._arguments = [function, str(port)]
        self._variables = variables
        self._result = work / "pyperf.json"
        self._loops: list[str] = []

    def time(self) -> float:
        """Return the median of the values of one process, in seconds."""
        script = str(HERE / "inside" / "clients.py")
        settings = ["--copy-env", "--quiet", "--processes=1", "--values=8", "--warmups=1", "--min-time=0.04"]
        settings += ["-o", str(self._result), *self._loops]
        try:
            self._environment.run(script, *settings, *self._arguments, **self._variables)
            benchmark = pyperf.Benchmark.load(str(self._result))
        finally:
            self._result.unlink(missing_ok=True)
        # The first process determines the number of loops for all of them.
        self._loops = [f"--loops={benchmark.get_loops()}"]
        return median(benchmark.get_values())
