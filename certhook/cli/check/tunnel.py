"""Connections through proxies: HTTP CONNECT, with or without TLS to the proxy, and SOCKS."""

from __future__ import annotations

import base64
import re
from contextlib import closing
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from certhook._text import shown_scheme, without_parts
from certhook.cli.check import contexts, socks, tcp
from certhook.cli.check.failure import Deadline, Failure
from certhook.cli.check.proxies import Proxy
from certhook.cli.check.stream import Stream, Transport
from certhook.cli.check.target import Target
from certhook.cli.check.tls import start_tls

_PORTS = {"http": 80, "https": 443, **dict.fromkeys(socks.SCHEMES, 1080)}
# The time for the reply of a proxy to a request without TLS, in seconds.
_REPLY_TIMEOUT = 3.0


class _Address(NamedTuple):
    scheme: str
    host: str
    port: int
    login: tuple[str, str] | None


def open_through(proxy: Proxy, target: Target, deadline: Deadline) -> Transport:
    """Connect to *target* through *proxy*.

    :raises Failure: in the step "proxy", or "name" if the proxy does not resolve the name of *target*
    """
    try:
        return _open_through(proxy, target, deadline)
    except Failure as failure:
        # A proxy may repeat the request, and an error may contain a part of an invalid URL.
        text = without_parts(failure.sentence, [proxy.url])
        raise Failure(failure.step, text, failure.code, failure.reason) from failure


def _open_through(proxy: Proxy, target: Target, deadline: Deadline) -> Transport:
    address = _parse(proxy)
    raw: Transport = _connect(address, deadline)
    try:
        if address.scheme == "https":
            raw = _start_tls(raw, proxy, address, target, deadline)
        _open(Stream(raw, deadline), address, target, deadline)
    except OSError as error:
        raw.close()
        if address.scheme == "http" and _accepts_tls(address, deadline):
            raise _requires_tls() from error
        raise Failure("proxy", f"no reply from the proxy: {error}") from error
    except Failure:
        raw.close()
        raise
    return raw


def _parse(proxy: Proxy) -> _Address:
    scheme = proxy.scheme
    if scheme not in _PORTS:
        expected = "expected http, https, socks4, socks4a, socks5 or socks5h"
        raise Failure("proxy", f"{shown_scheme(scheme)} is not supported for proxies ({expected})", reason="scheme")
    try:
        parts: SplitResult = urlsplit(f"//{proxy.url.partition('://')[2] or proxy.url}")
        host, port = parts.hostname, parts.port
        if not host:
            raise ValueError
    except ValueError:
        raise Failure("proxy", "the address of the proxy is invalid", reason="address") from None
    has_login = parts.username is not None
    login = (unquote(parts.username or ""), unquote(parts.password or "")) if has_login else None
    return _Address(scheme, host, port or _PORTS[scheme], login)


def _connect(address: _Address, deadline: Deadline) -> Transport:
    try:
        return tcp.connect(address.host, address.port, deadline)
    except Failure as failure:
        reasons = {"name": "name", "connect": failure.reason or "unreachable"}
        raise Failure("proxy", failure.text, reason=reasons[failure.step]) from failure


def _start_tls(raw: Transport, proxy: Proxy, address: _Address, target: Target, deadline: Deadline) -> Transport:
    try:
        # A proxy without TLS may wait for more data instead of replying.
        context = proxy.context or contexts.default_context()
        return start_tls(raw, context, address.host, Deadline(deadline.left() * 2 / 3))
    except (OSError, ValueError) as error:  # ValueError: the host is not a valid server name.
        raw.close()
        text = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
        reason = "untrusted-proxy" if getattr(error, "verify_code", 0) else ""
        if not reason and _replies_without_tls(address, target, deadline):
            reason = "plain-proxy"
        raise Failure("proxy", f"TLS to the proxy failed: {text}", reason=reason) from error


def _replies_without_tls(address: _Address, target: Target, deadline: Deadline) -> bool:
    """Return whether the proxy replies to a CONNECT request without TLS. The request contains no credentials."""
    try:
        deadline = Deadline(min(deadline.left(), _REPLY_TIMEOUT))
        with closing(tcp.connect(address.host, address.port, deadline)) as raw:
            stream = Stream(raw, deadline)
            stream.send(_connect_request(target, None))
            return stream.read(5) == b"HTTP/"
    except (OSError, Failure):
        return False


def _accepts_tls(address: _Address, deadline: Deadline) -> bool:
    """Return whether the proxy, which closed a connection without TLS, accepts one with TLS. This sends no data."""
    try:
        deadline = Deadline(min(deadline.left(), _REPLY_TIMEOUT))
        raw = tcp.connect(address.host, address.port, deadline)
        start_tls(raw, contexts.permissive_context(), address.host, deadline).close()
    except (OSError, ValueError, Failure):
        return False
    return True


def _requires_tls() -> Failure:
    return Failure("proxy", "the proxy requires TLS", reason="tls-proxy")


def _open(stream: Stream, address: _Address, target: Target, deadline: Deadline) -> None:
    host, port = target.endpoint
    if address.scheme in socks.SCHEMES:
        socks.open_tunnel(
            stream, address.scheme, host, port, address.login, lambda name: tcp.resolve(name, port, deadline)
        )
        return
    stream.send(_connect_request(target, address.login))
    first = stream.read(1)
    if first == b"\x15" and address.scheme == "http":  # An alert of TLS
        raise _requires_tls()
    status = (first.decode("latin-1") + stream.read_line()) if first != b"\n" else ""
    matched = re.match(r"HTTP/\S+\s+([0-9]{3})(?:\s|$)", status)
    if matched is None:
        raise Failure("proxy", f"the reply of the proxy is not HTTP: {status[:60]!r}")
    while stream.read_line():
        pass
    if matched[1][0] != "2":
        raise Failure("proxy", status.split(None, 1)[1], code=int(matched[1]))


def _connect_request(target: Target, login: tuple[str, str] | None) -> bytes:
    """Return a CONNECT request (:rfc:`9110#section-9.3.6`)."""
    host, port = target.endpoint
    name = f"{target.ascii_host if host == target.host else f'[{host}]' if ':' in host else host}:{port}"
    request = [f"CONNECT {name} HTTP/1.1", f"Host: {name}"]
    if login is not None:
        credentials = base64.b64encode(":".join(login).encode("utf-8", "surrogateescape")).decode()
        request.append(f"Proxy-Authorization: Basic {credentials}")
    return "\r\n".join([*request, "", ""]).encode("latin-1", "replace")
