"""The results of the demonstration, the expected ones, and the reasons for differences."""

from __future__ import annotations

import os
import ssl
from time import gmtime, strftime
from typing import NamedTuple

from certhook._sources import settings_file
from certhook.cli.demo.certificates import SERVERS
from certhook.cli.demo.clients import CLIENTS, FAILED, REJECTED, VERIFIED, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

#: The servers that a client verifies without certhook; with certhook, each one verifies those of both sources.
_STOCK = {("system", "default"), ("bundled", "certifi")}
_UNLISTED = "unlisted"

# OpenSSL's codes for an issuer that is not trusted, and for a certificate outside its validity.
_UNKNOWN_ISSUER = (18, 19, 20, 21)
_DATES = (9, 10)


class Cell(NamedTuple):
    """A connection of one client to one server.

    :ivar source: the source of the server's root
    :ivar client: a key of :data:`CLIENTS`
    :ivar is_hooked: whether the client had certhook
    :ivar expected: VERIFIED or REJECTED
    """

    source: str
    client: str
    is_hooked: bool
    expected: str
    found: Verdict

    @property
    def is_expected(self) -> bool:
        """Whether the result is as expected, for the expected reason."""
        is_issuer = self.found.verdict != REJECTED or self.found.code in _UNKNOWN_ISSUER
        return self.found.verdict == self.expected and is_issuer


def cells(without: dict[str, Any], with_certhook: dict[str, Any]) -> list[Cell]:
    """Return the connections of both processes, by server and client.

    :param without: the results of the process without certhook
    """
    return [
        Cell(source, client, is_hooked, _expected(source, client, is_hooked), Verdict(*found[source][client]))
        for source in SERVERS
        for client in CLIENTS
        for is_hooked, found in ((False, without), (True, with_certhook))
    ]


def _expected(source: str, client: str, is_hooked: bool) -> str:
    if source != _UNLISTED and is_hooked:
        return VERIFIED
    # LibreSSL ignores SSL_CERT_FILE, which stands for the system's store here.
    is_ignored = client == "default" and "LibreSSL" in ssl.OPENSSL_VERSION
    return VERIFIED if (source, client) in _STOCK and not is_ignored else REJECTED


def findings(found: Sequence[Cell], messages: Sequence[str], command: str) -> list[str]:
    """Return why results differ from the expected ones, each with the remedy.

    :param messages: the lines that the processes printed on standard error
    :param command: starts certhook's command line
    """
    different = [cell for cell in found if not cell.is_expected]
    reasons = [*dict.fromkeys(_reason(cell, command) for cell in different)]
    return [*reasons, *(f"A client printed: {line}" for line in messages)] if reasons else []


def _reason(cell: Cell, command: str) -> str:
    side = "with certhook" if cell.is_hooked else "without certhook"
    client = CLIENTS[cell.client]
    if cell.found.verdict == FAILED:
        return (
            f"A client could not use a server on this machine {side}: {cell.found.message}. Does a firewall or a "
            "security program intercept connections to 127.0.0.1?"
        )
    if cell.found.verdict == REJECTED and cell.found.code in _DATES:
        today = strftime("%Y-%m-%d", gmtime())
        return f"The clock of this machine is wrong: it shows {today}. Set it; every HTTPS connection depends on it."
    if cell.found.verdict == REJECTED and cell.found.code not in _UNKNOWN_ISSUER:
        return (
            f"The client with {client} rejected a server {side}, because OpenSSL rejects its certificate: "
            f"{cell.found.message}. Does the configuration of OpenSSL (openssl.cnf) restrict algorithms?"
        )
    if cell.found.verdict == VERIFIED and cell.source == _UNLISTED:
        return (
            f"The client with {client} verified a server {side} whose root certificate is in no source. Something in "
            f"this Python disables verification; '{command}' lists software that changes trust."
        )
    if not cell.is_hooked:
        verb = "verified" if cell.found.verdict == VERIFIED else "rejected"
        return (
            f"The client with {client} {verb} a server without certhook, unlike stock Python. Other software in this "
            f"Python changes trust; '{command}' lists it."
        )
    file = settings_file.location()
    if os.path.exists(file):
        return (
            f"certhook has no effect on the client with {client}. The administrator's settings in {file} limit the "
            f"root certificates of all programs, also here; '{command}' lists them."
        )
    return (
        f"certhook has no effect on the client with {client}. '{command} audit' compares the files of certhook with "
        f"those that were installed, and '{command}' lists problems and other software; or install certhook again."
    )
