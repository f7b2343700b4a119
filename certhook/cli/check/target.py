"""Whom to connect to, as a person writes it."""

from __future__ import annotations

import re
import socket
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from certhook.cli._words import printable

#: Scheme to the usual port, and what is spoken there: the part before the dash in the clear, up to STARTTLS.
SCHEMES = {
    "https": (443, "https"),
    "wss": (443, "https"),
    "smtp": (25, "smtp-starttls"),
    "smtps": (465, "smtp"),
    "imap": (143, "imap-starttls"),
    "imaps": (993, "imap"),
    "postgres": (5432, "postgres-starttls"),
    "postgresql": (5432, "postgres-starttls"),
    "pop3s": (995, "pop3"),
    "ldaps": (636, "ldap"),
    "ftps": (990, "ftp"),
    "rediss": (6379, "redis"),
    "amqps": (5671, "amqp"),
    "mqtts": (8883, "mqtt"),
    "ircs": (6697, "irc"),
    "sips": (5061, "sip"),
}
# Where no scheme is given, the port says it.
_BY_PORT = dict(SCHEMES.values())
_BY_PORT[587] = _BY_PORT[25]
# A scheme without all of "://", as in https:/example.org; imap:993 is a host called imap.
_SLIP = re.compile(rf"(http|{'|'.join(SCHEMES)})((?::/|//|:(?![\d/]|$))/*)(.*)", re.IGNORECASE)


class Target(NamedTuple):
    """Whom to connect to.

    :ivar text: as the person wrote it, as far as the port: what follows, and a name before it, may be secret
    :ivar protocol: what is spoken inside TLS
    :ivar starttls: whether it begins in the clear
    """

    text: str
    host: str
    port: int
    protocol: str
    starttls: bool

    @property
    def ascii(self) -> str:
        """The host as protocols write it: in ASCII (IDNA), an IPv6 address in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host.encode("idna").decode()


def parse(text: str) -> Target:
    """Understand ``HOST``, ``HOST:PORT`` or a URL.

    :raises ValueError: with a sentence that says what would be right, and repeats no password
    """
    scheme, separator, rest = text.partition("://")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):  # It may be a name and a password.
        separator = ""
    scheme, rest = (scheme.lower(), rest) if separator else ("", text)
    bare = printable(_bare(rest))
    shown = f"'{scheme}{separator}{bare}'"
    if not text.isprintable():
        raise ValueError(f"{shown} has a character in it that cannot be printed; none is in the name of a host")
    slip = None if separator else _SLIP.fullmatch(text)
    if slip:
        bare = printable(_bare(slip[3]))
        meant = "https" if slip[1].lower() == "http" else slip[1].lower()
        raise ValueError(f"'{slip[1]}{slip[2]}{bare}' is not a host; did you mean {meant}://{bare}?")
    if scheme == "http":
        raise ValueError(f"{shown}: http:// has no certificates; did you mean https://{bare}?")
    if scheme and scheme not in SCHEMES:
        raise ValueError(f"{shown}: {scheme}:// is not known here; known are {', '.join(SCHEMES)}")
    if not scheme and text.count(":") > 1 and "[" not in text and "@" not in text:
        rest = f"[{text}]"  # an IPv6 address
    try:
        parts = urlsplit(f"//{rest}")
        host = _host(parts.hostname or "")
    except (ValueError, OSError):
        right = "example.org, example.org:8443, [::1]:8443 or https://example.org"
        raise ValueError(f"{shown} is not a host; right would be {right}") from None
    usual, protocol = SCHEMES[scheme or "https"]
    try:
        port = usual if parts.port is None else parts.port
        if not port:
            raise ValueError
    except ValueError:
        raise ValueError(f"{shown}: the port is not a number from 1 to 65535") from None
    protocol = protocol if scheme else _BY_PORT.get(port, protocol)
    protocol, dash, _ = protocol.partition("-")
    shown = parts.netloc.rpartition("@")[2]
    return Target(f"{scheme}://{shown}" if scheme else shown, host, port, protocol, bool(dash))


def _bare(text: str) -> str:
    """*text* without what may be secret: a name and password before the host, and whatever follows it."""
    # The password may have any of these in it, unquoted.
    behind = text.rpartition("@")[2]
    for mark in "/?#":
        behind = behind.partition(mark)[0]
    return behind


def _host(host: str) -> str:
    """Check *host*, as far as that can be done without asking anybody.

    :raises ValueError: if it is none
    :raises OSError: if it is no IPv6 address, but looks like one
    """
    host = host.rstrip(".")
    if not host or not host.isprintable() or " " in host:
        raise ValueError
    if ":" in host:
        socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    else:
        host.encode("idna")
    return host


def proxy_of(target: Target) -> str | None:
    """The HTTP proxy that programs would use, as ``HTTPS_PROXY`` and the system's settings say."""
    if target.protocol != "https" or proxy_bypass(f"{target.host}:{target.port}"):
        return None
    return getproxies().get("https") or None


def without_login(proxy: str) -> str:
    """The address of *proxy*, without a name and password."""
    return printable(proxy.rpartition("@")[2].rpartition("://")[2].rstrip("/"))
