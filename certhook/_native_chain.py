"""Verification of a server's certificates by Windows or macOS, through truststore.

The operating system verifies the chain as for its own programs: it downloads intermediates, obtains
root certificates on demand, and checks revocation. It first uses its own roots only. If it finds no path to
one of them, the anchors of default trust (the bundle, the extra files) and the certificates that the caller loaded
into the context are added, so that every server that OpenSSL verifies with certhook's default trust remains verified.

Windows checks revocation only on request, and certhook requests it. A revoked certificate is rejected. If the
revocation status cannot be determined, the certificate is accepted, as in Windows' own programs. macOS does this
by default. With ``VERIFY_CRL_CHECK_CHAIN`` or ``VERIFY_CRL_CHECK_LEAF``, the status must be known.

Roots that the administrator distrusts are rejected by the operating system. They are excluded from the additional
anchors, and a chain that leads to one of them, and to no trusted anchor, is rejected even if the system accepts it.

The parts for macOS have been tested with simulated results only.
"""

from __future__ import annotations

import _ssl
import ssl
import sys
from binascii import a2b_base64

from certhook import _config, _trust
from certhook._certificates import names
from certhook._certificates.openssl import new_context, split
from certhook._certificates.x509 import Certificate
from certhook._config import SERVER_AUTH
from certhook._finder import undisturbed
from certhook._loading import read_certificates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Sequence

    from certhook._config import Config
    from certhook._sources.blocklist import Blocklist

    #: ``_verify_peercerts_impl`` of truststore: raises an exception unless the operating system accepts a chain.
    Verifier = Callable[[Any, list[bytes], str | None], None]

# Error codes of Windows (winerror.h) and macOS (SecBase.h) by their meaning.
_NO_TRUSTED_ROOT = frozenset(
    {
        0x800B0109,  # CERT_E_UNTRUSTEDROOT
        0x800B010A,  # CERT_E_CHAINING
        0x800B0101,  # CERT_E_EXPIRED: of the system's root, perhaps, while the bundle contains a renewed one
        -67843,  # errSecNotTrusted
        -25318,  # errSecCreateChainFailed
        -67818,  # errSecCertificateExpired
    }
)
_UNKNOWN_REVOCATION = frozenset(
    {
        0x80092011,  # CRYPT_E_NO_REVOCATION_DLL
        0x80092012,  # CRYPT_E_NO_REVOCATION_CHECK
        0x80092013,  # CRYPT_E_REVOCATION_OFFLINE
        0x800B010E,  # CERT_E_REVOCATION_FAILURE
    }
)

# Requests a check of the whole chain. One of its bits requests that of the server's certificate.
_CRL_CHECK = int(ssl.VERIFY_CRL_CHECK_CHAIN)
_PARTIAL_CHAIN = 0x80000  # ssl.VERIFY_X509_PARTIAL_CHAIN, from Python 3.10 on

# A server's certificate for "certhook.invalid" by an issuer without a certificate, valid until 2120.
_UNTRUSTED = (
    "MIIBYzCCAQmgAwIBAgIBATAKBggqhkjOPQQDAjAjMSEwHwYDVQQDDBhjZXJ0aG9vazogdW5rbm93biBpc3N1ZXIwIBcNMjAwMTAx"
    "MDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBsxGTAXBgNVBAMMEGNlcnRob29rLmludmFsaWQwWTATBgcqhkjOPQIBBggqhkjOPQMB"
    "BwNCAARMlqKWYb4tCx3ZU4aAp5pyQJh+yJCyvJ3SfHnMlLHQHT6djyq+HCnpVWhUnSya/hMNpKGB8Swb4fz8C3emKVi+ozQwMjAb"
    "BgNVHREEFDASghBjZXJ0aG9vay5pbnZhbGlkMBMGA1UdJQQMMAoGCCsGAQUFBwMBMAoGCCqGSM49BAMCA0gAMEUCIFa2uHBELUUQ"
    "TTLPwEI3T3B2jv5EhtzQXblH0obikN4qAiEA6mRV59zSPWiYfTc0sSa/N8/emIYrCFlmFWJn24FFF4E="
)

