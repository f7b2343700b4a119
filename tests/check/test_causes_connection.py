"""Each cause that prevents a connection, shown by a real server, proxy or network."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace

import namespace
import pytest
import support
from lab import Lab, Result, Scenarios, assert_cause, parse_output
from pki import chain

from certhook.cli.check.causes import connection

scenarios = Scenarios()


def check_without_network(lab: Lab, host: str, *services: str) -> Result:
    """Check *host* in an empty network namespace, where names are resolved by *services*."""
    lab.require_root()
    code = (
        "import subprocess, sys\n"
        f"command = ['unshare', '-n', sys.executable, '-m', 'certhook', 'check', '--json', {host!r}]\n"
        "sys.exit(subprocess.run(command).returncode)"
    )
    tree: namespace.Tree = {
        "/etc/nsswitch.conf": f"hosts: {' '.join(services)}\n".encode(),
        "/etc/resolv.conf": b"nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    }
    done = namespace.run(sys.executable, code, tree, support.clean_env(), lab.directory)  # type: ignore[arg-type]
    assert done.returncode == 1, done.stderr
    return parse_output(done.stdout, done.returncode)


@scenarios.shows("no-name-service", "no name server gave a usable answer", "container", "HTTPS_PROXY")
def test_a_missing_name_server_is_reported(lab: Lab) -> Result:
    return check_without_network(lab, "shop.invalid", "files", "dns")


@scenarios.shows("no-such-name", "shop.invalid does not resolve", "Check the spelling", "VPN")
def test_an_unknown_name_does_not_resolve(lab: Lab) -> Result:
    return check_without_network(lab, "shop.invalid", "files")


@scenarios.shows("no-connection", "The connection to 127.0.0.1, port 443, failed: Network is unreachable")
def test_a_missing_network_is_reported(lab: Lab) -> Result:
    return check_without_network(lab, "127.0.0.1", "files")


@scenarios.shows("no-answer", "did not answer in time", "--timeout 60")
def test_a_silent_server_does_not_answer_in_time(lab: Lab) -> Result:
    done = lab.event()
    lab.trust()
    return lab.check(lab.listen(lambda raw: done.wait(60)), "--timeout", "0.3")


@scenarios.shows("no-answer", "The server may use TLS from the start on another port: try smtps://localhost (port 465)")
def test_a_mail_server_that_expects_tls_does_not_answer_starttls_in_time(lab: Lab) -> Result:
    good = chain()
    lab.trust(good.root)
    return lab.check(f"smtp://localhost:{lab.serve(good.sent)}", "--timeout", "1")


@scenarios.shows("refused", "localhost refused the connection on port", "Check the port.")
def test_a_closed_port_refuses_the_connection(lab: Lab) -> Result:
    lab.trust()
    return lab.check(lab.closed_port())


@scenarios.shows("proxy-login", "requires a user name and password", "HTTPS_PROXY=http://NAME:PASSWORD@127.0.0.1:")
def test_a_proxy_requires_credentials(lab: Lab) -> Result:
    lab.trust()
    lab.use_proxy(lab.serve(chain().sent), credentials="")
    return lab.check("shop.example")


@scenarios.shows("proxy-login", "rejected the user name and password")
def test_a_proxy_rejects_wrong_credentials(lab: Lab) -> Result:
    lab.trust()
    lab.use_proxy(lab.serve(chain().sent), credentials="name:guess@")
    return lab.check("shop.example")


@scenarios.shows(
    "proxy-failed",
    "TLS to the proxy failed: unable to get local issuer certificate",
    "python -m certhook check localhost:",
)
def test_an_unverified_proxy_with_tls_fails(lab: Lab) -> Result:
    lab.trust()
    lab.use_proxy(lab.serve(chain().sent), sent=chain().sent)
    return lab.check("shop.example")


@scenarios.shows(
    "proxy-failed",
    "The connection to shop.example, port 443, through the proxy 127.0.0.1:",
    "502 Bad Gateway",
    "NO_PROXY",
)
def test_a_proxy_that_cannot_reach_the_server_fails(lab: Lab) -> Result:
    def refuse(raw: socket.socket) -> None:
        raw.recv(1024)
        raw.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    lab.trust()
    lab.use_proxy_handler(refuse)
    return lab.check("shop.example")


@pytest.mark.parametrize(
    ("scheme", "replies", "phrases"),
    [
        (
            "smtp",
            b"220 hello\r\n250 hello\r\n502 not here\r\n",
            ("STARTTLS in smtp): 502 not here", "smtps://localhost (port 465)"),
        ),
        ("imap", b"* OK hello\r\nc0 NO not here\r\n", ("c0 NO not here", "imaps://localhost (port 993)")),
        ("postgres", b"N", ("the server does not support TLS",)),
    ],
)
@scenarios.shows("no-starttls", "did not switch to TLS encryption")
def test_a_server_refuses_starttls(scheme: str, replies: bytes, phrases: tuple[str, ...], lab: Lab) -> Result:
    def refuse(raw: socket.socket) -> None:
        raw.sendall(replies)
        while raw.recv(1024):
            pass

    lab.trust()
    result = lab.check(f"{scheme}://localhost:{lab.listen(refuse)}")
    assert_cause(result, "no-starttls", *phrases)
    return result


def test_every_cause_is_shown() -> None:
    assert scenarios.identifiers == {cause.id for cause in connection.CAUSES}


def test_the_address_of_a_proxy_is_quoted_in_commands() -> None:
    case = SimpleNamespace(proxy="https://a&id:1", facts={"proxy": "a&id:1"})
    assert connection._proxy_login(case)["url"] == "'https://NAME:PASSWORD@a&id:1'"
    assert connection._tls_proxy(case)["tls_proxy"] == "'a&id:1'"
