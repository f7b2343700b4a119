"""The result for one file or server as text."""

from __future__ import annotations

from certhook._certificates.convert import quoted
from certhook._text import printable
from certhook.cli._terminal import wrapped
from certhook.cli.inspect.certificate import is_installable, lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

#: The name of standard input in the results.
STANDARD_INPUT = "standard input"


def render(found: dict[str, Any]) -> Iterator[str]:
    """Return the lines for *found*, the JSON object of one argument. Commands are not wrapped."""
    if found["error"]:
        yield from wrapped(f"{found['target']}: {found['error']['message']}", then="  ")
        if found["type"] == "server":
            yield from wrapped(f"'certhook check {found['target']}' explains the failure.", "  ", "  ")
        return
    yield from (_file_head(found) if found["type"] == "file" else _server_head(found))
    if found["certificates"]:
        yield ""
        yield from lines(found["certificates"])
    if found.get("command"):
        yield from ("", "Convert it to PEM:", f"  {printable(found['command'])}")
    if (
        found["type"] == "file"
        and found["target"] != STANDARD_INPUT
        and any(map(is_installable, found["certificates"]))
    ):
        yield from ("", "If you trust this CA, make all programs trust it:")
        yield f"  certhook trust {quoted(found['target'])}"


def _file_head(found: dict[str, Any]) -> Iterator[str]:
    yield from wrapped(f"{found['target']}: {found['format']}", then="  ")
    yield from wrapped(found["explanation"], "  ", "  ")


def _server_head(found: dict[str, Any]) -> Iterator[str]:
    proxy = f", through the proxy {found['proxy']}" if found["proxy"] else ""
    count = len(found["certificates"])
    sent = f"the server sent {count} certificate{'' if count == 1 else 's'}"
    if not found["chain_complete"]:
        sent = "this Python shows only the first certificate that the server sent"
    yield from wrapped(f"{found['target']}: {sent} ({found['tls_version']}{proxy})", then="  ")
    yield from wrapped(
        f"Shown without verification; 'certhook check {found['target']}' verifies the server.", "  ", "  "
    )
