"""A signal handler that creates a context while the main thread creates the first one."""

from __future__ import annotations

import os
import signal

import pytest
import support

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this platform has no timer signals")

#: The main thread creates its first context, and the signal arrives after DELAY seconds.
PROGRAM = """
import os, signal, ssl, time
counts = []
def create(*_):
    counts.append(len(ssl.create_default_context().get_ca_certs()))
signal.signal(signal.SIGALRM, create)
signal.setitimer(signal.ITIMER_REAL, float(os.environ["DELAY"]))
create()
while len(counts) < 2:
    time.sleep(0.001)
print(*counts)
"""

#: A larger number of delays is tested with CERTHOOK_TEST_DELAYS.
DELAYS = [0.001 * 1.4**step for step in range(int(os.environ.get("CERTHOOK_TEST_DELAYS", "9")))]


@pytest.mark.parametrize("load", ["cold", "warm"])
def test_both_contexts_have_all_roots(installed, cas, tmp_path, load) -> None:
    (tmp_path / "store.pem").write_bytes(cas.pem("system", "both"))
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / support.hashed_name(cas.der("both"))).write_bytes(cas.pem("both"))
    variables = {
        "SSL_CERT_FILE": str(tmp_path / "store.pem"),
        "SSL_CERT_DIR": str(tmp_path / "hashed"),
        "CERTHOOK_SOURCES": "system",
    }
    for number, delay in enumerate(DELAYS):
        directory = str(tmp_path / (load if load == "warm" else f"{load}{number}"))
        env = support.clean_env(**variables, CERTHOOK_STORE_DIR=directory, DELAY=str(delay))
        if load == "warm" and not number:
            support.run(installed, "import ssl; ssl.create_default_context()", "-W", "ignore", env=env)
        done = support.run(installed, PROGRAM, "-W", "ignore", env=env)
        assert (done.stdout, done.stderr) == ("2 2\n", ""), delay
