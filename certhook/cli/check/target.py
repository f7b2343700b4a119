"""The server to check, from the command line."""

from __future__ import annotations

import re
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from certhook._text import host_and_port, printable, shown_scheme
from certhook.cli.check.wording import MAX_LENGTH

#: The default port and the protocol of each scheme. The suffix "-starttls" marks protocols that start without TLS.
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
# Without a scheme, the port selects the protocol.
_PROTOCOLS_BY_PORT = dict(SCHEMES.values())
_PROTOCOLS_BY_PORT[587] = _PROTOCOLS_BY_PORT[25]
# A scheme with an incomplete "://", as in https:/example.org. In imap:993, imap is a host.
_INCOMPLETE_SCHEME = re.compile(rf"(http|{'|'.join(SCHEMES)})((?::/|//|:(?![\d/]|$))/*)(.*)", re.IGNORECASE)
# No name or address contains these ASCII characters. A shell interprets most of them, and the advice contains commands
# with the host, which may come from a list of another user. Other characters are converted to ASCII (IDNA).
_REFUSED_CHARACTER = re.compile(r"[\x00-\x7f](?<![A-Za-z0-9._:%-])")

# A name in the DNS has up to 253 characters. The conversion of a much longer one (IDNA) would take seconds.
_MAX_HOST = 1000


class Target(NamedTuple):
    """A server to check.

    :ivar text: the scheme, host and port as the user typed them, without other parts, which may be secret
    :ivar protocol: the protocol inside TLS
    :ivar starttls: whether the connection starts without TLS
    :ivar address: the host and port to connect to instead (``--connect-to``)
    """

    text: str
    host: str
    port: int
    protocol: str
    starttls: bool
    address: tuple[str, int] | None = None

    @property
    def endpoint(self) -> tuple[str, int]:
        """The host and port to connect to."""
        return self.address or (self.host, self.port)

    @property
    def shown_address(self) -> str | None:
        """The address of ``--connect-to`` as text, None if the option is not given."""
        if self.address is None:
            return None
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def authority(self) -> str:
        """The host, and the port unless it is the default and the user did not give it, as URLs contain them."""
        is_default = self.port == 443 and not self.text.endswith(":443")
        return self.ascii_host if is_default else f"{self.ascii_host}:{self.port}"

    @property
    def ascii_host(self) -> str:
        """The host as protocols require it: in ASCII (IDNA), with brackets around an IPv6 address."""
        return f"[{self.host}]" if ":" in self.host else self.host.encode("idna").decode()


def parse(text: str) -> Target:
    """Parse ``HOST``, ``HOST:PORT`` or a URL.

    :raises ValueError: with a message for the user that contains no credentials
    """
    scheme, separator, rest = text.partition("://")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):  # This may be a user name and a password.
        separator = ""
    scheme, rest = (scheme.lower(), rest) if separator else ("", text)
    _refuse_invalid(text, scheme, separator, rest)
    shown = f"'{scheme}{separator}{_shown_host(rest)}'"
    if not scheme and text.count(":") > 1 and "[" not in text and "@" not in text:
        rest = f"[{text}]"  # an IPv6 address
    try:
        parts = urlsplit(f"//{rest}")
        host = _validate_host(parts.hostname or "")
    except (ValueError, OSError):
        expected = "example.org, example.org:8443, [::1]:8443 or https://example.org"
        raise ValueError(f"{shown} is not a host (expected for example {expected})") from None
    default_port, protocol = SCHEMES[scheme or "https"]
    try:
        port = default_port if parts.port is None else parts.port
        if not port:
            raise ValueError
    except ValueError:
        raise ValueError(f"{shown}: the port must be a number from 1 to 65535") from None
    protocol = protocol if scheme else _PROTOCOLS_BY_PORT.get(port, protocol)
    protocol, dash, _ = protocol.partition("-")
    shown = parts.netloc.rpartition("@")[2]
    return Target(f"{scheme}://{shown}" if scheme else shown, host, port, protocol, bool(dash))


def parse_address(text: str) -> tuple[str, int]:
    """Parse the argument ``HOST:PORT`` of ``--connect-to``.

    :raises ValueError: with a message for the user that contains no credentials
    """
    target = parse(text)
    if "://" in text or not re.search(r":\d+$", target.text):
        raise ValueError(f"'{target.text}' contains no port (expected for example 192.0.2.1:8443 or [::1]:8443)")
    return target.host, target.port


def _refuse_invalid(text: str, scheme: str, separator: str, rest: str) -> None:
    """Refuse non-printable characters, and schemes that are incomplete or not supported.

    :raises ValueError: with a message for the user that contains no credentials
    """
    bare = _shown_host(rest)
    named = scheme if scheme in (*SCHEMES, "http") or "scheme " in shown_scheme(scheme) else "..."
    shown = f"'{named if scheme else ''}{separator}{bare}'"
    if not text.isprintable():
        raise ValueError(f"{shown} contains a non-printable character, which no host name may contain")
    incomplete = None if separator else _INCOMPLETE_SCHEME.fullmatch(text)
    if incomplete:
        typed, marks, bare = incomplete[1], incomplete[2], _shown_host(incomplete[3])
        meant = "https" if typed.lower() == "http" else typed.lower()
        raise ValueError(f"'{typed}{marks}{bare}' is not a host; did you mean {meant}://{bare}?")
    if scheme == "http":
        raise ValueError(f"{shown}: http:// does not use certificates; did you mean https://{bare}?")
    if scheme and scheme not in SCHEMES:
        raise ValueError(f"{shown}: {shown_scheme(scheme)} is not supported (expected one of {', '.join(SCHEMES)})")


def _shown_host(text: str) -> str:
    return printable(host_and_port(text), MAX_LENGTH)


def _validate_host(host: str) -> str:
    """Return *host* without its final dot. This does not resolve it.

    :raises ValueError: if it is not valid
    :raises OSError: if it contains a colon and is not an IPv6 address
    """
    host = host.rstrip(".")
    if not 0 < len(host) <= _MAX_HOST or not host.isprintable() or _REFUSED_CHARACTER.search(host):
        raise ValueError
    if ":" in host:
        socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    elif "%" in host or _REFUSED_CHARACTER.search(host.encode("idna").decode()):
        raise ValueError
    return host


def proxy_address(proxy: str) -> str:
    """Return the host and port of *proxy* for a message."""
    return printable(host_and_port(proxy), MAX_LENGTH)
