"""The certificates of default trust, for libraries that parse certificates themselves."""

from __future__ import annotations

import os
from binascii import a2b_base64

from certhook import _trust
from certhook._certificates import pem
from certhook._certificates.openssl import to_pem
from certhook._config import SERVER_AUTH
from certhook._state import BUNDLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._config import Config
    from certhook._trust import Trust

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"


class Certificates:
    """The certificates of default trust for servers, as DER.

    :ivar trust: the default trust that contains them; another object after a change
    :ivar trusted: the trusted certificates
    :ivar rejected: the certificates that OpenSSL rejects because of their trust settings
    """

    __slots__ = ("rejected", "trust", "trusted")

    def __init__(self, trust: Trust, certificates: list[bytes]) -> None:
        """Create the object from *certificates*: DER, each followed by OpenSSL's trust settings, if it has any."""
        self.trust = trust
        self.trusted: list[bytes] = []
        self.rejected: list[bytes] = []
        for certificate in certificates:
            end = _end_of_der(certificate)
            der, settings = certificate[:end], certificate[end:]
            (self.trusted if not settings or _is_trusted(der, settings) else self.rejected).append(der)


def current(config: Config, previous: Certificates | None) -> Certificates:
    """Return the certificates of default trust for servers: *previous*, unless it is outdated."""
    trust = _trust.current(config, SERVER_AUTH)
    if previous is not None and previous.trust is trust:
        return previous
    try:
        return Certificates(trust, _read(trust))
    except OSError:  # The store was deleted or replaced meanwhile.
        trust = _trust.current(config, SERVER_AUTH, "noticed by a client hook")
        return Certificates(trust, _read(trust))


def report(trust: Trust) -> None:
    """Report the problems of *trust* as warnings.

    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``, if a setting or source is wrong
    """
    if trust.problems and trust.config.on_error == "raise":
        raise trust.problems[0].with_traceback(None)
    _trust.report(trust.problems)


def decode(text: bytes) -> list[bytes]:
    """Return the decoded content of each block in *text*, which must be well-formed PEM."""
    blocks = text.split(_BEGIN)[1:]
    return [a2b_base64(block.partition(_DASHES)[2].partition(_END)[0]) for block in blocks]


def _read(trust: Trust) -> list[bytes]:
    """Return the certificates of *trust* as DER, each followed by OpenSSL's trust settings, if it has any."""
    if trust.store is None:
        return list(trust.anchors)
    with open(os.path.join(trust.store, BUNDLE), "rb") as file:
        return decode(file.read())


def _end_of_der(data: bytes) -> int:
    """Return the length of the certificate at the start of *data*."""
    length, header = data[1], 2
    if length & 0x80:
        header += length & 0x7F
        length = int.from_bytes(data[2:header], "big")
    return header + length


def _is_trusted(der: bytes, settings: bytes) -> bool:
    (entry,), _ = pem.parse(to_pem(der, settings))
    return bool(entry.trusted & SERVER_AUTH)
