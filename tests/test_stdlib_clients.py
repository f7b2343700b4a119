"""Handshakes by every client in the standard library that supports TLS."""

from __future__ import annotations

import socketserver
import ssl
import sys
import textwrap
import threading
from pathlib import Path
from typing import NamedTuple

import pytest
import support


class Protocol(NamedTuple):
    """The part of a protocol that a client needs to connect, start TLS and disconnect.

    :ivar greeting: the first line from the server
    :ivar replies: the reply to each command, by a word in the command; ``{tag}`` is the first word of the command
    :ivar upgrade: a word in the command that starts TLS, None if TLS starts before the greeting
    """

    greeting: str
    replies: dict[str, str]
    upgrade: str | None


_SMTP = {"EHLO": "250-localhost\r\n250 STARTTLS", "STARTTLS": "220 go ahead", "NOOP": "250 yes", "QUIT": "221 bye"}
_IMAP = {
    "CAPABILITY": "* CAPABILITY IMAP4REV1 STARTTLS\r\n{tag} OK done",
    "STARTTLS": "{tag} OK go ahead",
    "NOOP": "{tag} OK yes",
    "LOGOUT": "* BYE bye\r\n{tag} OK bye",
}
_POP = {"CAPA": "+OK\r\nSTLS\r\n.", "STLS": "+OK go ahead", "NOOP": "+OK yes", "QUIT": "+OK bye"}
_FTP = {"AUTH": "234 go ahead", "NOOP": "200 yes", "QUIT": "221 bye"}

PROTOCOLS = {
    "smtp": Protocol("220 hello", _SMTP, "STARTTLS"),
    "smtps": Protocol("220 hello", _SMTP, None),
    "imap": Protocol("* OK hello", _IMAP, "STARTTLS"),
    "imaps": Protocol("* OK hello", _IMAP, None),
    "pop": Protocol("+OK hello", _POP, "STLS"),
    "pops": Protocol("+OK hello", _POP, None),
    "ftp": Protocol("220 hello", _FTP, "AUTH"),
}


class _Handler(socketserver.BaseRequestHandler):
    """Replies to the commands of one client."""

    def handle(self) -> None:
        self.request.settimeout(20)
        protocol = self.server.protocol
        try:
            if protocol.upgrade is None:
                self._start_tls()
            self._send(protocol.greeting)
            while self._answer(protocol):
                pass
        except OSError:
            pass  # The client refused the certificate.
        finally:
            self.request.close()

    def _start_tls(self) -> None:
        self.request = self.server.context.wrap_socket(self.request, server_side=True)

    def _send(self, line: str) -> None:
        self.request.sendall(f"{line}\r\n".encode())

    def _answer(self, protocol: Protocol) -> bool:
        # A client waits for the reply to each command, so at most one command is received.
        words = self.request.recv(1024).decode().upper().split()
        known = [word for word in words if word in protocol.replies]
        if not known:
            return False
        self._send(protocol.replies[known[0]].replace("{tag}", words[0]))
        if known[0] == protocol.upgrade:
            self._start_tls()
        return True


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, protocol: Protocol, context: ssl.SSLContext) -> None:
        self.protocol = protocol
        self.context = context
        super().__init__(("127.0.0.1", 0), _Handler)


@pytest.fixture(scope="module")
def ports(cas: support.Authorities, servers: support.Servers):
    """The ports of the servers of each protocol, in the format of :data:`support.VERDICTS`."""
    running: dict[str, dict[str, _Server]] = {name: {} for name in PROTOCOLS}
    for name in cas.names:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        getattr(cas, name).issue_cert("localhost", "127.0.0.1").configure_cert(context)
        for protocol in PROTOCOLS:
            running[protocol][name] = _Server(PROTOCOLS[protocol], context)
    all_servers = [server for by_authority in running.values() for server in by_authority.values()]
    for server in all_servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    listed = {
        protocol: " ".join(f"{name}:{server.server_address[1]}" for name, server in by_authority.items())
        for protocol, by_authority in running.items()
    }
    yield {**listed, "https": support.server_list(servers)}
    for server in all_servers:
        server.shutdown()
        server.server_close()


