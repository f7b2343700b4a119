"""Contexts have the same roots as in stock Python while the interpreter shuts down."""

from __future__ import annotations

import sys

import pytest
import support

PRELUDE = """
import atexit, builtins, os, ssl, sys, threading, time, weakref

def report(create=ssl.create_default_context, write=os.write, str=str, len=len):
    roots = create().get_ca_certs()
    write(1, (str(len(roots)) + "\\n").encode())

class Object:
    def __del__(self, report=report):
        report()
"""

#: The moments at which a program creates a context. It is the first one, except in "not for the first time" and
#: "daemon threads are stopped".
MOMENTS = {
    "an object in the main module is deleted": "kept = Object()",
    "an object in the module ssl is deleted": "ssl.kept = Object()",
    "an object in builtins is deleted": "builtins.kept = Object()",
    "an object in a cycle is deleted": "kept = Object(); kept.itself = kept",
    "atexit": "atexit.register(report)",
    "weakref.finalize": "kept = set; weakref.finalize(Object, report)",
    "not for the first time": "ssl.create_default_context(); ssl.kept = Object()",
    "another thread continues": "threading.Thread(target=lambda: (threading.main_thread().join(), report())).start()",
    "daemon threads are stopped": """
def create():
    while True:
        ssl.create_default_context()
for _ in range(3):
    threading.Thread(target=create, daemon=True).start()
time.sleep(0.02)
""",
}


#: The moments at which a program uses an existing context. Modules and objects are deleted in this order.
USES = {
    "an object in the main module is deleted": "kept = Object()",
    "an object in the module ssl is deleted": "ssl.kept = Object()",
    "an object in the module os is deleted": "os.kept = Object()",
    "an object in the module _thread is deleted": "import _thread; _thread.kept = Object()",
    "an object in the module sys is deleted": "sys.kept = Object()",
    "an object in builtins is deleted": "builtins.kept = Object()",
    "an object in a cycle is deleted": "kept = Object(); kept.itself = kept",
    "the garbage collector deletes an object": "kept = Object(); kept.itself = kept; del kept; gc.collect()",
    "atexit": "atexit.register(use)",
    "another thread continues": "threading.Thread(target=lambda: (threading.main_thread().join(), use())).start()",
}

USE = """
import atexit, builtins, gc, os, ssl, sys, threading
"localhost".encode("idna")  # Imports a module that handshakes need.
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(os.environ["SERVER"])
contexts = [ssl.create_default_context() for _ in range(3)]

def handshake(context, server=server, BIO=ssl.MemoryBIO, want=ssl.SSLWantReadError, refused=ssl.SSLError):
    pipes = BIO(), BIO()
    # wrap_bio() calls a function of the module ssl, which Python 3.14 deletes before an object in os, _thread or sys.
    sides = context._wrap_bio(*pipes, False, "localhost"), server._wrap_bio(*pipes[::-1], True)
    for side in sides * 4:
        try:
            side.do_handshake()
        except want:
            pass
        except refused:
            return "refused"
    return sides[0].version()

def use(contexts=contexts, own=os.environ["OWN"], handshake=handshake, write=os.write, str=str, len=len):
    queried, handshaken, extended = contexts
    results = [len(queried.get_ca_certs()), handshake(queried)]
    results += [handshake(handshaken), handshaken.cert_store_stats()["x509"], len(handshaken.get_ca_certs())]
    extended.load_verify_locations(own)
    results += [handshake(extended), len(extended.get_ca_certs())]
    write(1, (str(results) + "\\n").encode())

class Object:
    def __del__(self, use=use):
        use()

del contexts, use.__globals__["handshake"]
"""


@pytest.mark.parametrize("moment", USES)
def test_an_existing_context_has_its_roots_until_the_end(installed, cas, tmp_path, moment) -> None:
    (tmp_path / "store.pem").write_bytes(cas.pem("system", "both", "bundled"))
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / support.hashed_name(cas.der("both"))).write_bytes(cas.pem("both"))
    (tmp_path / "own.pem").write_bytes(cas.pem("extra"))
    cas.system.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    variables = {
        "SSL_CERT_FILE": str(tmp_path / "store.pem"),
        "SSL_CERT_DIR": str(tmp_path / "hashed"),
        "CERTHOOK_STORE_DIR": str(tmp_path / "cache"),
        "CERTHOOK_SOURCES": "system",
        "SERVER": str(tmp_path / "server.pem"),
        "OWN": str(tmp_path / "own.pem"),
    }
    # Without certhook; when the store is built, and with it.
    outputs = []
    for different in {"CERTHOOK_DISABLED": "1"}, {}, {}:
        done = support.run(installed, USE + USES[moment], env=support.clean_env(**variables, **different))
        outputs.append((done.stdout, done.stderr))
    assert outputs == [outputs[0]] * 3
    assert "TLSv1" in outputs[0][0]
    assert outputs[0][1] == ""


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_context_at_shutdown_has_the_roots_of_stock_python(installed, cas, tmp_path, moment) -> None:
    if moment == "daemon threads are stopped" and sys.version_info < (3, 9):
        pytest.skip("daemon threads that read files sometimes crash Python 3.8, without certhook as well (bpo-39877)")
    (tmp_path / "store.pem").write_bytes(cas.pem("system", "both"))
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / support.hashed_name(cas.der("both"))).write_bytes(cas.pem("both"))
    variables = {
        "SSL_CERT_FILE": str(tmp_path / "store.pem"),
        "SSL_CERT_DIR": str(tmp_path / "hashed"),
        "CERTHOOK_STORE_DIR": str(tmp_path / "cache"),
    }
    outputs = []
    # Without certhook; without a compiled store, with it, and with eager loading.
    for different in ({"CERTHOOK_DISABLED": "1"}, {}, {}, {"CERTHOOK_LOAD": "eager"}):
        done = support.run(installed, PRELUDE + MOMENTS[moment], env=support.clean_env(**variables, **different))
        outputs.append((done.stdout, done.stderr))
        if different == {}:
            support.run(installed, "import ssl; ssl.create_default_context()", env=support.clean_env(**variables))
    assert outputs == [outputs[0]] * 4
    assert outputs[0][1] == ""
