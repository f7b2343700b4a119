"""The note on ``SSLCertVerificationError``: its facts, and that it changes nothing else of the exception."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import sys
import threading
from pathlib import Path
from typing import Any, Iterator

import der
import pki
import proxy_servers
import pytest
import support
from cryptography import x509
from pki import issue

HAS_NOTES = sys.version_info >= (3, 11)
requires_notes = pytest.mark.skipif(not HAS_NOTES, reason="BaseException.add_note() is new in Python 3.11")

#: Describes an exception, and the exceptions that it follows.
DESCRIBE = """
import json, os, pickle, ssl, sys, traceback

def describe(error):
    copy = pickle.loads(pickle.dumps(error))
    return {
        "facts": [
            type(error).__name__, error.args, str(error), repr(error), error.verify_code, error.verify_message,
            error.errno, error.strerror, error.library, error.reason,
            type(copy).__name__, copy.args, str(copy), copy.verify_code,
        ],
        "note": "\\n".join(getattr(error, "__notes__", ())),
        "printed": "".join(traceback.format_exception(type(error), error, None)),
    }
"""

#: Connects to the server of each of CASES: the port, the name, and an expression for the context.
CONNECT = (
    DESCRIBE
    + """
import socket, threading

def connect(port, name, context):
    context = eval(context)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        try:
            context.wrap_socket(raw, server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            return describe(error)

print(json.dumps([connect(*case) for case in json.loads(os.environ["CASES"])]))
"""
)
DEFAULT = "ssl.create_default_context()"


class Notes:
    """Servers with a certificate each, the roots that programs trust, and the programs.

    :ivar directory: a directory with the files of roots
    """

    def __init__(self, directory: Path, stack: contextlib.ExitStack) -> None:
        self.directory = directory
        self.root = issue("Example Root", ca=True)
        self.middle = issue("Example Intermediate", self.root, ca=True)
        self._stack = stack
        self._file("trusted.pem", self.root)
        (directory / "hashed").mkdir()
        self._file(f"hashed/{support.hashed_name(self.root.der)}", self.root)

    def _file(self, name: str, *certificates: pki.Issued) -> str:
        path = self.directory / name
        path.write_bytes(b"".join(one.pem for one in certificates))
        return str(path)

    def serve(self, *sent: pki.Issued, version: ssl.TLSVersion | None = None) -> int:
        """Start a server that sends the certificates *sent*, its own first, and return its port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        if version is not None:
            context.maximum_version = version
        path = self.directory / "server.pem"
        path.write_bytes(sent[0].secret + b"".join(one.pem for one in sent))
        context.load_cert_chain(path)
        return self._stack.enter_context(support.serving(context))

    def run(self, python: Path, code: str, *cases: tuple[int, str, str], **variables: str) -> Any:
        """Run *code* with *cases*, and return what it prints as JSON."""
        trusted = {"SSL_CERT_FILE": str(self.directory / "trusted.pem"), "SSL_CERT_DIR": str(self.directory / "hashed")}
        env = support.clean_env(**{**trusted, "CASES": json.dumps(cases), **variables})
        done = support.run(python, code, env=env)
        assert done.stderr == ""
        return json.loads(done.stdout)

    def compare(
        self, installed: Path, plain: Path, port: int, name: str = "localhost", context: str = DEFAULT, **variables: str
    ) -> list[str]:
        """Connect with and without certhook; compare the exceptions, and return the two lines of the note."""
        case = (port, name, context)
        (ours,) = self.run(installed, CONNECT, case, **variables)
        (stock,) = self.run(plain, CONNECT, case, **variables)
        assert ours["facts"] == stock["facts"]
        assert stock["note"] == ""
        if not HAS_NOTES:
            assert ours["note"] == ""
            pytest.skip("BaseException.add_note() is new in Python 3.11")
        assert ours["printed"] == f"{stock['printed']}{ours['note']}\n"
        lines: list[str] = ours["note"].splitlines()
        return lines


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notes]:
    with contextlib.ExitStack() as stack:
        yield Notes(tmp_path_factory.mktemp("notes"), stack)


@pytest.fixture
def compare(notes: Notes, installed: Path, plain: Path) -> Any:
    return lambda *args, **kwargs: notes.compare(installed, plain, *args, **kwargs)


