"""``python -m certhook audit``: verify the installation, and show the code and files that trust depends on."""

from __future__ import annotations

import argparse
import sys

import certhook
from certhook._text import presentable
from certhook.cli import _activation, _manual, _terminal
from certhook.cli.audit import access, distributions, problem, record, report, starting, surroundings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook.cli.audit.distributions import Distribution
    from certhook.cli.audit.problem import Problem


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "audit",
        "verify the installed files of certhook and certifi, and show the code that runs at start",
        (
            "Compare every installed file of certhook and its requirements with the hash in RECORD, and every compiled "
            "module with its source. Find files that RECORD does not list, duplicates, other start-up files, and files "
            "and directories that another user can modify. Show the code that runs at interpreter start with its "
            "SHA-256, the compiled stores, the locations of root certificates, the variables that affect trust, and "
            "the commands that certhook may start. Problems come first, each with a remedy. Nothing is changed.",
            "A modified certhook can print anything. The section 'Verifying the installation from outside' of "
            f"{_manual.page('explanation/security')} contains a script that uses only the standard library.",
        ),
        (
            "Use 'python -I -m certhook audit', so that neither PYTHONPATH nor the working directory can replace the "
            "modules that run.",
            "Exit status: 0 if everything was verified and no other user can modify it, 1 if not, 2 for invalid "
            "arguments.",
        ),
    )
    _terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the result.

    :returns: 0 if there are no problems, otherwise 1
    """
    found = _examine()
    if _terminal.wants_json(options):
        _terminal.show_json(found)
    else:
        _terminal.show_report(report.render(found), report.MARKS)
    return 0 if found["verified"] else 1


def _examine() -> dict[str, Any]:
    """Return the result as a JSON object."""
    examined = access.Access()
    problems: list[Problem] = []
    entries = []
    installed = distributions.find()
    for distribution in installed:
        entry, found = _verify(distribution, examined)
        entries.append(entry)
        problems += found
    start_files, found = starting.start_files()
    problems += found
    problems += starting.problems(
        start_files, installed[0].location, installed[0].kind == distributions.WHEEL, examined
    )
    problems += surroundings.interpreter_problems(examined)
    problems += surroundings.variable_problems()
    stores, found = surroundings.stores()
    problems += found
    locations, source_problems = surroundings.locations()
    return {
        "certhook": certhook.__version__,
        "python": sys.version.split()[0],
        "executable": presentable(sys.executable or ""),
        "isolated": bool(sys.flags.isolated),
        "verified": not problems,
        "findings": problem.as_json(problems),
        "distributions": entries,
        "enabled_by": _activation.enabled_by(),
        "start_files": [file.as_json() for file in start_files],
        "other_start_files": starting.other_start_files(),
        "modules": starting.modules(),
        "stores": stores,
        "locations": locations,
        "source_problems": source_problems,
        "variables": surroundings.variables(),
        "commands": [command._asdict() for command in surroundings.COMMANDS],
        "access_examined": access.HAS_MODES,
        "settings_file": surroundings.settings_file(),
    }


def _verify(distribution: Distribution, examined: access.Access) -> tuple[dict[str, Any], list[Problem]]:
    problems = list(distributions.problems(distribution))
    verifier = record.Verifier(distribution, examined)
    if distribution.kind == distributions.WHEEL:
        problems += verifier.problems()
    elif distribution.location:
        problems += examined.problems(distribution.location)
    entry = {
        "name": distribution.name,
        "version": distribution.version and presentable(distribution.version),
        "kind": distribution.kind,
        "location": presentable(distribution.location),
        "finder": presentable(distribution.finder),
        "record": presentable(distribution.record),
        "record_sha256": verifier.sha256,
        "verified_file_count": verifier.verified,
        "other_version_count": verifier.other_versions,
        "archive_sha256": distributions.archive_digest(distribution),
        "shadowed": [presentable(path) for path in distribution.shadowed],
    }
    return entry, problems
