"""Clients that do not request default roots from Python's ``ssl``. certhook has hooks for most of them."""

from __future__ import annotations

from client_model import FILE, UNVERIFIED, Client

_VERIFY = {UNVERIFIED: "verify=False", FILE: "verify=ssl.create_default_context(cafile=FILE)"}

# Twisted's reactor runs in a thread and cannot be restarted.
_REACTOR = """
import threading
from twisted.internet import reactor
from twisted.internet.threads import blockingCallFromThread
threading.Thread(target=reactor.run, kwargs={"installSignalHandlers": False}, daemon=True).start()
"""
#: pyOpenSSL's error contains no reason.
_PYOPENSSL = "certificate verify failed"

PYMONGO = """
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
"""

HOOKED_CLIENTS = {
    "httpx2": Client(
        """
import httpx2
def fetch(port, **options):
    return httpx2.get(f"https://localhost:{port}/hello", timeout=60, **options).text
""",
        choices=_VERIFY,
    ),
    "httpx2.AsyncClient": Client(
        """
import httpx2
async def fetch(port, **options):
    async with httpx2.AsyncClient(timeout=60, **options) as client:
        return (await client.get(f"https://localhost:{port}/hello")).text
""",
        choices=_VERIFY,
    ),
    "openai": Client(
        """
import httpx2, openai
def fetch(port, **options):
    client = httpx2.Client(**options) if options else None
    api = openai.OpenAI(api_key="key", base_url=f"https://localhost:{port}/v1", max_retries=0, http_client=client)
    return api.models.list().data[0].id
""",
        choices=_VERIFY,
    ),
    "openai.AsyncOpenAI": Client(
        """
import openai
async def fetch(port):
    async with openai.AsyncOpenAI(api_key="key", base_url=f"https://localhost:{port}/v1", max_retries=0) as api:
        return (await api.models.list()).data[0].id
""",
    ),
    "anthropic": Client(
        """
import anthropic, httpx2
def fetch(port, **options):
    client = httpx2.Client(**options) if options else None
    api = anthropic.Anthropic(api_key="key", base_url=f"https://localhost:{port}", max_retries=0, http_client=client)
    return api.models.list().data[0].id
""",
        choices=_VERIFY,
    ),
    "google-genai": Client(
        """
from google import genai
def fetch(port, **options):
    address = {"base_url": f"https://localhost:{port}", "retry_options": {"attempts": 1}, "client_args": options}
    client = genai.Client(api_key="key", http_options=address)
    return client.models.get(model="model").name
""",
        choices=_VERIFY,
    ),
    "google-genai (async)": Client(
        """
from google import genai
async def fetch(port):
    address = {"base_url": f"https://localhost:{port}", "retry_options": {"attempts": 1}}
    return (await genai.Client(api_key="key", http_options=address).aio.models.get(model="model")).name
""",
    ),
    "huggingface_hub": Client(
        """
import huggingface_hub
def fetch(port):
    return huggingface_hub.HfApi(f"https://localhost:{port}", token="hf_token").whoami()["name"]
""",
    ),
    "gql": Client(
        """
import gql
from gql.transport.httpx import HTTPXTransport
def fetch(port, **options):
    client = gql.Client(transport=HTTPXTransport(f"https://localhost:{port}/graphql", **options))
    return client.execute(gql.gql("{ hello }"))["hello"]
""",
        choices=_VERIFY,
    ),
    "pyOpenSSL": Client(
        """
import socket
from OpenSSL import SSL
def fetch(port, file=None, verify=SSL.VERIFY_PEER):
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(verify)
    if file:
        context.load_verify_locations(file)
    else:
        context.set_default_verify_paths()
    with socket.create_connection(("localhost", port)) as raw:
        connection = SSL.Connection(context, raw)
        connection.set_tlsext_host_name(b"localhost")
        connection.set_connect_state()
        connection.do_handshake()
        connection.sendall(b"GET /hello HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
        reply = b""
        while not reply.endswith(b"hello"):
            reply += connection.recv(4096)
        return reply[-5:]
""",
        choices={UNVERIFIED: "verify=SSL.VERIFY_NONE", FILE: "file=FILE"},
        refusal=_PYOPENSSL,
    ),
    "requests, pyOpenSSL": Client(
        """
import requests, urllib3.contrib.pyopenssl
urllib3.contrib.pyopenssl.inject_into_urllib3()
def fetch(port, **options):
    return requests.get(f"https://localhost:{port}/hello", timeout=60, **options).text
""",
        choices={UNVERIFIED: "verify=False", FILE: "verify=FILE"},
        library="requests (pyOpenSSL)",
        refusal=_PYOPENSSL,
    ),
    "Twisted": Client(
        _REACTOR
        + """
from twisted.web.client import Agent, readBody
def fetch(port):
    async def get():
        return await readBody(await Agent(reactor).request(b"GET", f"https://localhost:{port}/hello".encode()))
    from twisted.internet.defer import ensureDeferred
    return blockingCallFromThread(reactor, lambda: ensureDeferred(get()))
""",
        refusal=_PYOPENSSL,
    ),
    "treq": Client(
        _REACTOR
        + """
import treq
from twisted.internet.defer import ensureDeferred
def fetch(port):
    async def get():
        return await treq.content(await treq.get(f"https://localhost:{port}/hello"))
    return blockingCallFromThread(reactor, lambda: ensureDeferred(get()))
""",
        refusal=_PYOPENSSL,
    ),
    "pymongo (ocsp)": Client(
        PYMONGO,
        "mongodb",
        choices={UNVERIFIED: "tlsAllowInvalidCertificates=True", FILE: "tlsCAFile=FILE"},
        refusal=_PYOPENSSL,
    ),
    "grpcio": Client(
        """
import grpc
def fetch(port, file=None):
    roots = open(file, "rb").read() if file else None
    with grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(roots)) as channel:
        return channel.unary_unary("/hello/Hello")(b"")[2:]
""",
        "grpc",
        choices={FILE: "file=FILE"},
    ),
    "grpc.aio": Client(
        """
import grpc
async def fetch(port, file=None):
    roots = open(file, "rb").read() if file else None
    async with grpc.aio.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(roots)) as channel:
        return (await channel.unary_unary("/hello/Hello")(b""))[2:]
""",
        "grpc",
        choices={FILE: "file=FILE"},
        library="grpcio",
    ),
    "opentelemetry-exporter-otlp-proto-grpc": Client(
        """
import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
def fetch(port, file=None):
    credentials = file and grpc.ssl_channel_credentials(open(file, "rb").read())
    options = {"credentials": credentials, "timeout": 60, "retryable_error_codes": [grpc.StatusCode.ABORTED]}
    exporter = OTLPSpanExporter(f"https://localhost:{port}", **options)
    if exporter.export([]).name != "SUCCESS":
        raise RuntimeError("the export failed")
    return "hello"
""",
        "grpc",
        choices={FILE: "file=FILE"},
        refusal="the export failed",
    ),
    "niquests": Client(
        """
import niquests
def fetch(port, **options):
    return niquests.get(f"https://localhost:{port}/hello", timeout=60, **options).text
""",
        choices={UNVERIFIED: "verify=False", FILE: "verify=FILE"},
    ),
    "niquests.AsyncSession": Client(
        """
import niquests
async def fetch(port, **options):
    async with niquests.AsyncSession() as session:
        return (await session.get(f"https://localhost:{port}/hello", timeout=60, **options)).text
""",
        choices={UNVERIFIED: "verify=False", FILE: "verify=FILE"},
    ),
    "scrapy": Client(
        _REACTOR
        + """
import scrapy
from scrapy.crawler import CrawlerRunner
class Spider(scrapy.Spider):
    name = "hello"
    def __init__(self, url, results):
        self.url, self.results = url, results
    async def start(self):
        yield scrapy.Request(self.url, callback=self.parsed, errback=self.failed)
    def parsed(self, response):
        self.results.append(response.text)
    def failed(self, failure):
        self.results.append(failure)
def fetch(port, **options):
    settings = {"RETRY_ENABLED": False, "TELNETCONSOLE_ENABLED": False, "TWISTED_REACTOR": None, "LOG_ENABLED": False}
    runner, results = CrawlerRunner({**settings, "DOWNLOAD_VERIFY_CERTIFICATES": True, **options}), []
    blockingCallFromThread(reactor, runner.crawl, Spider, f"https://localhost:{port}/hello", results)
    if not isinstance(results[0], str):
        results[0].raiseException()
    return results[0]
""",
        choices={UNVERIFIED: "DOWNLOAD_VERIFY_CERTIFICATES=False"},
        refusal=_PYOPENSSL,
    ),
    "pycurl": Client(
        """
import io, pycurl
def fetch(port, **options):
    body = io.BytesIO()
    curl = pycurl.Curl()
    curl.setopt(curl.URL, f"https://localhost:{port}/hello")
    curl.setopt(curl.WRITEDATA, body)
    for name, value in options.items():
        curl.setopt(getattr(curl, name), value)
    try:
        curl.perform()
    except pycurl.error as error:
        # CURLE_PEER_FAILED_VERIFICATION, and CURLE_SSL_CACERT_BADFILE if the system has no file of roots.
        raise RuntimeError("untrusted") if error.args[0] in (60, 77) else error
    return body.getvalue()
""",
        choices={UNVERIFIED: "SSL_VERIFYPEER=0", FILE: "CAINFO=FILE"},
        refusal="RuntimeError: untrusted",
    ),
}
