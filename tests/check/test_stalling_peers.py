"""Peers that send messages without end, pipes without a writer, and names with many addresses."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import support
from lab import Lab, assert_cause
from pki import chain
from proxy_servers import inside_tls

from certhook.cli import main
from certhook.cli.check import contexts, stream

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in directories")

# Handshake messages that OpenSSL skips, as TLS 1.2 permits: requests to start again.
HELLO_REQUESTS = b"\x16\x03\x03\x40\0" + bytes(0x4000)
# OpenSSL reads everything of a shorter flood in one call.
FLOOD = 48 << 20


class Flood:
    """A handler that sends *data* up to the size of :data:`FLOOD`, after a first message of the client.

    :ivar sent: the number of bytes that each client received
    """

    def __init__(self, data: bytes, start: bytes = b"", size: int = FLOOD) -> None:
        self.data, self.start, self.size = data, start, size
        self.sent: list[int] = []

    def __call__(self, raw: socket.socket) -> None:
        raw.recv(4096)
        raw.sendall(self.start)
        if self.start:
            raw.recv(4096)
        self.sent.append(0)
        number = len(self.sent) - 1
        while self.sent[number] < self.size:
            raw.sendall(self.data)
            self.sent[number] += len(self.data)


def assert_disconnected(flood: Flood) -> None:
    assert flood.sent
    assert max(flood.sent) < FLOOD // 2


def test_the_messages_of_a_handshake_have_a_limit(lab: Lab) -> None:
    flood = Flood(HELLO_REQUESTS)
    lab.trust()
    result = lab.check(lab.listen(flood), "--timeout", "60")
    assert_cause(result, "handshake-failed", "the server sends messages without end")
    assert_disconnected(flood)


def test_inspect_limits_the_messages_of_a_handshake(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    flood = Flood(HELLO_REQUESTS)
    lab.trust()
    assert main(["inspect", f"localhost:{lab.listen(flood)}", "--timeout", "60"]) == 1
    assert "the server sends messages without end" in capsys.readouterr().out
    assert_disconnected(flood)


@pytest.mark.parametrize("with_tls", [False, True], ids=["http", "https"])
def test_the_messages_through_a_proxy_have_a_limit(with_tls: bool, lab: Lab) -> None:
    proxy = chain()
    flood = Flood(HELLO_REQUESTS, b"HTTP/1.1 200 OK\r\n\r\n")
    lab.trust(proxy.root)
    handler: Callable[[socket.socket], None] = flood
    if with_tls:
        handler = inside_tls(lab.server_context(proxy.sent), flood)
    lab.patch.setenv("HTTPS_PROXY", f"http{'s' * with_tls}://localhost:{lab.listen(handler)}")
    result = lab.check("shop.example", "--timeout", "60")
    assert_cause(result, "handshake-failed", "the server sends messages without end")
    assert_disconnected(flood)


def test_the_messages_of_a_proxy_with_tls_have_a_limit(lab: Lab) -> None:
    flood = Flood(HELLO_REQUESTS)
    lab.trust()
    lab.patch.setenv("HTTPS_PROXY", f"https://localhost:{lab.listen(flood)}")
    assert_cause(lab.check("shop.example", "--timeout", "60"), "proxy-failed", "sends messages without end")
    assert_disconnected(flood)


@pytest.mark.skipif(not ssl.HAS_TLSv1_3, reason="session tickets after the handshake require TLS 1.3")
def test_session_tickets_after_the_handshake_have_a_limit(lab: Lab) -> None:
    good = chain()
    completed: list[bool] = []

    def send_tickets(context: ssl.SSLContext, raw: socket.socket) -> None:
        context.num_tickets = 100_000
        completed.append(False)
        with context.wrap_socket(raw, server_side=True):
            completed[0] = True

    lab.trust(good.root)
    assert lab.check(lab.serve(good.sent, handler=send_tickets), "--timeout", "60")[0]["verified"]
    assert not completed[0]


def send_without_end(raw: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            raw.sendall(data)


@pytest.fixture
def lower_limits(lab: Lab) -> None:
    """Lower the limits of a reply, of which each byte is read by itself: TLS may follow."""
    lab.patch.setattr(stream, "_MAX_LINE", 1 << 9)
    lab.patch.setattr(stream, "_MAX_SIZE", 1 << 11)


def test_a_reply_is_limited_to_less_than_a_second() -> None:
    assert stream._MAX_LINE < stream._MAX_SIZE <= 1 << 17


@pytest.mark.parametrize(
    ("scheme", "data"),
    [("smtp", b"220-hello\r\n" * 1000), ("smtp", (b"220-" + b"x" * 508) * 100), ("imap", b"* OK\r\n" * 1000)],
    ids=["lines", "a line", "untagged"],
)
def test_the_reply_before_tls_has_a_limit(scheme: str, data: bytes, lab: Lab, lower_limits: None) -> None:
    lab.trust_unrelated()
    port = lab.listen(lambda raw: send_without_end(raw, data))
    result = lab.check(f"{scheme}://localhost:{port}", "--timeout", "60")
    assert_cause(result, "no-starttls", "the reply is too long")


@pytest.mark.parametrize("line", [b"A: b\r\n" * 1000, b"A" * 4096], ids=["lines", "a line"])
def test_the_reply_of_a_proxy_has_a_limit(line: bytes, lab: Lab, lower_limits: None) -> None:
    def send(raw: socket.socket) -> None:
        raw.recv(4096)
        raw.sendall(b"HTTP/1.1 200 OK\r\n")
        send_without_end(raw, line)

    lab.trust_unrelated()
    lab.use_proxy_handler(send)
    assert_cause(lab.check("shop.example", "--timeout", "60"), "proxy-failed", "the reply is too long")


def test_a_name_may_have_a_thousand_addresses(lab: Lab) -> None:
    port = lab.closed_port()
    address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
    lab.patch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [address] * 1000)
    lab.trust()
    assert_cause(lab.check("shop.example", "--timeout", "60"), "refused")


# Pipes without a writer.


@contextlib.contextmanager
def pipe(directory: Path) -> Iterator[str]:
    """Create a named pipe. Its readers wait for a writer until the end of the block, or for 20 seconds."""
    path = str(directory / "pipe")
    os.mkfifo(path)

    def write() -> None:
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))

    timer = threading.Timer(20, write)
    timer.start()
    try:
        yield path
    finally:
        timer.cancel()
        write()


@posix
def test_roots_of_a_client_in_a_pipe_are_not_waited_for(lab: Lab) -> None:
    good = chain()
    with pipe(lab.directory) as path:
        lab.trust(good.root, REQUESTS_CA_BUNDLE=path)
        lab.patch.setattr(contexts, "_MAX_READING", 0.3)
        result, _ = lab.check(lab.serve(good.sent), "--timeout", "2")
    client = next(each for each in result["clients"] if each["name"] == "requests")
    assert not client["verified"] and "cannot be read (timed out)" in client["reason"]


def test_a_bundle_that_is_not_read_in_time_is_a_result(lab: Lab) -> None:
    def read_slowly(*args: Any, **kwargs: Any) -> Any:
        raise socket.timeout("timed out")

    good = chain()
    lab.trust(good.root)
    lab.patch.setattr(contexts, "named_context", read_slowly)
    result, _ = lab.check(lab.serve(good.sent), "--timeout", "60")
    assert result["verified"]
    client = next(each for each in result["clients"] if each["name"] == "requests")
    assert not client["verified"] and "certifi's bundle cannot be read (timed out)" in client["reason"]


# The exit status, and whether functions of the module atexit run.
@pytest.mark.parametrize(("name", "printed"), [("certhook call", "done\n"), ("another", "done\nexit\n")])
def test_the_process_ends_before_openssl_is_unloaded_under_a_thread(name: str, printed: str) -> None:
    code = f"""
