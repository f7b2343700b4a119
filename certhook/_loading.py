"""Loading certificates into an ``SSLContext``.

:func:`certhook._trust.apply` points a fresh context at a compiled store, from which OpenSSL reads
roots on demand. This module handles all other cases: contexts that already contain certificates,
contexts whose roots are queried, and default trust without a store.
"""

import _ssl
import os

from certhook._state import BUNDLE, mark, markers_of, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Callable, List

    from certhook.exceptions import CerthookError

# Not the context's own method, which a subclass may override and certhook wraps.
_load = _ssl._SSLContext.load_verify_locations


def has_store(context: "ssl.SSLContext", store: str, resolved: str) -> bool:
    """Return whether *context* already trusts every anchor of *store*.

    :param resolved: the path of *store* without links
    """
    markers = markers_of(context)
    if resolved == markers.loaded:
        return True
    if resolved != markers.resolved or markers.store is None:
        return False
    # The link of another request may lead to the same store.
    return store == markers.store or os.path.realpath(markers.store) == resolved


def load_store(context: "ssl.SSLContext", store: str, resolved: str) -> None:
    """Make *context*, which may contain other certificates, trust every anchor of *store*.

    :param resolved: the path of *store* without links
    """
    if has_store(context, store, resolved):
        return  # truststore requests default trust for every connection.
    markers = mark(context)
    # OpenSSL searches directories only for subjects without a loaded certificate, and stops at the first
    # directory that contains the subject: a certificate of the same name would hide the root.
    load_completely(context)
    if markers.has_caller_certs or markers.loaded or _ssl._SSLContext.cert_store_stats(context)["x509"]:
        _load_files(context, store)
    else:
        _load(context, capath=store)
        markers.store, markers.resolved = store, resolved


def load_anchors(
    context: "ssl.SSLContext", anchors: "tuple[bytes, ...]", problems: "list[CerthookError]"
) -> "tuple[bytes, ...]":
    """Make *context* trust *anchors*, except those that OpenSSL rejects.

    :param anchors: certificates as DER, each followed by OpenSSL's trust settings, if it has any
    :param problems: a problem is appended for each rejected certificate
    :returns: the certificates that were loaded
    """
    load_completely(context)
    if not anchors:
        return anchors
    from certhook._certificates.openssl import load_certificates, load_one_by_one, without_settings

    try:
        try:
            load_certificates(context, anchors)
            return anchors
        except _ssl.SSLError:
            # An invalid certificate prevents the following ones from being loaded (cpython#79846).
            return load_one_by_one(context, anchors, problems)
    except OSError as error:
        return load_one_by_one(context, without_settings(anchors, error, problems), problems)


def load_completely(context: "ssl.SSLContext") -> None:
    """Load every certificate of the store that *context* points at, if it points at one."""
    store = markers_of(context).store
    if store is not None and os.path.isdir(store):
        has_searched = _ssl._SSLContext.cert_store_stats(context)["x509"]
        _load_files(context, store)
        if has_searched:
            _sort(context, store)
        # Removed only now, because other threads may query the context at the same time.
        mark(context).store = None


def is_loadable(bundle: str) -> bool:
    """Return whether OpenSSL loads the PEM file of a compiled store.

    A certificate that it rejects would prevent the following ones from being loaded.
    """
    # Keyed by path, because a store's name depends on its content.
    bundle = os.path.realpath(bundle)
    loadable = process.loadable
    if bundle not in loadable:
        from certhook._certificates.openssl import load_file, new_context

        try:
            load_file(new_context(), bundle)
            loadable[bundle] = True
        except OSError:
            loadable[bundle] = False
    return loadable[bundle]


def load_files(store: str, load: "Callable[[str], bool]") -> None:
    """Load every certificate of a compiled store.

    :param load: loads a file, and returns whether OpenSSL accepts it
    """
    if not load(os.path.join(store, BUNDLE)):
        # A certificate that OpenSSL rejects prevents the following ones from being loaded. Files are loaded in the
        # order in which OpenSSL opens them: "10" follows "9".
        for name in sorted(os.listdir(store), key=lambda name: (len(name), name)):
            if name[8:9] == "." and not name[9:].strip("0123456789"):
                load(os.path.join(store, name))


def read_certificates(store: str) -> "List[bytes]":
    """Return the certificates of a compiled store as DER, each followed by OpenSSL's trust settings, if it has any.

    :raises OSError: if it does not exist
    """
    from certhook._certificates.pem import decode

    with open(os.path.join(store, BUNDLE), "rb") as file:
        return decode(file.read())


def _load_files(context: "ssl.SSLContext", store: str) -> None:
    # Not the link, which may be replaced meanwhile.
    store = os.path.realpath(store)
    load_files(store, lambda path: _load_file(context, path))
    mark(context).loaded = store


def _sort(context: "ssl.SSLContext", store: str) -> None:
    """Sort the certificates of *context*, as the first search of a handshake does in stock Python's context."""
    # Loading a certificate again has this effect, but OpenSSL 3.6 adds it once more if another one has its name.
    names = set(os.listdir(store))
    for name in names:
        if name.endswith(".0") and f"{name[:-1]}1" not in names:
            _load_file(context, os.path.join(store, name))
            break


def _load_file(context: "ssl.SSLContext", path: str) -> bool:
    """Load a file, and return whether OpenSSL accepts it."""
    try:
        _load(context, cafile=path)
    except OSError:
        from certhook._certificates.openssl import load_file

        try:
            load_file(context, path)
        except OSError:
            return False  # OpenSSL ignores such a file as well when it looks up a subject.
    return True
