"""A context that is created while the interpreter shuts down has the same roots as in stock Python."""

from __future__ import annotations

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


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_context_at_shutdown_has_the_roots_of_stock_python(installed, cas, tmp_path, moment) -> None:
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
