"""``python -m certhook check``: each cause, shown by a real server on loopback, and what a person is told."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import der
import pytest
import support
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certhook import _config, _trust, _x509
from certhook._sources import TrustSet
from certhook.cli import _connection, _diagnosis, _output, check, main
from certhook.cli._connection import Failure
from certhook.cli._diagnosis import Case, Roots, diagnose
from certhook.exceptions import ConfigurationError

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)

# Before Python 3.10, only the server's own certificate can be seen.
sees_all = pytest.mark.skipif(sys.version_info < (3, 10), reason="the chain cannot be seen before Python 3.10")
strict = pytest.mark.skipif(sys.version_info < (3, 13), reason="Python asks for VERIFY_X509_STRICT since 3.13")


# Certificates.


class Issued(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: object

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def secret(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def issue(
    name: str,
    issuer: Issued | None = None,
    *,
    ca: bool = False,
    hosts: tuple[str, ...] = ("localhost",),
    days: tuple[int, int] = (-30, 300),
    organization: str = "certhook tests",
    key: object = None,
    extra: tuple[x509.ExtensionType, ...] = (),
    poor: bool = False,
) -> Issued:
    """Make a certificate, of itself unless there is an *issuer*.

    :param days: from when until when it is valid, from now
    :param poor: without what RFC 5280 asks for
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    above, signer = (issuer.certificate.subject, issuer.key) if issuer else (subject, key)
    builder = x509.CertificateBuilder(above, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW + days[0] * DAY).not_valid_after(NOW + days[1] * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if not poor:
        usages = dict.fromkeys(("content_commitment", "data_encipherment", "encipher_only", "decipher_only"), False)
        usages.update(dict.fromkeys(("key_encipherment", "key_agreement"), False), crl_sign=ca, key_cert_sign=ca)
        builder = builder.add_extension(x509.KeyUsage(digital_signature=not ca, **usages), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(identifier, critical=False)
    if not ca and hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    for extension in extra:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.NameConstraints))
    return Issued(builder.sign(signer, hashes.SHA256()), key)


class Chain(NamedTuple):
    """What a server sends, its own first, and the root that vouches for it."""

    sent: tuple[Issued, ...]
    root: Issued


def chain(**changed: object) -> Chain:
    """A root, an intermediate and a server's certificate, this one *changed*."""
    root = issue("the root", ca=True)
    middle = issue("the middle", root, ca=True)
    return Chain((issue("localhost", middle, **changed), middle), root)


# Servers.


@contextlib.contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that gives each connection to *answer*."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(20)
            try:
                answer(self.request)
            except OSError:
                pass  # The client went, which is what many tests are about.

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def server_context(folder: Path, sent: tuple[Issued, ...]) -> ssl.SSLContext:
    """A server's context that sends the certificates *sent*, however weak they are."""
    file = folder / "server.pem"
    file.write_bytes(sent[0].secret + b"".join(one.pem for one in sent))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(file)
    return context


def answer_tls(context: ssl.SSLContext, raw: socket.socket) -> None:
    with context.wrap_socket(raw, server_side=True) as secured:
        secured.recv(1024)
        secured.sendall(b"good bye\r\n")


def tunnel(port: int, seen: list[str], raw: socket.socket) -> None:
    """Answer CONNECT as a proxy does that sends everybody to the server at *port*."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += raw.recv(1)
    seen.append(head.decode())
    if b"Proxy-Authorization: Basic bmFtZTpzZWNyZXQ=" not in head:
        raw.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        return
    raw.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as onward:
        back = threading.Thread(target=pump, args=(onward, raw), daemon=True)
        back.start()
        pump(raw, onward)
        back.join(20)


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def serve(stack: contextlib.ExitStack, tmp_path: Path):
    """Serve TLS with the certificates *sent*, and return the port."""

    def start(sent: tuple[Issued, ...], adjust: Callable[[ssl.SSLContext], object] = lambda context: None) -> int:
        context = server_context(tmp_path, sent)
        adjust(context)
        return stack.enter_context(support.serving(context))

    return start


# Asking.


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(name)


@pytest.fixture
def trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Have the system's store be these roots, and no source have another one."""

    def set_up(*roots: Issued, **variables: str) -> None:
        file = tmp_path / "roots.pem"
        file.write_bytes(b"".join(root.pem for root in roots) or b"none\n")
        defaults = {"SSL_CERT_FILE": str(file), "SSL_CERT_DIR": "", "CERTHOOK_CACHE_DIR": support.cache_dir}
        for name, value in {**defaults, **variables}.items():
            monkeypatch.setenv(name, value)

    return set_up


