"""The hook for grpcio: real channels to servers of different CAs, through grpc, grpc.aio and OpenTelemetry.

The CA "extra" is only in grpcio's own copy of Mozilla's roots; the others are in the locations of test_clients.py.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Callable, Iterator

import pytest
import support
import trustme
from client_table import Client
from layouts import BLOCKLIST, DEBIAN, DEBIAN_OPENSSL, FEDORA_43
from linux_machine import OPENSSL, Pem, Trusted
from test_clients import LAYOUTS

ALL = "system bundled extra stranger"

#: A program that serves gRPC, and prints the port of each server. Its standard input contains their names, keys and
#: certificates.
SERVER = """
import json, sys
from concurrent import futures
import grpc
class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        is_export = details.method.endswith("/Export")
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"" if is_export else b"hello")
def serve(key, chain):
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Handler(),))
    credentials = grpc.ssl_server_credentials([(key.encode(), chain.encode())])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    servers.append(server)
    return port
servers = []
print(json.dumps({name: serve(*pair) for name, pair in json.loads(sys.stdin.readline()).items()}), flush=True)
sys.stdin.read()
"""

#: Functions for clients. The channels share no connection, so that each verifies the server.
DEFINITIONS = """
import grpc
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]
def fetch_with(port, credentials):
    with grpc.secure_channel(f"localhost:{port}", credentials, options=OPTIONS) as channel:
        return channel.unary_unary("/a/b")(b"", timeout=60)
"""

SYNC = Client(
    DEFINITIONS
    + """
def fetch(port, **options):
    return fetch_with(port, grpc.ssl_channel_credentials(**options))
""",
    "grpc",
)
#: A client that does not distinguish rejected roots from unknown ones.
REJECTING = Client(
    SYNC.code
    + """
fetch_any = fetch
def fetch(port):
    try:
        return fetch_any(port)
    except grpc.RpcError as error:
        raise RuntimeError(error.details().replace("certificate rejected", "unable to get local issuer certificate"))
""",
    "grpc",
)
CLIENTS = {
    "grpc": SYNC,
    "composite credentials": Client(
        DEFINITIONS
        + """
def fetch(port):
    token = grpc.access_token_call_credentials("token")
    return fetch_with(port, grpc.composite_channel_credentials(grpc.ssl_channel_credentials(), token))
""",
        "grpc",
    ),
    "credentials created by C code": Client(
        DEFINITIONS
        + """
def fetch(port):
    token = grpc.access_token_call_credentials("token")
    return fetch_with(port, grpc.compute_engine_channel_credentials(token))
""",
        "grpc",
    ),
    "a function imported by name": Client(
        DEFINITIONS
        + """
from grpc.beta.implementations import ssl_channel_credentials
def fetch(port):
    return fetch_with(port, ssl_channel_credentials(None, None, None))
""",
        "grpc",
    ),
    "grpc.aio": Client(
        """
import grpc.aio
async def fetch(port):
    credentials = grpc.ssl_channel_credentials()
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        return await channel.unary_unary("/a/b")(b"", timeout=60)
""",
        "grpc",
    ),
    "OpenTelemetry": Client(
        """
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
def fetch(port):
    exporter = OTLPSpanExporter(f"https://localhost:{port}")
    exporter._client.Export(ExportTraceServiceRequest(), timeout=60)
    return "hello"
