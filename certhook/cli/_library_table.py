"""Libraries: the tested version, the roots that each trusts by itself, and how certhook gives it default trust.

``status``, ``docs/reference/libraries.rst`` and the tests of clients use this table.
"""

from __future__ import annotations

from typing import NamedTuple

# The roots that a library trusts by itself.
SYSTEM = "OpenSSL's default locations"
CERTIFI = "certifi's bundle"
SYSTEM_AND_CERTIFI = "OpenSSL's default locations and certifi's bundle"
OWN = "its own bundle"
FILES = "the system's files, which it searches for itself"
HOME = "~/.postgresql/root.crt"

# How certhook gives a library default trust.
DEFAULT = "default trust"
ADOPTION = "adopted bundle"
HOOK = "client hook"
VARIABLE = "certhook run --env"
OPTION = "its own option"
PINNED = "none, because its bundle restricts trust on purpose"


class Library(NamedTuple):
    """A library.

    :ivar name: its name on PyPI, with a variant in parentheses if variants differ
    :ivar version: the version that the tests use; empty for Python's standard library
    :ivar roots: the roots that it trusts by itself
    :ivar mechanism: how certhook gives it default trust
    :ivar variables: the environment variables that select its roots if certhook does not reach it
    :ivar option: its own option for root certificates if certhook does not reach it
    :ivar instruction: how to use this option; empty if it is set to a file of root certificates
    :ivar aliases: other names on PyPI
    """

    name: str
    version: str
    roots: str
    mechanism: str
    variables: tuple[str, ...] = ()
    option: str = ""
    instruction: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def project(self) -> str:
        """The name on PyPI."""
        return self.name.partition(" ")[0]


