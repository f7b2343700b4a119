"""Causes in the names, keys, signatures and permitted uses of certificates."""

from __future__ import annotations

from cryptography import x509

from certhook._text import printable
from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.causes.issuers import NO_ISSUER
from certhook.cli.check.certificate import (
    extension,
    host_names,
    is_ca,
    is_self_issued,
    key_size,
    key_usages,
    lacks_extension,
    permitted_names,
    quoted_name,
    signature_hash,
)
from certhook.cli.check.chain import TRUSTED
from certhook.cli.check.names import closest, explain_mismatch, is_address, is_public
from certhook.cli.check.wording import join_first

# X509_V_ERR_* in OpenSSL's x509_vfy.h.
_SHORT_LEAF_KEY, _SHORT_CA_KEY, _WEAK_SIGNATURE = 66, 67, 68

# The extended key usages for TLS servers, including two obsolete ones (server gated cryptography).
_SERVER_USAGES = {"1.3.6.1.5.5.7.3.1", "1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"}
_TLS_KEY_USAGES = {"digitalSignature", "keyEncipherment", "keyAgreement"}


def _names(case: Case) -> Facts:
    names = closest(case.host, host_names(case.chain[0])) if case.chain else []
    usable = [name for name in names if "*" not in name]
    finding = f"is valid for {join_first(names)}, but not" if names else "contains no host name, so it is not valid"
    reason = explain_mismatch(case.host, names)
    return {
        "usable": join_first(usable),
        "finding": finding,
        "reason": f" {reason}" if reason else "",
        "address": case.host if is_address(case.host) else "",
        "name": "" if is_address(case.host) else case.host,
        "public": case.host if is_public(case.host) else "",
    }


def _address_as_name(case: Case) -> Facts | None:
    """The certificate contains the address as a name, where it has no effect (:rfc:`6125`)."""
    if not case.chain or not is_address(case.host) or case.host not in host_names(case.chain[0]):
        return None
    has_names = extension(case.chain[0], x509.SubjectAlternativeName) is not None
    return {
        "place": "a DNS name" if has_names else "a common name (CN)",
        "entry": f"'DNS:{case.host}'" if has_names else "the common name",
    }


def _weakness(case: Case) -> Facts:
    path, weak = case.path, None
    if case.failure.code == _SHORT_LEAF_KEY and path:
        weak = path[0]
    elif case.failure.code == _SHORT_CA_KEY:
        weak = next((one for one in path[1:] if 0 < key_size(one) < 2048), None)
    elif case.failure.code == _WEAK_SIGNATURE:
        weak = next((one for one in path if signature_hash(one) in ("md5", "sha1")), None)
    subject = quoted_name(weak.subject) if weak is not None else f"a CA in the certificate chain of {case.host}"
    if case.failure.code == _WEAK_SIGNATURE:
        return {"subject": subject, "weakness": "is signed with an insecure algorithm (such as MD5 or SHA-1)"}
    size = key_size(weak) if weak is not None else 0
    return {"subject": subject, "weakness": "has a key that is too short" + (f" ({size} bits)" if size else "")}


def _constraints(case: Case) -> Facts:
    limited = next((one for one in case.path[1:] if not lacks_extension(one, x509.NameConstraints)), None)
    if limited is None:
        return {"ca": f"in the certificate chain of {case.host}", "only": "", "name": case.host}
    permitted = permitted_names(limited)
    # Another name in the same certificate may be outside the constraints.
    names = [name for name in host_names(case.chain[0]) if not is_address(name)]
    outside = [name for name in names if permitted and not _is_permitted(name, permitted)]
    name = case.host if not outside or not _is_permitted(case.host, permitted) else outside[0]
    return {
        "ca": quoted_name(limited.subject),
        "only": f", only for {join_first(permitted)}" if permitted else "",
        "name": name,
    }


def _is_permitted(name: str, permitted: list[str]) -> bool:
    name = name.lower().lstrip("*.")
    domains = [domain.lower().lstrip(".") for domain in permitted]
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)


def _not_a_ca(case: Case) -> Facts | None:
    """A certificate above the server's own may not issue the one below it."""
    for depth, certificate in enumerate(case.path[1:]):
        reason = _obstacle(certificate, depth)
        if reason:
            break
    else:
        if case.failure.code in NO_ISSUER:
            return None
        return {"ca": "A certificate", "reason": "", "own": "", "root": "", "sender": case.host}
    is_trusted = case.root is not None and case.root.certificate == certificate and case.root.standing == TRUSTED
    where = ", ".join(printable(path) for _, path in case.root.anchor.listed) if case.root and is_trusted else ""
    return {
        "ca": f"The certificate of {quoted_name(certificate.subject)}",
        "reason": f": {reason}",
        "own": "" if is_trusted else quoted_name(certificate.subject),
        "root": where,
        "sender": "",
    }


