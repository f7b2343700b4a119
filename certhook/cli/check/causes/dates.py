"""Causes in the validity periods of certificates, and in the clock of this machine."""

from __future__ import annotations

from datetime import datetime, timezone

from cryptography import x509

from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.certificate import is_self_issued, quoted_name
from certhook.cli.check.wording import date, duration

#: A correct clock does not show an earlier time. The latest date in the change log must not be later.
RELEASED = datetime(2026, 11, 29, tzinfo=timezone.utc)

# X509_V_ERR_* in OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _EXPIRED = 9, 10


def _wrong_clock(case: Case) -> Facts | None:
    is_early, path = case.failure.code == _NOT_YET_VALID, case.path
    if is_early and case.now < RELEASED:
        return {"contradiction": "this version of certhook was released later"}
    if is_early and len(path) > 1 and all(one.not_valid_before_utc > case.now for one in path):
        return {"contradiction": f"all certificates of {case.host} become valid later"}
    if not is_early and case.roots.mostly_expired(case.now):
        return {"contradiction": "most trusted root certificates expired before that"}
    return None


def _outdated(case: Case) -> tuple[x509.Certificate | None, str]:
    """Return the first certificate outside its validity period and a phrase with the date, or None and ""."""
    if case.failure.code == _EXPIRED:
        found = [one for one in case.path if one.not_valid_after_utc < case.now]
        when = [one.not_valid_after_utc for one in found]
        phrases = [f" on {date(moment)}, {duration(case.now - moment)} ago" for moment in when]
    else:
        found = [one for one in case.path if one.not_valid_before_utc > case.now]
        when = [one.not_valid_before_utc for one in found]
        phrases = [f": its validity begins on {date(moment)}, in {duration(moment - case.now)}" for moment in when]
    # OpenSSL checks the dates from the root downwards.
    return (found[-1], phrases[-1]) if found else (None, "")


def _outdated_leaf(case: Case) -> Facts | None:
    certificate, when = _outdated(case)
    return {"when": when} if certificate is not None and certificate is case.path[0] else None


def _outdated_root(case: Case) -> Facts | None:
    certificate, when = _outdated(case)
    if certificate is None or not is_self_issued(certificate):
        return None
    is_own = case.root is not None and case.root.anchor.sources == ["extra"]  # The user's own file is not public.
    update = "" if is_own else case.facts["update"]
    return {"when": when, "root": quoted_name(certificate.subject), **_file(case, certificate), "update": update}


def also_expired(case: Case) -> str:
    """Return a sentence if the server's certificate has expired as well, which the error does not show."""
    if not case.chain or case.chain[0].not_valid_after_utc >= case.now:
        return ""
    end = case.chain[0].not_valid_after_utc
    return f" The server's certificate also expired on {date(end)}, so it must be renewed in any case."


def _file(case: Case, certificate: x509.Certificate) -> Facts:
    """Return the file of this machine that contains *certificate*, if the server did not send it."""
    root = case.root
    if root is None or root.certificate != certificate or certificate in case.chain:
        return {"file": ""}
    return {"file": root.files}


def _outdated_issuer(case: Case) -> Facts:
    certificate, when = _outdated(case)
    # The server did not send it, or this Python cannot show it.
    ca = "a CA" if certificate is None else f"{quoted_name(certificate.subject)}, a CA"
    comma = "" if certificate is None else ","
    file = _file(case, certificate)["file"] if certificate is not None else ""
    return {
        "when": when,
        "ca": f"{ca} in the certificate chain of {case.host}{comma}",
        "file": file,
        "sender": "" if file else case.host,
    }


_CHECK_CLOCK = "Check the clock of this machine. It is set to {now}."
_REPLACE_CERTIFICATES = "If it is correct, ask the server's administrator to install certificates that are valid now."

CAUSES = (
    Cause(
        "wrong-clock",
        "The clock of this machine is probably wrong. It is set to {now}, but {contradiction}.",
        (
            "Set the date and time of this machine.",
            "If they are correct, the server's certificates have wrong dates: inform the server's administrator.",
        ),
        codes=(_NOT_YET_VALID, _EXPIRED),
        facts=_wrong_clock,
    ),
    Cause(
        "expired",
        "The certificate of {host} expired{when}.",
        ("Ask the server's administrator to renew it.", _CHECK_CLOCK),
        codes=(_EXPIRED,),
        facts=_outdated_leaf,
    ),
    Cause(
        "not-yet-valid",
        "The certificate of {host} is not yet valid{when}.",
        (_CHECK_CLOCK, _REPLACE_CERTIFICATES),
        codes=(_NOT_YET_VALID,),
        facts=_outdated_leaf,
    ),
    Cause(
        "root-expired",
        "The root certificate {root} at the end of the certificate chain of {host} expired{when}.",
        (
            "If it is a public certificate authority (CA), it probably has a newer root certificate. Update the public "
            "roots of this machine:\n{update}",
            "If it is your company's CA, ask your IT department for the current root certificate, and replace the "
            "expired one in {file}.",
            "If that does not help, ask the server's administrator to install a current certificate chain "
            "(fullchain.pem): the server may send a certificate that refers to the expired root.",
            _CHECK_CLOCK,
        ),
        codes=(_EXPIRED,),
        facts=_outdated_root,
    ),
    Cause(
        "issuer-expired",
        "The certificate of {ca} expired{when}.",
        (
            "Replace the expired certificate in {file}, a file of this machine, by the current one of that "
            "certificate authority (CA), or delete it if the server sends the current one.",
            "Ask the administrator of {sender} to install the current certificate chain (fullchain.pem), without this "
            "expired certificate.",
            _CHECK_CLOCK,
        ),
        codes=(_EXPIRED,),
        facts=_outdated_issuer,
    ),
    Cause(
        "issuer-not-yet-valid",
        "The certificate of {ca} is not yet valid{when}.",
        (_CHECK_CLOCK, _REPLACE_CERTIFICATES),
        codes=(_NOT_YET_VALID,),
        facts=_outdated_issuer,
    ),
)