@pytest.fixture
def ask(capsys):
    """Run ``check --json``, and return what it says of one target, and the same for a person."""

    def run(target: object, *arguments: str) -> tuple[dict, str]:
        target = f"localhost:{target}" if isinstance(target, int) else target
        status = main(["check", "--json", *arguments, target])
        found = json.loads(capsys.readouterr().out)
        (result,) = found["checks"]
        assert status == (0 if result["verified"] else 1)
        assert (result["cause"] is None) == result["verified"]
        text = check.render(found)
        assert all(len(line) < 80 for line in text.splitlines()), text
        return result, text

    return run


def assert_cause(answer: tuple[dict, str], identifier: str, *words: str) -> None:
    result, text = answer
    assert result["cause"] and result["cause"]["id"] == identifier, text
    said = " ".join(text.split())
    for word in words:
        assert word in said, text


# A server that is verified.


def test_of_a_verified_server_the_chain_is_shown_from_its_own_certificate_to_the_root_and_its_source(
    ask, serve, trust, tmp_path
) -> None:
    good = chain()
    trust(good.root)
    result, text = ask(serve(good.sent))
    assert result["verified"] and result["verified_without_certhook"]
    assert result["chain"][0]["hosts"] == ["localhost"]
    if sys.version_info >= (3, 10):
        assert [link["name"].partition(" (")[0] for link in result["chain"]] == ["localhost", "the middle", "the root"]
        assert [link["sent"] for link in result["chain"]] == [True, True, False]
        root = result["chain"][-1]
        assert root["sha256"] == good.root.certificate.fingerprint(hashes.SHA256()).hex()
        assert root["listed_by"] == [{"source": "system", "path": str(tmp_path / "roots.pem")}]
        assert text.index("localhost (") < text.index("+- the middle") < text.index("+- the root")
        assert f"valid from {NOW - 30 * DAY:%Y-%m-%d} to {NOW + 300 * DAY:%Y-%m-%d}" in text
    assert "VERIFIED: localhost, port" in text and "Without certhook: verified as well" in text


def test_what_only_certhook_makes_verified_is_said(ask, serve, trust, tmp_path) -> None:
    good = chain()
    (tmp_path / "company.pem").write_bytes(good.root.pem)
    trust(CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "company.pem"))
    result, text = ask(serve(good.sent))
    assert result["verified"] and not result["verified_without_certhook"]
    assert "Without certhook: not verified, unable to get local issuer" in " ".join(text.split())


# Certificates that are at fault.

NOT_FOR_SERVERS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
BY_LEAF = {
    "expired": ({"days": (-30, -3)}, ("The certificate of localhost expired on", "3 days ago", "renew it", "clock")),
    "not-yet-valid": ({"days": (5, 30)}, ("is not valid before", "clock of this machine")),
    "wrong-host": (
        {"hosts": ("one.example", "two.example")},
        ("for one.example, two.example, not for localhost", "Use one of these names"),
    ),
    "wrong-purpose": ({"extra": (NOT_FOR_SERVERS,)}, ("is not for servers",)),
}


@pytest.mark.parametrize("identifier", BY_LEAF)
def test_a_certificate_that_is_not_good_for_this_server_now_is_the_cause(identifier, ask, serve, trust) -> None:
    changed, words = BY_LEAF[identifier]
    bad = chain(**changed)
    trust(bad.root)
    assert_cause(ask(serve(bad.sent)), identifier, *words)


@sees_all
@pytest.mark.parametrize(
    "days, identifier, words",
    [
        ((-30, -3), "issuer-expired", ("The certificate of an old CA (certhook tests) expired", "send one that is")),
        ((2, 30), "issuer-not-yet-valid", ("an old CA (certhook tests) is not valid before",)),
    ],
)
def test_the_ca_whose_certificate_is_out_of_date_is_named(days, identifier, words, ask, serve, trust) -> None:
    root = issue("the root", ca=True)
    old = issue("an old CA", root, ca=True, days=days)
    trust(root)
    assert_cause(ask(serve((issue("localhost", old), old))), identifier, *words)


@sees_all
def test_a_clock_by_which_every_certificate_is_still_to_come_is_probably_wrong(ask, serve, trust) -> None:
    root = issue("the root", ca=True, days=(10, 900))
    trust(root)
    sent = (issue("localhost", root, days=(20, 90)),)
    assert_cause(ask(serve(sent)), "wrong-clock", "clock of this machine is probably wrong", "Set the date")