""",
        "grpc",
    ),
}


@pytest.fixture(scope="session")
def grpc_ports(cas, environments) -> Iterator[dict[str, int]]:
    """The ports of gRPC servers, one per CA."""
    leaves = {name: getattr(cas, name).issue_cert("localhost") for name in cas.names}
    pairs = {
        name: [leaf.private_key_pem.bytes().decode(), b"".join(part.bytes() for part in leaf.cert_chain_pems).decode()]
        for name, leaf in leaves.items()
    }
    command = [str(environments["grpc"]), "-c", SERVER]
    env = support.clean_env(CERTHOOK_DISABLED="1")
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        server.stdin.write(json.dumps(pairs) + "\n")
        server.stdin.flush()
        yield json.loads(server.stdout.readline())
        server.stdin.close()


@pytest.fixture
def ports(grpc_ports) -> Callable[[str], dict[str, int]]:
    return lambda protocol: grpc_ports


@pytest.fixture(scope="session")
def own_bundle(environments) -> Path:
    """grpcio's own copy of Mozilla's roots."""
    return support.purelib(environments["grpc"]) / "grpc" / "_cython" / "_credentials" / "roots.pem"


@pytest.fixture
def trusted(trusted_servers, own_bundle, cas):
    """Connect a client to the servers of all CAs for each of *cases*, and return the names of those it trusts."""

    def trusted(client: Client = SYNC, *cases: tuple[str, str], is_reduced: bool = False, **options) -> list[set[str]]:
        kept = b"" if is_reduced else own_bundle.read_bytes() + b"\n"
        over = {str(own_bundle): kept + cas.pem("extra")}
        resolved = [(arguments, file, ALL) for arguments, file in cases or [("", "")]]
        return trusted_servers(client, *resolved, environment="grpc", over=over, **options)

    return trusted


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_trusts_its_own_bundle_and_default_trust(trusted, name, layout) -> None:
    tree, expected = LAYOUTS[layout]
    assert trusted(CLIENTS[name], tree=tree) == [expected | {"extra"}]


@pytest.mark.parametrize("name", CLIENTS)
def test_without_certhook_a_client_trusts_its_own_bundle(trusted, name) -> None:
    assert trusted(CLIENTS[name], CERTHOOK_DISABLED="1") == [{"extra"}]


@pytest.mark.parametrize(
    "variables",
    [{"CERTHOOK_LOAD": "eager"}, {"CERTHOOK_STORE_DIR": "none"}],
    ids=lambda variables: next(iter(variables)),
)
def test_no_store_is_needed(trusted, variables) -> None:
    assert trusted(**variables) == [{"system", "bundled", "extra"}]


@pytest.mark.parametrize(
    "variables", [{"CERTHOOK_ADOPT": "none"}, {"CERTHOOK_ADOPT": "certifi"}, {"CERTHOOK_CLIENTS": "none"}]
)
def test_settings_exclude_the_request(trusted, variables) -> None:
    assert trusted(**variables) == [{"extra"}]


def test_a_bundle_that_the_user_replaced_is_a_choice_of_roots(trusted) -> None:
    assert trusted(is_reduced=True) == [{"extra"}]


def test_roots_of_the_bundle_come_first(run) -> None:
    """gRPC ignores everything after a certificate that BoringSSL cannot parse."""
    run("""
from grpc._cython import cygrpc
from certhook._certificates.pem import decode
arguments = "grpc._cython", "_credentials/roots.pem"
own, answer = (decode(reader.get_data(*arguments)) for reader in (cygrpc.pkgutil.__certhook__, cygrpc.pkgutil))
assert len(answer) > len(own) > 80 and set(answer[:len(own)]) == set(own)
""")


def test_certhook_sources_applies(trusted) -> None:
    assert trusted(CERTHOOK_SOURCES="system") == [{"system"}]


def test_ssl_cert_file_adds_roots_to_the_bundle(trusted) -> None:
    """grpcio ignores the variable, so its own roots remain."""
    tree = {**DEBIAN, "/etc/company.pem": Pem("stranger")}
    variables = {"SSL_CERT_FILE": "/etc/company.pem"}
    assert trusted(tree=tree, CERTHOOK_DISABLED="1", **variables) == [{"extra"}]
    assert trusted(tree=tree, **variables) == [{"extra", "stranger"}]


@pytest.mark.parametrize("disabled", ["1", ""])
def test_the_roots_of_the_user_and_the_caller_are_preserved(trusted, disabled) -> None:
    tree = {**DEBIAN_OPENSSL, "/etc/company.pem": Pem("stranger")}
    path = {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "/etc/company.pem"}
    assert trusted(tree=tree, CERTHOOK_DISABLED=disabled, **path) == [{"stranger"}]
    switch = {"GRPC_NOT_USE_SYSTEM_SSL_ROOTS": "true"}
    assert trusted(tree=tree, CERTHOOK_DISABLED=disabled, **switch) == [{"extra"}]
    named = "root_certificates=open(FILE, 'rb').read()"
    assert trusted(SYNC, (named, "/etc/company.pem"), tree=tree, CERTHOOK_DISABLED=disabled) == [{"stranger"}]


@pytest.mark.parametrize(
    "files",
    [
        {f"{BLOCKLIST}/bundled.pem": Pem("bundled extra")},
        {"/etc/pki/ca-trust/source/anchors/a.pem": Trusted("bundled", "-addreject serverAuth"),
         f"{BLOCKLIST}/extra.pem": Pem("extra")},
    ],
)  # fmt: skip
def test_distrusted_roots_are_removed_from_every_bundle(trusted, files) -> None:
    assert trusted(tree={**FEDORA_43, **files}) == [{"system"}]


@pytest.mark.parametrize("load", ["lazy", "eager"])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("-addtrust serverAuth", {"system"}),
        ("-addreject serverAuth", set()),
        ("-addtrust clientAuth", set()),
        ("-addreject clientAuth", {"system"}),
    ],
)
def test_trust_settings_of_a_root_apply(trusted, settings, expected, load) -> None:
    tree = {f"{OPENSSL}/cert.pem": Trusted("system", settings)}
    assert trusted(REJECTING, tree=tree, CERTHOOK_LOAD=load) == [{"bundled", "extra"} | expected]


#: Definitions for programs that change default trust. A file in the environment variable TARGET is an extra source.
CHANGES = (
    DEFINITIONS
    + """
