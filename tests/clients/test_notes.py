"""The traceback that a user sees if a server is not verified: it contains the note of certhook once."""

from __future__ import annotations

import json

import client_table
import pytest
import support

#: Clients that perform the handshake in a socket, whose peer is the server, or in asyncio's transport.
WITH_PORT = ("urllib", "http.client", "asyncio", "urllib3", "requests", "httpx", "httpx2", "aiohttp", "websockets.sync")
#: Clients whose TLS object has no peer.
WITHOUT_PORT = ("httpx.AsyncClient", "httpx2.AsyncClient")

TRACEBACK = """
import asyncio, inspect, json, os, sys, traceback
try:
    reply = fetch(int(os.environ["PORT"]))
    if inspect.iscoroutine(reply):
        asyncio.run(reply)
except Exception as error:
    print(json.dumps([sys.version_info >= (3, 11), traceback.format_exc()]))
"""


@pytest.mark.parametrize("name", (*WITH_PORT, *WITHOUT_PORT))
def test_the_traceback_of_a_client_contains_the_note_once(environments, ports, cas, tmp_path, name) -> None:
    client = client_table.CLIENTS[name]
    port = ports("https")["stranger"]
    (tmp_path / "system.pem").write_bytes(cas.pem("system"))
    env = support.clean_env(CERTHOOK_EXTRA_CA_CERTS=str(tmp_path / "system.pem"), PORT=str(port))
    python = environments[client_table.environment_of(name)]
    done = support.run(python, f"import ssl\n{client.code}{TRACEBACK}", env=env)
    has_notes, text = json.loads(done.stdout.splitlines()[-1])
    if not has_notes:
        pytest.skip("BaseException.add_note() is new in Python 3.11")
    assert client.refusal in text
    assert text.count("certhook: ") == 1
    target = f"localhost:{port}" if name in WITH_PORT else "localhost"
    assert f" of {target}; trusted roots: " in text
    assert f" bundled, 1 extra\nTo find the cause, run: {python} -m certhook check {target}\n" in text


UNINSTALL = """
import httpx, os
def refused():
    try:
        httpx.get(f"https://localhost:{os.environ['PORT']}/")
    except httpx.ConnectError as error:
        return type(error.__cause__), len(getattr(error.__cause__, "__notes__", ()))
import httpcore
print(refused() == (httpcore.ConnectError, 1), "__init__" in vars(httpcore.ConnectError))
import certhook
certhook.uninstall()
print(refused() == (httpcore.ConnectError, 0), "__init__" in vars(httpcore.ConnectError))
certhook.install()
print(refused() == (httpcore.ConnectError, 1))
"""


def test_uninstall_restores_the_exceptions_of_httpcore(environments, ports) -> None:
    python = environments["clients"]
    if not support.run(python, "import sys; print(sys.version_info >= (3, 11))").stdout.startswith("True"):
        pytest.skip("BaseException.add_note() is new in Python 3.11")
    env = support.clean_env(PORT=str(ports("https")["stranger"]))
    assert support.run(python, UNINSTALL, env=env).stdout == "True True\nTrue False\nTrue\n"
