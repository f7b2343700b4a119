"""Why a server was not verified: the one cause, in plain words, and what to do.

Pure: from what the server showed, what OpenSSL said, what is trusted here, the
settings and the time, to a :class:`Cause`. Nothing is read or asked. OpenSSL's
verdict is never doubted; the certificates only say what is behind it. One
function looks for one cause; they are tried in order, and the first that finds
its cause ends the search.
"""

from __future__ import annotations

import ipaddress
import warnings
from datetime import datetime, timedelta, timezone
from typing import Callable, Iterable, Iterator, NamedTuple, Sequence, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from certhook import _x509
from certhook.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._anchors import Anchor
    from certhook._config import Config
    from certhook._sources import TrustSet
    from certhook.cli._connection import Failure

#: No clock that is right says less: certhook is not older than that.
RELEASED = datetime(2026, 11, 1, tzinfo=timezone.utc)

TRUSTED, DISTRUSTED, OFF = "trusted", "distrusted", "off"


class Cause(NamedTuple):
    """What is wrong.

    :ivar id: a name for programs, which stays
    :ivar sentence: the same for a person
    :ivar advice: what to do, the best first
    """

    id: str
    sentence: str
    advice: tuple[str, ...]


class Root(NamedTuple):
    """A root that some source here lists.

    :ivar standing: one of "trusted", "distrusted" and "off": its source is not used
    :ivar settings: the variables that leave it out, where it is off
    """

    anchor: Anchor
    certificate: x509.Certificate
    standing: str
    settings: tuple[str, ...] = ()


class Roots:
    """The roots that sources here list, whether they are trusted or not, by their names."""

    def __init__(self, entries: Iterable[tuple[Anchor, str, tuple[str, ...]]]) -> None:
        self._by_name: dict[bytes, list[tuple[Anchor, str, tuple[str, ...]]]] = {}
        self._trusted: list[Anchor] = []
        for anchor, standing, settings in entries:
            name = _folded(_x509.Certificate(anchor.der).subject)
            self._by_name.setdefault(name, []).append((anchor, standing, settings))
            if standing == TRUSTED:
                self._trusted.append(anchor)

    def vouching_for(self, certificate: x509.Certificate, *standings: str) -> Root | None:
        """The root that *certificate* is, or that issued it, of the first of *standings* that has one."""
        names = [certificate.subject.public_bytes(), certificate.issuer.public_bytes()]
        known = [entry for name in dict.fromkeys(map(_folded, names)) for entry in self._by_name.get(name, ())]
        der = _der(certificate)
        for wanted in standings:
            for anchor, standing, settings in known:
                parsed = load(anchor.der) if standing == wanted else None
                if parsed and (anchor.der == der or issued(certificate, parsed)):
                    return Root(anchor, parsed, standing, settings)
        return None

    def trusts_anyone(self) -> bool:
        """Whether there is a trusted root at all."""
        return bool(self._trusted)

    def has_organization(self, name: str) -> bool:
        """Whether a trusted root belongs to the organization *name*."""
        return any(f"O={name}" in anchor.subject.split(",") for anchor in self._trusted)

    def mostly_expired(self, now: datetime) -> bool:
        """Whether so many trusted roots have expired that *now* cannot be right."""
        dates = [anchor.validity for anchor in self._trusted]
        expired = sum(date is not None and date[1] < now for date in dates)
        return expired >= 10 and expired * 2 > len(dates)


class Case(NamedTuple):
    """Everything that there is to judge by.

    :ivar failure: how the connection ended
    :ivar chain: the certificates that the server sent, its own first; none where it showed none
    :ivar whole: whether these are all that it sent
    :ivar lenient: whether it is verified, or fails for another reason, without ``VERIFY_X509_STRICT``
    :ivar version: of TLS, that a context found which accepts all of them; "" if none
    :ivar words: what the server said without TLS
    :ivar proxy: the HTTP proxy on the way
    :ivar problems: what is wrong with settings and sources here
    """

    host: str
    port: int
    protocol: str
    failure: Failure
    chain: Sequence[x509.Certificate]
    roots: Roots
    now: datetime
    whole: bool = True
    lenient: bool = False
    version: str = ""
    words: bytes = b""
    proxy: str | None = None
    problems: Sequence[Exception] = ()

    @property
    def path(self) -> list[x509.Certificate]:
        """The certificates from the server's own to the last that is known, the root if it is trusted."""
        return climb(self.chain, self.roots)[0]


