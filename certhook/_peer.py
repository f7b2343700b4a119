"""The server of a connection: its host and port as an argument of a command.

The peer of a connection may be a proxy, whose port would be wrong. The port is that of the HTTP client if one of the
standard library or urllib3 makes the connection; or else that of the peer, unless there is a sign of a proxy. Of the
callers, only those of known modules are examined.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_PROXY_PORTS = (1080, 3128, 8080)
_PROXY_WORDS = ("proxy", "socks", "tunnel")
# The number of callers among which the client is searched.
_DEPTH = 40

# The characters of host names and addresses other than letters and digits.
_OTHER_CHARACTERS = {ord(character): "0" for character in ".:_-"}


def target(connection: Any, frame: FrameType | None) -> str:
    """Return the host and port of the server, only the host if its port is not known, or "" if neither is.

    :param connection: an ``SSLSocket`` or ``SSLObject``
    :param frame: the caller of its method
    """
    host = getattr(connection, "server_hostname", None)
    if not isinstance(host, str) or not _is_plain(host):
        return ""
    port = _port(connection, frame)
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_plain(host: str) -> bool:
    """Return whether *host* can be part of a command: it is a name or an address."""
    return 0 < len(host) < 256 and host[0] != "-" and host.isascii() and host.translate(_OTHER_CHARACTERS).isalnum()


def _port(connection: Any, frame: FrameType | None) -> int:
    """Return the port of the server, 0 if the peer may be a proxy or is not known."""
    peer = None
    for _ in range(_DEPTH):
        if frame is None:
            break
        module, function = frame.f_globals.get("__name__"), frame.f_code.co_name
        # pip contains urllib3 under another name.
        if function == "connect" and (module == "http.client" or str(module).endswith("urllib3.connection")):
            client: Any = frame.f_locals["self"]
            port = client._tunnel_port if client._tunnel_host else client.port
            return port if isinstance(port, int) else 0
        if module == "asyncio.sslproto" and peer is None:
            peer = _asyncio_peer(frame.f_locals.get("self"))
        if any(word in f"{module} {function}".lower() for word in _PROXY_WORDS):
            return 0
        frame = frame.f_back
    if peer is None and hasattr(connection, "getpeername"):
        try:
            peer = connection.getpeername()
        except OSError:
            pass  # The server has closed the connection.
    port = peer[1] if isinstance(peer, tuple) and len(peer) > 1 else 0
    if not isinstance(port, int) or port in _PROXY_PORTS or any(os.environ.get(name) for name in _PROXY_VARIABLES):
        return 0
    return port


def _asyncio_peer(protocol: Any) -> Any:
    """Return the address of the peer of an ``asyncio.sslproto.SSLProtocol``, () after ``start_tls()``."""
    # A transport that exchanged data before TLS may be that of a proxy.
    if getattr(getattr(protocol, "_app_state", None), "name", "") != "STATE_INIT":
        return ()
    return protocol._transport.get_extra_info("peername") or ()
