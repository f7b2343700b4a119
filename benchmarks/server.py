"""An HTTPS server on loopback, in a separate process, so that it shares no lock with the measured process."""

from __future__ import annotations

import socketserver
import ssl
import subprocess
import sys
from pathlib import Path

REQUEST_LIMIT = 65536
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
TIMEOUT = 20


class Server:
    """The server, which runs inside a ``with`` statement.

    :param work: the directory for its key and certificates

    :ivar authority: the certificate of its authority, as PEM
    :ivar port: its port on 127.0.0.1
    """

    def __init__(self, work: Path) -> None:
        import trustme

        ca = trustme.CA(organization_name="certhook benchmarks")
        self.authority = ca.cert_pem.bytes()
        self._chain = work / "server.pem"
        ca.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(self._chain))

    def __enter__(self) -> Server:
        command = [sys.executable, str(Path(__file__).resolve()), str(self._chain)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii")
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.settimeout(TIMEOUT)
        try:
            with self.server.context.wrap_socket(self.request, server_side=True) as secured:
                if secured.recv(REQUEST_LIMIT):
                    secured.sendall(RESPONSE)
        except OSError:
            pass  # The client closed the connection.


class _Loopback(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    """Run the server with the key and certificates in the file ``sys.argv[1]``, and print the port."""
    with _Loopback(("127.0.0.1", 0), _Connection) as server:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(sys.argv[1])
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
