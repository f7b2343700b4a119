"""A machine whose public bundles contain only the root of *stranger*.

Handshakes therefore show the origin of a context's roots: a context that trusts *stranger* contains
the file that the caller named, and one that trusts :data:`DEFAULT` has default trust.
"""

from __future__ import annotations

import _ssl
import importlib
import socket
import ssl
import sys
import types
from pathlib import Path

import certifi
import support

from certhook import _public_bundles

DEFAULT = {"system", "bundled", "both"}
#: The roots in public bundles, and those in the files of callers.
BUNDLE, OWN = {"stranger"}, {"extra"}

#: The packages with public bundles, and the path of the first bundle in each.
BUNDLES = dict(map(_public_bundles.split, reversed(_public_bundles.BUNDLES)))

CERTIFI_CODE = {path.name: path.read_text() for path in Path(certifi.__file__).parent.glob("*.py")}


class BundleMachine:
    """A machine with a system's store, a configured bundle, and packages with public bundles."""

    def __init__(self, directory: Path, cas: support.Authorities, servers: support.Servers) -> None:
        self.cas = cas
        self.servers = servers
        self.directory = directory
        self.packages = directory / "packages"
        self.own = self.write("own.pem", OWN)
        self.own_hashed = self.write(f"own/{self.hashed_name('extra')}", OWN).parent
        self.system = self.write("system.pem", {"system"})
        self.system_hashed = self.write(f"hashed/{self.hashed_name('both')}", {"both"}).parent
        self.bundle = self.write("bundle.pem", {"bundled", "both"})
        self.packages.mkdir()

    def write(self, name: str, roots: set[str]) -> Path:
        """Write a file of roots."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.cas.pem(*sorted(roots)))
        return path

    def hashed_name(self, name: str) -> str:
        """Return the name of the file in which OpenSSL looks for a root."""
        return support.hashed_name(self.cas.der(name))

    def package(self, owner: str, directory: str = "packages", inner: str = "") -> Path:
        """Create the package *owner* with a public bundle at the path *inner*, and return the path of the bundle."""
        self.write(f"{directory}/{owner}/__init__.py", set())
        bundle = self.write(f"{directory}/{owner}/{inner or BUNDLES[owner]}", BUNDLE)
        if bundle.name == "cacert.pem" and bundle.parent.name == "certifi":
            for name, code in CERTIFI_CODE.items():
                (bundle.parent / name).write_text(code)
        return bundle

    def trusted(self, context: ssl.SSLContext) -> set[str]:
        """Return the authorities whose servers *context* accepts."""
        assert context.verify_mode == ssl.CERT_REQUIRED
        names = set()
        for name in self.cas.names:
            with socket.create_connection(("127.0.0.1", self.servers.port(name)), timeout=60) as raw:
                try:
                    context.wrap_socket(raw, server_hostname="localhost").close()
                except ssl.SSLCertVerificationError:
                    continue
            names.add(name)
        return names

    def accepted(self, context: ssl.SSLContext) -> set[str]:
        """Return the authorities whose clients a server with *context* accepts."""
        context.verify_mode = ssl.CERT_REQUIRED
        self.cas.stranger.issue_cert("localhost").configure_cert(context)
        return {name for name in self.cas.names if _accepts_client(context, getattr(self.cas, name))}


def _accepts_client(context: ssl.SSLContext, authority) -> bool:
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    authority.issue_cert("client@localhost").configure_cert(client_context)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(5):
        for peer in client, server:
            try:
                peer.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError:
                return False
    return bool(server.getpeercert())


def forget_packages() -> dict[str, types.ModuleType]:
    """Remove the packages with public bundles from ``sys.modules``, and return them."""
    importlib.invalidate_caches()
    return {
        name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in {*BUNDLES, "acme_sdk"}
    }


def loaded(*args: object, kind: type = ssl.SSLContext, **kwargs: object) -> ssl.SSLContext:
    """Return a context of a client with only these roots."""
    context = kind(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(*args, **kwargs)
    return context


def count(context: ssl.SSLContext) -> int:
    """Return the number of certificates that are loaded into *context*, without loading its compiled store."""
    return _ssl._SSLContext.cert_store_stats(context)["x509"]


def fail(*args: object, **kwargs: object) -> None:
    """Raise an internal error."""
    raise RuntimeError("a fault")