def command(python: Path, target: str) -> str:
    return f"{python} -m certhook check {target}"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_note_names_the_missing_issuer_the_roots_and_the_command(notes, compare, installed, version) -> None:
    root = issue("Company Root", ca=True)
    middle = issue("Company Intermediate", root, ca=True)
    port = notes.serve(issue("localhost", middle), middle, version=version)
    assert compare(port) == [
        f'certhook: no trusted root certificate for the issuer "Company Root" of localhost:{port}; '
        "trusted roots: 1 system (SSL_CERT_FILE is set)",
        f"To find the cause, run: {command(installed, f'localhost:{port}')}",
    ]


def test_the_issuer_is_the_intermediate_if_the_server_does_not_send_it(notes, compare) -> None:
    line, _ = compare(notes.serve(issue("localhost", notes.middle)))
    assert 'for the issuer "Example Intermediate" of localhost' in line


def test_roots_are_counted_by_source_also_in_a_process_that_finds_the_store(notes, compare) -> None:
    own, extra = issue("one", ca=True), issue("two", ca=True)
    variables = {
        "CERTHOOK_SOURCES": "system,bundled",
        "CERTHOOK_BUNDLE": notes._file("bundle.pem", notes.root, own),
        "CERTHOOK_EXTRA_CA_CERTS": notes._file("extra.pem", extra),
    }
    port = notes.serve(issue("localhost", issue("Company Root", ca=True)))
    expected = "trusted roots: 1 system, 2 bundled, 1 extra (SSL_CERT_FILE is set)"
    for more in {"CERTHOOK_LOAD": "eager"}, {}, {}:
        assert compare(port, **variables, **more)[0].endswith(expected)


def test_an_empty_system_store_is_counted(notes, compare) -> None:
    port = notes.serve(issue("localhost", issue("Company Root", ca=True)))
    variables = {"SSL_CERT_FILE": "/nonexistent", "SSL_CERT_DIR": "/nonexistent", "PYTHONWARNINGS": "ignore"}
    line, _ = compare(port, **variables)
    assert line.endswith("trusted roots: 0 system (SSL_CERT_FILE is set)")


def test_for_another_name_the_note_lists_the_closest_names_first(notes, compare, installed) -> None:
    hosts = ("a.example", "b.example", "deep.www.localhost", "www.localhost", "c.example")
    port = notes.serve(issue("leaf", notes.middle, hosts=hosts), notes.middle)
    assert compare(port) == [
        f"certhook: the certificate that localhost:{port} sent is valid for www.localhost, deep.www.localhost, "
        "a.example and 2 more, not for localhost",
        f"To find the cause, run: {command(installed, f'localhost:{port}')}",
    ]


def test_for_an_address_the_note_lists_the_names_of_the_certificate(notes, compare) -> None:
    port = notes.serve(issue("leaf", notes.middle), notes.middle)
    line, _ = compare(port, "127.0.0.1")
    assert line == f"certhook: the certificate that 127.0.0.1:{port} sent is valid for localhost, not for 127.0.0.1"


def test_a_certificate_without_names_is_recognised(notes, compare) -> None:
    changed = {x509.SubjectAlternativeName: None}
    port = notes.serve(issue("a server", notes.middle, changed=changed), notes.middle)
    line, _ = compare(port)
    assert line.endswith(f"the certificate that localhost:{port} sent contains no host name (subjectAltName)")


@pytest.mark.parametrize(
    ("days", "expected"),
    [((-30, -10), "expired on {end} UTC"), ((10, 30), "is not valid before {start} UTC")],
)
def test_the_note_contains_the_date_and_the_clock(notes, compare, days, expected) -> None:
    port = notes.serve(issue("localhost", notes.middle, days=days), notes.middle)
    start, end = (f"{pki.NOW + day * pki.DAY:%Y-%m-%d %H:%M}" for day in days)
    line, _ = compare(port)
    expected = f"certhook: the certificate of localhost:{port} {expected.format(start=start, end=end)}; "
    assert re.fullmatch(re.escape(expected) + r"this machine's clock shows [-0-9]{10} [0-9]{2}:[0-9]{2} UTC", line)


def test_an_expired_ca_is_named_with_its_place(notes, compare) -> None:
    expired = issue("Old Intermediate", notes.root, ca=True, days=(-30, -10))
    line, _ = compare(notes.serve(issue("localhost", expired), expired))
    assert 'the CA certificate "Old Intermediate" of localhost' in line
    assert ", that it sent, expired on " in line
    root = issue("Old Root", ca=True, days=(-30, -10))
    path = notes._file("old.pem", root)
    line, _ = compare(notes.serve(issue("localhost", root)), SSL_CERT_FILE=path)
    assert 'the CA certificate "Old Root" of localhost' in line
    assert ", on this machine, expired on " in line


