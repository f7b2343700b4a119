"""Facts about a certificate: its names, issuer, key and permitted uses.

A server may send malformed certificates. Every function returns a neutral value for a part
that cannot be parsed.
"""

from __future__ import annotations

import warnings
from datetime import datetime
from typing import Any, Callable, Iterable, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from certhook._certificates import names as x509_names
from certhook._text import printable
from certhook.cli.check.wording import MAX_LENGTH

_MAX_HOST_LENGTH = 253  # characters, by RFC 1035
_MAX_CANDIDATES = 200  # each requires the verification of a signature
_Item = TypeVar("_Item")
_ExtensionType = TypeVar("_ExtensionType", bound=x509.ExtensionType)


def parse(der: bytes) -> x509.Certificate | None:
    """Parse a certificate. Return None if it is malformed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # OpenSSL, not cryptography, decides about questionable encodings.
        try:
            certificate = x509.load_der_x509_certificate(der)
            # cryptography parses these on first access.
            for name in ("subject", "issuer", "not_valid_before_utc", "not_valid_after_utc"):
                getattr(certificate, name)
        except Exception:  # cryptography raises many exceptions for malformed certificates.
            return None
        return certificate


def to_der(certificate: x509.Certificate) -> bytes:
    """Return *certificate* as DER."""
    return certificate.public_bytes(Encoding.DER)


def normalized_name(name: x509.Name) -> bytes:
    """Return *name* in the form in which OpenSSL compares names."""
    return x509_names.folded(name.public_bytes())


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether *issuer* signed *certificate*."""
    if normalized_name(certificate.issuer) != normalized_name(issuer.subject):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception as error:
        # cryptography no longer supports some signatures, such as SHA-1, and compares names byte by byte, so that
        # another string type makes them differ. Then the comparison of the normalized names decides.
        is_unsupported = type(error).__name__ == "UnsupportedAlgorithm" or "Unsupported" in str(error)
        return is_unsupported or certificate.issuer != issuer.subject
    return True


def likely_issuers(
    certificate: x509.Certificate, named: Iterable[_Item], der_of: Callable[[_Item], bytes]
) -> list[_Item]:
    """Return those of *named* that are worth a verification, at most :data:`_MAX_CANDIDATES`.

    *certificate* itself comes first, then the certificates that contain the key identifier of its issuer: OpenSSL
    accepts no other one if it names one.

    :param named: objects with certificates that have the name of *certificate* or of its issuer
    :param der_of: returns the certificate of such an object
    """
    der = to_der(certificate)
    wanted = extension(certificate, x509.AuthorityKeyIdentifier)
    identifier = (wanted and wanted.key_identifier) or b""
    # The search in the encoded certificate is a hundred times faster than parsing it.
    return sorted(named, key=lambda item: (der_of(item) != der, identifier not in der_of(item)))[:_MAX_CANDIDATES]


def identifier_mismatch(certificate: x509.Certificate, issuer: x509.Certificate) -> str:
    """Return the part of the authority key identifier of *certificate* that excludes *issuer*, "" if none does.

    OpenSSL then does not accept *issuer*, even if its key signed *certificate*.
    """
    wanted = extension(certificate, x509.AuthorityKeyIdentifier)
    if wanted is None:
        return ""
    own = extension(issuer, x509.SubjectKeyIdentifier)
    if wanted.key_identifier is not None and own is not None and wanted.key_identifier != own.digest:
        return "key identifier"
    if wanted.authority_cert_serial_number not in (None, _serial_number(issuer)):
        return "serial number"
    directories = [one.value for one in wanted.authority_cert_issuer or () if isinstance(one, x509.DirectoryName)]
    if directories and normalized_name(directories[0]) != normalized_name(issuer.issuer):
        return "issuer"
    return ""


def _serial_number(certificate: x509.Certificate) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography warns about negative numbers.
        return certificate.serial_number


