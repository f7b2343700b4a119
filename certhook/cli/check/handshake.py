"""One TLS connection to a server.

:func:`connect` returns the server's certificates and TLS version, or raises a :class:`Failure`
with the step that failed. :mod:`certhook.cli.check.causes` interprets the failure.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any, Iterator, NamedTuple

from certhook.cli.check import tls
from certhook.cli.check.failure import Deadline, Failure
from certhook.cli.check.plaintext import REPLY_TIMEOUT, open_connection, start_tls
from certhook.cli.check.proxies import Proxy
from certhook.cli.check.recorder import Recorder, record
from certhook.cli.check.target import Target
from certhook.cli.check.tls import TlsConnection

# For each protocol, a request that a server answers before any login. In TLS 1.3, only this answer shows whether the
# server requires a client certificate. The other protocols have no such request.
_REQUESTS = {
    "https": "HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: certhook\r\nConnection: close\r\n\r\n",
    "smtp": "QUIT\r\n",
    "imap": "c1 LOGOUT\r\n",
    "postgres": "X\0\0\0\x04",
    "pop3": "QUIT\r\n",
}
# The time to wait for an alert if no request is sent, in seconds.
_ALERT_TIMEOUT = 1.0


class Peer(NamedTuple):
    """The server's side of a TLS connection.

    :ivar chain: the certificates that the server sent as DER, its own first
    :ivar is_complete: whether *chain* contains all of them. Python before 3.10 shows only the first one of a
        compressed list (:rfc:`8879`).
    :ivar version: the TLS version, for example "TLSv1.3"
    """

    chain: list[bytes]
    is_complete: bool
    version: str


def connect(
    target: Target, context: ssl.SSLContext, deadline: Deadline, proxy: Proxy | None = None, request: bool = True
) -> Peer:
    """Connect to *target*, verify it with *context*, and disconnect.

    :param request: whether to send a request after the handshake and wait for the reply
    :raises Failure: in the step that failed
    """
    recorder = record(context)
    try:
        with _connection(target, context, deadline, proxy) as secured:
            peer = Peer(*_sent_chain(secured.tls, recorder), secured.tls.version() or "")
            text = _REQUESTS.get(target.protocol, "").format(host=target.ascii_host)
            timeout = REPLY_TIMEOUT if text else _ALERT_TIMEOUT
            answered = not request or _is_answered(secured, text, deadline, timeout) or not text
    except Failure as failure:
        failure.certificate_requested = recorder.certificate_requested
        raise
    if not answered:
        # If the server closes while the request is on its way, the system may discard an alert that was already
        # received. A second connection without a request can receive it.
        try:
            with _connection(target, context, deadline, proxy) as secured:
                _is_answered(secured, "", deadline, REPLY_TIMEOUT)
        except Failure as failure:
            if "ALERT" in failure.reason:
                raise
    return peer


@contextlib.contextmanager
def _connection(
    target: Target, context: ssl.SSLContext, deadline: Deadline, proxy: Proxy | None
) -> Iterator[TlsConnection]:
    with contextlib.closing(open_connection(target, deadline, proxy)) as raw:
        if target.starttls:
            start_tls(target.protocol, raw, deadline)
        try:
            secured = tls.start_tls(raw, context, target.host, deadline)
        except (OSError, ValueError) as error:
            raise _tls_failure(error) from error
        yield secured


def _tls_failure(error: Exception) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure("verify", error.verify_message, error.verify_code)
    if isinstance(error, socket.timeout):
        return Failure("tls", "timed out", reason="timeout")
    reason = getattr(error, "reason", None)
    if not isinstance(reason, str):
        # Python 3.8 has no names for newer reasons, only messages such as "[SSL] some reason (_ssl.c:1)".
        message = str(error).partition("] ")[2].partition(" (")[0] if isinstance(error, ssl.SSLError) else ""
        reason = message.upper().replace(" ", "_")
    return Failure("tls", str(error), reason=reason)


def _sent_chain(secured: ssl.SSLObject, recorder: Recorder) -> tuple[list[bytes], bool]:
    """Return the certificates that the server sent, and whether these are all of them."""
    inner: Any = secured._sslobj  # type: ignore[attr-defined]
    if hasattr(secured, "get_unverified_chain"):  # Python 3.13
        return [bytes(der) for der in secured.get_unverified_chain()], True
    if hasattr(inner, "get_unverified_chain"):  # Python 3.10
        import _ssl

        encoding: Any = getattr(_ssl, "ENCODING_DER", None)
        return [certificate.public_bytes(encoding) for certificate in inner.get_unverified_chain() or ()], True
    if recorder.chain is not None:
        return recorder.chain, True
    leaf = secured.getpeercert(binary_form=True)
    return ([leaf] if leaf else []), False


def _is_answered(secured: TlsConnection, request: str, deadline: Deadline, timeout: float) -> bool:
    """Send *request* unless it is empty, and wait for a reply.

    :param timeout: in seconds
    :returns: False if the connection ended without a reply
    :raises Failure: if the server sent an alert; a TLS 1.3 server may reject the client only now
    """
    try:
        secured.settimeout(min(deadline.left(), timeout))
        if request:
            secured.sendall(request.encode())
        return bool(secured.recv(1))
    except socket.timeout:
        return True  # The server is slow, but the handshake succeeded.
    except ssl.SSLError as error:
        failure = _tls_failure(error)
        if "ALERT" in failure.reason:
            raise failure from error
    except OSError:
        pass
    return False