# The anchors of the store that was read last, by its path.
_latest: tuple[str, tuple[bytes, ...]] = ("", ())


class Policy:
    """The verification that a context requests, in the form that truststore expects of an ``SSLContext``.

    It is determined when a connection is created, like that of OpenSSL.

    :param context: the context, whose certificates are added to the anchors
    :param config: the settings of default trust
    :param server_hostname: the host name of the server in ASCII. None if there is none: like OpenSSL, wrap_bio()
        then verifies no name, even with *check_hostname*.
    """

    def __init__(self, context: Any, config: Config, check_hostname: bool, server_hostname: str | None) -> None:
        self.context = context
        self.config = config
        self.check_hostname = check_hostname
        self.server_hostname = server_hostname
        self.verify_mode = ssl.CERT_REQUIRED  # macOS would accept unknown roots with CERT_OPTIONAL.
        self.requested_flags = int(_ssl._SSLContext.verify_flags.__get__(context))  # type: ignore[attr-defined]
        self.verify_flags = self.requested_flags
        self.anchors: list[bytes] = []

    def get_ca_certs(self, binary_form: bool = False) -> list[bytes]:
        """Return the additional anchors of the current attempt."""
        return self.anchors


def verify(verifier: Verifier, policy: Policy, chain: list[bytes]) -> None:
    """Verify the certificates that a server sent.

    :raises ssl.SSLCertVerificationError: if the operating system rejects them, or the administrator distrusts them
    """
    try:
        if not chain:
            raise ssl.SSLCertVerificationError("the server sent no certificate")
        _verify_with_system(verifier, policy, chain)
        _reject_distrusted(policy, chain)
    except Exception as error:  # Whatever happened, the chain is not verified.
        raise _verification_error(error) from None


def rejects_untrusted(verifier: Verifier) -> bool:
    """Return whether *verifier* rejects a certificate of an unknown issuer. Wine's crypt32 accepts it."""
    policy = Policy(new_context(), _config.current(), True, "certhook.invalid")
    try:
        verifier(policy, [a2b_base64(_UNTRUSTED)], policy.server_hostname)
    except ssl.SSLCertVerificationError:
        return True
    return False


def _verify_with_system(verifier: Verifier, policy: Policy, chain: list[bytes]) -> None:
    policy.anchors = []
    error = _verify_with_revocation(verifier, policy, chain)
    if error is not None and _code(error, policy) in _NO_TRUSTED_ROOT:
        policy.anchors = _additional_anchors(policy)
        if policy.anchors:
            error = _verify_with_revocation(verifier, policy, chain)
    if error is not None:
        raise error


def _verify_with_revocation(
    verifier: Verifier, policy: Policy, chain: list[bytes]
) -> ssl.SSLCertVerificationError | None:
    """Return the error with which the operating system rejects *chain*, None if it accepts the chain."""
    is_checked_anyway = sys.platform == "darwin" or policy.requested_flags & _CRL_CHECK
    policy.verify_flags = policy.requested_flags | (0 if is_checked_anyway else _CRL_CHECK)
    error = _attempt(verifier, policy, chain)
    if error is not None and not is_checked_anyway and _code(error, policy) in _UNKNOWN_REVOCATION:
        policy.verify_flags = policy.requested_flags
        error = _attempt(verifier, policy, chain)
    return error


def _attempt(verifier: Verifier, policy: Policy, chain: list[bytes]) -> ssl.SSLCertVerificationError | None:
    try:
        verifier(policy, chain, policy.server_hostname)
    except ssl.SSLCertVerificationError as error:
        return error
    return None


def _code(error: ssl.SSLCertVerificationError, policy: Policy) -> int:
    """Return the code of *error*, the error of the latest attempt.

    If Windows rejects a chain with additional anchors as well, truststore raises the error of the attempt
    without them again, in the context of the other one, which decides here.
    """
    inner = error.__context__ if policy.anchors and sys.platform != "darwin" else None
    code = getattr(error if inner is None else inner, "verify_code", 0)
    if not isinstance(code, int):
        return 0
    return code if sys.platform == "darwin" else code & 0xFFFFFFFF


