"""What contexts are given: default trust in this process, now.

That is a compiled store, which a warm process finds through its index and for
which it parses no certificate; or else the anchors that the sources gave. It
holds as long as the variables, and the files and directories that had a say,
look as they did. A race between threads prepares it twice and harms nothing.

This is on the way to every first context: what only a cold one needs is
imported where it is needed.
"""

import _ssl
import os
import sys
from time import monotonic

from certhook import __version__, _config, _store
from certhook._config import CLIENT_AUTH, SERVER_AUTH, purpose_bit
from certhook._patch import CALLERS, LOADED, SERVES, STORE, is_applied, is_server
from certhook._store import Unusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from certhook._config import Config
    from certhook._sources import TrustSet
    from certhook._store import Inputs
    from certhook.exceptions import CerthookError


class Trust:
    """What contexts are given.

    :ivar store: the compiled store that they are pointed at, None where they are loaded
    :ivar anchors: the certificates to load, as DER, where there is no store
    :ivar problems: what is to be warned of
    :ivar eager_because: why there is no store, in a few words
    """

    __slots__ = (
        "_inputs",
        "_lacks_bundle",
        "_looked",
        "_looked_deep",
        "_store_seen",
        "_user",
        "_volatile",
        "_watched",
        "anchors",
        "config",
        "eager_because",
        "problems",
        "store",
    )

    def __init__(
        self,
        config: "Config",
        inputs: "Inputs",
        problems: "list[CerthookError]",
        store: "str | None" = None,
        anchors: "tuple[bytes, ...]" = (),
        volatile: bool = False,
    ) -> None:
        self.config = config
        self.problems = problems
        self.anchors = anchors
        self.eager_because = ""
        self._inputs = inputs
        self._volatile = volatile
        self._looked = self._looked_deep = monotonic()
        # A store is safe for one user only.
        self._user = _user()
        self._lacks_bundle = bool(problems) and _lacks_bundle(problems)
        self.set_store(store)

    def set_store(self, store: "str | None") -> None:
        """Have contexts pointed at *store*."""
        self.store = store
        self._store_seen = [(store, _store.signature(store))] if store else []
        self._watch()

    def _watch(self) -> None:
        inputs = self._inputs
        self._watched = _store.Watched([*self._store_seen, *(inputs.near.items() if not inputs.portable else ())])

    def is_current(self) -> bool:
        """Whether all that had a say, and the store, still look as they did."""
        if self._volatile or self._user != _user() or not self._watched.is_current():
            return False
        if self._lacks_bundle and not _lacks_bundle(self.problems):
            return False
        now = monotonic()
        inputs = self._inputs
        if now - self._looked <= _store.LINKED_LOOK_EVERY and not inputs.portable:
            return True
        self._looked = now
        if now - self._looked_deep <= _store.DEEP_LOOK_EVERY and not inputs.portable:
            return inputs.is_current(deep=False)
        self._looked_deep = now
        if self.store is not None and not _store.is_whole(self.store):
            return False
        if inputs.portable:
            # From now on by signatures that are cheap to have.
            self._inputs = inputs.seen_anew(portable=False)
            self._watch()
        return inputs.is_current(deep=True)


def _lacks_bundle(problems: "list[CerthookError]") -> bool:
    """Whether certifi was not to be found, and still is not: a program may put it on its path later."""
    from certhook import _certifi
    from certhook._finder import find_package

    was_missing = any(getattr(problem, "path", None) == _certifi.PACKAGE for problem in problems)
    return was_missing and find_package(_certifi.PACKAGE) is None


# The effective one; Windows has no numbers for them.
_user = getattr(os, "geteuid", int)

# Not the context's own methods, which a subclass may have overridden and certhook wraps.
_load = _ssl._SSLContext.load_verify_locations
_stats = _ssl._SSLContext.cert_store_stats

_HEXADECIMAL = "0123456789abcdef"

# By the bit of the purpose.
_held: "dict[int, Trust]" = {}


def current(config: "Config", purpose: int) -> "Trust":
    """What contexts are given for *purpose* now."""
    trust = _held.get(purpose)
    if trust is None or trust.config is not config or not trust.is_current():
        trust = _held[purpose] = _prepare(config, purpose)
    return trust


def forget() -> None:
    """Look at everything again for the next context."""
    _held.clear()


def settings(config: "Config", purpose: int) -> "tuple[str, ...]":
    """Everything that a trust set depends on besides the files: the key of its index."""
    bundle = config.bundle
    if bundle is None and "bundled" in config.sources and purpose == SERVER_AUTH:
        from certhook._finder import find_package

        spec = find_package("certifi")
        if spec is None or hasattr(sys, "_MEIPASS"):
            from certhook import _certifi

            bundle = _certifi.key(spec)
        else:
            bundle = f"{spec.origin} {spec.submodule_search_locations}"
    _, file, _, directory = _ssl.get_default_verify_paths()
    return (
        __version__,
        str(_ssl.OPENSSL_VERSION_NUMBER),
        sys.platform,
        str(purpose),
        ",".join(config.sources),
        config.mode,
        file,
        directory,
        _or_unset(config.cert_file),
        _or_unset(config.cert_dir),
        _or_unset(config.nix_cert_file),
        _or_unset(bundle),
        os.pathsep.join(config.extra),
    )


def _or_unset(value: "str | None") -> str:
    return "unset" if value is None else f"={value}"