# What is known of certificates.

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def load(der: bytes) -> x509.Certificate | None:
    """Read a certificate, None where this is none that can be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of poor form, which others judge
        try:
            certificate = x509.load_der_x509_certificate(der)
            # These are read when they are first asked for.
            for name in ("subject", "issuer", "not_valid_before_utc", "not_valid_after_utc"):
                getattr(certificate, name)
        except ValueError:
            return None
        return certificate


def _der(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)


def _folded(name: bytes) -> bytes:
    try:
        return _x509.canonical(name)
    except ValueError:
        return name


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether *issuer* signed *certificate*."""
    if _folded(certificate.issuer.public_bytes()) != _folded(issuer.subject.public_bytes()):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception as error:
        # A signature of a kind that cryptography no longer knows, or a name in another string type: by name then.
        return type(error).__name__ == "UnsupportedAlgorithm" or certificate.issuer != issuer.subject
    return True


def climb(chain: Sequence[x509.Certificate], roots: Roots) -> tuple[list[x509.Certificate], Root | None]:
    """From the server's certificate upwards, as OpenSSL goes: what is trusted first, then what the server sent.

    :returns: the certificates, and the root at their end where a source here lists it, trusted or not
    """
    path = list(chain[:1])
    while path:
        root = roots.vouching_for(path[-1], TRUSTED)
        above = [one for one in chain if one not in path and issued(path[-1], one)]
        if root is None and above and not issued(path[-1], path[-1]):
            path.append(above[0])
            continue
        if root is None:
            root = roots.vouching_for(path[-1], DISTRUSTED, OFF)
        if root is not None and root.certificate != path[-1]:
            if len(path) > 1 and issued(path[-1], path[-1]):
                path.pop()  # another edition of this root
            path.append(root.certificate)
        return path, root
    return path, None


def called(name: x509.Name) -> str:
    """*name* for a person: the common name, and the organization behind it."""
    parts = []
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME):
        parts += [str(attribute.value) for attribute in name.get_attributes_for_oid(kind)][:1]
    if not parts:
        parts = [name.rfc4514_string() or "a certificate without a name"]
    shown = parts[0] if len(parts) == 1 or parts[1] in parts[0] else f"{parts[0]} ({parts[1]})"
    # Nothing in a certificate is to move the cursor of a terminal.
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def hosts(certificate: x509.Certificate) -> list[str]:
    """The names and addresses that *certificate* is for."""
    names = _extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return []
    found = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return ["".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name) for name in found]


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def _is_from_public_ca(certificate: x509.Certificate) -> bool:
    """Whether its issuer says that public rules hold for it: a log of certificates, or a policy of the CA/B Forum."""
    policies = _extension(certificate, x509.CertificatePolicies) or ()
    logged = _extension(certificate, x509.PrecertificateSignedCertificateTimestamps)
    return logged is not None or any(p.policy_identifier.dotted_string.startswith("2.23.140.1.2.") for p in policies)


def day(moment: datetime) -> str:
    """The date of *moment*."""
    return moment.strftime("%Y-%m-%d")


def _days(time: timedelta) -> str:
    count = max(time.days, 0)
    return "less than a day" if not count else "1 day" if count == 1 else f"{count} days"


