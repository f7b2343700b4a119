"""``python -m certhook check``: verify servers, and explain failures."""

from __future__ import annotations

import argparse
import os
import warnings

import certhook
from certhook import _api, _config
from certhook.cli import _terminal
from certhook.cli._terminal import wrapped
from certhook.cli._variables import unknown_variables
from certhook.cli.check.report import render
from certhook.exceptions import CerthookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from certhook.cli.check.target import Target

_MAX_TIMEOUT = 3600  # seconds

_NOT_ACTIVE = (
    "certhook is not active in this interpreter ('python -m certhook' shows the reason). The results show the effect "
    "it would have."
)


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "check",
        help="connect to servers, and show their certificates and why a server is not verified",
        description=(
            "Connect to servers with certhook and without it, and show the certificates from each server's own to a "
            "root certificate. For each server that is not verified, show the cause and how to correct it. HTTPS "
            "connections use the proxy in HTTPS_PROXY or in the system's settings."
        ),
        epilog=(
            "Exit status: 0 if all servers are verified, 1 if a server is not, 2 if an argument is invalid or "
            "the package cryptography is missing."
        ),
    )
    parser.add_argument(
        "targets",
        metavar="SERVER",
        nargs="+",
        help=(
            "HOST, HOST:PORT or a URL with one of the schemes https, wss, smtp and imap (with STARTTLS), smtps, imaps, "
            "pop3s, postgres, ldaps, ftps, rediss, amqps, mqtts, ircs and sips; without a scheme, the port (default: "
            "443) selects the protocol"
        ),
    )
    _terminal.add_json(parser)
    text = "time limit in seconds for all connections to a server together (default: 10)"
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=10.0, help=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check all targets.

    :returns: 0 if all servers are verified, 1 if one is not, 2 if an argument is invalid or ``cryptography`` is missing
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cryptography may deprecate this version of Python.
            import cryptography.x509  # noqa: F401
    except ImportError as error:
        _terminal.complain(f"'check' requires the package cryptography ({error}): pip install 'certhook[check]'")
        return 2
    from certhook.cli.check import target

    try:
        if not 0 < options.timeout <= _MAX_TIMEOUT:
            limits = f"more than 0 and at most {_MAX_TIMEOUT} seconds"
            raise ValueError(f"--timeout {options.timeout:g} is invalid (expected {limits})")
        targets = [target.parse(text) for text in options.targets]
    except ValueError as error:
        _terminal.complain(error)
        return 2
    as_json, colours = _terminal.wants_json(options), _terminal.has_colours()

    def show(check: dict[str, Any], is_first: bool) -> None:
        if not as_json:
            _terminal.show(("" if is_first else "\n") + render(check, colours))

    try:
        found = gather(targets, options.timeout, show)
    except CerthookError as error:  # CERTHOOK_ON_ERROR=raise
        _terminal.complain(error)
        return 1
    if as_json:
        _terminal.show_json(found)
    elif not found["active"]:
        _terminal.show("\n".join(["", *wrapped(_NOT_ACTIVE)]))
    return 0 if all(check["verified"] for check in found["checks"]) else 1


def gather(targets: list[Target], timeout: float, show: Callable[[dict[str, Any], bool], None]) -> dict[str, Any]:
    """Probe all targets, and return the results as a JSON object.

    :param show: called with each result as soon as it is available, and whether it is the first one
    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``
    """
    import ssl

    from certhook.cli import _stores
    from certhook.cli.check.chain import known_roots
    from certhook.cli.check.probe import LocalTrust, probe
    from certhook.cli.check.results import describe

    config = _config.current()
    _stores.verify(config, "check")
    trust_set = _api.trust_set()
    local = LocalTrust(known_roots(trust_set), trust_set.problems, unknown_variables(os.environ))
    checks: list[dict[str, Any]] = []
    for target in targets:
        checks.append(describe(target, probe(target, local, timeout)))
        show(checks[-1], len(checks) == 1)
    return {
        "certhook": certhook.__version__,
        "active": certhook.is_installed() and hasattr(ssl.create_default_context, "__certhook__"),
        "sources": list(config.sources),
        "checks": checks,
        "problems": list(dict.fromkeys(map(str, trust_set.problems))),
    }
