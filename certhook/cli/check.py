"""``python -m certhook check``: does this server verify here, and if not, why, and what is to be done?"""

from __future__ import annotations

import argparse
import itertools
import json
import os

import certhook
from certhook import _config, _trust
from certhook._config import SERVER_AUTH
from certhook.cli import _output
from certhook.cli._output import wrapped
from certhook.exceptions import CerthookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any

    from certhook.cli._connection import Failure, Peer, Target
    from certhook.cli._diagnosis import Case, Root, Roots


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "check",
        help="connect to a server, show its chain and where its root was found, or why it is not verified",
        description=(
            "Connect to servers as a program does, with certhook and without, and show the chain of certificates. "
            "Where a server is not verified, say why, and what to do. HTTPS_PROXY is heeded."
        ),
        epilog="Exit status: 0 if all are verified, 1 if one is not, 2 for what cannot be understood.",
    )
    parser.add_argument(
        "targets",
        metavar="HOST[:PORT]|URL",
        nargs="+",
        help="https://, smtp:// and imap:// (STARTTLS), smtps://, imaps://, postgres://; else the port decides",
    )
    # Before the verb or behind it, as for the others.
    text = "print one JSON object, for programs"
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=text)
    text = "how long to wait for each answer; 10 unless given"
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=10.0, help=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check each of the targets.

    :returns: 0 if all of them are verified, 1 if one is not, 2 for bad usage or where ``cryptography`` is missing
    """
    try:
        import cryptography.x509  # noqa: F401
    except ImportError as error:
        _output.complain(f"'check' needs cryptography ({error}): pip install 'certhook[check]'")
        return 2
    from certhook.cli import _connection

    try:
        if not 0 < options.timeout <= 3600:
            raise ValueError(f"--timeout {options.timeout:g}: more than 0 seconds and at most 3600 are allowed")
        targets = [_connection.parse(text) for text in options.targets]
    except ValueError as error:
        _output.complain(error)
        return 2
    try:
        found = gather(targets, options.timeout)
    except CerthookError as error:  # CERTHOOK_ON_ERROR=raise
        _output.complain(error)
        return 1
    _output.show(
        json.dumps(found, indent=2) if getattr(options, "json", False) else render(found, _output.has_colours())
    )
    return 0 if all(check["verified"] for check in found["checks"]) else 1


def gather(targets: list[Target], timeout: float) -> dict[str, Any]:
    """Everything this verb finds out, ready for JSON.

    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``
    """
    import ssl

    from certhook.cli import _diagnosis

    config = _config.current()
    here = _trust.trust_set()
    roots = _diagnosis.Roots(_entries(here))
    return {
        "certhook": certhook.__version__,
        "active": certhook.is_installed() and hasattr(ssl.create_default_context, "__certhook__"),
        "sources": list(config.sources),
        "checks": [_check(target, roots, here.problems, timeout) for target in targets],
        "problems": list(dict.fromkeys(map(str, here.problems))),
    }


def _entries(here: certhook.TrustSet) -> list[tuple[Any, str, tuple[str, ...]]]:
    """The roots that are trusted here, those that are distrusted, and those that a setting leaves out."""
    from certhook._sources import TrustSet
    from certhook.cli._diagnosis import DISTRUSTED, TRUSTED, switched_off

    environ = {} if not _config.use_environment or _config.privileged() else dict(os.environ)
    kept = {name: value for name, value in environ.items() if name in _config.VARIABLES and name != "CERTHOOK_DEBUG"}
    all_sources = {**kept, "CERTHOOK_SOURCES": ",".join(_config.SOURCES), "CERTHOOK_MODE": "chain"}
    every = TrustSet(_config.Config(all_sources), SERVER_AUTH)
    usual = TrustSet(_config.Config({}), SERVER_AUTH)
    return [
        *((anchor, TRUSTED, ()) for anchor in here.anchors),
        *((anchor, DISTRUSTED, ()) for anchor in here.removed),
        *switched_off(here.config, kept, here, every, usual),
    ]


def _check(target: Target, roots: Roots, problems: list[CerthookError], timeout: float) -> dict[str, Any]:
    """Connect to *target* as often as it takes to know."""
    from datetime import datetime, timezone

    from certhook.cli import _connection
    from certhook.cli._connection import Failure
    from certhook.cli._diagnosis import Case, diagnose, load

    proxy = _connection.proxy_of(target)

    def attempt(context: ssl.SSLContext) -> tuple[Peer | None, Failure | None]:
        try:
            return _connection.connect(target, context, timeout, proxy), None
        except Failure as failure:
            return None, failure

    peer, failure = attempt(_connection.as_programs_do())
    stock = failure
    if failure is None or failure.step == "verify":
        stock = attempt(_connection.as_without_certhook())[1]
    if failure is not None and failure.step in ("verify", "tls") and failure.reason != "timeout":
        peer = attempt(_connection.that_accepts_all())[0]
    read = map(load, peer.chain if peer else ())
    case = Case(
        host=target.host,
        port=target.port,
        protocol=target.protocol,
        failure=failure or Failure("", ""),
        # Behind one that cannot be read, nobody knows who issued whom.
        chain=list(itertools.takewhile(lambda certificate: certificate is not None, read)),  # type: ignore[arg-type]
        roots=roots,
        now=datetime.now(timezone.utc),
        whole=peer.whole if peer else True,
        version=peer.version if peer else "",
        proxy=proxy,
        problems=problems,
    )
    if failure is not None and failure.step == "verify":
        context = _connection.as_programs_do()
        if _connection.is_strict(context):
            lenient = attempt(_connection.without_strictness(context))[1]
            case = case._replace(lenient=lenient is None or (lenient.step, lenient.code) != ("verify", failure.code))
    is_no_tls = failure is not None and failure.step == "tls" and peer is None and failure.reason != "timeout"
    if is_no_tls and not target.starttls:
        case = case._replace(words=_connection.first_words(target, timeout, proxy))
    cause = diagnose(case) if failure is not None else None
    return {
        "target": target.text,
        "host": target.host,
        "port": target.port,
        "protocol": target.protocol,
        "starttls": target.starttls,
        "proxy": proxy and proxy.rpartition("@")[2],
        "verified": failure is None,
        "tls": case.version or None,
        "chain": _chain(case),
        "chain_is_whole": case.whole,
        "verified_without_certhook": stock is None,
        "cause": cause and {"id": cause.id, "sentence": cause.sentence, "advice": list(cause.advice)},
        "error": failure and {"step": failure.step, "text": failure.text, "code": failure.code},
        "error_without_certhook": stock and {"step": stock.step, "text": stock.text, "code": stock.code},
    }


def _chain(case: Case) -> list[dict[str, Any]]:
    """The certificates from the server's own upwards; at the end the root, or what is missing."""
    from cryptography.hazmat.primitives import hashes

    from certhook.cli._diagnosis import called, climb, hosts, issued

    path, root = climb(case.chain, case.roots)
    links: list[dict[str, Any]] = [
        {
            "name": called(certificate.subject),
            "hosts": hosts(certificate) if certificate is path[0] else [],
            "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
            "not_before": certificate.not_valid_before_utc.isoformat(),
            "not_after": certificate.not_valid_after_utc.isoformat(),
            "sent": certificate in case.chain,
            **_standing(root if certificate is path[-1] else None),
        }
        for certificate in path
    ]
    # Of one that is verified, OpenSSL found it; before Python 3.10 the server may have sent it.
    if path and root is None and case.failure.step and case.whole and not issued(path[-1], path[-1]):
        name = called(path[-1].issuer)
        nothing = dict.fromkeys(("sha256", "not_before", "not_after"))
        links.append({"name": name, "hosts": [], **nothing, "sent": False, **_standing(None)})
    return links


