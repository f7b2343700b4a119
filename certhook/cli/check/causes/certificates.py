"""Causes in the certificates themselves, whoever is trusted: dates, names, form, keys, and what they may do."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timezone
from typing import Callable

from cryptography import x509

from certhook.cli._words import day, days, several
from certhook.cli.check.causes.case import Case, Cause, Facts, setting
from certhook.cli.check.certificate import (
    extension,
    hosts,
    is_ca,
    is_critical,
    is_self_issued,
    key_size,
    key_usages,
    lacks,
    permitted_names,
    quoted,
)

#: No clock that is right says less: certhook is not older than that. Not before the change log's latest date.
RELEASED = datetime(2026, 11, 1, tzinfo=timezone.utc)

# OpenSSL's numbers, X509_V_ERR_ in x509_vfy.h.
_NOT_YET_VALID, _EXPIRED = 9, 10


# Of form. The words go with "the certificate of NAME fails the check:".


def _no_identifier_of_issuer(certificate: x509.Certificate) -> bool:
    return lacks(certificate, x509.AuthorityKeyIdentifier)


def _ca_without(kind: type[x509.ExtensionType]) -> Callable[[x509.Certificate], bool]:
    return lambda certificate: is_ca(certificate) and lacks(certificate, kind)


def _may_sign_but_is_no_ca(certificate: x509.Certificate) -> bool:
    usage = extension(certificate, x509.KeyUsage)
    return usage is not None and usage.key_cert_sign and not is_ca(certificate)


def _ca_with_careless_mark(certificate: x509.Certificate) -> bool:
    return is_ca(certificate) and not is_critical(certificate, x509.BasicConstraints)


def _ca_without_a_name(certificate: x509.Certificate) -> bool:
    return is_ca(certificate) and not list(certificate.subject)


def _nameless_with_optional_names(certificate: x509.Certificate) -> bool:
    return not list(certificate.subject) and not is_critical(certificate, x509.SubjectAlternativeName)


#: What VERIFY_X509_STRICT refuses: what is wrong, and of which certificate.
_FORM: dict[int, tuple[str, Callable[[x509.Certificate], bool]]] = {
    82: ("its key may sign others' certificates, though it is no CA (key usage)", _may_sign_but_is_no_ca),
    84: ("it is a CA without a name (subject)", _ca_without_a_name),
    85: ("it does not say which key signed it (no authority key identifier)", _no_identifier_of_issuer),
    86: ("it gives its own key no identifier (no subject key identifier)", _ca_without(x509.SubjectKeyIdentifier)),
    88: ("it has no name but host names that need not be heeded", _nameless_with_optional_names),
    89: ("its mark as a CA need not be heeded (basic constraints not critical)", _ca_with_careless_mark),
    92: ("it does not say what its key may be used for (no key usage)", _ca_without(x509.KeyUsage)),
}


def _strict(case: Case) -> Facts | None:
    if not case.lenient:
        return None
    why, is_culprit = _FORM.get(case.failure.code, (case.failure.text, lambda certificate: False))
    culprits = filter(is_culprit, case.path)  # OpenSSL begins with the server's own, too.
    names = [f"the certificate of {quoted(one.subject)}" for one in culprits]
    return {"whose": names[0] if names else "a certificate in the chain", "why": why}


# Of time.


def _wrong_clock(case: Case) -> Facts | None:
    early, path = case.failure.code == _NOT_YET_VALID, case.path
    if early and case.now < RELEASED:
        return {"why": "certhook itself is younger than that"}
    if early and len(path) > 1 and all(one.not_valid_before_utc > case.now for one in path):
        return {"why": f"every certificate on the way to {case.host} would still be to come"}
    if not early and case.roots.mostly_expired(case.now):
        return {"why": "most of the trusted roots would have expired"}
    return None


def _out_of_date(case: Case) -> tuple[x509.Certificate | None, Facts]:
    """The certificate that is out of date, None where it cannot be seen, and since or until when."""
    if case.failure.code == _EXPIRED:
        wrong = [one for one in case.path if one.not_valid_after_utc < case.now]
        when = [one.not_valid_after_utc for one in wrong]
        spans = [f" on {day(moment)}, {days(case.now - moment)} ago" for moment in when]
    else:
        wrong = [one for one in case.path if one.not_valid_before_utc > case.now]
        when = [one.not_valid_before_utc for one in wrong]
        spans = [f" before {day(moment)}, {days(moment - case.now)} from now" for moment in when]
    # OpenSSL goes from the root down, too.
    return (wrong[-1], {"when": spans[-1]}) if wrong else (None, {"when": ""})


def _leaf_out_of_date(case: Case) -> Facts | None:
    culprit, facts = _out_of_date(case)
    return facts if culprit is not None and culprit is case.path[0] else None


def _root_out_of_date(case: Case) -> Facts | None:
    culprit, facts = _out_of_date(case)
    return {**facts, "who": quoted(culprit.subject)} if culprit is not None and is_self_issued(culprit) else None


def _issuer_out_of_date(case: Case) -> Facts:
    culprit, facts = _out_of_date(case)
    return {
        **facts,
        "who": "a CA" if culprit is None else quoted(culprit.subject),
    }  # one that was not sent, or not seen


_CLOCK = "Check whether the clock of this machine is right: it says {now}."


# Of names, keys and rights.


def _hosts(case: Case) -> Facts:
    names = hosts(case.chain[0]) if case.chain else []
    usable = [name for name in names if "*" not in name]
    return {"names": several(usable), "meant": several(names) or "no host at all"}


def _address_as_name(case: Case) -> Facts | None:
    """An address that stands among the host names, where it counts for nothing (:rfc:`6125`)."""
    return {} if case.chain and _is_address(case.host) and case.host in hosts(case.chain[0]) else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


_SHORT_LEAF, _SHORT_CA, _WEAK_SIGNATURE = 66, 67, 68


def _weak(case: Case) -> Facts:
    path, culprit = case.path, None
    if case.failure.code == _SHORT_LEAF and path:
        culprit = path[0]
    elif case.failure.code == _SHORT_CA:
        culprit = next((one for one in path[1:] if 0 < key_size(one) < 2048), None)
    elif case.failure.code == _WEAK_SIGNATURE:
        culprit = next((one for one in path if _hash_of_signature(one) in ("md5", "sha1")), None)
    whose = quoted(culprit.subject) if culprit is not None else f"a CA above {case.host}"
    if case.failure.code == _WEAK_SIGNATURE:
        return {"whose": whose, "why": "is signed in a way that is no longer safe (such as MD5 or SHA-1)"}
    size = key_size(culprit) if culprit is not None else 0
    return {"whose": whose, "why": "has a key that is too short to be safe" + (f" ({size} bits)" if size else "")}


def _hash_of_signature(certificate: x509.Certificate) -> str:
    try:
        algorithm = certificate.signature_hash_algorithm
    except Exception:  # one that cryptography does not know
        return ""
    return algorithm.name if algorithm is not None else ""


def _limits(case: Case) -> Facts:
    limited = next((one for one in case.path[1:] if not lacks(one, x509.NameConstraints)), None)
    if limited is None:
        return {"who": "A CA above it", "only": "", "name": case.host}
    permitted = permitted_names(limited)
    # It may be about another name in the same certificate.
    names = [name for name in hosts(case.chain[0]) if not _is_address(name)]
    beyond = [name for name in names if permitted and not _is_below(name, permitted)]
    name = case.host if not beyond or not _is_below(case.host, permitted) else beyond[0]
    return {
        "who": quoted(limited.subject),
        "only": f", only for {several(permitted)}" if permitted else "",
        "name": name,
    }


def _is_below(name: str, permitted: list[str]) -> bool:
    name = name.lower().lstrip("*.")
    return any(name == one or name.endswith(f".{one}") for one in (one.lower().lstrip(".") for one in permitted))


# What a server's certificate has to be for: TLS servers, or what came before that (server gated cryptography).
_SERVERS = {"1.3.6.1.5.5.7.3.1", "1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"}
_OF_TLS = ("digitalSignature", "keyEncipherment", "keyAgreement")


def _not_for_servers(case: Case) -> Facts:
    for certificate in case.path:  # OpenSSL begins with the server's own, too.
        usage = extension(certificate, x509.ExtendedKeyUsage)
        if usage is None or {kind.dotted_string for kind in usage} & _SERVERS:
            continue
        if certificate is case.path[0]:
            return {"which": f"The certificate of {case.host}", "ca": "", "own": case.host}
        ca = quoted(certificate.subject)
        return {"which": f"{ca}, a CA above {case.host},", "ca": ca, "own": ""}
    return {"which": f"The certificate of {case.host}, or of a CA above it,", "ca": "", "own": case.host}


def _key_not_for_tls(case: Case) -> Facts | None:
    usages = key_usages(case.path[0]) if case.path else None
    if usages is None or {*usages} & {*_OF_TLS}:
        return None
    ca = quoted(case.path[0].subject) if is_ca(case.path[0]) else ""
    return {"usages": ", ".join(usages) or "nothing", "ca": ca, "own": "" if ca else case.host}


def _signed_by(case: Case) -> Facts:
    """Whoever is said to have issued a certificate whose issuer is nowhere in the path."""
    return {"who": quoted(case.path[-1].issuer) if case.path else "its CA"}


CAUSES = (
    Cause(
        "strict",
        "Python 3.13 and later check the form of certificates strictly, and {whose} fails: {why}.",
        (
            "Have programs check as Python 3.12 did; all else still holds:\n" + setting("CERTHOOK_X509_STRICT=0"),
            "Tell whoever runs that CA: it has to issue certificates that follow RFC 5280.",
        ),
        facts=_strict,
    ),
    Cause(
        "wrong-clock",
        "The clock of this machine is probably wrong: it says {now}, and {why}.",
        (
            "Set the date and the time of this machine.",
            "If they are right, the certificates of the server are not: tell whoever runs it.",
        ),
        codes=(_NOT_YET_VALID, _EXPIRED),
        facts=_wrong_clock,
    ),
    Cause(
        "expired",
        "The certificate of {host} expired{when}.",
        ("Whoever runs the server has to renew it.", _CLOCK),
        codes=(_EXPIRED,),
        facts=_leaf_out_of_date,
    ),
    Cause(
        "not-yet-valid",
        "The certificate of {host} is not valid{when}.",
        (_CLOCK, "If it is, whoever runs the server has to install a certificate that is valid now."),
        codes=(_NOT_YET_VALID,),
        facts=_leaf_out_of_date,
    ),
    Cause(
        "root-expired",
        "The root {who}, which vouches for {host}, expired{when}.",
        (
            "Its CA may have a newer root: update the system's certificates, and 'pip install --upgrade certifi'.",
            "If that does not help, tell whoever runs the server, or your company's IT if that CA is its own.",
            _CLOCK,
        ),
        codes=(_EXPIRED,),
        facts=_root_out_of_date,
    ),
    Cause(
        "issuer-expired",
        "The certificate of {who}, which vouches for {host}, expired{when}.",
        ("Whoever runs the server has to send a certificate of that CA which is valid now.", _CLOCK),
        codes=(_EXPIRED,),
        facts=_issuer_out_of_date,
    ),
    Cause(
        "issuer-not-yet-valid",
        "The certificate of {who}, which vouches for {host}, is not valid{when}.",
        (_CLOCK, "If it is, whoever runs the server has to send certificates that are valid now."),
        codes=(_NOT_YET_VALID,),
        facts=_issuer_out_of_date,
    ),
    Cause(
        "address-as-name",
        "The certificate names {host} as the name of a host, and it is an address (IP): that does not count.",
        ("Whoever runs the server has to make the certificate anew, with the entry 'IP:{host}' in place of 'DNS:'.",),
        codes=(62, 64),
        facts=_address_as_name,
    ),
    Cause(
        "wrong-host",
        "The certificate is for {meant}, not for {host}.",
        (
            "If that is whom you want, use one of these names: {names}.",
            "Else whoever runs the server has to get a certificate that names {host}.",
            "Where a network wants you to log in first (a hotel, a train), do that in a browser.",
        ),
        codes=(62, 64),
        facts=_hosts,
    ),
    Cause(
        "weak",
        "The certificate of {whose} {why}.",
        (
            "Whoever runs the server or that CA has to make a new one: RSA with at least 2048 bits, or ECDSA, "
            "and SHA-256.",
        ),
        codes=(_SHORT_LEAF, _SHORT_CA, _WEAK_SIGNATURE),
        facts=_weak,
    ),
    Cause(
        "name-constraints",
        "{who} may not issue certificates for {name}{only} (name constraints).",
        ("Whoever runs the server has to get its certificate from a CA that may name this host.",),
        codes=(47, 48, 49, 51, 52, 53),
        facts=_limits,
    ),
    Cause(
        "not-a-ca",
        "A certificate above that of {host} may not issue others ({message}).",
        (
            "Whoever runs the server has to get its certificate from a certificate authority (CA), and to send that "
            "CA's certificates with it.",
        ),
        codes=(24, 25, 32, 37, 79),
    ),
    Cause(
        "wrong-key-usage",
        "The certificate of {host} is not for servers: its key may be used for {usages} alone (key usage).",
        (
            "It is that of a CA, {ca}. Whoever runs the server has to make another certificate, for the server alone "
            "and signed by that CA, and to install it in place of the CA's own.",
            "Whoever runs the server has to get a certificate for {own} whose key usage is digitalSignature (and "
            "keyEncipherment, of an RSA key).",
        ),
        codes=(26,),
        facts=_key_not_for_tls,
    ),
    Cause(
        "wrong-purpose",
        "{which} is not for servers (extended key usage).",
        (
            "Whoever runs the server has to get its certificate from another CA, since {ca} may not vouch for servers.",
            "Whoever runs the server has to get a certificate for {own} that is for servers: TLS web server "
            "authentication.",
        ),
        codes=(26,),
        facts=_not_for_servers,
    ),
    Cause(
        "wrong-signature",
        "A certificate says that {who} issued it, but it is not signed with that CA's key as it is known here.",
        (
            "If {who} has a new key since, get its present certificate: update the system's certificates, or ask your "
            "company's IT.",
            "Else somebody may be imitating it: do not go on, and tell whoever runs the server.",
        ),
        codes=(7,),
        facts=_signed_by,
    ),
)
