"""A note on the exception of a failed verification: the reason, the trusted roots, and the command to run.

The facts come from the connection, the message of OpenSSL and the trust that is in memory; nothing is read, and
no name is resolved. Certificates contain what their author chose, so text from them is escaped and limited.

Python raises the exception before it sets ``verify_code``. The code therefore is not known, but its text is.
"""

from __future__ import annotations

import _ssl
import sys
from time import gmtime, strftime

from certhook._peer import target
from certhook._state import is_wrapped, marked, markers_of, process, wrap
from certhook._text import printable
from certhook._warnings import command_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from certhook._state import Function

_PREFIX = "certhook: "
_REASON = "CERTIFICATE_VERIFY_FAILED] "

# The limits of text from certificates: characters of a name, names of hosts, bytes of a certificate with such names,
# certificates of a chain.
_MAX_NAME, _SHOWN_HOSTS, _MAX_SIZE, _MAX_CHAIN = 64, 3, 1 << 12, 10
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# The texts of OpenSSL's error codes; OpenSSL 1.1.1 and AWS-LC write "self signed".
_NO_ISSUER = (
    "unable to get local issuer certificate",
    "unable to get issuer certificate",
    "unable to verify the first certificate",
)
_STRICT = (
    "Path length invalid for non-CA cert",
    "Path length given without key usage keyCertSign",
    "Key usage keyCertSign invalid for non-CA cert",
    "Issuer name empty",
    "Subject name empty",
    "Missing Authority Key Identifier",
    "Missing Subject Key Identifier",
    "Empty Subject Alternative Name extension",
    "Subject empty and Subject Alt Name extension not critical",
    "Basic Constraints of CA cert not marked critical",
    "Authority Key Identifier marked critical",
    "Subject Key Identifier marked critical",
    "CA cert does not include key usage extension",
    "Using cert extension requires at least X509v3",
)
_FACTS = {
    "unsuitable certificate purpose": "the certificate of {server}, or a CA above it, is not valid for TLS servers",
    "unsupported certificate purpose": "the certificate of {server}, or a CA above it, is not valid for TLS servers",
    "EE certificate key too weak": "the key of the certificate of {server} is too short for this OpenSSL",
    "CA certificate key too weak": "a CA of {server} has a key that is too short for this OpenSSL",
    "CA signature digest algorithm too weak": "a certificate in the chain of {server} has a signature that is too weak "
    "for this OpenSSL, such as SHA-1",
    "certificate revoked": "a revocation list (CRL) of the program revokes a certificate in the chain of {server}",
    "unable to get certificate CRL": "the program requires revocation lists (CRLs), but has none for {server}",
    "CRL has expired": "the program's revocation list (CRL) for {server} has expired",
    "invalid CA certificate": "a certificate in the chain of {server} is not that of a CA, so it may not issue others",
    "path length constraint exceeded": "a CA in the chain of {server} may not issue certificates of other CAs",
    "key usage does not include certificate signing": "a CA in the chain of {server} may not issue certificates",
    "certificate signature failure": "a signature in the chain of {server} is invalid",
    "permitted subtree violation": "a CA in the chain of {server} may not issue certificates for this name",
    "excluded subtree violation": "a CA in the chain of {server} may not issue certificates for this name",
}


def explain(error: BaseException, connection: Any, frame: FrameType | None) -> None:
    """Add a note to *error*, unless OpenSSL did not raise it, this process is the server, or it has a note.

    :param connection: the ``SSLSocket`` or ``SSLObject``
    :param frame: the caller of its method
    """
    reason = _reason(error)
    if not reason or getattr(connection, "server_side", True) or _has_note(error):
        return
    failure = _Failure(connection, reason, target(connection, frame))
    sentence = failure.sentence()
    error.add_note(f"{_PREFIX}{sentence}\n{failure.advice(sentence)}")
    # Without the hook, no library is changed.
    if getattr(type(error).__init__, "__certhook_active__", False):
        _copy_notes_in_httpcore()


def _copy_notes_in_httpcore() -> None:
    """Make the exceptions of httpcore and httpcore2 copy the note of the exception that they are created from.

    The libraries raise them "from None", so that the traceback of a user of httpx lacks the original exception.
    """
    for name in ("httpcore", "httpcore2"):
        error_class = getattr(sys.modules.get(name), "ConnectError", None)
        if error_class is not None and not is_wrapped(error_class, "__init__"):
            wrap(error_class, "__init__", _copying(error_class.__init__, error_class.__module__))


