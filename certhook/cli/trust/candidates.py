"""The certificates in a file, and whether each of them is a root that may be installed."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import NamedTuple

from certhook import _files
from certhook._certificates import formats, names, openssl, pem, x509
from certhook._certificates.anchor import Anchor
from certhook._text import printable
from certhook.cli._roots_table import display_name, short_name
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._certificates.anchor import Entry
    from certhook.exceptions import CerthookError

_MAX_NAME = 60
_MAX_FULL_NAME = 2 * _MAX_NAME
_MAX_HOSTS = 3
_SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
_BASIC_CONSTRAINTS = "2.5.29.19"
_KEY_USAGE = "2.5.29.15"
_EXTENDED_KEY_USAGE = "2.5.29.37"
_BOOLEAN = 0x01
_EXTENSIONS = 0xA3  # [3] EXPLICIT, in TBSCertificate
_DNS_NAME = 0x82  # [2] IMPLICIT, in GeneralName
_KEY_CERT_SIGN = 0x04  # the sixth bit of the first octet
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")


class Candidate(NamedTuple):
    """A certificate in the file.

    :ivar anchor: the certificate
    :ivar refusal: why it may not be installed; empty if it is a root that may be
    :ivar warning: a fact that the user should know before the installation
    """

    anchor: Anchor
    refusal: str = ""
    warning: str = ""

    @property
    def name(self) -> str:
        """The name of the CA, or of the server."""
        return printable(short_name(self.anchor.subject, _MAX_NAME))

    @property
    def full_name(self) -> str:
        """The name and the organization."""
        return printable(display_name(self.anchor.subject), _MAX_FULL_NAME)

    @property
    def pem(self) -> bytes:
        """The certificate alone, as PEM."""
        return openssl.to_pem(self.anchor.der)


class Content(NamedTuple):
    """The content of the file, which is read only once: the user confirms exactly the certificates that are installed.

    :ivar path: its path
    :ivar candidates: its certificates, without duplicates
    :ivar is_der: whether it is one certificate in DER format
    :ivar is_single: whether it contains one certificate and nothing else that a reader would have to skip
    :ivar has_key: whether it also contains a private key
    """

    path: str
    candidates: list[Candidate]
    is_der: bool
    is_single: bool
    has_key: bool


def read(path: str) -> Content:
    """Read the certificates in the file *path*.

    :raises SourceError: if it cannot be read
    :raises CommandError: if it contains no certificate
    """
    data = _files.read(path, accepts_pipe=True)
    has_key = _PRIVATE_KEY.search(data) is not None
    entries, problems = pem.parse(data)
    ders = [entry.der for entry in entries]
    is_converted = not entries
    if not entries:
        entries, explanation = _identified(data, path)
        if not entries:
            raise CommandError(
                f"nothing was changed: {printable(path)} contains no readable certificate. {explanation}"
            )
    unique = {entry.der: entry for entry in reversed(entries)}
    now = datetime.now(timezone.utc)
    candidates = [_examine(unique[der], now) for der in dict.fromkeys(entry.der for entry in entries)]
    is_single = not is_converted and len(ders) == 1 and not problems and not has_key
    return Content(path, candidates, is_single and data[:1] == b"\x30", is_single, has_key)


def _identified(data: bytes, path: str) -> tuple[list[Entry], str]:
    """Return the certificates in a file of another format, such as PKCS#7, and its description if there are none."""
    found = formats.identify(data, path)
    entries = [entry for der in found.certificates for entry in pem.parse(der)[0]]
    return entries, found.advice("run 'certhook trust' for the result")


def _examine(entry: Entry, now: datetime) -> Candidate:
    anchor = Anchor(entry.certificate)
    try:
        refusal = _refusal(entry, anchor, now)
        warning = "" if refusal else _warning(anchor, now)
    except (ValueError, IndexError) as error:
        refusal, warning = f"It is malformed: {error}.", ""
    return Candidate(anchor, refusal, warning)


