"""What the tests of clients share: environments with their libraries, servers of all protocols, and asking these.

The environments are made once for all workers; the rest each worker has for itself.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, Iterator

import daemons
import peers
import pytest
import support
import table
from test_layouts import DEBIANS_OWN, Machine

#: What is installed in each environment, besides certhook.
REQUIREMENTS = {
    "clients": ["--requirement", Path(__file__).with_name("requirements.txt")],
    "niquests": ["niquests"],
}

#: Run in an interpreter, after the code of a client: what becomes of each of CASES.
HARNESS = """
import asyncio, inspect, json, os, traceback
import ssl
PAIR = os.environ["PAIR"]
def certified(context):
    context.load_cert_chain(PAIR)
    return context
def verdict(port, options):
    try:
        reply = reach(port, **options)
        if inspect.iscoroutine(reply):
            reply = asyncio.run(reply)
    except Exception:
        said = traceback.format_exc()
        # The root is not trusted, rather than anything else that can be wrong with a certificate.
        refused = "CERTIFICATE_VERIFY_FAILED" in said and "unable to get local issuer certificate" in said
        return False if refused else said
    assert reply in ("hello", b"hello"), reply
    return True
answers = []
for options, FILE, ports in json.loads(os.environ["CASES"]):
    answers.append({name: verdict(port, eval(f"dict({options})")) for name, port in ports.items()})
print(json.dumps(answers))
"""

Ask = Callable[..., "list[set[str]]"]


@pytest.fixture(scope="session")
def environments(request: pytest.FixtureRequest, once, pip_install) -> dict[str, Path]:
    """The interpreters of fresh environments with certhook's wheel and :data:`REQUIREMENTS`."""
    pythons = {}
    for name, requirements in REQUIREMENTS.items():
        with once(name) as (folder, is_first):
            pythons[name] = support.interpreter_of(folder / "venv")
            if is_first:
                support.make_environment(folder / "venv")
                pip_install(pythons[name], request.getfixturevalue("wheel"), *requirements)
                support.byte_compile(pythons[name])
    return pythons


@pytest.fixture(scope="session")
def bundles(environments) -> dict[str, str]:
    """Where certifi's bundle is in each of them."""
    return {name: str(support.purelib(python) / "certifi" / "cacert.pem") for name, python in environments.items()}


@pytest.fixture(scope="session")
def pair(cas: support.Authorities, tmp_path_factory) -> Path:
    """A client's certificate and its key, for servers that demand one."""
    path = tmp_path_factory.mktemp("pair") / "pair.pem"
    path.write_bytes(cas.extra.issue_cert("client@localhost").private_key_and_cert_chain_pem.bytes())
    return path


@pytest.fixture(scope="session")
def ports(cas: support.Authorities) -> Iterator[Callable[[str], dict[str, int]]]:
    """The servers of a protocol: the port of the one that each authority vouches for.

    The server called "demanding" is *system*'s, and wants a certificate that *extra* vouches for.
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
        if name == "demanding":
            context.verify_mode = ssl.CERT_REQUIRED
            cas.extra.configure_trust(context)
        return context

    with ExitStack() as running:

        def start(protocol: str) -> dict[str, int]:
            if protocol in peers.PROTOCOLS:
                listening = {name: peers.Peer(peers.PROTOCOLS[protocol], context(name)) for name in issuers}
                return {name: running.enter_context(peer).server_address[1] for name, peer in listening.items()}
            reason = daemons.unavailable(protocol)
            if reason and os.environ.get("CI"):
                pytest.fail(reason)
            if reason:
                pytest.skip(reason)
            return running.enter_context(getattr(daemons, protocol)({name: identity(name) for name in issuers}))

        def ports(protocol: str) -> dict[str, int]:
            if protocol not in started:
                started[protocol] = start(protocol)
            return started[protocol]

        yield ports


@pytest.fixture(scope="session")
def machine(root, cas, servers, environments, tmp_path_factory) -> Machine:
    """A machine with files of its own, and the environment of the clients."""
    python = environments["clients"]
    machine = Machine(cas, servers, python, python, tmp_path_factory.mktemp("machine"))
    if machine.openssldir in ("/etc/ssl", "/etc/pki/tls"):
        pytest.skip(f"{machine.openssldir} is OpenSSL's own here: it cannot be another OpenSSL's too")
    return machine


@pytest.fixture
def ask(machine: Machine, environments, bundles, ports, pair, tmp_path) -> Ask:
    """Have a client ask servers, in one process, and say whose it trusts.

    A case is a choice of the caller's as keyword arguments, the file that it names, and
    the names of the servers to ask. That a client fails in any way but by not trusting a
    server fails the test, and so does a word from certhook.
    """

    def ask(
        client: table.Client, *cases: tuple[str, str, str], tree=DEBIANS_OWN, where: str = "clients", **variables: str
    ) -> list[set[str]]:
        every = ports(client.server)
        named = [(options, file, {name: every[name] for name in names.split()}) for options, file, names in cases]
        done: subprocess.CompletedProcess[str] = machine.run(
            environments[where],
            client.code + HARNESS,
            tree,
            tmp_path,
            over={bundles[where]: machine.bundle},
            **variables,
            PIP_CONFIG_FILE=os.devnull,
            PIP_DISABLE_PIP_VERSION_CHECK="1",
            TMPDIR=str(tmp_path / "scratch"),
            PAIR=str(pair),
            CASES=json.dumps(named),
        )
        # Other people's warnings name their files, which lie in the tests' folder.
        assert "certhook" not in done.stderr.lower().replace("certhook-tests", ""), done.stderr
        answers = json.loads(done.stdout)
        for answer in answers:
            other = [f"{name}: {word}" for name, word in answer.items() if not isinstance(word, bool)]
            assert not other, "\n".join(other)
        return [{name for name, trusted in answer.items() if trusted} for answer in answers]

    return ask