def test_self_signed_certificates_are_named(notes, compare) -> None:
    port = notes.serve(issue("localhost"))
    line, _ = compare(port)
    assert line.startswith(f'certhook: localhost:{port} uses the self-signed certificate "localhost", which is not tr')
    root = issue("Sent Root", ca=True)
    port = notes.serve(issue("localhost", root), root)
    line, _ = compare(port)
    assert line.startswith(f'certhook: the root certificate "Sent Root", which localhost:{port} sent, is not trusted; ')


WEAK = {"client": "not valid for TLS servers", "weak": "too short for this OpenSSL", "ca": "is not that of a CA"}


@pytest.mark.parametrize("kind", WEAK)
def test_other_reasons_are_stated(notes, compare, kind) -> None:
    if kind == "client":
        usage = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])
        sent = (issue("localhost", notes.middle, changed={x509.ExtendedKeyUsage: (usage, False)}), notes.middle)
    elif kind == "weak":
        sent = (issue("localhost", notes.middle, key=pki.rsa_key(1024)), notes.middle)
    else:
        other = issue("other", notes.middle)
        sent = (issue("localhost", other), other, notes.middle)
    line, _ = compare(notes.serve(*sent))
    assert WEAK[kind] in line


def test_trust_settings_that_reject_a_root_are_stated(notes, compare) -> None:
    root = issue("Rejected Root", ca=True)
    rejected = der.auxiliary(rejected=["1.3.6.1.5.5.7.3.1"])
    variable = notes.directory / "rejected.pem"
    variable.write_bytes(der.pem(root.der + rejected, "TRUSTED CERTIFICATE"))
    context = "[c := ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), c.load_verify_locations(os.environ['REJECTED'])][0]"
    line, _ = compare(notes.serve(issue("localhost", root)), "localhost", context, REJECTED=str(variable))
    assert line.startswith('certhook: trust settings on this machine reject the CA certificate "Rejected Root" of loc')


def test_a_strict_check_is_identified(notes, compare) -> None:
    port = notes.serve(issue("localhost", notes.middle, changed={x509.AuthorityKeyIdentifier: None}), notes.middle)
    context = "[c := ssl.create_default_context(), setattr(c, 'verify_flags', ssl.VERIFY_X509_STRICT)][0]"
    line, _ = compare(port, "localhost", context)
    assert "strict check (VERIFY_X509_STRICT, default since Python 3.13): Missing Authority Key Identifier" in line


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (
            "ssl.create_default_context(cafile=os.environ['OWN'])",
            "trusted roots: 2 chosen by the program or a variable",
        ),
        ("ssl.create_default_context(cafile=os.environ['MANY'])", "trusted roots: 25 chosen by the program or a var"),
        ("ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)", "the program does not use Python's default roots"),
    ],
)
def test_for_roots_of_the_program_the_command_only_compares(notes, compare, installed, context, expected) -> None:
    others = [issue(f"root {number}", ca=True) for number in range(25)]
    variables = {"OWN": notes._file("own.pem", *others[:2]), "MANY": notes._file("many.pem", *others)}
    port = notes.serve(issue("localhost", notes.middle), notes.middle)
    for _ in range(2):  # The second process reads many roots from a store.
        line, advice = compare(port, "localhost", context, **variables)
        assert expected in line
        assert advice == f"To compare with Python's default roots, run: {command(installed, f'localhost:{port}')}"


def test_text_from_a_certificate_is_escaped_and_limited(notes, compare) -> None:
    root = issue("\x1b[31m\u202e" + "x" * 50, ca=True)
    line, _ = compare(notes.serve(issue("localhost", root)))
    assert '"\\x1b[31m\\u202e' in line
    assert line.isprintable()
    hosts = ("x" * 63 + "." + "y" * 63 + ".example",)
    line, _ = compare(notes.serve(issue("leaf", notes.middle, hosts=hosts), notes.middle))
    assert "y" * 5 not in line


@requires_notes
def test_a_certificate_with_many_names_is_not_listed(notes, compare) -> None:
    hosts = tuple(f"host{number}.example" for number in range(3000))
    line, _ = compare(notes.serve(issue("leaf", notes.middle, hosts=hosts), notes.middle))
    assert line.endswith("sent is not valid for localhost")


