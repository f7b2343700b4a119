"""Default trust in this process: determining it, and applying it to contexts.

Default trust is a compiled store, which a warm process finds through its index without parsing
a certificate; or else the anchors that were read from the sources. It stays valid as long
as the variables and all inputs are unchanged. Threads may determine it at the same time,
which is harmless.

This module is imported for every first context. Modules that only a cold process needs are
imported inside functions.
"""

import _ssl
import os
from time import monotonic

from certhook import _config, _store
from certhook._config import CLIENT_AUTH
from certhook._finder import undisturbed
from certhook._state import is_server, load_module, mark, markers_of, print_problem, process
from certhook._watch import Monitor, Snapshot, exists, files_signature, index_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any, Optional, Sequence, Tuple

    from certhook._config import Config
    from certhook._store import Protection
    from certhook._types import Signature
    from certhook.exceptions import CerthookError

# The effective user; Windows has no user IDs.
_user = getattr(os, "geteuid", int)

# Not the context's own methods, which a subclass may override and certhook wraps.
_load = _ssl._SSLContext.load_verify_locations
_stats = _ssl._SSLContext.cert_store_stats
_flags: "Any" = _ssl._SSLContext.verify_flags


# VERIFY_CRL_CHECK_LEAF and the additional flag of VERIFY_CRL_CHECK_CHAIN.
_CRL_CHECKS = 0x4 | 0x8

# How often the checksums of a store are verified after failed verifications if no file has changed, in seconds.
_CHECKSUM_INTERVAL = 1


class Trust:
    """Default trust for one purpose.

    :ivar config: the settings
    :ivar store: the link or the compiled store that contexts point at, None if certificates are loaded
    :ivar resolved: the path of *store* without links, empty if there is none
    :ivar anchors: the certificates to load as DER, each followed by its trust settings; empty if there is a store
    :ivar problems: the problems to report
    :ivar eager_reason: why there is no store, empty if there is one
    :ivar built: when the store was built, in seconds since the epoch, and why
    :ivar roots: the number of roots by source, as text
    :ivar user: the effective user; a store that is safe for one user may be unsafe for another
    :ivar is_provisional: whether an input could not be read because of an error that may be transient
    :ivar is_reduced: whether the public bundle that is requested was reduced, so that the request is not adopted
    """

    __slots__ = (
        "_files",
        "_lacks_bundle",
        "_monitor",
        "_verified",
        "anchors",
        "built",
        "config",
        "eager_reason",
        "is_provisional",
        "is_reduced",
        "problems",
        "resolved",
        "roots",
        "store",
        "user",
    )

    def __init__(
        self,
        config: "Config",
        snapshot: Snapshot,
        problems: "Sequence[CerthookError]",
        store: "Optional[str]",
        resolved: str,
        store_signature: "Signature",
        files: "Signature",
        built: "Tuple[int, str]",
        roots: str,
        anchors: "Tuple[bytes, ...]" = (),
        eager_reason: str = "",
        volatile: bool = False,
        is_reduced: bool = False,
    ) -> None:
        self.is_reduced = is_reduced
        self.config = config
        self.problems = tuple(problems)
        self.store = store
        self.resolved = resolved
        self.built = built
        self.roots = roots
        self.anchors = anchors
        self.eager_reason = eager_reason
        self.user = _user()
        self.is_provisional = snapshot.is_provisional
        self._files = files
        self._verified = 0.0
        self._lacks_bundle = bool(problems) and _problems("lack_bundle", self.problems)
        also = [] if store is None else [("path", store, "", store_signature)]
        self._monitor = None if volatile else Monitor(snapshot, also, self._is_store_complete)

    def is_current(self, is_suspect: bool = False) -> bool:
        """Return whether all inputs and the store are unchanged.

        :param is_suspect: whether to check everything at once, and the checksums of the store as well
        """
        monitor = self._monitor
        if monitor is None or not (monitor.check_now() if is_suspect else monitor.is_current()):
            return False
        return not self._lacks_bundle or _problems("lack_bundle", self.problems)

    def without_rejected(self, anchors: "Tuple[bytes, ...]", problems: "Sequence[CerthookError]") -> "Trust":
        """Return the same default trust, reduced to *anchors* after OpenSSL rejected others."""
        reduced: Trust = object.__new__(Trust)
        for name in Trust.__slots__:
            setattr(reduced, name, getattr(self, name))
        reduced.anchors = anchors
        reduced.problems = tuple(problems)
        return reduced

    def _is_store_complete(self, is_suspect: bool) -> bool:
        if self.store is None:
            return True
        try:
            files = files_signature(self.resolved)
        except OSError:
            return False
        # Damage of the disk leaves the signature unchanged. A server that a program polls may fail very often.
        second = monotonic() // _CHECKSUM_INTERVAL if is_suspect else self._verified
        if (files, second) == (self._files, self._verified):
            return True
        self._files, self._verified = files, second
        protection = _store.Protection(package_beside(os.path.dirname(self.store)))
        return load_module("_store.verification").is_complete(self.resolved, protection)  # type: ignore[no-any-return]


