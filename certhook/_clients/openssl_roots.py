"""The roots that a context of pyOpenSSL requests, and when they are loaded.

Most contexts are created with ``TLS_METHOD``, or its old name ``SSLv23_METHOD``, for clients and servers alike. Such a
context gets its roots when its first connection becomes a client or a server, and a server never gets a public bundle.
If one context is used for both, its connections as a server use a new store of certificates from then on. That is
impossible if the caller modifies the store itself (``get_cert_store()``); such a context with a certificate of its own
may be a server, so it is treated as one.
"""

from __future__ import annotations

import os
from _thread import RLock

from certhook import _config, _trust
from certhook._clients.x509_store import X509Store
from certhook._config import CLIENT_AUTH, SERVER_AUTH
from certhook._finder import undisturbed
from certhook._state import process
from certhook.exceptions import CerthookError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from certhook._config import Config
    from certhook._trust import Trust


class Request:
    """A request for default trust, or for a public bundle.

    :ivar config: the settings when the caller requested roots, including the bundle
    :ivar file: the public bundle that the caller names, None if it requests default trust
    :ivar load_stock: loads the roots of stock pyOpenSSL
    """

    def __init__(self, config: Config, load_stock: Callable[[], object], file: Any = None, bundle: str | None = None):
        self.config = config.adopting(bundle)
        self.file = file
        self.load_stock = load_stock
        self._held: dict[int, Trust] = {}

    def hold(self) -> None:
        """Read all certificates, before the program gives up access to the files."""
        for purpose in SERVER_AUTH, CLIENT_AUTH:
            self._held[purpose] = self.trust(purpose)

    def trust(self, purpose: int) -> Trust:
        """Return the roots.

        :raises CerthookError: with ``CERTHOOK_ON_ERROR=raise``, if a setting or source is wrong
        """
        trust = self._held.get(purpose) or _trust.current(self.config, purpose)
        _trust.raise_problem(trust)
        return trust


