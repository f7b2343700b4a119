"""Causes in the names, keys, signatures and permitted uses of certificates."""

from __future__ import annotations

from cryptography import x509

from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.causes.dates import also_expired
from certhook.cli.check.certificate import (
    extension,
    host_names,
    key_size,
    lacks_extension,
    permitted_names,
    quoted_name,
    signature_hash,
)
from certhook.cli.check.names import closest, explain_mismatch, is_address, is_host_name, is_public
from certhook.cli.check.wording import join_first

# X509_V_ERR_* in OpenSSL's x509_vfy.h.
_SHORT_LEAF_KEY, _SHORT_CA_KEY, _WEAK_SIGNATURE = 66, 67, 68


def _names(case: Case) -> Facts:
    names = closest(case.host, host_names(case.chain[0])) if case.chain else []
    usable = [name for name in names if is_host_name(name)]
    finding = f"is valid for {join_first(names)}, but not" if names else "contains no host name, so it is not valid"
    reason = explain_mismatch(case.host, names)
    return {
        "usable": join_first(usable),
        "finding": finding,
        "reason": (f" {reason}" if reason else "") + also_expired(case),
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


def _wrong_signature(case: Case) -> Facts:
    """The known CA with the name of the last certificate's issuer has another key."""
    return {"issuer": quoted_name(case.path[-1].issuer) if case.path else "its CA"}


CAUSES = (
    Cause(
        "address-as-name",
        "The certificate contains {host} as {place}, but {host} is an IP address. Programs accept an IP address "
        "only in an entry of the type IP (subject alternative name).",
        (
            "Ask the server's administrator to replace the certificate with one that contains 'IP:{host}' instead of "
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
        (
            "Ask the server's administrator to get a certificate from a CA that may issue one for {name}.",
            "If it is your own CA, renew its certificate with {name} in the permitted names (nameConstraints).",
        ),
        codes=(47, 48, 49, 51, 52, 53),
        facts=_constraints,
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
