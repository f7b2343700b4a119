"""``python -m certhook check``: verify servers, and explain failures."""

from __future__ import annotations

import argparse
import warnings

from certhook.cli import _terminal

_MAX_TIMEOUT = 3600  # seconds
_MAX_WARN_DAYS = 36500

_SERVER_HELP = (
    "HOST, HOST:PORT or a URL with one of the schemes https, wss, smtp, imap, postgres and postgresql (with STARTTLS), "
    "smtps, imaps, pop3s, ldaps, ftps, rediss, amqps, mqtts, ircs and sips. Without a scheme, the port (default: 443) "
    "selects the protocol. @FILE names a file with one SERVER on each line and comments after '#'; - reads such a list "
    "from standard input."
)


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = _terminal.add_verb(
        verbs,
        "check",
        "connect to servers, and show their certificates and why a server is not verified",
        (
            "Connect to servers with certhook and without it, and show the certificates from each server's own to a "
            "root certificate. For each server that is not verified, show the cause and how to correct it. HTTPS "
            "connections use the proxy in HTTPS_PROXY, ALL_PROXY (also SOCKS) or the system's settings. If urllib, "
            "requests, httpx or curl has another result because of its variables, proxies or rules, it is shown.",
            "Several servers are checked at the same time. A summary follows the results.",
        ),
        (
            "Exit status: 0 if all servers are verified, 1 if a server is not, by certhook or by an installed requests "
            "or httpx, or a CERTHOOK_ variable is misspelled or invalid, 2 if an argument is invalid or the package "
            "cryptography is missing, 3 if all servers are verified but a certificate expires within the days of "
            "--warn-days, 130 after Ctrl-C.",
        ),
    )
    parser.add_argument("targets", metavar="SERVER", nargs="+", help=_SERVER_HELP)
    text = "time limit in seconds for all connections to a server together (default: 10)"
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=10.0, help=text)
    text = "also trust the certificates in FILE (PEM), only for this check; may be given several times"
    parser.add_argument("--ca", metavar="FILE", action="append", default=[], help=text)
    text = "connect to this address instead, but verify the name of SERVER"
    parser.add_argument("--connect-to", metavar="HOST:PORT", type=_terminal.not_empty, help=text)
    text = "warn about certificates, also of CAs and roots, that expire within DAYS days (exit status 3)"
    parser.add_argument("--warn-days", metavar="DAYS", type=int, help=text)
    text = "show only problems: no output means exit status 0"
    parser.add_argument("-q", "--quiet", action="store_true", help=text)
    text = "show the SHA-256 fingerprint of each certificate"
    parser.add_argument("--fingerprints", action="store_true", help=text)
    text = (
        "print certificates as PEM instead of reports: 'sent' by the server, or the 'path' from the server's to the "
        "root; reports of problems go to standard error"
    )
    parser.add_argument("--pem", choices=("sent", "path"), help=text)
    _terminal.add_json(parser)
    # The other verbs, for hints. They are added to the same mapping later.
    parser.set_defaults(run=run, verbs=verbs.choices)


def run(options: argparse.Namespace) -> int:
    """Check all servers, and return the exit status."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cryptography may deprecate this version of Python.
            import cryptography.x509  # noqa: F401
    except ImportError as error:
        _terminal.complain(f"'check' requires the package cryptography ({error}): pip install 'certhook[check]'")
        return 2
    from certhook.cli.check import additional, arguments, session, target

    try:
        _validate(options)
        targets = arguments.parse_all(options.targets)
        if options.connect_to is not None:
            address = target.parse_address(options.connect_to)
            targets = [each._replace(address=address) for each in targets]
        roots = additional.read(options.ca)
    except ValueError as error:
        _terminal.complain(error)
        return 2
    return session.run(options, targets, roots)


def _validate(options: argparse.Namespace) -> None:
    """Validate numbers.

    :raises ValueError: with a message for the user
    """
    if not 0 < options.timeout <= _MAX_TIMEOUT:
        limits = f"more than 0 and at most {_MAX_TIMEOUT} seconds"
        raise ValueError(f"--timeout {options.timeout:g} is invalid (expected {limits})")
    if options.warn_days is not None and not 0 <= options.warn_days <= _MAX_WARN_DAYS:
        raise ValueError(f"--warn-days {options.warn_days} is invalid (expected 0 to {_MAX_WARN_DAYS} days)")
