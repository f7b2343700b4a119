"""The clients: code that fetches "hello" from a loopback server, and the TLS options that callers can set.

The code of each client defines ``fetch(port, ...)``, which returns the server's "hello". The
other arguments represent a choice of the caller.
"""

from __future__ import annotations

import os

from client_model import CERTIFICATE, FILE, STOCK, UNVERIFIED, Client, contexts
from hooked_clients import HOOKED_CLIENTS, PYMONGO
from protocol_clients import PROTOCOL_CLIENTS
from sdk_clients import SDK_CLIENTS

from certhook.cli._library_table import CERTIFI, FILES, LIBRARIES, OWN, SYSTEM, SYSTEM_AND_CERTIFI, VARIABLE, Library


def _mail(code: str, server: str, keyword: str = "context") -> Client:
    """Return a client of the standard library, which verifies servers only if the caller passes a context."""
    choices = {**contexts(keyword), STOCK: ""}
    return Client(code, server, choices, f"{keyword}=ssl.create_default_context()")


_HTTPX = {
    **contexts("verify"),
    UNVERIFIED: "verify=False",
    CERTIFICATE: "verify=with_certificate(httpx.create_ssl_context())",
}
_REQUESTS = {UNVERIFIED: "verify=False", FILE: "verify=FILE", CERTIFICATE: "cert=PAIR"}

_PIP = """
import subprocess, sys, tempfile
def fetch(port, arguments=()):
    with tempfile.TemporaryDirectory() as directory:
        index = f"https://localhost:{port}/simple/"
        options = ["--no-deps", "--no-cache-dir", "--retries=0", "--index-url", index, "--dest", directory]
        command = [sys.executable, "-m", "pip", "download", *options, *arguments, "hello"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
        if done.returncode:
            raise RuntimeError(done.stdout)
        return os.listdir(directory)[0].partition("-")[0]
"""
_PIPS = {
    UNVERIFIED: "arguments=['--trusted-host=localhost']",
    FILE: "arguments=['--cert', FILE]",
    CERTIFICATE: "arguments=['--client-cert', PAIR]",
}

_REDIS = {
    UNVERIFIED: "ssl_cert_reqs='none', ssl_check_hostname=False",
    FILE: "ssl_ca_certs=FILE",
    CERTIFICATE: "ssl_certfile=PAIR, ssl_keyfile=PAIR",
}