class Roots:
    """The roots of one context.

    :ivar purpose: what the connections verify: ``SERVER_AUTH`` or ``CLIENT_AUTH``, None if this is not known yet
    :ivar is_accessed: whether the caller may have modified the store of certificates itself
    """

    def __init__(self, library: Any, context: Any, purpose: int | None, is_new: bool) -> None:
        """Record a context.

        :param library: the module ``OpenSSL.SSL``
        :param context: its ``SSL_CTX``
        :param purpose: the purpose according to the method of the context, None if the method has none
        :param is_new: whether the context was just created
        """
        self.purpose = purpose
        self.is_accessed = not is_new
        self._library = library
        self._context = context
        self._lock = RLock()
        self._has_fixed_purpose = purpose is not None
        self._requests: list[Request] = []
        # The numbers of requests that were answered for the purpose, and for servers while the purpose is unknown.
        self._answered = 0
        self._answered_for_servers = 0
        # Whether the store contains certificates or directories besides that of a compiled store.
        self._has_content = not is_new
        # The compiled store that OpenSSL reads on demand, and those that were loaded completely.
        self._store: str | None = None
        self._loaded: set[str] = set()
        self._files: list[tuple[Any, Any]] = []
        # The store of certificates that was replaced. Connections in other threads may still read it.
        self._previous: Any = None

    def request(
        self, config: Config, load_stock: Callable[[], object], file: Any = None, bundle: str | None = None
    ) -> None:
        """Answer a request for default trust or a public bundle, now or as soon as the purpose is known.

        :param load_stock: loads the roots of stock pyOpenSSL
        :param file: the public bundle that the caller names, None if it requests default trust
        :param bundle: the name of this bundle
        """
        request = Request(config, load_stock, file, bundle)
        with self._lock:
            if self.purpose is None:
                self._prepare(request)
            self._requests.append(request)
            if self.purpose is not None:
                self._answer(self.purpose)
            elif self.is_accessed:
                self._answer_for_servers()

    def use(self, purpose: int, has_certificate: bool = False) -> None:
        """Answer all requests for a connection.

        :param purpose: what the connection verifies
        :param has_certificate: whether it has a certificate of its own
        """
        if self.purpose == purpose and self._answered == len(self._requests):
            if self._store is not None:
                self._repair(purpose)
            return
        with self._lock:
            if self.purpose is None:
                self.purpose = CLIENT_AUTH if self.is_accessed and has_certificate else purpose
            if self.purpose == SERVER_AUTH and purpose == CLIENT_AUTH and not self._has_fixed_purpose:
                self._retract()
            self._answer(self.purpose)

    def complete(self, is_accessed: bool = False) -> None:
        """Load all roots before the caller loads others, or accesses the store of certificates (*is_accessed*).

        OpenSSL searches directories only for subjects that are not loaded.
        """
        with self._lock:
            if is_accessed:
                self.is_accessed = True
                if self.purpose is None:
                    self._answer_for_servers()
            if self._store is not None:
                self._complete(self._x509_store())
            self._has_content = True

    def add_files(self, file: Any, directory: Any) -> None:
        """Record a file and a directory that the caller has loaded, each of which may be None."""
        self._files.append((file, directory))

    def settle(self) -> None:
        """Load the roots for servers if the purpose is not known yet, because certhook is being uninstalled."""
        with self._lock:
            if self.purpose is None:
                self._answer_for_servers()
            self.complete()

    def _answer(self, purpose: int) -> None:
        first = self._answered
        if purpose == CLIENT_AUTH:
            first = max(first, self._answered_for_servers)
        for request in self._requests[first:]:
            self._fulfil(request, purpose, self._x509_store())
        # Last, because other threads compare it without the lock.
        self._answered = len(self._requests)

    def _answer_for_servers(self) -> None:
        first = max(self._answered, self._answered_for_servers)
        for request in self._requests[first:]:
            self._fulfil(request, CLIENT_AUTH, self._x509_store())
        self._answered_for_servers = len(self._requests)

    @undisturbed
    def _repair(self, purpose: int) -> None:
        """Build the compiled store again if it was deleted. A program may keep the context for hours."""
        try:
            store = self._requests[-1].trust(purpose).store
        except CerthookError:
            return  # A connection reports no errors of the configuration.
        if store not in (None, self._store) and self._x509_store().load_locations(None, store):
            self._store = store

    def _retract(self) -> None:
        """Replace the store of certificates by one for servers, without a public bundle."""
        verifies = bool(self._library._lib.SSL_CTX_get_verify_mode(self._context) & self._library.VERIFY_PEER)
        if self._requests and self.is_accessed:
            if not verifies:
                return
            raise CerthookError(
                "this OpenSSL.SSL.Context was used for clients, so it contains a public bundle, which must not verify "
                "the clients of a server; create another context for the server"
            )
        if self._requests:
            state = self._has_content, self._store, self._loaded
            try:
                self._replace_store()
            except BaseException as failure:
                # The purpose is unchanged as well, so that the next connection tries it again.
                self._has_content, self._store, self._loaded = state
                if verifies and isinstance(failure, Exception) and not isinstance(failure, CerthookError):
                    message = (
                        f"the roots that verify clients cannot be loaded into this OpenSSL.SSL.Context: {failure!r}"
                    )
                    raise CerthookError(message) from failure
                raise
        self.purpose = CLIENT_AUTH

    def _replace_store(self) -> None:
        new = self._x509_store(is_new=True)
        for file, directory in self._files:
            new.load_locations(file, directory)
        self._has_content, self._store, self._loaded = bool(self._files), None, set()
        for request in self._requests:
            self._fulfil(request, CLIENT_AUTH, new)
        self._previous = new.install()

    def _x509_store(self, is_new: bool = False) -> X509Store:
        return X509Store(self._library._lib, self._library._ffi, self._context, is_new)

    def _fulfil(self, request: Request, purpose: int, target: X509Store) -> None:
        if request.file is not None and purpose == CLIENT_AUTH:
            self._load_file(request.file, target)
            return
        try:
            is_adopted = self._load_trust(request, purpose, target)
        except CerthookError:
            raise  # CERTHOOK_ON_ERROR=raise
        except Exception as failure:
            self._fall_back(request, target, failure)
            return
        if not is_adopted:
            self._load_file(request.file, target)

    @undisturbed
    def _load_trust(self, request: Request, purpose: int, target: X509Store) -> bool:
        """Load default trust. Return whether the public bundle that the request names was not reduced."""
        trust = request.trust(purpose)
        if trust.is_reduced:
            return False
        problems = list(trust.problems)
        if trust.store is None:
            self._has_content = True
            target.load_anchors(trust.anchors, problems)
        elif trust.store != self._store and trust.resolved not in self._loaded:
            self._load_store(trust.store, trust.resolved, target)
        _trust.report(problems)
        return True

    def _load_store(self, store: str, resolved: str, target: X509Store) -> None:
        if self._store is not None:
            self._complete(target)
        if self._has_content or self._loaded:
            target.load_compiled_store(resolved)
            self._loaded.add(resolved)
            self._has_content = True
        elif target.load_locations(None, store):
            self._store = store
        else:
            raise OSError(f"OpenSSL does not accept {store}")

    def _load_file(self, file: Any, target: X509Store) -> None:
        if self._store is not None:
            self._complete(target)
        self._has_content = True
        target.load_locations(file)

    def _complete(self, target: X509Store) -> None:
        assert self._store is not None
        resolved = os.path.realpath(self._store)
        target.load_compiled_store(resolved)
        self._loaded.add(resolved)
        self._store = None

    @undisturbed
    def _prepare(self, request: Request) -> None:
        """Report wrong settings to the caller, and read the certificates if the program may lose access to them."""
        try:
            if request.config.load == "eager":
                request.hold()
            elif request.config.on_error == "raise":
                request.trust(SERVER_AUTH)
        except CerthookError:
            raise
        except Exception:
            pass  # Reported when the context needs the roots.

    def _fall_back(self, request: Request, target: X509Store, failure: Exception) -> None:
        """Load the roots of stock pyOpenSSL after an error of certhook, unless the settings exclude them."""
        config, source = request.config, "system" if request.file is None else "bundled"
        if config.on_error == "raise":
            raise CerthookError(f"internal error: {failure!r}") from failure
        config = _config.effective(config)
        is_permitted = config.bundle is None if request.file is not None else process.use_environment
        consequence = "the context has no roots"
        if is_permitted and source in config.sources:
            consequence = "the context has the roots of stock pyOpenSSL"
            self._has_content = True
            if request.file is None:
                request.load_stock()
            else:
                target.load_locations(request.file)
        try:
            from certhook._warnings import warn
        except Exception:
            return
        warn(f"internal error, {consequence}: {failure!r}")
