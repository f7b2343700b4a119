"""The result of reading all sources: the anchors of default trust, and the locations that list them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook._certificates.anchor import Anchor
    from certhook._config import Config
    from certhook._watch import Snapshot
    from certhook.exceptions import CerthookError


class Location:
    """A file, directory or store that was read, and the anchors that it lists.

    :ivar source: the source that read it: "system", "bundled" or "extra"
    :ivar path: the path, or the name of a native store, such as that of a keychain or of a store of Windows
    :ivar ders: the anchors as DER, including anchors that another location lists, too
    :ivar note: why it lists no anchor, as a phrase; empty if it lists any

    The other attributes are internal, and may change in any release:

    :ivar listed: every certificate as DER, also those that are distrusted, restricted or expired
    :ivar is_stock: whether stock Python would load it for the same request
    """

    __module__ = "certhook"
    __slots__ = ("ders", "is_stock", "listed", "note", "path", "source")

    source: str
    path: str
    ders: set[bytes]
    note: str
    listed: set[bytes]
    is_stock: bool

    def __init__(self, source: str, path: str, is_stock: bool = False) -> None:
        self.is_stock = is_stock
        self.source = source
        self.path = path
        self.ders = set()
        self.listed = set()
        self.note = ""

    @property
    def count(self) -> int:
        """The number of anchors that it lists, without duplicates."""
        return len(self.ders)


class TrustSet:
    """The anchors of default trust for one purpose, with the locations that list them. Immutable.

    ``len()`` returns the number of anchors.

    :ivar anchors: the anchors without duplicates, in the order of their sources
    :ivar restricted: certificates that OpenSSL rejects for the purpose because of trust settings in a source
    :ivar expired: anchors that are ignored because they have expired and are not self-issued
    :ivar distrusted: anchors that a source lists and the administrator distrusts
    :ivar excluded: anchors that a source lists, and that ``CERTHOOK_REMOVED`` excludes
    :ivar blocklisted: distrusted certificates that no source lists as trusted
    :ivar distrust_is_known: whether all block lists, and the system-wide settings file, could be read
    :ivar locations: each file, directory and store that was read
    :ivar problems: invalid settings and unreadable sources, as exceptions

    The other attributes are internal, and may change in any release:

    :ivar stored: the anchors and the restricted certificates in the order in which OpenSSL reads them
    :ivar config: the settings
    :ivar snapshot: the inputs with their signatures, for change detection
    :ivar volatile: whether the result depends on something that no signature covers
    :ivar is_reduced: whether the public bundle that is requested lost roots after its installation
    """

    __module__ = "certhook"
    __slots__ = (
        "anchors",
        "blocklisted",
        "config",
        "distrust_is_known",
        "distrusted",
        "excluded",
        "expired",
        "is_reduced",
        "locations",
        "problems",
        "restricted",
        "snapshot",
        "stored",
        "volatile",
    )

    config: Config
    anchors: tuple[Anchor, ...]
    restricted: tuple[Anchor, ...]
    stored: tuple[Anchor, ...]
    expired: tuple[Anchor, ...]
    distrusted: tuple[Anchor, ...]
    excluded: tuple[Anchor, ...]
    blocklisted: tuple[Anchor, ...]
    distrust_is_known: bool
    locations: tuple[Location, ...]
    problems: tuple[CerthookError, ...]
    snapshot: Snapshot
    volatile: bool
    is_reduced: bool

    def __init__(self, **attributes: Any) -> None:
        """Set every attribute; lists become tuples."""
        for name in self.__slots__:
            value = attributes[name]
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} is read-only")

    def __len__(self) -> int:
        return len(self.anchors)

    @property
    def roots_by_source(self) -> str:
        """The number of anchors that each source lists, as text. A system store without anchors is included."""
        listed = [{source for source, _ in anchor.listed_by} for anchor in self.anchors]
        counts = {name: sum(name in sources for sources in listed) for name in (*self.config.sources, "extra")}
        shown = [f"{count} {name}" for name, count in counts.items() if count or name == "system"]
        return ", ".join(shown)