CLIENTS = {
    "urllib": Client(
        """
import urllib.request
def fetch(port, **options):
    with urllib.request.urlopen(f"https://localhost:{port}/hello", timeout=60, **options) as reply:
        return reply.read()
""",
        choices=contexts("context"),
    ),
    "http.client": Client(
        """
import http.client
def fetch(port, **options):
    connection = http.client.HTTPSConnection("localhost", port, timeout=60, **options)
    connection.request("GET", "/hello")
    return connection.getresponse().read()
""",
        choices=contexts("context"),
    ),
    "asyncio": Client(
        """
import asyncio
async def fetch(port, ssl=True):
    reader, writer = await asyncio.open_connection("localhost", port, ssl=ssl)
    writer.write(b"GET /hello HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    reply = await reader.read()
    writer.close()
    return reply.rpartition(b"\\r\\n\\r\\n")[2]
""",
        choices=contexts("ssl"),
    ),
    "smtplib.SMTP_SSL": _mail(
        """
import smtplib
def fetch(port, **options):
    with smtplib.SMTP_SSL("localhost", port, local_hostname="localhost", timeout=60, **options) as client:
        return client.noop()[1]
""",
        "smtps",
    ),
    "smtplib, STARTTLS": _mail(
        """
import smtplib
def fetch(port, **options):
    client = smtplib.SMTP("localhost", port, local_hostname="localhost", timeout=60)
    client.starttls(**options)
    return client.noop()[1]
""",
        "smtp",
    ),
    "imaplib.IMAP4_SSL": _mail(
        """
import imaplib
def fetch(port, **options):
    with imaplib.IMAP4_SSL("localhost", port, **options) as client:
        return client.noop()[1][0]
""",
        "imaps",
        "ssl_context",
    ),
    "imaplib, STARTTLS": _mail(
        """
import imaplib
def fetch(port, **options):
    client = imaplib.IMAP4("localhost", port)
    client.starttls(**options)
    return client.noop()[1][0]
""",
        "imap",
        "ssl_context",
    ),
    "ftplib.FTP_TLS": _mail(
        """
import ftplib
def fetch(port, **options):
    client = ftplib.FTP_TLS(timeout=60, **options)
    client.connect("localhost", port)
    client.login()
    return client.pwd()
""",
        "ftp",
    ),
    "urllib3": Client(
        """
import urllib3
def fetch(port, **options):
    pool = urllib3.PoolManager(**options)
    return pool.request("GET", f"https://localhost:{port}/hello", timeout=60, retries=False).data
""",
        choices={
            **contexts("ssl_context"),
            UNVERIFIED: "cert_reqs='CERT_NONE'",
            FILE: "ca_certs=FILE",
            CERTIFICATE: "cert_file=PAIR",
        },
    ),
    "requests": Client(
        """
import requests
def fetch(port, **options):
    return requests.get(f"https://localhost:{port}/hello", timeout=60, **options).text
""",
        choices=_REQUESTS,
    ),
    "requests.Session": Client(
        """
import requests
def fetch(port, **options):
    with requests.Session() as session:
        vars(session).update(options)
        return session.get(f"https://localhost:{port}/hello", timeout=60).text
""",
        choices=_REQUESTS,
    ),
    "httpx": Client(
        """
import httpx
def fetch(port, **options):
    return httpx.get(f"https://localhost:{port}/hello", timeout=60, **options).text
""",
        choices=_HTTPX,
    ),
    "httpx, HTTP/2": Client(
        """
import httpx
def fetch(port, **options):
    with httpx.Client(http2=True, timeout=60, **options) as client:
        reply = client.get(f"https://localhost:{port}/hello")
        assert reply.http_version == "HTTP/2", reply.http_version
        return reply.text
""",
        choices=_HTTPX,
    ),
    "httpx.AsyncClient": Client(
        """
import httpx
async def fetch(port, **options):
    async with httpx.AsyncClient(timeout=60, **options) as client:
        return (await client.get(f"https://localhost:{port}/hello")).text
""",
        choices=_HTTPX,
    ),
    "aiohttp": Client(
        """
import aiohttp
async def fetch(port, **options):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"https://localhost:{port}/hello", **options) as reply:
            return await reply.text()
""",
        choices={**contexts("ssl"), UNVERIFIED: "ssl=False"},
    ),
    "websockets": Client(
        """
import websockets
async def fetch(port, **options):
    async with websockets.connect(f"wss://localhost:{port}/hello", **options) as socket:
        return await socket.recv()
""",
        choices=contexts("ssl"),
    ),
    "websockets.sync": Client(
        """
import websockets.sync.client
def fetch(port, **options):
    with websockets.sync.client.connect(f"wss://localhost:{port}/hello", **options) as socket:
        return socket.recv()
""",
        choices=contexts("ssl"),
    ),
    "botocore": Client(
        """
import botocore.config, botocore.session
session = botocore.session.Session()
session.set_credentials("id", "secret")
def fetch(port, client_cert=None, **options):
    config = botocore.config.Config(retries={"total_max_attempts": 1}, client_cert=client_cert)
    url = f"https://localhost:{port}"
    sts = session.create_client("sts", region_name="us-east-1", endpoint_url=url, config=config, **options)
    return sts.get_caller_identity()["Account"]
""",
        choices={UNVERIFIED: "verify=False", FILE: "verify=FILE", CERTIFICATE: "client_cert=PAIR"},
    ),
    "httplib2": Client(
        """
import httplib2
def fetch(port, pair=None, **options):
    http = httplib2.Http(timeout=60, **options)
    if pair:
        http.add_certificate(pair, pair, "")
    return http.request(f"https://localhost:{port}/hello")[1]
""",
        choices={
            UNVERIFIED: "disable_ssl_certificate_validation=True",
            FILE: "ca_certs=FILE",
            CERTIFICATE: "pair=PAIR",
        },
    ),
    "tornado": Client(
        """
import tornado.httpclient
async def fetch(port, **options):
    client = tornado.httpclient.AsyncHTTPClient(force_instance=True)
    request = dict(connect_timeout=60, request_timeout=60, **options)
    return (await client.fetch(f"https://localhost:{port}/hello", **request)).body
""",
        choices={
            **contexts("ssl_options"),
            UNVERIFIED: "validate_cert=False",
            FILE: "ca_certs=FILE",
            CERTIFICATE: "client_cert=PAIR, client_key=PAIR",
        },
    ),
    # pip uses a copy of truststore, which adds OpenSSL's verify locations to its own copy of certifi's bundle.
    "pip": Client(_PIP, choices=_PIPS, adds_system_roots=True),
    "pip, legacy-certs": Client(
        _PIP.replace("*options", "*options, '--use-deprecated=legacy-certs'"),
        choices=_PIPS,
        library="pip (legacy-certs)",
    ),
    "paho-mqtt": Client(
        """
import paho.mqtt.client
def fetch(port, **options):
    client = paho.mqtt.client.Client(paho.mqtt.client.CallbackAPIVersion.VERSION2)
    if "context" in options:
        client.tls_set_context(**options)
    else:
        client.tls_set(**options)
    messages = []
    client.on_message = lambda client, data, message: messages.append(message.payload)
    client.connect("localhost", port)
    while not messages:
        assert client.loop() == 0
    client.disconnect()
    return messages[0]
""",
        "mqtt",
        choices={
            **contexts("context"),
            UNVERIFIED: "cert_reqs=ssl.CERT_NONE",
            FILE: "ca_certs=FILE",
            CERTIFICATE: "certfile=PAIR, keyfile=PAIR",
        },
    ),
    "redis": Client(
        """
import redis, redis.backoff, redis.retry
def fetch(port, **options):
    once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    with redis.Redis(port=port, ssl=True, retry=once, **options) as client:
        return client.echo("hello")
""",
        "redis",
        choices=_REDIS,
        adds_system_roots=True,
    ),
    "redis.asyncio": Client(
        """
import redis.asyncio, redis.asyncio.retry, redis.backoff
async def fetch(port, **options):
    once = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)
    async with redis.asyncio.Redis(port=port, ssl=True, retry=once, **options) as client:
        return await client.echo("hello")
""",
        "redis",
        choices=_REDIS,
        adds_system_roots=True,
    ),
    "asyncpg": Client(
        """
import asyncpg
async def fetch(port, ssl=True):
    connection = await asyncpg.connect(host="localhost", port=port, user="postgres", ssl=ssl)
    try:
        return await connection.fetchval("SELECT 'hello'")
    finally:
        await connection.close()
""",
        "postgresql",
        choices={**contexts("ssl"), UNVERIFIED: "ssl='require'"},
    ),
    "pymongo": Client(
        PYMONGO,
        "mongodb",
        choices={
            UNVERIFIED: "tlsAllowInvalidCertificates=True",
            FILE: "tlsCAFile=FILE",
            CERTIFICATE: "tlsCertificateKeyFile=PAIR",
        },
    ),
    "elasticsearch": Client(
        """
import elasticsearch
def fetch(port, **options):
    with elasticsearch.Elasticsearch(f"https://localhost:{port}", max_retries=0, **options) as client:
        return client.info()["name"]
""",
        # elasticsearch also loads certifi's bundle into contexts that the caller passes.
        choices={
            UNVERIFIED: "verify_certs=False",
            FILE: "ca_certs=FILE",
            CERTIFICATE: "client_cert=PAIR, client_key=PAIR",
        },
        adds_system_roots=True,
    ),
    **HOOKED_CLIENTS,
    **SDK_CLIENTS,
    **PROTOCOL_CLIENTS,
}

