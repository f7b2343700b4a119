"""The sources of anchors: ``system``, ``bundled`` and ``extra``.

:func:`read_trust_set` reads the block lists and each source. It returns the anchors of all
sources, without distrusted ones, together with the problems.
"""

from __future__ import annotations

from certhook._config import SERVER_AUTH
from certhook._sources import bundled, distrust, extra, removed, settings_file, system
from certhook._sources.collector import Collector
from certhook._sources.trust_set import TrustSet
from certhook._state import load_module
from certhook.exceptions import CerthookError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from certhook._config import Config

# The number of paths that a message contains.
_MOST_PATHS = 10

_MODULES = {"system": system, "bundled": bundled}


def read_trust_set(config: Config, purpose: int = SERVER_AUTH, is_limited: bool = True) -> TrustSet:
    """Read the sources of *config* for one *purpose* of trust.

    :param purpose: the bit of the purpose
    :param is_limited: whether the system-wide settings file limits *config*
    """
    if purpose != SERVER_AUTH:
        config = config.literal()  # A public bundle is for servers, even if SSL_CERT_FILE names it.
    collector = collect(config, purpose, is_limited)
    if collector.is_reduced and config.requested is not None:
        return collector.trust_set()  # The request is not adopted.
    if collector.is_reduced:
        collector = collect(config.literal(), purpose, is_limited)
    _report_distrusted_choices(collector)
    if not collector.count() and purpose == SERVER_AUTH:
        collector.problems.append(CerthookError(_no_roots(collector)))
    trust_set = collector.trust_set()
    if config.debug:
        _debug(trust_set)
    return trust_set


def collect(config: Config, purpose: int = SERVER_AUTH, is_limited: bool = True) -> Collector:
    """Read the sources of *config* into a new collector.

    Mozilla's roots are for servers, so the bundle is not read for another purpose. With
    ``fallback``, the first source that contains an anchor ends the search; ``extra`` is always
    added. Nothing else is read if the public bundle that is requested was reduced. If a block list
    or the system-wide settings file cannot be read and the system's store contains anchors, the bundle
    is excluded, because it may contain roots that the administrator excluded.

    :param is_limited: as in :func:`read_trust_set`
    """
    collector = Collector(config, purpose)
    if is_limited:
        settings_file.read(collector)
        config = collector.config
    if config.named is not None and not collector.is_reduced:
        _read(load_module("_sources.installed"), "installed bundle", collector)
    if collector.is_reduced:
        return collector
    _read(distrust, "distrust", collector)
    names = list(config.sources)
    if collector.doubt:
        names.sort(key="bundled".__eq__)  # The bundle comes last.
    for name in names:
        if name == "bundled" and purpose != SERVER_AUTH:
            continue
        before = collector.count()
        if name == "bundled" and before and collector.doubt:
            collector.problems.append(SourceError(name, f"is excluded, because {collector.doubt}"))
            continue
        _read(_MODULES[name], name, collector)
        if config.mode == "fallback" and collector.count() > before:
            break
    _read(extra, "extra", collector)
    _read(removed, "removed roots", collector)
    return collector


def _read(module: ModuleType, name: str, collector: Collector) -> None:
    try:
        module.read(collector)
    except Exception as error:
        # An internal error. The other sources, and the entries that were read before it, remain valid.
        collector.problems.append(SourceError(name, f"could not be read: {error!r}"))
        collector.recorder.must_be_retried()
        if name == "distrust":
            collector.blocklist.is_complete = False


def _report_distrusted_choices(collector: Collector) -> None:
    """Report each distrusted root in a file that the user configured, since it is not trusted there either.

    Other locations, such as certifi's bundle, may contain distrusted roots without a problem.
    """
    config = collector.config
    chosen = {"extra"}
    if config.overrides_system:
        chosen.add("system")
    if config.bundle:
        chosen.add("bundled")
    for anchor in collector.distrusted():
        for source, path in anchor.listed_by:
            if source in chosen:
                by = ", ".join(anchor.distrusted_by)
                message = f"the certificate with SHA-256 {anchor.sha256} is not trusted, because {by} distrusts it"
                collector.problems.append(SourceError(path, message))


def _no_roots(collector: Collector) -> str:
    paths = [location.path for location in collector.locations]
    others = f" and {len(paths) - _MOST_PATHS} more" if len(paths) > _MOST_PATHS else ""
    shown = f"{', '.join(paths[:_MOST_PATHS])}{others}" or "none"
    sources = ",".join(collector.config.sources) or "none"
    return f"no trusted root was found, so no server can be verified. Sources: {sources}; locations read: {shown}"


def _debug(trust_set: TrustSet) -> None:
    from certhook import _warnings

    for location in trust_set.locations:
        _warnings.debug(f"{location.source}: {location.path}: {location.note or f'{location.count} anchors'}")
    for anchor in trust_set.expired:
        paths = ", ".join(path for _, path in anchor.listed_by)
        _warnings.debug(f"expired, and ignored because it is not self-issued: SHA-256 {anchor.sha256} in {paths}")
    for anchor in trust_set.distrusted:
        _warnings.debug(f"distrusted by {', '.join(anchor.distrusted_by)}: SHA-256 {anchor.sha256}")
