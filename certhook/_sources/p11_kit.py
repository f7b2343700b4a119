"""Reading block list entries from p11-kit's objects.

A file contains any number of objects. Each begins with the line ``[p11-kit-object-v1]``, followed
by one attribute per line and optionally a certificate or a public key as PEM.

Source: p11-kit's trust/persist.c and trust/builder.c.
"""

from __future__ import annotations

import base64
import re

from certhook._certificates import pem, x509
from certhook._certificates.anchor import purpose_bits
from certhook._config import ANY_PURPOSE, SERVER_AUTH
from certhook._sources.blocklist import BlocklistEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

_TRUE = (b"true", b'"%01"')
# The class of an extension attached to a public key, and the extensions that restrict its purposes:
# Extended Key Usage, and p11-kit's own for the purposes that OpenSSL's trust settings reject.
_ATTACHED_EXTENSION = b"x-certificate-extension"
_EXTENDED_KEY_USAGE = b"2.5.29.37"
_REJECTED_KEY_USAGE = b"1.3.6.1.4.1.3319.6.10.1"
_PUBLIC_KEY = re.compile(rb"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----")


def read_object(text: bytes, is_blocklist: bool) -> Iterator[BlocklistEntry]:
    """Return the entries of one object.

    :param text: the object without its first line
    :param is_blocklist: whether the file is in a block list, where every object is distrusted. Elsewhere,
        only objects with ``x-distrusted: true`` are.
    """
    attributes = _attributes(text)
    if attributes.get(b"class") == _ATTACHED_EXTENSION:
        yield from _read_attached_extension(attributes, text)
    elif is_blocklist or attributes.get(b"x-distrusted") in _TRUE:
        yield from _read_distrusted(attributes, text)


def _read_distrusted(attributes: dict[bytes, bytes], text: bytes) -> Iterator[BlocklistEntry]:
    value = _unquoted(attributes, b"value") if attributes.get(b"class") == b"certificate" else b""
    if value:
        try:
            yield BlocklistEntry(ANY_PURPOSE, x509.Certificate(value))
        except ValueError as error:
            yield BlocklistEntry(ANY_PURPOSE, fault=f"an object contains an invalid certificate: {error}")
        return
    entries, _ = pem.parse(text, lenient=True)
    for entry in entries:
        yield BlocklistEntry(ANY_PURPOSE, entry.certificate)
    if not entries:
        issuer, serial = _unquoted(attributes, b"issuer"), _unquoted(attributes, b"serial-number")
        yield BlocklistEntry(ANY_PURPOSE, issuer=issuer, serial=serial)


def _read_attached_extension(attributes: dict[bytes, bytes], text: bytes) -> Iterator[BlocklistEntry]:
    """Return the entry of an extension that is attached to every certificate with one public key.

    An attached Extended Key Usage replaces the certificate's own. If it omits servers, they are
    rejected. If it omits clients, they are not, because p11-kit's stores do not distinguish them
    from servers. A malformed extension rejects every purpose, since p11-kit then ignores the
    certificate.
    """
    name = attributes.get(b"object-id")
    if name not in (_EXTENDED_KEY_USAGE, _REJECTED_KEY_USAGE):
        return
    try:
        listed, _ = purpose_bits(x509.key_purposes(_unquoted(attributes, b"value")), [])
        rejected = listed if name == _REJECTED_KEY_USAGE else SERVER_AUTH & ~listed
    except ValueError:
        rejected = ANY_PURPOSE
    if rejected:
        key = _public_key(attributes, text)
        yield BlocklistEntry(rejected, key=key, fault="" if key else "an attached extension contains no public key")


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