def switched_off(
    config: Config, environ: Iterable[str], here: TrustSet, every: TrustSet, usual: TrustSet
) -> Iterator[tuple[Anchor, str, tuple[str, ...]]]:
    """The roots that a setting leaves out, with the variables that do.

    :param environ: the names of the variables that are set
    :param here: what holds now
    :param every: the same with all sources
    :param usual: what would be if nothing were set
    """
    explicit = tuple(name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in environ)
    known = {anchor.der for anchor in (*here.anchors, *here.removed)}
    for trust in (every, usual):
        for anchor in trust.anchors:
            if anchor.der in known:
                continue
            known.add(anchor.der)
            source = anchor.sources[0]
            settings: tuple[str, ...] = ()
            if trust is usual and source == "system" and config.explicit:
                settings = explicit
            elif trust is usual and config.bundle is not None:
                settings = ("CERTHOOK_BUNDLE",)
            if source not in config.sources:
                settings += ("CERTHOOK_SOURCES",) if "CERTHOOK_SOURCES" in environ else explicit
            elif not settings and config.mode == "fallback":
                settings = ("CERTHOOK_MODE",)
            if settings:
                yield anchor, OFF, tuple(dict.fromkeys(settings))
        for anchor in trust.removed:
            if anchor.der not in known:
                known.add(anchor.der)
                yield anchor, DISTRUSTED, ()


# The causes. Of reaching the server:


def no_such_name(case: Case) -> Cause | None:
    if case.failure.step != "name":
        return None
    return Cause(
        "no-such-name",
        f"Nobody knows the name {case.host}: it has no address.",
        (
            "Look for a typing mistake in the name.",
            "If it is a name of your company's, connect to its network or VPN first.",
            "Where programs reach the Internet through a proxy, set HTTPS_PROXY.",
        ),
    )


def no_connection(case: Case) -> Cause | None:
    if case.failure.step not in ("connect", "tls") or (case.failure.step == "tls" and case.failure.reason != "timeout"):
        return None
    if case.failure.reason == "timeout":
        return Cause(
            "no-answer",
            f"{case.host}, port {case.port}, does not answer in time.",
            (
                "Look whether name and port are right.",
                "A firewall may be in the way: try from another network. Where programs reach the Internet through a "
                "proxy, set HTTPS_PROXY.",
                "If the server is only slow: --timeout 60",
            ),
        )
    if case.failure.reason == "refused":
        return Cause(
            "refused",
            f"{case.host} is there, but nothing listens at its port {case.port}.",
            ("Look whether the port is right.", "Look whether the service is running there."),
        )
    return Cause(
        "no-connection",
        f"No connection to {case.host}, port {case.port}: {case.failure.text}.",
        (
            "Look whether this machine is connected, and whether a firewall is in the way.",
            "Where programs reach the Internet through a proxy, set HTTPS_PROXY.",
        ),
    )


def proxy_failed(case: Case) -> Cause | None:
    if case.failure.step != "proxy":
        return None
    proxy = _without_secrets(case.proxy)
    if case.failure.code == 407:
        return Cause(
            "proxy-login",
            f"The proxy {proxy} wants a name and a password.",
            ("Put them into HTTPS_PROXY: http://NAME:PASSWORD@PROXY:PORT",),
        )
    return Cause(
        "proxy-failed",
        f"The proxy {proxy} made no connection to {case.host}, port {case.port}: {case.failure.text}.",
        (
            "Look whether HTTPS_PROXY names the right proxy.",
            f"If {case.host} is to be reached without it, add that name to NO_PROXY.",
        ),
    )


def _without_secrets(proxy: str | None) -> str:
    return (proxy or "").rpartition("@")[2].rpartition("://")[2].rstrip("/")


def no_starttls(case: Case) -> Cause | None:
    if case.failure.step != "starttls":
        return None
    return Cause(
        "no-starttls",
        f"The server speaks {case.protocol}, but would not change to TLS: {case.failure.text}.",
        (
            "Whoever runs the server has to switch TLS on.",
            "Look whether it has another port for TLS: smtps:// (465) or imaps:// (993).",
        ),
    )


def _knows_tls(case: Case) -> bool:
    """Whether the server showed that it does speak TLS, by an alert, or in what it says to plain HTTP."""
    words = case.words.upper()
    record = words[:1] in (b"\x15", b"\x16") and words[1:2] == b"\x03"
    return bool(case.version) or "ALERT" in case.failure.reason or record or b"HTTPS" in words or b"SSL" in words


