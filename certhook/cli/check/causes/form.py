"""The cause of a failure in the strict checks of Python 3.13 only."""

from __future__ import annotations

from typing import Callable

from cryptography import x509

from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.certificate import extension, is_ca, is_critical, lacks_extension, quoted_name
from certhook.cli.check.wording import set_command


def _lacks_authority_key_identifier(certificate: x509.Certificate) -> bool:
    return lacks_extension(certificate, x509.AuthorityKeyIdentifier)


def _is_ca_without(kind: type[x509.ExtensionType]) -> Callable[[x509.Certificate], bool]:
    return lambda certificate: is_ca(certificate) and lacks_extension(certificate, kind)


def _may_sign_without_being_ca(certificate: x509.Certificate) -> bool:
    usage = extension(certificate, x509.KeyUsage)
    return usage is not None and usage.key_cert_sign and not is_ca(certificate)


def _is_ca_with_optional_constraints(certificate: x509.Certificate) -> bool:
    return is_ca(certificate) and not is_critical(certificate, x509.BasicConstraints)


def _is_ca_without_name(certificate: x509.Certificate) -> bool:
    return is_ca(certificate) and not list(certificate.subject)


def _has_only_optional_names(certificate: x509.Certificate) -> bool:
    return not list(certificate.subject) and not is_critical(certificate, x509.SubjectAlternativeName)


#: For each error that OpenSSL reports only with VERIFY_X509_STRICT: the defect, and whether a certificate has it.
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
        "Python 3.13 and later require certificates to conform to RFC 5280, but {certificate} does not: {defect}.",
        (
            "Accept such certificates, as Python 3.12 does. All other checks remain enabled:\n"
            + set_command("CERTHOOK_X509_STRICT=0"),
            "Ask the administrator of the server, or of its certificate authority (CA), for a new certificate that "
            "conforms to RFC 5280.",
        ),
        facts=_strict,
    ),
)