def _obstacle(certificate: x509.Certificate, depth: int) -> str:
    """Return why *certificate* may not issue the one below it, "" if it may.

    :param depth: the number of CA certificates between it and the server's certificate
    """
    usages = key_usages(certificate)
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is not None and not constraints.ca:
        return "it is marked as the certificate of a server or a person, not of a CA (CA:FALSE)"
    if usages is not None and "keyCertSign" not in usages:
        return "the list of its permitted uses (key usage) does not contain the signing of certificates (keyCertSign)"
    if constraints is None and usages is None and not is_self_issued(certificate):
        return "it is not marked as the certificate of a CA (basic constraints with CA:TRUE)"
    if constraints is not None and constraints.path_length is not None and constraints.path_length < depth:
        limit = constraints.path_length
        allowed = "no other CA" if not limit else "only one other CA" if limit == 1 else f"only {limit} other CAs"
        return f"it permits {allowed} between itself and a server (path length), but the chain contains {depth}"
    return ""


def _wrong_purpose(case: Case) -> Facts:
    for certificate in case.path:  # OpenSSL checks the server's certificate first as well.
        usage = extension(certificate, x509.ExtendedKeyUsage)
        if usage is None or {kind.dotted_string for kind in usage} & _SERVER_USAGES:
            continue
        if certificate is case.path[0]:
            return {"subject": case.host, "ca": "", "own": case.host}
        ca = quoted_name(certificate.subject)
        return {"subject": f"{ca}, a CA in the certificate chain of {case.host},", "ca": ca, "own": ""}
    return {"subject": f"{case.host}, or of a CA in its certificate chain,", "ca": "", "own": case.host}


def _wrong_key_usage(case: Case) -> Facts | None:
    usages = key_usages(case.path[0]) if case.path else None
    if usages is None or {*usages} & _TLS_KEY_USAGES:
        return None
    ca = quoted_name(case.path[0].subject) if is_ca(case.path[0]) else ""
    only = f"only for {', '.join(usages)}" if usages else "for nothing"
    return {"only": only, "ca": ca, "own": "" if ca else case.host}


def _wrong_signature(case: Case) -> Facts:
    """The known CA with the name of the last certificate's issuer has another key."""
    return {"issuer": quoted_name(case.path[-1].issuer) if case.path else "its CA"}


CAUSES = (
    Cause(
        "address-as-name",
        "The certificate contains {host} as {place}, but {host} is an IP address. Programs accept an IP address "
        "only in an entry of the type IP (subject alternative name).",
        (
            "Ask the server's administrator to replace the certificate by one that contains 'IP:{host}' instead of "
            "{entry}.",
        ),
        codes=(62, 64),
        facts=_address_as_name,
    ),
    Cause(
        "wrong-host",
        "The certificate {finding} for {host}.{reason}",
        (
            "If this is the intended server, use one of these names: {usable}.",
            "To use the name {name}, ask the server's administrator to get a certificate for it, or to configure the "
            "one that the server has for this name.",
            "To use the address {address}, ask the server's administrator to get a certificate that contains "
            "'IP:{address}'.",
            "If this network requires a login (hotel, train), log in with a browser first: it may have redirected "
            "{public}.",
        ),
        codes=(62, 64),
        facts=_names,
    ),
    Cause(
        "weak",
        "The certificate of {subject} {weakness}.",
        (
            "Ask the administrator of the server, or of its certificate authority (CA), for a new certificate with an "
            "RSA key of at least 2048 bits or an ECDSA key, and with a SHA-256 signature.",
        ),
        codes=(_SHORT_LEAF_KEY, _SHORT_CA_KEY, _WEAK_SIGNATURE),
        facts=_weakness,
    ),
    Cause(
        "name-constraints",
        "The certificate authority {ca} may not issue certificates for {name}{only} (name constraints).",
        ("Ask the server's administrator to get a certificate from a CA that may issue one for {name}.",),
        codes=(47, 48, 49, 51, 52, 53),
        facts=_constraints,
    ),
    Cause(
        "not-a-ca",
        "{ca} was used to issue another one in the certificate chain of {host}, but it may not issue it{reason}.",
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
        "The certificate of {subject} is not valid for TLS servers (extended key usage).",
        (
            "Ask the server's administrator to get a certificate from another certificate authority (CA), because {ca} "
            "may not issue certificates for servers.",
            "Ask the server's administrator to get a certificate for {own} with the extended key usage serverAuth (TLS "
            "web server authentication).",
        ),
        codes=(26,),
        facts=_wrong_purpose,
    ),
    Cause(
        "wrong-signature",
        "A certificate in the certificate chain of {host} names {issuer} as its issuer, but is not signed with the "
        "known key of that certificate authority (CA).",
        (
            "If the CA has a new key, get its current root certificate: update the system's certificates, or ask your "
            "IT department.",
            "Otherwise the certificate may be forged: do not continue, and inform the server's administrator.",
        ),
        codes=(7,),
        facts=_wrong_signature,
    ),
)