@undisturbed
def _problems(function: str, *args: "Any") -> "Any":
    return getattr(load_module("_problems"), function)(*args)


def current(config: "Config", purpose: int, occasion: str = "") -> Trust:
    """Return default trust for *purpose*, determined again if an input has changed.

    A change counts only if the new state can be read: while an error that may be transient prevents
    that (no file descriptor is left, an audit hook raises), the previous default trust remains in
    effect, and the next context tries again. A missing, empty or inaccessible file is a new state.

    :param occasion: why everything is checked at once, and the checksums of the store as well; empty for a new context
    """
    key = purpose, config.requested
    trust: Optional[Trust] = process.trust.get(key)
    if trust is None or trust.config is not config or trust.user != _user():
        trust = process.trust[key] = _determine(config, purpose, occasion)
    elif not trust.is_current(bool(occasion)):
        trust = process.trust[key] = _determine_again(trust, purpose, occasion)
    return trust


def _determine_again(trust: Trust, purpose: int, occasion: str) -> Trust:
    """Return default trust after a change, or *trust* if the new state cannot be read."""
    is_usable = trust.store is None or exists(trust.store)
    try:
        new: Trust = _determine(trust.config, purpose, occasion)
    except Exception:
        if is_usable:
            return trust
        raise
    if is_usable and new.is_provisional and not trust.is_provisional:
        return trust
    if trust.store is not None and new.store is not None and trust.store != new.store:
        follow = load_module("_store.prune").follow
        follow(trust.store, new.store, package_beside(os.path.dirname(new.store)))
    return new


# In memory (frozen into C, PyOxidizer), a module has no __file__.
_PACKAGE = os.path.dirname(globals().get("__file__", "")) or None


def directory_beside_package() -> "Optional[str]":
    """Return the directory next to the package, in which ``python -m certhook compile`` creates the store."""
    package = _PACKAGE
    return os.path.join(os.path.dirname(package), "certhook-store") if package and os.path.isabs(package) else None


def package_beside(directory: str) -> "Optional[str]":
    """Return the package if *directory* is the one next to it, or else None."""
    return _PACKAGE if directory == directory_beside_package() else None


@undisturbed
def _determine(config: "Config", purpose: int, occasion: str) -> Trust:
    if config.load == "eager":
        return _read(config, purpose, None, (), "CERTHOOK_LOAD=eager")
    own, reason = _store.store_directory(config.store_dir)
    if own is None and reason != _store.NO_DATA_DIRECTORY:
        return _read(config, purpose, None, (), reason)
    settings = index_settings(config, purpose)
    directories = [(directory_beside_package(), _PACKAGE), (own, None)]
    store, index, rejected = _store.lookup(directories, settings, _verify, is_suspect=bool(occasion))
    if store is None or index is None:
        because = str(rejected[-1]) if rejected else "there was no store"
        return _read(config, purpose, own, settings, reason, f"{because} ({occasion})" if occasion else because)
    problems = [*config.problems, *(_problems("restore", index.problems) if index.problems else ())]
    resolved = os.path.join(os.path.dirname(store), index.digest)
    signatures = index.store_signature, index.files_signature
    return Trust(config, index.snapshot, problems, store, resolved, *signatures, index.built, index.roots)


def _verify(store: str, protection: "Protection") -> None:
    load_module("_store.verification").check(store, protection)


def _read(
    config: "Config",
    purpose: int,
    directory: "Optional[str]",
    settings: "Tuple[str, ...]",
    eager_reason: str,
    reason: str = "",
) -> Trust:
    """Read the sources, and build a store in *directory*, unless it is None because of *eager_reason*."""
    start = load_module("_cold_start").ColdStart(config, purpose, directory, settings, eager_reason, reason)
    trust_set = start.trust_set
    return Trust(
        config,
        trust_set.snapshot,
        trust_set.problems,
        start.store,
        "" if start.store is None else os.path.realpath(start.store),
        start.store_signature,
        start.files_signature,
        start.built,
        start.roots,
        start.ders,
        start.eager_reason,
        trust_set.volatile,
        trust_set.is_reduced,
    )


