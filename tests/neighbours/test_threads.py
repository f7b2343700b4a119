"""Threads. Where they really run at once, in a build without a global lock: tests/embedded/test_builds.py."""

from __future__ import annotations

from asking import HOOKED, run

PROGRAM = """
import threading
import ask
threads, found = 8, []
barrier = threading.Barrier(threads)
def client():
    barrier.wait(60)
    for _ in range(3):
        found.append(ask.answers("default", "urllib"))
workers = [threading.Thread(target=client) for _ in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
assert len(found) == 3 * threads, len(found)
print(*set(found), sep="\\n")
print("hooked", ask.hooked())
"""


def test_threads_that_make_their_first_contexts_at_once_trust_both(environment, places, tmp_path) -> None:
    found = run(environment("neighbours"), PROGRAM, **{**places, "CERTHOOK_CACHE_DIR": str(tmp_path)}).told
    trusted = [f"{client} system:yes bundled:yes stranger:no" for client in ("default", "urllib")]
    assert found == [*trusted, f"hooked {HOOKED}"]