def test_a_server_that_vouches_for_itself_is_told_from_an_unknown_ca(ask, serve, trust) -> None:
    trust(issue("another root", ca=True))
    assert_cause(ask(serve((issue("localhost"),))), "self-signed", "vouches for itself", "CERTHOOK_EXTRA_CA_CERTS")


@sees_all
@pytest.mark.parametrize("root_is_sent", [False, True])
def test_the_intermediate_that_the_server_does_not_send_is_named(root_is_sent, ask, serve, trust) -> None:
    good = chain()
    trust(good.root)
    sent = (good.sent[0], *([good.root] if root_is_sent else []))
    words = ("does not send the certificate of the middle (certhook tests)", "fullchain.pem", "not sent by the server")
    assert_cause(ask(serve(sent)), "missing-intermediate", *words)
    assert ask(serve(good.sent))[0]["verified"]


@pytest.mark.parametrize("root_is_sent", [False, True])
def test_a_root_that_no_source_has_is_named(root_is_sent, ask, serve, trust) -> None:
    unknown = chain()
    trust(issue("another root", ca=True, organization="another"))
    sent = (*unknown.sent, *([unknown.root] if root_is_sent else []))
    name = "the root (certhook tests)" if sys.version_info >= (3, 10) else "the middle (certhook tests)"
    words = (f"{name} vouches for the server, and no source here knows it", "ask its IT")
    assert_cause(ask(serve(sent)), "root-unknown", *words)


def test_a_ca_below_a_limit_of_names_is_the_cause(ask, serve, trust) -> None:
    limits = x509.NameConstraints(permitted_subtrees=[x509.DNSName("corp.example")], excluded_subtrees=None)
    root = issue("the root", ca=True)
    limited = issue("a limited CA", root, ca=True, extra=(limits,))
    trust(root)
    words = ("may not issue certificates for localhost",)
    if sys.version_info >= (3, 10):
        words += ("a limited CA (certhook tests) may not", "only for corp.example")
    assert_cause(ask(serve((issue("localhost", limited), limited))), "name-constraints", *words)


def test_a_certificate_that_is_no_ca_but_issued_another_is_the_cause(ask, serve, trust) -> None:
    root = issue("the root", ca=True)
    no_ca = issue("no CA", root, poor=True)
    trust(root)
    assert_cause(ask(serve((issue("localhost", no_ca), no_ca))), "not-a-ca", "may not issue others")


def test_a_key_that_is_too_short_is_the_cause(ask, serve, trust) -> None:
    if getattr(ssl.create_default_context(), "security_level", 0) < 2:
        pytest.skip("this Python asks for no security level that refuses 1024 bits")
    short = chain(key=rsa.generate_private_key(65537, 1024))
    trust(short.root)
    assert_cause(ask(serve(short.sent)), "weak", "localhost (certhook tests) has a key that is too short", "1024 bits")


def poor_key_usage() -> tuple[Issued, tuple[Issued, ...], str]:
    root = issue("the root", ca=True)
    middle = issue("a poor CA", root, ca=True, poor=True)
    return root, (issue("localhost", middle), middle), "a poor CA (certhook tests) fails: it does not say"


def poor_leaf() -> tuple[Issued, tuple[Issued, ...], str]:
    root = issue("the root", ca=True)
    return root, (issue("localhost", root, poor=True),), "no authority key identifier"


@strict
@pytest.mark.parametrize("make", [poor_key_usage, poor_leaf])
def test_what_only_strictness_refuses_is_said_with_the_way_out(make, ask, serve, trust, monkeypatch) -> None:
    root, sent, why = make()
    trust(root)
    port = serve(sent)
    assert_cause(ask(port), "strict", why, "Set CERTHOOK_X509_STRICT=0")
    monkeypatch.setenv("CERTHOOK_X509_STRICT", "0")
    assert ask(port)[0]["verified"]


@sees_all
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="from Python 3.13 on, such a certificate is a root")
def test_a_trusted_certificate_that_is_no_root_is_said_to_be_none(ask, serve, trust) -> None:
    good = chain()
    trust(good.sent[1])
    assert_cause(ask(serve(good.sent)), "not-a-root", "the middle (certhook tests) is trusted here, but it is no root")


# Settings that are at fault.

