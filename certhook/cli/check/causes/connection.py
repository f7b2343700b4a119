"""Causes that prevent a connection before the TLS handshake."""

from __future__ import annotations

import os
import shlex

from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.target import proxy_address
from certhook.cli.check.wording import set_command

_SET_PROXY = "If this network requires a proxy, set HTTPS_PROXY to its address."
_CHECK_NETWORK = "Check that this machine, or the container, is connected to a network."

# The schemes for TLS from the start, without STARTTLS.
_ALTERNATIVES = {"smtp": "smtps://{host} (port 465)", "imap": "imaps://{host} (port 993)"}


def _alternative(case: Case) -> Facts:
    alternative = _ALTERNATIVES.get(case.protocol, "") if case.failure.step == "starttls" else ""
    return {"alternative": alternative.format(host=case.host)}


def _tls_proxy(case: Case) -> Facts:
    """Return the address of a proxy that requires TLS."""
    proxy = case.proxy or ""
    return {"tls_proxy": shlex.quote(proxy_address(proxy)) if proxy.lower().startswith("https://") else ""}


def _proxy_login(case: Case) -> Facts:
    has_credentials = "@" in (case.proxy or "")
    url = f"http{'s' if _tls_proxy(case)['tls_proxy'] else ''}://NAME:PASSWORD@{case.facts['proxy']}"
    return {
        "url": url if os.name == "nt" else shlex.quote(url),
        "finding": f"{'rejected the' if has_credentials else 'requires a'} user name and password",
    }


CAUSES = (
    Cause(
        "no-name-service",
        "The name {host} could not be resolved, because no name server gave a usable answer ({message}).",
        (
            _CHECK_NETWORK,
            "Check that a working name server (DNS) is configured (on Linux, in /etc/resolv.conf).",
            _SET_PROXY,
        ),
        steps=("name",),
        reasons=("unanswered",),
    ),
    Cause(
        "no-such-name",
        "The name {host} does not resolve to an IP address.",
        (
            "Check the spelling of the name.",
            "If it is an internal name of your company, connect to the company's network or VPN first.",
            _SET_PROXY,
        ),
        steps=("name",),
    ),
    Cause(
        "no-answer",
        "{host} did not answer in time on port {port}.",
        (
            "Check the host name and the port.",
            "A firewall may block the connection: try another network.",
            _SET_PROXY,
            "The server may use TLS from the start on another port: try {alternative}",
            "If the server is slow, increase the time limit: --timeout 60",
        ),
        steps=("connect", "starttls", "tls"),
        reasons=("timeout",),
        facts=_alternative,
    ),
    Cause(
        "refused",
        "{host} refused the connection on port {port}.",
        (
            "Check the port.",
            "Check that the service is running, and that no firewall rejects the connection.",
        ),
        steps=("connect",),
        reasons=("refused",),
    ),
    Cause(
        "no-connection",
        "The connection to {host}, port {port}, failed: {message}.",
        (
            _CHECK_NETWORK,
            "A firewall may block the connection: ask the network's administrator.",
            _SET_PROXY,
        ),
        steps=("connect",),
    ),
    Cause(
        "proxy-login",
        "The proxy {proxy} {finding}.",
        (
            "Set HTTPS_PROXY with your user name and password. Replace each character other than letters and digits by "
            "% and its hexadecimal code, for example @ by %40:\n" + set_command("HTTPS_PROXY={url}"),
        ),
        steps=("proxy",),
        codes=(407,),
        facts=_proxy_login,
    ),
    Cause(
        "proxy-failed",
        "The connection to {host}, port {port}, through the proxy {proxy} failed: {message}.",
        (
            "Check the address of the proxy in HTTPS_PROXY or in the system's settings.",
            "If {host} is reachable without the proxy, add it to NO_PROXY.",
            "Otherwise ask the administrator of the proxy why it does not connect to {host}.",
            "The connection to the proxy itself uses TLS. To check it, unset HTTPS_PROXY and run:\n"
            "python -m certhook check {tls_proxy}",
        ),
        steps=("proxy",),
        facts=_tls_proxy,
    ),
    Cause(
        "no-starttls",
        "{host}, port {port}, did not switch to TLS encryption (STARTTLS in {protocol}): {message}.",
        (
            "Ask the server's administrator to enable TLS on this port.",
            "The server may use TLS from the start on another port: try {alternative}",
        ),
        steps=("starttls",),
        facts=_alternative,
    ),
)
