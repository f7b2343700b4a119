"""``CERTHOOK_X509_STRICT=0`` accepts CAs that the strict checks of Python 3.13 reject, with urllib3 as well."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import pytest
import support
from pki import BARE, issue

pytestmark = pytest.mark.skipif(sys.version_info < (3, 13), reason="Python sets VERIFY_X509_STRICT since 3.13")

#: A program that connects to a server with CLIENT, and prints the response or the error.
REQUEST = """
import os, ssl, socket
from pip._vendor import urllib3
COMPANY = os.environ["COMPANY"]
def manager(load):
    context = urllib3.util.ssl_.create_urllib3_context()
    load(context)
    return urllib3.PoolManager(ssl_context=context)
def strict_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(COMPANY)
    return context
def request(client):
    port = int(os.environ["PORT"])
    if not isinstance(client, ssl.SSLContext):
        return client.request("GET", f"https://localhost:{port}/", retries=False).data
    with socket.create_connection(("localhost", port)) as raw, client.wrap_socket(raw, server_hostname="localhost"):
        return b"hello"
try:
    print(request(eval(os.environ["CLIENT"])).decode())
except (ssl.SSLError, urllib3.exceptions.SSLError) as error:
    print(error)
"""

CLIENTS = (
    "ssl.create_default_context()",
    "ssl.create_default_context(cafile=COMPANY)",
    "urllib3.PoolManager()",
    "urllib3.PoolManager(ca_certs=COMPANY)",
    # The program loads the roots.
    "manager(lambda context: context.load_default_certs())",
    "manager(lambda context: context.set_default_verify_paths())",
    "manager(lambda context: context.load_verify_locations(COMPANY))",
    "manager(lambda context: context.load_verify_locations(cadata=__import__('pathlib').Path(COMPANY).read_text()))",
)


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Path:
    """Return a directory with the root and a server certificate of a CA without key identifiers and key usage.

    Many companies have such a CA.
    """
    directory = tmp_path_factory.mktemp("company")
    root = issue("a company", ca=True, changed=BARE)
    server = issue("localhost", root, changed=BARE)
    (directory / "root.pem").write_bytes(root.pem)
    (directory / "server.pem").write_bytes(server.pem + server.secret)
    return directory


@pytest.fixture(scope="module")
def port(company: Path):
    """Run a server with the company's certificate, and return its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(company / "server.pem")
    with support.serving(context) as port:
        yield port


@pytest.fixture
def request_with(company: Path, port: int):
    """Return a function that makes a request with a client, and returns the response or the error."""

    def request_with(client: str, strict: str) -> str:
        env = support.clean_env(
            CLIENT=client,
            COMPANY=str(company / "root.pem"),
            PORT=str(port),
            SSL_CERT_FILE=str(company / "root.pem"),
            CERTHOOK_X509_STRICT=strict,
        )
        # The current interpreter has pip, which contains urllib3.
        return support.run(sys.executable, REQUEST, env=env).stdout

    return request_with


@pytest.mark.parametrize("client", CLIENTS)
def test_a_ca_without_key_identifiers_is_accepted_only_with_the_setting(request_with, client) -> None:
    assert "Missing Authority Key Identifier" in request_with(client, strict="")
    assert request_with(client, strict="0") == "hello\n"


@pytest.mark.parametrize("client", ["strict_context()", "urllib3.PoolManager(ssl_context=strict_context())"])
def test_a_program_that_sets_the_strict_flag_itself_keeps_it(request_with, client) -> None:
    assert "Missing Authority Key Identifier" in request_with(client, strict="0")


def test_the_setting_applies_from_the_first_context_on_if_it_is_set_by_the_program() -> None:
    code = """
import os, ssl
from pip._vendor.urllib3.util.ssl_ import create_urllib3_context
STRICT = ssl.VERIFY_X509_STRICT
print(bool(create_urllib3_context().verify_flags & STRICT))
os.environ["CERTHOOK_X509_STRICT"] = "0"
ssl.create_default_context().load_default_certs()
print(bool(create_urllib3_context().verify_flags & STRICT))
os.environ["CERTHOOK_X509_STRICT"] = "1"
print(bool(create_urllib3_context().verify_flags & STRICT))
os.environ["CERTHOOK_X509_STRICT"] = "0"
import certhook
certhook.uninstall()
print(bool(create_urllib3_context().verify_flags & STRICT), type(vars(ssl.SSLContext)["verify_flags"]).__name__)
"""
    assert support.run(sys.executable, code).stdout == "True\nFalse\nTrue\nTrue property\n"


@pytest.mark.parametrize("method", ["load_default_certs", "load_verify_locations"])
def test_a_thread_can_call_a_wrapped_method_directly(company, method) -> None:
    """There is no frame of a caller then, in which certhook looks for urllib3."""
    code = f"""
import _thread, os, ssl, time
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
arguments = (os.environ["SSL_CERT_FILE"],) if {method!r} == "load_verify_locations" else ()
_thread.start_new_thread(context.{method}, arguments)
for _ in range(1000):
    time.sleep(0.01)
    if context.get_ca_certs():
        break
print(len(context.get_ca_certs()))
"""
    root = str(company / "root.pem")
    env = support.clean_env(SSL_CERT_FILE=root, SSL_CERT_DIR=root, CERTHOOK_X509_STRICT="0", PYTHONWARNINGS="ignore")
    done = support.run(sys.executable, code, env=env)
    assert (done.stdout, done.stderr) == ("1\n", "")
