"""Other people's tests, without certhook and with it: ``python tests/suites/run.py NAME``.

Two fresh environments are made that are alike to the last package, but that
certhook is in one of them; it is not merely switched off in the other, since
tests of start-up look for ``.pth`` files. The tests run in both, and the outcome
of each is compared. Where it differs, the files that have such tests run again in both:
a test counts whose outcomes have nothing in common then; the others are
flaky, and shown as such.

The exit status is 1 if a test does worse with certhook, if too few pass, or if certhook
was active where it should not have been, or was not where it should.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Dict, Iterable, NamedTuple
from xml.etree import ElementTree

from suites import PYTEST, SUITES, Suite

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import support  # noqa: E402

#: From the worst to the best. Missing: it was not collected, or the process died before it.
OUTCOMES = ("failed", "missing", "skipped", "passed")

RERUNS = 3

#: How long all tests of a suite may take, in seconds; a single one is ended sooner.
LIMIT = 1800

#: What an interpreter is asked before the tests: where certhook is active.
ACTIVE = "import ssl; print(hasattr(ssl.create_default_context, '__certhook__'))"

#: The outcome of each test, by its id.
Outcomes = Dict[str, str]


class Side(NamedTuple):
    """One of the two environments, and what its processes see."""

    python: Path
    home: Path
    cache: Path

    def run(self, *command: object, cwd: Path, log: Path, report: Path) -> str:
        """Run *command*, whatever its exit status, and return the *report* it wrote; what it prints goes to *log*."""
        env = support.clean_env(HOME=str(self.home), CERTHOOK_CACHE_DIR=str(self.cache))
        with log.open("wb") as output:
            subprocess.run(list(map(str, command)), cwd=cwd, env=env, stdout=output, stderr=output, timeout=LIMIT)
        if not report.exists():
            sys.exit(f"The tests did not run:\n{log.read_text(encoding='utf-8', errors='replace')}")
        return report.read_text(encoding="utf-8")

    def active(self) -> bool:
        """Whether certhook is, in a process like those of the tests."""
        env = support.clean_env(HOME=str(self.home), CERTHOOK_CACHE_DIR=str(self.cache))
        return support.run(self.python, ACTIVE, env=env).stdout.strip() == "True"

    def served(self) -> bool:
        """Whether certhook gave default trust to a context, for which it made a compiled store."""
        return self.cache.exists() and any(self.cache.iterdir())


class Tests:
    """The tests of one suite, ready to run in both environments in the folder *work*.

    :param base: the interpreter of both
    """

    def __init__(self, suite: Suite, base: str, work: Path) -> None:
        self.suite = suite
        self.work = work
        work.mkdir(parents=True)
        packages = (*PYTEST, *suite.packages) if suite.source else ()
        wheel = _wheel(work)
        self.stock = _environment(base, work / "stock", wheel, packages)
        _pip(self.stock.python, "uninstall", "--yes", "certhook")
        self.ours = _environment(base, work / "certhook", wheel, packages)
        for side in (self.stock, self.ours):
            # setuptools has a .pth of its own, for which CPython's tests of start-up step aside.
            _pip(side.python, "uninstall", "--yes", "setuptools", "pip")
        self.source = _unpacked(suite.source, work) if suite.source else work
        self.targets = suite.targets if suite.source else _existing(self.stock.python, suite.targets)

    def run(self, side: Side, targets: Iterable[str], name: str) -> Outcomes:
        """Run *targets* on *side*; logs and reports are called *name*."""
        return (self._pytest if self.suite.source else self._regrtest)(side, targets, self.work / name)

    def target(self, test: str) -> str:
        """What to name to have *test* run once more, with its neighbours."""
        if self.suite.source:
            return test.partition("::")[0]
        return next(target for target in self.targets if f"test.{target}." in test)

    def _pytest(self, side: Side, targets: Iterable[str], name: Path) -> Outcomes:
        report = name.with_suffix(".jsonl")
        options = ("-n", "2", "-p", "no:cacheprovider", "--timeout=120", f"--report-log={report}")
        command = (side.python.with_name("pytest"), *options, *self.suite.arguments, *targets)
        text = side.run(*command, cwd=self.source, log=name.with_suffix(".log"), report=report)
        found: Outcomes = {}
        for line in text.splitlines():
            entry = json.loads(line)
            if entry["$report_type"] == "TestReport" or entry.get("outcome") == "failed":
                # Parameters that are paths have the environment in them.
                _add(found, entry["nodeid"].replace(str(side.python.parent.parent), "ENVIRONMENT"), entry["outcome"])
        return found

    def _regrtest(self, side: Side, targets: Iterable[str], name: Path) -> Outcomes:
        report = name.with_suffix(".xml")
        command = (side.python, "-m", "test", "-j2", "--timeout=300", f"--junit-xml={report}", *targets)
        text = side.run(*command, cwd=self.source, log=name.with_suffix(".log"), report=report)
        found: Outcomes = {}
        test = ""
        for case in ElementTree.fromstring(text).iter("testcase"):
            kinds = {child.tag for child in case}
            if "name" not in case.attrib:
                # Of a test with a subtest that failed it says no more than that there is one, behind another test.
                _add(found, f"after {test}", "failed")
                continue
            test = case.attrib["name"]
            # "outcome" is that of a test which passed, and should not have.
            failed = kinds & {"error", "failure", "outcome"}
            _add(found, test, "failed" if failed else "skipped" if "skipped" in kinds else "passed")
        return found


def main() -> int:
    """Run the command line, and return the exit status."""
    options = _options()
    # No compiled store is used in /tmp, where everybody can write.
    cache = Path.home() / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="certhook-suites-", dir=cache) as folder:
        # Resolved: compiled stores refuse a way to them that somebody else could change.
        work = (options.work or Path(folder)).resolve()
        results = []
        for python in options.python or [sys.executable]:
            base, version = _base(python)
            print(f"{options.name}, Python {version}", flush=True)
            results.append(compare(Tests(SUITES[options.name], base, work / version)))
        return 0 if all(results) else 1


def compare(tests: Tests) -> bool:
    """Run *tests* in both environments, print what differs, and return whether all is well."""
    suite, sides = tests.suite, {"stock": tests.stock, "certhook": tests.ours}
    complaints = [
        f"{name}: certhook is {'' if side.active() else 'not '}active"
        for name, side in sides.items()
        if side.active() != (side is tests.ours)
    ]
    first: dict[str, Outcomes] = {}
    for name, side in sides.items():
        started = time.monotonic()
        first[name] = tests.run(side, tests.targets, name)
        counts = Counter(first[name].values())
        numbers = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))
        print(f"  {name:8}  {numbers}  ({time.monotonic() - started:.0f} s)", flush=True)
        if counts["passed"] < suite.floor:
            complaints.append(f"{name}: fewer than {suite.floor} tests passed")
        if side.served() != (side is tests.ours):
            complaints.append(f"{name}: certhook gave default trust to {'a' if side.served() else 'no'} context")
    differing = _differing(first["stock"], first["certhook"])
    for test, (outcome, why) in suite.known.items():
        if differing.get(test, ("", ""))[1] == outcome:
            before, after = differing.pop(test)
            print(f"  known: {test}: {before}, with certhook {after}: {why}")
    complaints += _repeated(tests, sides, differing)
    for complaint in complaints:
        print(f"  WRONG: {complaint}")
    print(f"  {'not well' if complaints else 'all is well'}", flush=True)
    return not complaints


def _repeated(tests: Tests, sides: dict[str, Side], differing: dict[str, tuple[str, str]]) -> list[str]:
    """Run the *differing* tests again, print what became of them, and return what is to be complained of."""
    if not differing:
        return []
    complaints = []
    targets = sorted({tests.target(test) for test in differing})
    again: dict[str, list[Outcomes]] = {name: [] for name in sides}
    for number in range(1, RERUNS + 1):
        for name, side in sides.items():
            again[name].append(tests.run(side, targets, f"{name}-{number}"))
    for test, (before, after) in differing.items():
        stock, ours = ([found.get(test, "missing") for found in again[name]] for name in sides)
        line = f"{test}: {before}, with certhook {after}; again: {' '.join(stock)}, with certhook {' '.join(ours)}"
        if set(stock) & set(ours):
            print(f"  flaky: {line}")
        elif OUTCOMES.index(after) < OUTCOMES.index(before):
            complaints.append(line)
        else:
            print(f"  better: {line}")
    return complaints


def _differing(stock: Outcomes, ours: Outcomes) -> dict[str, tuple[str, str]]:
    pairs = {test: (stock.get(test, "missing"), ours.get(test, "missing")) for test in sorted({*stock, *ours})}
    return {test: pair for test, pair in pairs.items() if pair[0] != pair[1]}


def _add(found: Outcomes, test: str, outcome: str) -> None:
    """Note an outcome of one part of a test (set-up, call, subtest): the worst one holds, but a set-up that passes."""
    outcomes = ("failed", "skipped", "passed")
    found[test] = min(outcome, found.get(test, outcome), key=outcomes.index)


def _environment(base: str, folder: Path, wheel: Path, packages: Iterable[str]) -> Side:
    subprocess.run([base, "-m", "venv", str(folder)], check=True, env=support.clean_env())
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    _pip(python, "install", str(wheel), *packages)
    home = folder.with_name(f"{folder.name}-home")
    home.mkdir()
    return Side(python, home, home / "certhook")


def _pip(python: str | Path, *arguments: str) -> None:
    # With the variables of whoever runs this: they say how to reach the package index.
    subprocess.run([str(python), "-m", "pip", *arguments, "--quiet"], check=True)


def _wheel(work: Path) -> Path:
    # From a copy: building leaves files behind.
    support.copy_sources(HERE.parent.parent, work / "checkout")
    _pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(work / "wheel"), str(work / "checkout"))
    (wheel,) = (work / "wheel").glob("certhook-*.whl")
    return wheel


def _unpacked(requirement: str, work: Path) -> Path:
    """Download and unpack a source distribution."""
    name = requirement.partition("==")[0]
    _pip(sys.executable, "download", "--no-deps", "--no-binary", name, "--dest", str(work / "source"), requirement)
    (archive,) = (work / "source").iterdir()
    shutil.unpack_archive(str(archive), str(work / "source"))
    archive.unlink()
    (folder,) = (work / "source").iterdir()
    # What is tested is the package that is installed, also by a process that is started here.
    shutil.rmtree(folder / name, ignore_errors=True)
    return folder


def _existing(python: Path, modules: Iterable[str]) -> tuple[str, ...]:
    """Those of *modules* that the :mod:`test` of *python* has."""
    code = "import importlib.util, sys; print(*(m for m in {!r} if importlib.util.find_spec('test.' + m)))"
    return tuple(support.run(python, code.format(tuple(modules))).stdout.split())


def _base(python: str) -> tuple[str, str]:
    """The interpreter that the environment of *python* was made from, or itself, and its version."""
    code = "import platform, sys; print(getattr(sys, '_base_executable', sys.executable), platform.python_version())"
    base, _, version = support.run(python, code).stdout.strip().rpartition(" ")
    return base, version


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run other people's tests without certhook and with it, and compare.")
    parser.add_argument("name", choices=sorted(SUITES), help="whose tests")
    parser.add_argument("--python", action="append", help="an interpreter; may be repeated; this one unless given")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="a new folder, kept with all logs; else temporary")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
