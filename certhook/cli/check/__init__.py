"""``python -m certhook check``: does this server verify here, and if not, why, and what is to be done?"""

from __future__ import annotations

import argparse
import warnings

import certhook
from certhook import _api, _config
from certhook.cli import _terminal, status
from certhook.cli._terminal import wrapped
from certhook.cli._words import several
from certhook.exceptions import CerthookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator, Sequence

    from certhook.cli.check.causes import Case
    from certhook.cli.check.chain import Root, Roots
    from certhook.cli.check.plaintext import Failure
    from certhook.cli.check.target import Target


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
        help=(
            "https://, smtp:// and imap:// (STARTTLS), smtps://, imaps://, pop3s://, postgres://, ldaps://, ftps://, "
            "rediss://, amqps://, mqtts://, ircs://, sips://; else the port decides"
        ),
    )
    _terminal.add_json(parser)
    text = "how long a server may take in all; 10 unless given"
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=10.0, help=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check each of the targets.

    :returns: 0 if all of them are verified, 1 if one is not, 2 for bad usage or where ``cryptography`` is missing
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Which Python is too old for its next release is not what was asked.
            import cryptography.x509  # noqa: F401
    except ImportError as error:
        _terminal.complain(f"'check' needs cryptography ({error}): pip install 'certhook[check]'")
        return 2
    from certhook.cli.check import target as target_module

    try:
        if not 0 < options.timeout <= 3600:
            raise ValueError(f"--timeout {options.timeout:g}: more than 0 seconds and at most 3600 are allowed")
        targets = [target_module.parse(text) for text in options.targets]
    except ValueError as error:
        _terminal.complain(error)
        return 2
    for_program, colours = _terminal.wants_json(options), _terminal.has_colours()

    def show(check: dict[str, Any], is_first: bool) -> None:
        if not for_program:
            _terminal.show(("" if is_first else "\n") + render(check, colours))

    try:
        found = gather(targets, options.timeout, show)
    except CerthookError as error:  # CERTHOOK_ON_ERROR=raise
        _terminal.complain(error)
        return 1
    if for_program:
        _terminal.show_json(found)
    elif not found["active"]:
        _terminal.show("\n".join(["", *wrapped(_NOT_ACTIVE)]))
    return 0 if all(check["verified"] for check in found["checks"]) else 1


def gather(targets: list[Target], timeout: float, show: Callable[[dict[str, Any], bool], None]) -> dict[str, Any]:
    """Everything this verb finds out, ready for JSON.

    :param show: called with what was found out of each target, as soon as it is, and whether that is the first
    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``
    """
    import ssl

    from certhook.cli.check.chain import known_here

    config = _config.current()
    here = _api.trust_set()
    roots, unknown = known_here(here), status.unknown_variables()
    checks: list[dict[str, Any]] = []
    for target in targets:
        checks.append(_check(target, roots, here.problems, unknown, timeout))
        show(checks[-1], len(checks) == 1)
    return {
        "certhook": certhook.__version__,
        "active": certhook.is_installed() and hasattr(ssl.create_default_context, "__certhook__"),
        "sources": list(config.sources),
        "checks": checks,
        "problems": list(dict.fromkeys(map(str, here.problems))),
    }


def _check(
    target: Target, roots: Roots, problems: Sequence[CerthookError], unknown: list[str], timeout: float
) -> dict[str, Any]:
    """Visit *target*, and say what was found out."""
    from certhook.cli.check.probe import visit

    case, diagnosis, stock, compared = visit(target, roots, problems, unknown, timeout)
    has_verdict = compared and (stock is None or stock.step == "verify")
    return {
        "target": target.text,
        "host": target.host,
        "port": target.port,
        "protocol": target.protocol,
        "starttls": target.starttls,
        "proxy": case.facts["proxy"] or None,
        "verified": diagnosis is None,
        "tls": case.version or None,
        "chain": links(case),
        "chain_is_whole": case.whole,
        "verified_without_certhook": stock is None if has_verdict else None,
        "cause": diagnosis and {**diagnosis._asdict(), "advice": list(diagnosis.advice)},
        "error": _error(case.failure if diagnosis else None),
        "error_without_certhook": _error(stock),
    }


def _error(failure: Failure | None) -> dict[str, Any] | None:
    return {"step": failure.step, "text": failure.text, "code": failure.code} if failure else None


