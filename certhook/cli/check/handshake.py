"""To a server as a program gets there, and TLS with it.

:func:`connect` does one connection and either returns what the server showed, or
raises a :class:`Failure` that says at which step it ended. What that means is
:mod:`certhook.cli.check.causes`'s to say.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any, Iterator, NamedTuple

from certhook.cli.check.plaintext import PATIENCE, Deadline, Failure, change_to_tls, reach
from certhook.cli.check.recorder import Heard, listen
from certhook.cli.check.target import Target

# What a client says as its first word, or its last one, so that the server answers. In TLS 1.3 only
# that answer shows that it wants a certificate of the client. Of other protocols there is no such word.
_WORDS = {
    "https": "HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: certhook\r\nConnection: close\r\n\r\n",
    "smtp": "QUIT\r\n",
    "imap": "c1 LOGOUT\r\n",
    "postgres": "X\0\0\0\x04",
    "pop3": "QUIT\r\n",
}
# In seconds, with a server that nothing is said to.
_MOMENT = 1.0


class Peer(NamedTuple):
    """What a server showed.

    :ivar chain: the certificates it sent, its own first, as DER
    :ivar whole: whether these are all; before Python 3.10, of a compressed list (:rfc:`8879`) only the first is seen
    :ivar version: of TLS, as "TLSv1.3"
    """

    chain: list[bytes]
    whole: bool
    version: str


def connect(
    target: Target, context: ssl.SSLContext, deadline: Deadline, proxy: str | None = None, talk: bool = True
) -> Peer:
    """Connect to *target*, have *context* judge it, and go.

    :param talk: whether to say a word once TLS is there, and to wait for the answer
    :raises Failure: at the step that failed
    """
    heard = listen(context)
    try:
        with _secured(target, context, deadline, proxy) as secured:
            peer = Peer(*_chain(secured, heard), secured.version() or "")
            word = _WORDS.get(target.protocol, "").format(host=target.ascii)
            patience = PATIENCE if word else _MOMENT
            answered = not talk or _is_answered(secured, word, deadline, patience) or not word
    except Failure as failure:
        failure.was_asked = heard.was_asked
        raise
    if not answered:
        # What we said may have crossed an alert and made the system throw that away. Once more, in silence.
        try:
            with _secured(target, context, deadline, proxy) as secured:
                _is_answered(secured, "", deadline, PATIENCE)
        except Failure as failure:
            if "ALERT" in failure.reason:
                raise
    return peer


@contextlib.contextmanager
def _secured(target: Target, context: ssl.SSLContext, deadline: Deadline, proxy: str | None) -> Iterator[ssl.SSLSocket]:
    with reach(target, deadline, proxy) as raw:
        if target.starttls:
            change_to_tls(target.protocol, raw, deadline)
        try:
            raw.settimeout(deadline.left())
            # Leaves raw closed where it fails.
            secured = context.wrap_socket(raw, server_hostname=target.host)
        except (OSError, ValueError) as error:
            raise _of_tls(error) from error
        with secured:
            yield secured


def _of_tls(error: Exception) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure("verify", error.verify_message, error.verify_code)
    if isinstance(error, socket.timeout):
        return Failure("tls", "no answer in time", reason="timeout")
    reason = getattr(error, "reason", None)
    if not isinstance(reason, str):
        # Python 3.8 has no word for what came later, only the message, which reads "[SSL] such and such (_ssl.c:1)".
        message = str(error).partition("] ")[2].partition(" (")[0] if isinstance(error, ssl.SSLError) else ""
        reason = message.upper().replace(" ", "_")
    return Failure("tls", str(error), reason=reason)


def _chain(secured: ssl.SSLSocket, heard: Heard) -> tuple[list[bytes], bool]:
    """What the server sent, and whether that is all of it."""
    inner: Any = secured._sslobj  # type: ignore[attr-defined]
    if hasattr(secured, "get_unverified_chain"):  # Python 3.13
        return [bytes(der) for der in secured.get_unverified_chain()], True
    if hasattr(inner, "get_unverified_chain"):  # Python 3.10
        import _ssl

        form: Any = getattr(_ssl, "ENCODING_DER", None)
        return [certificate.public_bytes(form) for certificate in inner.get_unverified_chain() or ()], True
    if heard.chain is not None:
        return heard.chain, True
    leaf = secured.getpeercert(binary_form=True)
    return ([leaf] if leaf else []), False


def _is_answered(secured: ssl.SSLSocket, word: str, deadline: Deadline, patience: float) -> bool:
    """Say *word*, if it is one, and wait for the answer, in which a server of TLS 1.3 may first refuse us.

    :param patience: how long to wait, in seconds
    :returns: False where the connection just ended
    """
    try:
        secured.settimeout(min(deadline.left(), patience))
        if word:
            secured.sendall(word.encode())
        return bool(secured.recv(1))
    except socket.timeout:
        return True  # It is slow; TLS was fine.
    except ssl.SSLError as error:
        failure = _of_tls(error)
        if "ALERT" in failure.reason:
            raise failure from error
    except OSError:
        pass
    return False
