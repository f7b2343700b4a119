"""Clients with a TLS implementation of their own have default trust if ``certhook run --env`` starts them.

The servers observe the result. A client that does not trust a server sends an alert, or closes the connection;
a client that trusts it sends a request. The reply is not a valid one, so every client fails in the end.
"""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import client_table
import pytest
import support
from layouts import DEBIAN_OPENSSL
from linux_machine import LinuxMachine


class Native(NamedTuple):
    """A client with a TLS implementation of its own.

    :ivar code: code that connects to https://localhost:PORT
    :ivar stock: whether it trusts the operating system's roots without a variable
    :ivar is_reached: whether a variable of ``certhook env`` selects its roots
    :ivar protocol: the protocol of the server
    :ivar option: the text to replace in *code*, and the option that names the file FILE instead
    """

    code: str
    stock: bool = True
    is_reached: bool = True
    protocol: str = "https"
    option: tuple[str, str] = ("", "")


_S3 = "aws_access_key_id='a', aws_secret_access_key='b', aws_region='us-east-1'"
_PSYCOPG = "import psycopg; psycopg.connect('host=localhost port=PORT user=u connect_timeout=9 gssencmode=disable {}')"

CLIENTS = {
    "confluent-kafka": Native(
        "from confluent_kafka.admin import AdminClient\n"
        "settings = {'bootstrap.servers': 'localhost:PORT', 'security.protocol': 'SSL'}\n"
        "AdminClient(settings).list_topics(timeout=2)",
        is_reached=False,
        option=("{'boot", "{'ssl.ca.location': FILE, 'boot"),
    ),
    "curl_cffi": Native("from curl_cffi import requests; requests.get('https://localhost:PORT/')"),
    "deltalake": Native(
        "from deltalake import DeltaTable\n"
        f"DeltaTable('s3://bucket/x', storage_options=dict({_S3}, endpoint='https://localhost:PORT', max_retries='0'))"
    ),
    "git": Native("import subprocess; subprocess.run(['git', 'ls-remote', 'https://localhost:PORT/repository'])"),
    "httpr": Native("import httpr; httpr.Client().get('https://localhost:PORT/')", stock=False),
    "obstore": Native(
        "import obstore; from obstore.store import S3Store\n"
        "keys = dict(access_key_id='a', secret_access_key='b', region='us-east-1', retry_config={'max_retries': 0})\n"
        "obstore.get(S3Store('bucket', endpoint='https://localhost:PORT', **keys), 'x')"
    ),
    "polars": Native(
        f"import polars\noptions = dict({_S3}, aws_endpoint_url='https://localhost:PORT', max_retries=0)\n"
        "polars.scan_parquet('s3://bucket/x.parquet', storage_options=options).collect()"
    ),
    "primp": Native("import primp; primp.Client().get('https://localhost:PORT/')"),
    "psycopg": Native(_PSYCOPG.format("sslmode=verify-full sslrootcert=system"), stock=False, protocol="postgres"),
    "pyarrow's Flight": Native(
        "from pyarrow import flight\nclient = flight.FlightClient('grpc+tls://localhost:PORT')\n"
        "list(client.list_flights(options=flight.FlightCallOptions(timeout=4)))",
        protocol="h2",
    ),
    "pyarrow's GcsFileSystem": Native(
        "import datetime; from pyarrow import fs\n"
        "options = dict(anonymous=True, scheme='https', retry_time_limit=datetime.timedelta(seconds=1))\n"
        "fs.GcsFileSystem(endpoint_override='localhost:PORT', **options).get_file_info('bucket/x')"
    ),
    "pyarrow's S3FileSystem": Native(
        "from pyarrow import fs\n"
        "options = dict(access_key='a', secret_key='b', region='us-east-1', scheme='https', request_timeout=5)\n"
        "fs.S3FileSystem(endpoint_override='localhost:PORT', **options).get_file_info('bucket/x')"
    ),
    "pycurl": Native(
        "import pycurl\ncurl = pycurl.Curl()\ncurl.setopt(curl.URL, 'https://localhost:PORT/')\ncurl.perform()",
        is_reached=False,
        option=("curl.perform", "curl.setopt(curl.CAINFO, FILE)\ncurl.perform"),
    ),
    "pygit2": Native(
        "import pygit2, tempfile\n"
        "pygit2.init_repository(tempfile.mkdtemp(), True).remotes.create_anonymous('https://localhost:PORT/x').list_heads()"
    ),
    "pyreqwest": Native(
        "from pyreqwest.client import SyncClientBuilder\n"
        "with SyncClientBuilder().build() as client:\n    client.get('https://localhost:PORT/').build().send()"
    ),
    "rnet": Native(
        "import pathlib, rnet; rnet.BlockingClient().get('https://localhost:PORT/')",
        stock=False,
        is_reached=False,
        option=("BlockingClient()", "BlockingClient(verify=pathlib.Path(FILE))"),
    ),
    "snowflake-connector-python": Native(
        "from snowflake import connector\n"
        "names = dict(user='u', password='p', account='a', host='localhost', port=PORT, protocol='https')\n"
        "connector.connect(**names, login_timeout=3, network_timeout=3)"
    ),
    "tls_client": Native("import tls_client; tls_client.Session().get('https://localhost:PORT/')"),
    "uv": Native(
        "import os, subprocess; from pathlib import Path\n"
        "Path(os.environ['TMPDIR'], 'wanted.in').write_text('hello')\n"
        "command = ['uv', 'pip', 'compile', '-n', '--default-index', 'https://localhost:PORT/', 'wanted.in']\n"
        "subprocess.run(command, cwd=os.environ['TMPDIR'])",
        stock=False,
    ),
    "valkey-glide": Native(
        "import asyncio\nfrom glide import GlideClient, GlideClientConfiguration, NodeAddress\n"
        "address = NodeAddress('localhost', PORT)\n"
        "asyncio.run(GlideClient.create(GlideClientConfiguration([address], use_tls=True, request_timeout=3000)))"
    ),
}

