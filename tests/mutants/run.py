"""Mutation testing of the parsers with mutmut; the ``mutants`` environment of tox runs this script.

``modules.toml`` lists the modules, and the tests of each. ``survivors.toml`` lists the mutants
that no test can or should kill, each with a reason. The script fails for a survivor that is not
listed, and for a listed mutant that no longer survives. Without arguments it runs all modules::

    tox run -e mutants -- certhook/_certificates/x509.py

mutmut imports the package from a copy of the sources, so certhook must not be installed.
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
from typing import Any, Iterable, NamedTuple

import tomllib

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

#: The states in mutmut of a mutant that the tests have detected.
DETECTED = ("killed", "timeout", "caught by type check")
#: Directories of tests that have environments of their own.
OTHER_TESTS = ("clients", "embedded", "fuzz", "mutants", "neighbours", "programs", "suites")


class Mutant(NamedTuple):
    """One change to one function: the lines that it removes, and the lines that replace them."""

    function: str
    removed: str
    added: str


def main() -> int:
    """Run the modules that the command line names; return the exit status."""
    modules = tomllib.loads((HERE / "modules.toml").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("module", nargs="*", metavar="MODULE", help=f"one of {', '.join(modules)}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="number of parallel processes")
    arguments = parser.parse_args()
    unknown = set(arguments.module) - set(modules)
    if unknown:
        parser.error(f"not in modules.toml: {', '.join(sorted(unknown))}")
    expected = listed_survivors()
    # A list, not a generator: every module runs, whatever the others return.
    failures = [not check(name, modules[name], expected, arguments.jobs) for name in arguments.module or modules]
    return int(any(failures))


def listed_survivors() -> dict[str, Counter[Mutant]]:
    """Read ``survivors.toml``: the path of each module, and the mutants listed for it."""
    listed: dict[str, Counter[Mutant]] = {}
    for module, entries in tomllib.loads((HERE / "survivors.toml").read_text(encoding="utf-8")).items():
        listed[module] = Counter()
        for entry in entries:
            assert entry["reason"].strip(), f"{module}: {entry['function']}: a survivor needs a reason"
            listed[module].update(Mutant(entry["function"], entry["removed"], added) for added in entry["added"])
    return listed


def check(module: str, tests: list[str], expected: dict[str, Counter[Mutant]], jobs: int) -> bool:
    """Test the mutants of *module*, print a summary, and return whether the survivors are those expected."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as project:
        prepare(Path(project), module, tests)
        command = [sys.executable, str(HERE / "mutate.py"), str(jobs)]
        done = subprocess.run(command, cwd=project, stdout=subprocess.PIPE, encoding="utf-8", errors="replace")
        results = Path(project, "results.json")
        if done.returncode or not results.exists():
            print(done.stdout, f"{module}: mutmut failed with exit status {done.returncode}", sep="\n")
            return False
        mutants = json.loads(results.read_text(encoding="utf-8"))
    survivors = Counter(Mutant(*mutant["change"]) for mutant in mutants if mutant["status"] not in DETECTED)
    counts = Counter(mutant["status"] for mutant in mutants)
    listed = expected.get(module, Counter())
    seconds = round(time.monotonic() - started)
    print(
        f"{module}: {len(mutants)} mutants in {seconds} s:",
        ", ".join(f"{n} {s}" for s, n in counts.most_common()),
        flush=True,
    )
    show("survives and is not listed in survivors.toml", survivors - listed)
    show("is listed in survivors.toml and does not survive", listed - survivors)
    return bool(mutants) and survivors == listed


def prepare(project: Path, module: str, tests: Iterable[str]) -> None:
    """Copy the package and its tests to *project*, with a configuration for *module*."""
    ignored = shutil.ignore_patterns("__pycache__", *OTHER_TESTS)
    shutil.copytree(ROOT / "certhook", project / "certhook", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", project / "tests", ignore=ignored)
    settings: dict[str, Any] = {
        "source_paths": ["certhook"],
        "only_mutate": [module],
        # Without random examples and measured times: a mutant must not survive or die by chance.
        "pytest_add_cli_args_test_selection": [*tests, "-m", "not hypothesis", "-k", "not linear_time"],
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
        "do_not_mutate_patterns": [r"sys\.version_info"],
        "use_git_change_detection": False,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    (project / "pyproject.toml").write_text("\n".join(["[tool.mutmut]", *lines, ""]), encoding="utf-8")


def show(title: str, mutants: Counter[Mutant]) -> None:
    """Print *mutants* as entries for ``survivors.toml``."""
    for mutant in mutants.elements():
        print(f"  {title}:")
        print(f"    function = {json.dumps(mutant.function)}")
        print(f"    removed = {json.dumps(mutant.removed)}")
        print(f"    added = [{json.dumps(mutant.added)}]")


if __name__ == "__main__":
    sys.exit(main())
