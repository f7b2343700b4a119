"""Extensions of certificates (:rfc:`5280#section-4.2`), for their description to users.

Every function returns a neutral value for a part that is missing or malformed.
"""

from __future__ import annotations

import ipaddress

from certhook._certificates import x509
from certhook._certificates.x509 import OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, children, dotted, read
from certhook._text import printable

_EXTENSIONS = 0xA3  # [3] EXPLICIT, in TBSCertificate
_BOOLEAN = 0x01
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87  # [2] and [7] IMPLICIT, in GeneralName
_SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
_BASIC_CONSTRAINTS = "2.5.29.19"
_EXTENDED_KEY_USAGE = "2.5.29.37"
_MAX_HOST_LENGTH = 253  # characters, by RFC 1035


class Extensions:
    """The extensions of a certificate.

    :param der: a certificate that :class:`certhook._certificates.x509.Certificate` accepts
    :ivar is_ca: whether the basic constraints mark it as a CA
    :ivar hosts: the host names and IP addresses that it was issued for
    :ivar purposes: the purposes of its key as dotted object identifiers, None if they are not restricted
    """

    def __init__(self, der: bytes) -> None:
        self._data = der
        try:
            self._values = dict(self._read())
        except ValueError:
            self._values = {}
        self.is_ca = self._is_ca()
        self.hosts = self._hosts()
        self.purposes = self._purposes()

    def _read(self) -> list[tuple[str, tuple[int, int]]]:
        """Return the type of each extension, and the bounds of its value."""
        data = self._data
        _, start, end = read(data, 0, len(data))
        _, start, end = read(data, start, end)
        found = []
        for tag, _, value, after in children(data, start, end):
            if tag != _EXTENSIONS:
                continue
            _, start, end = read(data, value, after)
            for _, _, first, last in children(data, start, end):
                parts = children(data, first, last)
                if len(parts) > 1 and parts[0][0] == OBJECT_IDENTIFIER and parts[-1][0] == OCTET_STRING:
                    found.append((dotted(data[parts[0][2] : parts[0][3]]), (parts[-1][2], parts[-1][3])))
        return found

    def _elements(self, kind: str) -> list[tuple[int, bytes]]:
        """Return the tags and values of the elements in the SEQUENCE in the extension *kind*."""
        if kind not in self._values:
            return []
        try:
            tag, start, end = read(self._data, *self._values[kind])
            found = children(self._data, start, end) if tag == SEQUENCE else []
        except ValueError:
            return []
        return [(tag, self._data[value:after]) for tag, _, value, after in found]

    def _is_ca(self) -> bool:
        return any(tag == _BOOLEAN and value.strip(b"\0") for tag, value in self._elements(_BASIC_CONSTRAINTS)[:1])

    def _hosts(self) -> list[str]:
        found = []
        for tag, value in self._elements(_SUBJECT_ALTERNATIVE_NAME):
            if tag == _DNS_NAME:
                found.append(printable(value.decode("latin-1"), _MAX_HOST_LENGTH))
            elif tag == _IP_ADDRESS and len(value) in (4, 16):
                found.append(str(ipaddress.ip_address(value)))
        return found

    def _purposes(self) -> list[str] | None:
        if _EXTENDED_KEY_USAGE not in self._values:
            return None
        try:
            return [dotted(value) for tag, value in self._elements(_EXTENDED_KEY_USAGE) if tag == OBJECT_IDENTIFIER]
        except ValueError:
            return []


def is_for_servers(purposes: list[str] | None) -> bool:
    """Return whether *purposes* permit the authentication of a server."""
    return purposes is None or x509.SERVER_AUTH in purposes or x509.ANY_EXTENDED_KEY_USAGE in purposes
