"""The clients: how each asks a server on loopback for a greeting, and how its caller chooses whom it trusts.

The code of a client defines ``reach(port, ...)``, which returns the server's
"hello". What it is called with besides the port is a choice of the caller's.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

# The choices. In the expressions that say how a client takes them,
UNVERIFIED = "nobody is verified"
FILE = "the roots of a file"  # FILE is its path;
CERTIFICATE = "a certificate of its own"  # PAIR is the path of its key and itself.
NO_ROOTS = "a context without roots"
STOCK = "no context"


class Client(NamedTuple):
    """A client.

    *bare* says whose roots it trusts without certhook on Debian. *choices* are the keyword
    arguments of ``reach`` for each choice that it offers, *default* those for default trust.
    A client that *adds* trusts the operating system's roots besides those of a file it is given.
    """

    code: str
    server: str = "https"
    bare: str = "system"
    choices: dict[str, str] = {}
    default: str = ""
    adds: bool = False


def _contexts(keyword: str) -> dict[str, str]:
    """The choices of a client that is handed a context in the argument *keyword*."""
    return {
        UNVERIFIED: f"{keyword}=ssl._create_unverified_context()",
        FILE: f"{keyword}=ssl.create_default_context(cafile=FILE)",
        CERTIFICATE: f"{keyword}=certified(ssl.create_default_context())",
        NO_ROOTS: f"{keyword}=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)",
    }


def _mail(code: str, server: str, keyword: str = "context") -> Client:
    """A client of the standard library that verifies nobody unless it is handed a context."""
    choices = {**_contexts(keyword), STOCK: ""}
    return Client(code, server, "system", choices, f"{keyword}=ssl.create_default_context()")


_HTTPX = {
    **_contexts("verify"),
    UNVERIFIED: "verify=False",
    CERTIFICATE: "verify=certified(httpx.create_ssl_context())",
}
_REQUESTS = {UNVERIFIED: "verify=False", FILE: "verify=FILE", CERTIFICATE: "cert=PAIR"}

# pip has a copy of truststore on Python 3.10 and later: the places that OpenSSL looks at, besides its bundle.
_TRUSTSTORE = sys.version_info >= (3, 10)
_PIP = """
import subprocess, sys, tempfile
def reach(port, arguments=()):
    with tempfile.TemporaryDirectory() as folder:
        index = f"https://localhost:{port}/simple/"
        options = ["--no-deps", "--no-cache-dir", "--retries=0", "--index-url", index, "--dest", folder]
        command = [sys.executable, "-m", "pip", "download", *options, *arguments, "hello"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
        if done.returncode:
            raise RuntimeError(done.stdout)
        return os.listdir(folder)[0].partition("-")[0]
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
def reach(port, **options):
    with urllib.request.urlopen(f"https://localhost:{port}/hello", timeout=60, **options) as reply:
        return reply.read()
""",
        choices=_contexts("context"),
    ),
    "http.client": Client(
        """
import http.client
def reach(port, **options):
    connection = http.client.HTTPSConnection("localhost", port, timeout=60, **options)
    connection.request("GET", "/hello")
    return connection.getresponse().read()
""",
        choices=_contexts("context"),
    ),
    "asyncio": Client(
        """
import asyncio
async def reach(port, ssl=True):
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
def reach(port, **options):
    with smtplib.SMTP_SSL("localhost", port, local_hostname="localhost", timeout=60, **options) as client:
        return client.noop()[1]
""",
        "smtps",
    ),
    "smtplib, STARTTLS": _mail(
        """
import smtplib
def reach(port, **options):
    client = smtplib.SMTP("localhost", port, local_hostname="localhost", timeout=60)
    client.starttls(**options)
    return client.noop()[1]
""",
        "smtp",
    ),
    "imaplib.IMAP4_SSL": _mail(
        """
import imaplib
def reach(port, **options):
    with imaplib.IMAP4_SSL("localhost", port, **options) as client:
        return client.noop()[1][0]
""",
        "imaps",
        "ssl_context",
    ),
    "imaplib, STARTTLS": _mail(
        """
import imaplib
def reach(port, **options):
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
def reach(port, **options):
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
def reach(port, **options):
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
def reach(port, **options):
    return requests.get(f"https://localhost:{port}/hello", timeout=60, **options).text
""",
        bare="bundled",
        choices=_REQUESTS,
    ),
    "requests.Session": Client(
        """
import requests
def reach(port, **options):
    with requests.Session() as session:
        vars(session).update(options)
        return session.get(f"https://localhost:{port}/hello", timeout=60).text
""",
        bare="bundled",
        choices=_REQUESTS,
    ),
    "httpx": Client(
        """
import httpx
def reach(port, **options):
    return httpx.get(f"https://localhost:{port}/hello", timeout=60, **options).text
""",
        bare="bundled",
        choices=_HTTPX,
    ),
    "httpx, HTTP/2": Client(
        """
import httpx
def reach(port, **options):
    with httpx.Client(http2=True, timeout=60, **options) as client:
        reply = client.get(f"https://localhost:{port}/hello")
        assert reply.http_version == "HTTP/2", reply.http_version
        return reply.text
""",
        bare="bundled",
        choices=_HTTPX,
    ),
    "httpx.AsyncClient": Client(
        """
import httpx
async def reach(port, **options):
    async with httpx.AsyncClient(timeout=60, **options) as client:
        return (await client.get(f"https://localhost:{port}/hello")).text
""",
        bare="bundled",
        choices=_HTTPX,
    ),
    "aiohttp": Client(
        """
import aiohttp
async def reach(port, **options):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"https://localhost:{port}/hello", **options) as reply:
            return await reply.text()
