"""``CERTHOOK_X509_STRICT=0``: a CA that Python 3.13+ refuses for its form is accepted, by urllib3 as well."""

from __future__ import annotations

import datetime
import ssl
import sys
from pathlib import Path

import pytest
import support
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

pytestmark = pytest.mark.skipif(sys.version_info < (3, 13), reason="Python asks for VERIFY_X509_STRICT since 3.13")

# A context or a pool with the company's roots, as programs make them.
DEFAULT = "ssl.create_default_context()"
NAMED = "ssl.create_default_context(cafile=COMPANY)"
OWN = "own(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))"
POOL = "urllib3.PoolManager(ca_certs=COMPANY)"
DEFAULT_POOL = "urllib3.PoolManager()"

PROGRAM = """
import os, ssl, socket
from pip._vendor import urllib3
COMPANY = os.environ["COMPANY"]
def own(context):
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(COMPANY)
    return context
def ask(client):
    port = int(os.environ["PORT"])
    if not isinstance(client, ssl.SSLContext):
        return client.request("GET", f"https://localhost:{port}/", retries=False).data
    with socket.create_connection(("localhost", port)) as raw, client.wrap_socket(raw, server_hostname="localhost"):
        return b"hello"
try:
    print(ask(eval(os.environ["CLIENT"])).decode())
except (ssl.SSLError, urllib3.exceptions.SSLError) as error:
    print(error)
"""


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Path:
    """The root, and a server's certificate, of a CA that says nothing of what its key is for, as many a company's."""
    folder = tmp_path_factory.mktemp("company")
    now = datetime.datetime.now(datetime.timezone.utc)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("a company", "localhost")]
    extensions = [
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False),
    ]
    written = []
    for key, name, extension in zip(keys, names, extensions):
        builder = x509.CertificateBuilder(names[0], name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now.replace(year=2049))
        certificate = builder.add_extension(*extension).sign(keys[0], hashes.SHA256())
        written.append(certificate.public_bytes(Encoding.PEM))
    secret = keys[1].private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (folder / "root.pem").write_bytes(written[0])
    (folder / "server.pem").write_bytes(written[1] + secret)
    return folder


@pytest.fixture(scope="module")
def port(company: Path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(company / "server.pem")
    with support.serving(context) as port:
        yield port


def ask(company: Path, port: int, client: str, strict: str) -> str:
    env = support.clean_env(
        CLIENT=client,
        COMPANY=str(company / "root.pem"),
        PORT=str(port),
        SSL_CERT_FILE=str(company / "root.pem"),
        CERTHOOK_X509_STRICT=strict,
    )
    # This interpreter, which has pip and so urllib3.
    return support.run(sys.executable, PROGRAM, env=env).stdout


@pytest.mark.parametrize("client", [DEFAULT, NAMED, POOL, DEFAULT_POOL])
def test_a_ca_of_poor_form_is_accepted_where_that_is_configured(company, port, client) -> None:
    assert "Missing Authority Key Identifier" in ask(company, port, client, strict="")
    assert ask(company, port, client, strict="0") == "hello\n"


@pytest.mark.parametrize("method", ["load_default_certs", "load_verify_locations"])
def test_what_is_called_by_no_python_code_works_as_well(company, method) -> None:
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


def test_a_program_that_asks_for_strictness_itself_has_it(company, port) -> None:
    assert "Missing Authority Key Identifier" in ask(company, port, OWN, strict="0")