def _prepare(config: "Config", purpose: int) -> Trust:
    if config.load == "eager":
        return _read(config, purpose, eager_because="CERTHOOK_LOAD=eager")
    own = _store.own_folder(config)
    if own is None:
        why = "CERTHOOK_CACHE_DIR=none" if config.cache_dir == "" else "there is no cache folder"
        if config.cache_dir == "" or _config.privileged() or _config.acts_for_another():
            return _read(config, purpose, eager_because=why)
    key = settings(config, purpose)
    unsafe: list[CerthookError] = []
    for folder in (_store.beside_package(), own):
        try:
            trust = _find_compiled(config, key, folder) if folder else None
            if trust is not None:
                return trust
        except Unusable as failure:
            if failure.unsafe and folder != own:
                unsafe.append(_complaint(failure))
    trust = _read(config, purpose, own, key) if own is not None else _read(config, purpose, eager_because=why)
    trust.problems += unsafe
    return trust


def _find_compiled(config: "Config", key: "tuple[str, ...]", folder: str) -> "Trust | None":
    if not os.path.exists(_store.index_path(folder, key)):
        return None
    folder = _store.resolve(folder)
    index = _store.find(folder, key)
    if index is None:
        return None
    problems: list[CerthookError] = [*config.problems]
    if index.problems:
        from certhook.exceptions import ConfigurationError, SourceError

        for name, message in index.problems:
            kind = ConfigurationError if name in _config.VARIABLES else SourceError
            problems.append(kind(name, message))
    return Trust(config, index.inputs, problems, os.path.join(folder, index.digest))


def _read(
    config: "Config", purpose: int, folder: str = "", key: "tuple[str, ...]" = (), eager_because: str = ""
) -> Trust:
    """Read the sources, and compile them into *folder* unless there is a reason not to."""
    from certhook._sources import TrustSet

    found = TrustSet(config, purpose)
    trust = Trust(config, found.inputs, found.problems, volatile=found.volatile)
    if found.anchors and not eager_because:
        from certhook._compiler import compile_into

        try:
            trust.set_store(compile_into(folder, found, key, shared=_store.is_shared(folder)))
        except Unusable as failure:
            eager_because = str(failure)
            if failure.unsafe or (failure.public and config.cache_dir):
                trust.problems.append(_complaint(failure))
    if trust.store is None:
        # Of roots with one name, OpenSSL takes the first: in the order that they have in a store.
        trust.anchors = tuple(sorted([anchor.der for anchor in found.anchors]))
    trust.eager_because = eager_because or ("" if found.anchors else "there are none")
    if eager_because and config.debug:
        from certhook import _report

        _report.debug(f"no compiled store: {eager_because}")
    return trust


def _complaint(failure: Unusable) -> "CerthookError":
    from certhook.exceptions import SourceError

    return SourceError("compiled store", f"{failure}. It is not used, roots are loaded into each context")


def give(context: "ssl.SSLContext", purpose: int) -> "list[CerthookError]":
    """Make *context* trust what default trust is for *purpose*.

    A server's context verifies clients, whatever was asked for.

    :returns: what is to be warned of
    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``, where a setting or source is at fault
    """
    marks = context.__dict__
    if is_server(context) or SERVES in marks:
        purpose = CLIENT_AUTH
    config = _config.current()
    trust = current(config, purpose)
    if trust.problems and config.on_error == "raise":
        # Without the frames of those who were told before.
        raise trust.problems[0].with_traceback(None)
    store = trust.store
    has_certificates = CALLERS in marks or STORE in marks or LOADED in marks or _stats(context)["x509"]
    if store is not None and not has_certificates:
        _load(context, capath=store)
        marks[STORE] = store
    else:
        from certhook import _context

        _context.load(context, trust)
    if config.debug:
        from certhook import _report

        _report.debug(f"{context!r} has {trust.store or f'{len(trust.anchors)} anchors'}")
    return trust.problems


def store_in_place_of(capath: "str | None") -> "tuple[str | None, str] | None":
    """The compiled store as a file and a directory, where the directory that Python names holds no root.

    :param capath: the directory that Python names, None where there is none
    """
    if capath is not None:
        try:
            if any(name[8:9] == "." and not name[:8].strip(_HEXADECIMAL) for name in os.listdir(capath)):
                return None
        except OSError:
            pass
    store = current(_config.current(), SERVER_AUTH).store
    if store is None:
        return None
    from certhook import _context

    bundle = os.path.join(store, _store.BUNDLE)
    return (bundle if _context.is_loadable(bundle) else None), store


def report(problems: "list[CerthookError]") -> None:
    """Warn of each of *problems*, once in a process."""
    try:
        from certhook import _report
    except Exception:
        return  # Uninstalled, or out of file descriptors: the context matters more than the word about it.
    for problem in problems:
        _report.warn(str(problem))


def load_default_certs(context: "ssl.SSLContext", purpose: "ssl.Purpose | None" = None) -> None:
    """Give *context* default trust, as ``context.load_default_certs(purpose)`` does where certhook is installed.

    For a host that wants no import hook. Without the hook, the context is loaded with every root
    at once, which takes as long as Python itself takes for it.

    :param context: a context that is to verify its peers
    :param purpose: whom it verifies; servers unless given
    :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``, where a setting or source is at fault
    :warns CerthookWarning: of a setting or source that is at fault, otherwise
    """
    problems = give(context, SERVER_AUTH if purpose is None else purpose_bit(purpose.oid))
    if STORE in context.__dict__ and not is_applied(context):
        from certhook import _context

        _context.load_whole(context)
    report(problems)


def trust_set(purpose: "ssl.Purpose | None" = None) -> "TrustSet":
    """Read the sources anew: what default trust means in this process now, and who listed it.

    Nothing is raised or warned of: what is wrong is in :attr:`TrustSet.problems`.

    :param purpose: whom it is to verify; servers unless given
    """
    from certhook._sources import TrustSet

    return TrustSet(_config.current(), SERVER_AUTH if purpose is None else purpose_bit(purpose.oid))
