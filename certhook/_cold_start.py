"""Default trust without a usable store: reading the sources, and building a store of their anchors."""

from __future__ import annotations

from certhook import _warnings
from certhook._sources import read_trust_set
from certhook._store import Unusable
from certhook._watch.paths import signature
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

    from certhook._config import Config
    from certhook._types import Signature
    from certhook.exceptions import CerthookError


class ColdStart:
    """The trust set that was read from the sources, and the store that was built from it.

    :param purpose: the bit of the purpose
    :param directory: the directory in which to build the store, None to build none because of *eager_reason*
    :param settings: everything that the trust set depends on besides its inputs
    :param eager_reason: why no store is built, empty if one is built in *directory*
    :param rejected: why directories with an index were rejected
    :ivar trust_set: the trust set
    :ivar store: the compiled store, None if there is none
    :ivar store_signature: the signature of the store's directory
    :ivar eager_reason: why there is no store, empty if there is one
    :ivar problems: the problems to report
    """

    def __init__(
        self,
        config: Config,
        purpose: int,
        directory: str | None,
        settings: tuple[str, ...],
        eager_reason: str,
        rejected: Sequence[Unusable],
    ) -> None:
        self.trust_set = read_trust_set(config, purpose)
        self.store: str | None = None
        self.store_signature: Signature = None
        self.eager_reason = eager_reason
        self.problems: list[CerthookError] = list(self.trust_set.problems)
        for failure in rejected:
            self._report(failure, is_configured=False)
        if self.trust_set.is_reduced:
            self.eager_reason = "the public bundle was reduced, so the request for it is not adopted"
        elif not self.trust_set.anchors:
            self.eager_reason = eager_reason or "there are no roots"
        elif directory is not None:
            self._compile(config, directory, settings)
        if self.eager_reason and config.debug:
            _warnings.debug(f"no compiled store: {self.eager_reason}")

    @property
    def ders(self) -> tuple[bytes, ...]:
        """The certificates to load into contexts, each followed by its trust settings, in the order of a store."""
        stored = () if self.store is not None else self.trust_set.stored
        return tuple([anchor.der + anchor.auxiliary for anchor in stored])

    def _compile(self, config: Config, directory: str, settings: tuple[str, ...]) -> None:
        from certhook._store.build import compile_store, is_shared

        try:
            self.store = compile_store(directory, self.trust_set, settings, is_shared())
            self.store_signature = signature(self.store)
        except Unusable as failure:
            self.eager_reason = str(failure)
            self._report(failure, is_configured=bool(config.cache_dir))

    def _report(self, failure: Unusable, is_configured: bool) -> None:
        # The user is not responsible for a public directory that certhook chose itself.
        if failure.is_unsafe or (failure.is_public and is_configured):
            problem = SourceError("compiled store", f"{failure}. It is not used; roots are loaded into each context")
            if str(problem) not in map(str, self.problems):
                self.problems.append(problem)