def is_valid_at(certificate: x509.Certificate, now: datetime) -> bool:
    """Return whether *now* is in the validity period of *certificate*."""
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Return whether *certificate* is signed with its own key, as a root or a self-signed server certificate."""
    return is_issued_by(certificate, certificate)


def display_name(name: x509.Name) -> str:
    """Return the common name and organization of *name* for a report."""
    parts: list[str] = []
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME):
        parts += [str(attribute.value) for attribute in name.get_attributes_for_oid(kind)][:1]
    if not parts:
        parts = [name.rfc4514_string() or "a certificate without a name"]
    text = parts[0] if len(parts) == 1 or parts[1] in parts[0] else f"{parts[0]} ({parts[1]})"
    return printable(text, MAX_LENGTH)


def quoted_name(name: x509.Name) -> str:
    """Return *name* in quotes, for a sentence: a malicious server may choose a misleading name."""
    return f'"{display_name(name)}"'


def organizations(name: x509.Name) -> list[str]:
    """Return the organizations in *name*."""
    return [str(attribute.value) for attribute in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


def host_names(certificate: x509.Certificate) -> list[str]:
    """Return the host names and IP addresses that *certificate* was issued for."""
    names = extension(certificate, x509.SubjectAlternativeName)
    if names is None:  # In this case OpenSSL uses the common name.
        found = [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    else:
        found = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return [printable(name, _MAX_HOST_LENGTH) for name in found]


def _find(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.Extension[Any] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return certificate.extensions.get_extension_for_class(kind)
        except Exception:  # It is missing, or an extension is malformed: cryptography raises many exceptions for that.
            return None


def extension(certificate: x509.Certificate, kind: type[_ExtensionType]) -> _ExtensionType | None:
    """Return the extension of this *kind*, None if it is missing or malformed."""
    found = _find(certificate, kind)
    return found.value if found is not None else None


def lacks_extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> bool:
    """Return whether the extension of this *kind* is missing or malformed."""
    return _find(certificate, kind) is None


def is_critical(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> bool:
    """Return whether the extension of this *kind* is critical."""
    found = _find(certificate, kind)
    return found is not None and found.critical


def is_ca(certificate: x509.Certificate) -> bool:
    """Return whether the basic constraints mark *certificate* as a CA."""
    basic = extension(certificate, x509.BasicConstraints)
    return basic is not None and basic.ca


# The names in RFC 5280 (4.2.1.3) and in cryptography. encipherOnly and decipherOnly only restrict keyAgreement.
_USAGES = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
}


def key_usages(certificate: x509.Certificate) -> list[str] | None:
    """Return the permitted uses of the key, None if the certificate does not restrict them."""
    usage = extension(certificate, x509.KeyUsage)
    return None if usage is None else [name for name, attribute in _USAGES.items() if getattr(usage, attribute)]


def is_from_public_ca(certificate: x509.Certificate) -> bool:
    """Return whether *certificate* contains certificate transparency timestamps or a CA/B Forum policy."""
    policies = extension(certificate, x509.CertificatePolicies) or ()
    is_logged = not lacks_extension(certificate, x509.PrecertificateSignedCertificateTimestamps)
    return is_logged or any(policy.policy_identifier.dotted_string.startswith("2.23.140.1.2.") for policy in policies)


def issuer_url(certificate: x509.Certificate) -> str:
    """Return the URL of the issuer's certificate ("CA Issuers", :rfc:`5280#section-4.2.2.1`), "" if there is none."""
    for description in extension(certificate, x509.AuthorityInformationAccess) or ():
        url = str(description.access_location.value)
        if description.access_method == AuthorityInformationAccessOID.CA_ISSUERS and url.startswith("http"):
            return printable(url, MAX_LENGTH)
    return ""


def permitted_names(certificate: x509.Certificate) -> list[str]:
    """Return the names that the name constraints of a CA permit."""
    constraints = extension(certificate, x509.NameConstraints)
    permitted = (constraints and constraints.permitted_subtrees) or ()
    texts = [
        name.value.rfc4514_string() if isinstance(name.value, x509.Name) else str(name.value) for name in permitted
    ]
    return [printable(text, MAX_LENGTH) for text in texts]


def key_size(certificate: x509.Certificate) -> int:
    """Return the size of the key in bits, 0 if it is unknown."""
    try:
        key = certificate.public_key()
    except Exception:  # cryptography does not support this kind of key.
        return 0
    return key.key_size if isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)) else 0


def signature_hash(certificate: x509.Certificate) -> str:
    """Return the name of the signature's hash algorithm, "" if it is unknown."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except Exception:  # cryptography does not support this algorithm.
        return ""
    return algorithm.name if algorithm is not None else ""
