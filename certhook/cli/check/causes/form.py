"""The cause of a failure in the strict checks of Python 3.13 only."""

from __future__ import annotations

from typing import Callable, Sequence

from cryptography import x509

from certhook.cli.check.causes.case import Case, Facts
from certhook.cli.check.causes.cause import Cause
from certhook.cli.check.certificate import extension, is_ca, is_critical, lacks_extension, quoted_name
from certhook.cli.check.wording import set_command


def _lacks_authority_key_identifier(certificate: x509.Certificate) -> bool:
    identifier = extension(certificate, x509.AuthorityKeyIdentifier)
    return identifier is None or identifier.key_identifier is None  # An issuer and a serial number are not sufficient.


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


def _has_critical(kind: type[x509.ExtensionType]) -> Callable[[x509.Certificate], bool]:
    return lambda certificate: is_critical(certificate, kind)


def _limits_path_without_being_ca(certificate: x509.Certificate) -> bool:
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and not constraints.ca and constraints.path_length is not None


def _limits_path_without_signing(certificate: x509.Certificate) -> bool:
    constraints, usage = extension(certificate, x509.BasicConstraints), extension(certificate, x509.KeyUsage)
    is_limited = constraints is not None and constraints.ca and constraints.path_length is not None
    return is_limited and usage is not None and not usage.key_cert_sign


#: For each error that OpenSSL reports only with VERIFY_X509_STRICT: the defect, and whether a certificate has it.
#: The technical name of the extension, in parentheses, is for the administrator of the CA.
_DEFECTS: dict[int, tuple[str, Callable[[x509.Certificate], bool]]] = {
    80: ("it limits the length of chains, but it is not a CA (path length)", _limits_path_without_being_ca),
    81: ("it limits the length of chains, but may not sign certificates (key usage)", _limits_path_without_signing),
    82: ("its key usage permits it to sign certificates, but it is not a CA", _may_sign_without_being_ca),
    84: ("it is a CA with an empty name (subject)", _is_ca_without_name),
    85: ("it does not identify the key of its issuer (authority key identifier)", _lacks_authority_key_identifier),
    86: ("it is a CA, but does not identify its own key (subject key identifier)",
         _is_ca_without(x509.SubjectKeyIdentifier)),
    88: ("its subject is empty, and its host names are not marked as critical (subject alternative name)",
         _has_only_optional_names),
    89: ("it is a CA, but the mark for that is not critical (basic constraints)", _is_ca_with_optional_constraints),
    90: ("the identifier of its issuer's key is critical (authority key identifier)",
         _has_critical(x509.AuthorityKeyIdentifier)),
    91: ("the identifier of its own key is critical (subject key identifier)",
         _has_critical(x509.SubjectKeyIdentifier)),
    92: ("it is a CA, but does not list what it may be used for (key usage)", _is_ca_without(x509.KeyUsage)),
}  # fmt: skip


def find_defect(path: Sequence[x509.Certificate]) -> tuple[x509.Certificate, str] | None:
    """Return the first certificate of *path* that the strict check refuses, and its defect."""
    for certificate in path:
        if certificate.version is not x509.Version.v3:
            continue
        for code, (defect, is_defective) in _DEFECTS.items():
            is_last = certificate is path[-1]
            # A root needs no identifier of its issuer, and a self-signed server certificate may have any form.
            if (code == 85 and is_last) or (is_last and len(path) == 1):
                continue
            if is_defective(certificate):
                return certificate, defect
    return None


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
        "Python 3.13 and later require certificates to conform to the standard RFC 5280, but {certificate} does not: "
        "{defect}.",
        (
            "Accept such certificates, as Python 3.12 does. All other checks remain enabled:\n"
            + set_command("CERTHOOK_X509_STRICT=0"),
            "Ask the administrator of the server, or of its certificate authority (CA), for a new certificate that "
            "conforms to RFC 5280.",
        ),
        facts=_strict,
    ),
)