def plain_http(case: Case) -> Cause | None:
    if case.failure.step != "tls" or _knows_tls(case):
        return None
    if case.protocol != "https" or not case.words.startswith(b"HTTP/"):
        return None
    return Cause(
        "plain-http",
        f"{case.host}, port {case.port}, speaks plain HTTP, without TLS.",
        (
            "Look whether the port is right; the one for https:// usually is 443 or 8443.",
            "If http:// is what you want, nobody verifies who answers.",
        ),
    )


# OpenSSL's words for bytes that are no TLS; they changed from release to release.
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL")


def no_tls(case: Case) -> Cause | None:
    if case.failure.step != "tls" or _knows_tls(case):
        return None
    if case.failure.reason not in _NO_TLS and not case.words:
        return None
    greeting = case.words.split(b"\n")[0].strip()[:40]
    text = greeting.decode("ascii", "replace")
    says = f" It says {text!r}." if text.isprintable() and text and "\ufffd" not in text else ""
    return Cause(
        "no-tls",
        f"{case.host}, port {case.port}, does not speak TLS.{says}",
        (
            "Look whether the port is right.",
            "Servers for mail and PostgreSQL begin without TLS: ask with smtp://, imap:// or postgres://.",
        ),
    )


def client_certificate(case: Case) -> Cause | None:
    reason = case.failure.reason
    wanted = "ALERT" in reason and "CERTIFICATE" in reason
    if case.failure.step != "tls" or not wanted:
        return None
    return Cause(
        "client-certificate",
        f"{case.host} wants a certificate of you: it serves only those whom it knows by theirs.",
        (
            "The server itself was verified; its trust is in order.",
            "Ask who runs it for a client certificate, and give it to the program: "
            "context.load_cert_chain(), or the program's option for it (--cert, cert=).",
        ),
    )


def old_version(case: Case) -> Cause | None:
    told = case.version in ("SSLv3", "TLSv1", "TLSv1.1")
    said = any(word in case.failure.reason for word in ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "VERSION_TOO"))
    if case.failure.step != "tls" or not (told or said):
        return None
    version = case.version.replace("v", " ") if told else "an old TLS"
    return Cause(
        "old-tls",
        f"{case.host} speaks only {version}, which is no longer safe.",
        ("Whoever runs the server has to bring it up to date: TLS 1.2 or 1.3.",),
    )


def weak_handshake(case: Case) -> Cause | None:
    weak = any(word in case.failure.reason for word in ("KEY_TOO_SMALL", "MD_TOO_WEAK", "LEGACY", "RENEGOTIATION"))
    if case.failure.step != "tls" or not weak:
        return None
    return Cause(
        "weak-handshake",
        f"{case.host} offers only cryptography that is too weak today ({case.failure.reason}).",
        ("Whoever runs the server has to bring it up to date.",),
    )


def handshake_broken_off(case: Case) -> Cause | None:
    if case.failure.step != "tls":
        return None
    hint = f" Asked less strictly, it speaks {case.version}." if case.version else ""
    return Cause(
        "handshake-failed",
        f"{case.host} broke off while TLS was being set up ({case.failure.reason or case.failure.text}).{hint}",
        (
            "It may want a client certificate, or know no host of that name, or share no cipher with this Python: "
            "its log says which.",
            "A firewall that breaks connections off looks the same: try from another network.",
        ),
    )


# Of the certificates:

_TIME = (9, 10)
_NO_ISSUER = (2, 18, 19, 20, 21, 27)


