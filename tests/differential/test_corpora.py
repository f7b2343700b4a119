"""On public corpora, lazy and eager contexts verify the same chains as stock Python, with the same verify codes.

Each case is judged with its own roots, and with the roots of all cases of its file, among which
many have equal names; as a file and as a hashed directory. The oracle is stock Python.

Cases are judged at the time that the corpus defines. certhook uses the clock of the process to drop
expired certificates that are not self-issued. The clock is therefore set to the same time, and stock
Python judges with the roots without these certificates. With the present clock, results may differ
only if such a root has expired between the two times.

Without CERTHOOK_TEST_CORPORA, only the smallest file is tested, on Python 3.11.
"""

from __future__ import annotations

import collections
import ctypes
import json
import lzma
import os
import re
import shutil
import ssl
import time
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple

import judges
import pytest

CORPORA = Path(__file__).with_name("corpora")
IS_COMPLETE = bool(os.environ.get("CERTHOOK_TEST_CORPORA"))
NAMES = ("bt", "gov", "limbo", "names", "ossl", "pkits") if IS_COMPLETE else ("gov",)

_PEM = re.compile(r"-----BEGIN ((?:TRUSTED )?CERTIFICATE)-----\n(.+?)-----END \1-----\n", re.DOTALL)


#: A case of a corpus, see corpora/README.rst.
Case = Dict[str, Any]


class Facts(NamedTuple):
    """The facts about a certificate that decide how it is stored, according to OpenSSL."""

    certificate: bytes
    subject_hash: str
    is_self_issued: bool
    end: int


class Root(NamedTuple):
    """A trusted certificate as PEM, and its facts."""

    pem: str
    facts: Facts

    def is_stale(self, moment: float) -> bool:
        """Return whether certhook drops it at the time *moment*."""
        return not self.facts.is_self_issued and self.facts.end <= moment


def _openssl() -> ctypes.CDLL:
    import _ssl

    library = ctypes.CDLL(_ssl.__file__)
    for name in (
        "d2i_X509",
        "d2i_X509_AUX",
        "X509_get_subject_name",
        "X509_get_issuer_name",
        "X509_get0_notAfter",
        "ASN1_TIME_set",
    ):
        getattr(library, name).restype = ctypes.c_void_p
    library.X509_subject_name_hash.restype = ctypes.c_ulong
    return library


def facts(der: bytes) -> Facts | None:
    """Return the facts about a certificate, None if OpenSSL cannot decode it."""
    library = _openssl()
    start = ctypes.c_char_p(der)
    certificate = ctypes.c_void_p(library.d2i_X509_AUX(None, ctypes.byref(start), ctypes.c_long(len(der))))
    if not certificate:
        return None
    subject = ctypes.c_void_p(library.X509_get_subject_name(certificate))
    issuer = ctypes.c_void_p(library.X509_get_issuer_name(certificate))
    end = ctypes.c_void_p(library.X509_get0_notAfter(certificate))
    days, seconds = ctypes.c_int(), ctypes.c_int()
    epoch = ctypes.c_void_p(library.ASN1_TIME_set(None, ctypes.c_int64(0)))
    assert library.ASN1_TIME_diff(ctypes.byref(days), ctypes.byref(seconds), epoch, end)
    return Facts(
        _first_element(der),
        f"{library.X509_subject_name_hash(certificate):08x}",
        library.X509_NAME_cmp(subject, issuer) == 0,
        days.value * 86400 + seconds.value,
    )


def _first_element(der: bytes) -> bytes:
    """Return the certificate in *der*, which OpenSSL's trust settings may follow."""
    size = der[1] & 0x7F if der[1] & 0x80 else 0
    length = int.from_bytes(der[2 : 2 + size], "big") if size else der[1]
    return der[: 2 + size + length]


