"""HTTP libraries and SDKs. The servers reply to most requests with the same JSON object, which contains "hello"."""

from __future__ import annotations

from client_model import FILE, UNVERIFIED, Client

_REQUESTS = {UNVERIFIED: "verify=False", FILE: "verify=FILE"}

SDK_CLIENTS = {
    "requests-toolbelt": Client(
        """
from requests_toolbelt.sessions import BaseUrlSession
def fetch(port, **options):
    return BaseUrlSession(base_url=f"https://localhost:{port}").get("/hello", timeout=60, **options).text
""",
        choices=_REQUESTS,
    ),
    "requests-futures": Client(
        """
from requests_futures.sessions import FuturesSession
def fetch(port, **options):
    with FuturesSession() as session:
        return session.get(f"https://localhost:{port}/hello", timeout=60, **options).result().text
""",
        choices=_REQUESTS,
    ),
    "requests-cache": Client(
        """
from requests_cache import CachedSession
def fetch(port, **options):
    with CachedSession(backend="memory") as session:
        return session.get(f"https://localhost:{port}/hello", timeout=60, **options).text
""",
        choices=_REQUESTS,
    ),
    "CacheControl": Client(
        """
import cachecontrol, requests
def fetch(port, **options):
    with cachecontrol.CacheControl(requests.Session()) as session:
        return session.get(f"https://localhost:{port}/hello", timeout=60, **options).text
""",
        choices=_REQUESTS,
    ),
    "httpie": Client(
        """
import contextlib, io
from httpie.core import main
from httpie.context import Environment
def fetch(port, arguments=()):
    out, err = io.TextIOWrapper(io.BytesIO(), newline=""), io.StringIO()
    environment = Environment(stdout=out, stderr=err, stdin=None, config_dir=os.environ["TMPDIR"])
    command = ["http", "--ignore-stdin", "--body", *arguments, f"https://localhost:{port}/hello"]
    if main(command, env=environment):
        raise RuntimeError(err.getvalue())
    out.flush()
    return out.buffer.getvalue().strip()
""",
        choices={UNVERIFIED: "arguments=['--verify=no']", FILE: "arguments=['--verify', FILE]"},
        adds_system_roots=True,
    ),
    "google-auth": Client(
        """
from google.auth.transport.requests import Request
def fetch(port, **options):
    return Request()(f"https://localhost:{port}/hello", timeout=60, **options).data
""",
        choices=_REQUESTS,
    ),
    "google-cloud-storage": Client(
        """
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
def fetch(port):
    address = {"api_endpoint": f"https://localhost:{port}"}
    client = storage.Client(project="project", credentials=AnonymousCredentials(), client_options=address)
    return client.get_bucket("bucket", retry=None).id
""",
    ),
    "azure-core": Client(
        """
import azure.core, azure.core.rest
def fetch(port, **options):
    with azure.core.PipelineClient(f"https://localhost:{port}", **options) as client:
        return client.send_request(azure.core.rest.HttpRequest("GET", f"https://localhost:{port}/hello")).text()
""",
        choices={UNVERIFIED: "connection_verify=False", FILE: "connection_verify=FILE"},
    ),
    "azure-core.aio": Client(
        """
import azure.core, azure.core.rest
async def fetch(port, **options):
    async with azure.core.AsyncPipelineClient(f"https://localhost:{port}", **options) as client:
        reply = await client.send_request(azure.core.rest.HttpRequest("GET", f"https://localhost:{port}/hello"))
        return reply.text()
""",
        library="azure-core (async)",
        choices={UNVERIFIED: "connection_verify=False", FILE: "connection_verify=FILE"},
    ),
    "msal": Client(
        """
import msal
def fetch(port, **options):
    authority = f"https://localhost:{port}/tenant"
    client = msal.ConfidentialClientApplication("id", client_credential="secret", oidc_authority=authority, **options)
    return client.acquire_token_for_client(["scope"])["access_token"]
""",
        choices=_REQUESTS,
    ),
    "boto3": Client(
        """
import boto3, botocore.config
def fetch(port, **options):
    config = botocore.config.Config(retries={"total_max_attempts": 1})
    session = boto3.Session("id", "secret", region_name="us-east-1")
    sts = session.client("sts", endpoint_url=f"https://localhost:{port}", config=config, **options)
    return sts.get_caller_identity()["Account"]
""",
        choices=_REQUESTS,
    ),
    "aiobotocore": Client(
        """
import aiobotocore.config, aiobotocore.session
async def fetch(port, **options):
    config = aiobotocore.config.AioConfig(retries={"total_max_attempts": 1})
    session = aiobotocore.session.get_session()
    session.set_credentials("id", "secret")
    url = f"https://localhost:{port}"
    async with session.create_client("sts", region_name="us-east-1", endpoint_url=url, config=config, **options) as sts:
        return (await sts.get_caller_identity())["Account"]
""",
        choices=_REQUESTS,
    ),
    "s3fs": Client(
        """
import s3fs
def fetch(port, **options):
    options = {"config_kwargs": {"retries": {"total_max_attempts": 1}}, "client_kwargs": options}
    url = f"https://localhost:{port}"
    return s3fs.S3FileSystem(anon=True, endpoint_url=url, skip_instance_cache=True, **options).cat_file("bucket/hello")
""",
        choices=_REQUESTS,
    ),
    "minio": Client(
        """
import minio
def fetch(port, **options):
    client = minio.Minio(f"localhost:{port}", region="us-east-1", **options)
    client._http.connection_pool_kw["retries"] = False
    return client.get_object(bucket_name="bucket", object_name="hello").data
""",
        choices={UNVERIFIED: "cert_check=False"},
    ),
    "slack_sdk": Client(
        """
import slack_sdk
def fetch(port, **options):
    options = {"base_url": f"https://localhost:{port}/api/", "retry_handlers": [], **options}
    return slack_sdk.WebClient("token", **options).api_test()["name"]
""",
        choices={
            UNVERIFIED: "ssl=ssl._create_unverified_context()",
            FILE: "ssl=ssl.create_default_context(cafile=FILE)",
        },
    ),
    "twilio": Client(
        """
import twilio.http.http_client
def fetch(port):
    return twilio.http.http_client.TwilioHttpClient().request("GET", f"https://localhost:{port}/hello").text
""",
    ),
    "stripe": Client(
        """
import stripe
def fetch(port, **options):
    address = {"api": f"https://localhost:{port}"}
    client = stripe.StripeClient("key", base_addresses=address, max_network_retries=0, **options)
    return client.v1.balance.retrieve()["name"]
""",
    ),
    "sentry-sdk": Client(
        """
import sentry_sdk
def fetch(port, **options):
    address = f"https://key@localhost:{port}/1"
    client = sentry_sdk.Client(address, shutdown_timeout=0, default_integrations=False, **options)
    pool = client.transport._make_pool()
    return pool.request("GET", f"https://localhost:{port}/hello", retries=False).data
""",
        choices={FILE: "ca_certs=FILE"},
    ),
    "pusher": Client(
        """
import pusher
def fetch(port):
    client = pusher.Pusher("1", "key", "secret", host="localhost", port=port, ssl=True)
    return client.channel_info("channel")["name"]
""",
    ),
    "razorpay": Client(
        """
import razorpay
def fetch(port):
    client = razorpay.Client(auth=("key", "secret"), base_url=f"https://localhost:{port}")
    return client.order.all()["name"]
""",
    ),
    "PyGithub": Client(
        """
import github
def fetch(port, **options):
    client = github.Github(base_url=f"https://localhost:{port}", retry=None, **options)
    return client.get_user("user").name
""",
        choices=_REQUESTS,
    ),
    "python-gitlab": Client(
        """
import gitlab
def fetch(port, **options):
    return gitlab.Gitlab(f"https://localhost:{port}", **options).http_get("/version")["name"]
""",
        choices={UNVERIFIED: "ssl_verify=False", FILE: "ssl_verify=FILE"},
    ),
    "jira": Client(
        """
import jira
def fetch(port, **options):
    options = {"server": f"https://localhost:{port}", **options}
    return jira.JIRA(options=options, get_server_info=False, max_retries=0).server_info()["name"]
""",
        choices=_REQUESTS,
    ),
    "hvac": Client(
        """
import hvac
def fetch(port, **options):
    return hvac.Client(f"https://localhost:{port}", "token", **options).read("secret/data")["name"]
""",
        choices=_REQUESTS,
    ),
    "kubernetes": Client(
        """
import kubernetes.client
def fetch(port, **options):
    configuration = kubernetes.client.Configuration(host=f"https://localhost:{port}")
    vars(configuration).update(options)
    with kubernetes.client.ApiClient(configuration) as client:
        return client.rest_client.request("GET", f"https://localhost:{port}/hello").read().decode()
""",
        choices={UNVERIFIED: "verify_ssl=False", FILE: "ssl_ca_cert=FILE"},
    ),
    "docker": Client(
        """
import docker
def fetch(port, **options):
    tls = docker.tls.TLSConfig(verify=True)
    vars(tls).update(options)
    return docker.DockerClient(f"tcp://localhost:{port}", version="1.44", tls=tls).version()["name"]
""",
        choices={UNVERIFIED: "verify=False", FILE: "ca_cert=FILE"},
    ),
    "influxdb-client": Client(
        """
import influxdb_client
def fetch(port, **options):
    with influxdb_client.InfluxDBClient(f"https://localhost:{port}", "token", **options) as client:
        health = client.health()
        if health.status == "fail":
            raise RuntimeError(health.message)
        return health.name
""",
        choices={UNVERIFIED: "verify_ssl=False", FILE: "ssl_ca_cert=FILE"},
    ),
    "opensearch-py": Client(
        """
import opensearchpy
def fetch(port, **options):
    with opensearchpy.OpenSearch(f"https://localhost:{port}", max_retries=0, **options) as client:
        return client.info()["name"]
""",
        choices={UNVERIFIED: "verify_certs=False", FILE: "ca_certs=FILE"},
    ),
    "AsyncElasticsearch": Client(
        """
import elasticsearch
async def fetch(port, **options):
    async with elasticsearch.AsyncElasticsearch(f"https://localhost:{port}", max_retries=0, **options) as client:
        return (await client.info())["name"]
""",
        library="elasticsearch",
        refusal="elastic_transport.TlsError: TLS error",
        choices={UNVERIFIED: "verify_certs=False", FILE: "ca_certs=FILE"},
        adds_system_roots=True,
    ),
    "clickhouse-connect": Client(
        """
from clickhouse_connect.driver import httputil
def fetch(port, **options):
    pool = httputil.get_pool_manager(**options)
    return pool.request("GET", f"https://localhost:{port}/hello", retries=False).data
""",
        choices={UNVERIFIED: "verify=False", FILE: "ca_cert=FILE"},
    ),
    "qdrant-client": Client(
        """
import qdrant_client
def fetch(port, **options):
    client = qdrant_client.QdrantClient(f"https://localhost:{port}", check_compatibility=False, **options)
    return client.info().title
""",
        choices={UNVERIFIED: "verify=False"},
    ),
    "cohere": Client(
        """
import cohere
def fetch(port):
    client = cohere.Client("key", base_url=f"https://localhost:{port}")
    return client.models.get("model", request_options={"max_retries": 0}).name
""",
    ),
    "mistralai": Client(
        """
from mistralai.client import Mistral
def fetch(port):
    return Mistral(api_key="key", server_url=f"https://localhost:{port}").models.list().data[0].id
""",
    ),
    "ollama": Client(
        """
import ollama
def fetch(port, **options):
    return ollama.Client(f"https://localhost:{port}", **options).generate("model", "prompt").response
""",
        choices={UNVERIFIED: "verify=False", FILE: "verify=ssl.create_default_context(cafile=FILE)"},
        refusal="Failed to connect to Ollama",
    ),
    "geopy": Client(
        """
from geopy.adapters import URLLibAdapter
def fetch(port, ssl_context=None):
    context = ssl_context or ssl.create_default_context()
    adapter = URLLibAdapter(proxies=None, ssl_context=context)
    return adapter.get_text(f"https://localhost:{port}/hello", timeout=60, headers={})
""",
    ),
    "pooch": Client(
        """
import pooch, tempfile
def fetch(port):
    with tempfile.TemporaryDirectory() as directory:
        return open(pooch.retrieve(f"https://localhost:{port}/hello", None, "file", directory)).read()
""",
    ),
    "gdown": Client(
        """
import gdown, tempfile
def fetch(port, **options):
    with tempfile.TemporaryDirectory() as directory:
        file = os.path.join(directory, "file")
        return open(gdown.download(f"https://localhost:{port}/hello", file, quiet=True, **options)).read()
""",
        choices=_REQUESTS,
    ),
    "fsspec": Client(
        """
import fsspec
def fetch(port, **options):
    return fsspec.filesystem("https", skip_instance_cache=True, **options).cat_file(f"https://localhost:{port}/hello")
""",
        choices={UNVERIFIED: "ssl=False", FILE: "ssl=ssl.create_default_context(cafile=FILE)"},
    ),
    "feedparser": Client(
        """
import feedparser
def fetch(port):
    feed = feedparser.parse(f"https://localhost:{port}/feed")
    if "title" not in feed.feed:
        raise feed.bozo_exception
    return feed.feed.title
""",
    ),
    "yt-dlp": Client(
        """
import yt_dlp
def fetch(port, **options):
    with yt_dlp.YoutubeDL({"quiet": True, **options}) as client:
        return client.urlopen(f"https://localhost:{port}/hello").read()
""",
        choices={UNVERIFIED: "nocheckcertificate=True"},
    ),
    "opentelemetry-exporter-otlp-proto-http": Client(
        """
import io, logging
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
logged = io.StringIO()
logging.basicConfig(stream=logged)
def fetch(port, **options):
    # It repeats a refused request until the time limit would be exceeded.
    exporter = OTLPSpanExporter(f"https://localhost:{port}/v1/traces", timeout=2, **options)
    if exporter.export([]).name != "SUCCESS":
        raise RuntimeError(logged.getvalue())
    return "hello"
""",
        choices={FILE: "certificate_file=FILE"},
        refusal="Failed to export spans batch",
    ),
}