def _refusal(entry: Entry, anchor: Anchor, now: datetime) -> str:
    certificate = entry.certificate
    found = extensions(certificate.der)
    issuer = printable(short_name(Anchor(_issuer_of(certificate)).subject, _MAX_NAME))
    is_self_issued = names.is_self_issued(certificate)
    if not is_ca(certificate.der, found, is_self_issued):
        if is_self_issued:
            return (
                "It is the certificate of a server, signed with its own key, and not of a CA. 'certhook trust' "
                "installs only root certificates of CAs: create a CA, for example with mkcert, and let it issue the "
                "server's certificate. Or trust the certificate only in Python programs, with CERTHOOK_EXTRA_CA_CERTS."
            )
        return (
            f'It is the certificate of a server, and not of a CA. Install the root certificate of the CA "{issuer}", '
            "which issued it."
        )
    if not is_self_issued:
        return (
            f"It is the certificate of an intermediate CA, which servers send themselves. Only the root certificate of "
            f'"{issuer}", which issued it, must be trusted.'
        )
    if anchor.validity is not None and anchor.validity[1] < now:
        return "It has expired, so no program accepts it. Ask the CA for its current root certificate."
    if entry.auxiliary:
        return "Its OpenSSL trust settings restrict its use (TRUSTED CERTIFICATE), and a copy would not contain them."
    rejected: list[CerthookError] = []
    openssl.load_one_by_one(openssl.new_context(), [certificate.der], rejected)
    return f"OpenSSL rejects it: {rejected[0]}." if rejected else ""


def _warning(anchor: Anchor, now: datetime) -> str:
    found = extensions(anchor.der)
    if anchor.validity is not None and anchor.validity[0] > now:
        return "It is not valid yet, so programs reject it until then. Is the clock of this computer right?"
    purposes = _purposes(found)
    if purposes is not None and not purposes & {x509.SERVER_AUTH, x509.ANY_EXTENDED_KEY_USAGE}:
        return "It is restricted to other purposes than the verification of servers."
    hosts = _hosts(found)
    if hosts:
        shown = ", ".join(hosts[:_MAX_HOSTS]) + (", ..." if len(hosts) > _MAX_HOSTS else "")
        return (
            f"It is also the certificate of a server ({shown}). With the key of that server, certificates for every "
            "other server can be issued."
        )
    return ""


def extensions(der: bytes) -> dict[str, bytes]:
    """Return the values of the extensions of a certificate, by their dotted object identifiers.

    :raises ValueError: if they are malformed
    """
    found: dict[str, bytes] = {}
    for tag, _, value, after in _fields(der):
        if tag == _EXTENSIONS:
            _, start, end = x509.read(der, value, after)
            for _, at, _, stop in x509.children(der, start, end):
                one = der[at:stop]
                kind, begin, limit = x509.read(one, *x509.read(one, 0, len(one))[1:])
                parts = x509.children(one, x509.read(one, 0, len(one))[1], len(one))
                if kind != x509.OBJECT_IDENTIFIER or parts[-1][0] != x509.OCTET_STRING:
                    raise ValueError("an extension is not DER")
                found[x509.dotted(one[begin:limit])] = one[parts[-1][2] : parts[-1][3]]
    return found


def is_ca(der: bytes, found: dict[str, bytes], is_self_issued: bool) -> bool:
    """Return whether a certificate may issue others.

    :param found: its :func:`extensions`
    """
    # A certificate without extensions has version 1. OpenSSL accepts it as a CA if it is self-signed.
    if not any(tag == _EXTENSIONS for tag, _, _, _ in _fields(der)):
        return is_self_issued
    basic = found.get(_BASIC_CONSTRAINTS, b"\x30\x00")
    _, start, end = x509.read(basic, 0, len(basic))
    parts = x509.children(basic, start, end)
    marked = bool(parts) and parts[0][0] == _BOOLEAN and any(basic[parts[0][2] : parts[0][3]])
    usage = found.get(_KEY_USAGE)
    if usage is not None:
        _, start, end = x509.read(usage, 0, len(usage))
        if not x509.bits(usage[start:end])[:1] or not x509.bits(usage[start:end])[0] & _KEY_CERT_SIGN:
            return False
    return marked


def _fields(der: bytes) -> list[tuple[int, int, int, int]]:
    _, start, end = x509.read(der, 0, len(der))
    _, start, end = x509.read(der, start, end)
    return x509.children(der, start, end)


def _purposes(found: dict[str, bytes]) -> set[str] | None:
    value = found.get(_EXTENDED_KEY_USAGE)
    if value is None:
        return None
    _, start, end = x509.read(value, 0, len(value))
    return {x509.dotted(value[at:after]) for _, _, at, after in x509.children(value, start, end)}


def _hosts(found: dict[str, bytes]) -> list[str]:
    value = found.get(_SUBJECT_ALTERNATIVE_NAME, b"\x30\x00")
    _, start, end = x509.read(value, 0, len(value))
    parts = x509.children(value, start, end)
    return [printable(value[at:to].decode("latin-1"), _MAX_NAME) for tag, _, at, to in parts if tag == _DNS_NAME]


def _issuer_of(certificate: x509.Certificate) -> x509.Certificate:
    """Return a certificate whose subject is the issuer of *certificate*, for its name."""
    issuer = x509.Certificate(certificate.der)
    issuer.subject = certificate.issuer
    return issuer
