"""A simulated operating system that verifies servers, in place of truststore, and connections in memory."""

from __future__ import annotations

import functools
import socket
import ssl
import threading
import warnings

import trustme
from cryptography import x509

UNTRUSTED_ROOT, REVOKED, OFFLINE, WRONG_NAME = 0x800B0109, 0x80092010, 0x80092013, 0x800B010F


@functools.lru_cache(maxsize=None)
def _parse(pem: bytes) -> x509.Certificate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Some roots have unusual serial numbers.
        return x509.load_pem_x509_certificate(pem)


class System:
    """An operating system with the error codes of Windows. Call it like truststore's function.

    :ivar roots: the CAs that it trusts
    :ivar unknown: the CAs for which it does not know whether a certificate was revoked
    :ivar revoked: the CAs all of whose certificates were revoked
    :ivar calls: the host name, the flags and the number of additional anchors of each call
    """

    def __init__(self) -> None:
        self.roots: list[trustme.CA] = []
        self.unknown: list[trustme.CA] = []
        self.revoked: list[trustme.CA] = []
        self.calls: list[tuple[str | None, bool, int]] = []

    def __call__(self, ssl_context, cert_chain, server_hostname=None) -> None:
        assert ssl_context.verify_mode == ssl.CERT_REQUIRED
        anchors = ssl_context.get_ca_certs(binary_form=True)
        checks_revocation = bool(ssl_context.verify_flags & ssl.VERIFY_CRL_CHECK_CHAIN)
        self.calls.append((server_hostname, checks_revocation, len(anchors)))
        arguments = cert_chain, server_hostname if ssl_context.check_hostname else None, checks_revocation
        try:
            self._verify([ca.cert_pem.bytes() for ca in self.roots], *arguments)
        except ssl.SSLCertVerificationError as error:
            if not anchors:
                raise
            try:
                self._verify([ssl.DER_cert_to_PEM_cert(der).encode() for der in anchors], *arguments)
            except ssl.SSLCertVerificationError:
                raise error from None

    def _verify(self, roots: list[bytes], chain: list[bytes], host: str | None, checks_revocation: bool) -> None:
        leaf, top = (_parse(ssl.DER_cert_to_PEM_cert(der).encode()) for der in (chain[0], chain[-1]))
        issuer = next((root for root in map(_parse, roots) if root.subject == top.issuer), None)
        if issuer is None:
            self._reject(UNTRUSTED_ROOT)
        top.verify_directly_issued_by(issuer)
        if checks_revocation:
            for cas, code in ((self.revoked, REVOKED), (self.unknown, OFFLINE)):
                if issuer in [_parse(ca.cert_pem.bytes()) for ca in cas]:
                    self._reject(code)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if host is not None and host not in names.get_values_for_type(x509.DNSName):
            self._reject(WRONG_NAME)

    @staticmethod
    def _reject(code: int) -> None:
        error = ssl.SSLCertVerificationError(f"rejected: {code:#x}")
        error.verify_code, error.verify_message = code, f"rejected: {code:#x}"
        raise error


def server_context(ca: trustme.CA, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Return the context of a server with a certificate of *ca* for localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    if version is not None:
        context.maximum_version = version
    return context


class Pair:
    """The two ends of a connection in memory."""

    def __init__(
        self, client: ssl.SSLContext, server: ssl.SSLContext, host: str | None = "localhost", **options
    ) -> None:
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(to_client, to_server, server_hostname=host, **options)
        self.server = server.wrap_bio(to_server, to_client, server_side=True)

    def complete(self, step) -> object:
        """Call *step*, a function of the client, until it needs no more data of the server, and return its result."""
        for _ in range(10):
            try:
                return step()
            except ssl.SSLWantReadError:
                pass
            try:
                self.server.do_handshake()
                self.server.write(b"secret")
            except ssl.SSLWantReadError:
                pass
        raise AssertionError("the handshake does not end")

    def handshake(self) -> Pair:
        """Perform the handshake."""
        self.complete(self.client.do_handshake)
        return self

    def received(self) -> bytes:
        """Return the data that the server received."""
        data = b""
        try:
            self.server.do_handshake()
            while True:
                part = self.server.read(100)
                data += part
                if not part:
                    return data
        except ssl.SSLError:
            return data


class SocketServer:
    """A server for one connection through a socket pair; *data* contains the received bytes."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.client, self._socket = socket.socketpair()
        self.client.settimeout(20)
        self._socket.settimeout(20)
        self._context = context
        self.data = b""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            with self._context.wrap_socket(self._socket, server_side=True) as secured:
                secured.sendall(b"secret")
                self.data = secured.recv(100)
        except OSError:
            pass  # The client closed the connection.
        finally:
            self._socket.close()

    def finish(self) -> bytes:
        """Close the client's socket, and return the data that the server received."""
        self.client.close()
        self._thread.join()
        return self.data
