"""On generated PKIs, lazy and eager contexts verify the same chains as stock Python, with the same verify codes.

The oracle is stock Python with the same store, as a file and as a hashed directory. Three
differences are part of certhook's specification, and are also compared with stock Python:

- Expired certificates that are not self-issued are dropped, because they can only break a chain:
  stock Python gives the same result for a store without them.
- Every certificate in a file of a hashed directory counts if one of them has the hash that is the
  file's name. OpenSSL finds the others only after it has looked up that one: stock Python gives the
  same result for a directory in which each certificate has a file of its own.
- Before Python 3.13, a certificate from which no issuer in the store leads to a valid root follows all others
  with its name, because it can only break a chain: stock Python gives the same result for that order.

In all three cases, everything that stock Python verifies with the original store is verified.
"""

from __future__ import annotations

import collections
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterable, Iterator, Sequence

import generated_pkis
import judges
import pytest
from generated_pkis import HOST, Description, Scenario
from hypothesis import HealthCheck, given, note, settings

EXAMPLES = int(os.environ.get("CERTHOOK_TEST_EXAMPLES", "200"))

LOADS = ("lazy", "eager")
#: Values of VERIFY_X509_STRICT.
STRICT = (False, True)


class Comparison:
    """Judges of one Python version, with and without certhook."""

    def __init__(self, version: str, pythons: tuple[Path, Path], directory: Path) -> None:
        self.version = version
        self.has_partial_chains = tuple(map(int, version.split("."))) >= (3, 13)
        self.stores = directory / f"stores-{version}"
        missing = str(directory / "missing")
        variables = {"SSL_CERT_FILE": missing, "SSL_CERT_DIR": missing, "CERTHOOK_SOURCES": "system"}
        self.stock, self.hooked = (judges.Judge(python, **variables) for python in pythons)
        assert self.hooked.is_hooked and not self.stock.is_hooked

    def stock_results(self, request: dict[str, Any]) -> list[Any]:
        """Return the results of stock Python."""
        path = request["variables"]["SSL_CERT_FILE"]
        # Contexts that have loaded a file can be reused; contexts that read a directory cannot.
        return self.stock.ask(keep=path if os.path.exists(path) else None, **request)

    def hooked_results(self, request: dict[str, Any]) -> dict[str, list[Any]]:
        """Return the results with certhook, by the value of CERTHOOK_LOAD."""
        results = {}
        for load in LOADS:
            variables = {**request["variables"], "CERTHOOK_LOAD": load, "CERTHOOK_STORE_DIR": str(self.stores)}
            keep = str(request["variables"]) if load == "eager" else None
            results[load] = self.hooked.ask(**{**request, "variables": variables, "keep": keep})
            if load == "lazy":
                assert any(len(path.name) == 40 for path in self.stores.iterdir()), "there is no compiled store"
        shutil.rmtree(self.stores)
        return results

    def close(self) -> None:
        self.stock.close()
        self.hooked.close()