@requires_notes
@pytest.mark.parametrize("value", ["0", "false", "no", "off"])
def test_the_setting_disables_notes(notes, installed, value) -> None:
    port = notes.serve(issue("localhost", issue("Company Root", ca=True)))
    (result,) = notes.run(installed, CONNECT, (port, "localhost", DEFAULT), CERTHOOK_EXPLAIN=value)
    assert result["note"] == ""


@requires_notes
def test_the_note_contains_a_variable_in_a_frozen_program(notes, installed) -> None:
    port = notes.serve(issue("localhost", issue("Company Root", ca=True)))
    frozen = "import sys; sys.frozen = True\n"
    (result,) = notes.run(installed, frozen + CONNECT, (port, "localhost", DEFAULT))
    assert result["note"].splitlines()[1] == "For details, set CERTHOOK_DEBUG=1"


HTTP_CLIENTS = {
    "urllib": "import urllib.request; urllib.request.urlopen(f'https://localhost:{port}/', timeout=20)",
    "http.client": "import http.client; http.client.HTTPSConnection('localhost', port, timeout=20).request('GET', '/')",
    "asyncio": "import asyncio; asyncio.run(asyncio.open_connection('localhost', port, ssl=True))",
    "without a handshake": "c = ssl.create_default_context(); s = socket.create_connection(('localhost', port))\n"
    "    with c.wrap_socket(s, do_handshake_on_connect=False, server_hostname='localhost') as s: s.send(b'x')",
    "SSLObject": "c = ssl.create_default_context(); o = ssl.MemoryBIO(), ssl.MemoryBIO()\n"
    "    b = c.wrap_bio(*o, server_hostname='localhost')\n"
    "    with socket.create_connection(('127.0.0.1', port), timeout=20) as s: exchange(s, b, *o)",
}
CLIENT = """
import json, os, socket, ssl, sys, traceback

def exchange(raw, connection, incoming, outgoing):
    while True:
        try:
            return connection.do_handshake()
        except ssl.SSLWantReadError:
            raw.sendall(outgoing.read())
            incoming.write(raw.recv(65536))

def fetch(port):
    {code}

try:
    fetch(json.loads(os.environ["CASES"])[0])
except Exception:
    print(json.dumps(traceback.format_exc()))
"""


@requires_notes
@pytest.mark.parametrize("name", HTTP_CLIENTS)
def test_the_traceback_of_a_client_contains_the_note_once(notes, installed, name) -> None:
    port = notes.serve(issue("localhost", issue("Company Root", ca=True)))
    code = CLIENT.replace("{code}", HTTP_CLIENTS[name])
    text = notes.run(installed, code, port)
    assert text.count("certhook: ") == 1
    # An SSLObject has no peer; asyncio's transport has one.
    target = "localhost" if name == "SSLObject" else f"localhost:{port}"
    assert f'the issuer "Company Root" of {target}; trusted roots: 1 system' in text
    assert f"\n{'To find the cause, run: '}{command(installed, target)}\n" in text


def tunnel(listener: socket.socket, port: int) -> None:
    """Act as a proxy that connects one client to *port* after a request, and ignores the request."""
    client, _ = listener.accept()
    with client:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            data = client.recv(1)
            if not data:
                return
            head += data
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        proxy_servers.connect_to(port, client)


THROUGH_PROXY = {
    "urllib": "import urllib.request; urllib.request.urlopen('https://localhost:8443/', timeout=20)",
    "socket": """s = socket.create_connection(("127.0.0.1", PORT)); s.sendall(b"CONNECT\\r\\n\\r\\n"); s.recv(99)
    ssl.create_default_context().wrap_socket(s, server_hostname="localhost")""",
    "proxy module": """s = socket.create_connection(("127.0.0.1", PORT)); s.sendall(b"CONNECT\\r\\n\\r\\n"); s.recv(99)
    del os.environ["HTTPS_PROXY"]
    def connect_through_proxy(): ssl.create_default_context().wrap_socket(s, server_hostname="localhost")
    connect_through_proxy()""",
    "asyncio": """import asyncio
    async def go():
        del os.environ["HTTPS_PROXY"]
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.write(b"CONNECT\\r\\n\\r\\n"); await reader.readuntil(b"\\r\\n\\r\\n")
        await writer.start_tls(ssl.create_default_context(), server_hostname="localhost")
    asyncio.run(go())""",
}


