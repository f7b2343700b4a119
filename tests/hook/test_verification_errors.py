"""``SSLCertVerificationError``: the objects and frames of the program are not examined when it is raised."""

from __future__ import annotations

import pytest
import support

from certhook import _failure

RAISE = """
import ssl

class Client:
    @property
    def context(self):
        print("evaluated")

    def fetch(self):
        raise ssl.SSLCertVerificationError(1, "a mock")

try:
    Client().fetch()
except ssl.SSLCertVerificationError as error:
    print(error.args)
"""

# The method has the name of one that verifies certificates, and the class does so itself, as a mock or an
# adapter of another TLS library does.
RAISE_IN_HANDSHAKE = """
import ssl

class Client:
    def __getattr__(self, name):
        raise SystemExit(f"evaluated {name}")

    def do_handshake(self):
        message = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)"
        raise ssl.SSLCertVerificationError(1, message)

try:
    Client().do_handshake()
except ssl.SSLCertVerificationError as error:
    print(getattr(error, "__notes__", None))
"""

KEEP = """
import gc, socket, ssl, threading, weakref

class Resource:
    pass

def serve(connection):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    try:
        context.wrap_socket(connection, server_side=True)
    except OSError:
        pass

def connect():
    resource = Resource()
    reference = weakref.ref(resource)
    ours, theirs = socket.socketpair()
    threading.Thread(target=serve, args=(theirs,)).start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.wrap_socket(ours, server_hostname="localhost")
    except ssl.SSLCertVerificationError:
        del resource
        gc.collect()
        print(reference() is None)

connect()
"""


def test_a_property_of_the_program_is_not_evaluated(installed) -> None:
    assert support.run(installed, RAISE).stdout == "(1, 'a mock')\n"


def test_a_connection_of_another_library_is_not_examined(installed) -> None:
    assert support.run(installed, RAISE_IN_HANDSHAKE).stdout == "None\n"


@pytest.mark.parametrize("kind", ["installed", "plain"])
def test_local_variables_of_the_program_are_not_kept(request, kind, cas, tmp_path) -> None:
    certificate = tmp_path / "server.pem"
    cas.stranger.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    python = request.getfixturevalue(kind)
    assert support.run(python, KEEP.replace("CERTIFICATE", repr(str(certificate)))).stdout == "True\n"


def test_checks_take_a_limited_share_of_the_time(monkeypatch) -> None:
    """Anybody can cause failures: by a client certificate of an unknown authority."""
    now, checks = [100.0], []

    def recheck(context: object, occasion: str) -> None:
        checks.append(now[0])
        now[0] += 0.05

    monkeypatch.setattr(_failure, "monotonic", lambda: now[0])
    monkeypatch.setattr(_failure, "_excess", 0.0)
    monkeypatch.setattr(_failure, "_determined", 0.0)
    monkeypatch.setattr(_failure._trust, "recheck", recheck)
    while now[0] < 200:
        _failure._recheck(object())
        now[0] += 0.002
    assert 0.05 * len(checks) < 0.12 * 100 + 2.1
    assert max(later - earlier for earlier, later in zip(checks, checks[1:])) < 1