SWITCHED_OFF = {
    "CERTHOOK_SOURCES leaves the bundle out": (
        {"CERTHOOK_BUNDLE": "{}", "CERTHOOK_SOURCES": "system"},
        ("bundled: ", "left out because of CERTHOOK_SOURCES", "Set CERTHOOK_SOURCES=system,bundled"),
    ),
    "CERTHOOK_SOURCES leaves the system out": (
        {"SSL_CERT_FILE": "{}", "CERTHOOK_SOURCES": "extra"},
        ("system: ", "left out because of CERTHOOK_SOURCES"),
    ),
    "SSL_CERT_FILE leaves the bundle out": (
        {"CERTHOOK_BUNDLE": "{}"},
        ("bundled: ", "left out because of SSL_CERT_FILE and SSL_CERT_DIR", "Set CERTHOOK_SOURCES=system,bundled"),
    ),
    "CERTHOOK_MODE stops before the bundle": (
        {"CERTHOOK_BUNDLE": "{}", "CERTHOOK_SOURCES": "system,bundled", "CERTHOOK_MODE": "fallback"},
        ("left out because of CERTHOOK_MODE", "Set CERTHOOK_MODE=chain"),
    ),
}


@sees_all
@pytest.mark.parametrize("name", SWITCHED_OFF)
def test_a_root_whose_source_is_switched_off_is_said_with_the_setting(name, ask, serve, trust, tmp_path) -> None:
    variables, words = SWITCHED_OFF[name]
    good = chain()
    (tmp_path / "off.pem").write_bytes(good.root.pem)
    path = str(tmp_path / "off.pem")
    trust(issue("another root", ca=True), **{key: value.format(path) for key, value in variables.items()})
    answer = ask(serve(good.sent))
    assert_cause(answer, "root-switched-off", "the root (certhook tests), which vouches", *words)
    assert answer[0]["chain"][-1]["standing"] == "off"


@sees_all
def test_a_root_that_the_administrator_distrusts_is_said_with_the_file(ask, serve, trust, tmp_path) -> None:
    bad = chain()
    rejected = der.auxiliary(None, [_x509.SERVER_AUTH])
    file = tmp_path / "rejected.pem"
    file.write_bytes(der.pem(ssl.PEM_cert_to_DER_cert(bad.root.pem.decode()) + rejected, "TRUSTED CERTIFICATE"))
    (tmp_path / "company.pem").write_bytes(bad.root.pem)
    trust(SSL_CERT_FILE=str(file), CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "company.pem"))
    answer = ask(serve(bad.sent))
    words = ("the root (certhook tests) vouches for the server, but the administrator", "Ask the administrator why")
    assert_cause(answer, "root-distrusted", *words)
    assert answer[0]["chain"][-1]["distrusted_by"] == [str(file)]
    assert f"Only if that is a mistake: take it out of {file}" in answer[0]["cause"]["advice"]


@pytest.mark.parametrize("setting", ["SSL_CERT_FILE", "SSL_CERT_DIR", "CERTHOOK_EXTRA_CA_CERTS"])
def test_a_setting_that_points_nowhere_is_the_cause(setting, ask, serve, trust, tmp_path) -> None:
    good = chain()
    trust(**{setting: str(tmp_path / "nowhere")})
    if setting != "SSL_CERT_FILE":
        (tmp_path / "roots.pem").write_bytes(issue("another root", ca=True).pem)
    answer = ask(serve(good.sent))
    assert_cause(answer, "setting-points-nowhere", f"{setting} names the roots to trust", f"Correct {setting}")
    assert str(tmp_path / "nowhere") in answer[0]["cause"]["sentence"]


def test_where_nobody_is_trusted_that_is_the_cause(ask, serve, trust) -> None:
    trust(SSL_CERT_FILE="")
    assert_cause(ask(serve(chain().sent)), "no-roots", "Nobody is trusted here")


# Connections that come to nothing.


def test_a_port_where_nothing_listens_is_the_cause(ask, trust) -> None:
    trust()
    with socket.socket() as taken:  # bound, so that nobody else gets it; and nobody listens
        taken.bind(("127.0.0.1", 0))
        assert_cause(ask(taken.getsockname()[1]), "refused", "nothing listens at its port")


