"""The servers of the demonstration, on loopback, in threads of this process."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading

from certhook.cli.demo.certificates import SERVERS
from certhook.cli.demo.clients import ADDRESS, TIME_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator


class _Server(socketserver.ThreadingTCPServer):
    """A server that sends the name of its source to each client that verifies it."""

    daemon_threads = True

    def __init__(self, source: str, context: ssl.SSLContext) -> None:
        self._source, self._context = source, context
        super().__init__((ADDRESS, 0), socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in its own thread."""
        request.settimeout(TIME_LIMIT)
        try:
            with self._context.wrap_socket(request, server_side=True) as connection:
                connection.sendall(self._source.encode())
                connection.unwrap()
        except OSError:
            pass  # The client rejects the certificate, as the demonstration expects.

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:
        """Print nothing: the clients report errors."""


@contextlib.contextmanager
def running(paths: dict[str, str]) -> Iterator[dict[str, int]]:
    """Run a server for each source, and return their ports.

    :param paths: for each source, the path of the file with the certificate and the key of its server
    :raises OSError: if this process cannot listen on loopback
    """
    with contextlib.ExitStack() as stack:
        ports = {}
        for source in SERVERS:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(paths[source])
            server = stack.enter_context(_Server(source, context))
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            stack.callback(server.shutdown)
            ports[source] = int(server.server_address[1])
        yield ports
