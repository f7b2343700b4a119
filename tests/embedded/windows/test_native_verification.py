"""CERTHOOK_VERIFY=native in CPython for Windows under Wine, whose crypt32 verifies servers, through truststore.

Wine's crypt32 ignores the Disallowed store, and accepts a certificate whose issuer is missing, so certhook refuses to
use it. The other tests use it nevertheless; the servers send their roots, so that nothing is missing. Additional
anchors (the bundle, extra files) fail under Wine, whose CertCreateCertificateChainEngine() rejects truststore's
arguments. Wine downloads no intermediates and obtains no roots on demand. These functions remain untested.
"""

from __future__ import annotations

import json
import ssl
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import support
from wine import RERUN_IF_WINESERVER_DIES, Windows, clone_interpreter

pytestmark = RERUN_IF_WINESERVER_DIES

#: truststore needs Python 3.10.
with_truststore = pytest.mark.parametrize("windows", ["3.11", "3.13"], indirect=True)

NATIVE = {"CERTHOOK_VERIFY": "native"}

#: Uses Wine's crypt32 although it accepts a certificate whose issuer is missing, and counts its calls.
USE_CRYPT32 = """
import certhook._native, truststore
from certhook._native_connection import Connection
calls = []
def verify(ssl_context, cert_chain, server_hostname=None):
    calls.append(server_hostname)
    sys.modules["truststore._api"]._verify_peercerts_impl(ssl_context, cert_chain, server_hostname)
certhook._native._truststore = verify, ""
"""


@pytest.fixture
def native(windows, pip_install, tmp_path) -> Windows:
    """A machine with a copy of the interpreter that contains truststore."""
    directory = tmp_path / "native"
    directory.mkdir()
    clone_interpreter(windows.python, directory)
    platform = ("--platform=win_amd64", "--only-binary=:all:", "--no-deps")
    pip_install(
        Path(sys.executable), "--target", directory / "Lib/site-packages", *platform, "truststore >= 0.9, < 0.11"
    )
    return windows.with_interpreter(directory)


@pytest.fixture
def complete_servers(cas, tmp_path) -> str:
    """Servers that send their roots, too, as the value of SERVERS."""
    with ExitStack() as stack:
        ports = {}
        for name in cas.names:
            leaf = getattr(cas, name).issue_cert("localhost")
            while not support.is_accepted_by_wine(leaf.cert_chain_pems[0].bytes()):
                leaf = getattr(cas, name).issue_cert("localhost")
            file = tmp_path / f"{name}.pem"
            file.write_bytes(leaf.private_key_and_cert_chain_pem.bytes() + cas.pem(name))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(file)
            ports[name] = stack.enter_context(support.serving(context))
        yield " ".join(f"{name}:{port}" for name, port in ports.items())


def status(machine: Windows) -> dict:
    """Return the parsed output of ``python -m certhook --json``, whose exit status reports a problem."""
    return json.loads(machine.communicate(machine.start("-m", "certhook", "--json", **NATIVE))[0])


@with_truststore
def test_crypt32_verifies_the_servers_of_default_contexts(native, complete_servers) -> None:
    code = f"""
{USE_CRYPT32}
SERVERS = [pair.split(":") for pair in os.environ["NATIVE_SERVERS"].split()]
add("ROOT", "system"), add("ROOT", "both")
results = [trusted(), len(calls) > 5]
add("Disallowed", "both")
results.append(trusted())
calls.clear()
context = ssl.create_default_context()
def connect(host):
    with socket.create_connection(("127.0.0.1", int(dict(SERVERS)["system"])), timeout=20) as raw:
        with context.wrap_socket(raw, server_hostname=host) as secured:
            return type(secured._sslobj) is Connection
results.append(connect("localhost"))
try:
    connect("other.example")
except ssl.SSLCertVerificationError as error:
    results.append(hex(error.verify_code))
context.check_hostname = False
results.append(connect("other.example"))
context.verify_mode = ssl.CERT_NONE
results.append(connect("other.example"))
results.append(sorted(set(calls)))
import truststore
calls.clear()
context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.set_default_verify_paths()
results += [connect("localhost"), calls]
print(json.dumps(results))
"""
    assert native.run(code, **NATIVE, NATIVE_SERVERS=complete_servers) == [
        ["system", "both"],
        True,
        ["system"],
        True,
        "0x800b010f",
        True,
        False,
        ["localhost", "other.example"],
        False,
        [],
    ]


@with_truststore
def test_asyncio_uses_crypt32(native, complete_servers) -> None:
    code = f"""
{USE_CRYPT32}
import asyncio
ports = dict(pair.split(":") for pair in os.environ["NATIVE_SERVERS"].split())
add("ROOT", "system")
async def get(name):
    context = ssl.create_default_context()
    reader, writer = await asyncio.open_connection("127.0.0.1", ports[name], ssl=context, server_hostname="localhost")
    writer.write(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    data = await reader.read()
    writer.close()
    return data[-5:].decode()
results = [asyncio.run(get("system"))]
try:
    asyncio.run(get("stranger"))
except ssl.SSLCertVerificationError as error:
    results.append("operating system" in str(error))
print(json.dumps([results, len(calls) >= 2]))
"""
    assert native.run(code, **NATIVE, NATIVE_SERVERS=complete_servers) == [["hello", True], True]


@with_truststore
def test_a_crypt32_that_accepts_a_missing_issuer_is_not_used(native) -> None:
    code = """
import warnings
add("ROOT", "system")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    found = trusted()
print(json.dumps([found, [str(one.message) for one in caught]]))
"""
    found, (warning,) = native.run(code, **NATIVE)
    assert found == ["system", "bundled", "both"]
    assert "accepts servers whose certificates have no trusted root" in warning
    (problem,) = status(native)["problems"]
    assert "accepts servers whose certificates have no trusted root" in problem


def test_without_truststore_status_contains_the_remedy(windows) -> None:
    found = status(windows)
    (problem,) = found["problems"]
    is_old = any(windows.python.glob("python38._pth"))
    assert ("needs Python 3.10" if is_old else "pip install certhook[native]") in problem
    variables = {variable["name"]: variable["effect"] for variable in found["variables"]}
    assert variables["CERTHOOK_VERIFY"] in problem
    assert windows.run("add('ROOT', 'system'); print(json.dumps(trusted()))", **NATIVE, PYTHONWARNINGS="ignore") == [
        "system",
        "bundled",
        "both",
    ]
