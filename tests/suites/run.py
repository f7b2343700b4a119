"""Run the test suite of another project with and without certhook: ``python tests/suites/run.py NAME``.

The script creates two environments with identical packages, except that only one of them contains
certhook. Disabling certhook in the other is not sufficient, since tests of interpreter start-up look
for ``.pth`` files. The tests run in both environments, and the script compares the outcome of each.
If outcomes differ, the files that contain these tests run again in both environments. A difference
counts if the repeated outcomes have nothing in common; otherwise the test is reported as flaky.

The exit status is 1 if a test has a worse outcome with certhook, if too few tests pass, or if
certhook was active in the wrong environment or inactive in the right one.
"""

from __future__ import annotations

import argparse
import json
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

#: From worst to best. Missing: the test was not collected, or the process ended before it.
OUTCOMES = ("failed", "missing", "skipped", "passed")

RERUNS = 3

#: Time limit for all tests of a suite, in seconds. Each test has a shorter limit of its own.
TIME_LIMIT = 1800

#: Prints whether certhook is active.
PRINT_ACTIVE = "import ssl; print(hasattr(ssl.create_default_context, '__certhook__'))"

#: The outcome of each test, by its id.
Outcomes = Dict[str, str]


class Side(NamedTuple):
    """One of the two environments, with the home and cache directories of its processes."""

    python: Path
    home: Path
    cache: Path

    @property
    def env(self) -> dict[str, str]:
        """The environment variables of the processes."""
        return support.clean_env(HOME=str(self.home), CERTHOOK_STORE_DIR=str(self.cache))

    def run(self, *command: object, cwd: Path, log: Path, report: Path) -> str:
        """Run *command* with any exit status, write its output to *log*, and return its *report*."""
        with log.open("wb") as output:
            subprocess.run(
                list(map(str, command)), cwd=cwd, env=self.env, stdout=output, stderr=output, timeout=TIME_LIMIT
            )
        if not report.exists():
            sys.exit(f"The tests did not run:\n{log.read_text(encoding='utf-8', errors='replace')}")
        return report.read_text(encoding="utf-8")

    def is_active(self) -> bool:
        """Whether certhook is active in a process like those of the tests."""
        return support.run(self.python, PRINT_ACTIVE, env=self.env).stdout.strip() == "True"

    def has_store(self) -> bool:
        """Whether certhook has built a compiled store, that is, whether a context got default trust from it."""
        return self.cache.exists() and any(self.cache.iterdir())


