"""The verdicts of real clients: urllib, requests, httpx and curl.

Each Python client is modelled by its roots, proxy and rules for names, for its installed version
or the newest one. A client whose settings have the same effect as those of the first connection
has the same verdict; another one needs a connection of its own. curl makes a real request.
"""

from __future__ import annotations

import os
import platform
import ssl
from typing import Any, Callable, NamedTuple

from cryptography import x509

from certhook._state import markers_of
from certhook.cli.check import curl, models, proxies
from certhook.cli.check.failure import Deadline, Failure
from certhook.cli.check.models import First, Settings
from certhook.cli.check.proxies import Proxy

_NAME_CODES = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH
_NO_NAME = "it requires a subject alternative name, and the certificate contains only a common name"


class Verdict(NamedTuple):
    """The verdict of one client.

    :ivar client: its name
    :ivar version: its installed version (urllib: of Python), None if it is not installed in this environment
    :ivar verified: whether it verifies the server, None if that is unknown
    :ivar failure: its failure, None if it verifies the server
    :ivar reason: why its result differs from that of the first connection, "" if it does not
    :ivar variables: the set environment variables that affect it
    """

    client: str
    version: str | None
    verified: bool | None
    failure: Failure | None
    reason: str = ""
    variables: tuple[str, ...] = ()


#: Connects with a context and a proxy, and returns the failure.
Connect = Callable[[ssl.SSLContext, "Proxy | None"], "Failure | None"]


def compare(first: First, connect: Connect, deadline: Deadline) -> list[Verdict]:
    """Return the verdict of each client that supports HTTPS.

    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``
    """
    if first.target.protocol != "https":
        return []
    known = (
        ("urllib", models.urllib, ()),
        ("requests", models.requests, models.REQUESTS_VARIABLES),
        ("httpx", models.httpx, models.HTTPX_VARIABLES),
    )
    results = [_Result(first.context, first.proxy, first.failure)]
    verdicts = [_judge(first, connect, results, *model) for model in known]
    command = curl.find()
    # curl cannot add the roots of --ca to its own.
    return verdicts if command is None or first.additional else [*verdicts, _judge_curl(command, first, deadline)]


class _Result(NamedTuple):
    context: ssl.SSLContext
    proxy: Proxy | None
    failure: Failure | None


def _judge(
    first: First,
    connect: Connect,
    results: list[_Result],
    client: str,
    model: Callable[[First], Settings],
    names: tuple[str, ...],
) -> Verdict:
    """Return the verdict of a Python client.

    :param results: those of earlier connections, which grow
    """
    version = platform.python_version() if client == "urllib" else models.version_of(client)
    variables = (*filter(os.environ.get, names), *proxies.variables())
    try:
        settings = model(first)
    except Failure as refusal:
        return Verdict(client, version, False, refusal, refusal.sentence, variables)
    result = next((earlier for earlier in results if _is_equivalent(settings, earlier, first.leaf)), None)
    if result is None:
        result = _Result(settings.context, settings.proxy, connect(settings.context, settings.proxy))
        results.append(result)
    failure, is_same_route = result.failure, _route(settings.proxy) == _route(first.proxy)
    verified: bool | None = failure is None
    was_reached = first.failure is None or first.failure.step == "verify"
    if failure is not None and not _is_verdict(failure) and is_same_route and was_reached:
        verified = None  # This is not the fault of the client.
    reason = "" if verified in (None, first.failure is None) else _reason(first, settings, is_same_route, failure)
    return Verdict(client, version, verified, failure, reason, variables)


def is_failing(check: dict[str, Any]) -> bool:
    """Return whether an installed library fails although urllib verifies the server of *check*, a JSON object."""
    clients = [client for client in check["clients"] if client["name"] in ("requests", "httpx") and client["version"]]
    return any(client["verified"] is False for client in clients)


def _is_verdict(failure: Failure) -> bool:
    return failure.step == "verify" or failure.reason == "untrusted-proxy"


def _is_equivalent(settings: Settings, result: _Result, leaf: x509.Certificate | None) -> bool:
    """Return whether a connection with *settings* has the same result as an earlier one."""
    if _route(settings.proxy) != _route(result.proxy):
        return False
    if result.failure is not None and not _is_verdict(result.failure):
        return True
    context, other = settings.context, result.context
    # The names of stores are digests of their content.
    store = markers_of(context).resolved
    is_same_trust = context is other or (store is not None and store == markers_of(other).resolved)
    needs_name = leaf is not None and not models.has_alternative_name(leaf)
    is_same_name = not needs_name or _name_rules(context) == _name_rules(other)
    return is_same_trust and is_same_name and context.verify_flags == other.verify_flags


def _route(proxy: Proxy | None) -> str:
    return proxy.url if proxy else ""


def _name_rules(context: ssl.SSLContext) -> tuple[bool, bool]:
    """Return whether *context* verifies the name of the server, and whether it may be the common name."""
    return context.check_hostname, getattr(context, "hostname_checks_common_name", True)


def _reason(first: First, settings: Settings, is_same_route: bool, failure: Failure | None) -> str:
    """Return why the verdict of a client differs."""
    if not is_same_route:
        return _route_reason(first, settings.proxy)
    if failure is not None and failure.code in _NAME_CODES and first.failure is None:
        return _NO_NAME
    if settings.roots:
        return settings.roots
    if settings.context.verify_flags != first.context.verify_flags:
        return "it checks the conformance of certificates to RFC 5280 in another way than urllib (VERIFY_X509_STRICT)"
    return "it trusts the roots in certifi's bundle and those that certhook adds to it"


def _route_reason(first: First, proxy: Proxy | None) -> str:
    other = first.proxy
    if proxy is not None and other is not None:
        return f"it uses the proxy {proxy.address} in {proxy.source} as an HTTP proxy without TLS"
    if proxy is not None:
        return f"it connects through the proxy {proxy.address} in {proxy.source}, also to hosts like this one"
    assert other is not None
    if other.variable.lower() == "all_proxy":
        return f"it ignores {other.variable} and connects without a proxy"
    return "it connects without a proxy, because it interprets NO_PROXY in another way"


def _judge_curl(command: curl.Command, first: First, deadline: Deadline) -> Verdict:
    variables = (*filter(os.environ.get, curl.VARIABLES), *proxies.variables())
    was_reached = first.failure is None or first.failure.step == "verify"
    if not was_reached and not proxies.variables():
        return Verdict("curl", command.version, False, first.failure, "", variables)
    failure: Failure | None = None
    try:
        curl.connect(command, first.target, deadline)
    except Failure as error:
        failure = error
    verified: bool | None = failure is None
    if failure is not None and failure.step != "verify" and was_reached and not proxies.variables():
        verified = None
    reason = ""
    if verified is not None and verified != (first.failure is None):
        names = [name for name in curl.VARIABLES if os.environ.get(name)]
        reason = (
            f"it reads its roots from {' and '.join(names)}" if names else "it trusts only the operating system's roots"
        )
        if failure is not None and failure.step != "verify":
            reason = "it uses the variables for proxies in another way"
    return Verdict("curl", command.version, verified, failure, reason, variables)
