"""The ways of ``certhook check`` to a server, and servers that mean it ill."""

from __future__ import annotations

import ipaddress
import itertools
import json
import socket
import ssl
import threading
from typing import Any, Callable, Iterable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from lab import STARTTLS, Lab, assert_cause, open_lab
from pki import chain, issue

from certhook.cli import _connection
from certhook.cli.check.plaintext import Deadline

lab = pytest.fixture(open_lab)


# Ways.


def test_a_server_behind_a_proxy_is_reached_through_it(lab: Lab) -> None:
    good = chain(hosts=("shop.example",))
    lab.trust(good.root)
    seen = lab.proxy(lab.serve(good.sent))
    result, text = lab.ask("https://shop.example/path")
    assert result["verified"] and seen[0].startswith("CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n")
    assert "through the proxy 127.0.0.1:" in text and "secret" not in json.dumps(result) + text


def test_a_proxy_that_speaks_tls_itself_is_verified_and_tunnels_tls_inside_of_it(lab: Lab) -> None:
    good, proxy = chain(hosts=("shop.example",)), chain()
    port = lab.serve(good.sent)
    lab.trust(good.root, proxy.root)
    seen = lab.proxy(port, sent=proxy.sent)
    result, text = lab.ask("https://shop.example/path")
    assert result["verified"] and seen[0].startswith("CONNECT shop.example:443 HTTP/1.1\r\n")
    assert result["chain"][-1]["sha256"] == good.root.certificate.fingerprint(hashes.SHA256()).hex()
    assert "through the proxy localhost:" in text and "secret" not in json.dumps(result) + text


@pytest.mark.parametrize("scheme", STARTTLS)
def test_tls_that_begins_after_a_word_in_the_clear_is_checked(scheme: str, lab: Lab) -> None:
    good = chain()
    port = lab.serve(good.sent, answer=STARTTLS[scheme])
    lab.trust(good.root)
    result, text = lab.ask(f"{scheme}://localhost:{port}")
    assert result["verified"] and result["starttls"] and f"STARTTLS in {scheme}" in text
    lab.trust(issue("another root", ca=True, organization="another"))
    assert_cause(lab.ask(f"{scheme}://localhost:{port}"), "root-unknown")


@pytest.mark.parametrize("scheme", ["ldaps", "pop3s", "ftps", "rediss", "amqps", "mqtts", "ircs", "sips"])
def test_of_a_protocol_without_a_last_word_nothing_is_said_inside_tls(scheme: str, lab: Lab) -> None:
    good = chain()
    heard: list[bytes] = []

    def hear(context: ssl.SSLContext, raw: socket.socket) -> None:
        with context.wrap_socket(raw, server_side=True) as secured:
            heard.append(secured.recv(1024))

    lab.patch.setattr(_connection, "_MOMENT", 0.3)
    lab.trust(good.root)
    port = lab.serve(good.sent, answer=hear)
    result, _ = lab.ask(f"{scheme}://localhost:{port}")
    assert result["verified"] and result["protocol"] == scheme[:-1]
    assert set(heard) <= ({b"", b"QUIT\r\n"} if scheme == "pop3s" else {b""})


def test_a_server_that_nothing_is_said_to_may_want_a_certificate_all_the_same(lab: Lab) -> None:
    good = chain()

    def demand(context: ssl.SSLContext) -> None:
        context.load_verify_locations(cadata=good.root.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED

    lab.trust(good.root)
    assert_cause(lab.ask(f"ldaps://localhost:{lab.serve(good.sent, demand)}"), "client-certificate")


def test_a_host_is_written_as_protocols_want_it_and_shown_as_people_do(lab: Lab) -> None:
    good = chain(hosts=("xn--mnchen-3ya.example",))
    lab.trust(good.root)
    seen = lab.proxy(lab.serve(good.sent))
    result, text = lab.ask("https://münchen.example./")
    assert result["verified"] and seen[0].startswith("CONNECT xn--mnchen-3ya.example:443 ")
    assert "VERIFIED: münchen.example, port 443" in text


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python knows no IPv6")
@pytest.mark.parametrize("text", ["[::1]:{}", "https://[::1]:{}/"])
def test_an_ipv6_address_is_a_host(text: str, lab: Lab) -> None:
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("::1"))])
    good = chain(changed={x509.SubjectAlternativeName: (addresses, False)})
    lab.trust(good.root)
    try:
        port = lab.serve(good.sent, address="::1")
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    result, said = lab.ask(text.format(port))
    assert result["verified"] and f"VERIFIED: [::1], port {port}" in said


