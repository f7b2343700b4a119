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
    try:
        counts.append(len(ssl.create_default_context().get_ca_certs()))
    except Exception as failure:  # certhook could treat it as its own.
        counts.append(repr(failure))
signal.signal(signal.SIGALRM, create)
signal.setitimer(signal.ITIMER_REAL, float(os.environ["DELAY"]))
create()
while len(counts) < 2:
    time.sleep(0.001)
print(*counts)
"""

#: A signal arrives whenever a module of certhook is executed.
PROGRAM_WITH_SIGNALS_DURING_IMPORTS = """
import signal, ssl, sys
counts = set()
def create(*_):
    try:
        counts.add(len(ssl.create_default_context().get_ca_certs()))
    except Exception as failure:
        counts.add(repr(failure))
signal.signal(signal.SIGUSR1, create)
executed = set()
def hook(event, args):
    if event == "exec" and "certhook" in args[0].co_filename and args[0].co_filename not in executed:
        executed.add(args[0].co_filename)
        signal.raise_signal(signal.SIGUSR1)
sys.addaudithook(hook)
create()
print(*counts, len(executed) > 0)
"""

#: A larger number of delays is tested with CERTHOOK_TEST_DELAYS.
DELAYS = [0.001 * 1.4**step for step in range(int(os.environ.get("CERTHOOK_TEST_DELAYS", "9")))]


@pytest.fixture
def variables(cas, tmp_path) -> dict[str, str]:
    """The system's store consists of a file with two roots, one of which a directory contains as well."""
    (tmp_path / "store.pem").write_bytes(cas.pem("system", "both"))
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / support.hashed_name(cas.der("both"))).write_bytes(cas.pem("both"))
    return {
        "SSL_CERT_FILE": str(tmp_path / "store.pem"),
        "SSL_CERT_DIR": str(tmp_path / "hashed"),
        "CERTHOOK_SOURCES": "system",
    }


@pytest.mark.parametrize("load", ["cold", "warm"])
def test_both_contexts_have_all_roots(installed, variables, tmp_path, load) -> None:
    for number, delay in enumerate(DELAYS):
        directory = str(tmp_path / (load if load == "warm" else f"{load}{number}"))
        env = support.clean_env(**variables, CERTHOOK_STORE_DIR=directory, DELAY=str(delay))
        if load == "warm" and not number:
            support.run(installed, "import ssl; ssl.create_default_context()", env=env)
        done = support.run(installed, PROGRAM, "-W", "always", env=env)
        assert (done.stdout, done.stderr) == ("2 2\n", ""), delay


@pytest.mark.parametrize("load", ["cold", "warm"])
def test_no_handler_interrupts_an_import(installed, variables, tmp_path, load) -> None:
    env = support.clean_env(**variables, CERTHOOK_STORE_DIR=str(tmp_path / "stores"))
    if load == "warm":
        support.run(installed, "import ssl; ssl.create_default_context()", env=env)
    done = support.run(installed, PROGRAM_WITH_SIGNALS_DURING_IMPORTS, "-W", "always", env=env)
    assert (done.stdout, done.stderr) == ("2 True\n", "")