class Tests:
    """The tests of one suite, prepared for both environments in the directory *work*.

    :param base: the interpreter of both environments
    """

    def __init__(self, suite: Suite, base: str, work: Path) -> None:
        self.suite = suite
        self.work = work
        work.mkdir(parents=True)
        packages = (*PYTEST, *suite.packages) if suite.source else ()
        wheel = _build_wheel(work)
        self.stock = _make_environment(base, work / "stock", wheel, packages)
        _pip(self.stock.python, "uninstall", "--yes", "certhook")
        self.certhook = _make_environment(base, work / "certhook", wheel, packages)
        for side in (self.stock, self.certhook):
            # setuptools installs a .pth file, which makes CPython's start-up tests skip.
            _pip(side.python, "uninstall", "--yes", "setuptools", "pip")
        self.source = _download_source(suite.source, work) if suite.source else work
        self.targets = suite.targets if suite.source else _existing_modules(self.stock.python, suite.targets)

    def run(self, side: Side, targets: Iterable[str], name: str) -> Outcomes:
        """Run *targets* in the environment *side*; *name* is the name of the log and the report."""
        return (self._pytest if self.suite.source else self._regrtest)(side, targets, self.work / name)

    def target(self, test: str) -> str:
        """Return the target that contains *test*."""
        if self.suite.source:
            return test.partition("::")[0]
        return next(target for target in self.targets if f"test.{target}." in test)

    def _pytest(self, side: Side, targets: Iterable[str], name: Path) -> Outcomes:
        report = name.with_suffix(".jsonl")
        options = ("-n", "2", "-p", "no:cacheprovider", "--timeout=120", f"--report-log={report}")
        command = (side.python.with_name("pytest"), *options, *self.suite.arguments, *targets)
        text = side.run(*command, cwd=self.source, log=name.with_suffix(".log"), report=report)
        outcomes: Outcomes = {}
        for line in text.splitlines():
            entry = json.loads(line)
            if entry["$report_type"] == "TestReport" or entry.get("outcome") == "failed":
                # Parameters that are paths contain the path of the environment.
                _add(outcomes, entry["nodeid"].replace(str(side.python.parent.parent), "ENVIRONMENT"), entry["outcome"])
        return outcomes

    def _regrtest(self, side: Side, targets: Iterable[str], name: Path) -> Outcomes:
        report = name.with_suffix(".xml")
        command = (side.python, "-m", "test", "-j2", "--timeout=300", f"--junit-xml={report}", *targets)
        text = side.run(*command, cwd=self.source, log=name.with_suffix(".log"), report=report)
        outcomes: Outcomes = {}
        test = ""
        for case in ElementTree.fromstring(text).iter("testcase"):
            kinds = {child.tag for child in case}
            if "name" not in case.attrib:
                # For a test with a failed subtest, the report contains only an entry without a name after another test.
                _add(outcomes, f"after {test}", "failed")
                continue
            test = case.attrib["name"]
            # "outcome" marks a test that passed unexpectedly.
            failed = kinds & {"error", "failure", "outcome"}
            _add(outcomes, test, "failed" if failed else "skipped" if "skipped" in kinds else "passed")
        return outcomes


def main() -> int:
    """Run the command line, and return the exit status."""
    options = _options()
    # certhook uses no compiled store in /tmp, which all users can write to.
    cache = Path.home() / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="certhook-suites-", dir=cache) as directory:
        # Resolved, because certhook uses no compiled store below a symbolic link that another user could change.
        work = (options.work or Path(directory)).resolve()
        results = []
        for python in options.python or [sys.executable]:
            base, version = _base_interpreter(python)
            print(f"{options.name}, Python {version}", flush=True)
            results.append(compare(Tests(SUITES[options.name], base, work / version)))
        return 0 if all(results) else 1


def compare(tests: Tests) -> bool:
    """Run *tests* in both environments, print the differences, and return whether there are no failures."""
    suite, sides = tests.suite, {"stock": tests.stock, "certhook": tests.certhook}
    failures = [
        f"{name}: certhook is {'' if side.is_active() else 'not '}active"
        for name, side in sides.items()
        if side.is_active() != (side is tests.certhook)
    ]
    first: dict[str, Outcomes] = {}
    for name, side in sides.items():
        started = time.monotonic()
        first[name] = tests.run(side, tests.targets, name)
        counts = Counter(first[name].values())
        numbers = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))
        print(f"  {name:8}  {numbers}  ({time.monotonic() - started:.0f} s)", flush=True)
        if counts["passed"] < suite.floor:
            failures.append(f"{name}: fewer than {suite.floor} tests passed")
        if side.has_store() != (side is tests.certhook):
            failures.append(f"{name}: certhook built {'a' if side.has_store() else 'no'} compiled store")
    differences = _compare_outcomes(first["stock"], first["certhook"])
    for test, (outcome, reason) in suite.known.items():
        if differences.get(test, ("", ""))[1] == outcome:
            before, after = differences.pop(test)
            print(f"  known: {test}: {before}, with certhook {after}: {reason}")
    failures += _rerun(tests, sides, differences)
    for failure in failures:
        print(f"  FAILURE: {failure}")
    print(f"  {'failed' if failures else 'passed'}", flush=True)
    return not failures