def test_the_first_address_that_answers_is_taken(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)
    dead, alive = lab.nobody(), lab.serve(good.sent)
    real = socket.getaddrinfo

    def both(*args: Any, **kwargs: Any) -> list[Any]:
        return real("127.0.0.1", dead, type=socket.SOCK_STREAM) + real("127.0.0.1", alive, type=socket.SOCK_STREAM)

    lab.patch.setattr(socket, "getaddrinfo", both)
    assert lab.ask("localhost")[0]["verified"]


def test_a_server_that_hangs_up_without_a_word_is_asked_once_more_in_silence(lab: Lab) -> None:
    good = chain()
    heard: list[bytes] = []

    def hang_up(context: ssl.SSLContext, raw: socket.socket) -> None:
        number = len(heard)
        heard.append(b"")
        with context.wrap_socket(raw, server_side=True) as secured:
            heard[number] = secured.recv(1024)[:4]

    lab.patch.setattr(_connection, "PATIENCE", 0.3)
    lab.trust(good.root)
    assert lab.ask(lab.serve(good.sent, answer=hang_up))[0]["verified"]
    assert heard[:2] == [b"HEAD", b""]
    assert set(heard[2:]) <= {b""}  # without certhook, where only its verdict counts


def test_a_server_that_serves_only_once_was_verified_all_the_same(lab: Lab) -> None:
    good = chain()
    visitors: list[socket.socket] = []

    def once(context: ssl.SSLContext, raw: socket.socket) -> None:
        visitors.append(raw)
        if len(visitors) == 1:
            with context.wrap_socket(raw, server_side=True) as secured:
                secured.recv(1024)

    lab.trust(good.root)
    result, text = lab.ask(lab.serve(good.sent, answer=once))
    assert len(visitors) > 2 and result["verified"]
    assert result["verified_without_certhook"] is None and "Without certhook: not known" in text


# No end.


def dripping(data: Iterable[bytes], lab: Lab) -> Callable[[socket.socket], None]:
    """An answer of *data*, each part soon enough to be waited for, and all of it too late."""
    done = threading.Event()
    lab.stack.callback(done.set)

    def drip(raw: socket.socket) -> None:
        raw.recv(1024)
        for part in data:
            raw.sendall(part)
            if done.wait(0.05):
                break

    return drip


@pytest.mark.parametrize(
    "scheme, part",
    [
        ("https", b"\x16\x03\x03\x40\0\x02" + bytes(5)),  # the first bytes of a long record of TLS
        ("smtp", b"2"),
        ("smtp", b"220-and more\r\n"),
        ("imap", b"* and more\r\n"),
    ],
)
def test_a_server_that_never_comes_to_an_end_does_not_answer_in_time(scheme: str, part: bytes, lab: Lab) -> None:
    first = [b"* OK\r\n"] if scheme == "imap" else []
    parts = itertools.chain(first, [part], itertools.repeat(part[-1:] if scheme == "https" else part, 1200))
    answer = dripping(parts, lab)

    def greet_and_drip(raw: socket.socket) -> None:
        raw.sendall(b"* OK\r\n" if scheme == "imap" else b"220-\r\n" if scheme == "smtp" else b"")
        answer(raw)

    lab.trust()
    port = lab.listen(greet_and_drip)
    assert_cause(lab.ask(f"{scheme}://localhost:{port}", "--timeout", "1"), "no-answer")


def test_a_proxy_that_never_comes_to_an_end_fails(lab: Lab) -> None:
    lines = itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X-More: yes\r\n", 1200))
    lab.trust()
    lab.patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{lab.listen(dripping(lines, lab))}")
    assert_cause(lab.ask("shop.example", "--timeout", "1"), "proxy-failed", "no answer: timed out")


