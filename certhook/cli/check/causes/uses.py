"""Causes in the permitted uses of certificates: issuing others, TLS servers, and critical extensions."""

from __future__ import annotations

from cryptography import x509

from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.causes.issuers import NO_ISSUER
from certhook.cli.check.certificate import extension, is_ca, is_self_issued, key_usages, quoted_name
from certhook.cli.check.chain import TRUSTED
from certhook.cli.check.wording import join_first

# The extended key usages for TLS servers, including two obsolete ones (server gated cryptography).
_SERVER_USAGES = {"1.3.6.1.5.5.7.3.1", "1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"}
_USAGE_NAMES = {
    "1.3.6.1.5.5.7.3.2": "clients (clientAuth)",
    "1.3.6.1.5.5.7.3.3": "programs (codeSigning)",
    "1.3.6.1.5.5.7.3.4": "e-mail (emailProtection)",
    "1.3.6.1.5.5.7.3.8": "time stamps (timeStamping)",
    "1.3.6.1.5.5.7.3.9": "OCSP responders (OCSPSigning)",
    "1.3.6.1.5.5.7.3.17": "IPsec (ipsecIKE)",
    "2.5.29.37.0": "any use (anyExtendedKeyUsage), which OpenSSL does not accept for servers",
}
_NETSCAPE_TYPE, _NETSCAPE_SERVER, _NETSCAPE_CA = "2.16.840.1.113730.1.1", 0x40, 0x04
_TLS_KEY_USAGES = {"digitalSignature", "keyEncipherment", "keyAgreement"}


def _not_a_ca(case: Case) -> Facts | None:
    """A certificate above the server's own may not issue the one below it."""
    is_trusted = case.root is not None and case.root.status == TRUSTED
    if case.failure.code in NO_ISSUER and not is_trusted:
        return None  # It would not be trusted anyway.
    certificate = next((one for one in case.path[1:] if _obstacle(one)), None)
    if certificate is None:
        if case.failure.code in NO_ISSUER:
            return None
        return {"ca": "A certificate", "reason": "", "own": "", "root": "", "sender": case.host}
    is_root = case.root is not None and is_trusted and case.root.certificate == certificate
    return {
        "ca": f"The certificate of {quoted_name(certificate.subject)}",
        "reason": f": {_obstacle(certificate)}",
        "own": "" if is_root else quoted_name(certificate.subject),
        "root": case.root.files if case.root and is_root else "",
        "sender": "",
    }


def _obstacle(certificate: x509.Certificate) -> str:
    """Return why *certificate* may not issue others, "" if it may, as OpenSSL decides (check_ca)."""
    usages = key_usages(certificate)
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is not None and not constraints.ca:
        return "it is marked as the certificate of a server or a person, not of a CA (CA:FALSE)"
    if usages is not None and "keyCertSign" not in usages:
        return "the list of its permitted uses (key usage) does not contain the signing of certificates (keyCertSign)"
    is_old_root = is_self_issued(certificate) and (certificate.version is x509.Version.v1 or usages is not None)
    if constraints is None and not is_old_root:
        return "it is not marked as the certificate of a CA (basic constraints with CA:TRUE)"
    return ""


def _path_length(case: Case) -> Facts | None:
    """A CA permits fewer CAs between itself and the server than the chain contains."""
    for depth, certificate in enumerate(case.path[1:]):
        constraints = extension(certificate, x509.BasicConstraints)
        limit = constraints.path_length if constraints is not None else None
        if limit is not None and limit < depth:
            permitted = "no other CA" if not limit else "only one other CA" if limit == 1 else f"only {limit} other CAs"
            return {
                "ca": quoted_name(certificate.subject),
                "permitted": permitted,
                "count": str(depth),
                "below": quoted_name(case.path[depth].subject),
            }
    return None


def _wrong_purpose(case: Case) -> Facts:
    for certificate in case.path:  # OpenSSL checks the server's certificate first as well.
        reason = _purpose_obstacle(certificate)
        if not reason:
            continue
        if certificate is case.path[0]:
            return {"subject": case.host, "reason": f": {reason}", "ca": "", "own": case.host}
        ca = quoted_name(certificate.subject)
        subject = f"{ca}, a CA in the certificate chain of {case.host},"
        return {"subject": subject, "reason": f": {reason}", "ca": ca, "own": ""}
    return {"subject": f"{case.host}, or of a CA in its certificate chain,", "reason": "", "ca": "", "own": case.host}