def test_a_name_that_nobody_knows_is_the_cause(ask, trust, monkeypatch) -> None:
    trust()

    # A resolver may take long, or answer for every name.
    def knows_nobody(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", knows_nobody)
    assert_cause(ask("no-such.invalid"), "no-such-name", "Nobody knows the name no-such.invalid", "typing mistake")


def test_a_server_that_does_not_answer_is_the_cause(ask, stack, trust) -> None:
    trust()
    done = threading.Event()
    stack.callback(done.set)
    port = stack.enter_context(answering(lambda raw: done.wait(20) and None))
    assert_cause(ask(port, "--timeout", "0.3"), "no-answer", "does not answer in time")
    done.set()


def say_http(raw: socket.socket) -> None:
    raw.recv(1024)
    raw.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def greet(raw: socket.socket) -> None:
    raw.sendall(b"220 mail.example ESMTP\r\n")
    raw.recv(1024)


def say_nothing(raw: socket.socket) -> None:
    raw.recv(1024)


def ask_for_https(raw: socket.socket) -> None:
    if raw.recv(1024).startswith(b"GET"):
        raw.sendall(b"HTTP/1.1 400 Client sent an HTTP request to an HTTPS server.\r\n\r\n")


@pytest.mark.parametrize(
    "answer, identifier, words",
    [
        (say_http, "plain-http", ("speaks plain HTTP, without TLS", "443")),
        (greet, "no-tls", ("does not speak TLS", "220 mail.example ESMTP", "smtp://")),
        (say_nothing, "handshake-failed", ("broke off",)),
        (ask_for_https, "handshake-failed", ("broke off",)),
    ],
)
def test_a_server_that_speaks_no_tls_is_the_cause(answer, identifier, words, ask, stack, trust) -> None:
    trust()
    assert_cause(ask(stack.enter_context(answering(answer))), identifier, *words)


def test_a_server_that_speaks_only_an_old_version_is_the_cause(ask, serve, trust) -> None:
    good = chain()
    trust(good.root)

    def make_old(context: ssl.SSLContext) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1

    # Stock contexts speak 1.0 and 1.1 before Python 3.10, where the system's OpenSSL does.
    if sys.version_info < (3, 10):
        pytest.skip("before Python 3.10, default contexts speak old versions")
    assert_cause(ask(serve(good.sent, make_old)), "old-tls", "speaks only TLS 1", "TLS 1.2 or 1.3")


@pytest.mark.parametrize("version, identifier", [("TLSv1_3", "client-certificate"), ("TLSv1_2", "handshake-failed")])
def test_a_server_that_wants_a_client_certificate_is_the_cause(
    version, identifier, ask, serve, trust, tmp_path
) -> None:
    good = chain()
    trust(good.root)

    def demand(context: ssl.SSLContext) -> None:
        context.maximum_version = getattr(ssl.TLSVersion, version)
        context.load_verify_locations(cadata=good.root.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED

    assert_cause(ask(serve(good.sent, demand)), identifier, "client certificate")


def test_a_server_that_hangs_up_without_a_word_is_asked_once_more_in_silence(
    ask, stack, trust, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(_connection, "_PATIENCE", 0.3)
    good = chain()
    context, heard = server_context(tmp_path, good.sent), []

    def hang_up(raw: socket.socket) -> None:
        number = len(heard)
        heard.append(b"")
        with context.wrap_socket(raw, server_side=True) as secured:
            heard[number] = secured.recv(1024)

    trust(good.root)
    assert ask(stack.enter_context(answering(hang_up)))[0]["verified"]
    # With certhook, and without it.
    assert [words[:4] for words in heard] == [b"HEAD", b"", b"HEAD", b""]


# Ways to the server.


@pytest.fixture
def through_proxy(stack, monkeypatch):
    """Have HTTPS_PROXY lead every connection to the server at a port; the list gets what the proxy was asked."""

    def start(port: int, login: str = "name:secret@") -> list[str]:
        seen: list[str] = []
        proxy = stack.enter_context(answering(lambda raw: tunnel(port, seen, raw)))
        monkeypatch.setenv("HTTPS_PROXY", f"http://{login}127.0.0.1:{proxy}")
        return seen

    return start


def test_a_server_behind_a_proxy_is_reached_through_it(ask, serve, trust, through_proxy) -> None:
    good = chain(hosts=("shop.example",))
    trust(good.root)
    seen = through_proxy(serve(good.sent))
    result, text = ask("https://shop.example/path")
    assert result["verified"] and seen[0].startswith("CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n")
    assert "through the proxy 127.0.0.1:" in text and "secret" not in json.dumps(result) + text


def test_a_proxy_that_wants_a_password_is_the_cause(ask, serve, trust, through_proxy) -> None:
    trust()
    through_proxy(serve(chain().sent), login="")
    assert_cause(ask("shop.example"), "proxy-login", "wants a name and a password", "http://NAME:PASSWORD@PROXY:PORT")


def test_a_proxy_that_is_not_there_is_the_cause(ask, trust, monkeypatch) -> None:
    trust()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert_cause(ask("shop.example"), "proxy-failed", "made no connection to shop.example", "NO_PROXY")


@pytest.mark.parametrize("root, host", [("mitmproxy", "www.shop.org"), ("the company", "pypi.org")])
def test_a_private_root_for_a_public_name_is_probably_inspection(
    root, host, ask, serve, trust, through_proxy, monkeypatch
) -> None:
    inspector = issue(root, ca=True, organization=root)
    trust(issue("another root", ca=True))
    through_proxy(serve((issue(host, inspector, hosts=(host,)), inspector)))
    words = (f"{host} is a public name", f"comes from {root}", "probably looks into", "ask its IT")
    assert_cause(ask(host), "inspection", *words)


def test_a_private_name_is_not_said_to_be_inspected(ask, serve, trust, through_proxy) -> None:
    inspector = issue("mitmproxy", ca=True, organization="mitmproxy")
    trust(issue("another root", ca=True))
    through_proxy(serve((issue("host", inspector, hosts=("git.corp",)), inspector)))
    assert_cause(ask("git.corp"), "root-unknown", "mitmproxy vouches")


def smtp(context: ssl.SSLContext, raw: socket.socket) -> None:
    raw.sendall(b"220-mail\r\n220 mail.example\r\n")
    assert raw.recv(1024).startswith(b"EHLO")
    raw.sendall(b"250-mail\r\n250 STARTTLS\r\n")
    assert raw.recv(1024) == b"STARTTLS\r\n"
    raw.sendall(b"220 go ahead\r\n")
    answer_tls(context, raw)


def imap(context: ssl.SSLContext, raw: socket.socket) -> None:
    raw.sendall(b"* OK hello\r\n")
    assert raw.recv(1024) == b"c0 STARTTLS\r\n"
    raw.sendall(b"* an aside\r\nc0 OK go ahead\r\n")
    answer_tls(context, raw)


def postgres(context: ssl.SSLContext, raw: socket.socket) -> None:
    assert raw.recv(8) == bytes.fromhex("0000000804d2162f")
    raw.sendall(b"S")
    answer_tls(context, raw)


STARTTLS = {"smtp": smtp, "imap": imap, "postgres": postgres}


@pytest.mark.parametrize("scheme", STARTTLS)
def test_tls_that_begins_after_a_word_in_the_clear_is_checked(scheme, ask, stack, trust, tmp_path) -> None:
    good = chain()
    context = server_context(tmp_path, good.sent)
    port = stack.enter_context(answering(lambda raw: STARTTLS[scheme](context, raw)))
    trust(good.root)
    result, text = ask(f"{scheme}://localhost:{port}")
    assert result["verified"] and result["starttls"] and f"STARTTLS in {scheme}" in text
    trust(issue("another root", ca=True, organization="another"))
    assert_cause(ask(f"{scheme}://localhost:{port}"), "root-unknown")


@pytest.mark.parametrize(
    "scheme, answer, word",
    [
        ("smtp", b"220 hello\r\n250 hello\r\n502 not here\r\n", "502 not here"),
        ("imap", b"* OK hello\r\nc0 NO not here\r\n", "c0 NO not here"),
        ("postgres", b"N", "it has no TLS"),
    ],
)
def test_a_server_that_would_not_change_to_tls_is_the_cause(scheme, answer, word, ask, stack, trust) -> None:
    def refuse(raw: socket.socket) -> None:
        raw.sendall(answer)
        while raw.recv(1024):
            pass

    trust()
    port = stack.enter_context(answering(refuse))
    assert_cause(ask(f"{scheme}://localhost:{port}"), "no-starttls", "would not change to TLS", word)


# What is asked for.


@pytest.mark.parametrize(
    "text, expected",
    [
        ("shop.example", ("shop.example", 443, "https", False)),
        ("shop.example:8443", ("shop.example", 8443, "https", False)),
        ("https://name:secret@Shop.Example./a?b#c", ("shop.example", 443, "https", False)),
        ("wss://shop.example:81/", ("shop.example", 81, "https", False)),
        ("::1", ("::1", 443, "https", False)),
        ("[::1]:8443", ("::1", 8443, "https", False)),
        ("mail.example:587", ("mail.example", 587, "smtp", True)),
        ("mail.example:25", ("mail.example", 25, "smtp", True)),
        ("mail.example:993", ("mail.example", 993, "imap", False)),
        ("imap://mail.example", ("mail.example", 143, "imap", True)),
        ("smtps://mail.example", ("mail.example", 465, "smtp", False)),
        ("db.example:5432", ("db.example", 5432, "postgres", True)),
        ("postgresql://db.example/name", ("db.example", 5432, "postgres", True)),
    ],
)
def test_targets_are_understood(text, expected) -> None:
    assert _connection.parse(text)[1:] == expected


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["http://shop.example"], "did you mean https://"),
        (["gopher://shop.example"], "known are https"),
        (["shop.example:port"], "not a host"),
        (["https://"], "not a host"),
        (["a b"], "not a host"),
        (["https://[::1"], "not a host"),
        (["--timeout", "0", "shop.example"], "more than 0 seconds"),
    ],
)
def test_what_cannot_be_understood_is_usage(arguments, word, capsys) -> None:
    assert main(["check", *arguments]) == 2
    assert word in capsys.readouterr().err