def _copying(original: Function, module: str) -> Function:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        try:
            if wrapper.__certhook_active__ and args and not _has_note(self):
                for note in getattr(args[0], "__notes__", ()):
                    if note.startswith(_PREFIX):
                        self.add_note(note)
        except Exception:
            pass  # The exception of the library is more important.

    wrapper = marked(__init__, original, module)
    return wrapper


def _reason(error: BaseException) -> str:
    """Return OpenSSL's reason in the message of *error*, empty if it has another form."""
    message = error.args[1] if len(error.args) == 2 else ""
    if not isinstance(message, str) or not message.endswith(")"):
        return ""
    _, _, rest = message.partition(_REASON)
    return rest.partition(": ")[2].rpartition(" (_ssl.c:")[0]


def _has_note(error: BaseException) -> bool:
    return any(str(note).startswith(_PREFIX) for note in getattr(error, "__notes__", ()))


class _Failure:
    """A failed verification.

    :param connection: the ``SSLSocket`` or ``SSLObject``
    :ivar reason: OpenSSL's reason
    :ivar target: the host and port of the server, or only its host; empty if it is not known
    :ivar chain: the certificates that OpenSSL found, the server's own first; those that the server sent come from
        the handshake, and others from the context
    :ivar sent: the certificates that the server sent
    :ivar roots: the number of trusted roots, as text
    :ivar is_default: whether the context has default trust
    """

    def __init__(self, connection: Any, reason: str, target: str) -> None:
        self.reason, self.target = reason, target
        self.server = target or "the server"
        ssl_object = getattr(connection, "_sslobj", None)
        self.sent = _certificates(ssl_object, "get_unverified_chain")
        self.chain = _certificates(ssl_object, "get_verified_chain") or self.sent[:1]
        self.roots, self.is_default = _roots(getattr(connection, "context", None))

    def advice(self, sentence: str) -> str:
        """Return the second line of the note, after *sentence*."""
        command = command_line()
        if not command:
            return "For details, set CERTHOOK_DEBUG=1"
        command = f"{command} check {self.target or 'HOST:PORT'}"
        # The command verifies the server with default trust.
        finds_cause = self.is_default or self.roots not in sentence
        goal = "find the cause" if finds_cause else "compare with Python's default roots"
        return f"To {goal}, run: {command}"

    def sentence(self) -> str:
        """Return the first line of the note."""
        reason, server = self.reason, self.server
        if reason.startswith(("Hostname mismatch", "IP address mismatch")):
            return self._mismatch(reason.partition(", certificate is not valid for ")[2].rstrip(".").strip("'"))
        # OpenSSL 3.6 adds "or the system clock is incorrect".
        if reason.startswith(("certificate has expired", "certificate is not yet valid")):
            return self._dates(reason == "certificate has expired")
        if reason in _NO_ISSUER and self.chain:
            issuer = _name(_info(self.chain[-1]).get("issuer"))
            return f"no trusted root certificate for the issuer {issuer} of {server}; {self.roots}"
        if reason.startswith(("self-signed", "self signed")) and self.chain:
            return self._self_signed()
        if reason in ("certificate rejected", "certificate not trusted") and self.chain:
            name = _name(_info(self.chain[-1]).get("subject"))
            return f"trust settings on this machine reject the CA certificate {name} of {server}"
        if reason in _STRICT:
            return (
                f"a certificate in the chain of {server} fails a strict check (VERIFY_X509_STRICT, "
                f"default since Python 3.13): {reason}"
            )
        if reason in _FACTS:
            return _FACTS[reason].format(server=server)
        return f"the certificate of {server} is not accepted; {self.roots}"

    def _self_signed(self) -> str:
        name = _name(_info(self.chain[-1]).get("subject"))
        if len(self.chain) == 1:
            return f"{self.server} uses the self-signed certificate {name}, which is not trusted; {self.roots}"
        return f"the root certificate {name}, which {self.server} sent, is not trusted; {self.roots}"

    def _mismatch(self, requested: str) -> str:
        requested = printable(requested, 255)
        names = _host_names(self.chain[0], requested) if self.chain else None
        if names is None:
            return f"the certificate that {self.server} sent is not valid for {requested}"
        if not names:
            return f"the certificate that {self.server} sent contains no host name (subjectAltName)"
        shown = ", ".join(printable(name, _MAX_NAME) for name in names[:_SHOWN_HOSTS])
        more = f" and {len(names) - _SHOWN_HOSTS} more" if len(names) > _SHOWN_HOSTS else ""
        return f"the certificate that {self.server} sent is valid for {shown}{more}, not for {requested}"

    def _dates(self, has_expired: bool) -> str:
        now = strftime("%Y-%m-%d %H:%M:%S", gmtime())
        clock = f"this machine's clock shows {now[:16]} UTC"
        # OpenSSL checks the root first.
        for depth, certificate in reversed(list(enumerate(self.chain))):
            info = _info(certificate)
            date = _date(info.get("notAfter" if has_expired else "notBefore", ""))
            if date and (date < now if has_expired else date > now):
                subject = f"the certificate of {self.server}"
                if depth:
                    place = "that it sent" if certificate in self.sent else "on this machine"
                    subject = f"the CA certificate {_name(info.get('subject'))} of {self.server}, {place},"
                verb = "expired on" if has_expired else "is not valid before"
                return f"{subject} {verb} {date[:16]} UTC; {clock}"
        state = "has expired" if has_expired else "is not yet valid"
        return f"a certificate of {self.server} {state}; {clock}"


