"""The known roots, trusted or not, and the path from a server's certificate to one of them."""

from __future__ import annotations

import os
from typing import Iterable, Iterator, NamedTuple, Sequence, Tuple

from cryptography import x509

from certhook import _config
from certhook._certificates import names
from certhook._certificates.anchor import Anchor
from certhook._config import Config
from certhook._sources import read_trust_set, settings_file
from certhook._sources.blocklist import identity
from certhook._sources.trust_set import TrustSet
from certhook._state import is_privileged, process
from certhook._text import printable
from certhook.cli import _systems
from certhook.cli.check.certificate import (
    identifier_mismatch,
    is_issued_by,
    is_self_issued,
    is_valid_at,
    likely_issuers,
    normalized_name,
    parse,
    to_der,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

    from certhook.cli._systems import System

TRUSTED, EXPIRED, DISTRUSTED, EXCLUDED = "trusted", "expired", "distrusted", "excluded"

# The variables that add roots or select them.
_ROOT_VARIABLES = ("CERTHOOK_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR", "NIX_SSL_CERT_FILE", "CERTHOOK_BUNDLE",
                   "CERTHOOK_SOURCES")  # fmt: skip

# Longer than any valid path. A malicious server may send hundreds of certificates with the same name.
_MAX_PATH_LENGTH = 20

#: A root, its status, and the variables or the settings file that exclude it if its status is "excluded".
Entry = Tuple[Anchor, str, Tuple[str, ...]]


class Root(NamedTuple):
    """A root that a source lists.

    :ivar status: "trusted", "distrusted", "expired" if it is an intermediate certificate that certhook ignores
        because it has expired, or "excluded" if a variable or the settings file excludes its source
    :ivar settings: the variables, or the path of the file, that exclude it if its status is "excluded"
    """

    anchor: Anchor
    certificate: x509.Certificate
    status: str
    settings: tuple[str, ...] = ()

    @property
    def files(self) -> str:
        """The files that list it, for a message."""
        return " and ".join(dict.fromkeys(printable(path) for _, path in self.anchor.listed_by))


class Roots:
    """The known roots, indexed by name.

    :ivar extra: the paths in ``CERTHOOK_EXTRA_CA_CERTS``
    :ivar overriding: the variables that replace the system's store
    :ivar ignored_variables: variables that are ignored because this process has privileges
    :ivar system: the operating system, None if it is unknown
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        extra: Sequence[str] = (),
        overriding: Sequence[str] = (),
        ignored_variables: Sequence[str] = (),
        system: System | None = None,
    ) -> None:
        self.extra = extra
        self.overriding = overriding
        self.system = system
        self.ignored_variables = ignored_variables
        self._by_name: dict[bytes, list[Entry]] = {}
        self._trusted: list[Anchor] = []
        self._bundled: set[object] = set()
        for entry in entries:
            anchor, status, _ = entry
            self._by_name.setdefault(names.folded(anchor.certificate.subject), []).append(entry)
            if status == TRUSTED:
                self._trusted.append(anchor)
            if "bundled" in anchor.sources:
                self._bundled.add(identity(anchor.certificate))

    def find_issuer(self, certificate: x509.Certificate, now: datetime, *statuses: str) -> Root | None:
        """Return the root that issued *certificate* or is identical to it.

        As in OpenSSL, the best of several editions is one that the certificate's authority key identifier does not
        exclude, and that is valid.

        :param statuses: the acceptable statuses of the root, the preferred one first
        """
        candidates = dict.fromkeys([normalized_name(certificate.subject), normalized_name(certificate.issuer)])
        entries = [entry for name in candidates for entry in self._by_name.get(name, ())]
        der = to_der(certificate)
        for wanted in statuses:
            found: list[tuple[bool, bool, Root]] = []
            eligible = [entry for entry in entries if entry[1] == wanted]
            for anchor, status, settings in likely_issuers(certificate, eligible, lambda entry: entry[0].der):
                parsed = parse(anchor.der)
                if parsed and (anchor.der == der or is_issued_by(certificate, parsed)):
                    is_excluded = anchor.der != der and bool(identifier_mismatch(certificate, parsed))
                    found.append((is_excluded, not is_valid_at(parsed, now), Root(anchor, parsed, status, settings)))
            if found:
                return min(found, key=lambda item: item[:2])[2]
        return None

    def find_trusted(self, name: x509.Name) -> Anchor | None:
        """Return the first trusted root with this *name* and any key."""
        entries = self._by_name.get(normalized_name(name), ())
        return next((anchor for anchor, status, _ in entries if status == TRUSTED), None)

    def has_trusted(self) -> bool:
        """Return whether any root is trusted."""
        return bool(self._trusted)

    def has_bundled(self, anchor: Anchor) -> bool:
        """Return whether certifi's bundle contains this CA, possibly as another edition."""
        return identity(anchor.certificate) in self._bundled

    def knows_bundle(self) -> bool:
        """Return whether certifi's bundle, or its replacement, contains any root."""
        return bool(self._bundled)

    def extra_anchors(self) -> list[Anchor]:
        """Return the trusted roots that ``CERTHOOK_EXTRA_CA_CERTS`` lists."""
        return [anchor for anchor in self._trusted if "extra" in anchor.sources]

    def has_organization(self, name: str) -> bool:
        """Return whether a trusted root belongs to the organization *name*."""
        return any(f"O={name}" in anchor.subject.split(",") for anchor in self._trusted)

    def mostly_expired(self, now: datetime) -> bool:
        """Return whether so many trusted roots have expired that *now* is probably wrong."""
        validities = [anchor.validity for anchor in self._trusted]
        expired = sum(validity is not None and validity[1] < now for validity in validities)
        return expired >= 10 and expired * 2 > len(validities)


def build_path(
    chain: Sequence[x509.Certificate], roots: Roots, now: datetime
) -> tuple[list[x509.Certificate], Root | None]:
    """Build the path from the server's certificate to a root.

    As in OpenSSL, a trusted root has priority over the certificates that the server sent.

    :returns: the certificates of the path, and the known root at its end, if there is one
    """
    path = list(chain[:1])
    while path:
        top = path[-1]
        root = roots.find_issuer(top, now, TRUSTED)
        if root is None and len(path) < _MAX_PATH_LENGTH and not is_self_issued(top):
            issuer = _sent_issuer(top, [sent for sent in chain if sent not in path])
            if issuer is not None:
                path.append(issuer)
                continue
        if root is None:
            root = roots.find_issuer(top, now, EXPIRED, DISTRUSTED, EXCLUDED)
        if root is not None and root.certificate != top:
            if len(path) > 1 and is_self_issued(top):
                path.pop()  # The server sent another certificate of the same root.
            path.append(root.certificate)
        return path, root
    return path, None


def _sent_issuer(certificate: x509.Certificate, sent: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """Return the issuer of *certificate* that the server sent, preferably one that its identifier does not exclude."""
    issuers = [one for one in sent if is_issued_by(certificate, one)]
    return min(issuers, key=lambda one: bool(identifier_mismatch(certificate, one))) if issuers else None


def known_roots(trust_set: TrustSet, additional: Sequence[Anchor] = ()) -> Roots:
    """Return the trusted and distrusted roots of *trust_set*, and those that an environment variable excludes.

    :param additional: the roots of ``--ca``, which are trusted as well
    """
    environ = {} if not process.use_environment or is_privileged() else dict(os.environ)
    settings = {name: value for name, value in environ.items() if name in _config.VARIABLES}
    settings.pop("CERTHOOK_DEBUG", None)
    if trust_set.config.cert_file is None:
        settings.pop("SSL_CERT_FILE", None)  # It names a file that certhook wrote for other programs.
    ignored = [name for name in _ROOT_VARIABLES if os.environ.get(name)] if is_privileged() else []
    overriding = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if settings.get(name)]
    all_sources = {**settings, "CERTHOOK_SOURCES": ",".join(_config.SOURCES), "CERTHOOK_MODE": "chain"}
    return Roots(
        [
            *((anchor, TRUSTED, ()) for anchor in (*trust_set.anchors, *additional)),
            *((_restricted(anchor), DISTRUSTED, ()) for anchor in trust_set.restricted),
            *((_resolved(anchor), EXPIRED, ()) for anchor in trust_set.expired),
            *((anchor, DISTRUSTED, ()) for anchor in (*trust_set.distrusted, *trust_set.blocklisted)),
            *((anchor, EXCLUDED, ("CERTHOOK_REMOVED",)) for anchor in trust_set.excluded),
            *_excluded_by_file(trust_set),
            *_excluded(
                trust_set,
                settings,
                read_trust_set(Config(all_sources), is_limited=False),
                read_trust_set(Config({}), is_limited=False),
            ),
        ],
        trust_set.config.extra,
        overriding if trust_set.config.overrides_system else (),
        ignored,
        _systems.current(),
    )


def _excluded_by_file(trust_set: TrustSet) -> Iterator[Entry]:
    """Yield the roots that the variables select, and that the system-wide settings file excludes from *trust_set*."""
    file = settings_file.load()
    if not file.limits:
        return
    known = _known(trust_set)
    for anchor in read_trust_set(_config.current(), is_limited=False).anchors:
        if anchor.der not in known:
            yield anchor, EXCLUDED, (file.path,)


def _known(trust_set: TrustSet) -> set[bytes]:
    return {anchor.der for anchor in (*trust_set.anchors, *trust_set.distrusted, *trust_set.excluded)}


def _restricted(anchor: Anchor) -> Anchor:
    """Return *anchor*, which OpenSSL rejects for servers, as one that the files with its trust settings distrust."""
    paths = tuple(dict.fromkeys(path for _, path in anchor.listed_by))
    return Anchor(anchor.certificate, anchor.listed_by, anchor.distrusted_by or paths, anchor.auxiliary)


def _resolved(anchor: Anchor) -> Anchor:
    """Return *anchor* with the files that links lead to. These are the files that the user has to replace."""
    listed = tuple(dict.fromkeys((source, os.path.realpath(path)) for source, path in anchor.listed_by))
    return Anchor(anchor.certificate, listed, anchor.distrusted_by, anchor.auxiliary)


def _excluded(
    trust_set: TrustSet, environ: Iterable[str], with_all_sources: TrustSet, default: TrustSet
) -> Iterator[Entry]:
    """Yield the roots that environment variables exclude from *trust_set*.

    :param environ: the names of the variables that are set
    :param with_all_sources: the trust set of the same variables with all sources
    :param default: the trust set without any variable
    """
    known = _known(trust_set)
    for other in (with_all_sources, default):
        for anchor in other.anchors:
            if anchor.der not in known:
                known.add(anchor.der)
                settings = _excluding_settings(anchor, trust_set.config, environ, other is default)
                if settings:
                    yield anchor, EXCLUDED, settings
        for anchor in other.distrusted:
            if anchor.der not in known:
                known.add(anchor.der)
                yield anchor, DISTRUSTED, ()


def _excluding_settings(anchor: Anchor, config: Config, environ: Iterable[str], by_default: bool) -> tuple[str, ...]:
    """Return the variables that exclude *anchor*.

    :param by_default: whether a source lists it only if no variable is set
    """
    overrides = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in environ]
    source = anchor.sources[0]
    settings: list[str] = []
    if by_default and source == "system" and config.overrides_system:
        settings = overrides
    elif by_default and config.bundle is not None:
        settings = ["CERTHOOK_BUNDLE"]
    if source not in config.sources:
        settings = settings + (["CERTHOOK_SOURCES"] if "CERTHOOK_SOURCES" in environ else overrides)
    elif not settings and config.mode == "fallback":
        settings = ["CERTHOOK_MODE"]
    return tuple(dict.fromkeys(settings))
