"""The verdicts of clients in the report and the exit status. The clients environment compares them with reality."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

import proxy_servers
import pytest
import support
from cryptography import x509
from lab import Lab
from pki import chain, issue

from certhook.cli import main
from certhook.cli.check import curl, models

_find_curl = curl.find


def client(result: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the JSON object of one client."""
    (found,) = [found for found in result["clients"] if found["name"] == name]
    return found


def check_port(lab: Lab, port: int, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit status and the report."""
    status = main(["check", f"localhost:{port}"])
    return status, " ".join(capsys.readouterr().out.split())


def install(lab: Lab, **versions: str) -> None:
    """Pretend that clients are installed in this environment."""
    lab.patch.setattr(models, "version_of", versions.get)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_missing_bundle_fails_requests(lab: Lab, variable: str) -> None:
    good = chain()
    lab.trust(good.root, **{variable: str(lab.directory / "missing.pem")})
    result, text = lab.check(lab.serve(good.sent))
    found = client(result, "requests")
    assert result["verified"] and found["verified"] is False and found["variable_names"] == [variable]
    assert f"{variable} names {lab.directory}/missing.pem, which does not exist" in found["reason"]
    assert "requests (not installed here): fails because" in text and text.count("fails because") == 1


def test_a_stale_bundle_fails_requests(lab: Lab) -> None:
    good, old = chain(), issue("the old root", ca=True, organization="old")
    lab.trust(good.root, REQUESTS_CA_BUNDLE=lab.write("old.pem", old.pem))
    result, text = lab.check(lab.serve(good.sent))
    assert result["verified"] and client(result, "requests")["verified"] is False
    assert "it trusts only the roots in" in text and client(result, "requests")["error"]["code"] == 20


def test_a_failing_client_that_is_installed_determines_the_exit_status(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    good = chain()
    lab.trust(good.root, REQUESTS_CA_BUNDLE=str(lab.directory / "missing.pem"))
    port = lab.serve(good.sent)
    assert check_port(lab, port, capsys)[0] == 0
    install(lab, requests="2.32.0", urllib3="2.6.0")
    status, text = check_port(lab, port, capsys)
    assert status == 1 and "requests: fails because REQUESTS_CA_BUNDLE names" in text


def test_a_common_name_without_alternative_name_fails_requests_only(lab: Lab) -> None:
    bad = chain(changed={x509.SubjectAlternativeName: None})
    lab.trust(bad.root)
    result, text = lab.check(lab.serve(bad.sent))
    assert result["verified"] and client(result, "urllib")["verified"]
    assert client(result, "requests")["verified"] is False and client(result, "httpx")["verified"]
    assert "it requires a subject alternative name" in " ".join(text.split())


def test_equal_settings_need_no_further_connection(lab: Lab) -> None:
    good, connections = chain(), []
    context = lab.server_context(good.sent)

    def count(raw: socket.socket) -> None:
        connections.append(raw)
        with context.wrap_socket(raw, server_side=True) as secured:
            secured.recv(1024)
            secured.sendall(b"good bye\r\n")

    lab.trust(good.root)
    result, text = lab.check(lab.listen(count))
    assert [found["verified"] for found in result["clients"]] == [True] * 3
    assert "fails" not in text
    # With certhook, without it, for requests, which ignores SSL_CERT_FILE, and for httpx, which names it.
    assert len(connections) <= 4


def test_without_variables_clients_need_at_most_one_connection(lab: Lab) -> None:
    bad, connections = chain(), []
    context = lab.server_context(bad.sent)

    def count(raw: socket.socket) -> None:
        connections.append(raw)
        with context.wrap_socket(raw, server_side=True) as secured:
            secured.recv(1024)

    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        lab.patch.delenv(variable, raising=False)
    lab.patch.setenv("CERTHOOK_STORE_DIR", support.cache_dir)
    result, _ = lab.check(lab.listen(count))
    assert [found["verified"] for found in result["clients"]] == [False] * 3
    # With certhook, one that accepts every certificate, without the strict check, without certhook, and for requests
    # and httpx together, if the operating system lists roots that certifi has removed.
    assert len(connections) <= 5


def test_other_protocols_have_no_clients(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)
    assert lab.check(f"ldaps://localhost:{lab.serve(good.sent)}")[0]["clients"] == []


# Proxies.


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
def test_all_proxy_is_used_as_requests_does(lab: Lab, scheme: str) -> None:
    good, hosts = chain(), []
    lab.trust(good.root)
    version = proxy_servers.socks4 if "4" in scheme else proxy_servers.socks5
    port = lab.listen(version(lab.serve(good.sent), hosts))
    lab.patch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{port}")
    result, text = lab.check("https://localhost")
    resolved = {"127.0.0.1", "::1"}
    assert result["verified"] and set(hosts) & ({"localhost"} if scheme[-1] in "ah" else resolved)
    found = client(result, "urllib")
    assert found["verified"] is False and "it ignores ALL_PROXY" in found["reason"]
    assert "urllib: fails because it ignores ALL_PROXY" in text


def test_a_network_in_no_proxy_excludes_addresses_only_for_requests(lab: Lab) -> None:
    good = chain(hosts=("localhost",))
    lab.trust(good.root, NO_PROXY="127.0.0.0/8", HTTPS_PROXY=f"http://127.0.0.1:{lab.closed_port()}")
    result, _ = lab.check(f"127.0.0.1:{lab.serve(good.sent)}")
    assert not result["verified"] and result["cause"]["id"] == "proxy-not-listening"
    assert client(result, "requests")["error"]["step"] == "verify"  # It reached the server, which has another name.


def test_credentials_of_a_proxy_are_used_and_never_shown(lab: Lab) -> None:
    good = chain(hosts=("shop.example",))
    lab.trust(good.root)
    port = lab.listen(proxy_servers.socks5(lab.serve(good.sent), [], (b"name", b"s:cret")))
    lab.patch.setenv("HTTPS_PROXY", f"socks5h://name:s%3Acret@127.0.0.1:{port}")
    result, text = lab.check("shop.example")
    assert result["verified"] and "cret" not in repr(result) + text


@pytest.mark.skipif(os.name == "nt", reason="variables contain only text on Windows")
@pytest.mark.parametrize("scheme", ["http", "socks4", "socks5"])
def test_credentials_may_contain_any_bytes(lab: Lab, scheme: str) -> None:
    received: list[bytes] = []

    def receive(raw: socket.socket) -> None:
        received.append(raw.recv(1024))

    lab.trust()
    lab.patch.setenv("HTTPS_PROXY", f"{scheme}://n\udcffme:\udcfe@127.0.0.1:{lab.listen(receive)}")
    result, text = lab.check("127.0.0.1")
    assert result["error"]["step"] == "proxy" and received and "udcfe" not in repr(result) + text


@pytest.mark.parametrize("scheme", ["socks4a", "socks5h"])
def test_a_name_that_is_too_long_for_socks_has_a_cause(lab: Lab, scheme: str) -> None:
    lab.trust()
    version = proxy_servers.socks4 if scheme == "socks4a" else proxy_servers.socks5
    lab.patch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{lab.listen(version(lab.closed_port(), []))}")
    assert lab.check(".".join(["a" * 60] * 6), "--timeout", "5")[0]["error"]["step"] in ("name", "proxy", "tls")


@pytest.mark.parametrize("reply", ["HTTP/1.1 ²³¹ OK", "HTTP/1.1", "HTTP/1.1 20", "HTTP/1.1 99999 x", "", "\0"])
def test_a_malformed_reply_of_a_proxy_has_a_cause(lab: Lab, reply: str) -> None:
    def answer(raw: socket.socket) -> None:
        raw.recv(1024)
        raw.sendall(f"{reply}\r\n\r\n".encode("latin-1"))

    lab.trust()
    lab.use_proxy_handler(answer)
    assert lab.check("shop.example")[0]["cause"]["id"] == "proxy-failed"


@pytest.mark.parametrize("scheme", ["http", "https", "socks4", "socks5"])
@pytest.mark.parametrize("data", [b"", b"\5", b"\0", b"HTTP/1.1 200"])
def test_a_stalling_proxy_does_not_extend_the_time_limit(lab: Lab, scheme: str, data: bytes) -> None:
    done = lab.event()

    def stall(raw: socket.socket) -> None:
        raw.sendall(data)
        done.wait(60)

    lab.trust()
    lab.patch.setenv("HTTPS_PROXY", f"{scheme}://127.0.0.1:{lab.listen(stall)}")
    start = time.monotonic()
    result, _ = lab.check("127.0.0.1", "--timeout", "0.6")
    assert not result["verified"] and result["error"]["step"] == "proxy"
    assert time.monotonic() - start < 10


# Options.


def test_additional_roots_are_trusted_only_in_this_check(lab: Lab) -> None:
    good = chain()
    lab.trust_unrelated()
    port, path = lab.serve(good.sent), lab.write("own.pem", good.root.pem)
    result, text = lab.check(port, "--ca", path)
    assert result["verified"] and result["ca_files"] == [path]
    assert "additional roots in" in text and f"listed by --ca: {path}" in " ".join(text.split())
    assert not lab.check(port)[0]["verified"]


def test_a_file_without_certificate_cannot_be_trusted(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.trust()
    assert main(["check", "--ca", str(lab.directory / "missing"), "localhost"]) == 2
    assert main(["check", "--ca", lab.write("notes.txt", b"notes\n"), "localhost"]) == 2
    error = capsys.readouterr().err
    assert "missing" in error and "notes.txt contains no certificate" in error


def test_another_address_is_used_and_the_name_is_verified(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    good = chain(hosts=("shop.example",))
    lab.trust(good.root)
    address = f"127.0.0.1:{lab.serve(good.sent)}"
    result, text = lab.check("shop.example", "--connect-to", address)
    assert result["verified"] and result["connect_to"] == address and f"at {address}" in text
    assert lab.check("other.example", "--connect-to", address)[0]["cause"]["id"] == "wrong-host"
    for invalid in ("shop.example", "https://shop.example:443", "::1", "shop.example:0"):
        assert main(["check", "--connect-to", invalid, "shop.example"]) == 2
    assert "Traceback" not in capsys.readouterr().err


# curl.


@pytest.mark.skipif(_find_curl() is None, reason="curl is not installed")
def test_curl_makes_a_real_request(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root, CURL_CA_BUNDLE=lab.write("own.pem", good.root.pem))
    lab.patch.setattr(curl, "find", _find_curl)
    port = lab.serve(good.sent)
    assert client(lab.check(port)[0], "curl")["verified"] is True
    lab.patch.setenv("CURL_CA_BUNDLE", str(lab.directory / "missing.pem"))
    found = client(lab.check(port)[0], "curl")
    assert found["verified"] is False and "CURL_CA_BUNDLE" in found["reason"]


@pytest.mark.skipif(os.name == "nt", reason="the file is a shell script")
@pytest.mark.parametrize("entry", ["", ".", "bin"])
def test_curl_is_not_run_from_the_working_directory(entry: str, lab: Lab) -> None:
    for name in ("curl", "bin/curl"):
        path = lab.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\necho curl 1.0\n")
        path.chmod(0o755)
    lab.patch.chdir(lab.directory)
    for directory, version in ((str(lab.directory / "bin"), "1.0"), (str(lab.directory / "missing"), None)):
        lab.patch.setenv("PATH", f"{entry}:{directory}")
        found = _find_curl.__wrapped__()
        assert (found and (found.path, found.version)) == (version and (f"{directory}/curl", version))


@pytest.mark.skipif(_find_curl() is None, reason="curl is not installed")
def test_a_message_of_curl_contains_no_credentials(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)
    lab.patch.setattr(curl, "find", _find_curl)
    port = lab.serve(good.sent)
    for proxy in ("gopher://name:secret@127.0.0.1:1", "http://name:secret@[::1", "http://name:secret@127.0.0.1:x"):
        lab.patch.setenv("ALL_PROXY", proxy)
        result, text = lab.check(port, "--timeout", "5")
        assert "secret" not in repr(result) + text
