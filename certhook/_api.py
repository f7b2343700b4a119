"""The public functions for contexts and trust sets, re-exported by :mod:`certhook`."""

from __future__ import annotations

from certhook import _config
from certhook._config import SERVER_AUTH, purpose_bit
from certhook._state import require_tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from os import PathLike
    from typing import Union

    from certhook._sources.trust_set import TrustSet

    StrOrBytesPath = Union[str, bytes, PathLike[str], PathLike[bytes]]


def create_default_context(
    purpose: ssl.Purpose | None = None,
    *,
    cafile: StrOrBytesPath | None = None,
    capath: StrOrBytesPath | None = None,
    cadata: str | bytes | bytearray | memoryview | None = None,
) -> ssl.SSLContext:
    """Create a context as ``ssl.create_default_context()`` does if certhook is installed.

    For libraries: neither the hook nor ``ssl`` is changed.

    :param purpose: the peers that the context verifies; servers by default
    :param cafile: a file of roots, as text, bytes or path object, instead of default trust; a public bundle is adopted
    :param capath: likewise a directory of roots in OpenSSL's hashed layout
    :param cadata: roots as PEM text or DER that replace default trust; certifi's text is adopted
    :returns: a context with the settings of ``ssl.create_default_context()``
    :raises CerthookError: if this Python has no TLS; with ``CERTHOOK_ON_ERROR=raise``, if a setting or source is wrong
    :warns CerthookWarning: otherwise, if a setting or source is wrong
    """
    require_tls()
    from certhook import _contexts

    return _contexts.create_default_context(purpose, cafile=cafile, capath=capath, cadata=cadata)


def load_default_certs(context: ssl.SSLContext, purpose: ssl.Purpose | None = None) -> None:
    """Load default trust into *context*, as ``context.load_default_certs(purpose)`` does if certhook is installed.

    For libraries: neither the hook nor ``ssl`` is changed. A context of the class ``ssl.SSLContext`` gets a subclass
    of the same name, which is as fast as with the hook. Into a context of any other class, every root is loaded at
    once, which takes as long as in stock Python.

    :param context: a context that verifies its peers
    :param purpose: the peers that it verifies; servers by default
    :raises CerthookError: if this Python has no TLS; with ``CERTHOOK_ON_ERROR=raise``, if a setting or source is wrong
    :warns CerthookWarning: otherwise, if a setting or source is wrong
    """
    require_tls()
    from certhook import _contexts

    _contexts.load_default_certs(context, purpose)


def trust_set(purpose: ssl.Purpose | None = None) -> TrustSet:
    """Read the sources, and return default trust in this process with the sources of every anchor.

    Problems are neither raised nor issued as warnings; see :attr:`certhook.TrustSet.problems`.

    :param purpose: the peers to verify; servers by default
    :returns: the anchors of the sources in ``CERTHOOK_SOURCES``, without distrusted ones
    :raises CerthookError: if this Python has no TLS
    """
    require_tls()
    from certhook._sources import read_trust_set

    return read_trust_set(_config.current(), SERVER_AUTH if purpose is None else purpose_bit(purpose.oid))
