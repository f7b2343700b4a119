"""Reading p11-kit's objects: what they distrust.

A file has any number of them, each of which begins with ``[p11-kit-object-v1]`` and has
attributes, a line each, and perhaps a certificate or a public key as PEM.

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
# The extensions that p11-kit attaches: Extended Key Usage, and what OpenSSL's trust settings reject.
_ATTACHED = b"x-certificate-extension"
_KEY_USAGE, _REJECT = b"2.5.29.37", b"1.3.6.1.4.1.3319.6.10.1"
_PUBLIC_KEY = re.compile(rb"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----")


def blocks(text: bytes, everything: bool) -> Iterator[BlocklistEntry]:
    """What one object distrusts.

    :param text: the object, behind the line that it begins with
    :param everything: whether it does so by being there, or only if it says so
    """
    attributes = _attributes(text)
    if attributes.get(b"class") == _ATTACHED:
        yield from _attached(attributes, text)
    elif everything or attributes.get(b"x-distrusted") in _TRUE:
        value = _unquoted(attributes, b"value") if attributes.get(b"class") == b"certificate" else b""
        entries, _ = pem.parse(text, lenient=True)
        if value:
            yield BlocklistEntry(ANY_PURPOSE, value)
        elif entries:
            for entry in entries:
                yield BlocklistEntry(ANY_PURPOSE, entry.der)
        else:
            issuer, serial = _unquoted(attributes, b"issuer"), _unquoted(attributes, b"serial-number")
            yield BlocklistEntry(ANY_PURPOSE, issuer=issuer, serial=serial)


def _attached(attributes: dict[bytes, bytes], text: bytes) -> Iterator[BlocklistEntry]:
    """What an extension rejects that is attached to every certificate of one public key.

    An Extended Key Usage stands in for the certificate's own: one for other purposes than servers
    is no word against clients, which p11-kit's stores do not tell from servers. One that cannot
    be read leaves no purpose, as p11-kit then passes over the certificate.
    """
    name = attributes.get(b"object-id")
    if name not in (_KEY_USAGE, _REJECT):
        return
    try:
        listed, _ = purpose_bits(x509.key_purposes(_unquoted(attributes, b"value")), [])
        rejected = listed if name == _REJECT else SERVER_AUTH & ~listed
    except ValueError:
        rejected = ANY_PURPOSE
    if rejected:
        key = _public_key(attributes, text)
        yield BlocklistEntry(rejected, key=key, fault="" if key else "an attached extension names no public key")


def _public_key(attributes: dict[bytes, bytes], text: bytes) -> bytes:
    """The public key that an object is attached to, as DER; empty where there is none."""
    found = _PUBLIC_KEY.search(text)
    if found is None:
        return _unquoted(attributes, b"public-key-info")
    try:
        return base64.b64decode(found[1])
    except ValueError:
        return b""


def _attributes(text: bytes) -> dict[bytes, bytes]:
    """The attributes of a p11-kit object: names to values as they are written."""
    lines = (line.partition(b":") for line in text.splitlines() if not line.startswith(b"#"))
    return {name.strip(): value.strip() for name, colon, value in lines if colon}


def _unquoted(attributes: dict[bytes, bytes], name: bytes) -> bytes:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(attributes.get(name, b"").strip(b'"'))
