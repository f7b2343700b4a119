"""The cause of certificates that only a strict check refuses."""

from __future__ import annotations

from typing import Callable

from cryptography import x509

from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.certificate import extension, is_ca, is_critical, lacks, quoted_name
from certhook.cli.check.wording import set_command


def _lacks_authority_key_identifier(certificate: x509.Certificate) -> bool:
    return lacks(certificate, x509.AuthorityKeyIdentifier)


def _is_ca_without(kind: type[x509.ExtensionType]) -> Callable[[x509.Certificate], bool]:
    return lambda certificate: is_ca(certificate) and lacks(certificate, kind)


def _may_sign_without_being_ca(certificate: x509.Certificate) -> bool:
    usage = extension(certificate, x509.KeyUsage)
    return usage is not None and usage.key_cert_sign and not is_ca(certificate)


def _is_ca_with_optional_constraints(certificate: x509.Certificate) -> bool:
    return is_ca(certificate) and not is_critical(certificate, x509.BasicConstraints)


def _is_ca_without_name(certificate: x509.Certificate) -> bool:
    return is_ca(certificate) and not list(certificate.subject)


def _has_only_optional_names(certificate: x509.Certificate) -> bool:
    return not list(certificate.subject) and not is_critical(certificate, x509.SubjectAlternativeName)


#: OpenSSL's errors of VERIFY_X509_STRICT: the defect, and a predicate for the defective certificate.
_DEFECTS: dict[int, tuple[str, Callable[[x509.Certificate], bool]]] = {
    82: ("its key usage permits it to sign certificates, but it is not a CA", _may_sign_without_being_ca),
    84: ("it is a CA with an empty subject", _is_ca_without_name),
    85: ("it has no authority key identifier", _lacks_authority_key_identifier),
    86: ("it is a CA without a subject key identifier", _is_ca_without(x509.SubjectKeyIdentifier)),
    88: ("its subject is empty, and its subject alternative names are not critical", _has_only_optional_names),
    89: ("it is a CA, but its basic constraints are not critical", _is_ca_with_optional_constraints),
    92: ("it is a CA without a key usage", _is_ca_without(x509.KeyUsage)),
}


def _strict(case: Case) -> Facts | None:
    if not case.valid_without_strict:
        return None
    defect, is_defective = _DEFECTS.get(case.failure.code, (case.failure.text, lambda certificate: False))
    # OpenSSL checks the server's certificate first as well.
    names = [f"the certificate of {quoted_name(one.subject)}" for one in filter(is_defective, case.path)]
    return {"certificate": names[0] if names else "a certificate in the chain", "defect": defect}


CAUSES = (
    Cause(
        "strict",
        "Python 3.13 and later require the certificate form of RFC 5280, and {certificate} violates it: {defect}.",
        (
            "Apply the rules of Python 3.12. All other checks remain enabled:\n"
            + set_command("CERTHOOK_X509_STRICT=0"),
            "Ask the administrator of that CA to issue certificates that conform to RFC 5280.",
        ),
        facts=_strict,
    ),
)
