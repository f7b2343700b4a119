"""Reading block list entries from p11-kit's files: certificates, or objects.

A file contains certificates, or any number of objects. Each object begins with the line
``[p11-kit-object-v1]``, followed by one attribute per line and optionally a certificate or a public
key as PEM.

As in trust(1), a distrusted certificate distrusts every certificate with its public key, and every
certificate with its issuer and serial number.

Source: p11-kit's trust/parser.c, trust/builder.c, trust/enumerate.c and common/persist.c.
"""

from __future__ import annotations

import base64
import re

from certhook._certificates import auxiliary, pem, x509
from certhook._certificates.anchor import purpose_bits
from certhook._config import ANY_PURPOSE, SERVER_AUTH
from certhook._sources.blocklist import BlocklistEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

# The first line of an object.
_OBJECT = re.compile(rb"^[ \t\v\f\r]*\[p11-kit-object-v1\][ \t\v\f\r]*$", re.MULTILINE)
_TRUE = (b"true", b'"%01"')
# The class of an extension attached to a public key, and the extensions that restrict its purposes:
# Extended Key Usage, and p11-kit's own for the purposes that OpenSSL's trust settings reject.
_ATTACHED_EXTENSION = b"x-certificate-extension"
_EXTENDED_KEY_USAGE = "2.5.29.37"
_REJECTED_KEY_USAGE = "1.3.6.1.4.1.3319.6.10.1"

#: The longest validity of a server's certificate since 2020, in seconds: 398 days (CA/Browser Forum, ballot SC31).
MAX_VALIDITY = 398 * 24 * 60 * 60
_NO_DATE = (b"", b"\0", b"false")
_UTC_TIME_LENGTH = len("YYMMDDHHMMSSZ")

_PUBLIC_KEY = re.compile(rb"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----")


def parse(data: bytes, is_blocklist: bool) -> Iterator[BlocklistEntry]:
    """Return the entries of one file.

    :param is_blocklist: whether every certificate in the file is distrusted; otherwise, only marked ones are
    """
    certificates, *objects = _OBJECT.split(data)
    yield from _parse_certificates(certificates, is_blocklist)
    for text in objects:
        yield from read_object(text, is_blocklist)


def _parse_certificates(data: bytes, is_blocklist: bool) -> Iterator[BlocklistEntry]:
    entries, problems = pem.parse(data, lenient=True)
    for entry in entries:
        if is_blocklist or (entry.certificate.rest and not _trusted_uses(entry.certificate.rest)):
            yield _distrusted(entry.certificate)
            continue
        # p11-kit attaches trust settings to the key. A certificate that is not trusted for servers is distrusted
        # for them. The same does not apply to clients, because p11-kit's stores do not distinguish them from servers.
        purposes = entry.rejected | (SERVER_AUTH & ~entry.trusted)
        if purposes:
            yield BlocklistEntry(purposes, entry.certificate, key=entry.certificate.key)
    if is_blocklist or pem.TRUSTED_CERTIFICATE in data:
        for problem in problems:
            yield BlocklistEntry(ANY_PURPOSE, fault=problem)


def _trusted_uses(settings: bytes) -> set[str]:
    """Return the purposes that OpenSSL's trust settings list and do not reject. p11-kit requires a list."""
    trusted, rejected = auxiliary.read(settings)
    return set(trusted or ()).difference(rejected)


def _distrusted(certificate: x509.Certificate) -> BlocklistEntry:
    return BlocklistEntry(
        ANY_PURPOSE, certificate, issuer=certificate.issuer, serial=certificate.serial, key=certificate.key
    )


def read_object(text: bytes, is_blocklist: bool) -> Iterator[BlocklistEntry]:
    """Return the entries of one object.

    :param text: the object without its first line
    :param is_blocklist: whether the file is in a block list, where every object is distrusted. Elsewhere, only
        objects with ``x-distrusted: true`` or ``nss-server-distrust-after`` are.
    """
    attributes = _attributes(text)
    if attributes.get(b"class") == _ATTACHED_EXTENSION:
        yield from _read_attached_extension(attributes, text)
    elif is_blocklist or attributes.get(b"x-distrusted") in _TRUE:
        yield from _read_distrusted(attributes, text)
    elif b"nss-server-distrust-after" in attributes:
        yield from _read_distrusted_after(attributes, text)


