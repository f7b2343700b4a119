"""The public functions for contexts and trust sets, re-exported by :mod:`certhook`."""

from __future__ import annotations

from certhook import _config
from certhook._config import SERVER_AUTH, purpose_bit
from certhook._state import is_hooked, markers_of, require_tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from certhook._sources.trust_set import TrustSet


def load_default_certs(context: ssl.SSLContext, purpose: ssl.Purpose | None = None) -> None:
    """Load default trust into *context*, as ``context.load_default_certs(purpose)`` does if certhook is installed.

    For hosts that do not use the import hook. Without the hook, every root is loaded at once, which
    takes as long as in stock Python.

    :param context: a context that verifies its peers
    :param purpose: the peers that it verifies; servers by default
    :raises CerthookError: if this Python has no TLS; with ``CERTHOOK_ON_ERROR=raise``, if a setting or source is wrong
    :warns CerthookWarning: otherwise, if a setting or source is wrong
    """
    require_tls()
    from certhook import _trust

    problems = _trust.apply(context, SERVER_AUTH if purpose is None else purpose_bit(purpose.oid))
    if markers_of(context).store is not None and not is_hooked(context):
        from certhook import _eager

        _eager.load_completely(context)
    _trust.report(problems or ())


def trust_set(purpose: ssl.Purpose | None = None) -> TrustSet:
    """Read the sources, and return default trust in this process with the sources of every anchor.

    Problems are neither raised nor issued as warnings; see :attr:`TrustSet.problems`.

    :param purpose: the peers to verify; servers by default
    :raises CerthookError: if this Python has no TLS
    """
    require_tls()
    from certhook._sources import read_trust_set

    return read_trust_set(_config.current(), SERVER_AUTH if purpose is None else purpose_bit(purpose.oid))
