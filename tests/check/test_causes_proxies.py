"""Each cause in the setting of a proxy, shown by a real proxy."""

from __future__ import annotations

import socket

import proxy_servers
import pytest
from lab import Lab, Result, Scenarios
from pki import chain

from certhook.cli.check.causes import proxies

scenarios = Scenarios()


def check_through(lab: Lab, value: str, variable: str = "HTTPS_PROXY") -> Result:
    """Check a server with a variable for a proxy, whose password is never shown."""
    lab.trust()
    lab.patch.setenv(variable, value)
    result, text = lab.check("shop.example", "--timeout", "5")
    assert "secret" not in repr(result) + text
    return result, text


@scenarios.shows(
    "proxy-not-listening",
    "Nothing listens at the address of the proxy, 127.0.0.1:",
    "in HTTPS_PROXY",
    "unset HTTPS_PROXY",
    "add it to NO_PROXY",
)
def test_nothing_listens_at_the_address_of_a_proxy(lab: Lab) -> Result:
    return check_through(lab, f"http://name:secret@127.0.0.1:{lab.closed_port()}")


@pytest.mark.parametrize("scheme", ["socks4", "socks5h", "https"])
@scenarios.shows("proxy-not-listening", "Nothing listens at the address of the proxy, 127.0.0.1:", "in ALL_PROXY")
def test_nothing_listens_at_the_address_of_another_kind_of_proxy(lab: Lab, scheme: str) -> Result:
    return check_through(lab, f"{scheme}://name:secret@127.0.0.1:{lab.closed_port()}", "ALL_PROXY")


@scenarios.shows("proxy-unknown", "The name of the proxy, proxy.invalid:3128, in https_proxy, does not resolve")
def test_the_name_of_a_proxy_does_not_resolve(lab: Lab) -> Result:
    def getaddrinfo(host: str, *args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    lab.patch.setattr(socket, "getaddrinfo", getaddrinfo)
    return check_through(lab, "http://name:secret@proxy.invalid:3128", "https_proxy")


@scenarios.shows("proxy-unreachable", "The proxy 127.0.0.1:", "cannot be reached: timed out", "VPN")
def test_a_proxy_does_not_accept_in_time(lab: Lab) -> Result:
    class Silent(socket.socket):
        def connect(self, address: object) -> None:
            raise socket.timeout

    lab.patch.setattr(socket, "socket", Silent)
    return check_through(lab, "http://name:secret@127.0.0.1:3128")


@scenarios.shows(
    "proxy-without-tls", "starts with https://", "Write http:// instead of https://", "=http://NAME:PASSWORD@127.0.0.1:"
)
def test_a_proxy_has_no_tls(lab: Lab) -> Result:
    port = lab.listen(proxy_servers.http(lab.serve(chain().sent), []))
    return check_through(lab, f"https://name:secret@127.0.0.1:{port}")


@scenarios.shows("proxy-without-tls", "export HTTPS_PROXY=http://127.0.0.1:")
def test_a_proxy_without_tls_waits_for_the_end_of_a_request(lab: Lab) -> Result:
    def handle(raw: socket.socket) -> None:
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += raw.recv(1024) or b"\r\n\r\n"
        raw.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    lab.trust()
    lab.patch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{lab.listen(handle)}")
    return lab.check("shop.example", "--timeout", "2")


@scenarios.shows("proxy-with-tls", "requires TLS", "export HTTPS_PROXY=https://NAME:PASSWORD@127.0.0.1:")
def test_a_proxy_requires_tls(lab: Lab) -> Result:
    port = lab.serve(chain().sent)
    return check_through(lab, f"http://name:secret@127.0.0.1:{port}")


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
@scenarios.shows("proxy-not-socks", "is an HTTP proxy", "export HTTPS_PROXY=http://127.0.0.1:")
def test_an_http_proxy_does_not_support_socks(lab: Lab, scheme: str) -> Result:
    port = lab.listen(proxy_servers.http(lab.serve(chain().sent), []))
    lab.trust()
    lab.patch.setenv("HTTPS_PROXY", f"{scheme}://127.0.0.1:{port}")
    return lab.check("127.0.0.1")


@scenarios.shows("proxy-scheme", "the scheme gopher:// is not supported for proxies", "The most common one is http")
def test_the_scheme_of_a_proxy_is_unknown(lab: Lab) -> Result:
    return check_through(lab, "gopher://name:secret@127.0.0.1:70")


@pytest.mark.parametrize("address", ["http://127.0.0.1:port", "http://name:secret@:3128", "https://[::1"])
@scenarios.shows(
    "proxy-address",
    "is not a valid URL: the host is missing, or the port is not a number.",
    "export HTTPS_PROXY=http://proxy.example:3128",
)
def test_the_address_of_a_proxy_is_invalid(lab: Lab, address: str) -> Result:
    return check_through(lab, address)


@scenarios.shows("proxy-socks-login", "requires a user name and password", "=socks5h://NAME:PASSWORD@127.0.0.1:")
def test_a_socks_proxy_requires_credentials(lab: Lab) -> Result:
    port = lab.listen(proxy_servers.socks5(0, [], (b"name", b"secret")))
    return check_through(lab, f"socks5h://127.0.0.1:{port}", "ALL_PROXY")


@scenarios.shows("proxy-socks-login", "rejected the user name and password")
def test_a_socks_proxy_rejects_wrong_credentials(lab: Lab) -> Result:
    port = lab.listen(proxy_servers.socks5(0, [], (b"name", b"secret")))
    lab.trust()
    lab.patch.setenv("ALL_PROXY", f"socks5h://name:guess@127.0.0.1:{port}")
    return lab.check("shop.example")


@scenarios.shows("proxy-scheme", "export HTTPS_PROXY='http://a&touch$IFS&seen'")
def test_the_address_of_a_proxy_is_quoted_in_a_command(lab: Lab) -> Result:
    return check_through(lab, "gopher://a&touch$IFS&seen")


def test_every_cause_is_shown_by_a_real_proxy() -> None:
    assert scenarios.identifiers == {cause.id for cause in proxies.CAUSES}
