"""The roots that sources here list, whether they are trusted or not, and the way from a server's certificate to one."""

from __future__ import annotations

import os
from typing import Iterable, Iterator, NamedTuple, Sequence, Tuple

from cryptography import x509

from certhook import _config
from certhook._certificates import names
from certhook._certificates.anchor import Anchor
from certhook._config import Config
from certhook._sources import read_trust_set
from certhook._sources.collector import TrustSet
from certhook._state import is_privileged, process
from certhook.cli.check.certificate import as_der, folded, is_self_issued, issued, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

TRUSTED, DISTRUSTED, OFF = "trusted", "distrusted", "off"

# No real path is longer. A hostile server may send hundreds of certificates, each of which may have issued the last.
_LONGEST_PATH = 20

#: A root, its standing, and the variables that leave it out, where it is off.
Entry = Tuple[Anchor, str, Tuple[str, ...]]


class Root(NamedTuple):
    """A root that some source here lists.

    :ivar standing: one of "trusted", "distrusted" and "off": its source is not used
    :ivar settings: the variables that leave it out, where it is off
    """

    anchor: Anchor
    certificate: x509.Certificate
    standing: str
    settings: tuple[str, ...] = ()


class Roots:
    """The roots that sources here list, by their names."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._by_name: dict[bytes, list[Entry]] = {}
        self._trusted: list[Anchor] = []
        for entry in entries:
            self._by_name.setdefault(names.folded(entry[0].certificate.subject), []).append(entry)
            if entry[1] == TRUSTED:
                self._trusted.append(entry[0])

    def vouching_for(self, certificate: x509.Certificate, *standings: str) -> Root | None:
        """The root that *certificate* is, or that issued it, of the first of *standings* that has one."""
        names = dict.fromkeys([folded(certificate.subject), folded(certificate.issuer)])
        known = [entry for name in names for entry in self._by_name.get(name, ())]
        der = as_der(certificate)
        for wanted in standings:
            for anchor, standing, settings in known:
                parsed = load(anchor.der) if standing == wanted else None
                if parsed and (anchor.der == der or issued(certificate, parsed)):
                    return Root(anchor, parsed, standing, settings)
        return None

    def trusted_with_name(self, name: x509.Name) -> Anchor | None:
        """The first trusted root with *name*, whatever its key."""
        known = self._by_name.get(folded(name), ())
        return next((anchor for anchor, standing, _ in known if standing == TRUSTED), None)

    def trusts_anyone(self) -> bool:
        """Whether there is a trusted root at all."""
        return bool(self._trusted)

    def has_organization(self, name: str) -> bool:
        """Whether a trusted root belongs to the organization *name*."""
        return any(f"O={name}" in anchor.subject.split(",") for anchor in self._trusted)

    def mostly_expired(self, now: datetime) -> bool:
        """Whether so many trusted roots have expired that *now* cannot be right."""
        dates = [anchor.validity for anchor in self._trusted]
        expired = sum(date is not None and date[1] < now for date in dates)
        return expired >= 10 and expired * 2 > len(dates)


def climb(chain: Sequence[x509.Certificate], roots: Roots) -> tuple[list[x509.Certificate], Root | None]:
    """From the server's certificate upwards, as OpenSSL goes: what is trusted first, then what the server sent.

    :returns: the certificates, and the root at their end where a source here lists it, trusted or not
    """
    path = list(chain[:1])
    while path:
        top = path[-1]
        root = roots.vouching_for(top, TRUSTED)
        if root is None and len(path) < _LONGEST_PATH and not is_self_issued(top):
            above = next((one for one in chain if one not in path and issued(top, one)), None)
            if above is not None:
                path.append(above)
                continue
        if root is None:
            root = roots.vouching_for(top, DISTRUSTED, OFF)
        if root is not None and root.certificate != top:
            if len(path) > 1 and is_self_issued(top):
                path.pop()  # another edition of this root
            path.append(root.certificate)
        return path, root
    return path, None


# What is known here.


def known_here(here: TrustSet) -> Roots:
    """The roots that are trusted in this process, those that are distrusted, and those that a setting leaves out."""
    environ = {} if not process.use_environment or is_privileged() else dict(os.environ)
    kept = {name: value for name, value in environ.items() if name in _config.VARIABLES and name != "CERTHOOK_DEBUG"}
    every = {**kept, "CERTHOOK_SOURCES": ",".join(_config.SOURCES), "CERTHOOK_MODE": "chain"}
    return Roots(
        [
            *((anchor, TRUSTED, ()) for anchor in here.anchors),
            *((anchor, DISTRUSTED, ()) for anchor in (*here.removed, *here.rejected)),
            *_left_out(here, kept, read_trust_set(Config(every)), read_trust_set(Config({}))),
        ]
    )


def _left_out(here: TrustSet, environ: Iterable[str], every: TrustSet, usual: TrustSet) -> Iterator[Entry]:
    """The roots that a setting leaves out, with the variables that do.

    :param environ: the names of the variables that are set
    :param every: the same as *here*, with all sources
    :param usual: what would be if nothing were set
    """
    known = {anchor.der for anchor in (*here.anchors, *here.removed)}
    for trust in (every, usual):
        for anchor in trust.anchors:
            settings = () if anchor.der in known else _settings(anchor, here.config, environ, trust is usual)
            known.add(anchor.der)
            if settings:
                yield anchor, OFF, settings
        for anchor in trust.removed:
            if anchor.der not in known:
                known.add(anchor.der)
                yield anchor, DISTRUSTED, ()


def _settings(anchor: Anchor, config: Config, environ: Iterable[str], is_usual: bool) -> tuple[str, ...]:
    """The variables that leave *anchor* out.

    :param is_usual: whether it is only there if nothing is set
    """
    explicit = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in environ]
    source = anchor.sources[0]
    settings: list[str] = []
    if is_usual and source == "system" and config.overrides_system:
        settings = explicit
    elif is_usual and config.bundle is not None:
        settings = ["CERTHOOK_BUNDLE"]
    if source not in config.sources:
        settings = settings + (["CERTHOOK_SOURCES"] if "CERTHOOK_SOURCES" in environ else explicit)
    elif not settings and config.mode == "fallback":
        settings = ["CERTHOOK_MODE"]
    return tuple(dict.fromkeys(settings))
