"""Real handshakes by every client of the standard library that can speak TLS."""

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
    """As much of a protocol as its client needs to say hello, change to TLS, and go.

    :ivar greeting: what the server says first
    :ivar replies: what it answers to a command, by a word in it; ``{tag}`` is the command's first word
    :ivar upgrade: the word of the command after which TLS begins, None where it began before the greeting
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


class _Talk(socketserver.BaseRequestHandler):
    """Answers the lines of one client."""

    def handle(self) -> None:
        self.request.settimeout(20)
        protocol = self.server.protocol
        try:
            if protocol.upgrade is None:
                self._begin_tls()
            self._say(protocol.greeting)
            while self._answer(protocol):
                pass
        except OSError:
            pass  # The client did not trust it, which is what many tests are about.
        finally:
            self.request.close()

    def _begin_tls(self) -> None:
        self.request = self.server.context.wrap_socket(self.request, server_side=True)

    def _say(self, line: str) -> None:
        self.request.sendall(f"{line}\r\n".encode())

    def _answer(self, protocol: Protocol) -> bool:
        # A client waits for the answer to each of its lines, so one line is all that can come.
        words = self.request.recv(1024).decode().upper().split()
        known = [word for word in words if word in protocol.replies]
        if not known:
            return False
        self._say(protocol.replies[known[0]].replace("{tag}", words[0]))
        if known[0] == protocol.upgrade:
            self._begin_tls()
        return True


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, protocol: Protocol, context: ssl.SSLContext) -> None:
        self.protocol = protocol
        self.context = context
        super().__init__(("127.0.0.1", 0), _Talk)


@pytest.fixture(scope="module")
def ports(cas: support.Authorities, servers: support.Servers):
    """The ports of loopback servers: by protocol, as :data:`support.VERDICTS` wants them."""
    running: dict[str, dict[str, _Server]] = {name: {} for name in PROTOCOLS}
    for name in cas.names:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        getattr(cas, name).issue_cert("localhost", "127.0.0.1").configure_cert(context)
        for protocol in PROTOCOLS:
            running[protocol][name] = _Server(PROTOCOLS[protocol], context)
    every = [server for of_protocol in running.values() for server in of_protocol.values()]
    for server in every:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    listed = {
        protocol: " ".join(f"{name}:{server.server_address[1]}" for name, server in of_protocol.items())
        for protocol, of_protocol in running.items()
    }
    yield {**listed, "https": support.server_list(servers)}
    for server in every:
        server.shutdown()
        server.server_close()


class Client(NamedTuple):
    """What speaks with the server at *port*.

    :ivar protocol: in which protocol
    :ivar careful: whether it verifies the server without being given a context
    :ivar code: the body of a function that is true of an answer; CONTEXT is None or a context
    """

    protocol: str
    careful: bool
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
        with urllib.request.urlopen(f"https://localhost:{port}/", timeout=20, context=CONTEXT) as answer:
            return answer.read() == b"hello"
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
        async def ask():
            reader, writer = await asyncio.open_connection("localhost", port, ssl=CONTEXT or True)
            writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
            answer = await reader.read()
            writer.close()
            return answer.endswith(b"hello")
        return asyncio.run(ask())
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
#: Run in an interpreter: which of SERVERS a client trusts.
ASK = """
import os, ssl

def ask(port):{body}

def verdict(port):
    try:
        answer = ask(port)
    except Exception as error:
        while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
            error = getattr(error, "reason", None) or error.__cause__ or error.__context__
            error = error if isinstance(error, Exception) else None
        if error is None:
            raise
        return "no"
    return "yes" if answer else repr(answer)

print(*(name + ":" + verdict(int(port)) for name, port in (s.split(":") for s in os.environ["SERVERS"].split())))
"""


def program(client: Client, context: str) -> str:
    return ASK.replace("{body}", textwrap.indent(textwrap.dedent(client.code), "    ").replace("CONTEXT", context))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, cas: support.Authorities) -> dict[str, str]:
    """Variables that stand for a system's store, a bundle and an extra certificate of the tests' own."""
    folder = tmp_path_factory.mktemp("handshake")
    (folder / "system.pem").write_bytes(cas.pem("system", "both"))
    (folder / "bundle.pem").write_bytes(cas.pem("bundled", "both"))
    (folder / "extra.pem").write_bytes(cas.pem("extra"))
    (folder / "directory").mkdir()
    return {
        "SSL_CERT_FILE": str(folder / "system.pem"),
        "CERTHOOK_SOURCES": "system,bundled",
        "CERTHOOK_BUNDLE": str(folder / "bundle.pem"),
        "CERTHOOK_EXTRA_CA_CERTS": str(folder / "extra.pem"),
    }


def ask(python: Path, code: str, places: dict[str, str], servers: str) -> dict[str, bool]:
    done = support.run(python, code, env=support.clean_env(**places, SERVERS=servers))
    assert done.stderr == ""
    return support.verdicts(done.stdout)


every_client = pytest.mark.parametrize("client", [pytest.param(client, id=name) for name, client in CLIENTS.items()])
DEFAULT = "ssl.create_default_context()"


@every_client
def test_each_client_trusts_the_systems_roots_the_bundles_and_the_extra_one(installed, ports, places, client) -> None:
    code = program(client, "None" if client.careful else DEFAULT)
    verdicts = ask(installed, code, places, ports[client.protocol])
    assert verdicts == {"system": True, "bundled": True, "both": True, "extra": True, "stranger": False}


@every_client
def test_without_certhook_it_trusts_the_systems_alone(plain, ports, places, client) -> None:
    code = program(client, "None" if client.careful else DEFAULT)
    verdicts = ask(plain, code, places, ports[client.protocol])
    assert verdicts == {"system": True, "bundled": False, "both": True, "extra": False, "stranger": False}


@every_client
def test_a_client_that_was_given_a_root_trusts_that_one_alone(installed, ports, places, client) -> None:
    code = program(client, "ssl.create_default_context(cafile=os.environ['CERTHOOK_EXTRA_CA_CERTS'])")
    verdicts = ask(installed, code, places, ports[client.protocol])
    assert verdicts == {name: name == "extra" for name in support.Authorities.names}


@every_client
def test_a_client_that_was_told_not_to_verify_does_not(installed, plain, ports, places, client) -> None:
    # Without a context, the careless ones do not either: that is theirs to decide.
    code = program(client, "ssl._create_unverified_context()" if client.careful else "None")
    for python in installed, plain:
        assert all(ask(python, code, places, ports[client.protocol]).values())


@pytest.mark.parametrize(("host", "right"), [("localhost", True), ("127.0.0.1", True), ("elsewhere.example", False)])
def test_the_name_in_the_certificate_still_counts(installed, ports, places, host, right) -> None:
    code = program(CLIENTS["ssl"], "None").replace('server_hostname="localhost"', f"server_hostname={host!r}")
    verdicts = ask(installed, code, places, ports["https"])
    assert verdicts == {name: right and name != "stranger" for name in support.Authorities.names}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("way", ["lazy", "eager"])
def test_a_context_works_in_a_child_that_was_forked(installed, ports, places, way) -> None:
    fork = "import os, ssl\ncontext = ssl.create_default_context()\nif os.fork():\n    sys.exit(os.wait()[1] != 0)\n"
    code = "import sys\n" + fork + program(CLIENTS["ssl"], "context")
    verdicts = ask(installed, code, {**places, "CERTHOOK_LOAD": way}, ports["https"])
    assert verdicts == {name: name != "stranger" for name in support.Authorities.names}