import json, os, subprocess, sys, threading
PORTS = json.loads(os.environ["PORTS"])
def trusts(name, credentials=None):
    try:
        return fetch_with(PORTS[name], credentials or grpc.ssl_channel_credentials()) == b"hello"
    except grpc.RpcError as error:
        assert "unable to get local issuer certificate" in error.details(), error.details()
        return False
"""
)


@pytest.fixture
def run(environments, grpc_ports, cas, tmp_path):
    """Run code after :data:`CHANGES`. CERTHOOK_EXTRA_CA_CERTS names a file with the CA "system"."""
    (tmp_path / "system.pem").write_bytes(cas.pem("system"))

    def run(code: str, before: str = "", **variables: str) -> None:
        defaults = {
            "PORTS": json.dumps(grpc_ports),
            "CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "system.pem"),
            "STRANGER": str(tmp_path / "stranger.pem"),
            "GRPC_VERBOSITY": "NONE",
        }
        (tmp_path / "stranger.pem").write_bytes(cas.pem("stranger"))
        env = support.clean_env(**{**defaults, **variables})
        done = support.run(environments["grpc"], before + CHANGES + code, env=env)
        assert not done.stderr, done.stderr

    return run


def test_new_credentials_follow_a_change(run) -> None:
    run("""
old = grpc.ssl_channel_credentials()
assert trusts("system", old) and not trusts("stranger", old)
with open(os.environ["STRANGER"], "rb") as stranger, open(os.environ["CERTHOOK_EXTRA_CA_CERTS"], "wb") as file:
    file.write(stranger.read())
import time
time.sleep(0.2)
assert trusts("stranger") and not trusts("system")
del os.environ["CERTHOOK_EXTRA_CA_CERTS"]
assert not trusts("stranger") and not trusts("system")
os.environ["CERTHOOK_ADOPT"] = "none"
os.environ["CERTHOOK_EXTRA_CA_CERTS"] = os.environ["STRANGER"]
assert not trusts("stranger") and not trusts("system")
""")


@pytest.mark.parametrize("settings", ["", "-addreject serverAuth"])
def test_a_rejected_intermediate_that_the_server_sends_remains_rejected(run, tmp_path, settings) -> None:
    root = trustme.CA()
    intermediate = root.create_child_ca()
    leaf = intermediate.issue_cert("localhost")
    (tmp_path / "key.pem").write_bytes(leaf.private_key_pem.bytes())
    (tmp_path / "chain.pem").write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
    restricted = intermediate.cert_pem.bytes()
    if settings:
        command = ["openssl", "x509", "-trustout", *settings.split()]
        restricted = subprocess.run(command, input=restricted, stdout=subprocess.PIPE, check=True).stdout
    (tmp_path / "company.pem").write_bytes(root.cert_pem.bytes() + restricted)
    run(
        f"""
from concurrent import futures
key, chain = (open(os.environ[name], "rb").read() for name in ("KEY", "CHAIN"))
class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"hello")
server = grpc.server(futures.ThreadPoolExecutor(1))
server.add_generic_rpc_handlers((Handler(),))
port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
server.start()
try:
    answer = fetch_with(port, grpc.ssl_channel_credentials())
except grpc.RpcError as error:
    answer = error.details()
server.stop(0)
assert {"certificate rejected" if settings else "hello"!r} in str(answer), answer
""",
        CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "company.pem"),
        KEY=str(tmp_path / "key.pem"),
        CHAIN=str(tmp_path / "chain.pem"),
    )


def test_the_environment_remains_unchanged(run) -> None:
    run("""
before = dict(os.environ)
assert trusts("system") and os.environ == before
if sys.platform != "win32":
    assert "GRPC_DEFAULT" not in subprocess.run(["env"], stdout=subprocess.PIPE, encoding="utf-8").stdout
""")


def test_importing_the_library_does_not_determine_trust(run) -> None:
    run("""
assert not {"certhook._trust", "certhook._clients.certificates"} & set(sys.modules)
trusts("system")
assert "certhook._trust" in sys.modules
""")


def test_a_library_that_is_already_imported_and_uses_its_roots_gets_default_trust(run) -> None:
    code = """
assert not trusts("system")
del os.environ["CERTHOOK_DISABLED"]
import certhook
certhook.install()
assert trusts("system") and not trusts("stranger")
"""
    run(code, CERTHOOK_DISABLED="1")
    run(code.replace('assert not trusts("system")\n', ""), CERTHOOK_DISABLED="1")


def test_uninstall_restores_the_library(run) -> None:
    run("""