def links(case: Case) -> list[dict[str, Any]]:
    """The certificates from the server's own upwards; at the end the root, or what is missing."""
    from cryptography.hazmat.primitives import hashes

    from certhook.cli.check.certificate import called, hosts, is_self_issued

    path, root = case.path, case.root
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
    # Of one that is verified, OpenSSL found it; of one that cannot be seen whole, the server may have sent it.
    if path and root is None and case.failure.step and case.whole and not is_self_issued(path[-1]):
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

_NOT_ACTIVE = (
    "certhook is not active in this interpreter ('python -m certhook' says why); this is what would be with it."
)


def render(check: dict[str, Any], colours: bool = False) -> str:
    """What was found out of one target, for a person, in 80 columns."""
    return "\n".join(map(_coloured if colours else str, _render(check)))


_MARKS = {
    "VERIFIED:": _terminal.GOOD,
    "NOT VERIFIED:": _terminal.BAD,
    "NO CONNECTION:": _terminal.BAD,
    "Cause:": _terminal.BOLD,
    "What to do:": _terminal.BOLD,
}


def _coloured(line: str) -> str:
    mark = next(filter(line.startswith, _MARKS), "")
    return f"{_MARKS[mark]}{mark}{_terminal.PLAIN}{line[len(mark) :]}" if mark else line


def _render(check: dict[str, Any]) -> list[str]:
    host = f"[{check['host']}]" if ":" in check["host"] else check["host"]
    means = [check["tls"]] if check["tls"] else []
    means += [f"STARTTLS in {check['protocol']}"] if check["starttls"] else []
    means += [f"through the proxy {check['proxy']}"] if check["proxy"] else []
    shown = f" ({', '.join(means)})" if means else ""
    lines = wrapped(f"{_verdict(check)}: {host}, port {check['port']}{shown}")
    if check["chain"]:
        lines += ["", *_tree(check["chain"], check["chain_is_whole"])]
        if not check["chain_is_whole"]:
            lines += wrapped("(What else the server sent cannot be seen in this Python.)", "  ")
    if check["cause"]:
        lines += ["", *wrapped(f"Cause: {check['cause']['sentence']}", then="  "), "", "What to do:"]
        for number, advice in enumerate(check["cause"]["advice"], 1):
            text, _, command = advice.partition("\n")
            lines += wrapped(f"{number}. {text}", "  ", "     ")
            lines += [f"       {command}"] if command else []
        lines += ["", *wrapped(f"The message was: {check['error']['text']}", then="  ")]
    return [*lines, *_render_stock(check)]


def _verdict(check: dict[str, Any]) -> str:
    if check["verified"]:
        return "VERIFIED"
    # Before its certificates are judged, or after that: whoever the server is may not be what is wrong.
    return "NOT VERIFIED" if check["error"]["step"] == "verify" else "NO CONNECTION"


def _render_stock(check: dict[str, Any]) -> list[str]:
    stock, verified = check["error_without_certhook"], check["verified"]
    if not verified and check["error"]["step"] != "verify":
        return []  # There was no verdict at all.
    if stock is None:
        text = "verified as well" if verified else "verified"
    elif stock["step"] == "verify":
        text = f"not verified, {stock['text']}" if verified else "not verified either"
    else:
        text = f"not known, {stock['text']}"
    return ["", *wrapped(f"Without certhook: {text}", then="  ")]


def _tree(chain: list[dict[str, Any]], is_whole: bool) -> list[str]:
    lines: list[str] = []
    for depth, link in enumerate(chain):
        inside = "  " + "   " * depth
        mark = f"{inside[:-3]}+- " if depth else inside
        lines += wrapped(link["name"], mark, f"{inside}  ")
        for detail in _details(link, is_last=is_whole and link is chain[-1]):
            lines += wrapped(detail, f"{inside}  ", f"{inside}    ")
    return lines


def _details(link: dict[str, Any], is_last: bool) -> Iterator[str]:
    if link["hosts"]:
        yield f"for {several(link['hosts'], 3)}"
    if not link["sha256"]:
        yield "not sent by the server, and in no source here"
        return
    yield f"valid from {link['not_before'][:10]} to {link['not_after'][:10]}"
    yield from (f"distrusted by {path}" for path in link["distrusted_by"])
    yield from (f"left out because of {name}" for name in link["left_out_by"])
    yield from (f"{listing['source']}: {listing['path']}" for listing in link["listed_by"])
    if is_last and not link["standing"]:
        yield "in no source here"
