"""On generated PKIs, a file of roots that a caller names has the same results with certhook as on stock Python.

The oracle is stock Python with the same file. With certhook, the first context loads the file, and further ones
read the compiled store. The files contain authorities with equal names, duplicates, OpenSSL's trust settings,
intermediate and expired certificates, and the server's own certificate, among roots of no importance.
"""

from __future__ import annotations

import os
import random
import shutil
import ssl
from pathlib import Path
from typing import Any, Iterator

import der
import generated_pkis
import judges
import pytest
from generated_pkis import HOST, Scenario
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("CERTHOOK_TEST_EXAMPLES", "25"))

#: VERIFY_X509_PARTIAL_CHAIN, for which the ssl module of Python 3.8 has no name.
PARTIAL_CHAIN = 0x80000

#: Lists of purposes in the trust settings of a certificate.
SETTINGS: list[dict[str, list[str]]] = [
    {"rejected": [der.SERVERS]},
    {"rejected": [der.CLIENTS]},
    {"rejected": [der.ANY]},
    {"trusted": [der.SERVERS]},
    {"trusted": [der.CLIENTS]},
    {"trusted": [der.ANY]},
    {"trusted": []},
    {"trusted": [der.SERVERS], "rejected": [der.CLIENTS]},
]

FILLERS = [der.pem(der.root(f"of no importance {number}", number + 1)) for number in range(40)]


class Comparison:
    """Judges of one Python version, with and without certhook."""

    def __init__(self, version: str, pythons: tuple[Path, Path], stores: Path) -> None:
        self.version = version
        self.stores = stores
        self.stock, self.hooked = (judges.Judge(python, CERTHOOK_STORE_DIR=str(stores)) for python in pythons)
        assert self.hooked.is_hooked and not self.stock.is_hooked

    def compare(self, request: dict[str, Any]) -> list[int]:
        """Assert that all results are those of stock Python, and return the results of the verification."""
        expected = self.stock.ask(**request)
        first = self.hooked.ask(**{**request, "strict": [None]})
        assert first[0][1] > 0, "the first context did not load the file"
        results = self.hooked.ask(**request)
        shutil.rmtree(self.stores)
        assert [result.pop(1) for result in results] == [0] * len(results), "the contexts have no compiled store"
        assert all(result.pop(1) > 0 for result in expected)
        note(f"Python {self.version}: {expected} {results}")
        assert results == expected, f"Python {self.version}"
        return [result[0] for result in expected]

    def close(self) -> None:
        self.stock.close()
        self.hooked.close()


class Laboratory:
    """Writes the files of scenarios, and compares the results of all Python versions on them."""

    def __init__(self, directory: Path, comparisons: list[Comparison]) -> None:
        self.directory = directory
        self.comparisons = comparisons
        self.mint = generated_pkis.Mint()
        self.codes: set[int] = set()
        self._number = 0

    def run(self, scenario: Scenario, seed: int) -> None:
        self._number += 1
        choose = random.Random(seed)
        file = self.directory / f"{self._number}.pem"
        file.write_bytes(self._content(scenario, choose))
        pems = list(map(self.mint.pem, scenario.chain))
        request: dict[str, Any] = {"cafile": str(file), "host": HOST, "strict": [False, True]}
        request["flags"] = choose.choice([0, 0, PARTIAL_CHAIN])
        if scenario.has_key:
            server = self.directory / "server.pem"
            server.write_bytes(self.mint.secret(scenario.chain[0].subject) + b"".join(pems))
            request["server"] = str(server)
        else:
            request["chain"] = ["".join(pem.decode().splitlines()[1:-1]) for pem in pems]
        for comparison in self.comparisons:
            self.codes.update(comparison.compare(request))
        file.unlink()

    def _content(self, scenario: Scenario, choose: random.Random) -> bytes:
        """Return the certificates of *scenario* in their order, some with trust settings, some twice, among others."""
        pems: list[bytes] = []
        share = choose.choice([0, 0.2, 0.7])
        for described in scenario.store:
            plain = self.mint.pem(described)
            content = ssl.PEM_cert_to_DER_cert(plain.decode()) + der.auxiliary(**choose.choice(SETTINGS))
            forms = [der.pem(content, "TRUSTED CERTIFICATE"), plain]
            if choose.random() >= share:
                forms.reverse()
            pems += forms[: choose.choice([1, 1, 1, 2])]
        duplicates = choose.sample(pems, choose.choice([0, 0, 1])) + choose.sample(FILLERS, choose.choice([0, 1]))
        for other in FILLERS + duplicates:
            # Not among themselves: the order of the scenario's certificates counts.
            pems.insert(choose.randrange(len(pems) + 1), other)
        return choose.choice([b"\n", b"\r\n", b"\n# a comment\n"]).join([pem.rstrip(b"\n") for pem in pems]) + b"\n"


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Laboratory]:
    directory = tmp_path_factory.mktemp("named")
    comparisons = []
    for version in judges.VERSIONS:
        pythons = judges.make_environments(version, directory, wheel)
        if pythons is not None:
            comparisons.append(Comparison(version, pythons, directory / f"stores-{version}"))
        elif os.environ.get("CI"):
            pytest.fail(f"Python {version} is not installed")
    laboratory = Laboratory(directory, comparisons)
    yield laboratory
    for comparison in comparisons:
        comparison.close()


def test_results_and_roots_are_those_of_stock_python(laboratory) -> None:
    if not laboratory.comparisons:
        pytest.skip(f"none of Python {', '.join(judges.VERSIONS)} is installed")

    @settings(max_examples=EXAMPLES, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
    @given(generated_pkis.scenarios(), st.integers(0, 2**32))
    def run(scenario: Scenario, seed: int) -> None:
        laboratory.run(scenario, seed)

    run()
    assert {0, 28} < laboratory.codes, "OpenSSL applies no trust settings"