def _rerun(tests: Tests, sides: dict[str, Side], differences: dict[str, tuple[str, str]]) -> list[str]:
    """Run the tests with *differences* again, print the outcomes, and return the failures."""
    if not differences:
        return []
    failures = []
    targets = sorted({tests.target(test) for test in differences})
    repeated: dict[str, list[Outcomes]] = {name: [] for name in sides}
    for number in range(1, RERUNS + 1):
        for name, side in sides.items():
            repeated[name].append(tests.run(side, targets, f"{name}-{number}"))
    for test, (before, after) in differences.items():
        stock, certhook = ([outcomes.get(test, "missing") for outcomes in repeated[name]] for name in sides)
        line = (
            f"{test}: {before}, with certhook {after}; repeated: {' '.join(stock)}, with certhook {' '.join(certhook)}"
        )
        if set(stock) & set(certhook):
            print(f"  flaky: {line}")
        elif OUTCOMES.index(after) < OUTCOMES.index(before):
            failures.append(line)
        else:
            print(f"  better: {line}")
    return failures


def _compare_outcomes(stock: Outcomes, certhook: Outcomes) -> dict[str, tuple[str, str]]:
    pairs = {test: (stock.get(test, "missing"), certhook.get(test, "missing")) for test in sorted({*stock, *certhook})}
    return {test: pair for test, pair in pairs.items() if pair[0] != pair[1]}


def _add(outcomes: Outcomes, test: str, outcome: str) -> None:
    """Record the outcome of one part of a test (set-up, call, subtest); the worst one applies."""
    order = ("failed", "skipped", "passed")
    outcomes[test] = min(outcome, outcomes.get(test, outcome), key=order.index)


def _make_environment(base: str, directory: Path, wheel: Path, packages: Iterable[str]) -> Side:
    subprocess.run([base, "-m", "venv", str(directory)], check=True, env=support.clean_env())
    python = support.interpreter_of(directory)
    _pip(python, "install", str(wheel), *packages)
    home = directory.with_name(f"{directory.name}-home")
    home.mkdir()
    return Side(python, home, home / "certhook")


def _pip(python: str | Path, *arguments: str) -> None:
    # With the variables of this process, which configure the package index.
    subprocess.run([str(python), "-m", "pip", *arguments, "--quiet"], check=True)


def _build_wheel(work: Path) -> Path:
    # From a copy, because a build creates files in the source directory.
    support.copy_sources(HERE.parent.parent, work / "checkout")
    _pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(work / "wheel"), str(work / "checkout"))
    (wheel,) = (work / "wheel").glob("certhook-*.whl")
    return wheel


def _download_source(requirement: str, work: Path) -> Path:
    """Download and unpack a source distribution."""
    name = requirement.partition("==")[0]
    _pip(sys.executable, "download", "--no-deps", "--no-binary", name, "--dest", str(work / "source"), requirement)
    (archive,) = (work / "source").iterdir()
    shutil.unpack_archive(str(archive), str(work / "source"))
    archive.unlink()
    (directory,) = (work / "source").iterdir()
    # Without the package, so that processes started in this directory import the installed one.
    shutil.rmtree(directory / name, ignore_errors=True)
    return directory


def _existing_modules(python: Path, modules: Iterable[str]) -> tuple[str, ...]:
    """Return those of *modules* that the package :mod:`test` of *python* contains."""
    code = "import importlib.util, sys; print(*(m for m in {!r} if importlib.util.find_spec('test.' + m)))"
    return tuple(support.run(python, code.format(tuple(modules))).stdout.split())


def _base_interpreter(python: str) -> tuple[str, str]:
    """Return the interpreter from which the environment of *python* was created, or *python*, and its version."""
    code = "import platform, sys; print(getattr(sys, '_base_executable', sys.executable), platform.python_version())"
    base, _, version = support.run(python, code).stdout.strip().rpartition(" ")
    return base, version


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Run the test suite of another project with and without certhook, and compare."
    )
    parser.add_argument("name", choices=sorted(SUITES), help="the project")
    parser.add_argument("--python", action="append", help="an interpreter; can be repeated; default: this one")
    parser.add_argument(
        "--work", type=Path, metavar="DIR", help="a new directory, kept with all logs; default: temporary"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
