"""The proxy on the way to a server: which one each client uses, by the variables and the system's settings.

Each client interprets ``NO_PROXY`` in its own way. The clients environment of the tests compares
these functions with the real clients.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from certhook._text import shown_scheme
from certhook.cli.check.failure import Failure
from certhook.cli.check.target import Target, proxy_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl


class Proxy(NamedTuple):
    """A proxy.

    :ivar url: its URL, which may contain credentials and is never shown
    :ivar variable: the environment variable that names it, "" if it comes from the system's settings
    :ivar context: verifies the proxy itself if it uses TLS; None for default trust
    """

    url: str
    variable: str = ""
    context: ssl.SSLContext | None = None

    @property
    def address(self) -> str:
        """The host and port, for messages."""
        return proxy_address(self.url)

    @property
    def scheme(self) -> str:
        """The scheme in lower case, by default "http"."""
        scheme, separator, _ = self.url.partition("://")
        return scheme.lower() if separator else "http"

    @property
    def source(self) -> str:
        """The variable, or a phrase for the system's settings."""
        return self.variable or "the system's settings"


def variables() -> tuple[str, ...]:
    """Return the set variables that select the proxy of HTTPS connections."""
    return tuple(filter(None, map(_variable, ("https", "all", "no"))))


def configured() -> list[Proxy]:
    """Return all proxies in the variables or the system's settings that httpx reads."""
    return list(filter(None, map(_configured, ("http", "https", "all"))))


def find(target: Target) -> Proxy | None:
    """Return the proxy of the first connection to *target*.

    This is urllib's. If urllib does not support the setting, because the proxy requires TLS or
    SOCKS, or because only ``ALL_PROXY`` is set, it is the proxy of requests.
    """
    if target.protocol != "https":
        return None
    proxy = _configured("https")
    return urllib_proxy(target) if proxy and proxy.scheme == "http" else requests_proxy(target)


def urllib_proxy(target: Target) -> Proxy | None:
    """Return urllib's proxy. For HTTPS, it ignores the scheme and sends a CONNECT request without TLS."""
    proxy = _configured("https")
    if proxy is None or _system_bypasses(target.authority):
        return None
    if proxy.scheme == "http":
        return proxy
    rest = proxy.url.partition("://")[2]
    # http.client, which makes the connection, has the default port 443.
    has_port = re.search(r":\d+$", rest.partition("/")[0].rpartition("@")[2])
    return proxy._replace(url=f"http://{rest.partition('/')[0]}{'' if has_port else ':443'}")


def requests_proxy(target: Target) -> Proxy | None:
    """Return the proxy of requests, which also uses ``ALL_PROXY``, and networks in ``NO_PROXY``."""
    proxy = _configured("https") or _configured("all")
    if proxy is None or _requests_bypasses(target) or _system_bypasses(target.host):
        return None
    return proxy


def _system_bypasses(host: str) -> bool:
    """Return whether the variables or the system's settings exclude *host*, as urllib reads them."""
    try:
        return bool(proxy_bypass(host))
    except (OSError, TypeError):  # macOS and Windows may resolve the name.
        return False


def _requests_bypasses(target: Target) -> bool:
    """Return whether ``NO_PROXY`` contains *target*, as :func:`requests.utils.should_bypass_proxies` does."""
    host = target.host.lower()
    entries = list(filter(None, (os.environ.get(_variable("no")) or "").replace(" ", "").split(",")))
    if _is_ipv4(host):
        return any(entry == host or _is_in_network(host, entry) for entry in entries)
    names = {host, target.authority.lower()}
    for entry in (entry.lstrip(".") for entry in entries):
        if entry in names or any(name.endswith(f".{entry}") for name in names):
            return True
    return False


def _is_ipv4(host: str) -> bool:
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


def _is_in_network(host: str, network: str) -> bool:
    address, _, bits = network.partition("/")
    if not re.fullmatch(r"\d{1,2}", bits) or not 1 <= int(bits) <= 32 or not _is_ipv4(address):
        return False
    shift = 32 - int(bits)
    numbers = [int.from_bytes(socket.inet_aton(one), "big") >> shift for one in (host, address)]
    return numbers[0] == numbers[1]


#: The schemes of proxies that httpx supports.
_HTTPX_SCHEMES = ("http", "https", "socks5", "socks5h")


def httpx_proxy(target: Target) -> Proxy | None:
    """Return the proxy of httpx, which validates all variables when a client is created.

    :raises Failure: in the step "proxy" if httpx refuses a variable
    """
    entries = [entry.strip() for entry in getproxies().get("no", "").split(",")]
    if "*" in entries:
        return None
    for proxy in configured():
        if proxy.scheme not in _HTTPX_SCHEMES:
            raise Failure("proxy", f"httpx does not support {shown_scheme(proxy.scheme)} in {proxy.source}")
    matches = [_httpx_matches(entry, target) for entry in filter(None, entries)]  # It parses all of them.
    if any(matches):
        return None
    found = _configured("https") or _configured("all")
    if found is not None and found.scheme == "socks5":
        found = found._replace(url=re.sub("^[^:]*", "socks5h", found.url))  # The proxy always resolves the name.
    return found


def _httpx_matches(entry: str, target: Target) -> bool:
    """Return whether an entry in ``NO_PROXY`` matches *target* as a pattern of httpx.

    :raises Failure: if httpx cannot parse the entry
    """
    scheme, separator, rest = entry.partition("://")
    address = entry.partition("/")[0]
    is_exact = bool(separator) or entry.lower() == "localhost" or _is_address(address)
    if not separator:
        scheme, rest = "all", f"[{entry}]" if _is_address(address, 6) else entry
    try:
        parts = urlsplit(f"//{rest}")
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise Failure("proxy", f"httpx cannot parse the entry {proxy_address(entry)} in {_variable('no')}") from None
    if scheme not in ("all", "https") or (port is not None and port != (target.port if target.port != 443 else None)):
        return False
    name = target.host.lower()
    if host.startswith("."):
        return name.endswith(host) and name != host
    return name == host or (not is_exact and name.endswith(f".{host}"))


def _is_address(text: str, version: int | None = None) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return version is None or address.version == version


def _configured(scheme: str) -> Proxy | None:
    """Return the proxy for a scheme, or for "all", in the variables or the system's settings."""
    url = getproxies().get(scheme)
    return Proxy(url, _variable(scheme)) if url else None


def _variable(scheme: str) -> str:
    """Return the name of the variable that is set for *scheme*: the one in lower case has priority; "" if none is."""
    name = f"{scheme}_proxy"
    names = [name, *(other for other in os.environ if other.lower() == name)]
    return next((other for other in names if os.environ.get(other)), "")