def _purpose_obstacle(certificate: x509.Certificate) -> str:
    """Return why *certificate* is not valid for servers, or for a CA of servers, "" if it is."""
    usage = extension(certificate, x509.ExtendedKeyUsage)
    if usage is not None:
        uses = [_USAGE_NAMES.get(kind.dotted_string, kind.dotted_string) for kind in usage]
        if not {kind.dotted_string for kind in usage} & _SERVER_USAGES:
            return f"it is only valid for {join_first(uses)}, and the use serverAuth is missing (extended key usage)"
    for one in _extensions(certificate):
        # A bit string: the number of unused bits, and the bits (https://docs.openssl.org/master/man5/x509v3_config/).
        if one.oid.dotted_string == _NETSCAPE_TYPE and isinstance(one.value, x509.UnrecognizedExtension):
            bits = one.value.value[3:4]
            if bits and not bits[0] & (_NETSCAPE_CA if is_ca(certificate) else _NETSCAPE_SERVER):
                return "an obsolete extension excludes this use (nsCertType, Netscape certificate type)"
    return ""


def _extensions(certificate: x509.Certificate) -> list[x509.Extension[x509.ExtensionType]]:
    try:
        return list(certificate.extensions)
    except Exception:  # cryptography raises many exceptions for malformed extensions.
        return []


def _unknown_extension(case: Case) -> Facts | None:
    """A certificate contains a critical extension that OpenSSL does not support."""
    for certificate in case.path:
        for one in _extensions(certificate):
            if one.critical and isinstance(one.value, x509.UnrecognizedExtension):
                name = case.host if certificate is case.path[0] else quoted_name(certificate.subject)
                return {"subject": f"The certificate of {name}", "extension": f" {one.oid.dotted_string}"}
    return {"subject": f"A certificate in the certificate chain of {case.host}", "extension": ""}


def _wrong_key_usage(case: Case) -> Facts | None:
    usages = key_usages(case.path[0]) if case.path else None
    if usages is None or {*usages} & _TLS_KEY_USAGES:
        return None
    ca = quoted_name(case.path[0].subject) if is_ca(case.path[0]) else ""
    only = f"only for {', '.join(usages)}" if usages else "for nothing"
    return {"only": only, "ca": ca, "own": "" if ca else case.host}


CAUSES = (
    Cause(
        "path-too-long",
        "The certificate authority (CA) {ca} permits {permitted} between itself and a server (path length), but the "
        "certificate chain of {host} contains {count}.",
        (
            "Ask the server's administrator to get a certificate that is issued directly by {ca}, not by {below}.",
            "If it is your own CA, renew the certificate of {ca} without 'pathlen' in its basic constraints.",
        ),
        codes=(25,),
        facts=_path_length,
    ),
    Cause(
        "not-a-ca",
        "{ca} was used to issue another certificate in the chain of {host}, but it is not permitted to issue "
        "certificates{reason}.",
        (
            "Replace this root certificate ({root}) by one that may issue certificates. If it is your own certificate "
            "authority (CA), create its root certificate again with the same key, and with the extensions "
            "'basicConstraints=critical,CA:TRUE' and 'keyUsage=critical,keyCertSign,cRLSign'.",
            "Ask the server's administrator to get a certificate that was not issued with {own}, but directly with an "
            "intermediate certificate of a certificate authority (CA), and to install both.",
            "Ask the administrator of {sender} to get a certificate from a certificate authority (CA), and to install "
            "it together with the CA's intermediate certificates.",
        ),
        codes=(24, 25, 32, 37, 79, *NO_ISSUER),
        facts=_not_a_ca,
    ),
    Cause(
        "wrong-key-usage",
        "The certificate of {host} is not valid for TLS servers: its key may be used {only} (key usage).",
        (
            "It is the certificate of the certificate authority (CA) {ca}. Ask the server's administrator to issue a "
            "certificate for the server with that CA, and to install it instead.",
            "Ask the server's administrator to get a certificate for {own} with the key usage digitalSignature (and "
            "keyEncipherment for an RSA key).",
        ),
        codes=(26,),
        facts=_wrong_key_usage,
    ),
    Cause(
        "wrong-purpose",
        "The certificate of {subject} is not valid for TLS servers{reason}.",
        (
            "Ask the server's administrator to get a certificate from another certificate authority (CA), because {ca} "
            "may not issue certificates for servers.",
            "Ask the server's administrator to get a certificate for {own} with the extended key usage serverAuth (TLS "
            "web server authentication), and without nsCertType.",
        ),
        codes=(26,),
        facts=_wrong_purpose,
    ),
    Cause(
        "unknown-extension",
        "{subject} contains a rule that this OpenSSL does not support and must not ignore (critical "
        "extension{extension}).",
        (
            "Ask the server's administrator to get a certificate without this extension, or from another certificate "
            "authority (CA).",
            "If the extension is recent, use a Python with a newer OpenSSL.",
        ),
        codes=(34,),
        facts=_unknown_extension,
    ),
)