class Corpus:
    """The cases of one file."""

    def __init__(self, name: str) -> None:
        with lzma.open(CORPORA / f"{name}.json.xz") as file:
            self.cases: list[Case] = json.load(file)
        self._roots: dict[str, Root | None] = {}

    def roots_of(self, case: Case) -> list[Root]:
        """Return the roots of *case* that OpenSSL decodes, without duplicates."""
        blocks = [(label, text.replace("\n", "")) for label, text in _PEM.findall(case.get("roots_pem", ""))]
        blocks = blocks or [("CERTIFICATE", text) for text in case["roots"]]
        return list(dict.fromkeys(root for root in (self._root(*block) for block in blocks) if root))

    def all_roots(self) -> list[Root]:
        """Return the roots of all cases.

        Each certificate occurs once, with its first trust settings: OpenSSL ignores further ones, while certhook
        honours every rejection.
        """
        roots: dict[bytes, Root] = {}
        for case in self.cases:
            for root in self.roots_of(case):
                roots.setdefault(root.facts.certificate, root)
        return list(roots.values())

    def _root(self, label: str, text: str) -> Root | None:
        key = label + text
        if key not in self._roots:
            found = facts(ssl.PEM_cert_to_DER_cert(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"))
            lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
            self._roots[key] = found and Root(f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n", found)
        return self._roots[key]


class Store:
    """Roots as a file and as a hashed directory."""

    def __init__(self, work: Path, name: str, roots: list[Root]) -> None:
        self.file, self.directory = work / f"{name}.pem", work / name
        self.file.write_text("".join(root.pem for root in roots))
        self.directory.mkdir()
        numbers: collections.Counter[str] = collections.Counter()
        for root in roots:
            (self.directory / f"{root.facts.subject_hash}.{numbers[root.facts.subject_hash]}").write_text(root.pem)
            numbers[root.facts.subject_hash] += 1
        missing = str(work / "missing")
        self.forms = {
            "file": {"SSL_CERT_FILE": str(self.file), "SSL_CERT_DIR": missing},
            "directory": {"SSL_CERT_FILE": missing, "SSL_CERT_DIR": str(self.directory)},
        }


class Comparison:
    """Judges of one Python version, with and without certhook."""

    def __init__(self, pythons: tuple[Path, Path], work: Path) -> None:
        self.work = work
        self.stores = work / "stores"
        self.stock, self.hooked = (judges.Judge(python, CERTHOOK_SOURCES="system") for python in pythons)
        assert self.hooked.is_hooked and not self.stock.is_hooked
        self.counts: collections.Counter[str] = collections.Counter()
        self.differences: list[str] = []
        self._number = 0

    def compare(self, roots: list[Root], cases: list[Case]) -> None:
        """Compare the judgements on *cases*, all at one time, with *roots*."""
        self._number += 1
        work = self.work / str(self._number)
        work.mkdir()
        moment = cases[0]["time"]
        now = time.time()
        judged_at = now if moment is None else moment
        fresh = [root for root in roots if not root.is_stale(judged_at)]
        fresh_now = [root for root in roots if not root.is_stale(now)]
        given = Store(work, "given", roots)
        specified = given if fresh == roots else Store(work, "specified", fresh)
        specified_now = specified if fresh == fresh_now else Store(work, "specified_now", fresh_now)
        # Another store with equal content, because certhook keeps the trust in one while the clock changes.
        at_present = Store(work, "at_present", roots) if fresh != fresh_now else given
        for form, variables in given.forms.items():
            stock = [self._judge(case, variables, "") for case in cases]
            expected = stock
            for result in stock:
                self.counts[f"{form}: {'verified' if result == 0 else 'refused'}"] += 1
            if specified is not given:
                self.counts["with a root that is dropped at this time"] += len(cases)
                expected = [self._judge(case, specified.forms[form], "") for case in cases]
            self._check(cases, form, variables, moment, stock, expected)
            if fresh != fresh_now:
                self.counts["with a root that is dropped only by the present clock"] += len(cases)
                expected = [self._judge(case, specified_now.forms[form], "") for case in cases]
                self._check(cases, f"{form}, present clock", at_present.forms[form], None, expected, expected)
        shutil.rmtree(work)
        shutil.rmtree(self.stores, ignore_errors=True)

    def _check(
        self, cases: list[Case], form: str, variables: dict[str, str], clock: Any, stock: list[Any], expected: list[Any]
    ) -> None:
        """Record each result of certhook that is not *expected*, or that refuses a chain that stock Python verifies."""
        for load in ("lazy", "eager"):
            for case, before, wanted in zip(cases, stock, expected):
                result = self._judge(case, variables, load, clock)
                if result != wanted or (before == 0 and result != 0):
                    self.counts[f"{form}, {load}: different"] += 1
                    found = f"{result}, expected {wanted}; stock Python {before}"
                    self.differences.append(f"{case['id']}, {form}, {load}: {found}")

    def _judge(self, case: Case, variables: dict[str, str], load: str, clock: Any = None) -> Any:
        """Return the result of one case; *load* is empty for stock Python."""
        request = {"chain": case["chain"], "host": case["host"], "time": case["time"], "strict": [None], "clock": clock}
        request["flags"] = case.get("flags", 0)
        if load:
            variables = {**variables, "CERTHOOK_LOAD": load, "CERTHOOK_STORE_DIR": str(self.stores)}
        # A context that has loaded a file does not change; one with a directory does.
        is_lazy = load == "lazy" or not (load or variables["SSL_CERT_FILE"].endswith(".pem"))
        keep = None if is_lazy else f"{load} {variables}"
        judge = self.hooked if load else self.stock
        return judge.ask(variables=variables, keep=keep, **request)[0]

    def close(self) -> None:
        self.stock.close()
        self.hooked.close()


@pytest.fixture(scope="module", params=judges.VERSIONS if IS_COMPLETE else ["3.11"])
def comparison(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel: Path
) -> Iterator[Comparison]:
    directory = tmp_path_factory.mktemp("corpora")
    pythons = judges.make_environments(request.param, directory, wheel)
    if pythons is None:
        reason = f"Python {request.param} is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    comparison = Comparison(pythons, directory)
    yield comparison
    comparison.close()


@pytest.mark.parametrize("roots", ["own", "all"] if IS_COMPLETE else ["own"])
@pytest.mark.parametrize("name", NAMES)
def test_all_contexts_agree_with_stock_python(comparison: Comparison, name: str, roots: str) -> None:
    corpus = Corpus(name)
    comparison.counts.clear()
    comparison.differences.clear()
    groups: dict[Any, list[Case]] = {}
    everything = corpus.all_roots()
    for case in corpus.cases:
        groups.setdefault((tuple(corpus.roots_of(case) if roots == "own" else everything), case["time"]), []).append(
            case
        )
    for (trusted, _), cases in groups.items():
        comparison.compare(list(trusted), cases)
    version = ".".join(map(str, comparison.stock.version))
    print(f"\nPython {version}, {comparison.stock.openssl}, {name}, {roots} roots: {len(corpus.cases)} cases")
    for label, count in sorted(comparison.counts.items()):
        print(f"    {label}: {count}")
    assert not comparison.differences, "\n".join(comparison.differences)