import atexit, sys, threading, time
import certhook.cli
from certhook.__main__ import main

def run():
    threading.Thread(target=time.sleep, args=(60,), daemon=True, name={name!r}).start()
    print("done")
    return 3

certhook.cli.main = run
atexit.register(print, "exit")
sys.exit(main())
"""
    done = support.run(sys.executable, code, check=False)
    assert (done.returncode, done.stdout) == (3, printed)


@posix
def test_roots_of_stock_python_in_a_pipe_are_not_waited_for(lab: Lab) -> None:
    good = chain()
    with pipe(lab.directory) as path:
        lab.trust(SSL_CERT_FILE=path)
        lab.patch.setattr(contexts, "_MAX_READING", 0.3)
        result, text = lab.check(lab.serve(good.sent), "--timeout", "2")
    assert not result["verified"]
    assert "Without certhook: unknown: the roots cannot be read: timed out" in text


@posix
def test_a_list_of_servers_in_a_pipe_without_a_writer_is_empty(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    with pipe(lab.directory) as path:
        assert main(["check", f"@{path}"]) == 2
    assert "lists no server" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "finding"),
    [(b"#" * (9 << 20), "is larger than 8 MiB"), (b"a\n" * 100_002, "lists more than 100000 servers")],
    ids=["size", "number"],
)
def test_a_list_of_servers_has_a_limit(
    content: bytes, finding: str, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    from certhook.cli.check import target

    parsed: Any = target.parse("a")
    lab.patch.setattr(target, "parse", lambda text: parsed)
    assert main(["check", f"@{lab.write('servers', content)}"]) == 2
    assert finding in capsys.readouterr().err


@posix
def test_a_device_is_not_a_list_of_servers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "@/dev/zero"]) == 2
    assert "the list of servers /dev/zero is a device" in capsys.readouterr().err


def test_a_host_name_has_a_limited_length(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "é." * 1000 + "example"]) == 2
    assert "is not a host" in capsys.readouterr().err


def test_an_exhausted_time_limit_is_not_attributed_to_the_name_service(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)
    connections: list[None] = []
    is_over = lab.event()

    def answer_once(context: ssl.SSLContext, raw: socket.socket) -> None:
        connections.append(None)
        with context.wrap_socket(raw, server_side=True) as secured:
            secured.recv(4096)
            is_over.wait(60)

    result, _ = lab.check(lab.serve(good.sent, handler=answer_once), "--timeout", "1")
    assert result["verified"]
    assert len(connections) == 1
    assert result["error_without_certhook"]["message"] == "timed out"
