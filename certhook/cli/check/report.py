"""The result for one server as text."""

from __future__ import annotations

from certhook.cli import _terminal
from certhook.cli._terminal import coloured, wrapped
from certhook.cli.check.wording import join_first

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

_MARKS = {
    "VERIFIED:": _terminal.GOOD,
    "NOT VERIFIED:": _terminal.BAD,
    "NO CONNECTION:": _terminal.BAD,
    "Cause:": _terminal.BOLD,
    "What to do:": _terminal.BOLD,
}


def render(check: dict[str, Any], colours: bool = False) -> str:
    """Return the text for *check*, the JSON object of one server.

    The text is wrapped to 80 columns, except for commands.
    """
    lines = [*_headline(check), *_chain(check), *_cause(check), *_stock_verdict(check)]
    return "\n".join(coloured(lines, _MARKS) if colours else lines)


def _headline(check: dict[str, Any]) -> list[str]:
    host = f"[{check['host']}]" if ":" in check["host"] else check["host"]
    properties = [check["tls"]] if check["tls"] else []
    properties += [f"STARTTLS in {check['protocol']}"] if check["starttls"] else []
    properties += [f"through the proxy {check['proxy']}"] if check["proxy"] else []
    suffix = f" ({', '.join(properties)})" if properties else ""
    return wrapped(f"{verdict(check)}: {host}, port {check['port']}{suffix}")


def verdict(check: dict[str, Any]) -> str:
    """Return the verdict on a server, the first words of its report."""
    if check["verified"]:
        return "VERIFIED"
    # In any other step, the connection failed before or after the verification.
    return "NOT VERIFIED" if check["error"]["step"] == "verify" else "NO CONNECTION"


def _chain(check: dict[str, Any]) -> list[str]:
    chain, is_complete = check["chain"], check["chain_is_whole"]
    lines = [""] if chain else []
    for depth, link in enumerate(chain):
        indent = "  " + "   " * depth
        lines += wrapped(link["name"], f"{indent[:-3]}+- " if depth else indent, f"{indent}  ")
        for detail in _details(link, is_last=is_complete and link is chain[-1]):
            lines += wrapped(detail, f"{indent}  ", f"{indent}    ")
    if chain and not is_complete:
        lines += wrapped("(This Python cannot show the other certificates that the server sent.)", "  ", "  ")
    return lines


def _details(link: dict[str, Any], is_last: bool) -> Iterator[str]:
    if link["hosts"]:
        yield f"issued for {join_first(link['hosts'], 3)}"
    if not link["sha256"]:
        yield "not sent by the server, and not in any source of root certificates"
        return
    yield f"valid from {link['not_before'][:10]} to {link['not_after'][:10]}"
    yield from (f"distrusted by {path}" for path in link["distrusted_by"])
    yield from (f"excluded by {name}" for name in link["left_out_by"])
    yield from (f"listed by {listing['source']}: {listing['path']}" for listing in link["listed_by"])
    if link["removed_in"] and not {listing["source"] for listing in link["listed_by"]} & {"bundled", "extra"}:
        yield f"removed from certifi's bundle in release {link['removed_in']}: requests, httpx and pip do not trust it"
    if is_last and not link["standing"]:
        yield "not in any source of root certificates"


def _cause(check: dict[str, Any]) -> list[str]:
    cause = check["cause"]
    if not cause:
        return []
    lines = ["", *wrapped(f"Cause: {cause['sentence']}", then="  "), "", "What to do:"]
    for number, advice in enumerate(cause["advice"], 1):
        text, _, command = advice.partition("\n")
        lines += wrapped(f"{number}. {text}", "  ", "     ")
        lines += [f"       {command}"] if command else []
    return [*lines, "", *wrapped(f"Error message: {check['error']['text']}", then="  ")]


def _stock_verdict(check: dict[str, Any]) -> list[str]:
    failure, verified = check["error_without_certhook"], check["verified"]
    name = "Without certhook"
    if check.get("verified_with_certhook") is not None:  # certhook is not active in this interpreter.
        failure, name = check["error_with_certhook"], "With certhook"
    if not verified and check["error"]["step"] != "verify":
        return []  # No certificate was verified.
    if failure is None:
        text = "also verified" if verified else "verified"
    elif failure["step"] == "verify":
        text = f"not verified: {failure['text']}" if verified else "also not verified"
    else:
        text = f"unknown: {failure['text']}"
    return ["", *wrapped(f"{name}: {text}", then="  ")]