def test_a_name_server_that_never_answers_is_not_waited_for(lab: Lab) -> None:
    done = threading.Event()
    lab.stack.callback(done.set)
    lab.patch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: done.wait(60))
    lab.trust()
    assert_cause(lab.ask("shop.example", "--timeout", "0.3"), "no-name-service")


def test_a_line_without_an_end_is_given_up(lab: Lab) -> None:
    def flood(raw: socket.socket) -> None:
        for _ in range(40):
            raw.sendall(b"4" * 65536)

    lab.trust()
    assert_cause(lab.ask(f"smtp://localhost:{lab.listen(flood)}"), "no-starttls", "44444...")


def test_nothing_is_left_of_a_deadline_that_is_over() -> None:
    assert 0 < Deadline(60).left() <= 60
    with pytest.raises(socket.timeout):
        Deadline(0).left()


# Too much, and not what it seems.


def test_a_path_without_an_end_is_cut_off(lab: Lab) -> None:
    """Each may have issued each other one, by name: to try them all takes quadratic time."""
    namesakes = [issue("a CA", ca=True)]
    for _ in range(150):
        namesakes.append(issue("a CA", namesakes[-1], ca=True))
    lab.trust(issue("another root", ca=True, organization="another"))
    result, text = lab.ask(lab.serve((issue("localhost", namesakes[-1]), *namesakes)), "--timeout", "60")
    assert not result["verified"] and 2 < len(result["chain"]) <= 21
    assert len(text) < 10000


def test_of_many_hosts_a_person_reads_a_few(lab: Lab) -> None:
    names = tuple(f"host{number}.example" for number in range(1500))
    bad = chain(hosts=names)
    lab.trust(bad.root)
    result, text = lab.ask(lab.serve(bad.sent))
    assert_cause((result, text), "wrong-host", "for host0.example", "host3.example and 1496 more")
    assert result["chain"][0]["hosts"] == list(names)
    assert len(text) < 3000


ESCAPE = "\x1b[2J\r\n\u202e"


@pytest.mark.parametrize("name", [ESCAPE, "very " * 5000])
def test_a_name_neither_moves_the_cursor_nor_fills_the_screen(name: str, lab: Lab) -> None:
    lab.trust(issue("another root", ca=True, organization="another"))
    poor = issue("localhost", issue("root", ca=True), organization=name)
    result, text = lab.ask(lab.serve((poor,)))
    assert not result["verified"] and len(text) < 3000
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize("scheme, says", [("smtp", "5{}\r\n"), ("imap", "{}\r\n"), ("https", "{}\r\n")])
def test_what_a_server_says_in_the_clear_does_not_move_the_cursor(scheme: str, says: str, lab: Lab) -> None:
    def greet(raw: socket.socket) -> None:
        raw.sendall(says.format("\x1b[2J\x07").encode())
        raw.recv(1024)

    lab.trust()
    result, text = lab.ask(f"{scheme}://localhost:{lab.listen(greet)}")
    assert result["cause"]["id"] in ("no-starttls", "no-tls")
    assert all(character.isprintable() or character == "\n" for character in text)


def test_what_a_proxy_says_does_not_move_the_cursor(lab: Lab) -> None:
    def refuse(raw: socket.socket) -> None:
        raw.recv(1024)
        raw.sendall(b"HTTP/1.1 403 \x1b[2J\x07\r\n\r\n")

    lab.trust()
    lab.patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{lab.listen(refuse)}")
    assert_cause(lab.ask("shop.example"), "proxy-failed", r"403 \x1b[2J\x07")


@pytest.mark.parametrize(
    "noise", [b"", b"\0" * 4096, bytes(range(256)) * 16, b"\x16\x03\x01\xff\xff" * 800, b"\x15\x03\x03\0\x02\x02\x28"]
)
def test_noise_has_a_cause(noise: bytes, lab: Lab) -> None:
    def say(raw: socket.socket) -> None:
        raw.recv(1024)
        raw.sendall(noise)

    lab.trust()
    result, _ = lab.ask(lab.listen(say), "--timeout", "60")
    assert result["cause"]["id"] in ("no-tls", "handshake-failed")