class Client(NamedTuple):
    """A client that connects to *port*.

    :ivar protocol: the protocol, a key of :data:`PROTOCOLS` or "https"
    :ivar verifies_by_default: whether it verifies the server without a context from the caller
    :ivar code: the body of a function that returns a true value after a reply; CONTEXT is an expression
    """

    protocol: str
    verifies_by_default: bool
    code: str


CLIENTS = {
    "ssl": Client(
        "https",
        True,
        """
        import socket
        with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
            given = CONTEXT or ssl.create_default_context()
            with given.wrap_socket(raw, server_hostname="localhost") as secured:
                return secured.version()
        """,
    ),
    "urllib.request": Client(
        "https",
        True,
        """
        import urllib.request
        with urllib.request.urlopen(f"https://localhost:{port}/", timeout=20, context=CONTEXT) as reply:
            return reply.read() == b"hello"
        """,
    ),
    "http.client": Client(
        "https",
        True,
        """
        import http.client
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=CONTEXT)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read() == b"hello"
        finally:
            connection.close()
        """,
    ),
    "asyncio": Client(
        "https",
        True,
        """
        import asyncio
        async def exchange():
            try:
                reader, writer = await asyncio.open_connection("localhost", port, ssl=CONTEXT or True)
                writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
                reply = await reader.read()
                writer.transport.abort()
            finally:
                await asyncio.sleep(0)  # The transport closes the socket.
            return reply.endswith(b"hello")
        return asyncio.run(exchange())
        """,
    ),
    "smtplib.SMTP_SSL": Client(
        "smtps",
        False,
        """
        import smtplib
        with smtplib.SMTP_SSL("localhost", port, timeout=20, context=CONTEXT) as client:
            return client.noop() == (250, b"yes")
        """,
    ),
    "smtplib.SMTP.starttls": Client(
        "smtp",
        False,
        """
        import smtplib
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.starttls(context=CONTEXT)
            return client.noop() == (250, b"yes")
        """,
    ),
    "imaplib.IMAP4_SSL": Client(
        "imaps",
        False,
        """
        import imaplib
        with imaplib.IMAP4_SSL("localhost", port, ssl_context=CONTEXT) as client:
            return client.noop() == ("OK", [b"yes"])
        """,
    ),
    "imaplib.IMAP4.starttls": Client(
        "imap",
        False,
        """
        import imaplib
        with imaplib.IMAP4("127.0.0.1", port) as client:
            client.starttls(ssl_context=CONTEXT)
            return client.noop() == ("OK", [b"yes"])
        """,
    ),
    "poplib.POP3_SSL": Client(
        "pops",
        False,
        """
        import poplib
        client = poplib.POP3_SSL("localhost", port, timeout=20, context=CONTEXT)
        try:
            return client.noop() == b"+OK yes"
        finally:
            client.close()
        """,
    ),
    "poplib.POP3.stls": Client(
        "pop",
        False,
        """
        import poplib
        client = poplib.POP3("127.0.0.1", port, timeout=20)
        try:
            client.stls(context=CONTEXT)
            return client.noop() == b"+OK yes"
        finally:
            client.close()
        """,
    ),
    "ftplib.FTP_TLS": Client(
        "ftp",
        False,
        """
        import ftplib
        with ftplib.FTP_TLS(timeout=20, context=CONTEXT) as client:
            client.connect("localhost", port)
            client.auth()
            return client.voidcmd("NOOP") == "200 yes"
        """,
    ),
}
#: A program that prints for each of SERVERS whether a client trusts it.
PROGRAM = """
import os, ssl

def connect(port):{body}

def verdict(port):
    try:
        reply = connect(port)
    except Exception as error:
        while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
            error = getattr(error, "reason", None) or error.__cause__ or error.__context__
            error = error if isinstance(error, Exception) else None
        if error is None:
            raise
        return "no"
    return "yes" if reply else repr(reply)

print(*(name + ":" + verdict(int(port)) for name, port in (s.split(":") for s in os.environ["SERVERS"].split())))
"""