def strict(case: Case) -> Cause | None:
    if case.failure.step != "verify" or not case.lenient:
        return None
    code, path = case.failure.code, case.path
    why, culprits = case.failure.text, path[-1:]
    if code == 92:
        why = "it does not say what its key may be used for (no key usage)"
        culprits = [one for one in path if _is_ca(one) and _extension(one, x509.KeyUsage) is None]
    elif code == 85:
        why = "it does not say which key signed it (no authority key identifier)"
        culprits = [one for one in path if _extension(one, x509.AuthorityKeyIdentifier) is None]
    elif code == 86:
        why = "it has no number for its key (no subject key identifier)"
        culprits = [one for one in path if _is_ca(one) and _extension(one, x509.SubjectKeyIdentifier) is None]
    elif code == 89:
        why = "its mark as a CA is not one that must be heeded (basic constraints not critical)"
        culprits = [one for one in path if _is_ca(one) and not _basic_is_critical(one)]
    whose = f"the certificate of {called(culprits[0].subject)}" if culprits else "a certificate in the chain"
    return Cause(
        "strict",
        f"Python 3.13 and later check the form of certificates strictly, and {whose} fails: {why}.",
        (
            "Set CERTHOOK_X509_STRICT=0: programs then check as Python 3.12 did, and all else still holds.",
            "Whoever runs that CA has to issue certificates that follow RFC 5280.",
        ),
    )


def _is_ca(certificate: x509.Certificate) -> bool:
    basic = _extension(certificate, x509.BasicConstraints)
    return basic is not None and basic.ca


def _basic_is_critical(certificate: x509.Certificate) -> bool:
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).critical


def wrong_clock(case: Case) -> Cause | None:
    if case.failure.code not in _TIME or case.failure.step != "verify":
        return None
    shown = case.now.strftime("%Y-%m-%d %H:%M UTC")
    path = case.path
    if case.failure.code == 9 and case.now < RELEASED:
        why = "certhook itself is younger than that"
    elif case.failure.code == 9 and len(path) > 1 and all(one.not_valid_before_utc > case.now for one in path):
        why = f"every certificate on the way to {case.host} would still be to come"
    elif case.failure.code == 10 and case.roots.mostly_expired(case.now):
        why = "most of the trusted roots would have expired"
    else:
        return None
    return Cause(
        "wrong-clock",
        f"The clock of this machine is probably wrong: it says {shown}, and {why}.",
        (
            "Set the date and the time of this machine.",
            "If they are right, the certificates of the server are not; tell who runs it.",
        ),
    )


def out_of_date(case: Case) -> Cause | None:
    if case.failure.code not in _TIME or case.failure.step != "verify":
        return None
    over = case.failure.code == 10
    path = case.path
    expired = [one for one in path if one.not_valid_after_utc < case.now]
    wrong = expired if over else [one for one in path if one.not_valid_before_utc > case.now]
    culprit = wrong[-1] if wrong else None  # OpenSSL goes from the root down, too.
    is_leaf = culprit is not None and culprit is path[0]
    what = f"a CA above {case.host}" if culprit is None else case.host if is_leaf else called(culprit.subject)
    if culprit is None:  # not sent, or cannot be seen
        when = "expired" if over else "is not valid yet"
    elif over:
        when = f"expired on {day(culprit.not_valid_after_utc)}, {_days(case.now - culprit.not_valid_after_utc)} ago"
    else:
        first = culprit.not_valid_before_utc
        when = f"is not valid before {day(first)}, {_days(first - case.now)} from now"
    renew = "Whoever runs the server has to " + ("renew it." if over and is_leaf else "send one that is valid now.")
    if over and culprit is not None and not is_leaf and issued(culprit, culprit):
        renew = "Its CA has a newer root: update the system's certificates and certifi, or ask who runs the server."
    clock = f"Look whether the clock of this machine is right: it says {case.now.strftime('%Y-%m-%d %H:%M UTC')}."
    name = "expired" if over else "not-yet-valid"
    return Cause(name if is_leaf else f"issuer-{name}", f"The certificate of {what} {when}.", (renew, clock))


def wrong_host(case: Case) -> Cause | None:
    if case.failure.step != "verify" or case.failure.code not in (62, 64):
        return None
    names = hosts(case.chain[0]) if case.chain else []
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return Cause(
        "wrong-host",
        f"The certificate is for {shown or 'no host at all'}, not for {case.host}.",
        (
            *([f"Use one of these names, if that is whom you want: {shown}."] if names else []),
            f"Else whoever runs the server has to get a certificate that names {case.host}.",
            "Where a network wants you to log in first (a hotel, a train), do that in a browser.",
        ),
    )


