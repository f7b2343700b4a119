"""TLS connections: requests inside TLS, client certificates, and servers that disconnect."""

from __future__ import annotations

import socket
import ssl

import pytest
from lab import STARTTLS, Lab, assert_cause, require_client_certificate
from pki import chain

from certhook.cli.check import handshake


@pytest.mark.parametrize("scheme", STARTTLS)
def test_a_server_with_starttls_is_verified(scheme: str, lab: Lab) -> None:
    good = chain()
    port = lab.serve(good.sent, handler=STARTTLS[scheme])
    lab.trust(good.root)
    result, text = lab.check(f"{scheme}://localhost:{port}")
    assert result["verified"] and result["starttls"] and f"STARTTLS in {scheme}" in text
    lab.trust_unrelated()
    assert_cause(lab.check(f"{scheme}://localhost:{port}"), "root-unknown")


@pytest.mark.parametrize("scheme", ["ldaps", "pop3s", "ftps", "rediss", "amqps", "mqtts", "ircs", "sips"])
def test_a_protocol_without_a_harmless_request_sends_no_data(scheme: str, lab: Lab) -> None:
    good = chain()
    requests: list[bytes] = []

    def receive(context: ssl.SSLContext, raw: socket.socket) -> None:
        with context.wrap_socket(raw, server_side=True) as secured:
            requests.append(secured.recv(1024))

    lab.patch.setattr(handshake, "_ALERT_TIMEOUT", 0.3)
    lab.trust(good.root)
    result, _ = lab.check(f"{scheme}://localhost:{lab.serve(good.sent, handler=receive)}")
    assert result["verified"] and result["protocol"] == scheme[:-1]
    assert set(requests) <= ({b"", b"QUIT\r\n"} if scheme == "pop3s" else {b""})


def test_a_required_client_certificate_is_noticed_without_a_request(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)
    port = lab.serve(good.sent, require_client_certificate(good.root))
    assert_cause(lab.check(f"ldaps://localhost:{port}"), "client-certificate")


def test_a_server_that_disconnects_after_the_request_gets_a_second_connection_without_one(lab: Lab) -> None:
    good = chain()
    requests: list[bytes] = []

    def disconnect(context: ssl.SSLContext, raw: socket.socket) -> None:
        number = len(requests)
        requests.append(b"")
        with context.wrap_socket(raw, server_side=True) as secured:
            requests[number] = secured.recv(1024)[:4]

    lab.patch.setattr(handshake, "REPLY_TIMEOUT", 0.3)
    lab.trust(good.root)
    assert lab.check(lab.serve(good.sent, handler=disconnect))[0]["verified"]
    assert requests[:2] == [b"HEAD", b""]
    assert set(requests[2:]) <= {b""}  # The connection without certhook sends no request.


def test_a_server_that_accepts_only_one_connection_is_verified(lab: Lab) -> None:
    good = chain()
    connections: list[socket.socket] = []

    def accept_first(context: ssl.SSLContext, raw: socket.socket) -> None:
        connections.append(raw)
        if len(connections) == 1:
            with context.wrap_socket(raw, server_side=True) as secured:
                secured.recv(1024)

    lab.trust(good.root)
    result, text = lab.check(lab.serve(good.sent, handler=accept_first))
    assert len(connections) > 2 and result["verified"]
    assert result["verified_without_certhook"] is None and "Without certhook: unknown" in text


@pytest.mark.parametrize(
    "noise", [b"", b"\0" * 4096, bytes(range(256)) * 16, b"\x16\x03\x01\xff\xff" * 800, b"\x15\x03\x03\0\x02\x02\x28"]
)
def test_malformed_data_has_a_cause(noise: bytes, lab: Lab) -> None:
    def send(raw: socket.socket) -> None:
        raw.recv(1024)
        raw.sendall(noise)

    lab.trust()
    result, _ = lab.check(lab.listen(send), "--timeout", "60")
    assert result["cause"]["id"] in ("no-tls", "handshake-failed")