def apply(
    context: "ssl.SSLContext", purpose: int, named: "Optional[str]" = None
) -> "Optional[Sequence[CerthookError]]":
    """Make *context* trust the anchors of default trust for *purpose*.

    A server's context verifies clients, whatever purpose was requested.

    :param named: the public bundle that the caller names, None if it requests default trust
    :returns: the problems to report; None, and the context is unchanged, if the named bundle was reduced
    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``, if a setting or source is wrong
    """
    markers = markers_of(context)
    if markers.is_for_server or is_server(context):
        purpose = CLIENT_AUTH
    config = _config.current()
    config = config.adopting(named)
    trust = current(config, purpose)
    if trust.is_reduced:
        return None
    if trust.problems:
        raise_problem(trust)
    store = trust.store
    has_certificates = markers.has_caller_certs or markers.store or markers.loaded or _stats(context)["x509"]
    if store is not None and not has_certificates:
        _load(context, capath=store)
        markers = mark(context)
        markers.request = config, purpose
        markers.store, markers.resolved = store, trust.resolved
    else:
        trust = _load_into(context, trust, purpose)
        mark(context).loaded_request = config, purpose
        if trust.store is not None and markers_of(context).store == trust.store:
            mark(context).request = config, purpose
    if _flags.__get__(context) & _CRL_CHECKS:
        load_module("_revocation").load_lists(context)
    if config.debug:
        load_module("_warnings").debug(f"{context!r} has {trust.store or f'{len(trust.anchors)} anchors'}")
    return trust.problems


def raise_problem(trust: Trust) -> None:
    """Raise the first problem of *trust*, if there is one, with ``CERTHOOK_ON_ERROR=raise``."""
    if trust.problems and trust.config.on_error == "raise":
        # Without the frames of earlier raises.
        raise trust.problems[0].with_traceback(None)


@undisturbed
def _load_into(context: "ssl.SSLContext", trust: Trust, purpose: int) -> Trust:
    """Load the anchors of *trust* into a context that contains certificates, or without a store."""
    from certhook import _loading

    if trust.store is not None and _loading.has_store(context, trust.store, trust.resolved):
        return trust
    if markers_of(context).store not in (None, trust.store):
        recheck(context, "noticed by a second request")
    if trust.store is not None:
        _loading.load_store(context, trust.store, trust.resolved)
        return trust
    problems = list(trust.problems)
    anchors = _loading.load_anchors(context, trust.anchors, problems)
    if anchors != trust.anchors:
        trust = process.trust[purpose, trust.config.requested] = trust.without_rejected(anchors, problems)
    return trust


def recheck(context: "ssl.SSLContext", occasion: str) -> None:
    """Check at once whether the compiled store of *context* is complete and current, and rebuild it if not.

    If default trust has another link or store now, the context points at both. If the store is missing and
    cannot be built, for example because the disk is full, the context loads its roots.

    :param occasion: why, as ``status`` reports it
    """
    store, request = markers_of(context).store, markers_of(context).request
    if store is None:
        return
    if request is None:
        _restore(context, store)
        return
    config, purpose = request
    trust = current(config, purpose, occasion)
    if trust.store not in (None, store):
        _load(context, capath=trust.store)
        markers = mark(context)
        markers.store, markers.resolved = trust.store, trust.resolved
    elif trust.store is None and not exists(store):
        from certhook import _loading

        _loading.load_anchors(context, trust.anchors, [])
        mark(context).store = None


def _restore(context: "ssl.SSLContext", store: str) -> None:
    from certhook._store.named import restore

    anchors = restore(store)
    if anchors:
        from certhook import _loading

        _loading.load_anchors(context, anchors, [])
        mark(context).store = None


def report(problems: "Sequence[CerthookError]") -> None:
    """Issue a warning for each of *problems*, once per process, up to a limit."""
    try:
        warnings = load_module("_warnings")
    except Exception:  # certhook was uninstalled, or no file descriptor is left. The context is more important.
        # Not their texts, which may contain credentials that only the missing module removes.
        print_problem(f"trust may lack roots, because of {len(problems)} problems that cannot be reported")
        return
    for position, problem in enumerate(problems, 1):
        if warnings.is_exhausted():
            return
        warnings.warn(str(problem), others=len(problems) - position)