def weak(case: Case) -> Cause | None:
    if case.failure.step != "verify" or case.failure.code not in (66, 67, 68):
        return None
    path = case.path
    culprit = path[0] if case.failure.code == 66 and path else None
    if case.failure.code == 67:
        culprit = next((one for one in path[1:] if 0 < _key_size(one) < 2048), None)
    whose = f"The certificate of {called(culprit.subject) if culprit else 'a CA in the chain'}"
    if case.failure.code == 68:
        why = "is signed in a way that is no longer safe (such as MD5 or SHA-1)"
    else:
        size = _key_size(culprit) if culprit else 0
        why = "has a key that is too short to be safe" + (f" ({size} bits)" if size else "")
    return Cause(
        "weak",
        f"{whose} {why}.",
        (
            "Whoever runs the server or that CA has to make a new one: RSA with at least 2048 bits, or ECDSA, "
            "and SHA-256.",
        ),
    )


def _key_size(certificate: x509.Certificate) -> int:
    """The bits of the key, 0 where that says nothing."""
    try:
        key = certificate.public_key()
    except Exception:  # of a kind that cryptography does not know
        return 0
    return key.key_size if isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)) else 0


def name_constraints(case: Case) -> Cause | None:
    if case.failure.step != "verify" or case.failure.code not in (47, 48, 49, 51, 52, 53):
        return None
    limited = [one for one in case.path[1:] if _extension(one, x509.NameConstraints)]
    who = called(limited[0].subject) if limited else "A CA in the chain"
    constraints = _extension(limited[0], x509.NameConstraints) if limited else None
    permitted = ", ".join(str(name.value) for name in (constraints and constraints.permitted_subtrees) or ())
    only = f": only for {permitted}" if permitted else ""
    return Cause(
        "name-constraints",
        f"{who} may not issue certificates for {case.host}{only} (name constraints).",
        ("Whoever runs the server has to get its certificate from a CA that may name this host.",),
    )


def not_a_ca(case: Case) -> Cause | None:
    if case.failure.step != "verify" or case.failure.code not in (24, 25, 32, 37, 79):
        return None
    return Cause(
        "not-a-ca",
        f"A certificate above that of {case.host} may not issue others ({case.failure.text}).",
        ("Whoever runs the server has to get its certificate from a CA, and to send that CA's certificates with it.",),
    )


def wrong_purpose(case: Case) -> Cause | None:
    if case.failure.step != "verify" or case.failure.code != 26:
        return None
    return Cause(
        "wrong-purpose",
        f"The certificate of {case.host}, or of a CA above it, is not for servers (extended key usage).",
        ("Whoever runs the server has to get a certificate for servers: TLS web server authentication.",),
    )


def distrusted(case: Case) -> Cause | None:
    root = _root(case, DISTRUSTED)
    if root is None:
        return None
    name, by = called(root.certificate.subject), ", ".join(root.anchor.rejected_by)
    return Cause(
        "root-distrusted",
        f"{name} vouches for the server, but the administrator of this machine distrusts it: {by}",
        (
            "Ask the administrator why. A distrusted CA may have been broken into.",
            f"Only if that is a mistake: take it out of {by}",
        ),
    )


def switched_off_here(case: Case) -> Cause | None:
    root = _root(case, OFF)
    if root is None:
        return None
    settings = " and ".join(root.settings)
    source, path = root.anchor.listed[0]
    remedies = {
        "CERTHOOK_SOURCES": "Set CERTHOOK_SOURCES=system,bundled, or unset it.",
        "CERTHOOK_MODE": "Set CERTHOOK_MODE=chain, or unset it.",
        "CERTHOOK_BUNDLE": "Unset CERTHOOK_BUNDLE.",
    }
    advice = [remedies[name] for name in root.settings if name in remedies]
    if not advice and source == "bundled":
        advice = [f"Set CERTHOOK_SOURCES=system,bundled, or unset {settings}: while it is set, the bundle is not used."]
    elif not advice:
        advice = [f"Unset {settings}, or add the root: CERTHOOK_EXTRA_CA_CERTS={path}"]
    return Cause(
        "root-switched-off",
        f"{called(root.certificate.subject)}, which vouches for the server, is known here ({source}: {path}), "
        f"but left out because of {settings}.",
        tuple(advice),
    )


