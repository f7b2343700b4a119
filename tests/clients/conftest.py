"""Fixtures for the tests of clients: environments with their libraries, and servers for all protocols.

The xdist workers share the environments. Each worker starts its own servers.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, Iterator

import client_table
import daemons
import peers
import pytest
import support
from layouts import DEBIAN_OPENSSL
from linux_machine import LinuxMachine

#: Code that runs after the code of a client. For each of CASES, it prints the result for each server: true if the
#: client trusts the server, false if not, and otherwise a traceback.
HARNESS = """
import asyncio, inspect, json, os, traceback
import ssl
PAIR = os.environ["PAIR"]
def with_certificate(context):
    context.load_cert_chain(PAIR)
    return context
def result(port, options):
    try:
        reply = fetch(port, **options)
        if inspect.iscoroutine(reply):
            reply = asyncio.run(reply)
    except Exception:
        text = traceback.format_exc()
        if os.environ["REPLY"] in text:
            return True
        # Accept only the error for an untrusted root, not other errors in the verification of a certificate.
        return False if os.environ["REFUSAL"] in text else text
    assert reply in ("hello", b"hello"), reply
    return True
results = []
for options, FILE, ports in json.loads(os.environ["CASES"]):
    results.append({name: result(port, eval(f"dict({options})")) for name, port in ports.items()})
print(json.dumps(results))
"""

TrustedServers = Callable[..., "list[set[str]]"]


@pytest.fixture(scope="session")
def environments(request: pytest.FixtureRequest, once, pip_install) -> dict[str, Path]:
    """The interpreters of new environments with certhook's wheel and the libraries of the clients."""
    pythons = {}
    for name in ["clients", *client_table.ENVIRONMENTS]:
        with once(name) as (directory, is_first):
            pythons[name] = support.interpreter_of(directory / "venv")
            if is_first:
                support.make_environment(directory / "venv")
                pip_install(
                    pythons[name],
                    request.getfixturevalue("wheel"),
                    "--no-compile",
                    *client_table.requirements(name),
                )
                # The other worker waits, so both cores are free.
                support.byte_compile(pythons[name], "-j", "2")
    # The environments that the tests of single libraries use.
    return {**pythons, "grpc": pythons["clients"]}


@pytest.fixture(scope="session")
def bundles(environments) -> dict[str, str]:
    """The path of certifi's bundle in each environment."""
    return {name: str(support.purelib(python) / "certifi" / "cacert.pem") for name, python in environments.items()}


@pytest.fixture(scope="session")
def client_pair(cas: support.Authorities, tmp_path_factory) -> Path:
    """A file with a private key and a client certificate, for servers that require one."""
    path = tmp_path_factory.mktemp("pair") / "pair.pem"
    path.write_bytes(cas.extra.issue_cert("client@localhost").private_key_and_cert_chain_pem.bytes())
    return path


@pytest.fixture(scope="session")
def ports(cas: support.Authorities) -> Iterator[Callable[[str], dict[str, int]]]:
    """Start the servers of a protocol, one per CA, and return their ports.

    The CA of the server "demanding" is *system*. It requires a client certificate issued by *extra*.
    """
    started: dict[str, dict[str, int]] = {}
    issuers = {**{name: name for name in cas.names}, "demanding": "system"}
    leaves = {name: getattr(cas, issuer).issue_cert("localhost", "127.0.0.1") for name, issuer in issuers.items()}

    def identity(name: str) -> daemons.Identity:
        chain = b"".join(blob.bytes() for blob in leaves[name].cert_chain_pems)
        return daemons.Identity(leaves[name].private_key_pem.bytes(), chain, cas.pem("extra"), name == "demanding")

    def context(name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaves[name].configure_cert(context)
        context.set_alpn_protocols(["h2", "http/1.1"])
        # A ticket wakes the receiving thread of websockets' client while another thread sends the request.
        context.num_tickets = 0
        if name == "demanding":
            context.verify_mode = ssl.CERT_REQUIRED
            cas.extra.configure_trust(context)
        return context

    with ExitStack() as stack:

        def start(protocol: str) -> dict[str, int]:
            if protocol in peers.PROTOCOLS:
                servers = {name: peers.Peer(peers.PROTOCOLS[protocol], context(name)) for name in issuers}
                return {name: stack.enter_context(server).server_address[1] for name, server in servers.items()}
            reason = daemons.unavailable(protocol)
            if reason and os.environ.get("CI"):
                pytest.fail(reason)
            if reason:
                pytest.skip(reason)
            return stack.enter_context(getattr(daemons, protocol)({name: identity(name) for name in issuers}))

        def ports(protocol: str) -> dict[str, int]:
            if protocol not in started:
                started[protocol] = start(protocol)
            return started[protocol]

        yield ports


@pytest.fixture(scope="session")
def machine(root, cas, servers, environments, tmp_path_factory) -> LinuxMachine:
    """A machine on which each test defines the files at the paths of the system's store."""
    python = environments["clients"]
    machine = LinuxMachine(cas, servers, python, python, tmp_path_factory.mktemp("machine"))
    if machine.openssldir in ("/etc/ssl", "/etc/pki/tls"):
        pytest.skip(
            f"{machine.openssldir} is the OPENSSLDIR of this interpreter, so it cannot belong to another OpenSSL"
        )
    return machine


@pytest.fixture
def trusted_servers(machine: LinuxMachine, environments, bundles, ports, client_pair, tmp_path) -> TrustedServers:
    """Connect a client to servers, in one process, and return the names of the servers that it trusts.

    A case consists of the keyword arguments of ``fetch``, the value of FILE in these arguments, and the
    names of the servers, separated by spaces. There is one result per case. Output from certhook fails
    the test, and so does every failure of the client except that it does not trust a server. The
    files in *over* replace existing ones, in addition to certifi's bundle.

    The client is the name of one in the table, or another one in *environment*.
    """

    def connect(
        client: client_table.Client | str,
        *cases: tuple[str, str, str],
        tree=DEBIAN_OPENSSL,
        environment: str = "clients",
        over: dict[str, bytes] | None = None,
        **variables: str,
    ) -> list[set[str]]:
        if isinstance(client, str):
            client, environment = client_table.CLIENTS[client], client_table.environment_of(client)
        directory = Path(tempfile.mkdtemp(dir=tmp_path))
        all_ports = ports(client.server)
        resolved = [
            (options, file, {server: all_ports[server] for server in servers.split()})
            for options, file, servers in cases
        ]
        done: subprocess.CompletedProcess[str] = machine.run(
            environments[environment],
            client.code + HARNESS,
            tree,
            directory,
            over={bundles[environment]: machine.bundle, **(over or {})},
            **variables,
            PIP_CONFIG_FILE=os.devnull,
            PIP_DISABLE_PIP_VERSION_CHECK="1",
            # Some clients log the exception; test_notes.py tests its note.
            CERTHOOK_EXPLAIN="0",
            TMPDIR=str(directory / "scratch"),
            PAIR=str(client_pair),
            REPLY=peers.REFUSAL,
            REFUSAL=client.refusal,
            CASES=json.dumps(resolved),
        )
        # Warnings of other packages contain paths in the directory of the tests, whose name contains "certhook".
        assert "certhook" not in done.stderr.lower().replace("certhook-tests", ""), done.stderr
        # Some clients print messages.
        results = json.loads(done.stdout.splitlines()[-1])
        for result in results:
            failures = [f"{server}: {value}" for server, value in result.items() if not isinstance(value, bool)]
            assert not failures, "\n".join(failures)
        return [{server for server, is_trusted in result.items() if is_trusted} for result in results]

    return connect