@pytest.mark.parametrize("text", ["postgres://name:secret@db.example/a?password=secret", "name:secret@db.example"])
def test_a_password_in_a_url_is_not_repeated(text) -> None:
    assert "secret" not in repr(_connection.parse(text))
    with pytest.raises(ValueError) as refused:
        _connection.parse(f"ftp://name:secret@{text}")
    assert "secret" not in str(refused.value)


def test_of_many_servers_each_is_said_and_one_that_fails_is_the_status(serve, trust, capsys) -> None:
    good = chain()
    trust(good.root)
    port = serve(good.sent)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert main(["check", f"localhost:{port}", f"localhost:{taken.getsockname()[1]}"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("VERIFIED:")]
    assert [line for line in lines if line.startswith("NOT VERIFIED:")]


# Of causes that no server on loopback shows.


def case(code: int = 0, step: str = "verify", **changed: object) -> Case:
    sent = tuple(one.certificate for one in chain().sent)
    values = {"host": "shop.example", "port": 443, "protocol": "https", "failure": Failure(step, "text", code)}
    return Case(**{**values, "chain": sent, "roots": Roots([]), "now": NOW, **changed})


def trusted(count: int, days: tuple[int, int]) -> Roots:
    from certhook._anchors import parse

    roots = [issue(f"root {number}", ca=True, days=days, organization="another") for number in range(count)]
    return Roots((parse(root.pem)[0][0], _diagnosis.TRUSTED, ()) for root in roots)


def test_a_clock_that_is_before_the_release_of_certhook_is_wrong() -> None:
    cause = diagnose(case(9, now=datetime.datetime(1970, 1, 2, tzinfo=datetime.timezone.utc)))
    assert (cause.id, "certhook itself is younger" in cause.sentence) == ("wrong-clock", True)


def test_a_clock_by_which_most_roots_have_expired_is_wrong() -> None:
    later = NOW + 500 * DAY
    cause = diagnose(case(10, now=later, roots=trusted(12, (-9, 300))))
    assert (cause.id, "most of the trusted roots" in cause.sentence) == ("wrong-clock", True)
    assert diagnose(case(10, now=later, roots=trusted(12, (-9, 900)))).id != "wrong-clock"
    assert diagnose(case(10, now=later, roots=trusted(3, (-9, 300)))).id != "wrong-clock"


def test_the_release_is_in_the_past() -> None:
    assert _diagnosis.RELEASED < NOW


@pytest.mark.parametrize("code, word", [(92, "no key usage"), (85, "no authority key"), (86, "no number for its key")])
def test_strictness_is_explained(code, word) -> None:
    poor = issue("a poor CA", ca=True, poor=True)
    sent = (issue("shop.example", poor).certificate, poor.certificate)
    cause = diagnose(case(code, lenient=True, chain=sent))
    assert cause.id == "strict" and "a poor CA" in cause.sentence and word in cause.sentence


def test_a_signature_that_is_too_weak_is_explained() -> None:
    cause = diagnose(case(68))
    assert cause.id == "weak" and "MD5 or SHA-1" in cause.sentence


def test_a_public_ca_never_issues_from_its_root_so_the_issuer_is_an_intermediate() -> None:
    policy = x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)
    sent = (chain(extra=(x509.CertificatePolicies([policy]),)).sent[0].certificate,)
    cause = diagnose(case(20, chain=sent, roots=trusted(1, (-9, 9))))
    assert cause.id == "missing-intermediate" and "the middle" in cause.sentence


