"""Causes on the way to the server, before any TLS."""

from __future__ import annotations

from certhook.cli.check.causes.case import Case, Cause, Facts
from certhook.cli.check.target import without_login

_PROXY = "If programs here reach the Internet through a proxy only, set HTTPS_PROXY to its address."

# What begins with TLS, in place of STARTTLS.
_OTHER_SCHEMES = {"smtp": "smtps://{host} (port 465)", "imap": "imaps://{host} (port 993)"}


def _other_scheme(case: Case) -> Facts:
    other = _OTHER_SCHEMES.get(case.protocol, "") if case.failure.step == "starttls" else ""
    return {"other": other.format(host=case.host)}


def _of_proxy(case: Case) -> Facts:
    """Its address where it is itself spoken to in TLS."""
    proxy = case.proxy or ""
    return {"secured": without_login(proxy) if proxy.lower().startswith("https://") else ""}


def _login(case: Case) -> Facts:
    """Whether it was given a name and a password, which then were wrong."""
    given, scheme = "@" in (case.proxy or ""), "https" if _of_proxy(case)["secured"] else "http"
    return {
        "scheme": scheme,
        "wants": "does not accept the name and password of HTTPS_PROXY" if given else "wants a name and a password",
    }


CAUSES = (
    Cause(
        "no-name-service",
        "The address of {host} cannot be looked up: no name server answers ({message}).",
        (
            "Check whether this machine is connected to a network; in a container, whether it was given one.",
            "Check whether the system names a name server that works (on Linux: /etc/resolv.conf).",
            _PROXY,
        ),
        steps=("name",),
        reasons=("unanswered",),
    ),
    Cause(
        "no-such-name",
        "Nobody knows the name {host}: it has no address.",
        (
            "Check the name for a typing mistake.",
            "If it is a name of your company's, connect to its network or VPN first.",
            _PROXY,
        ),
        steps=("name",),
    ),
    Cause(
        "no-answer",
        "{host}, port {port}, does not answer in time.",
        (
            "Check whether name and port are right.",
            "A firewall may be in the way: try from another network.",
            _PROXY,
            "It may begin with TLS at once: try {other}",
            "If the server is only slow, wait longer: --timeout 60",
        ),
        steps=("connect", "starttls", "tls"),
        reasons=("timeout",),
        facts=_other_scheme,
    ),
    Cause(
        "refused",
        "{host} is there, but nothing listens at its port {port}.",
        ("Check whether the port is right.", "Check whether the service is running there."),
        steps=("connect",),
        reasons=("refused",),
    ),
    Cause(
        "no-connection",
        "No connection to {host}, port {port}: {message}.",
        (
            "Check whether this machine is connected to a network; in a container, whether it was given one.",
            "A firewall may be in the way: ask whoever runs the network.",
            _PROXY,
        ),
        steps=("connect",),
    ),
    Cause(
        "proxy-login",
        "The proxy {proxy} {wants}.",
        (
            "Put yours into HTTPS_PROXY, other characters than letters and digits as %XX: {scheme}://NAME:PASSWORD@{proxy}",
        ),
        steps=("proxy",),
        codes=(407,),
        facts=_login,
    ),
    Cause(
        "proxy-failed",
        "The proxy {proxy} made no connection to {host}, port {port}: {message}.",
        (
            "Check whether HTTPS_PROXY names the right proxy.",
            "If {host} is to be reached without it, add that name to NO_PROXY.",
            "It is spoken to in TLS; with HTTPS_PROXY unset, 'python -m certhook check {secured}' shows how that is.",
        ),
        steps=("proxy",),
        facts=_of_proxy,
    ),
    Cause(
        "no-starttls",
        "{host}, port {port}, would not change to TLS (STARTTLS of {protocol}): {message}.",
        (
            "Whoever runs the server has to switch TLS on.",
            "Check whether it has another port for TLS: {other}",
        ),
        steps=("starttls",),
        facts=_other_scheme,
    ),
)