""",
        choices={**_contexts("ssl"), UNVERIFIED: "ssl=False"},
    ),
    "websockets": Client(
        """
import websockets
async def reach(port, **options):
    async with websockets.connect(f"wss://localhost:{port}/hello", **options) as socket:
        return await socket.recv()
""",
        choices=_contexts("ssl"),
    ),
    "websockets.sync": Client(
        """
import websockets.sync.client
def reach(port, **options):
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
def reach(port, client_cert=None, **options):
    config = botocore.config.Config(retries={"total_max_attempts": 1}, client_cert=client_cert)
    url = f"https://localhost:{port}"
    sts = session.create_client("sts", region_name="us-east-1", endpoint_url=url, config=config, **options)
    return sts.get_caller_identity()["Account"]
""",
        bare="bundled",
        choices={UNVERIFIED: "verify=False", FILE: "verify=FILE", CERTIFICATE: "client_cert=PAIR"},
    ),
    "httplib2": Client(
        """
import httplib2
def reach(port, pair=None, **options):
    http = httplib2.Http(timeout=60, **options)
    if pair:
        http.add_certificate(pair, pair, "")
    return http.request(f"https://localhost:{port}/hello")[1]
""",
        bare="bundled",
        choices={
            UNVERIFIED: "disable_ssl_certificate_validation=True",
            FILE: "ca_certs=FILE",
            CERTIFICATE: "pair=PAIR",
        },
    ),
    "tornado": Client(
        """
import tornado.httpclient
async def reach(port, **options):
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
    # Its bundle is a copy of certifi's of its own, which has none of the tests' roots.
    "pip": Client(_PIP, bare="system" if _TRUSTSTORE else "", choices=_PIPS, adds=_TRUSTSTORE),
    "pip, legacy-certs": Client(
        _PIP.replace("*options", "*options, '--use-deprecated=legacy-certs'"), bare="", choices=_PIPS
    ),
    "paho-mqtt": Client(
        """
import paho.mqtt.client
def reach(port, **options):
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
def reach(port, **options):
    once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    with redis.Redis(port=port, ssl=True, retry=once, **options) as client:
        return client.echo("hello")
""",
        "redis",
        choices=_REDIS,
        adds=True,
    ),
    "redis.asyncio": Client(
        """
import redis.asyncio, redis.asyncio.retry, redis.backoff
async def reach(port, **options):
    once = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)
    async with redis.asyncio.Redis(port=port, ssl=True, retry=once, **options) as client:
        return await client.echo("hello")
""",
        "redis",
        choices=_REDIS,
        adds=True,
    ),
    "asyncpg": Client(
        """
import asyncpg
async def reach(port, ssl=True):
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
def reach(port, **options):
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
def reach(port, **options):
    with elasticsearch.Elasticsearch(f"https://localhost:{port}", max_retries=0, **options) as client:
        return client.info()["name"]
""",
        bare="system bundled",
        # It loads certifi's bundle into a context that it is handed, too.
        choices={
            UNVERIFIED: "verify_certs=False",
            FILE: "ca_certs=FILE",
            CERTIFICATE: "client_cert=PAIR, client_key=PAIR",
        },
        adds=True,
    ),
}

#: Gathers roots itself, from the files of the system, and hands them over as a text. It has no other urllib3 beside it.
NIQUESTS = Client(
    """
import niquests
def reach(port):
    return niquests.get(f"https://localhost:{port}/hello", timeout=60).text
"""
)

#: Variables that name a file of roots, and who obeys them.
VARIABLES = {
    "AWS_CA_BUNDLE": "botocore",
    "CURL_CA_BUNDLE": "requests",
    "HTTPLIB2_CA_CERTS": "httplib2",
    "PIP_CERT": "pip",
    "REQUESTS_CA_BUNDLE": "requests",
}