#: Starts the programs in PROGRAMS at the same time, and prints their output. PATH begins with the programs of the
#: environment.
HARNESS = """
import json, os, subprocess, sys
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
os.environ["HOME"] = os.environ["TMPDIR"]
start = [sys.executable, "-m", "certhook", "run", *json.loads(os.environ["OPTIONS"]), sys.executable, "-c"]
pipes = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
for process in [subprocess.Popen([*start, code], **pipes) for code in json.loads(os.environ["PROGRAMS"])]:
    print(process.communicate(timeout=50)[0])
"""

SYSTEM_STORE = "/etc/ssl/certs/ca-certificates.crt"
NAMES = ("system", "bundled", "stranger")


class _Server(socketserver.ThreadingTCPServer):
    """A server on loopback that counts the connections with a request, and those without."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, protocol: str, outcomes: list[bool]) -> None:
        self.context, self.protocol, self.outcomes = context, protocol, outcomes
        super().__init__(("127.0.0.1", 0), BaseHTTPRequestHandler)

    def finish_request(self, request: socket.socket, client_address: object) -> None:
        request.settimeout(20)
        data = b""
        try:
            if self.protocol == "postgres":
                request.recv(8)
                request.sendall(b"S")
            with self.context.wrap_socket(request, server_side=True) as secured:
                data = secured.recv(65536)
                self.outcomes.append(bool(data))
                if data:
                    secured.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        except OSError:
            if not data:
                self.outcomes.append(False)


@pytest.fixture(scope="session")
def native_python(once, pip_install, wheel) -> Path:
    """The interpreter of an environment with certhook and the clients."""
    with once("run-env") as (directory, is_first):
        python = support.interpreter_of(directory / "venv")
        if is_first:
            support.make_environment(directory / "venv")
            pip_install(python, wheel, *client_table.requirements("native"))
            support.byte_compile(python)
    return python


@pytest.fixture(scope="session")
def native_machine(root, cas, servers, native_python, tmp_path_factory) -> LinuxMachine:
    """A machine on which each test defines the files at the paths of the system's store."""
    machine = LinuxMachine(cas, servers, native_python, native_python, tmp_path_factory.mktemp("machine"))
    if machine.openssldir in ("/etc/ssl", "/etc/pki/tls"):
        pytest.skip(f"{machine.openssldir} is the OPENSSLDIR of this interpreter")
    return machine


@pytest.fixture
def connect(native_machine, native_python, cas, tmp_path) -> Iterator[Callable[..., set[str]]]:
    """A function that returns the CAs, among the named ones, whose servers a client trusts."""
    with ExitStack() as stack:

        def start(name: str, protocol: str) -> tuple[int, list[bool]]:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            getattr(cas, name).issue_cert("localhost", "127.0.0.1").configure_cert(context)
            context.set_alpn_protocols(["h2" if protocol == "h2" else "http/1.1"])
            outcomes: list[bool] = []
            server = stack.enter_context(_Server(context, protocol, outcomes))
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            stack.callback(server.shutdown)
            return server.server_address[1], outcomes

        def connect(
            client: Native, names: tuple[str, ...], *options: str, code: str = "", **variables: str
        ) -> set[str]:
            started = {name: start(name, client.protocol) for name in names}
            programs = [(code or client.code).replace("PORT", str(port)) for port, _ in started.values()]
            directory = tmp_path / str(len(list(tmp_path.iterdir())))
            directory.mkdir()
            done = native_machine.run(
                native_python,
                HARNESS,
                DEBIAN_OPENSSL,
                directory,
                TMPDIR=str(directory / "scratch"),
                OPTIONS=json.dumps(options),
                PROGRAMS=json.dumps(programs),
                AWS_EC2_METADATA_DISABLED="true",
            )
            outcomes = {name: set(outcomes) for name, (_, outcomes) in started.items()}
            # A client may open several connections, and close one of them before it has sent a request.
            assert all(outcomes.values()), f"{outcomes}\n{done.stdout}"
            return {name for name, found in outcomes.items() if True in found}

        yield connect


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_trusts_the_roots_of_default_trust_with_env(connect, name) -> None:
    client = CLIENTS[name]
    stock = {"system"} if client.stock else set()
    assert connect(client, NAMES[:2]) == stock
    assert connect(client, NAMES, "--env") == ({"system", "bundled"} if client.is_reached else stock)


@pytest.mark.parametrize("name", [name for name in CLIENTS if not CLIENTS[name].is_reached])
def test_an_option_selects_the_roots_of_a_client_that_no_variable_reaches(connect, name) -> None:
    client = CLIENTS[name]
    code = client.code.replace(*client.option).replace("FILE", repr(SYSTEM_STORE))
    assert code != client.code
    assert connect(client, NAMES, code=code) == {"system"}


@pytest.mark.parametrize("mode", ["", "sslmode=require"])
def test_libpq_connects_as_before_if_no_verification_was_requested(connect, mode) -> None:
    """With PGSSLROOTCERT, libpq would refuse these servers, or continue without TLS."""
    client = Native(_PSYCOPG.format(mode), protocol="postgres")
    assert connect(client, NAMES, "--env") == set(NAMES)
