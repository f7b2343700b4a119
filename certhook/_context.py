"""From trust to an ``SSLContext`` that is loaded with it.

A fresh context is pointed at a compiled store, by :func:`certhook._trust.give`, and
OpenSSL reads a root when a chain needs it. Everything else is here: contexts that have
certificates already, those that are asked for their roots, and trust without a store.
"""

import _ssl
import os

from certhook._patch import CALLERS, LOADED, STORE, context_class_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Iterable

    from certhook._trust import Trust
    from certhook.exceptions import CerthookError

# Not the context's own method, which a subclass may have overridden and certhook wraps.
_load = _ssl._SSLContext.load_verify_locations


def load(context: "ssl.SSLContext", trust: "Trust") -> None:
    """Make *context* trust every anchor of *trust*.

    One that OpenSSL refuses is left out, in this and every later context, and
    added to the problems of *trust*.
    """
    marks = context.__dict__
    if trust.store is not None and trust.store in (marks.get(STORE), marks.get(LOADED)):
        return  # truststore asks for default trust at every connection.
    # OpenSSL asks a directory only for names of which it has no certificate yet, and stops at the
    # first directory with one: a namesake of the caller's, or of another trust set, would hide the root.
    load_whole(context)
    if trust.store is not None:
        if CALLERS in marks or LOADED in marks or _ssl._SSLContext.cert_store_stats(context)["x509"]:
            _load_store(context, trust.store)
        else:
            _load(context, capath=trust.store)
            marks[STORE] = trust.store
    elif trust.anchors:
        _load_each(context, trust)


def _load_each(context: "ssl.SSLContext", trust: "Trust") -> None:
    try:
        _load(context, cadata=b"".join(trust.anchors))
        return
    except _ssl.SSLError:
        pass  # One bad certificate stops those behind it (cpython#79846).
    trust.anchors = load_one_by_one(context, trust.anchors, trust.problems)


def load_one_by_one(
    context: "ssl.SSLContext", anchors: "Iterable[bytes]", problems: "list[CerthookError]"
) -> "tuple[bytes, ...]":
    """Load each of *anchors* that OpenSSL does not refuse into *context*.

    :param anchors: as DER
    :param problems: to which one is added for each that is refused
    :returns: those that were loaded
    """
    from hashlib import sha256

    from certhook.exceptions import SourceError

    loaded = []
    for anchor in anchors:
        try:
            _load(context, cadata=anchor)
        except _ssl.SSLError as error:
            name = f"the certificate with SHA-256 {sha256(anchor).hexdigest()}"
            problems.append(SourceError(name, f"was skipped, OpenSSL refuses it: {error}"))
        else:
            loaded.append(anchor)
    return tuple(loaded)


def load_whole(context: "ssl.SSLContext") -> None:
    """Load every certificate of the store that *context* is pointed at, if it is."""
    store = context.__dict__.get(STORE)
    if store is None:
        return
    from certhook import _config, _store, _trust

    if not _store.is_whole(store):
        # Damaged under the program: made again at the same place, if it still is made of the same.
        _trust.forget()
        for purpose in (_config.SERVER_AUTH, _config.CLIENT_AUTH):
            _trust.current(_config.current(), purpose)
    if os.path.isdir(store):
        _load_store(context, store)
        # Now, and not before: other threads may ask it at the same time.
        context.__dict__.pop(STORE, None)


def scratch() -> "ssl.SSLContext":
    """A fresh context, to try certificates in: the standard library's own, whatever stands in its place."""
    import ssl

    return context_class_of(ssl)(ssl.PROTOCOL_TLS_CLIENT)  # type: ignore[no-any-return]


# By their paths: the names of stores change with what is in them.
_loadable: "dict[str, bool]" = {}


def is_loadable(bundle: str) -> bool:
    """Whether OpenSSL loads the *bundle* of a compiled store: one certificate that it refuses stops those behind it."""
    if bundle not in _loadable:
        try:
            _load(scratch(), cafile=bundle)
            _loadable[bundle] = True
        except (OSError, _ssl.SSLError):
            _loadable[bundle] = False
    return _loadable[bundle]


def _load_store(context: "ssl.SSLContext", store: str) -> None:
    for name in sorted(os.listdir(store)):
        if name[8:9] == ".":
            try:
                _load(context, cafile=os.path.join(store, name))
            except (OSError, _ssl.SSLError):
                continue  # As OpenSSL does when it looks this one up.
    context.__dict__[LOADED] = store
