"""The result for one server as text."""

from __future__ import annotations

from certhook._text import printable
from certhook.cli import _terminal
from certhook.cli._terminal import coloured, wrapped
from certhook.cli.check.names import closest
from certhook.cli.check.wording import join_first

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

YELLOW = "\033[33m"
_MARKS = {
    "VERIFIED:": _terminal.GOOD,
    "NOT VERIFIED:": _terminal.BAD,
    "NO CONNECTION:": _terminal.BAD,
    "Cause:": _terminal.BOLD,
    "What to do:": _terminal.BOLD,
    "Warning:": YELLOW,
    "Hint:": _terminal.BOLD,
}


def render(check: dict[str, Any], colours: bool = False) -> str:
    """Return the text for *check*, the JSON object of one server.

    The verdict is followed by its cause and the remedies, or by hints if the server is verified. The
    details come last: the certificates, the error message, and the verdicts of other clients.
    """
    lines = [
        *_headline(check),
        *_cause(check),
        *_hints(check),
        *_connection(check),
        *_chain(check),
        *_error(check),
        *_other_verdicts(check),
    ]
    return "\n".join(coloured(lines, _MARKS) if colours else lines)


def _headline(check: dict[str, Any]) -> list[str]:
    host = f"[{check['host']}]" if ":" in check["host"] else check["host"]
    properties = [check["tls_version"]] if check["tls_version"] else []
    properties += [f"STARTTLS in {check['protocol']}"] if check["starttls"] else []
    suffix = f" ({', '.join(properties)})" if properties else ""
    return wrapped(f"{verdict(check)}: {host}, port {check['port']}{suffix}")


def _connection(check: dict[str, Any]) -> list[str]:
    """Return the circumstances of the connection, which would make the headline longer than one line."""
    circumstances = [f"through the proxy {check['proxy']}"] if check["proxy"] else []
    circumstances += [f"at {check['connect_to']}"] if check["connect_to"] else []
    circumstances += [f"with the additional roots in {printable(path)}" for path in check["ca_files"]]
    return ["", *wrapped(f"Connection: {', '.join(circumstances)}", then="  ")] if circumstances else []


def verdict(check: dict[str, Any]) -> str:
    """Return the verdict on a server, the first words of its report."""
    if check["verified"]:
        return "VERIFIED"
    # In any other step, the connection failed before or after the verification.
    return "NOT VERIFIED" if check["error"]["step"] == "verify" else "NO CONNECTION"


def _chain(check: dict[str, Any]) -> list[str]:
    chain, is_complete = check["chain"], check["chain_complete"]
    lines = [""] if chain else []
    for depth, link in enumerate(chain):
        indent = "  " + "   " * depth
        lines += wrapped(link["name"], f"{indent[:-3]}+- " if depth else indent, f"{indent}  ")
        for detail in _details(link, check["host"], is_last=is_complete and link is chain[-1]):
            lines += wrapped(detail, f"{indent}  ", f"{indent}    ")
    if chain and not is_complete:
        lines += wrapped("(This Python cannot show the other certificates that the server sent.)", "  ", "  ")
    return lines


def _details(link: dict[str, Any], host: str, is_last: bool) -> Iterator[str]:
    if link["hosts"]:
        yield f"issued for {join_first(closest(host, link['hosts']), 3)}"
    if not link["sha256"]:
        yield "not sent by the server, and not in any source of root certificates"
        return
    yield f"valid from {link['not_before'][:10]} to {link['not_after'][:10]}"
    yield from (f"distrusted by {printable(path)}" for path in link["distrusted_by"])
    yield from (f"excluded by {name}" for name in link["excluded_by"])
    yield from (f"listed by {listing['source']}: {printable(listing['path'])}" for listing in link["listed_by"])
    if link["trust_status"] == "expired":
        yield "ignored, because it has expired"
    if link["removed_in"] and not {listing["source"] for listing in link["listed_by"]} & {"bundled", "extra"}:
        yield f"removed from certifi's bundle in release {link['removed_in']}: requests, httpx and pip do not trust it"
    if is_last and not link["trust_status"]:
        yield "not in any source of root certificates"


def _cause(check: dict[str, Any]) -> list[str]:
    cause = check["cause"]
    if not cause:
        return []
    lines = [*wrapped(f"Cause: {cause['message']}", then="  "), "", "What to do:"]
    for number, advice in enumerate(cause["advice"], 1):
        text, _, commands = advice.partition("\n")
        lines += wrapped(f"{number}. {text}", "  ", "     ")
        # Commands and addresses are not wrapped: they must remain intact when they are copied.
        lines += [f"       {command}" for command in commands.splitlines()]
    return [*lines, f"  More: {cause['documentation']}"]


def _hints(check: dict[str, Any]) -> list[str]:
    """Return warnings and hints, after the clients that fail although certhook verifies the server."""
    lines = _clients(check, verified=False) if check["verified"] else []
    texts = [f"Warning: {one['message']}" for one in check.get("expiring") or ()]
    texts += [f"Hint: {hint}" for hint in check["hints"]]
    return lines + [line for text in texts for line in wrapped(text, then="  ")]


def _error(check: dict[str, Any]) -> list[str]:
    return ["", *wrapped(f"Error message: {check['error']['message']}", then="  ")] if check["cause"] else []


def _other_verdicts(check: dict[str, Any]) -> list[str]:
    lines = _stock_verdict(check)
    lines += [] if check["verified"] else [*_clients(check, verified=True), *_clients(check, verified=False)]
    clients = [client for client in check.get("clients") or () if client.get("version", "") is not None]
    same = [client["name"] for client in clients if _has_same_result(client, check)]
    lines += wrapped(f"Same result: {', '.join(same)}", then="  ") if same else []
    return lines if check["cause"] or not lines else ["", *lines]


def _has_same_result(client: dict[str, Any], check: dict[str, Any]) -> bool:
    if client["verified"] is None or client["verified"] is not check["verified"] or client["reason"]:
        return False
    # curl precedes OpenSSL's text with its own.
    return (
        client["verified"] or client["error"] is None or client["error"]["message"].endswith(check["error"]["message"])
    )


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
        text = f"not verified: {failure['message']}" if verified else "also not verified"
    else:
        text = f"unknown: {failure['message']}"
    return wrapped(f"{name}: {text}", then="  ")


def _clients(check: dict[str, Any], verified: bool) -> list[str]:
    """Return the other clients with the verdict *verified* and another result, each with its reason or error."""
    lines: list[str] = []
    for client in check.get("clients") or ():
        if client["verified"] is not verified or _has_same_result(client, check):
            continue
        verdict = "verifies this server" if client["verified"] else "fails"
        text = f" because {client['reason']}" if client.get("reason") else ""
        if not text and not client["verified"] and client.get("error"):
            text = f": {client['error']['message']}"
        name = client["name"] if client["version"] else f"{client['name']} (not installed here)"
        lines += wrapped(f"{name}: {verdict}{text}", then="  ")
    return lines
