"""A server's context adopts nothing: naming Mozilla's roots for clients is not a request for the system's."""

from __future__ import annotations

import ssl
import threading
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


SERVERS = {
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
