"""A server's context adopts nothing: naming Mozilla's roots for clients is not a request for the system's."""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from pathlib import Path

import pytest
from bundle_machine import BUNDLE, DEFAULT


def with_protocol_tls_server(path: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(path)
    return context


def loaded_later(path: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_verify_locations(path)
    return context


def with_server_side(path: str, server_side: bool = True) -> ssl.SSLContext:
    """Create a context as ``ssl.wrap_socket()`` did until Python 3.11, and as gevent's still does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(path)
    return context


SERVERS = {
    "PROTOCOL_TLS and server_side": with_server_side,
    "PROTOCOL_TLS_SERVER": with_protocol_tls_server,
    "CLIENT_AUTH": lambda path: ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=path),
    "CLIENT_AUTH by keyword": lambda path: ssl.create_default_context(purpose=ssl.Purpose.CLIENT_AUTH, cafile=path),
    "CLIENT_AUTH by object identifier": lambda path: ssl.create_default_context(
        ssl._ASN1Object(ssl.Purpose.CLIENT_AUTH.oid), cafile=path
    ),
    "CLIENT_AUTH, loaded later": loaded_later,
    "CLIENT_AUTH with text": lambda path: ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cadata=Path(path).read_text()
    ),
}


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)
def test_a_servers_context_contains_the_public_bundle(machine, server) -> None:
    context = server(str(machine.package("certifi")))
    assert machine.accepted(context) == BUNDLE
    assert context.get_ca_certs(True) == [machine.cas.der(*BUNDLE)]


@pytest.mark.skipif(not hasattr(ssl, "wrap_socket"), reason="Python 3.12 removed the function")
@pytest.mark.filterwarnings("ignore:ssl.:DeprecationWarning")
@pytest.mark.parametrize(("server_side", "expected"), [(True, BUNDLE), (False, DEFAULT)])
def test_wrap_socket_adopts_only_for_clients(machine, server_side, expected) -> None:
    pem = machine.directory / "server.pem"
    machine.cas.stranger.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(pem))
    ours, theirs = socket.socketpair()
    with theirs, ssl.wrap_socket(  # type: ignore[attr-defined]
        ours,
        certfile=str(pem),
        server_side=server_side,
        cert_reqs=ssl.CERT_REQUIRED,
        ca_certs=str(machine.package("certifi")),
        do_handshake_on_connect=False,
    ) as connection:
        found = connection.context.get_ca_certs(True)
    assert sorted(found) == sorted(machine.cas.der(name) for name in expected)


def test_a_failure_to_create_a_servers_context_does_not_affect_clients(machine) -> None:
    with pytest.raises(FileNotFoundError):
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(machine.directory / "missing"))
    assert machine.trusted(ssl.create_default_context(cafile=str(machine.package("certifi")))) == DEFAULT


def test_creating_a_servers_context_does_not_affect_clients_in_another_thread(machine) -> None:
    bundle = str(machine.package("certifi"))
    contexts = []

    class CreatesClientInThread:
        def __fspath__(self) -> str:
            thread = threading.Thread(target=lambda: contexts.append(ssl.create_default_context(cafile=bundle)))
            thread.start()
            thread.join()
            return bundle

    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=CreatesClientInThread())
    assert contexts
    assert [machine.trusted(context) for context in contexts] == [DEFAULT] * len(contexts)
    assert machine.accepted(server) == BUNDLE


def test_creating_a_servers_context_inside_another_one_does_not_affect_the_outer_one(machine) -> None:
    bundle = str(machine.package("certifi"))

    class CreatesServer:
        def __fspath__(self) -> str:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            return bundle

    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=CreatesServer())
    assert machine.accepted(server) == BUNDLE
