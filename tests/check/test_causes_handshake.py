"""Each cause in the TLS handshake, shown by a real server."""

from __future__ import annotations

import socket
import ssl
import sys
import time
import warnings

import der
import pytest
from lab import Lab, Result, Scenarios, answer_http, require_client_certificate
from pki import chain, rsa_key

from certhook.cli.check.causes import handshake

scenarios = Scenarios()


# TLS 1.2 has no alert for a missing client certificate.
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@scenarios.shows("client-certificate", "localhost requires a client certificate", "--cert")
def test_a_server_requires_a_client_certificate(version: ssl.TLSVersion, lab: Lab) -> Result:
    good = chain()
    lab.trust(good.root)
    return lab.check(lab.serve(good.sent, require_client_certificate(good.root, version)))


@scenarios.shows("plain-http", "uses plain HTTP without TLS", "443")
def test_a_server_with_plain_http_is_recognized(lab: Lab) -> Result:
    lab.trust()
    return lab.check(lab.listen(answer_http))


def check_with_http_reply(lab: Lab, *parts: bytes) -> Result:
    """Check a server that answers plain HTTP and disconnects otherwise."""

    def answer(raw: socket.socket) -> None:
        if raw.recv(1024).startswith(b"GET"):
            for part in parts:
                raw.sendall(part)
                time.sleep(0.1)

    lab.trust()
    return lab.check(lab.listen(answer))


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 301 Moved Permanently\r\nLocation: https://localhost/\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n<a href='https://shop.example/'>plain HTTP request was sent to HTTPS port</a>",
        b"HTTP/1.1 200 OK\r\nServer: Apache/2.4 (Unix) OpenSSL/3.0\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\nServer: Apache/2.4 (Unix) OpenSSL/3.0\r\n\r\n",
    ],
)
@scenarios.shows("plain-http", "uses plain HTTP without TLS")
def test_a_plain_reply_that_mentions_https_is_still_plain_http(reply: bytes, lab: Lab) -> Result:
    return check_with_http_reply(lab, reply)


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"],
        [
            b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n",
            b"<h1>The plain HTTP request was sent to HTTPS port</h1>",
        ],
        [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"You're speaking plain HTTP to an SSL-enabled server port.<br />"],
        [b"HTTP/1.1 400 \r\n\r\nBad Request\r\nThis combination of host and port requires TLS.\r\n"],
    ],
    ids=["Go", "nginx", "Apache", "Tomcat"],
)
@scenarios.shows("handshake-failed", "The TLS handshake with localhost failed")
def test_a_tls_port_that_refuses_plain_http_is_not_plain_http(parts: list[bytes], lab: Lab) -> Result:
    return check_with_http_reply(lab, *parts)


@scenarios.shows(
    "unknown-name", "the server is not configured for this name", "Check the spelling", "virtual host", "for localhost"
)
def test_an_unrecognized_name_is_reported(lab: Lab) -> Result:
    def refuse(raw: socket.socket) -> None:
        raw.recv(1024)
        raw.sendall(bytes.fromhex("15 0303 0002 02 70"))

    lab.trust()
    return lab.check(lab.listen(refuse))


@scenarios.shows("no-tls", "does not use TLS", "220 mail.example ESMTP", "smtp://")
def test_the_greeting_of_a_server_without_tls_is_shown(lab: Lab) -> Result:
    def greet(raw: socket.socket) -> None:
        raw.sendall(b"220 mail.example ESMTP\r\n")
        raw.recv(1024)

    lab.trust()
    return lab.check(lab.listen(greet))


@scenarios.shows("handshake-failed", "The TLS handshake with localhost failed")
def test_a_server_that_disconnects_fails_the_handshake(lab: Lab) -> Result:
    lab.trust()
    return lab.check(lab.listen(lambda raw: raw.recv(1024)))


@pytest.mark.skipif(sys.version_info < (3, 10), reason="default contexts accept TLS 1.1 before Python 3.10")
@scenarios.shows("old-tls", "supports only TLS 1", "TLS 1.2 or 1.3")
def test_a_server_with_old_versions_only_is_reported(lab: Lab) -> Result:
    def adjust(context: ssl.SSLContext) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1

    good = chain()
    lab.trust(good.root)
    return lab.check(lab.serve(good.sent, adjust))


# The second Oakley group (RFC 2409), of 1024 bits.
SHORT_PRIME = bytes.fromhex(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
)


@pytest.mark.skipif(
    getattr(ssl.create_default_context(), "security_level", 2) < 2, reason="default contexts accept 1024 bits"
)
@scenarios.shows("weak-handshake", "too weak", "DH_KEY_TOO_SMALL")
def test_a_short_diffie_hellman_key_is_too_weak(lab: Lab) -> Result:
    numbers = der.element(2, b"\0", SHORT_PRIME), der.element(2, b"\2")
    path = lab.write("dh.pem", der.pem(der.element(der.SEQUENCE, *numbers), "DH PARAMETERS"))

    def adjust(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("DHE+AES:@SECLEVEL=0")
        context.load_dh_params(path)

    good = chain(key=rsa_key())
    lab.trust(good.root)
    return lab.check(lab.serve(good.sent, adjust))


@pytest.mark.skipif(
    any(cipher["kea"] == "kx-rsa" for cipher in ssl.create_default_context().get_ciphers()),
    reason="default contexts offer RSA key exchange before Python 3.10, and with OpenSSL's own list",
)
@scenarios.shows("weak-handshake", "too weak", "HANDSHAKE_FAILURE")
def test_an_obsolete_cipher_suite_is_too_weak(lab: Lab) -> Result:
    def adjust(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AES128-SHA:@SECLEVEL=0")

    good = chain(key=rsa_key())
    lab.trust(good.root)
    return lab.check(lab.serve(good.sent, adjust))


@scenarios.shows("too-many-certificates", "sends more certificates than TLS clients accept")
def test_a_list_of_a_thousand_certificates_is_too_long(lab: Lab) -> Result:
    good = chain()
    lab.trust(good.root)
    return lab.check(lab.serve(good.sent + good.sent[1:] * 1000))


def test_every_cause_is_shown() -> None:
    assert scenarios.identifiers == {cause.id for cause in handshake.CAUSES}