def _certificates(attributes: dict[bytes, bytes], text: bytes) -> list[x509.Certificate]:
    """Return the certificates of an object.

    :raises ValueError: if its value is not a certificate
    """
    value = _unquoted(attributes, b"value") if attributes.get(b"class") == b"certificate" else b""
    if value:
        return [x509.Certificate(value)]
    return [entry.certificate for entry in pem.parse(text, lenient=True)[0]]


def _read_distrusted(attributes: dict[bytes, bytes], text: bytes) -> Iterator[BlocklistEntry]:
    try:
        certificates = _certificates(attributes, text)
    except ValueError as error:
        yield BlocklistEntry(ANY_PURPOSE, fault=f"an object contains an invalid certificate: {error}")
        return
    for certificate in certificates:
        yield _distrusted(certificate)
    if not certificates:
        issuer, serial = _unquoted(attributes, b"issuer"), _unquoted(attributes, b"serial-number")
        yield BlocklistEntry(ANY_PURPOSE, issuer=issuer, serial=serial, key=_public_key(attributes, text))


def _read_distrusted_after(attributes: dict[bytes, bytes], text: bytes) -> Iterator[BlocklistEntry]:
    """Return the entry of a root that must not issue certificates for servers after a date.

    OpenSSL cannot check when a root issued a certificate. The root is therefore distrusted from the time
    when all certificates that it issued before that date have expired.
    """
    try:
        date = _distrust_date(_unquoted(attributes, b"nss-server-distrust-after"))
        certificates = _certificates(attributes, text) if date else []
    except ValueError as error:
        yield BlocklistEntry(SERVER_AUTH, fault=f"an object contains an invalid distrust date or certificate: {error}")
        return
    for certificate in certificates:
        yield BlocklistEntry(SERVER_AUTH, certificate, since=date + MAX_VALIDITY)


def _distrust_date(value: bytes) -> int:
    """Return a date in seconds since the epoch, 0 if there is none."""
    if value in _NO_DATE:
        return 0
    tag = x509.UTC_TIME if len(value) == _UTC_TIME_LENGTH else x509.GENERALIZED_TIME
    return int(x509.time_value(tag, value).timestamp())


def _read_attached_extension(attributes: dict[bytes, bytes], text: bytes) -> Iterator[BlocklistEntry]:
    """Return the entry of an extension that is attached to every certificate with one public key.

    An attached Extended Key Usage replaces the certificate's own. If it omits servers, they are
    rejected. If it omits clients, they are not, because p11-kit's stores do not distinguish them
    from servers. A malformed extension rejects every purpose, since p11-kit then ignores the
    certificate.
    """
    value = _unquoted(attributes, b"value")
    types = _extension_types(attributes, value)
    if not types & {_EXTENDED_KEY_USAGE, _REJECTED_KEY_USAGE}:
        return
    try:
        listed, _ = purpose_bits(x509.key_purposes(value), [])
        rejected = listed if _REJECTED_KEY_USAGE in types else SERVER_AUTH & ~listed
    except ValueError:
        rejected = ANY_PURPOSE
    if rejected:
        key = _public_key(attributes, text)
        yield BlocklistEntry(rejected, key=key, fault="" if key else "an attached extension contains no public key")


def _extension_types(attributes: dict[bytes, bytes], value: bytes) -> set[str]:
    """Return the type in the attribute ``object-id``, which is optional, and the type in the attached extension."""
    types = {attributes.get(b"object-id", b"").decode("latin-1")}
    try:
        types.add(x509.extension_type(value))
    except ValueError:
        pass  # It is malformed.
    return types


def _public_key(attributes: dict[bytes, bytes], text: bytes) -> bytes:
    """Return the public key of an object as DER, empty if it contains none."""
    found = _PUBLIC_KEY.search(text)
    if found is None:
        return _unquoted(attributes, b"public-key-info")
    try:
        return base64.b64decode(found[1])
    except ValueError:
        return b""


def _attributes(text: bytes) -> dict[bytes, bytes]:
    """Return the attributes of an object by name, with their values as written."""
    lines = (line.partition(b":") for line in text.splitlines() if not line.startswith(b"#"))
    return {name.strip(): value.strip() for name, colon, value in lines if colon}


def _unquoted(attributes: dict[bytes, bytes], name: bytes) -> bytes:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(attributes.get(name, b"").strip(b'"'))
