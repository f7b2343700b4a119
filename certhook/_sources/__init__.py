"""Where anchors come from: ``system``, ``bundled`` and ``extra``.

:func:`collect` asks each source in turn and returns what all of them gave:
anchors, each once, *and* what could not be read.
"""

from __future__ import annotations

from certhook._config import SERVER_AUTH
from certhook._sources import bundled, distrust, extra, system
from certhook._sources.reader import Reader
from certhook.exceptions import CerthookError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from certhook._anchors import Anchor
    from certhook._config import Config
    from certhook._sources.reader import Place


class TrustSet:
    """The anchors of default trust for one purpose, and the account of where they were found.

    :ivar anchors: the anchors, each once, in the order of their sources
    :ivar removed: those that a source listed and that the system's administrator distrusts
    :ivar rejected: those that are distrusted, and that no source listed
    :ivar distrust_is_known: whether all could be read that says what is distrusted
    :ivar places: each file, directory and store that was looked at
    :ivar problems: what is wrong with a setting or a source, as exceptions
    :ivar config: what the environment said
    :ivar inputs: how all that was read looked then, by which a change is noticed
    :ivar closed: the paths that may not be read, and that say what is distrusted
    :ivar volatile: whether something was read whose changes nothing shows
    """

    __module__ = "certhook"
    __slots__ = (
        "anchors",
        "closed",
        "config",
        "distrust_is_known",
        "inputs",
        "places",
        "problems",
        "rejected",
        "removed",
        "volatile",
    )

    def __init__(self, config: Config, purpose: int) -> None:
        reader = collect(config, purpose)
        self.config = config
        self.anchors: tuple[Anchor, ...] = tuple(reader.anchors)
        self.removed: tuple[Anchor, ...] = tuple(reader.removed)
        self.rejected: tuple[Anchor, ...] = tuple(reader.rejected)
        self.distrust_is_known = reader.distrust.is_known
        self.places: tuple[Place, ...] = tuple(reader.places)
        self.problems: list[CerthookError] = reader.problems
        self.problems += _removed_from_what_was_named(config, self.removed)
        if not self.anchors and purpose == SERVER_AUTH:
            self.problems.append(CerthookError(_nobody(config, reader.places)))
        self.inputs = reader.inputs
        self.closed = reader.closed
        self.volatile = reader.volatile
        if config.debug:
            _debug(self)

    def __len__(self) -> int:
        return len(self.anchors)


def _removed_from_what_was_named(config: Config, removed: tuple[Anchor, ...]) -> Iterator[SourceError]:
    """Of roots that somebody named and that are distrusted, a word: why they have no effect.

    That the bundle, or another place of the system's store, has one is no fault of anybody's.
    """
    named = {"extra"}
    if config.explicit:
        named.add("system")
    if config.bundle:
        named.add("bundled")
    for anchor in removed:
        for source, path in anchor.listed:
            if source in named:
                by = ", ".join(anchor.rejected_by)
                message = f"the certificate with SHA-256 {anchor.sha256} is not trusted: {by} distrusts it"
                yield SourceError(path, message)


def _nobody(config: Config, places: list[Place]) -> str:
    looked = ", ".join(place.path for place in places) or "nothing"
    sources = ",".join(config.sources) or "none"
    return f"no trusted root was found, so no server can be verified. Sources: {sources}; looked at: {looked}"


def _debug(trust: TrustSet) -> None:
    from certhook import _report

    for place in trust.places:
        _report.debug(f"{place.source}: {place.path}: {place.note or f'{place.count} anchors'}")
    for anchor in trust.removed:
        _report.debug(f"distrusted by {', '.join(anchor.rejected_by)}: SHA-256 {anchor.sha256}")


_SOURCES = {"system": system, "bundled": bundled}


def collect(config: Config, purpose: int = SERVER_AUTH) -> Reader:
    """Read the sources that *config* names, for one *purpose* of trust.

    Mozilla's roots are for servers: the bundle is never read for another
    purpose. ``fallback`` stops at the first source that yields an anchor;
    ``extra`` is always added. Where it is not known what is distrusted, the
    bundle is left out if the system has anchors: those were chosen by who distrusts.
    """
    reader = Reader(config, purpose)
    _read(distrust, "distrust", reader)
    names = list(config.sources)
    if not reader.distrust.is_known:
        names.sort(key="bundled".__eq__)  # last
    for name in names:
        if name == "bundled" and purpose != SERVER_AUTH:
            continue
        before = reader.count
        if name == "bundled" and before and not reader.distrust.is_known:
            reader.problems.append(SourceError(name, "is left out, since it may have what this system distrusts"))
            continue
        _read(_SOURCES[name], name, reader)
        if config.mode == "fallback" and reader.count > before:
            break
    _read(extra, "extra", reader)
    return reader


def _read(source: object, name: str, reader: Reader) -> None:
    try:
        source.read(reader)  # type: ignore[attr-defined]
    except Exception as error:
        # A fault of certhook's own. What was read so far, and the other sources, still count.
        reader.problems.append(SourceError(name, f"could not be read: {error!r}"))
        reader.volatile = True
        if source is distrust:
            reader.distrust.is_known = False