import certhook
from grpc._cython import cygrpc
replaced = cygrpc.SSLChannelCredentials
certhook.uninstall()
assert not hasattr(cygrpc.SSLChannelCredentials, "__certhook__") and not hasattr(cygrpc.pkgutil, "__certhook__")
assert cygrpc.SSLChannelCredentials is replaced.__certhook__
assert not trusts("system", grpc.ChannelCredentials(replaced(None, None, None)))
assert not trusts("system")
certhook.install()
assert trusts("system") and isinstance(cygrpc.SSLChannelCredentials(None, None, None), replaced.__certhook__)
""")


def test_a_second_copy_wraps_nothing_twice(run) -> None:
    run("""
from grpc._cython import cygrpc
replaced = cygrpc.SSLChannelCredentials
copies = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "certhook"}
import certhook
certhook.install()
assert certhook is not copies["certhook"] and cygrpc.SSLChannelCredentials is replaced
assert not hasattr(replaced.__certhook__, "__certhook__") and not hasattr(cygrpc.pkgutil.__certhook__, "__certhook__")
assert trusts("system")
""")


def test_a_reload_changes_nothing(run) -> None:
    """The reloaded library has other classes of exceptions than its modules, so it makes no requests."""
    run("""
import importlib
from grpc._cython import cygrpc
before = cygrpc.SSLChannelCredentials, cygrpc.pkgutil
importlib.reload(grpc)
assert (cygrpc.SSLChannelCredentials, cygrpc.pkgutil) == before and hasattr(before[0], "__certhook__")
""")


def test_threads_share_the_roots(run) -> None:
    run("""
results = []
threads = [threading.Thread(target=lambda: results.append(trusts("system"))) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert results == [True] * 8
""")


def test_invalid_arguments_are_reported_by_the_library(run) -> None:
    run("""
from grpc._cython import cygrpc
def attempt(create, arguments):
    try:
        create(*arguments)
    except Exception as error:
        return str(error)
for arguments in [(), (None,), ("text", None, None), ("", None, None), (1, None, None)]:
    expected = attempt(cygrpc.SSLChannelCredentials.__certhook__, arguments)
    assert expected and attempt(cygrpc.SSLChannelCredentials, arguments) == expected, arguments
""")


def test_a_server_receives_no_roots(run, cas, tmp_path) -> None:
    """A server that requires client certificates names their CA, and gRPC accepts no other."""
    leaf = cas.system.issue_cert("localhost")
    (tmp_path / "key.pem").write_bytes(leaf.private_key_pem.bytes())
    (tmp_path / "chain.pem").write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
    run(
        """
from concurrent import futures
key, chain, stranger = (open(os.environ[name], "rb").read() for name in ("KEY", "CHAIN", "STRANGER"))
try:
    grpc.ssl_server_credentials([(key, chain)], require_client_auth=True)
except ValueError:
    pass
else:
    raise AssertionError
server = grpc.server(futures.ThreadPoolExecutor(1))
server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)], stranger, True))
PORTS["own"] = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)], stranger, True))
server.start()
try:
    fetch_with(PORTS["own"], grpc.ssl_channel_credentials(None, key, chain))
except grpc.RpcError as error:
    assert error.code() is grpc.StatusCode.UNAVAILABLE, error
else:
    raise AssertionError("the server accepted a client certificate of another CA")
server.stop(0)
""",
        KEY=str(tmp_path / "key.pem"),
        CHAIN=str(tmp_path / "chain.pem"),
    )


@pytest.mark.parametrize(
    "change", ["del cygrpc.pkgutil", "cygrpc.SSLChannelCredentials = len", "del cygrpc.pkgutil.get_data"]
)
def test_a_library_with_other_internals_remains_unchanged(run, change) -> None:
    before = f"""
import os, types
os.environ["CERTHOOK_DISABLED"] = "1"
import grpc, certhook
from grpc._cython import cygrpc
cygrpc.pkgutil = types.SimpleNamespace(get_data=cygrpc.pkgutil.get_data)
{change}
state = dict(vars(cygrpc))
del os.environ["CERTHOOK_DISABLED"]
certhook.install()
from certhook._state import process
assert "cygrpc" in process.clients["grpc"], process.clients
assert vars(cygrpc) == state
"""
    run("", before=before)


def test_an_internal_error_leaves_the_roots_of_the_library(run) -> None:
    code = """
import warnings
from certhook import _trust
def fail(*arguments):
    raise OSError("no file descriptor is left")
_trust.current = fail
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert not trusts("system")
assert "no file descriptor is left" in str(caught[0].message), caught
"""
    run(code)
