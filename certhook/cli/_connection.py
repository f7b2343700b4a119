"""To a server as a program gets there: TCP, an HTTP proxy, STARTTLS, TLS.

:func:`connect` does one of these connections and either returns what the server
showed, or raises a :class:`Failure` that says at which step it ended. What that
means is :mod:`certhook.cli._diagnosis`'s to say.
"""

from __future__ import annotations

import base64
import socket
import ssl
import sys
import warnings
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from certhook import _config, _trust
from certhook.exceptions import CerthookWarning

#: Scheme to the usual port, and what is spoken there: the part before the dash in the clear, up to STARTTLS.
SCHEMES = {
    "https": (443, "https"),
    "wss": (443, "https"),
    "smtp": (25, "smtp-starttls"),
    "smtps": (465, "smtp"),
    "imap": (143, "imap-starttls"),
    "imaps": (993, "imap"),
    "postgres": (5432, "postgres-starttls"),
    "postgresql": (5432, "postgres-starttls"),
}
# Where no scheme is given, the port says it.
_BY_PORT = dict(SCHEMES.values())
_BY_PORT[587] = _BY_PORT[25]

# What a client says as its first word, or its last one, so that the server answers. In TLS 1.3 only
# that answer shows that it wants a certificate of the client.
_WORDS = {
    "https": "HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: certhook\r\nConnection: close\r\n\r\n",
    "smtp": "QUIT\r\n",
    "imap": "c1 LOGOUT\r\n",
    "postgres": "X\0\0\0\x04",
}
_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"  # of PostgreSQL: its length, and 80877103
_LONGEST_ANSWER = 65536
_PATIENCE = 3.0  # seconds, with a server that need not say anything


class Target(NamedTuple):
    """Whom to connect to.

    :ivar text: as the person wrote it, as far as the port: what follows, and a name before it, may be secret
    :ivar protocol: what is spoken inside TLS
    :ivar starttls: whether it begins in the clear
    """

    text: str
    host: str
    port: int
    protocol: str
    starttls: bool


class Peer(NamedTuple):
    """What a server showed.

    :ivar chain: the certificates it sent, its own first, as DER
    :ivar whole: whether these are all; before Python 3.10, only the first one can be seen
    :ivar version: of TLS, as "TLSv1.3"
    """

    chain: list[bytes]
    whole: bool
    version: str


class Failure(Exception):
    """A connection that ended early.

    :ivar step: one of "name", "connect", "proxy", "starttls", "tls" and "verify"
    :ivar code: of OpenSSL's verification, or of HTTP where a proxy refused
    :ivar reason: OpenSSL's word for it, as "WRONG_VERSION_NUMBER"
    :ivar text: the message
    """

    def __init__(self, step: str, text: str, code: int = 0, reason: str = "") -> None:
        super().__init__(step, text, code, reason)
        self.step, self.text, self.code, self.reason = step, text, code, reason


def parse(text: str) -> Target:
    """Understand ``HOST``, ``HOST:PORT`` or a URL.

    :raises ValueError: with a sentence that says what would be right
    """
    scheme, separator, _ = text.partition("://")
    scheme = scheme.lower() if separator else ""
    shown = text.rpartition("@")[2].partition("?")[0]  # without a password
    if scheme == "http":
        raise ValueError(f"{shown}: http:// has no certificates; did you mean https://?")
    if scheme and scheme not in SCHEMES:
        raise ValueError(f"{shown}: {scheme}:// is not known here; known are {', '.join(SCHEMES)}")
    if not scheme and text.count(":") > 1 and "[" not in text:
        text = f"[{text}]"  # an IPv6 address
    try:
        parts = urlsplit(text if scheme else f"//{text}")
        host, port = (parts.hostname or "").rstrip("."), parts.port
        host.encode("idna")
        if ":" in host:
            socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
        good = bool(host) and port != 0 and not any(character.isspace() for character in host)
    except (ValueError, OSError):
        good = False
    if not good:
        raise ValueError(f"{shown}: not a host; right would be example.org, example.org:8443 or https://example.org")
    usual, protocol = SCHEMES[scheme or "https"]
    port = port or usual
    protocol = protocol if scheme else _BY_PORT.get(port, protocol)
    protocol, dash, _ = protocol.partition("-")
    shown = parts.netloc.rpartition("@")[2]
    return Target(f"{scheme}://{shown}" if scheme else shown, host, port, protocol, bool(dash))


