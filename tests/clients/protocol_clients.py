"""Clients of databases, message brokers, mail and directory servers, and of WebSocket.

Some servers refuse the request with the message "refused: hello", which the client reports as an error.
"""

from __future__ import annotations

from client_model import FILE, UNVERIFIED, Client, contexts

_CONTEXT = "ssl.create_default_context()"

PROTOCOL_CLIENTS = {
    "pika": Client(
        """
import pika
def fetch(port, context=None):
    options = pika.SSLOptions(context or ssl.create_default_context(), "localhost")
    pika.BlockingConnection(pika.ConnectionParameters("localhost", port, ssl_options=options))
""",
        "amqp",
        choices=contexts("context"),
    ),
    "aio-pika": Client(
        """
import aio_pika
async def fetch(port, **options):
    await aio_pika.connect(f"amqps://localhost:{port}", timeout=60, **options)
""",
        "amqp",
        choices=contexts("ssl_context"),
    ),
    "amqp": Client(
        """
import amqp
def fetch(port, **options):
    amqp.Connection(f"localhost:{port}", ssl=options, connect_timeout=60).connect()
""",
        "amqp",
        default="server_hostname='localhost', cert_reqs=ssl.CERT_REQUIRED",
        choices={
            UNVERIFIED: "cert_reqs=ssl.CERT_NONE",
            FILE: "server_hostname='localhost', cert_reqs=ssl.CERT_REQUIRED, ca_certs=FILE",
        },
    ),
    "kombu": Client(
        """
import kombu
def fetch(port, **options):
    with kombu.Connection(f"amqp://localhost:{port}", ssl=options, connect_timeout=60) as connection:
        connection._establish_connection()
""",
        "amqp",
        default="server_hostname='localhost', cert_reqs=ssl.CERT_REQUIRED",
        choices={
            UNVERIFIED: "cert_reqs=ssl.CERT_NONE",
            FILE: "server_hostname='localhost', cert_reqs=ssl.CERT_REQUIRED, ca_certs=FILE",
        },
    ),
    "PyMySQL": Client(
        """
import pymysql
def fetch(port, **options):
    pymysql.connect(host="localhost", port=port, user="user", **options)
""",
        "mysql",
        default="ssl_verify_cert=True, ssl_verify_identity=True",
        choices={**contexts("ssl"), FILE: "ssl_ca=FILE, ssl_verify_cert=True, ssl_verify_identity=True"},
    ),
    "aiomysql": Client(
        """
import aiomysql
async def fetch(port, **options):
    await aiomysql.connect(host="localhost", port=port, user="user", **options)
""",
        "mysql",
        default=f"ssl={_CONTEXT}",
        choices=contexts("ssl"),
    ),
    "mysql-connector-python": Client(
        """
import mysql.connector
def fetch(port, **options):
    mysql.connector.connect(host="localhost", port=port, user="user", use_pure=True, **options)
""",
        "mysql",
        default="ssl_verify_cert=True, ssl_verify_identity=True",
        choices={FILE: "ssl_verify_cert=True, ssl_ca=FILE"},
        adds_system_roots=True,
    ),
    "pg8000": Client(
        """
import pg8000.native
def fetch(port, **options):
    with pg8000.native.Connection("postgres", host="localhost", port=port, **options) as connection:
        return connection.run("SELECT 'hello'")[0][0]
""",
        "postgresql",
        default=f"ssl_context={_CONTEXT}",
        choices=contexts("ssl_context"),
    ),
    "valkey": Client(
        """
import valkey, valkey.backoff, valkey.retry
def fetch(port, **options):
    once = valkey.retry.Retry(valkey.backoff.NoBackoff(), 0)
    with valkey.Valkey(port=port, ssl=True, retry=once, **options) as client:
        return client.echo("hello")
""",
        "redis",
        choices={UNVERIFIED: "ssl_cert_reqs='none', ssl_check_hostname=False", FILE: "ssl_ca_certs=FILE"},
        adds_system_roots=True,
    ),
    "nats-py": Client(
        """
import nats
async def fetch(port, **options):
    client = await nats.connect(f"tls://localhost:{port}", allow_reconnect=False, max_reconnect_attempts=0, **options)
    subscription = await client.subscribe("hello")
    message = await subscription.next_msg(60)
    await client.close()
    return message.data
""",
        "nats",
        choices=contexts("tls"),
    ),
    "stomp.py": Client(
        """
import stomp
class Listener(stomp.ConnectionListener):
    def on_connected(self, frame):
        self.server = frame.headers["server"]
def fetch(port, **options):
    connection = stomp.Connection12([("localhost", port)], reconnect_attempts_max=1)
    connection.set_ssl([("localhost", port)], **options)
    connection.set_listener("", Listener())
    connection.connect("user", "password", wait=True)
    connection.disconnect()
    return connection.get_listener("").server
""",
        "stomp",
        choices={FILE: "ca_certs=FILE"},
        refusal="ConnectFailedException",
    ),
    "aiomqtt": Client(
        """
import aiomqtt
async def fetch(port, **options):
    parameters = aiomqtt.TLSParameters(**options)
    async with aiomqtt.Client("localhost", port, tls_params=parameters) as client:
        async for message in client.messages:
            return message.payload
""",
        "mqtt",
        choices={UNVERIFIED: "cert_reqs=ssl.CERT_NONE", FILE: "ca_certs=FILE"},
    ),
    "gmqtt": Client(
        """
import gmqtt
async def fetch(port, ssl=True):
    client = gmqtt.Client("client")
    message = asyncio.get_running_loop().create_future()
    client.on_message = lambda client, topic, payload, qos, properties: message.set_result(payload)
    await client.connect("localhost", port, ssl=ssl, version=4)
    payload = await message
    await client.disconnect()
    return payload
""",
        "mqtt",
        choices=contexts("ssl"),
    ),
    "aiosmtplib": Client(
        """
import aiosmtplib
async def fetch(port, **options):
    client = aiosmtplib.SMTP(hostname="localhost", port=port, use_tls=True, timeout=60, **options)
    async with client:
        return (await client.noop()).message
""",
        "smtps",
        choices={**contexts("tls_context"), UNVERIFIED: "validate_certs=False"},
    ),
    "aioimaplib": Client(
        """
import aioimaplib
async def fetch(port, **options):
    client = aioimaplib.IMAP4_SSL("localhost", port, timeout=60, **options)
    await client._client_task
    await client.wait_hello_from_server()
    return (await client.noop()).lines[-1]
""",
        "imaps",
        choices=contexts("ssl_context"),
    ),
    "IMAPClient": Client(
        """
import imapclient
def fetch(port, **options):
    with imapclient.IMAPClient("localhost", port, timeout=60, **options) as client:
        return client.noop()[0]
""",
        "imaps",
        choices=contexts("ssl_context"),
    ),
    "ldap3": Client(
        """
import ldap3
def fetch(port, **options):
    tls = ldap3.Tls(**options)
    server = ldap3.Server("localhost", port, use_ssl=True, tls=tls, get_info=ldap3.NONE)
    ldap3.Connection(server, "user", "password", raise_exceptions=True).bind()
""",
        "ldap",
        default="validate=ssl.CERT_REQUIRED",
        choices={
            UNVERIFIED: "validate=ssl.CERT_NONE",
            FILE: "validate=ssl.CERT_REQUIRED, ca_certs_file=FILE",
        },
    ),
    "websocket-client": Client(
        """
import websocket
def fetch(port, **sslopt):
    connection = websocket.create_connection(f"wss://localhost:{port}/hello", timeout=60, sslopt=sslopt)
    try:
        return connection.recv()
    finally:
        connection.close()
""",
        choices={UNVERIFIED: "cert_reqs=ssl.CERT_NONE", FILE: "ca_certs=FILE"},
    ),
    "python-engineio": Client(
        """
import engineio
def fetch(port, **options):
    client = engineio.Client(**options)
    client.connect(f"https://localhost:{port}", transports=["polling"])
    name = client.sid
    client.disconnect()
    return name
""",
        choices={UNVERIFIED: "ssl_verify=False"},
    ),
}