def _root(case: Case, standing: str) -> Root | None:
    if case.failure.step != "verify" or case.failure.code not in (*_NO_ISSUER, 28):
        return None
    root = climb(case.chain, case.roots)[1]
    return root if root is not None and root.standing == standing else None


_NAMING = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CERTHOOK_BUNDLE", "CERTHOOK_EXTRA_CA_CERTS")


def setting_points_nowhere(case: Case) -> Cause | None:
    if case.failure.step != "verify" or case.failure.code not in _NO_ISSUER:
        return None
    for problem in case.problems:
        # An empty value means none, and whoever set it knows.
        if isinstance(problem, ConfigurationError) and problem.setting in _NAMING and problem.message[:1] != " ":
            return Cause(
                "setting-points-nowhere",
                f"{problem.setting} names the roots to trust, and there is none: {problem.message}.",
                (
                    f"Correct {problem.setting}, or unset it.",
                    "'python -m certhook' shows every place that was looked at.",
                ),
            )
    return None


def no_roots(case: Case) -> Cause | None:
    if case.failure.step != "verify" or case.failure.code not in _NO_ISSUER or case.roots.trusts_anyone():
        return None
    return Cause(
        "no-roots",
        "Nobody is trusted here: no source has a root.",
        ("pip install certifi", "'python -m certhook' shows every place that was looked at."),
    )


def self_signed(case: Case) -> Cause | None:
    # 18 says it all, also where the certificate could not be seen.
    if case.failure.step != "verify" or case.failure.code != 18:
        return None
    return Cause(
        "self-signed",
        f"{case.host} vouches for itself: its certificate is signed by nobody else, so anybody could have made it.",
        (
            "Whoever runs the server should get a certificate from a CA.",
            "If it is your own server, copy its certificate from its disk (not from this connection), and set "
            "CERTHOOK_EXTRA_CA_CERTS to the path of that file.",
        ),
    )


def not_a_root(case: Case) -> Cause | None:
    if case.failure.step != "verify" or case.failure.code not in (2, 20):
        return None
    root = climb(case.chain, case.roots)[1]
    if root is None or root.standing != TRUSTED or issued(root.certificate, root.certificate):
        return None
    return Cause(
        "not-a-root",
        f"{called(root.certificate.subject)} is trusted here, but it is no root, and before Python 3.13 its own "
        f"issuer, {called(root.certificate.issuer)}, has to be trusted as well.",
        (f"Add the root {called(root.certificate.issuer)}: CERTHOOK_EXTRA_CA_CERTS=/path/to/root.pem",),
    )