def proxy_of(target: Target) -> str | None:
    """The HTTP proxy that programs would use, as ``HTTPS_PROXY`` and the system's settings say."""
    if target.protocol != "https" or proxy_bypass(f"{target.host}:{target.port}"):
        return None
    return getproxies().get("https") or None


# Contexts.


def as_programs_do() -> ssl.SSLContext:
    """A context with certhook, also where its hook is not active in this interpreter.

    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``
    """
    with warnings.catch_warnings():
        # What is wrong with a setting or a source is part of the answer.
        warnings.simplefilter("ignore", CerthookWarning)
        if hasattr(ssl.create_default_context, "__certhook__"):
            return ssl.create_default_context()
        context = _with_usual_flags(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        if not _config.current().x509_strict:
            without_strictness(context)
        _trust.load_default_certs(context)
        return context


class _Stock(ssl.SSLContext):
    """A context on which the real functions act."""

    def set_default_verify_paths(self) -> None:
        _real("set_default_verify_paths")(self)


def as_without_certhook() -> ssl.SSLContext:
    """A context as Python makes it without certhook."""
    context = _with_usual_flags(_Stock(ssl.PROTOCOL_TLS_CLIENT))
    _real("load_default_certs")(context)
    return context


def _real(name: str) -> Any:
    function = getattr(ssl.SSLContext, name)
    return getattr(function, "__certhook__", function)


def _with_usual_flags(context: ssl.SSLContext) -> ssl.SSLContext:
    """The flags of create_default_context(), which itself is not asked, since it gives roots as well."""
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    return context


def is_strict(context: ssl.SSLContext) -> bool:
    """Whether *context* refuses certificates for their form (:rfc:`5280`), as by default from Python 3.13 on."""
    return bool(context.verify_flags & ssl.VERIFY_X509_STRICT)


def without_strictness(context: ssl.SSLContext) -> ssl.SSLContext:
    """*context*, which no longer is strict."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def that_accepts_all() -> ssl.SSLContext:
    """A context to look with: it accepts every certificate, key and version of TLS, and sends nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    try:
        context.set_ciphers("ALL:@SECLEVEL=0")
    except ssl.SSLError:
        pass  # LibreSSL has no security levels.
    return context


# Steps.


def connect(
    target: Target, context: ssl.SSLContext, timeout: float, proxy: str | None = None, silent: bool = False
) -> Peer:
    """Connect to *target*, have *context* judge it, and go.

    :param timeout: for each answer, in seconds
    :param silent: whether to say nothing once TLS is there, and to listen
    :raises Failure: at the step that failed
    """
    with _reach(target, timeout, proxy) as raw:
        if target.starttls:
            try:
                _STARTTLS[target.protocol](raw)
            except OSError as error:
                raise Failure("starttls", f"no answer: {error}") from error
        try:
            # Leaves raw closed where it fails.
            secured = context.wrap_socket(raw, server_hostname=target.host)
        except (OSError, ValueError) as error:
            raise _of_tls(error) from error
        with secured:
            peer = Peer(*_chain(secured), secured.version() or "")
            answered = _is_answered(secured, target, silent)
    if not answered and not silent:
        # What we said may have crossed an alert and made the system throw that away.
        return connect(target, context, timeout, proxy, silent=True)
    return peer


def _reach(target: Target, timeout: float, proxy: str | None) -> socket.socket:
    if proxy is None:
        return _tcp(target.host, target.port, timeout)
    try:
        address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if address.scheme not in ("http", "https"):
            raise Failure("proxy", f"it is a {address.scheme} proxy, and not an HTTP one")
        raw = _tcp(address.hostname or "", address.port or 80, timeout)
    except Failure as failure:
        raise Failure("proxy", failure.text) from failure
    except ValueError as error:
        raise Failure("proxy", "that is not the address of a proxy") from error
    try:
        _tunnel(raw, target, address)
    except OSError as error:
        raw.close()
        raise Failure("proxy", f"no answer: {error}") from error
    except Failure:
        raw.close()
        raise
    return raw


def _tcp(host: str, port: int, timeout: float) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout)
    except (socket.gaierror, UnicodeError) as error:
        raise Failure("name", str(error)) from error
    except socket.timeout as error:
        raise Failure("connect", "no answer in time", reason="timeout") from error
    except OSError as error:
        refused = isinstance(error, ConnectionRefusedError)
        raise Failure("connect", error.strerror or str(error), reason="refused" if refused else "") from error


