"""One run of ``check``: probing all servers at the same time, and presenting the results in the given order."""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from typing import Any, Sequence

from certhook._certificates.anchor import Anchor
from certhook.cli import _manual
from certhook.cli.check import arguments, expiry, hints, interpreter
from certhook.cli.check.clients import is_failing
from certhook.cli.check.interpreter import State
from certhook.cli.check.output import Output
from certhook.cli.check.pem import pem_text
from certhook.cli.check.probe import probe
from certhook.cli.check.results import describe
from certhook.cli.check.target import Target
from certhook.cli.check.workers import results_in_order

#: The exit statuses.
VERIFIED, NOT_VERIFIED, EXPIRES_SOON = 0, 1, 3


def run(options: argparse.Namespace, targets: Sequence[Target], additional: Sequence[Anchor]) -> int:
    """Check *targets*, show the results, and return the exit status.

    :param additional: the roots of ``--ca``
    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``
    """
    checks: list[dict[str, Any]] = []
    with warnings.catch_warnings():
        # The result contains the problems. This is done once, because catch_warnings() in a thread affects the others.
        warnings.simplefilter("ignore")
        state = interpreter.examine(additional)
        output = Output(options, state, len(targets))
        output.start()
        try:
            results = results_in_order(
                partial(_check, options=options, state=state),
                targets,
                lambda done, waiting: output.progress.show(done, [target.text for target in waiting]),
            )
            for check in results:
                checks.append(check)
                output.show(check)
        finally:
            output.progress.clear()
    output.finish(checks)
    return _exit_status(state, checks)


def _check(target: Target, options: argparse.Namespace, state: State) -> dict[str, Any]:
    """Return the result for one server as a JSON object."""
    found = probe(target, state.local, options.timeout)
    check = describe(target, found)
    interpreter.as_programs_see_it(check, state)
    arguments.add_hint(check, options.verbs)
    if check["cause"]:
        check["cause"]["documentation"] = _manual.troubleshooting(check["cause"]["id"])
    now = expiry.current_time()
    check["days_left"] = expiry.days_left(check, now)
    check["expiring"] = [] if options.warn_days is None else expiry.expiring(check, options.warn_days, now)
    if check["expiring"]:
        shown = list(hints.expiring(found.case))
        check["hints"] = [hint for hint in check["hints"] if hint not in shown]
    if options.pem is not None:
        check["pem"] = pem_text(target, found.case, options.pem)
    return check


def _exit_status(state: State, checks: Sequence[dict[str, Any]]) -> int:
    is_verified = all(check["verified"] and not is_failing(check) for check in checks)
    if state.has_invalid_variable or not is_verified:
        return NOT_VERIFIED
    return EXPIRES_SOON if any(check["expiring"] for check in checks) else VERIFIED