def _certificates(ssl_object: Any, method: str) -> list[Any]:
    """Return a chain of OpenSSL's connection, empty if it has none (OpenSSL 1.1.1, PyPy)."""
    chain: list[Any] = getattr(ssl_object, method, list)() or []
    return chain[:_MAX_CHAIN] if hasattr(chain[0] if chain else None, "get_info") else []


def _info(certificate: Any) -> dict[str, Any]:
    """Return the fields of *certificate* that Python decodes, none if it is so large that this takes long."""
    is_large = len(certificate.public_bytes(_ssl.ENCODING_DER)) > _MAX_SIZE
    return {} if is_large else certificate.get_info()


def _name(name: Any) -> str:
    """Return the common name of a distinguished name, or else its last part, in quotes."""
    parts = [(key, value) for attributes in name or () for key, value in attributes]
    values = [value for key, value in parts if key == "commonName"] or [value for _, value in parts]
    return f'"{printable(values[-1], _MAX_NAME)}"' if values else "without a name"


def _host_names(certificate: Any, requested: str) -> list[str] | None:
    """Return the names and addresses of *certificate*, those closest to *requested* first; None if it is large."""
    info = _info(certificate)
    if not info:
        return None
    names = info.get("subjectAltName", ())
    found = [value for kind, value in names if kind in ("DNS", "IP Address")]
    labels = requested.lower().split(".")[::-1]

    def distance(name: str) -> tuple[int, int]:
        others = name.lower().split(".")[::-1]
        common = next((at for at, pair in enumerate(zip(labels, others)) if pair[0] != pair[1]), None)
        common = min(len(labels), len(others)) if common is None else common
        return -common, abs(len(others) - len(labels))

    return sorted(found, key=distance)


def _date(text: str) -> str:
    """Convert a date in OpenSSL's format to one that can be compared; empty if its format is another one."""
    parts = text.split()
    if len(parts) < 4 or parts[0] not in _MONTHS:
        return ""
    return f"{parts[3]:0>4}-{_MONTHS.index(parts[0]) + 1:02}-{parts[1]:0>2} {parts[2][:8]}"


def _roots(context: Any) -> tuple[str, bool]:
    """Return the number of trusted roots as text, and whether *context* has default trust."""
    markers = markers_of(context)
    request = markers.request or markers.loaded_request
    if request is None:
        return _roots_of_program(context, markers.store), False
    config, purpose = request
    trust = process.trust.get((purpose, config.requested))
    if trust is None or trust.config is not config:
        return "trusted roots: default trust", True
    text = f"trusted roots: {trust.roots or 'none'}"
    if config.overrides_system:
        text += f" ({'SSL_CERT_DIR' if config.cert_file is None else 'SSL_CERT_FILE'} is set)"
    if markers.has_caller_certs:
        text += ", and certificates that the program loaded"
    return text, True


def _roots_of_program(context: Any, store: str | None) -> str:
    """Return a text about the roots that the caller loaded, or a library for a variable of the user."""
    count = _ssl._SSLContext.cert_store_stats(context)["x509"]
    if store is not None:
        data = next((file.data for file in list(process.named_files.values()) if file.store == store), b"")
        count = data.count(b"-----BEGIN ")
    elif not count:
        return "the program does not use Python's default roots"
    number = f"{count} " if count else ""
    return f"trusted roots: {number}chosen by the program or a variable such as REQUESTS_CA_BUNDLE"