def _tunnel(raw: socket.socket, target: Target, proxy: SplitResult) -> None:
    """Have a proxy connect us (:rfc:`9110#section-9.3.6`)."""
    host = f"[{target.host}]" if ":" in target.host else target.host.encode("idna").decode()
    lines = [f"CONNECT {host}:{target.port} HTTP/1.1", f"Host: {host}:{target.port}"]
    if proxy.username is not None:
        secret = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(secret).decode()}")
    raw.sendall("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
    status = _line(raw)
    words = status.split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise Failure("proxy", f"it answered {status[:60]!r}, which is not HTTP")
    while _line(raw):
        pass
    if words[1][0] != "2":
        raise Failure("proxy", " ".join(words[1:]), code=int(words[1]))


def _line(raw: socket.socket) -> str:
    """The next line, and not one byte more: what follows may be TLS."""
    line = b""
    while not line.endswith(b"\n") and len(line) < _LONGEST_ANSWER:
        byte = raw.recv(1)
        if not byte:
            if line:
                break
            raise ConnectionResetError("the connection was closed")
        line += byte
    return line.decode("latin-1").rstrip("\r\n")


def _smtp(raw: socket.socket) -> None:
    for command in ("", "EHLO localhost\r\n", "STARTTLS\r\n"):
        raw.sendall(command.encode())
        answer = _line(raw)
        while answer[3:4] == "-":
            answer = _line(raw)
        if answer[:1] != "2":
            raise Failure("starttls", answer)


def _imap(raw: socket.socket) -> None:
    answer = _line(raw)
    if not answer.startswith("* OK"):
        raise Failure("starttls", answer)
    raw.sendall(b"c0 STARTTLS\r\n")
    answer = _line(raw)
    while answer.startswith("* "):
        answer = _line(raw)
    if not answer.startswith("c0 OK"):
        raise Failure("starttls", answer)


def _postgres(raw: socket.socket) -> None:
    raw.sendall(_SSL_REQUEST)
    answer = raw.recv(1)
    if answer != b"S":
        raise Failure("starttls", "it says that it has no TLS" if answer == b"N" else f"it answered {answer!r}")


_STARTTLS = {"smtp": _smtp, "imap": _imap, "postgres": _postgres}


def _of_tls(error: Exception) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure("verify", error.verify_message, error.verify_code)
    reason = getattr(error, "reason", None)
    if isinstance(error, socket.timeout):
        reason = "timeout"
    elif not isinstance(reason, str):
        # Python 3.8 has no word for what came later, only the message, which reads "[SSL] such and such (_ssl.c:1)".
        message = str(error).partition("] ")[2].partition(" (")[0] if isinstance(error, ssl.SSLError) else ""
        reason = message.upper().replace(" ", "_")
    return Failure("tls", str(error), reason=reason)


def _chain(secured: ssl.SSLSocket) -> tuple[list[bytes], bool]:
    """What the server sent, and whether that is all of it."""
    inner: Any = secured._sslobj  # type: ignore[attr-defined]
    if hasattr(secured, "get_unverified_chain"):  # Python 3.13
        return [bytes(der) for der in secured.get_unverified_chain()], True
    if hasattr(inner, "get_unverified_chain"):  # Python 3.10
        import _ssl

        form: Any = getattr(_ssl, "ENCODING_DER", None)
        return [certificate.public_bytes(form) for certificate in inner.get_unverified_chain() or ()], True
    leaf = secured.getpeercert(binary_form=True)
    return ([leaf] if leaf else []), False


def _is_answered(secured: ssl.SSLSocket, target: Target, silent: bool) -> bool:
    """Say a word and wait for the answer, in which a server of TLS 1.3 may first refuse us.

    :returns: False where the connection just ended
    """
    host = target.host if ":" in target.host else target.host.encode("idna").decode()
    try:
        if silent:
            secured.settimeout(min(secured.gettimeout() or _PATIENCE, _PATIENCE))
        else:
            secured.sendall(_WORDS[target.protocol].format(host=host).encode())
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


def first_words(target: Target, timeout: float, proxy: str | None = None) -> bytes:
    """What a server says without TLS, of its own accord or to a plain HTTP request."""
    try:
        with _reach(target, timeout, proxy) as raw:
            raw.settimeout(min(timeout, _PATIENCE))
            raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return raw.recv(4096)
    except (OSError, Failure):
        return b""
