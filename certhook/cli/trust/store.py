"""The system's store as certhook reads it, whatever variables are set."""

from __future__ import annotations

import os

from certhook import _config
from certhook._certificates.anchor import Anchor
from certhook._config import Config
from certhook._sources import read_trust_set, settings_file
from certhook._text import printable
from certhook.cli._terminal import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

    from certhook.cli.trust.candidates import Candidate

_SYSTEM, _BUNDLED = "system", "bundled"
_OVERRIDES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CERTHOOK_SOURCES", "CERTHOOK_MODE")


class Store:
    """The roots of the system's store, and the certificates that the system distrusts, at one time."""

    def __init__(self) -> None:
        self._trust_set = read_trust_set(Config({}), is_limited=False)
        self._anchors = {anchor.der: anchor for anchor in self._trust_set.anchors}
        distrusted = (*self._trust_set.distrusted, *self._trust_set.blocklisted)
        self._distrusted = {anchor.der: anchor for anchor in distrusted}

    def paths(self, root: Candidate) -> list[str]:
        """Return the locations of the system's store that list *root*."""
        anchor = self._anchors.get(root.anchor.der)
        return [printable(path) for source, path in anchor.listed_by if source == _SYSTEM] if anchor else []

    def distrust(self, root: Candidate) -> str:
        """Return the block lists that distrust *root*; empty if there are none."""
        anchor = self._distrusted.get(root.anchor.der)
        return printable(", ".join(anchor.distrusted_by)) if anchor else ""

    def private_roots(self) -> list[Anchor]:
        """Return the roots of the system's store that certifi's bundle does not contain."""
        # Without the block lists, the bundle is not read.
        found = self._trust_set.anchors if self._trust_set.distrust_is_known else ()
        return [anchor for anchor in found if _SYSTEM in anchor.sources and _BUNDLED not in anchor.sources]


def require(roots: Sequence[Candidate]) -> None:
    """Verify that the system's store lists *roots*.

    :raises CommandError: if it does not
    """
    store = Store()
    for root in roots:
        if not store.paths(root):
            distrust = store.distrust(root)
            reason = f", because {distrust} distrusts it" if distrust else ""
            raise CommandError(f'the command succeeded, but the system\'s store does not contain "{root.name}"{reason}')


def is_overridden(roots: Sequence[Candidate]) -> str:
    """Return the settings because of which programs in this environment do not trust *roots*; empty if they do."""
    for is_limited, excluding in ((True, ""), (False, settings_file.location())):
        trust_set = read_trust_set(_config.current(), is_limited=is_limited)
        if {root.anchor.der for root in roots} <= {anchor.der for anchor in trust_set.anchors}:
            return excluding
    return ", ".join(name for name in _OVERRIDES if name in os.environ) or "a setting"
