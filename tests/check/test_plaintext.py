"""Connections before TLS: addresses, proxies, and peers that are slow or malicious."""

from __future__ import annotations

import ipaddress
import itertools
import json
import socket
from typing import Any, Callable, Iterable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from lab import Lab, assert_cause
from pki import chain

# Proxies.


def test_a_server_is_reached_through_a_proxy(lab: Lab) -> None:
    good = chain(hosts=("shop.example",))
    lab.trust(good.root)
    requests = lab.use_proxy(lab.serve(good.sent))
    result, text = lab.check("https://shop.example/path")
    assert result["verified"]
    assert requests[0].startswith("CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n")
    assert "through the proxy 127.0.0.1:" in text and "secret" not in json.dumps(result) + text


def test_a_proxy_with_tls_is_verified_and_transports_tls(lab: Lab) -> None:
    good, proxy = chain(hosts=("shop.example",)), chain()
    port = lab.serve(good.sent)
    lab.trust(good.root, proxy.root)
    requests = lab.use_proxy(port, sent=proxy.sent)
    result, text = lab.check("https://shop.example/path")
    assert result["verified"] and requests[0].startswith("CONNECT shop.example:443 HTTP/1.1\r\n")
    assert result["chain"][-1]["sha256"] == good.root.certificate.fingerprint(hashes.SHA256()).hex()
    assert "through the proxy localhost:" in text and "secret" not in json.dumps(result) + text


def test_a_proxy_that_does_not_use_http_is_reported(lab: Lab) -> None:
    def greet(raw: socket.socket) -> None:
        raw.recv(1024)
        raw.sendall(b"220 mail.example\r\n")

    lab.trust()
    lab.use_proxy_handler(greet)
    assert_cause(lab.check("shop.example"), "proxy-failed", "the reply of the proxy is not HTTP: '220 mail.example'")


# Hosts and addresses.


def test_an_international_name_is_sent_in_ascii_and_shown_in_unicode(lab: Lab) -> None:
    good = chain(hosts=("xn--mnchen-3ya.example",))
    lab.trust(good.root)
    requests = lab.use_proxy(lab.serve(good.sent))
    result, text = lab.check("https://münchen.example./")
    assert result["verified"] and requests[0].startswith("CONNECT xn--mnchen-3ya.example:443 ")
    assert "VERIFIED: münchen.example, port 443" in text


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python does not support IPv6")
@pytest.mark.parametrize("target", ["[::1]:{}", "https://[::1]:{}/"])
def test_an_ipv6_address_is_a_host(target: str, lab: Lab) -> None:
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("::1"))])
    good = chain(changed={x509.SubjectAlternativeName: (addresses, False)})
    lab.trust(good.root)
    try:
        port = lab.serve(good.sent, address="::1")
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    result, text = lab.check(target.format(port))
    assert result["verified"] and f"VERIFIED: [::1], port {port}" in text


def test_the_first_address_that_accepts_is_used(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)
    closed, open_port = lab.closed_port(), lab.serve(good.sent)
    getaddrinfo = socket.getaddrinfo

    def both(*args: Any, **kwargs: Any) -> list[Any]:
        ports = (closed, open_port)
        return [entry for port in ports for entry in getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)]

    lab.patch.setattr(socket, "getaddrinfo", both)
    assert lab.check("localhost")[0]["verified"]


# Peers that never finish.


def slowly(data: Iterable[bytes], lab: Lab) -> Callable[[socket.socket], None]:
    """Return a handler that sends each part in time, but all parts together too late."""
    done = lab.event()

    def send(raw: socket.socket) -> None:
        raw.recv(1024)
        for part in data:
            raw.sendall(part)
            if done.wait(0.05):
                break

    return send


@pytest.mark.parametrize(
    ("scheme", "greeting", "part", "repeated"),
    [
        ("https", b"", b"\x16\x03\x03\x40\0\x02" + bytes(5), b"\0"),  # the start of a long TLS record
        ("smtp", b"220-\r\n", b"2", b"2"),
        ("smtp", b"220-\r\n", b"220-and more\r\n", b"220-and more\r\n"),
        ("imap", b"* OK\r\n", b"* and more\r\n", b"* and more\r\n"),
    ],
)
def test_an_endless_reply_does_not_extend_the_time_limit(
    scheme: str, greeting: bytes, part: bytes, repeated: bytes, lab: Lab
) -> None:
    send = slowly(itertools.chain([part], itertools.repeat(repeated, 1200)), lab)

    def greet(raw: socket.socket) -> None:
        raw.sendall(greeting)
        send(raw)

    lab.trust()
    assert_cause(lab.check(f"{scheme}://localhost:{lab.listen(greet)}", "--timeout", "1"), "no-answer")


def test_an_endless_reply_of_a_proxy_does_not_extend_the_time_limit(lab: Lab) -> None:
    lines = itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X-More: yes\r\n", 1200))
    lab.trust()
    lab.use_proxy_handler(slowly(lines, lab))
    assert_cause(lab.check("shop.example", "--timeout", "1"), "proxy-failed", "no reply from the proxy: timed out")


def test_a_slow_name_service_does_not_extend_the_time_limit(lab: Lab) -> None:
    done = lab.event()
    lab.patch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: done.wait(60))
    lab.trust()
    assert_cause(lab.check("shop.example", "--timeout", "0.3"), "no-name-service", "did not answer in time")


def test_a_line_has_a_maximum_length(lab: Lab) -> None:
    def flood(raw: socket.socket) -> None:
        for _ in range(40):
            raw.sendall(b"4" * 65536)

    lab.trust()
    assert_cause(lab.check(f"smtp://localhost:{lab.listen(flood)}"), "no-starttls", "44444...")


# Peers that send terminal escape sequences.


@pytest.mark.parametrize(("scheme", "reply"), [("smtp", "5{}\r\n"), ("imap", "{}\r\n"), ("https", "{}\r\n")])
def test_the_reply_of_a_server_is_escaped(scheme: str, reply: str, lab: Lab) -> None:
    def greet(raw: socket.socket) -> None:
        raw.sendall(reply.format("\x1b[2J\x07").encode())
        raw.recv(1024)

    lab.trust()
    result, text = lab.check(f"{scheme}://localhost:{lab.listen(greet)}")
    assert result["cause"]["id"] in ("no-starttls", "no-tls")
    assert all(character.isprintable() or character == "\n" for character in text)


def test_the_reply_of_a_proxy_is_escaped(lab: Lab) -> None:
    def refuse(raw: socket.socket) -> None:
        raw.recv(1024)
        raw.sendall(b"HTTP/1.1 403 \x1b[2J\x07\r\n\r\n")

    lab.trust()
    lab.use_proxy_handler(refuse)
    assert_cause(lab.check("shop.example"), "proxy-failed", r"403 \x1b[2J\x07")