class Laboratory:
    """Writes the stores of scenarios, and compares the judgements of all Python versions on them."""

    def __init__(self, directory: Path, comparisons: list[Comparison], openssl: str) -> None:
        self.directory = directory
        self.comparisons = comparisons
        self.mint = generated_pkis.Mint()
        self.counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self._openssl = openssl
        self._hashes: dict[str, str] = {}
        self._number = 0

    def run(self, scenario: Scenario) -> None:
        """Assert that all judgements on *scenario* agree."""
        self._number += 1
        work = self.directory / str(self._number)
        work.mkdir()
        pems = list(map(self.mint.pem, scenario.chain))
        base: dict[str, Any] = {"host": HOST, "strict": STRICT}
        if scenario.has_key:
            server = work / "server.pem"
            server.write_bytes(self.mint.secret(scenario.chain[0].subject) + b"".join(pems))
            base["server"] = str(server)
        else:
            base["chain"] = ["".join(pem.decode().splitlines()[1:-1]) for pem in pems]
        try:
            self._compare_files(scenario, work, base)
            self._compare_directories(scenario, work, base)
        finally:
            shutil.rmtree(work)

    def _compare_files(self, scenario: Scenario, work: Path, base: dict[str, Any]) -> None:
        file, missing = work / "store.pem", str(work / "missing")
        self._write(file, scenario.store)
        specified = {}
        for partial, certificates in self._specified(scenario.store).items():
            reordered = work / f"specified-{partial}.pem"
            self._write(reordered, certificates)
            if certificates != [*scenario.store]:
                specified[partial] = {**base, "variables": {"SSL_CERT_FILE": str(reordered), "SSL_CERT_DIR": missing}}
        request = {**base, "variables": {"SSL_CERT_FILE": str(file), "SSL_CERT_DIR": missing}}
        self._compare("file", request, specified)

    def _compare_directories(self, scenario: Scenario, work: Path, base: dict[str, Any]) -> None:
        directory, missing = work / "hashed", str(work / "missing")
        files = scenario.files()
        self._write_hashed(directory, files)
        # Certificates with the hash in the name of their file come first.
        own, others = (
            [
                each
                for owner, content in files
                for each in content
                if (each.subject.name == owner.subject.name) == is_own
            ]
            for is_own in (True, False)
        )
        specified = {}
        for partial, certificates in self._specified([*own, *others]).items():
            expanded = work / f"specified-{partial}"
            if others or certificates != own:
                self._write_hashed(expanded, [(each, [each]) for each in certificates])
                specified[partial] = {**base, "variables": {"SSL_CERT_FILE": missing, "SSL_CERT_DIR": str(expanded)}}
        request = {**base, "variables": {"SSL_CERT_FILE": missing, "SSL_CERT_DIR": str(directory)}}
        # A certificate in a file with another hash may replace one in a file with its own hash, or one that the server
        # sends. Whether OpenSSL finds it depends on the hashes that it looked up before.
        names = {each.subject.name for each in (*own, *scenario.chain)}
        is_ambiguous = any(each.subject.name in names for each in others)
        self._compare("directory", request, specified, is_ambiguous)

    def _specified(self, certificates: Sequence[Description]) -> dict[bool, list[Description]]:
        """Return the certificates that certhook trusts, in its order, with and without partial chains."""
        fresh = [each for each in certificates if not each.is_stale]
        return {True: fresh, False: generated_pkis.dead_ends_last(fresh)}

    def _compare(
        self, form: str, request: dict[str, Any], specified: dict[bool, dict[str, Any]], is_ambiguous: bool = False
    ) -> None:
        """Assert that certhook's results for *request* are those of stock Python.

        :param specified: requests with the store that certhook's specification makes of this one, with and without
            partial chains, if it differs
        :param is_ambiguous: whether stock Python's result may depend on the order of look-ups
        """
        for comparison in self.comparisons:
            stock = comparison.stock_results(request)
            instead = specified.get(comparison.has_partial_chains)
            expected = stock if instead is None else comparison.stock_results(instead)
            results = comparison.hooked_results(request)
            note(f"Python {comparison.version}, {form}: stock {stock}, expected {expected}, {results}")
            for strict, code in zip(STRICT, stock):
                kind = "verified" if code == 0 else "refused"
                self.counts[comparison.version, f"{form}, {'strict' if strict else 'default'}: {kind}"] += 1
            if stock != expected:
                self.counts[comparison.version, f"{form}: stock Python differs for the specified store"] += 1
            for load in LOADS:
                if results[load] != expected:
                    found = f"{results[load]}, expected {expected}; stock Python {stock}"
                    raise AssertionError(f"Python {comparison.version}, {form}, {load}: {found}")
                for before, after in zip(stock, results[load]):
                    if is_ambiguous and before == 0 and after != 0:
                        self.counts[comparison.version, f"{form}, {load}: refused, after an ambiguous look-up"] += 1
                        continue
                    assert before != 0 or after == 0, f"Python {comparison.version}, {form}, {load}: lost {stock}"

    def _write(self, path: Path, certificates: Iterable[Description]) -> None:
        path.write_bytes(b"".join(map(self.mint.pem, certificates)))

    def _write_hashed(self, directory: Path, files: list[tuple[Description, list[Description]]]) -> None:
        directory.mkdir()
        numbers: collections.Counter[str] = collections.Counter()
        for owner, content in files:
            name = self._hash(owner)
            self._write(directory / f"{name}.{numbers[name]}", content)
            numbers[name] += 1

    def _hash(self, certificate: Description) -> str:
        """Return the subject hash of *certificate* according to openssl."""
        name = certificate.subject.name
        if name not in self._hashes:
            command = [self._openssl, "x509", "-noout", "-subject_hash"]
            pem = self.mint.pem(certificate)
            self._hashes[name] = (
                subprocess.run(command, input=pem, capture_output=True, check=True).stdout.decode().strip()
            )
        return self._hashes[name]


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory, wheel: Path, openssl: str) -> Iterator[Laboratory]:
    directory = tmp_path_factory.mktemp("generated")
    comparisons = []
    for version in judges.VERSIONS:
        pythons = judges.make_environments(version, directory, wheel)
        if pythons is not None:
            comparisons.append(Comparison(version, pythons, directory))
        elif os.environ.get("CI"):
            pytest.fail(f"Python {version} is not installed")
    if not comparisons:
        pytest.skip(f"none of Python {', '.join(judges.VERSIONS)} is installed")
    laboratory = Laboratory(directory, comparisons, openssl)
    yield laboratory
    for comparison in comparisons:
        comparison.close()
    for (version, label), count in sorted(laboratory.counts.items()):
        print(f"Python {version}: {label}: {count}")


@settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES <= 300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
@given(scenario=generated_pkis.scenarios())
def test_all_contexts_agree_with_stock_python(laboratory: Laboratory, scenario: Scenario) -> None:
    laboratory.run(scenario)
