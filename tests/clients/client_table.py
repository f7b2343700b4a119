"""The clients: code that fetches "hello" from a loopback server, and the TLS options that callers can set.

The code of each client defines ``fetch(port, ...)``, which returns the server's "hello". The
other arguments represent a choice of the caller.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

# The choices. The expressions for the arguments of fetch() can use two names: FILE, the path of a bundle, and
# PAIR, the path of a file with a private key and a client certificate.
UNVERIFIED = "no verification"
FILE = "the roots in a file"
CERTIFICATE = "a client certificate"
NO_ROOTS = "a context without roots"
STOCK = "no context"


class Client(NamedTuple):
    """A client.

    :ivar code: the code that defines ``fetch``
    :ivar server: the protocol of the server
    :ivar stock_roots: the CAs that it trusts on Debian without certhook, separated by spaces
    :ivar choices: the keyword arguments of ``fetch`` for each choice that it offers
    :ivar default: the keyword arguments of ``fetch`` for the default trust
    :ivar adds_system_roots: whether it adds the operating system's roots to the roots of a file
    """

    code: str
    server: str = "https"
    stock_roots: str = "system"
    choices: dict[str, str] = {}
    default: str = ""
    adds_system_roots: bool = False


def _contexts(keyword: str) -> dict[str, str]:
    """Return the choices of a client that accepts a context as the argument *keyword*."""
    return {
        UNVERIFIED: f"{keyword}=ssl._create_unverified_context()",
        FILE: f"{keyword}=ssl.create_default_context(cafile=FILE)",
        CERTIFICATE: f"{keyword}=with_certificate(ssl.create_default_context())",
        NO_ROOTS: f"{keyword}=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)",
    }


def _mail(code: str, server: str, keyword: str = "context") -> Client:
    """Return a client of the standard library, which verifies servers only if the caller passes a context."""
    choices = {**_contexts(keyword), STOCK: ""}
    return Client(code, server, "system", choices, f"{keyword}=ssl.create_default_context()")


_HTTPX = {
    **_contexts("verify"),
    UNVERIFIED: "verify=False",
    CERTIFICATE: "verify=with_certificate(httpx.create_ssl_context())",
}
_REQUESTS = {UNVERIFIED: "verify=False", FILE: "verify=FILE", CERTIFICATE: "cert=PAIR"}

# On Python 3.10 and later, pip uses a copy of truststore, which adds OpenSSL's verify locations to its bundle.
_HAS_TRUSTSTORE = sys.version_info >= (3, 10)
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
        choices=_contexts("context"),
    ),
    "http.client": Client(
        """
import http.client
def fetch(port, **options):
    connection = http.client.HTTPSConnection("localhost", port, timeout=60, **options)
    connection.request("GET", "/hello")
    return connection.getresponse().read()
""",
        choices=_contexts("context"),
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
        choices=_contexts("ssl"),
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
            **_contexts("ssl_context"),
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
        stock_roots="bundled",
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
        stock_roots="bundled",
        choices=_REQUESTS,
    ),
    "httpx": Client(
        """
import httpx
def fetch(port, **options):
    return httpx.get(f"https://localhost:{port}/hello", timeout=60, **options).text
""",
        stock_roots="bundled",
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
        stock_roots="bundled",
        choices=_HTTPX,
    ),
    "httpx.AsyncClient": Client(
        """
import httpx
async def fetch(port, **options):
    async with httpx.AsyncClient(timeout=60, **options) as client:
        return (await client.get(f"https://localhost:{port}/hello")).text
""",
        stock_roots="bundled",
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
        choices={**_contexts("ssl"), UNVERIFIED: "ssl=False"},
    ),
    "websockets": Client(
        """
import websockets
async def fetch(port, **options):
    async with websockets.connect(f"wss://localhost:{port}/hello", **options) as socket:
        return await socket.recv()
""",
        choices=_contexts("ssl"),
    ),
    "websockets.sync": Client(
        """
import websockets.sync.client
def fetch(port, **options):
    with websockets.sync.client.connect(f"wss://localhost:{port}/hello", **options) as socket:
        return socket.recv()
""",
        choices=_contexts("ssl"),
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
        stock_roots="bundled",
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
        stock_roots="bundled",
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
            **_contexts("ssl_options"),
            UNVERIFIED: "validate_cert=False",
            FILE: "ca_certs=FILE",
            CERTIFICATE: "client_cert=PAIR, client_key=PAIR",
        },
    ),
    # pip contains its own copy of certifi's bundle, which does not contain the roots of the tests.
    "pip": Client(
        _PIP, stock_roots="system" if _HAS_TRUSTSTORE else "", choices=_PIPS, adds_system_roots=_HAS_TRUSTSTORE
    ),
    "pip, legacy-certs": Client(
        _PIP.replace("*options", "*options, '--use-deprecated=legacy-certs'"), stock_roots="", choices=_PIPS
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
            **_contexts("context"),
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
        choices={**_contexts("ssl"), UNVERIFIED: "ssl='require'"},
    ),
    "pymongo": Client(
        """
import queue
import pymongo, pymongo.monitoring
class Heartbeats(queue.Queue, pymongo.monitoring.ServerHeartbeatListener):
    def started(self, event): pass
    def succeeded(self, event): self.put(None)
    def failed(self, event): self.put(event.reply)
def fetch(port, **options):
    heartbeats = Heartbeats()
    with pymongo.MongoClient("localhost", port, tls=True, event_listeners=[heartbeats], **options) as client:
        failure = heartbeats.get(timeout=60)
        if failure:
            raise failure
        return client.admin.command("ping")["text"]
""",
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
        stock_roots="system bundled",
        # elasticsearch also loads certifi's bundle into contexts that the caller passes.
        choices={
            UNVERIFIED: "verify_certs=False",
            FILE: "ca_certs=FILE",
            CERTIFICATE: "client_cert=PAIR, client_key=PAIR",
        },
        adds_system_roots=True,
    ),
}

#: The variables that name a bundle, and a client that respects each.
VARIABLES = {
    "AWS_CA_BUNDLE": "botocore",
    "CURL_CA_BUNDLE": "requests",
    "HTTPLIB2_CA_CERTS": "httplib2",
    "PIP_CERT": "pip",
    "REQUESTS_CA_BUNDLE": "requests",
}
