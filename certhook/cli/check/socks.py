"""SOCKS 4, 4a and 5 (:rfc:`1928`, :rfc:`1929`).

No library: each has time limits only for single reads, and must be installed first, which on a
machine behind a SOCKS proxy may require that proxy.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Callable

from certhook.cli.check.failure import Failure
from certhook.cli.check.stream import Stream

#: The schemes of proxies. The suffix "h" or "a": the proxy resolves the host name.
SCHEMES = ("socks4", "socks4a", "socks5", "socks5h")
#: Returns the results of getaddrinfo() for a host.
Resolve = Callable[[str], "list[tuple[int, int, int, str, tuple[str, int]]]"]

_NO_LOGIN, _PASSWORD, _NO_METHOD = 0, 2, 0xFF
_GRANTED = 0x5A  # by SOCKS 4
_IPV4, _NAME, _IPV6 = 1, 3, 4
_ERRORS = {
    1: "general failure",
    2: "connection not allowed",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}


def open_tunnel(
    stream: Stream, scheme: str, host: str, port: int, login: tuple[str, str] | None, resolve: Resolve
) -> None:
    """Make the proxy at the other end of *stream* connect to *host*.

    :param scheme: one of :data:`SCHEMES`
    :param login: the user name and password, None if the user gave none
    :param resolve: resolves *host* if the proxy does not
    :raises OSError: if the proxy does not reply
    :raises Failure: in the step "proxy" if it refuses
    """
    address = _parse_address(host)
    if address is None and not scheme.endswith(("h", "a")):
        results = resolve(host)
        # SOCKS 4 has no IPv6 addresses.
        usable = [entry[4][0] for entry in results if scheme == "socks5" or entry[0] == socket.AF_INET]
        address = _parse_address(usable[0]) if usable else None
        if address is None:
            raise Failure("proxy", "SOCKS 4 does not support IPv6, and the server has no IPv4 address")
    if scheme.startswith("socks4"):
        _open_version_4(stream, host, port, login, address)
    else:
        _open_version_5(stream, host, port, login, address)


def _parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _open_version_4(
    stream: Stream,
    host: str,
    port: int,
    login: tuple[str, str] | None,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
) -> None:
    if address is not None and address.version == 6:
        raise Failure("proxy", "SOCKS 4 does not support IPv6 addresses")
    user = _encoded(login[0] if login else "") + b"\0"
    packed = address.packed + user if address else b"\0\0\0\1" + user + host.encode("idna") + b"\0"
    stream.send(b"\4\1" + port.to_bytes(2, "big") + packed)
    reply = stream.read(2)
    _require(reply[0] == 0, reply)
    stream.read(6)
    if reply[1] != _GRANTED:
        raise Failure("proxy", f"the SOCKS proxy refused the connection (code {reply[1]})")


def _open_version_5(
    stream: Stream,
    host: str,
    port: int,
    login: tuple[str, str] | None,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
) -> None:
    methods = bytes([_NO_LOGIN, _PASSWORD] if login else [_NO_LOGIN])
    stream.send(bytes([5, len(methods)]) + methods)
    version, method = stream.read(2)
    _require(version == 5, bytes([version, method]))
    if method == _PASSWORD and login:
        name, password = (_encoded(text)[:255] for text in login)
        stream.send(b"\1" + bytes([len(name)]) + name + bytes([len(password)]) + password)
        if stream.read(2)[1]:
            raise Failure("proxy", "the SOCKS proxy rejected the user name and password", reason="socks-login")
    elif method != _NO_LOGIN:
        text = "the SOCKS proxy requires a user name and password"
        raise Failure(
            "proxy", text if method in (_PASSWORD, _NO_METHOD) else f"{text} (method {method})", 0, "socks-login"
        )
    if address is None:
        name = host.encode("idna")
        if len(name) > 255:
            raise Failure("name", "the name is too long")
        target = bytes([_NAME, len(name)]) + name
    else:
        target = bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed
    stream.send(b"\5\1\0" + target + port.to_bytes(2, "big"))
    version, code, _, kind = stream.read(4)
    _require(version == 5, bytes([version, code]))
    if code:
        raise Failure("proxy", f"the SOCKS proxy replied: {_ERRORS.get(code, f'error {code}')}")
    stream.read({_IPV4: 4, _IPV6: 16}.get(kind) or stream.read(1)[0])
    stream.read(2)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # A variable may contain any bytes.


def _require(is_socks: bool, reply: bytes) -> None:
    """Refuse a *reply* that is not of the expected protocol. The reply of an HTTP proxy starts with "HTTP"."""
    if not is_socks:
        raise Failure("proxy", "the reply of the proxy is not SOCKS", reason="http-proxy" if reply == b"HT" else "")