def program(client: Client, context: str) -> str:
    return PROGRAM.replace("{body}", textwrap.indent(textwrap.dedent(client.code), "    ").replace("CONTEXT", context))


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory, cas: support.Authorities) -> dict[str, str]:
    """Environment variables for a system store, a bundle and an extra root."""
    directory = tmp_path_factory.mktemp("clients")
    (directory / "system.pem").write_bytes(cas.pem("system", "both"))
    (directory / "bundle.pem").write_bytes(cas.pem("bundled", "both"))
    (directory / "extra.pem").write_bytes(cas.pem("extra"))
    return {
        "SSL_CERT_FILE": str(directory / "system.pem"),
        "CERTHOOK_SOURCES": "system,bundled",
        "CERTHOOK_BUNDLE": str(directory / "bundle.pem"),
        "CERTHOOK_EXTRA_CA_CERTS": str(directory / "extra.pem"),
    }


def verdicts_of(python: Path, code: str, variables: dict[str, str], servers: str) -> dict[str, bool]:
    done = support.run(python, code, env=support.clean_env(**variables, SERVERS=servers))
    assert done.stderr == ""
    return support.verdicts(done.stdout)


every_client = pytest.mark.parametrize("client", [pytest.param(client, id=name) for name, client in CLIENTS.items()])
DEFAULT = "ssl.create_default_context()"


@every_client
def test_a_client_trusts_all_sources_by_default(installed, ports, variables, client) -> None:
    code = program(client, "None" if client.verifies_by_default else DEFAULT)
    verdicts = verdicts_of(installed, code, variables, ports[client.protocol])
    assert verdicts == {"system": True, "bundled": True, "both": True, "extra": True, "stranger": False}


@every_client
def test_a_client_trusts_only_the_system_store_without_certhook(plain, ports, variables, client) -> None:
    code = program(client, "None" if client.verifies_by_default else DEFAULT)
    verdicts = verdicts_of(plain, code, variables, ports[client.protocol])
    assert verdicts == {"system": True, "bundled": False, "both": True, "extra": False, "stranger": False}


@every_client
def test_a_client_with_its_own_root_trusts_only_that_root(installed, ports, variables, client) -> None:
    code = program(client, "ssl.create_default_context(cafile=os.environ['CERTHOOK_EXTRA_CA_CERTS'])")
    verdicts = verdicts_of(installed, code, variables, ports[client.protocol])
    assert verdicts == {name: name == "extra" for name in support.Authorities.names}


@every_client
def test_a_client_does_not_verify_if_verification_is_off(installed, plain, ports, variables, client) -> None:
    # Without a context, some clients do not verify. certhook does not change that.
    code = program(client, "ssl._create_unverified_context()" if client.verifies_by_default else "None")
    for python in installed, plain:
        assert all(verdicts_of(python, code, variables, ports[client.protocol]).values())


@pytest.mark.parametrize(("host", "matches"), [("localhost", True), ("127.0.0.1", True), ("elsewhere.example", False)])
def test_host_names_are_still_verified(installed, ports, variables, host, matches) -> None:
    code = program(CLIENTS["ssl"], "None").replace('server_hostname="localhost"', f"server_hostname={host!r}")
    verdicts = verdicts_of(installed, code, variables, ports["https"])
    assert verdicts == {name: matches and name != "stranger" for name in support.Authorities.names}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not support fork")
@pytest.mark.parametrize("load", ["lazy", "eager"])
def test_a_context_works_in_a_forked_child(installed, ports, variables, load) -> None:
    fork = "import os, ssl\ncontext = ssl.create_default_context()\nif os.fork():\n    sys.exit(os.wait()[1] != 0)\n"
    code = "import sys\n" + fork + program(CLIENTS["ssl"], "context")
    verdicts = verdicts_of(installed, code, {**variables, "CERTHOOK_LOAD": load}, ports["https"])
    assert verdicts == {name: name != "stranger" for name in support.Authorities.names}
