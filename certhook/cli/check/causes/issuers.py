"""Causes for a missing, replaced, expired or unsuitable issuer between the server's certificate and a root."""

from __future__ import annotations

from cryptography import x509

from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.certificate import (
    identifier_mismatch,
    is_ca,
    is_from_public_ca,
    is_self_issued,
    issuer_url,
    normalized_name,
    organizations,
    quoted_name,
)
from certhook.cli.check.chain import EXPIRED, TRUSTED
from certhook.cli.check.wording import date, set_command, trust_remedies

# X509_V_ERR_* in OpenSSL's x509_vfy.h: no trusted root issued the last certificate of the chain.
NO_ISSUER = (2, 18, 19, 20, 21, 27)
SELF_SIGNED = 18


def issuer_of(case: Case) -> str:
    """Return the name of the issuer of the last known certificate, in quotes."""
    return quoted_name(case.path[-1].issuer) if case.chain else "an unknown certificate authority (CA)"


def other_edition(case: Case) -> Facts | None:
    """The trusted root signed the certificate below it, but the identifier in that certificate excludes this edition.

    OpenSSL then does not accept the root (X509_check_akid).
    """
    path, root = case.path, case.root
    if root is None or root.status != TRUSTED or len(path) < 2:
        return None
    part = identifier_mismatch(path[-2], path[-1])
    if not part:
        return None
    wanted = _wanted_edition(path[-2]) if part == "serial number" else ", which the certificate below it requires"
    return {
        "issuer": quoted_name(root.certificate.subject),
        "where": root.files,
        "below": quoted_name(path[-2].subject),
        "difference": part,
        "wanted": wanted,
    }


def _wanted_edition(certificate: x509.Certificate) -> str:
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except Exception:  # A malformed extension.
        return ""
    number = found.authority_cert_serial_number
    return "" if number is None else f" with the serial number {number:X}"


def replaced_root(case: Case) -> Facts | None:
    """A trusted root has the same name as the issuer, but another key."""
    if not case.chain or (case.root is not None and case.root.status in (TRUSTED, EXPIRED)):
        return None
    top = case.path[-1]
    anchor = case.roots.find_trusted(top.issuer)
    if anchor is None:
        return None
    return {"issuer": quoted_name(top.issuer), "where": ", ".join([path for _, path in anchor.listed_by])}


def _expired_copy(case: Case) -> Facts | None:
    """Only an expired copy of the intermediate certificate is available, in a file of this machine."""
    root = case.root
    if root is None or root.status != EXPIRED:
        return None
    return {
        "ca": quoted_name(root.certificate.subject),
        "file": root.files,
        "date": date(root.certificate.not_valid_after_utc),
    }


def _not_a_root(case: Case) -> Facts | None:
    root = case.root
    if root is None or root.status != TRUSTED or is_self_issued(root.certificate):
        return None
    is_own = root.certificate == case.chain[0] and not is_ca(root.certificate)
    return {
        "ca": quoted_name(root.certificate.subject),
        "kind": "the certificate of the server itself" if is_own else "an intermediate certificate",
        "issuer": quoted_name(root.certificate.issuer),
    }


def is_certainly_incomplete(case: Case) -> bool:
    """Return whether the server certainly omits an intermediate certificate."""
    found = missing_intermediate(case)
    return found is not None and not found["maybe_root"]


def missing_intermediate(case: Case) -> Facts | None:
    """The server sent a certificate from above the gap, or the issuer is one that does not operate as a root."""
    if not case.chain or not case.chain_is_complete or is_self_issued(case.path[-1]):
        return None
    path, top = case.path, case.path[-1]
    others = [one for one in case.chain if one not in path and is_ca(one)]
    is_public = len(path) == 1 and is_from_public_ca(top)
    is_known = any(map(case.roots.has_organization, organizations(top.issuer)))
    looks_like_root = "root" in quoted_name(top.issuer).lower()
    is_certain = is_public or bool(others and not looks_like_root)
    if not is_certain and (looks_like_root or not (others or is_known)):
        return None
    namesakes = [one for one in others if normalized_name(one.subject) == normalized_name(top.issuer)]
    return {
        "issuer": quoted_name(top.issuer),
        "probably": "" if is_public else "probably ",
        "instead": " It sends a certificate with this name, but with another key." if namesakes else "",
        "url": issuer_url(top),
        "maybe_root": "" if is_certain else quoted_name(top.issuer),
    }


CAUSES = (
    Cause(
        "other-edition",
        "The certificate of {below} requires another edition of the root certificate of {issuer} than the one that is "
        "trusted here ({where}). Both have the same name and key, but not the same {difference}.",
        (
            *trust_remedies(
                "Ask the administrator of that certificate authority (CA) for the other edition of its root "
                "certificate{wanted}. Get it"
            ),
            "Or ask the server's administrator to renew the certificate of {below}, so that it fits the edition that "
            "is trusted here.",
        ),
        codes=NO_ISSUER,
        facts=other_edition,
    ),
    Cause(
        "root-replaced",
        "The certificate chain of {host} leads to {issuer}. A root certificate with this name is trusted here "
        "({where}), but its key differs: the certificate authority (CA) has a new root certificate, or the certificate "
        "is forged.",
        (
            *trust_remedies(
                "If it is your own or your company's CA, get its current root certificate from its administrator (not "
                "from this connection)"
            ),
            "Then remove the old certificate, so that programs do not find it first.",
            "If you do not expect a new root certificate, do not continue, and inform the server's administrator.",
        ),
        codes=NO_ISSUER,
        facts=replaced_root,
    ),
    Cause(
        "expired-copy",
        "The certificate of {ca}, which connects the certificate of {host} to a root, expired on {date}. It is in a "
        "file of this machine: {file}. The server does not send a current one.",
        (
            "Replace the certificate in {file} by the current one from the administrator of that certificate authority "
            "(CA), or delete it if the server sends it in the future.",
            "Ask the server's administrator to install the complete certificate chain (often fullchain.pem, or a 'CA "
            "bundle'), so that no copy is necessary here.",
        ),
        codes=NO_ISSUER,
        facts=_expired_copy,
    ),
    Cause(
        "not-a-root",
        "{ca} is trusted here, but it is {kind}, not a root certificate. Before Python 3.13, its issuer {issuer} must "
        "be trusted as well.",
        trust_remedies(
            "Get the root certificate of {issuer} from its administrator (not from this connection)",
        ),
        codes=(2, 20, 21),
        facts=_not_a_root,
    ),
    Cause(
        "missing-intermediate",
        "The server does not send the certificate of {issuer}, which {probably}connects its own certificate to a "
        "trusted root certificate.{instead} Browsers often hide this error, because they cache or download such "
        "certificates.",
        (
            "Ask the server's administrator to install the complete certificate chain (often fullchain.pem, or a 'CA "
            "bundle').",
            "The server's administrator can download the missing certificate: {url}",
            "If {maybe_root} is itself a root certificate, it is not trusted here: ask for it as a file, and install "
            "it:\n{install}",
            "Until then, get the missing certificate from the certificate authority (CA) or the server's administrator "
            "(not from this connection), and add it for Python programs:\n"
            + set_command("CERTHOOK_EXTRA_CA_CERTS={extra_value}"),
        ),
        codes=NO_ISSUER,
        facts=missing_intermediate,
    ),
)
