"""A connection of OpenSSL whose server the operating system verifies; see :mod:`certhook._native`."""

from __future__ import annotations

import _ssl
import ssl

from certhook import _native_chain, _native_modes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook._native_chain import Policy, Verifier

# The chains of servers that were verified, by the certificate of the server, for sessions that are resumed.
_chains: dict[bytes, list[bytes]] = {}
_MOST_CHAINS = 100

# Methods and attributes that exchange no data of the program.
_HARMLESS = frozenset(
    {
        *("cipher", "client_random", "compression", "context", "get_channel_binding", "get_unverified_chain"),
        *("get_verified_chain", "group", "owner", "pending", "selected_alpn_protocol"),
        *("selected_npn_protocol", "server_hostname", "server_side", "session_reused", "shared_ciphers"),
        *("shutdown", "version"),
    }
)


class Connection:
    """A connection whose server the operating system verifies, in place of an ``_ssl._SSLSocket``.

    :param connection: OpenSSL's connection
    """

    __slots__ = ("__weakref__", "_connection", "_failure", "_leaf", "_policy", "_verifier", "read", "write")

    def __init__(self, connection: Any, policy: Policy, verifier: Verifier | None) -> None:
        set_own = object.__setattr__
        set_own(self, "_connection", connection)
        set_own(self, "_policy", policy)
        set_own(self, "_verifier", verifier)
        set_own(self, "_failure", None)
        set_own(self, "_leaf", None)
        set_own(self, "read", self._after_verification("read"))
        set_own(self, "write", self._after_verification("write"))

    def do_handshake(self) -> None:
        """Perform the handshake, and verify the server."""
        self._raise_failure()
        self._connection.do_handshake()
        self._verify_once()

    def getpeercert(self, binary_form: bool = False, /) -> Any:
        """Return the certificate of the server; {} only if the context requests no verification."""
        with _native_modes.lock:
            _native_modes.restore()
            return self._connection.getpeercert(binary_form)

    def __getattr__(self, name: str) -> Any:
        is_verified = self._leaf is not None and self._failure is None
        if name == "session" and not is_verified:
            return None  # A session that is resumed without certhook must not be that of an unverified server.
        value = getattr(self._connection, name)
        return value if is_verified or name in _HARMLESS or not callable(value) else self._after_verification(name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._connection, name, value)

    def _after_verification(self, name: str) -> Any:
        """Return the method *name* of the connection, which OpenSSL would allow before the end of the handshake."""
        method = getattr(self._connection, name)

        def call(*args: Any) -> Any:
            if self._leaf is None or self._failure is not None:
                self.do_handshake()
            result = method(*args)
            # TLS 1.2 servers may renegotiate, with another certificate.
            self._verify_once()
            return result

        return call

    def _verify_once(self) -> None:
        """Verify the server, unless its certificate has been verified."""
        connection = self._connection
        try:
            leaf = connection.getpeercert(True)
        except ValueError:
            if self._leaf is None:
                raise
            return  # The server has started to renegotiate.
        if leaf is not None and leaf == self._leaf:
            return
        set_own = object.__setattr__
        try:
            if self._verifier is None:
                raise ssl.SSLCertVerificationError("truststore is missing")
            chain = _sent_chain(connection, leaf)
            _native_chain.verify(self._verifier, self._policy, chain)
        except ssl.SSLCertVerificationError as error:
            set_own(self, "_failure", error.args)
            raise
        _remember(leaf, chain)
        set_own(self, "_leaf", leaf)
        if connection.version() == "TLSv1.3":  # It has no renegotiation.
            set_own(self, "read", connection.read)
            set_own(self, "write", connection.write)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise ssl.SSLCertVerificationError(*self._failure)


def _sent_chain(connection: Any, leaf: bytes | None) -> list[bytes]:
    """Return the certificates that the server sent as DER, its own first.

    A session that Python resumes contains the certificate of the server only.
    """
    chain = connection.get_unverified_chain() or ()
    if not chain and leaf and connection.session_reused:
        return _chains.get(leaf, [leaf])
    return [one if isinstance(one, bytes) else one.public_bytes(_ssl.ENCODING_DER) for one in chain]


def _remember(leaf: bytes | None, chain: list[bytes]) -> None:
    if leaf is not None:
        if len(_chains) >= _MOST_CHAINS:
            _chains.clear()
        _chains[leaf] = chain
