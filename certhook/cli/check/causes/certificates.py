"""Causes in the names, keys, signatures and permitted uses of certificates."""

from __future__ import annotations

import ipaddress

from cryptography import x509

from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.certificate import (
    extension,
    host_names,
    is_ca,
    key_size,
    key_usages,
    lacks_extension,
    permitted_names,
    quoted_name,
    signature_hash,
)
from certhook.cli.check.wording import join_first

# X509_V_ERR_* in OpenSSL's x509_vfy.h.
_SHORT_LEAF_KEY, _SHORT_CA_KEY, _WEAK_SIGNATURE = 66, 67, 68

# The extended key usages for TLS servers, including two obsolete ones (server gated cryptography).
_SERVER_USAGES = {"1.3.6.1.5.5.7.3.1", "1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"}
_TLS_KEY_USAGES = {"digitalSignature", "keyEncipherment", "keyAgreement"}


def _names(case: Case) -> Facts:
    names = host_names(case.chain[0]) if case.chain else []
    usable = [name for name in names if "*" not in name]
    finding = f"is valid for {join_first(names)}, but not" if names else "contains no host name, so it is not valid"
    return {"usable": join_first(usable), "finding": finding}


def _address_as_name(case: Case) -> Facts | None:
    """The certificate contains the address as a DNS name, where it has no effect (:rfc:`6125`)."""
    return {} if case.chain and _is_address(case.host) and case.host in host_names(case.chain[0]) else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


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
    names = [name for name in host_names(case.chain[0]) if not _is_address(name)]
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
        "The certificate contains {host} as a DNS name, but {host} is an IP address. Programs accept an IP address "
        "only in an entry of the type IP.",
        (
            "Ask the server's administrator to replace the certificate by one that contains 'IP:{host}' instead of "
            "'DNS:{host}'.",
        ),
        codes=(62, 64),
        facts=_address_as_name,
    ),
    Cause(
        "wrong-host",
        "The certificate {finding} for {host}.",
        (
            "If this is the intended server, use one of these names: {usable}.",
            "To use the name {host}, ask the server's administrator to get a certificate for it.",
            "If this network requires a login (hotel, train), log in with a browser first.",
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
        "A certificate in the certificate chain of {host} was used to issue another one, but is not permitted to issue "
        "certificates ({message}).",
        (
            "Ask the server's administrator to get a certificate from a certificate authority (CA), and to install it "
            "together with the CA's intermediate certificates.",
        ),
        codes=(24, 25, 32, 37, 79),
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
