"""The certificates that a server sends, without verification."""

from __future__ import annotations

from certhook._certificates import container
from certhook.cli._terminal import CommandError
from certhook.cli.check import contexts, handshake, proxies
from certhook.cli.check import target as targets
from certhook.cli.check.failure import Deadline, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_EXIT_USAGE = 2


def inspect_server(text: str, timeout: float) -> tuple[dict[str, Any], list[bytes]]:
    """Return the JSON object for the server *text* without its certificates, and these as DER, its own first.

    :param timeout: the limit for the connection, in seconds
    :raises CommandError: if *text* is not a server
    """
    try:
        target = targets.parse(text)
    except ValueError as error:
        raise CommandError(f"{error}; no such file exists either", _EXIT_USAGE) from None
    found: dict[str, Any] = {"target": target.text, "type": "server", "host": target.host, "port": target.port}
    found.update({"tls_version": None, "proxy": None, "chain_complete": None, "error": None})
    proxy = proxies.find(target)
    if proxy:
        found["proxy"] = proxy.address
    try:
        peer = handshake.connect(target, contexts.permissive_context(), Deadline(timeout), proxy, request=False)
    except Failure as failure:
        text = f"{failure.text}; no file has this name" if failure.step == "name" else failure.text
        found["error"] = {"step": failure.step, "message": text, "code": failure.code or None}
        return found, []
    found.update(tls_version=peer.version, chain_complete=peer.is_complete)
    certificates = list(container.valid(peer.chain))
    if not certificates:
        found["error"] = {"step": "tls", "message": "the server sent no valid certificate", "code": None}
    return found, certificates