def test_without_a_certificate_to_look_at_every_verdict_still_has_a_cause() -> None:
    for code in range(100):
        for whole in (True, False):
            cause = diagnose(case(code, chain=(), whole=whole, roots=trusted(1, (-9, 9))))
            assert cause.sentence and cause.advice


def test_a_certificate_that_cannot_be_read_ends_the_chain(ask, serve, trust, monkeypatch) -> None:
    good = chain()
    trust(issue("another root", ca=True, organization="another"))
    real = _diagnosis.load
    own = good.sent[0].certificate.public_bytes(Encoding.DER)
    monkeypatch.setattr(_diagnosis, "load", lambda data: None if data == own else real(data))
    answer = ask(serve(good.sent))
    assert_cause(answer, "root-unknown", "the CA that vouches for the server")
    assert answer[0]["chain"] == []


def test_every_cause_that_a_setting_can_be_is_told_from_an_empty_one() -> None:
    roots = trusted(1, (-9, 9))
    empty = ConfigurationError("SSL_CERT_DIR", " cannot be read. Nothing is trusted through it")
    wrong = ConfigurationError("SSL_CERT_FILE", "/nowhere: No such file or directory")
    assert diagnose(case(20, roots=roots, problems=[empty])).id == "root-unknown"
    assert diagnose(case(20, roots=roots, problems=[empty, wrong])).id == "setting-points-nowhere"


