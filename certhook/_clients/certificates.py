"""The certificates of default trust, for libraries that parse certificates themselves."""

from __future__ import annotations

from certhook import _trust
from certhook._certificates import pem
from certhook._certificates.openssl import split, to_pem
from certhook._config import SERVER_AUTH
from certhook._loading import read_certificates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._config import Config
    from certhook._trust import Trust


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
            der, settings = split(certificate)
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
    _trust.raise_problem(trust)
    _trust.report(trust.problems)


def _read(trust: Trust) -> list[bytes]:
    """Return the certificates of *trust* as DER, each followed by OpenSSL's trust settings, if it has any."""
    return list(trust.anchors) if trust.store is None else read_certificates(trust.store)


def _is_trusted(der: bytes, settings: bytes) -> bool:
    (entry,), _ = pem.parse(to_pem(der, settings))
    return bool(entry.trusted & SERVER_AUTH)