#: Sorted by name.
LIBRARIES = (
    Library("aio-pika", "10.2.1", SYSTEM, DEFAULT),
    Library("aiobotocore", "3.10.0", CERTIFI, ADOPTION),
    Library("aiohttp", "3.14.5", SYSTEM, DEFAULT),
    Library("aioimaplib", "2.0.3", SYSTEM, DEFAULT),
    Library("aiomqtt", "2.5.1", SYSTEM, DEFAULT),
    Library("aiomysql", "0.3.2", SYSTEM, DEFAULT),
    Library("aiosmtplib", "5.1.3", SYSTEM, DEFAULT),
    Library("amqp", "5.4.2", SYSTEM, DEFAULT),
    Library("anthropic", "2.14.0", FILES, HOOK),
    Library("asyncio", "", SYSTEM, DEFAULT),
    Library("asyncpg", "0.32.0", SYSTEM, DEFAULT),
    Library("azure-core", "1.41.0", CERTIFI, ADOPTION),
    Library("azure-core (async)", "1.41.0", SYSTEM, DEFAULT),
    Library("boto3", "1.43.117", CERTIFI, ADOPTION),
    Library("botocore", "1.43.117", CERTIFI, ADOPTION),
    Library("CacheControl", "0.14.4", CERTIFI, ADOPTION),
    Library("clickhouse-connect", "1.12.0", SYSTEM, DEFAULT),
    Library("cohere", "7.3.1", CERTIFI, ADOPTION),
    Library("confluent-kafka", "2.16.1", FILES, OPTION, (), "ssl.ca.location"),
    Library("curl_cffi", "0.17.0", FILES, VARIABLE, ("CURL_CA_BUNDLE",), "verify="),
    Library("deltalake", "1.6.6", FILES, VARIABLE, ("SSL_CERT_FILE",)),
    Library("docker", "7.2.0", CERTIFI, ADOPTION),
    Library("elasticsearch", "9.5.1", SYSTEM_AND_CERTIFI, DEFAULT),
    Library("feedparser", "6.0.14", SYSTEM, DEFAULT),
    Library("fsspec", "2026.9.0", SYSTEM, DEFAULT),
    Library("ftplib", "", SYSTEM, DEFAULT),
    Library("gdown", "6.5.1", CERTIFI, ADOPTION),
    Library("geopy", "2.5.0", SYSTEM, DEFAULT),
    Library("gmqtt", "0.8.0", SYSTEM, DEFAULT),
    Library("google-auth", "2.63.0", CERTIFI, ADOPTION),
    Library("google-cloud-storage", "3.17.1", CERTIFI, ADOPTION),
    Library("google-genai", "3.6.1", FILES, HOOK),
    Library("google-genai (async)", "3.6.1", CERTIFI, ADOPTION),
    Library("gql", "4.4.0", FILES, HOOK),
    Library("grpcio", "1.85.3", OWN, HOOK),
    Library("http.client", "", SYSTEM, DEFAULT),
    Library("httpie", "3.2.4", SYSTEM_AND_CERTIFI, DEFAULT),
    Library("httplib2", "0.32.1", CERTIFI, ADOPTION),
    Library("httpr", "0.7.8", OWN, VARIABLE, ("HTTPR_CA_BUNDLE",), "ca_cert_file="),
    Library("httpx", "0.28.1", CERTIFI, ADOPTION),
    Library("httpx2", "2.16.2", FILES, HOOK),
    Library("huggingface_hub", "2.4.0", FILES, HOOK),
    Library("hvac", "2.4.0", CERTIFI, ADOPTION),
    Library("IMAPClient", "4.1.0", SYSTEM, DEFAULT),
    Library("imaplib", "", SYSTEM, DEFAULT),
    Library("influxdb-client", "1.50.0", SYSTEM, DEFAULT),
    Library("jira", "3.10.5", CERTIFI, ADOPTION),
    Library("kombu", "5.7.0", SYSTEM, DEFAULT),
    Library("kubernetes", "37.0.1", SYSTEM, DEFAULT),
    Library("ldap3", "2.9.1", SYSTEM, DEFAULT),
    Library("minio", "7.2.20", CERTIFI, ADOPTION),
    Library("mistralai", "3.7.0", FILES, HOOK),
    Library("msal", "1.39.0", CERTIFI, ADOPTION),
    Library("mysql-connector-python", "26.10.0", SYSTEM, DEFAULT),
    Library("nats-py", "2.16.0", SYSTEM, DEFAULT),
    Library("niquests", "3.21.2", FILES, HOOK),
    Library("obstore", "0.12.1", FILES, VARIABLE, ("SSL_CERT_FILE",)),
    Library("ollama", "0.6.3", CERTIFI, ADOPTION),
    Library("openai", "3.57.0", FILES, HOOK),
    Library("opensearch-py", "3.2.0", CERTIFI, ADOPTION),
    Library("opentelemetry-exporter-otlp-proto-grpc", "1.45.2", OWN, HOOK),
    Library("opentelemetry-exporter-otlp-proto-http", "1.45.2", CERTIFI, ADOPTION),
    Library("paho-mqtt", "2.2.0", SYSTEM, DEFAULT),
    Library("pg8000", "1.31.6", SYSTEM, DEFAULT),
    Library("pika", "1.4.4", SYSTEM, DEFAULT),
    Library("pip", "26.3", SYSTEM, DEFAULT),
    Library("pip (legacy-certs)", "26.3", OWN, ADOPTION),
    Library("polars", "2.1.0", FILES, VARIABLE, ("SSL_CERT_FILE",)),
    Library("pooch", "1.9.0", CERTIFI, ADOPTION),
    Library("primp", "2.0.1", FILES, VARIABLE, ("SSL_CERT_FILE",), "ca_cert_file="),
    Library(
        "psycopg",
        "3.3.9",
        HOME,
        OPTION,
        ("PGSSLROOTCERT",),
        "sslrootcert=",
        "set sslrootcert= to a file of root certificates, or to 'system' with 'certhook run --env' (libpq 16+)",
        ("psycopg2", "psycopg2-binary"),
    ),
    Library("pusher", "3.3.4", OWN, ADOPTION),
    Library(
        "pyarrow (Flight)",
        "26.0.1",
        FILES,
        VARIABLE,
        ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",),
        "tls_root_certs=",
        "pass root certificates as tls_root_certs=",
    ),
    Library("pyarrow (GCS)", "26.0.1", FILES, VARIABLE, ("SSL_CERT_FILE",)),
    Library("pyarrow (S3)", "26.0.1", FILES, VARIABLE, ("SSL_CERT_FILE",), "tls_ca_file_path="),
    Library("pycurl", "7.49.0", FILES, OPTION, (), "CAINFO"),
    Library(
        "pygit2",
        "1.21.0",
        FILES,
        VARIABLE,
        ("SSL_CERT_FILE",),
        "settings.set_ssl_cert_locations()",
        "pass a file of root certificates to settings.set_ssl_cert_locations()",
    ),
    Library("PyGithub", "2.10.0", CERTIFI, ADOPTION),
    Library("pymongo", "4.20.1", SYSTEM, DEFAULT),
    Library("pymongo (ocsp)", "4.20.1", SYSTEM, HOOK),
    Library("PyMySQL", "1.2.4", SYSTEM, DEFAULT),
    Library("pyOpenSSL", "26.4.0", SYSTEM, HOOK),
    Library(
        "pyreqwest",
        "0.15.1",
        FILES,
        VARIABLE,
        ("SSL_CERT_FILE",),
        "add_root_certificate_pem()",
        "pass root certificates to add_root_certificate_pem()",
    ),
    Library("python-engineio", "4.15.1", CERTIFI, ADOPTION),
    Library("python-gitlab", "8.6.0", CERTIFI, ADOPTION),
    Library("qdrant-client", "1.20.0", CERTIFI, ADOPTION),
    Library("razorpay", "2.0.1", OWN, ADOPTION),
    Library("redis", "8.1.0", SYSTEM, DEFAULT),
    Library("requests", "2.34.2", CERTIFI, ADOPTION),
    Library("requests (pyOpenSSL)", "2.34.2", CERTIFI, HOOK),
    Library("requests-cache", "1.3.3", CERTIFI, ADOPTION),
    Library("requests-futures", "1.1.0", CERTIFI, ADOPTION),
    Library("requests-toolbelt", "1.0.0", CERTIFI, ADOPTION),
    Library("rnet", "2.4.2", OWN, OPTION, (), "verify="),
    Library("s3fs", "2026.9.0", CERTIFI, ADOPTION),
    Library("scrapy", "2.19.0", SYSTEM, HOOK),
    Library("sentry-sdk", "2.75.0", CERTIFI, ADOPTION),
    Library("slack_sdk", "3.48.0", SYSTEM, DEFAULT),
    Library("smtplib", "", SYSTEM, DEFAULT),
    Library("snowflake-connector-python", "5.2.0", FILES, VARIABLE, ("SSL_CERT_FILE",)),
    Library("stomp.py", "9.0.0", SYSTEM, DEFAULT),
    Library("stripe", "16.1.0", OWN, PINNED),
    Library("tls-client", "2.0.0", FILES, VARIABLE, ("SSL_CERT_FILE",)),
    Library("tornado", "6.6.1", SYSTEM, DEFAULT),
    Library("treq", "26.7.0", SYSTEM, HOOK),
    Library("twilio", "9.13.0", CERTIFI, ADOPTION),
    Library("Twisted", "26.10.0", SYSTEM, HOOK),
    Library("urllib", "", SYSTEM, DEFAULT),
    Library("urllib3", "2.8.0", SYSTEM, DEFAULT),
    Library(
        "uv",
        "0.13.9",
        OWN,
        VARIABLE,
        ("SSL_CERT_FILE",),
        "--system-certs",
        "use --system-certs, which selects the system's root certificates",
    ),
    Library("valkey", "6.2.0", SYSTEM, DEFAULT),
    Library(
        "valkey-glide",
        "2.6.0",
        FILES,
        VARIABLE,
        ("SSL_CERT_FILE",),
        "root_pem_cacerts=",
        "pass root certificates as root_pem_cacerts=",
    ),
    Library("websocket-client", "1.9.2", SYSTEM, DEFAULT),
    Library("websockets", "17.4", SYSTEM, DEFAULT),
    Library("yt-dlp", "2026.10.26", CERTIFI, ADOPTION),
)