def _standing(root: Root | None) -> dict[str, Any]:
    if root is None:
        return {"standing": None, "listed_by": [], "distrusted_by": [], "left_out_by": []}
    return {
        "standing": root.standing,
        "listed_by": [{"source": source, "path": path} for source, path in root.anchor.listed],
        "distrusted_by": list(root.anchor.rejected_by),
        "left_out_by": list(root.settings),
    }


# For a person.


def render(found: dict[str, Any], colours: bool = False) -> str:
    """The same for a person, in 80 columns."""
    lines: list[str] = []
    for check in found["checks"]:
        lines += [*_render(check), ""]
    if not found["active"]:
        text = (
            "certhook is not active in this interpreter ('python -m certhook' says why); this is what would be with it."
        )
        lines += wrapped(text)
        lines.append("")
    return "\n".join(map(_coloured if colours else str, lines[:-1]))


_MARKS = {"VERIFIED": _output.GOOD, "NOT VERIFIED": _output.BAD, "Cause": _output.BOLD, "What to do": _output.BOLD}


def _coloured(line: str) -> str:
    for mark in ("NOT VERIFIED", "VERIFIED", "Cause", "What to do"):
        if line.startswith(f"{mark}:"):
            return f"{_MARKS[mark]}{mark}:{_output.PLAIN}{line[len(mark) + 1 :]}"
    return line