#: The variables that name a bundle, and a client that respects each.
VARIABLES = {
    "AWS_CA_BUNDLE": "botocore",
    "CURL_CA_BUNDLE": "requests",
    "HTTPLIB2_CA_CERTS": "httplib2",
    "PIP_CERT": "pip",
    "REQUESTS_CA_BUNDLE": "requests",
}

#: Packages that conflict with others, or change them by being installed: pymongo uses pyOpenSSL if it is installed, and
#: niquests requires a fork of urllib3. All other libraries share the environment "clients".
ENVIRONMENTS = {
    "niquests": ["niquests"],
    "twisted": ["pusher", "pymongo (ocsp)", "pyOpenSSL", "requests (pyOpenSSL)", "scrapy", "treq", "Twisted"],
}

_EXTRAS = {
    "azure-core": "[aio]",
    "elasticsearch": "[async]",
    "fsspec": "[http]",
    "google-auth": "[requests]",
    "httpx": "[http2]",
    "opensearch-py": "[async]",
    "psycopg": "[binary]",
    "pymongo (ocsp)": "[ocsp]",
    "Twisted": "[tls]",
}

#: The roots that a client trusts without certhook, if OpenSSL's default locations are those of the system.
_STOCK_ROOTS = {
    SYSTEM: {"system"},
    FILES: {"system"},
    CERTIFI: {"bundled"},
    SYSTEM_AND_CERTIFI: {"system", "bundled"},
    OWN: set(),
}

#: Whether the tests use the newest versions of the libraries instead of those in certhook's table.
_LATEST = os.environ.get("CERTHOOK_TEST_LATEST", "0") == "1"

_TABLE = {library.name: library for library in LIBRARIES}


def library_of(name: str) -> Library:
    """Return the library of a client in certhook's table."""
    names = (CLIENTS[name].library, name, name.partition(",")[0], name.partition(".")[0])
    return next(_TABLE[candidate] for candidate in names if candidate in _TABLE)


def stock_roots(name: str) -> set[str]:
    """Return the CAs that a client trusts without certhook."""
    return _STOCK_ROOTS[library_of(name).roots]


def environment_of(name: str) -> str:
    """Return the environment of a client."""
    library = library_of(name).name
    return next((environment for environment, names in ENVIRONMENTS.items() if library in names), "clients")


def native_libraries() -> list[Library]:
    """Return the libraries with a TLS implementation of their own, which test_run_env.py tests."""
    others = ("confluent-kafka", "psycopg", "pycurl", "rnet")
    return [library for library in LIBRARIES if library.mechanism == VARIABLE or library.name in others]


def requirements(environment: str) -> list[str]:
    """Return the requirements of an environment.

    The environment "native" contains the :func:`native_libraries`.
    """
    clients = {library_of(name).name: library_of(name) for name in CLIENTS if environment_of(name) == environment}
    chosen = native_libraries() if environment == "native" else clients.values()
    pins = {f"{one.project}{_EXTRAS.get(one.name, '')}": f"=={one.version}" for one in chosen if one.version}
    return sorted(name + ("" if _LATEST else pin) for name, pin in pins.items())
