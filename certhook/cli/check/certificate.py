"""What certificates say: names, hosts, who issued them, and what they may do."""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from certhook._certificates import names as x509_names
from certhook.cli._words import printable

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def load(der: bytes) -> x509.Certificate | None:
    """Read a certificate, None where this is none that can be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of poor form, which others judge
        try:
            certificate = x509.load_der_x509_certificate(der)
            # These are read when they are first asked for.
            for name in ("subject", "issuer", "not_valid_before_utc", "not_valid_after_utc"):
                getattr(certificate, name)
        except Exception:  # Whoever is asked may send anything, and cryptography has many exceptions for it.
            return None
        return certificate


def as_der(certificate: x509.Certificate) -> bytes:
    """The bytes of *certificate*."""
    return certificate.public_bytes(Encoding.DER)


def folded(name: x509.Name) -> bytes:
    """*name* as OpenSSL compares it."""
    return x509_names.folded(name.public_bytes())


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether *issuer* signed *certificate*."""
    if folded(certificate.issuer) != folded(issuer.subject):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception as error:
        # A signature of a kind that cryptography no longer knows, such as SHA-1, or a name in another string type:
        # by name then.
        is_unknown = type(error).__name__ == "UnsupportedAlgorithm" or "Unsupported" in str(error)
        return is_unknown or certificate.issuer != issuer.subject
    return True


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Whether *certificate* is signed with its own key: a root, or a server that vouches for itself."""
    return issued(certificate, certificate)


def called(name: x509.Name) -> str:
    """*name* for a person: the common name, and the organization behind it."""
    parts: list[str] = []
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME):
        parts += [str(attribute.value) for attribute in name.get_attributes_for_oid(kind)][:1]
    if not parts:
        parts = [name.rfc4514_string() or "a certificate without a name"]
    return printable(parts[0] if len(parts) == 1 or parts[1] in parts[0] else f"{parts[0]} ({parts[1]})")


def quoted(name: x509.Name) -> str:
    """*name* in a sentence: in quotes, since whoever made the certificate chose its words."""
    return f'"{called(name)}"'


def organizations(name: x509.Name) -> list[str]:
    """The organizations in *name*."""
    return [str(attribute.value) for attribute in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


def hosts(certificate: x509.Certificate) -> list[str]:
    """The names and addresses that *certificate* is for."""
    names = extension(certificate, x509.SubjectAlternativeName)
    if names is None:  # OpenSSL then takes the common name for one.
        found = [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    else:
        found = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return [printable(name, 253) for name in found]  # no host has a longer one


def _find(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.Extension[Any] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return certificate.extensions.get_extension_for_class(kind)
        except Exception:  # There is none, or one of them is broken, for which cryptography has many exceptions.
            return None


def extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """The extension of this *kind*, None where there is none that can be read."""
    found = _find(certificate, kind)
    return found.value if found is not None else None


def lacks(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> bool:
    """Whether there is no extension of this *kind*."""
    return _find(certificate, kind) is None


def is_critical(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> bool:
    """Whether whoever reads *certificate* has to heed its extension of this *kind*."""
    found = _find(certificate, kind)
    return found is not None and found.critical


def is_ca(certificate: x509.Certificate) -> bool:
    """Whether *certificate* says that it may issue others."""
    basic = extension(certificate, x509.BasicConstraints)
    return basic is not None and basic.ca


# As RFC 5280 (4.2.1.3) and cryptography call them. The other two say more of one of these.
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
    """What the key may be used for, None where that is not said."""
    usage = extension(certificate, x509.KeyUsage)
    return None if usage is None else [name for name, attribute in _USAGES.items() if getattr(usage, attribute)]


def is_from_public_ca(certificate: x509.Certificate) -> bool:
    """Whether its issuer says that public rules hold for it: a log of certificates, or a policy of the CA/B Forum."""
    policies = extension(certificate, x509.CertificatePolicies) or ()
    logged = not lacks(certificate, x509.PrecertificateSignedCertificateTimestamps)
    return logged or any(p.policy_identifier.dotted_string.startswith("2.23.140.1.2.") for p in policies)


def address_of_issuer(certificate: x509.Certificate) -> str:
    """Where *certificate* says that its issuer's own is to be had ("CA Issuers", :rfc:`5280#section-4.2.2.1`)."""
    for description in extension(certificate, x509.AuthorityInformationAccess) or ():
        address = str(description.access_location.value)
        if description.access_method == AuthorityInformationAccessOID.CA_ISSUERS and address.startswith("http"):
            return printable(address)
    return ""


def permitted_names(certificate: x509.Certificate) -> list[str]:
    """The names that a CA is limited to."""
    constraints = extension(certificate, x509.NameConstraints)
    return [printable(str(name.value)) for name in (constraints and constraints.permitted_subtrees) or ()]


def key_size(certificate: x509.Certificate) -> int:
    """The bits of the key, 0 where that says nothing."""
    try:
        key = certificate.public_key()
    except Exception:  # of a kind that cryptography does not know
        return 0
    return key.key_size if isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)) else 0
