"""Tools that make functions of ``os`` raise, or replace the file system, do not affect trust, as in stock Python."""

from __future__ import annotations

import pytest
from runner import BOTH, BUNDLED, SYSTEM, expected_lines

#: Makes certhook check all inputs for every context, as in a program that runs for longer.
CHECK_ALWAYS = """
import warnings
warnings.simplefilter("error", UserWarning)
import sys
if "certhook._watch" in sys.modules:
    vars(sys.modules["certhook._watch"]).update(INTERVAL=0, RARE_INTERVAL=0)
"""

#: The first context is created before the tool is active.
WARM = f"import ssl; ssl.create_default_context()\n{CHECK_ALWAYS}"
#: The first context is created while the tool is active, with and without a compiled store.
STATES = {
    "warm": (WARM, True),
    "first context": (CHECK_ALWAYS, True),
    "first context without a store": (CHECK_ALWAYS, False),
}

BLOCKBUSTER = """
import asyncio, os, ssl, sys
import probe
from blockbuster import BlockBuster, BlockingError

async def main():
    for function in os.stat, os.listdir:
        try:
            function(os.sep)
        except BlockingError:
            continue
        raise AssertionError(f"{function} does not raise")
    for _ in range(2):
        verdicts = []
        for name, port in probe.ports().items():
            context = ssl.create_default_context()
            try:
                verdicts.append((name, await probe.stream(port, context) == b"hello"))
            except ssl.SSLCertVerificationError:
                verdicts.append((name, False))
        print("stream", *(f"{name}:{'yes' if trusted else 'no'}" for name, trusted in verdicts))
    assert context.get_ca_certs()
    assert asyncio.get_running_loop()

BlockBuster().activate()
asyncio.run(main())
sys.stdout.flush()
os._exit(0)  # blockbuster crashes the interpreter when it is deactivated after a connection.
"""

PYFAKEFS = """
import os, ssl, sys
import probe
from pyfakefs.fake_filesystem_unittest import Patcher

with Patcher() as patcher:
    assert not os.path.exists(sys.executable)
    probe.print_verdicts("default")
    patcher.fs.create_file(os.environ["SSL_CERT_FILE"], contents="")
    probe.print_verdicts("default")
    assert os.path.getsize(os.environ["SSL_CERT_FILE"]) == 0
    assert not os.path.exists(sys.executable)
probe.print_verdicts("default")
"""

#: Each tool's program, the client that it uses, and how often.
TOOLS = {"blockbuster": (BLOCKBUSTER, "stream", 2), "pyfakefs": (PYFAKEFS, "default", 3)}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("tool", TOOLS)
def test_default_trust_remains_while_a_tool_replaces_functions_of_os(run, tmp_path, tool, state) -> None:
    program, client, count = TOOLS[tool]
    before, has_store = STATES[state]
    variables = {"CERTHOOK_STORE_DIR": str(tmp_path)}
    if has_store:
        assert run("import ssl; ssl.create_default_context()", **variables).output == []
    assert run(before + program, **variables).output == expected_lines(client, BOTH) * count
    assert run(before + program, hooked=False).output == expected_lines(client, SYSTEM) * count


def test_the_deletion_of_a_file_from_the_real_file_system_is_detected(run, cas, tmp_path) -> None:
    store = tmp_path / "store.pem"
    store.write_bytes(cas.pem("system"))
    code = """
import os, posix, time
import probe
from pyfakefs.fake_filesystem_unittest import Patcher
probe.print_verdicts("default")
with Patcher():
    posix.unlink(os.environ["SSL_CERT_FILE"])
    time.sleep(0.2)  # Inputs are checked every 0.1 s.
    probe.print_verdicts("default")
"""
    lines = run(code, SSL_CERT_FILE=str(store), PYTHONWARNINGS="ignore").output
    assert lines == expected_lines("default", BOTH) + expected_lines("default", BUNDLED)