def missing_intermediate(case: Case) -> Cause | None:
    """Only where it shows: the server sent something above the gap, or the issuer is one that is never a root."""
    if case.failure.step != "verify" or case.failure.code not in _NO_ISSUER or not case.chain or not case.whole:
        return None
    path = case.path
    top = path[-1]
    if issued(top, top):
        return None
    beyond = [one for one in case.chain if one not in path and _is_ca(one)]
    organization = [str(a.value) for a in top.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    of_known = any(map(case.roots.has_organization, organization))
    sure = bool(beyond) or (len(path) == 1 and _is_from_public_ca(top))
    if not sure and not (len(path) == 1 and of_known):
        return None
    return Cause(
        "missing-intermediate",
        f"The server does not send the certificate of {called(top.issuer)}, {'' if sure else 'probably '}"
        "a CA between its own and the root. Browsers often hide that, since they remember or fetch it.",
        (
            "Whoever runs the server has to install the whole chain (fullchain.pem, 'CA bundle').",
            "Until then, get that CA's certificate from its web site, or from who runs the server, and set "
            "CERTHOOK_EXTRA_CA_CERTS to the path of that file.",
        ),
    )


# What the certificates of programs that look into TLS are named after.
_INSPECTORS = (
    "avast", "barracuda", "bitdefender", "blue coat", "bluecoat", "cato networks", "charles proxy", "check point",
    "cisco umbrella", "do_not_trust", "eset ssl", "fiddler", "forcepoint", "fortigate", "fortinet",
    "gateway ca - cloudflare", "iboss", "kaspersky", "mcafee web", "menlo security", "mitmproxy", "netskope",
    "palo alto", "portswigger", "skyhigh", "sonicwall", "sophos", "squid", "watchguard", "websense", "zscaler",
)  # fmt: skip
# Whose certificates surely come from a public CA.
_PUBLIC_HOSTS = ("pypi.org", "pythonhosted.org", "python.org", "github.com", "google.com", "microsoft.com", "npmjs.org")
_PRIVATE_ENDS = ("local", "localhost", "localdomain", "internal", "intranet", "lan", "corp", "home", "private", "test",
                 "example", "invalid", "arpa")  # fmt: skip


def inspection(case: Case) -> Cause | None:
    if case.failure.step != "verify" or case.failure.code not in _NO_ISSUER or not case.chain:
        return None
    top = case.path[-1]
    names = " ".join(name.rfc4514_string() for name in (top.subject, top.issuer)).lower()
    product = any(word in names for word in _INSPECTORS)
    public = any(case.host == host or case.host.endswith(f".{host}") for host in _PUBLIC_HOSTS)
    if not _is_public(case.host) or any(map(_is_from_public_ca, case.chain)):
        return None
    if not (product or public or case.proxy):
        return None
    by = called(top.issuer)
    via = f" The connection goes through the proxy {_without_secrets(case.proxy)}." if case.proxy else ""
    return Cause(
        "inspection",
        f"Somebody on the way probably looks into the connection: {case.host} is a public name, but its certificate "
        f"comes from {by}, which is no public CA. Companies and virus scanners do so on purpose.{via}",
        (
            f"If this is your company's network, ask its IT for the root certificate of {called(top.issuer)}, and set "
            "CERTHOOK_EXTRA_CA_CERTS to the path of that file.",
            "If it is not, do not go on: somebody may be reading along. Try another network.",
        ),
    )


def _is_public(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "." in host and host.rpartition(".")[2] not in _PRIVATE_ENDS
    return False


def unknown_root(case: Case) -> Cause | None:
    if case.failure.step != "verify" or case.failure.code not in _NO_ISSUER:
        return None
    top = case.path[-1] if case.chain else None
    who = called(top.issuer) if top is not None else "the CA that vouches for the server"
    unseen = " What else the server sent cannot be seen before Python 3.10." if not case.whole else ""
    return Cause(
        "root-unknown",
        f"{who} vouches for the server, and no source here knows it.{unseen}",
        (
            "If it is your company's CA, ask its IT for that root certificate and set CERTHOOK_EXTRA_CA_CERTS to the "
            "path of the file (or have it installed for the whole system).",
            "If it is a public CA: update the system's certificates, and 'pip install --upgrade certifi'. If it is not "
            "a root, whoever runs the server has to send its certificate too.",
            "If you expected neither, somebody else may be answering: do not go on.",
        ),
    )


def anything_else(case: Case) -> Cause:
    return Cause(
        "other",
        f"The connection failed: {case.failure.text}.",
        ("Whoever runs the server can find out more with: openssl s_client -connect HOST:PORT",),
    )


_CAUSES: tuple[Callable[[Case], Cause | None], ...] = (
    no_such_name,
    no_connection,
    proxy_failed,
    no_starttls,
    client_certificate,
    plain_http,
    old_version,
    no_tls,
    weak_handshake,
    handshake_broken_off,
    strict,
    wrong_clock,
    out_of_date,
    wrong_host,
    weak,
    name_constraints,
    not_a_ca,
    wrong_purpose,
    distrusted,
    setting_points_nowhere,
    switched_off_here,
    no_roots,
    self_signed,
    not_a_root,
    missing_intermediate,
    inspection,
    unknown_root,
)


def diagnose(case: Case) -> Cause:
    """The one cause of *case*."""
    for look in _CAUSES:
        cause = look(case)
        if cause is not None:
            return cause
    return anything_else(case)
