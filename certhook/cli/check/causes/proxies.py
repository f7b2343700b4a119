"""Causes in the address, the scheme and the credentials of a proxy."""

from __future__ import annotations

import os
import shlex

from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.wording import set_command

_CORRECT = "Correct the address of the proxy in {source}."
_WITHOUT = "If this network requires no proxy, remove the setting:\n{unset}"
_EXCLUDE = "If {host} is reachable without the proxy, add it to NO_PROXY."
_INSIDE = "The connection to {host} inside it is encrypted in any case."


def _source(case: Case) -> Facts:
    variable = case.proxy_variable
    unset = set_command(f"{variable}=").replace("export", "unset").rstrip("=") if variable else ""
    settings = "" if variable else "the system's settings"
    return {"source": variable or settings, "settings": settings, "unset": unset}


def _assignment(scheme: str, case: Case) -> Facts:
    """Return the command that sets the proxy with another *scheme*. It contains no credentials."""
    login = "NAME:PASSWORD@" if "@" in (case.proxy or "") else ""
    address = case.facts["proxy"]
    command = _command(case, f"{scheme}://{login}{address}")
    used = (case.proxy or "").partition("://")[0].lower() if "://" in (case.proxy or "") else "http"
    return {**_source(case), "command": command, "used": used}


def _command(case: Case, url: str) -> str:
    """Return the command that sets the variable of the proxy to *url*, "" if no variable names the proxy."""
    # The address is text from the variable, which may contain characters that a shell interprets.
    value = url if os.name == "nt" else shlex.quote(url)
    return set_command(f"{case.proxy_variable}={value}") if case.proxy_variable else ""


def _plain(case: Case) -> Facts:
    return _assignment("http", case)


def _secured(case: Case) -> Facts:
    return _assignment("https", case)


def _example(case: Case) -> Facts:
    example = f"{case.proxy_variable or 'HTTPS_PROXY'}=http://proxy.example:3128"
    return {**_source(case), "example": set_command(example)}


def _login(case: Case) -> Facts:
    has_login = "@" in (case.proxy or "")
    found = _source(case)
    used = (case.proxy or "").partition("://")[0].lower()
    return {
        **found,
        "finding": f"{'rejected the' if has_login else 'requires a'} user name and password",
        "command": _command(case, f"{used}://NAME:PASSWORD@{case.facts['proxy']}"),
    }


CAUSES = (
    Cause(
        "proxy-not-listening",
        "Nothing listens at the address of the proxy, {proxy}, in {source}.",
        (
            "Start the proxy, or correct its address and port in {source}.",
            _WITHOUT,
            _EXCLUDE,
        ),
        steps=("proxy",),
        reasons=("refused",),
        facts=_source,
    ),
    Cause(
        "proxy-unknown",
        "The name of the proxy, {proxy}, in {source}, does not resolve to an IP address ({message}).",
        (
            _CORRECT,
            "If it is an internal name of your company, connect to the company's network or VPN first.",
            _WITHOUT,
        ),
        steps=("proxy",),
        reasons=("name",),
        facts=_source,
    ),
    Cause(
        "proxy-unreachable",
        "The proxy {proxy}, in {source}, cannot be reached: {message}.",
        (
            "Check that this machine is connected to the network of the proxy, or to its VPN.",
            _CORRECT,
            _WITHOUT,
            _EXCLUDE,
        ),
        steps=("proxy",),
        reasons=("timeout", "unreachable"),
        facts=_source,
    ),
    Cause(
        "proxy-without-tls",
        "The proxy {proxy} does not use TLS, but its address in {source} starts with https://.",
        (
            f"Write http:// instead of https:// in {{source}}. {_INSIDE}\n{{command}}",
            f"Write http:// instead of https:// in {{settings}}. {_INSIDE}",
        ),
        steps=("proxy",),
        reasons=("plain-proxy",),
        facts=_plain,
    ),
    Cause(
        "proxy-with-tls",
        "The proxy {proxy} requires TLS, but its address in {source} starts with http://.",
        (
            "Write https:// instead of http:// in {source}:\n{command}",
            "Write https:// instead of http:// in {settings}.",
            "urllib and programs based on it do not support proxies with TLS: ask the network's administrator for a "
            "proxy without TLS.",
        ),
        steps=("proxy",),
        reasons=("tls-proxy",),
        facts=_secured,
    ),
    Cause(
        "proxy-not-socks",
        "The proxy {proxy} is an HTTP proxy, but its address in {source} starts with {used}://.",
        (
            "Write http:// instead of {used}:// in {source}:\n{command}",
            "Write http:// instead of {used}:// in {settings}.",
        ),
        steps=("proxy",),
        reasons=("http-proxy",),
        facts=_plain,
    ),
    Cause(
        "proxy-scheme",
        "The address of the proxy in {source} is not usable: {message}.",
        (
            "Write the scheme of the proxy's protocol. The most common one is http:\n{command}",
            "Write the scheme of the proxy's protocol in {settings}. The most common one is http://.",
            _WITHOUT,
        ),
        steps=("proxy",),
        reasons=("scheme",),
        facts=_plain,
    ),
    Cause(
        "proxy-address",
        "The address of the proxy in {source} is not a valid URL: the host is missing, or the port is not a number.",
        (
            "Correct it. Special characters in a password are written as % and their hexadecimal code, for example @ "
            "as %40:\n{example}",
            _WITHOUT,
        ),
        steps=("proxy",),
        reasons=("address",),
        facts=_example,
    ),
    Cause(
        "proxy-socks-login",
        "The proxy {proxy} {finding}.",
        (
            "Set the proxy with your user name and password. Replace each character other than letters and digits by % "
            "and its hexadecimal code, for example @ by %40:\n{command}",
            "Ask the network's administrator for a user name and a password for the proxy.",
        ),
        steps=("proxy",),
        reasons=("socks-login",),
        facts=_login,
    ),
)
