"""Clients and servers that use pyOpenSSL. test_clients.py tests the libraries that depend on it.

The CA "system" is only in the operating system's store, "bundled" is only in certifi's bundle, "extra" is an additional
root, and "stranger" is in none of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest
import support
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from layouts import DEBIAN, FEDORA_43
from linux_machine import Hashed, LinuxMachine, Pem
from pki import DAY, NOW

#: Other versions of pyOpenSSL and cryptography, and whether the hook supports them.
VERSIONS = {
    "26.4": (["pyopenssl == 26.4.*"], True),
    "25.0": (["pyopenssl == 25.0.*"], True),
    "24.1": (["pyopenssl == 24.1.*"], True),
    "23.3": (["pyopenssl == 23.3.*", "cryptography == 41.*"], True),
    "23.0": (["pyopenssl == 23.0.*", "cryptography == 38.*"], False),
}

#: The code of functions that fetch "hello" from a server.
PLAIN = """
import socket
from OpenSSL import SSL
def fetch(port, context=None):
    if context is None:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_default_verify_paths()
    return converse(context, port)
def converse(context, port, mode=SSL.VERIFY_PEER):
    context.set_verify(mode, lambda *args: bool(args[-1]) or mode == SSL.VERIFY_NONE)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        raw.settimeout(None)
        connection = SSL.Connection(context, raw)
        connection.set_tlsext_host_name(b"localhost")
        connection.set_connect_state()
        connection.do_handshake()
        connection.sendall(b"GET /hello HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
        data = b""
        while not data.endswith(b"hello"):
            data += connection.recv(4096)
        return b"hello"
"""
#: Forms of requests that the clients of test_clients.py do not use.
CLIENTS = {
    "pyOpenSSL": PLAIN,
    "pyOpenSSL, connect()": f"""{PLAIN}
def fetch(port):
    context = SSL.Context(method=SSL.SSLv23_METHOD)
    context.set_default_verify_paths()
    context.set_verify(SSL.VERIFY_PEER, lambda *args: args[-1] == 1)
    connection = SSL.Connection(context, socket.socket())
    connection.connect(("127.0.0.1", port))
    connection.do_handshake()
    connection.sendall(b"GET /hello HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    data = b""
    while not data.endswith(b"hello"):
        data += connection.recv(4096)
    return b"hello"
""",
    "pymongo, asynchronous": """
import pymongo, pymongo.pyopenssl_context
async def fetch(port, **options):
    options.setdefault("serverSelectionTimeoutMS", 3000)
    async with pymongo.AsyncMongoClient("localhost", port, tls=True, directConnection=True, **options) as client:
        return (await client.admin.command("hello"))["text"]
""",
}
#: The CAs that clients trust on stock Python with another OpenSSL. pymongo's asynchronous client uses ssl.
STOCK = {**dict.fromkeys(CLIENTS, {"system"}), "pymongo, asynchronous": set()}

HARNESS = """
import asyncio, inspect, json, os, traceback
def result(port):
    try:
        reply = fetch(port)
        if inspect.iscoroutine(reply):
            reply = asyncio.run(reply)
    except Exception:
        text = traceback.format_exc()
        return False if "certificate verify failed" in text.lower() else text
    assert reply in ("hello", b"hello"), reply
    return True
print(json.dumps({name: result(port) for name, port in json.loads(os.environ["PORTS"]).items()}))
"""

LAYOUTS = {
    "Debian, another OpenSSL": (DEBIAN, {"system"}),
    "Fedora 43, another OpenSSL": (FEDORA_43, {"system"}),
    "empty container": ({}, set()),
}

#: The CAs of the servers and of the clients.
NAMES = ("system", "bundled", "extra", "stranger")


def environment_of(once, pip_install, wheel, name: str, requirements: list[str]) -> Path:
    with once(name) as (directory, is_first):
        python = support.interpreter_of(directory / "venv")
        if is_first:
            support.make_environment(directory / "venv")
            pip_install(python, wheel, *requirements)
            support.byte_compile(python)
    return python


def namesake(pem: bytes) -> bytes:
    """Return a root with the subject of another one, and another key."""
    subject = x509.load_pem_x509_certificate(pem).subject
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    # Otherwise, OpenSSL takes it for the issuer of the other root's certificates.
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture(scope="session")
def pyopenssl_python(once, pip_install, wheel) -> Path:
    """The interpreter of an environment with certhook and the clients."""
    requirements = ["pyopenssl", "twisted[tls]", "pymongo[ocsp] >= 4.9"]
    return environment_of(once, pip_install, wheel, "pyopenssl", requirements)


@pytest.fixture(scope="module")
def machine(root, cas, servers, pyopenssl_python, tmp_path_factory) -> LinuxMachine:
    """A machine on which each test defines the files at the paths of the system's store."""
    return LinuxMachine(cas, servers, pyopenssl_python, pyopenssl_python, tmp_path_factory.mktemp("pyopenssl"))


@pytest.fixture
def run_client(machine, pyopenssl_python, ports, cas, tmp_path) -> Callable[..., Any]:
    """Run a program on a machine with the given files, and return its output, which is JSON."""

    def run(code: str, tree=DEBIAN, protocol="https", harness=HARNESS, **variables) -> Any:
        all_ports = ports(protocol)
        bundle = str(support.purelib(pyopenssl_python) / "certifi" / "cacert.pem")
        private = tmp_path / "private"
        private.mkdir()
        (private / "extra.pem").write_bytes(cas.pem("extra"))
        (private / support.hashed_name(cas.der("extra"))).write_bytes(cas.pem("extra"))
        (private / "cacert.pem").write_bytes(machine.bundle)
        (private / "namesake.pem").write_bytes(namesake(cas.pem("system")))
        for name in cas.names:
            issued = getattr(cas, name).issue_cert("localhost")
            (private / f"{name}-leaf.pem").write_bytes(issued.private_key_and_cert_chain_pem.bytes())
        done = machine.run(
            pyopenssl_python,
            code + harness,
            tree,
            tmp_path,
            over={bundle: machine.bundle},
            PORTS=json.dumps({name: all_ports[name] for name in NAMES}),
            PRIVATE=str(private),
            CERTIFI=bundle,
            **variables,
        )
        assert "certhook" not in done.stderr.lower().replace("certhook-tests", ""), done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def trusted(run_client) -> Callable[..., set[str]]:
    """Return the names of the servers that a client trusts."""

    def run(*args, **kwargs) -> set[str]:
        results = run_client(*args, **kwargs)
        failures = [f"{name}: {value}" for name, value in results.items() if not isinstance(value, bool)]
        assert not failures, "\n".join(failures)
        return {name for name, is_trusted in results.items() if is_trusted}

    return run


def protocol_of(name: str) -> str:
    return "mongodb" if name.startswith("pymongo") else "https"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_trusts_the_roots_of_the_system_and_of_the_bundle(trusted, name, layout) -> None:
    tree, system = LAYOUTS[layout]
    assert trusted(CLIENTS[name], tree, protocol=protocol_of(name)) == {"bundled"} | system


@pytest.mark.parametrize("layout", ["Debian, another OpenSSL", "empty container"])
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_trusts_fewer_roots_without_certhook(trusted, name, layout) -> None:
    tree, system = LAYOUTS[layout]
    expected = STOCK[name] - ({"system"} - system)
    assert trusted(CLIENTS[name], tree, protocol=protocol_of(name), CERTHOOK_DISABLED="1") == expected


#: A program that defines functions for clients. PRINT_EACH prints the servers that each context trusts.
TRUSTED_BY_EACH = f"""{PLAIN}
import certifi, json, os
from OpenSSL import crypto
PRIVATE = os.environ["PRIVATE"]
EXTRA = os.path.join(PRIVATE, "extra.pem")
# Its subject equals that of "system".
NAMESAKE = os.path.join(PRIVATE, "namesake.pem")
def new(method=SSL.TLS_METHOD):
    return SSL.Context(method)
def with_certificate(context, name="stranger"):
    context.use_certificate_chain_file(os.path.join(PRIVATE, name + "-leaf.pem"))
    context.use_privatekey_file(os.path.join(PRIVATE, name + "-leaf.pem"))
    return context
def add_extra(context):
    with open(EXTRA, "rb") as file:
        context.get_cert_store().add_cert(crypto.load_certificate(crypto.FILETYPE_PEM, file.read()))
def is_trusted(make, port):
    context = make()
    try:
        mode = SSL.VERIFY_NONE if make.__name__ == "unverified" else SSL.VERIFY_PEER
        return converse(context, port, mode) == b"hello"
    except SSL.Error as error:
        assert "certificate verify failed" in str(error), error
        return False
"""
PRINT_EACH = """
ports = json.loads(os.environ["PORTS"])
functions = [value for name, value in list(vars().items()) if name not in before and callable(value)]
results = {make: " ".join(name for name in ports if is_trusted(make, ports[name])) for make in functions}
print(json.dumps({make.__name__: trusted for make, trusted in results.items()}))
"""

#: Functions that create a context with choices of the caller, and the servers that it trusts without and with certhook.
CHOICES = {
    "no_roots": ("", "", ""),
    "unverified": ("", "system bundled extra stranger", "system bundled extra stranger"),
    "private_file": ("context.load_verify_locations(EXTRA)", "extra", "extra"),
    "private_directory": ("context.load_verify_locations(None, PRIVATE)", "extra", "extra"),
    "copy_of_certifi": ("context.load_verify_locations(os.path.join(PRIVATE, 'cacert.pem'))", "bundled", "bundled"),
    "own_store": ("add_extra(context)", "extra", "extra"),
    "default": ("context.set_default_verify_paths()", "system", "system bundled"),
    "certifi_file": ("context.load_verify_locations(certifi.where())", "bundled", "system bundled"),
    "certifi_bytes": ("context.load_verify_locations(certifi.where().encode())", "bundled", "system bundled"),
    "certifi_and_directory": (
        "context.load_verify_locations(certifi.where(), PRIVATE)",
        "bundled extra",
        "system bundled extra",
    ),
    "certifi_and_default": (
        "context.load_verify_locations(certifi.where()); context.set_default_verify_paths()",
        "system bundled",
        "system bundled",
    ),
    "file_then_default": (
        "context.load_verify_locations(EXTRA); context.set_default_verify_paths()",
        "system extra",
        "system bundled extra",
    ),
    "default_then_file": (
        "context.set_default_verify_paths(); context.load_verify_locations(EXTRA)",
        "system extra",
        "system bundled extra",
    ),
    "client_method_then_file": (
        "context = new(SSL.TLS_CLIENT_METHOD)\n    context.set_default_verify_paths()\n"
        "    context.load_verify_locations(EXTRA)",
        "system extra",
        "system bundled extra",
    ),
    "store_then_default": (
        "add_extra(context); context.set_default_verify_paths()",
        "system extra",
        "system bundled extra",
    ),
    "default_then_store": (
        "context.set_default_verify_paths(); add_extra(context)",
        "system extra",
        "system bundled extra",
    ),
    "store_with_certificate": (
        "with_certificate(context); add_extra(context); context.set_default_verify_paths()",
        "system extra",
        "system extra",
    ),
    "default_then_namesake": (
        "context.set_default_verify_paths(); context.load_verify_locations(NAMESAKE)",
        "system",
        "system bundled",
    ),
    "namesake_then_default": (
        "context.load_verify_locations(NAMESAKE); context.set_default_verify_paths()",
        "system",
        "system bundled",
    ),
    "client_method_then_namesake": (
        "context = new(SSL.TLS_CLIENT_METHOD)\n    context.set_default_verify_paths()\n"
        "    context.load_verify_locations(NAMESAKE)",
        "system",
        "system bundled",
    ),
    "certificate": ("with_certificate(context); context.set_default_verify_paths()", "system", "system bundled"),
    "flags": (
        "context.set_default_verify_paths(); context.get_cert_store().set_flags(crypto.X509StoreFlags.CRL_CHECK)",
        "",
        "",
    ),
}
CHOICES_CODE = (
    TRUSTED_BY_EACH
    + "before = {*vars(), 'before'}\n"
    + "".join(
        f"def {name}():\n    context = new()\n    {code}\n    return context\n"
        for name, (code, _, _) in CHOICES.items()
    )
)


def test_the_choices_of_the_caller_are_respected(run_client) -> None:
    expected = {name: trusted for name, (_, _, trusted) in CHOICES.items()}
    assert run_client(CHOICES_CODE, harness=PRINT_EACH) == expected


def test_the_choices_have_the_roots_of_the_caller_without_certhook(run_client) -> None:
    expected = {name: trusted for name, (_, trusted, _) in CHOICES.items()}
    assert run_client(CHOICES_CODE, harness=PRINT_EACH, CERTHOOK_DISABLED="1") == expected


#: Variables, and the servers that contexts with default trust and with certifi's file trust if they are set.
VARIABLES = {
    "SSL_CERT_FILE": ({"SSL_CERT_FILE": "/etc/company.pem"}, "extra", "bundled extra"),
    "SSL_CERT_DIR": ({"SSL_CERT_DIR": "/etc/company"}, "extra", "bundled extra"),
    "CERTHOOK_ADOPT": ({"CERTHOOK_ADOPT": "none"}, "system bundled", "bundled"),
    "CERTHOOK_CLIENTS": ({"CERTHOOK_CLIENTS": "none"}, "system", "bundled"),
    "CERTHOOK_LOAD": ({"CERTHOOK_LOAD": "eager"}, "system bundled", "system bundled"),
    "CERTHOOK_SOURCES": ({"CERTHOOK_SOURCES": "system"}, "system", "system"),
    "CERTHOOK_EXTRA_CA_CERTS": (
        {"CERTHOOK_EXTRA_CA_CERTS": "/etc/company.pem"},
        "system bundled extra",
        "system bundled extra",
    ),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_variables_apply(run_client, name) -> None:
    variables, default, certifi = VARIABLES[name]
    code = (
        TRUSTED_BY_EACH
        + """
before = {*vars(), 'before'}
def default():
    context = new()
    context.set_default_verify_paths()
    return context
def certifi_file():
    context = new()
    context.load_verify_locations(certifi.where())
    return context
"""
    )
    tree = {**DEBIAN, "/etc/company.pem": Pem("extra"), "/etc/company": Hashed("extra")}
    assert run_client(code, tree, harness=PRINT_EACH, **variables) == {"default": default, "certifi_file": certifi}


#: A program that defines functions for servers. PRINT_ACCEPTED prints the CAs whose clients each context accepts.
SERVERS = (
    TRUSTED_BY_EACH
    + """
def pump(*connections):
    done = set()
    for _ in range(8):
        for connection, peer in (connections, connections[::-1]):
            try:
                connection.do_handshake()
                done.add(connection)
            except SSL.WantReadError:
                pass
            try:
                peer.bio_write(connection.bio_read(65536))
            except SSL.WantReadError:
                pass
    return len(done) == len(connections)
def accepts(context, name, select=None):
    accepting = with_certificate(new()) if select else context
    for each in (accepting, context):
        with suppress(ValueError):  # It was used for a client.
            each.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *args: bool(args[-1]))
    if select:
        accepting.set_tlsext_servername_callback(lambda connection: connection.set_context(context))
    client_context = with_certificate(new(), name)
    client, server = SSL.Connection(client_context, None), SSL.Connection(accepting, None)
    client.set_tlsext_host_name(b"localhost")
    client.set_connect_state()
    server.set_accept_state()
    try:
        assert pump(client, server)
    except SSL.Error as error:
        assert "certificate verify failed" in str(error) or "unknown ca" in str(error), error
        return False
    assert server.get_peer_certificate()
    return True
def use_for_a_client(context):
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *args: bool(args[-1]))
    return trusted(context)
def trusted(context):
    names = []
    for name, port in json.loads(os.environ["PORTS"]).items():
        with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
            raw.settimeout(None)
            connection = SSL.Connection(context, raw)
            connection.set_connect_state()
            try:
                connection.do_handshake()
                names.append(name)
            except SSL.Error as error:
                assert "certificate verify failed" in str(error), error
    return " ".join(names)
from contextlib import suppress
"""
)
PRINT_ACCEPTED = """
names = list(json.loads(os.environ["PORTS"]))
functions = [value for name, value in list(vars().items()) if name not in before and callable(value)]
results = {}
for make in functions:
    context = make()
    accepted = [name for name in names if accepts(context, name, make.__name__.startswith("selected"))]
    results[make.__name__] = " ".join(accepted)
print(json.dumps(results))
"""
#: Functions that create a server's context, and the CAs whose clients it accepts without and with certhook.
SERVER_CONTEXTS = {
    "default": ("context = with_certificate(new()); context.set_default_verify_paths()", "system", "system"),
    "server_method": (
        "context = with_certificate(new(SSL.TLS_SERVER_METHOD)); context.set_default_verify_paths()",
        "system",
        "system",
    ),
    "selected_by_name": ("context = with_certificate(new()); context.set_default_verify_paths()", "system", "system"),
    "with_private_file": (
        "context = with_certificate(new()); context.set_default_verify_paths(); context.load_verify_locations(EXTRA)",
        "system extra",
        "system extra",
    ),
    "certifi_file": (
        "context = with_certificate(new()); context.load_verify_locations(certifi.where())",
        "bundled",
        "bundled",
    ),
    "certifi_file_with_server_method": (
        "context = with_certificate(new(SSL.TLS_SERVER_METHOD)); context.load_verify_locations(certifi.where())",
        "bundled",
        "bundled",
    ),
    "after_a_client": (
        "context = with_certificate(new()); context.set_default_verify_paths(); use_for_a_client(context)",
        "system",
        "system",
    ),
    "private_file_after_a_client": (
        "context = with_certificate(new()); context.load_verify_locations(EXTRA)\n"
        "    context.set_default_verify_paths(); use_for_a_client(context)",
        "system extra",
        "system extra",
    ),
    "store_after_a_client": (
        "context = with_certificate(new()); context.set_default_verify_paths(); add_extra(context)\n"
        "    use_for_a_client(context)",
        "system extra",
        "system extra",
    ),
    "private_file": ("context = with_certificate(new()); context.load_verify_locations(EXTRA)", "extra", "extra"),
    "twisted": (
        "from twisted.internet.ssl import CertificateOptions, PrivateCertificate, platformTrust\n"
        "    with open(os.path.join(PRIVATE, 'stranger-leaf.pem'), 'rb') as file:\n"
        "        leaf = PrivateCertificate.loadPEM(file.read())\n"
        "    key = leaf.privateKey.original\n"
        "    context = CertificateOptions(key, leaf.original, trustRoot=platformTrust()).getContext()",
        "system",
        "system",
    ),
}
SERVERS_CODE = (
    SERVERS
    + "before = {*vars(), 'before'}\n"
    + "".join(f"def {name}():\n    {code}\n    return context\n" for name, (code, _, _) in SERVER_CONTEXTS.items())
)


def test_a_server_never_accepts_clients_with_roots_of_the_bundle(run_client) -> None:
    expected = {name: accepted for name, (_, _, accepted) in SERVER_CONTEXTS.items()}
    assert run_client(SERVERS_CODE, harness=PRINT_ACCEPTED) == expected


def test_the_same_servers_without_certhook(run_client) -> None:
    expected = {name: accepted for name, (_, accepted, _) in SERVER_CONTEXTS.items()}
    assert run_client(SERVERS_CODE, harness=PRINT_ACCEPTED, CERTHOOK_DISABLED="1") == expected


def test_a_server_accepts_clients_with_an_additional_root(run_client) -> None:
    code = (
        SERVERS
        + """
before = {*vars(), "before"}
def default():
    context = with_certificate(new())
    context.set_default_verify_paths()
    return context
"""
    )
    tree = {**DEBIAN, "/etc/company.pem": Pem("extra")}
    variables = {"CERTHOOK_EXTRA_CA_CERTS": "/etc/company.pem"}
    assert run_client(code, tree, harness=PRINT_ACCEPTED, **variables) == {"default": "system extra"}


#: Programs that print the results of the function trusted() as JSON, and the results.
PROGRAMS = {
    "a context for a server, then for a client": (
        """
context = with_certificate(new())
context.set_default_verify_paths()
results = [accepts(context, "system"), accepts(context, "bundled"), trusted(context)]
""",
        [True, False, "system"],
    ),
    "a client after the server has replaced the store": (
        """
context = with_certificate(new())
context.set_default_verify_paths()
results = [use_for_a_client(context), accepts(context, "system"), accepts(context, "bundled"), trusted(context)]
""",
        ["system bundled", True, False, "system"],
    ),
    "a modified store": (
        """
context = with_certificate(new())
context.set_default_verify_paths()
results = [use_for_a_client(context)]
context.get_cert_store()
try:
    accepts(context, "bundled")
except Exception as error:
    results.append(type(error).__name__)
""",
        ["system bundled", "CerthookError"],
    ),
    "threads": (
        """
import threading
context = new()
context.set_verify(SSL.VERIFY_PEER, lambda *args: bool(args[-1]))
context.set_default_verify_paths()
results, barrier = [], threading.Barrier(8)
def connect():
    barrier.wait()
    results.append(trusted(context))
threads = [threading.Thread(target=connect) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
""",
        ["system bundled"] * 8,
    ),
    "a deleted store": (
        """
import shutil, time
context = new()
context.set_verify(SSL.VERIFY_PEER, lambda *args: bool(args[-1]))
context.set_default_verify_paths()
SSL.Connection(context, None).set_connect_state()
for name in os.listdir(os.environ["CERTHOOK_STORE_DIR"]):
    path = os.path.join(os.environ["CERTHOOK_STORE_DIR"], name)
    shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
time.sleep(0.5)
results = [trusted(context)]
""",
        ["system bundled"],
    ),
    "uninstall": (
        """
import certhook
contexts = [new() for _ in range(2)]
for context in contexts:
    context.set_verify(SSL.VERIFY_PEER, lambda *args: bool(args[-1]))
    context.set_default_verify_paths()
results = [trusted(contexts[0])]
certhook.uninstall()
results += [trusted(contexts[0]), trusted(contexts[1]), hasattr(SSL.Context.set_default_verify_paths, "__certhook__")]
""",
        ["system bundled", "system bundled", "system", False],
    ),
    "reload": (
        """
import importlib
importlib.reload(SSL)
context = SSL.Context(SSL.TLS_METHOD)
context.set_verify(SSL.VERIFY_PEER, lambda *args: bool(args[-1]))
context.set_default_verify_paths()
results = [trusted(context)]
""",
        ["system bundled"],
    ),
    "two copies": (
        """
import sys
import certhook
before = SSL.Context.set_default_verify_paths
for name in [name for name in sys.modules if name.partition(".")[0] == "certhook"]:
    del sys.modules[name]
import certhook
certhook.install()
context = new()
context.set_verify(SSL.VERIFY_PEER, lambda *args: bool(args[-1]))
context.set_default_verify_paths()
results = [trusted(context), SSL.Context.set_default_verify_paths is before]
""",
        ["system bundled", True],
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_context_has_the_roots_for_its_use(run_client, name) -> None:
    code, expected = PROGRAMS[name]
    assert run_client(SERVERS + code, harness="\nprint(json.dumps(results))") == expected


def test_install_applies_to_a_module_and_to_contexts_that_exist(run_client) -> None:
    code = (
        SERVERS
        + """
context, used = new(), new()
used.set_verify(SSL.VERIFY_PEER, lambda *args: bool(args[-1]))
context.set_verify(SSL.VERIFY_PEER, lambda *args: bool(args[-1]))
used.set_default_verify_paths()
results = [trusted(used)]
del os.environ["CERTHOOK_DISABLED"]
import certhook
certhook.install()
context.set_default_verify_paths()
results += [trusted(used), trusted(context)]
"""
    )
    results = run_client(code, harness="\nprint(json.dumps(results))", CERTHOOK_DISABLED="1")
    assert results == ["system", "system", "system bundled"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_is_supported_or_unchanged(
    once, pip_install, wheel, cas, servers, ports, tmp_path, root, version
) -> None:
    """The hook is active, or it changes nothing and status reports the reason."""
    requirements, is_supported = VERSIONS[version]
    python = environment_of(once, pip_install, wheel, f"pyopenssl {version}", requirements)
    machine = LinuxMachine(cas, servers, python, python, tmp_path / "machine")
    (tmp_path / "machine").mkdir()
    all_ports = {name: ports("https")[name] for name in NAMES}
    code = (
        PLAIN
        + HARNESS
        + """
from certhook._state import process
print(process.clients["pyopenssl"])
print(hasattr(SSL.Context.set_default_verify_paths, "__certhook__"))
"""
    )
    done = machine.run(python, code, DEBIAN, tmp_path, PORTS=json.dumps(all_ports))
    results, reason, is_wrapped = done.stdout.splitlines()
    trusted = {name for name, is_trusted in json.loads(results).items() if is_trusted}
    if is_supported:
        assert (trusted, reason, is_wrapped) == ({"system", "bundled"}, "", "True")
    else:
        assert (trusted, is_wrapped) == ({"system"}, "False")
        assert "cryptography does not export X509_STORE_up_ref of OpenSSL" in reason


#: Programs that damage certhook, and the servers that a context with default trust trusts.
FAULTS = {
    "an internal error": ("certhook._trust.current = None", "system"),
    "an internal error and CERTHOOK_SOURCES": (
        "certhook._trust.current = None; os.environ['CERTHOOK_SOURCES'] = 'bundled'",
        "",
    ),
    "adoption fails": ("certhook._adoption.find_file = None", "system bundled"),
    "the roots are not recorded": ("certhook._clients.openssl_roots.Roots = None", "system"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_internal_error_never_breaks_the_library(run_client, name) -> None:
    code, expected = FAULTS[name]
    code = f"""{SERVERS}
import sys, warnings
import certhook, certhook._trust, certhook._adoption
import certhook._clients.openssl_roots
warnings.simplefilter("ignore")
{code}
context = new()
context.set_verify(SSL.VERIFY_PEER, lambda *args: bool(args[-1]))
context.set_default_verify_paths()
context.load_verify_locations(EXTRA)
results = trusted(context)
"""
    expected = " ".join(name for name in NAMES if name in expected.split() or name == "extra")
    assert run_client(code, harness="\nprint(json.dumps(results))") == expected


def test_a_wrong_setting_raises_where_the_roots_are_requested(run_client) -> None:
    code = f"""{SERVERS}
context = new()
try:
    context.set_default_verify_paths()
except Exception as error:
    results = type(error).__name__
"""
    variables = {"CERTHOOK_ON_ERROR": "raise", "CERTHOOK_EXTRA_CA_CERTS": "/etc/missing.pem"}
    assert run_client(code, harness="\nprint(json.dumps(results))", **variables) == "ConfigurationError"


@pytest.mark.parametrize(
    ("failing", "failure", "expected"),
    [
        ("_trust.current", "ConfigurationError('CERTHOOK_EXTRA_CA_CERTS', 'was deleted')", "ConfigurationError"),
        ("Roots._replace_store", "MemoryError()", "CerthookError"),
    ],
)
def test_a_server_has_no_roots_of_the_bundle_after_its_first_connection_failed(
    run_client, failing, failure, expected
) -> None:
    code = f"""{SERVERS}
from certhook import _trust
from certhook._clients.openssl_roots import Roots
from certhook.exceptions import ConfigurationError
def fail(*args):
    raise {failure}
context = with_certificate(new())
context.set_default_verify_paths()
results = [use_for_a_client(context)]
{failing} = fail
for attempt in range(2):
    try:
        results.append(accepts(context, "bundled"))
    except Exception as error:
        results.append(type(error).__name__)
"""
    results = run_client(code, harness="\nprint(json.dumps(results))")
    assert results == ["system bundled", expected, expected]


def test_a_wrong_setting_causes_one_warning(run_client) -> None:
    code = f"""{SERVERS}
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    context = new()
    context.set_default_verify_paths()
    results = [trusted(context), ["missing.pem" in str(warning.message) for warning in caught]]
"""
    variables = {"CERTHOOK_EXTRA_CA_CERTS": "/etc/missing.pem"}
    results = run_client(code, harness="\nprint(json.dumps(results))", **variables)
    assert results[1] == [True]


@pytest.mark.parametrize("request_roots", ["set_default_verify_paths()", "load_verify_locations(certifi.where())"])
def test_eager_contexts_work_after_chroot(run_client, request_roots) -> None:
    code = f"""{SERVERS}
context = new()
context.set_verify(SSL.VERIFY_PEER, lambda *args: bool(args[-1]))
context.{request_roots}
"localhost".encode("idna")
os.chroot(PRIVATE)
os.chdir("/")
results = trusted(context)
"""
    harness = "\nprint(json.dumps(results))"
    assert run_client(code, harness=harness, CERTHOOK_LOAD="eager") == "system bundled"