def _verification_error(error: Exception) -> ssl.SSLCertVerificationError:
    """Return *error* in the form in which a program expects it from OpenSSL."""
    message = getattr(error, "verify_message", "") or str(error)
    if len(error.args) == 1 and isinstance(error, ssl.SSLError):
        message = str(error.args[0])  # str(error) would format the tuple of arguments.
    text = f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {message} (verified by the operating system)"
    found = ssl.SSLCertVerificationError(1, text)
    found.library, found.reason = "SSL", "CERTIFICATE_VERIFY_FAILED"
    found.verify_code, found.verify_message = getattr(error, "verify_code", 1), message
    return found


# Anchors.


@undisturbed
def _additional_anchors(policy: Policy) -> list[bytes]:
    """Return the anchors of default trust and the certificates that the caller loaded, without distrusted ones.

    Like OpenSSL without partial chains, certificates that are not self-issued are excluded.
    """
    own: Sequence[bytes] = _ssl._SSLContext.get_ca_certs(policy.context, True)
    blocklist = _read_blocklist(policy.config)
    found = list(_default_anchors(policy.config))
    found += [der for der in own if not _is_distrusted(blocklist, _parse(der))]
    if not policy.requested_flags & _PARTIAL_CHAIN:
        found = [der for der in found if _is_self_issued(der)]
    return list(dict.fromkeys(found))


def _default_anchors(config: Config) -> tuple[bytes, ...]:
    """Return the anchors of default trust as DER.

    Certificates with OpenSSL's trust settings are excluded, because the operating system does not apply these.
    """
    global _latest
    trust = _trust.current(config, SERVER_AUTH)
    if trust.store is None:
        return _without_settings(trust.anchors)
    path, anchors = _latest
    if path != trust.resolved:
        anchors = _without_settings(read_certificates(trust.resolved))
        _latest = trust.resolved, anchors
    return anchors


def _without_settings(certificates: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple([der for der, settings in map(split, certificates) if not settings])


def _is_self_issued(der: bytes) -> bool:
    certificate = _parse(der)
    return certificate is not None and certificate.subject == certificate.issuer


def _parse(der: bytes) -> Certificate | None:
    try:
        return Certificate(der)
    except ValueError:
        return None


# Distrust.


def _read_blocklist(config: Config) -> Blocklist:
    """Return the certificates that the administrator distrusts: Windows' Disallowed store, macOS' trust settings."""
    from certhook._sources import distrust
    from certhook._sources.collector import Collector

    collector = Collector(config, SERVER_AUTH)
    distrust.read(collector)
    return collector.blocklist


def _is_distrusted(blocklist: Blocklist, certificate: Certificate | None) -> bool:
    """Return whether *certificate* is distrusted; a malformed one is."""
    return certificate is None or bool(blocklist.match(certificate)[0] & SERVER_AUTH)


@undisturbed
def _reject_distrusted(policy: Policy, chain: list[bytes]) -> None:
    """Reject a chain that leads to a distrusted certificate, and to no trusted anchor before it."""
    blocklist = _read_blocklist(policy.config)
    listed = [found for found in blocklist.certificates.values() if _is_distrusted(blocklist, found)]
    distrusted = {names.folded_subject(found) for found in listed}
    sent = {names.folded_subject(found): found for found in map(_parse, reversed(chain)) if found is not None}
    certificate = _parse(chain[0])
    issuers: list[bytes] = []
    while certificate is not None:
        issuer = names.folded(certificate.issuer)
        if _is_distrusted(blocklist, certificate):
            break
        if issuer in issuers:
            return
        issuers.append(issuer)
        if issuer in distrusted:
            break
        certificate = sent.get(issuer)
        if certificate is None:
            return
    trusted = {
        names.folded_subject(found) for found in map(_parse, _default_anchors(policy.config)) if found is not None
    }
    if trusted.isdisjoint(issuers):
        raise ssl.SSLCertVerificationError("the administrator distrusts a certificate of the chain")