def test_another_edition_of_a_presented_root_ends_the_path() -> None:
    from certhook._anchors import parse

    root = issue("the root", ca=True)
    renewed = issue("the root", ca=True, key=root.key, days=(-1, 900))
    leaf = issue("shop.example", root)
    roots = Roots([(parse(renewed.pem)[0][0], _diagnosis.TRUSTED, ())])
    path, found = _diagnosis.climb([leaf.certificate, root.certificate], roots)
    assert path == [leaf.certificate, renewed.certificate] and found.certificate == renewed.certificate


def test_a_name_does_not_move_the_cursor() -> None:
    name = issue("a\x1b[2Jb\nc").certificate.subject
    assert _diagnosis.called(name) == "a\\x1b[2Jb\\nc (certhook tests)"


# The terminal, and the environment.


def test_colours_are_for_terminals_where_no_color_is_unset(monkeypatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    assert not _output.has_colours()
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert _output.has_colours()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not _output.has_colours()


def test_colours_change_nothing_but_the_first_word(ask, serve, trust, capsys) -> None:
    trust()
    main(["check", "--json", f"localhost:{serve(chain().sent)}"])
    found = json.loads(capsys.readouterr().out)
    plain, coloured = check.render(found), check.render(found, colours=True)
    assert "\033" not in plain and "\033[31mNOT VERIFIED:\033[0m localhost" in coloured
    for code in ("\033[31m", "\033[32m", "\033[1m", "\033[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_without_cryptography_a_word_says_how_to_get_it(installed) -> None:
    command = [str(installed), "-m", "certhook", "check", "localhost"]
    done = subprocess.run(command, env=support.clean_env(), capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'certhook[check]'" in done.stderr


def test_no_other_verb_imports_cryptography() -> None:
    code = "import sys, certhook.cli; certhook.cli.main(['status', '--json']); print('cryptography' in sys.modules)"
    env = support.clean_env(PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    assert support.run(sys.executable, code, env=env).stdout.splitlines()[-1] == "False"


def test_the_command_of_the_same_name_is_the_module(installed) -> None:
    command = installed.parent / ("certhook.exe" if os.name == "nt" else "certhook")
    for start in ([str(command)], [str(installed), "-m", "certhook"]):
        done = subprocess.run([*start, "--version"], env=support.clean_env(), capture_output=True, timeout=60)
        assert done.stdout.startswith(b"certhook ")


def test_a_fault_that_is_to_be_raised_is_a_message(serve, trust, capsys, tmp_path) -> None:
    trust(SSL_CERT_FILE=str(tmp_path / "nowhere"), CERTHOOK_ON_ERROR="raise")
    assert main(["check", f"localhost:{serve(chain().sent)}"]) == 1
    assert "SSL_CERT_FILE" in capsys.readouterr().err


def test_what_is_looked_at_besides_leaves_trust_as_it_is(trust) -> None:
    good = chain()
    trust(good.root)
    before = [anchor.der for anchor in _trust.trust_set().anchors]
    check._entries(_trust.trust_set())
    assert [anchor.der for anchor in TrustSet(_config.current(), _config.SERVER_AUTH).anchors] == before
