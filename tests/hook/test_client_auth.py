"""Servers that verify clients: a root of the bundle never authenticates a client."""

from __future__ import annotations

from pathlib import Path

import pytest
import support

#: A program that prints from which authorities a server, with the context that CODE creates, accepts clients.
ACCEPTED_CLIENTS = """
import os, ssl
directory = os.environ["CLIENTS"]

def accepts(server_context, name):
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    client_context.load_cert_chain(os.path.join(directory, name + ".pem"))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    finished = False
    for _ in range(5):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        try:
            server.do_handshake()
            finished = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError:
            return "no"
    return "yes" if finished and server.getpeercert() else "unfinished"

exec(os.environ["CODE"])
context.verify_mode = ssl.CERT_REQUIRED
context.load_cert_chain(os.path.join(directory, "stranger.pem"))
print(*(name + ":" + accepts(context, name) for name in os.environ["NAMES"].split()))
"""

SERVER_CONTEXTS = {
    # create_default_context(CLIENT_AUTH) loads no roots, because it does not request client certificates.
    "default context, purpose": """
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
""",
    "default context, wrong purpose": """
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_default_certs()
""",
    # Before Python 3.10, the protocol of this context is that of servers and clients.
    "default context, no purpose": """
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.set_default_verify_paths()
""",
    "protocol, purpose": """
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_default_certs(purpose=ssl.Purpose.CLIENT_AUTH)
""",
    "protocol, wrong purpose": """
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_default_certs()
""",
    "protocol, no purpose": """
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.set_default_verify_paths()
""",
}


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory, cas: support.Authorities) -> Path:
    """Return a directory with the certificate and key of a client for each authority."""
    directory = tmp_path_factory.mktemp("clients")
    for name in cas.names:
        issued = getattr(cas, name).issue_cert("client@localhost")
        (directory / f"{name}.pem").write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    return directory


@pytest.mark.parametrize("load", ["lazy", "eager"])
@pytest.mark.parametrize("context", SERVER_CONTEXTS)
def test_a_server_accepts_clients_of_the_system_but_not_of_the_bundle(
    installed, plain, machine, locations, clients, context, load
) -> None:
    env = support.clean_env(
        **locations,
        CERTHOOK_EXTRA_CA_CERTS=str(machine / "extra.pem"),
        CERTHOOK_LOAD=load,
        CLIENTS=str(clients),
        CODE=SERVER_CONTEXTS[context],
        NAMES=" ".join(support.Authorities.names),
    )
    hooked = support.verdicts(support.run(installed, ACCEPTED_CLIENTS, env=env).stdout)
    assert hooked == {"system": True, "bundled": False, "both": True, "extra": True, "stranger": False}
    stock = support.verdicts(support.run(plain, ACCEPTED_CLIENTS, env=env).stdout)
    assert stock == {**hooked, "extra": False}