@requires_notes
@pytest.mark.parametrize("name", THROUGH_PROXY)
def test_the_port_of_a_proxy_is_not_in_the_command(notes, installed, name) -> None:
    port = notes.serve(issue("localhost", issue("Company Root", ca=True)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=tunnel, args=(listener, port), daemon=True).start()
        own = listener.getsockname()[1]
        code = CLIENT.replace("{code}", THROUGH_PROXY[name]).replace("PORT", str(own))
        text = notes.run(installed, code, own, HTTPS_PROXY=f"http://name:secret@127.0.0.1:{own}")
    assert "certhook: no trusted root" in text
    assert f"check {'localhost:8443' if name == 'urllib' else 'localhost'}\n" in text
    assert "secret" not in text and str(own) not in text.partition("certhook: ")[2]


NO_NOTE = {
    "created by the program": "raise ssl.SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate "
    "verify failed: certificate has expired (_ssl.c:1006)')",
    "created by a method": """
    class Own:
        server_side = False
        def do_handshake(self):
            raise ssl.SSLCertVerificationError(1, "a message")
    Own().do_handshake()""",
    "raised by a server": """
    import threading
    ours, theirs = socket.socketpair()
    def client():
        context = ssl._create_unverified_context()
        context.load_cert_chain(os.environ["PAIR"])
        try:
            with context.wrap_socket(theirs) as secured:
                secured.recv(1)
        except OSError:
            pass
    threading.Thread(target=client).start()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.environ["PAIR"])
    context.verify_mode = ssl.CERT_REQUIRED
    context.wrap_socket(ours, server_side=True)""",
}


@requires_notes
@pytest.mark.parametrize("name", NO_NOTE)
def test_an_exception_of_another_origin_has_no_note(notes, installed, tmp_path, name) -> None:
    pair = issue("localhost")
    (tmp_path / "pair.pem").write_bytes(pair.secret + pair.pem)
    code = CLIENT.replace("{code}", NO_NOTE[name])
    text = notes.run(installed, code, PAIR=str(tmp_path / "pair.pem"), CASES="[0]")
    assert "SSLCertVerificationError" in text
    assert "certhook: " not in text


THREADS = (
    DESCRIBE
    + """
import gc, socket, threading, weakref
port = json.loads(os.environ["CASES"])[0]
context = ssl.create_default_context()
results = []

def connect():
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        try:
            context.wrap_socket(raw, server_hostname="localhost")
        except ssl.SSLCertVerificationError as error:
            kept = error.with_traceback(None)
    results.append((kept, weakref.ref(raw)))

threads = [threading.Thread(target=connect) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
gc.disable()
print(json.dumps([[error.__notes__, raw() is None] for error, raw in results]))
"""
)


@requires_notes
def test_notes_of_threads_are_complete_and_keep_no_socket(notes, installed) -> None:
    port = notes.serve(issue("localhost", issue("Company Root", ca=True)))
    results = notes.run(installed, THREADS, port)
    assert len(results) == 8
    for found, is_closed in results:
        assert len(found) == 1 and f"of localhost:{port}; trusted roots: 1 system" in found[0]
        assert is_closed


FAULTY = """
import sys
import certhook._explain
def recurse():
    recurse()
def explain(*args):
    {fault}
certhook._explain.explain = explain
"""


@requires_notes
@pytest.mark.parametrize("fault", ["raise RuntimeError('a fault')", "recurse()"])
def test_an_internal_error_changes_nothing_and_is_reported_with_debug(notes, installed, plain, fault) -> None:
    port = notes.serve(issue("localhost", issue("Company Root", ca=True)))
    case = (port, "localhost", DEFAULT)
    code = FAULTY.replace("{fault}", fault) + CONNECT
    (ours,) = notes.run(installed, code, case)
    (stock,) = notes.run(plain, CONNECT, case)
    assert (ours["facts"], ours["note"]) == (stock["facts"], "")
    trusted = str(notes.directory / "trusted.pem")
    env = support.clean_env(SSL_CERT_FILE=trusted, CASES=json.dumps([case]), CERTHOOK_DEBUG="1")
    assert "internal error, no note is added: " in support.run(installed, code, env=env).stderr


@requires_notes
@pytest.mark.parametrize("fault", ["raise OSError(24, 'Too many open files')", "import certhook.missing"])
def test_a_fault_of_the_system_that_prevents_a_note_is_the_note(notes, installed, plain, fault) -> None:
    port = notes.serve(issue("localhost", issue("Company Root", ca=True)))
    case = (port, "localhost", DEFAULT)
    (ours,) = notes.run(installed, FAULTY.replace("{fault}", fault) + CONNECT, case)
    (stock,) = notes.run(plain, CONNECT, case)
    assert ours["facts"] == stock["facts"]
    assert re.fullmatch(r"certhook: this error cannot be explained: (OSError|ModuleNotFoundError)\(.*\)", ours["note"])


@requires_notes
def test_contexts_without_the_hook_have_the_note_once(notes, plain, installed) -> None:
    port = notes.serve(issue("localhost", issue("Company Root", ca=True)))
    for more in "", "certhook.install(); ":
        context = f"[c := certhook.create_default_context(), {'certhook.install()' if more else 0}][0]"
        code = "import certhook; certhook.uninstall()\n" + CONNECT
        (result,) = notes.run(installed, code, (port, "localhost", context))
        assert result["note"].count("certhook: ") == 1
        assert "trusted roots: 1 system" in result["note"]


@requires_notes
def test_a_signal_handler_and_an_exit_handler_get_the_exception(notes, installed) -> None:
    port = notes.serve(issue("localhost", issue("Company Root", ca=True)))
    body, _, result = CONNECT.strip().rpartition("\nprint(")
    handler = f"{body}\ndef handle(*args):\n    print({result}\n"
    signalled = f"{handler}\nimport signal\nsignal.signal(signal.SIGINT, handle)\nsignal.raise_signal(signal.SIGINT)\n"
    at_exit = f"{handler}\nimport atexit\natexit.register(handle)\n"
    for code in signalled, at_exit:
        (result,) = notes.run(installed, code, (port, "localhost", DEFAULT))
        assert f"of localhost:{port}; trusted roots: 1 system" in result["note"]


COST = """
import json, os, ssl, sys, time
import certhook._config

def pair(context, served, name):
    first, second = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [context.wrap_bio(first, second, server_hostname=name)]
    ends.append(served.wrap_bio(second, first, server_side=True))
    for _ in range(3):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass

served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
served.load_cert_chain(os.environ["PAIR"])
context = ssl.create_default_context()
calls, events, times = [], [], []

def profile(frame, event, argument):
    if event == "call" and frame.f_globals.get("__name__", "").startswith("certhook"):
        calls.append(frame.f_code.co_name)

pair(context, served, "localhost")  # imports the codec for names of hosts
sys.setprofile(profile)
pair(context, served, "localhost")
sys.setprofile(None)
"""
FAILURES = """
import certhook._failure
def fail():
    try:
        pair(context, served, "elsewhere")
    except ssl.SSLCertVerificationError as error:
        return error.__notes__[0]
fail()  # imports the module
original = certhook._failure._explain
recording = []

def measured(*args):
    recording.append(True)
    start = time.thread_time()
    original(*args)
    times.append(time.thread_time() - start)
    recording.clear()

certhook._failure._explain = measured
sys.addaudithook(lambda event, arguments: events.append(event) if recording else None)
print(json.dumps([calls, [fail() for _ in range(30)], sorted(set(events)), min(times)]))
"""


def served_pair(notes: Notes) -> str:
    leaf = issue("localhost", notes.middle, hosts=("localhost", *(f"host{number}.example" for number in range(100))))
    path = notes.directory / "pair.pem"
    path.write_bytes(leaf.secret + leaf.pem + notes.middle.pem)
    return str(path)


def test_a_successful_handshake_runs_no_code_of_certhook(notes, installed) -> None:
    code = f"{COST}\nprint(json.dumps([calls, 'certhook._explain' in sys.modules, 'certhook._failure' in sys.modules]))"
    assert notes.run(installed, code, PAIR=served_pair(notes)) == [[], False, False]


@requires_notes
def test_a_note_takes_less_than_a_millisecond_and_reads_no_file(notes, installed) -> None:
    calls, found, events, seconds = notes.run(installed, COST + FAILURES, PAIR=served_pair(notes))
    assert len(found) == 30
    assert all("is valid for localhost" in note and " and 98 more, not for elsewhere" in note for note in found)
    # The frames of callers are examined.
    assert [event for event in events if event not in ("builtins.id", "object.__getattr__", "sys._getframe")] == []
    assert seconds < 0.001
