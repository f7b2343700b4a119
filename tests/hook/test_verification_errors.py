"""``SSLCertVerificationError``: the objects and frames of the program are not examined when it is raised."""

from __future__ import annotations

import pytest
import support

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


@pytest.mark.parametrize("kind", ["installed", "plain"])
def test_local_variables_of_the_program_are_not_kept(request, kind, cas, tmp_path) -> None:
    certificate = tmp_path / "server.pem"
    cas.stranger.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    python = request.getfixturevalue(kind)
    assert support.run(python, KEEP.replace("CERTIFICATE", repr(str(certificate)))).stdout == "True\n"
