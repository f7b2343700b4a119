"""A fork while another thread creates the first context: the child process can create contexts."""

from __future__ import annotations

import os

import pytest
import support

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")

#: Forks while a thread executes MODULE, which it imports for its first context. The child has 10 seconds.
PROGRAM = """
import os, signal, ssl, sys, threading, time

executing = threading.Event()

def pause(event, arguments):
    path = getattr(arguments[0], "co_filename", "") if event == "exec" else ""
    if path.replace(os.sep, "/").endswith(os.environ["MODULE"]):
        executing.set()
        time.sleep(0.3)

def create():
    context = ssl.create_default_context()
    context.get_ca_certs()
    context.load_verify_locations(os.environ["SSL_CERT_FILE"])

sys.addaudithook(pause)
threading.Thread(target=create).start()
assert executing.wait(20), "the module was not imported"
child = os.fork()
if child == 0:
    signal.alarm(10)
    create()
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.parametrize(
    "module",
    ["_trust.py", "_watch/__init__.py", "_cold_start.py", "_store/build.py", "_certificates/x509.py", "_eager.py"],
)
def test_a_fork_waits_until_another_thread_has_imported(installed, cas, tmp_path, module) -> None:
    (tmp_path / "store.pem").write_bytes(cas.pem("system"))
    env = support.clean_env(
        MODULE=f"certhook/{module}",
        SSL_CERT_FILE=str(tmp_path / "store.pem"),
        CERTHOOK_STORE_DIR=str(tmp_path / "cache"),
    )
    done = support.run(installed, PROGRAM, "-W", "ignore", env=env)
    assert done.stdout == "0\n", "the child process hung"
    assert done.stderr == ""


def test_forks_and_contexts_of_many_threads_do_not_wait_for_each_other_for_long(installed) -> None:
    code = """
import os, ssl, threading, time
from certhook._finder import undisturbed
def work():
    for _ in range(20):
        undisturbed(time.sleep)(0.002)
def fork():
    for _ in range(5):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
threads = [threading.Thread(target=target) for target in (work, fork) * 3]
start = time.monotonic()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert time.monotonic() - start < 4
"""
    done = support.run(installed, code, "-W", "ignore")
    assert (done.stdout, done.stderr) == ("", "")
