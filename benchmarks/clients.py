"""What programs do with contexts, timed by pyperf: connections, and three HTTP clients.

requests and httpx name certifi's file themselves, which certhook adopts.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pyperf
from environments import HERE, Environment, certifi_bundle
from figures import Figure, compare

CLIENTS = "clients, and connections to a server on loopback"

#: What ``inside/clients.py`` does, how the table calls it, whether it is told to trust the bundle
#: through ``SSL_CERT_FILE``, how often it is measured (in rounds), and what is wanted of the ratio.
_WHAT: tuple[tuple[str, str, bool, int, float | None], ...] = (
    ("default_context", "create_default_context()", False, 1, None),
    ("certifi_context", "create_default_context(cafile=certifi.where())", False, 1, None),
    ("existing_context", "one connection on an existing context", True, 4, 1.05),
    ("new_context", "a new default context, and one connection on it", True, 1, None),
    ("truststore_existing_context", "one connection on an existing truststore.SSLContext", True, 1, None),
    ("urlopen", "urllib.request.urlopen", True, 1, None),
    ("requests_get", "requests.get", False, 1, None),
    ("httpx_client", "httpx.Client()", False, 1, None),
)


def measure(stock: Environment, certhook: Environment, rounds: int, port: int, work: Path) -> list[Figure]:
    """All figures of this module.

    :param rounds: how many pyperf processes of each kind, at least
    :param port: of the loopback server, whose authority is in certifi's bundle
    """
    figures = []
    for what, name, named, often, wanted in _WHAT:
        if what.startswith("truststore") and not _has_truststore(stock):
            print(f"Left out: {name}; truststore needs Python 3.10.")
            continue
        timers = []
        for environment in (stock, certhook):
            variables = {"CERTHOOK_SOURCES": "system,bundled"}
            if named:
                variables["SSL_CERT_FILE"] = certifi_bundle(environment)
            timers.append(_Timer(environment, what, port, variables, work))
        values: tuple[list[float], list[float]] = ([], [])
        for number in range(rounds * often):
            for place in (0, 1) if number % 2 else (1, 0):
                values[place].append(timers[place].time())
        figures.append(compare(CLIENTS, name, *values, wanted=wanted))
    return figures


def _has_truststore(environment: Environment) -> bool:
    code = "import importlib.util; print(importlib.util.find_spec('truststore') is not None)"
    return environment.run("-c", code).strip() == "True"


class _Timer:
    """Has pyperf time one thing in one environment, a process at a time."""

    def __init__(self, environment: Environment, what: str, port: int, variables: dict[str, str], work: Path) -> None:
        self._environment = environment
        self._arguments = [what, str(port)]
        self._variables = variables
        self._result = work / "pyperf.json"
        self._loops: list[str] = []

    def time(self) -> float:
        """The median of the values of one process, in seconds."""
        script = str(HERE / "inside" / "clients.py")
        settings = ["--copy-env", "--quiet", "--processes=1", "--values=8", "--warmups=1", "--min-time=0.04"]
        settings += ["-o", str(self._result), *self._loops]
        try:
            self._environment.run(script, *settings, *self._arguments, **self._variables)
            benchmark = pyperf.Benchmark.load(str(self._result))
        finally:
            self._result.unlink(missing_ok=True)
        # Found by the first process for all of them.
        self._loops = [f"--loops={benchmark.get_loops()}"]
        return median(benchmark.get_values())