def _render(check: dict[str, Any]) -> list[str]:
    host = f"[{check['host']}]" if ":" in check["host"] else check["host"]
    means = [check["tls"]] if check["tls"] else []
    means += [f"STARTTLS in {check['protocol']}"] if check["starttls"] else []
    means += [f"through the proxy {check['proxy']}"] if check["proxy"] else []
    shown = f" ({', '.join(means)})" if means else ""
    verdict = "VERIFIED" if check["verified"] else "NOT VERIFIED"
    lines = wrapped(f"{verdict}: {host}, port {check['port']}{shown}")
    if check["chain"]:
        lines += ["", *_tree(check["chain"])]
        if not check["chain_is_whole"]:
            lines += wrapped("(Before Python 3.10, what else the server sent cannot be seen.)", "  ")
    if check["cause"]:
        lines += ["", *wrapped(f"Cause: {check['cause']['sentence']}", then="  "), "", "What to do:"]
        for number, advice in enumerate(check["cause"]["advice"], 1):
            lines += wrapped(f"{number}. {advice}", "  ", "     ")
        lines += ["", *wrapped(f"The message was: {check['error']['text']}", then="  ")]
    stock = check["error_without_certhook"]
    if check["verified"] and stock is None:
        lines += ["", "Without certhook: verified as well"]
    elif check["verified"]:
        lines += ["", *wrapped(f"Without certhook: not verified, {stock['text']}", then="  ")]
    elif stock is None:
        lines += ["", "Without certhook: verified"]
    elif check["error"]["step"] == "verify":
        lines += ["", "Without certhook: not verified either"]
    return lines


def _tree(chain: list[dict[str, Any]]) -> list[str]:
    lines = []
    for depth, link in enumerate(chain):
        inside = "  " + "   " * depth
        mark = f"{inside[:-3]}+- " if depth else inside
        lines += wrapped(link["name"], mark, f"{inside}  ")
        details = []
        if link["hosts"]:
            more = len(link["hosts"]) - 3
            details.append("for " + ", ".join(link["hosts"][:3]) + (f" and {more} more" if more > 0 else ""))
        if link["not_after"]:
            details.append(f"valid from {link['not_before'][:10]} to {link['not_after'][:10]}")
        else:
            details.append("not sent by the server, and in no source here")
        details += [f"distrusted by {path}" for path in link["distrusted_by"]]
        details += [f"left out because of {name}" for name in link["left_out_by"]]
        details += [f"{listing['source']}: {listing['path']}" for listing in link["listed_by"]]
        if link is chain[-1] and link["sha256"] and not link["standing"]:
            details.append("in no source here")
        for detail in details:
            lines += wrapped(detail, f"{inside}  ", f"{inside}    ")
    return lines
