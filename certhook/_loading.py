"""Loading certificates into an ``SSLContext``.

:func:`certhook._trust.apply` points a fresh context at a compiled store, from which OpenSSL reads
roots on demand. This module handles all other cases: contexts that already contain certificates,
contexts whose roots are queried, and default trust without a store.
"""

import _ssl
import os

from certhook._state import mark, markers_of, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from certhook.exceptions import CerthookError

# Not the context's own method, which a subclass may override and certhook wraps.
_load = _ssl._SSLContext.load_verify_locations


def load_store(context: "ssl.SSLContext", store: str) -> None:
    """Make *context*, which may contain other certificates, trust every anchor of *store*."""
    markers = mark(context)
    if store in (markers.store, markers.loaded):
        return  # truststore requests default trust for every connection.
    # OpenSSL searches directories only for subjects without a loaded certificate, and stops at the first
    # directory that contains the subject: a certificate of the same name would hide the root.
    load_completely(context)
    if markers.has_caller_certs or markers.loaded or _ssl._SSLContext.cert_store_stats(context)["x509"]:
        _load_files(context, store)
    else:
        _load(context, capath=store)
        markers.store = store


def load_anchors(
    context: "ssl.SSLContext", anchors: "tuple[bytes, ...]", problems: "list[CerthookError]"
) -> "tuple[bytes, ...]":
    """Make *context* trust *anchors*, except those that OpenSSL rejects.

    :param anchors: certificates as DER
    :param problems: a problem is appended for each rejected certificate
    :returns: the certificates that were loaded
    """
    load_completely(context)
    if not anchors:
        return anchors
    try:
        _load(context, cadata=b"".join(anchors))
        return anchors
    except _ssl.SSLError:
        pass  # An invalid certificate prevents the following ones from being loaded (cpython#79846).
    from certhook._certificates.openssl import load_one_by_one

    return load_one_by_one(context, anchors, problems)


def load_completely(context: "ssl.SSLContext") -> None:
    """Load every certificate of the store that *context* points at, if it points at one."""
    store = markers_of(context).store
    if store is not None and os.path.isdir(store):
        _load_files(context, store)
        # Removed only now, because other threads may query the context at the same time.
        mark(context).store = None


def is_loadable(bundle: str) -> bool:
    """Return whether OpenSSL loads the PEM file of a compiled store.

    A certificate that it rejects would prevent the following ones from being loaded.
    """
    # Keyed by path, because a store's name depends on its content.
    loadable = process.loadable
    if bundle not in loadable:
        from certhook._certificates.openssl import new_context

        try:
            _load(new_context(), cafile=bundle)
            loadable[bundle] = True
        except (OSError, _ssl.SSLError):
            loadable[bundle] = False
    return loadable[bundle]


def _load_files(context: "ssl.SSLContext", store: str) -> None:
    for name in sorted(os.listdir(store)):
        if name[8:9] == ".":
            try:
                _load(context, cafile=os.path.join(store, name))
            except (OSError, _ssl.SSLError):
                continue  # OpenSSL ignores such a file as well when it looks up a subject.
    mark(context).loaded = store
