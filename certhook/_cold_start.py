"""Default trust without a usable store: reading the sources, and building a store of their anchors."""

from __future__ import annotations

from time import time

from certhook._sources import read_trust_set
from certhook._state import load_module
from certhook._store import Unusable
from certhook._watch import files_signature, path_signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._config import Config
    from certhook._types import Signature


class ColdStart:
    """The trust set that was read from the sources, and the store that was built from it.

    :param purpose: the bit of the purpose
    :param directory: the directory in which to build the store, None to build none because of *eager_reason*
    :param settings: everything that the trust set depends on besides its inputs
    :param eager_reason: why no store is built, empty if one is built in *directory*
    :param reason: why a store is built
    :ivar trust_set: the trust set
    :ivar store: the path that contexts point at, None if there is no compiled store
    :ivar store_signature: the signature of the store's directory
    :ivar files_signature: the signature of its files
    :ivar eager_reason: why there is no store, empty if there is one
    :ivar built: when the store was built, in seconds since the epoch, and why
    """

    def __init__(
        self,
        config: Config,
        purpose: int,
        directory: str | None,
        settings: tuple[str, ...],
        eager_reason: str,
        reason: str,
    ) -> None:
        self.trust_set = read_trust_set(config, purpose)
        self.store: str | None = None
        self.store_signature: Signature = None
        self.files_signature: Signature = None
        self.eager_reason = eager_reason
        self.built = (int(time()), reason)
        if self.trust_set.is_reduced:
            self.eager_reason = "the public bundle was reduced, so the request for it is not adopted"
        elif not self.trust_set.anchors:
            self.eager_reason = eager_reason or "there are no roots"
        elif directory is not None:
            self._compile(config, directory, settings, reason)
        if config.debug:
            found = f"no compiled store: {self.eager_reason}" if self.eager_reason else f"built {self.store}: {reason}"
            load_module("_warnings").debug(found)

    @property
    def roots(self) -> str:
        """The number of roots by source, as text."""
        return self.trust_set.roots_by_source

    @property
    def ders(self) -> tuple[bytes, ...]:
        """The certificates to load into contexts, each followed by its trust settings, in the order of a store."""
        stored = () if self.store is not None else self.trust_set.stored
        return tuple([anchor.der + anchor.auxiliary for anchor in stored])

    def _compile(self, config: Config, directory: str, settings: tuple[str, ...], reason: str) -> None:
        build, prune = load_module("_store.build"), load_module("_store.prune")
        try:
            self.store = build.compile_store(directory, self.trust_set, settings, build.is_shared(), reason)
            self.store_signature = path_signature(self.store)
            self.files_signature = files_signature(self.store)
        except Unusable as failure:
            self.eager_reason = str(failure)
        except Exception as error:  # A tool may have replaced functions of os. Roots are loaded without a store.
            if self.store is None:  # Otherwise it was removed meanwhile, and the next check detects that.
                self.eager_reason = f"no compiled store can be built: {error!r}"
        if config.store_dir is None:
            prune.remove_former()
