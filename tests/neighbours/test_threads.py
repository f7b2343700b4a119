"""Threads; tests/embedded/test_builds.py tests them in a build without the global interpreter lock."""

from __future__ import annotations

from runner import BOTH, HOOKED, expected_lines, run

PROGRAM = """
import threading
import probe
threads, results = 8, []
barrier = threading.Barrier(threads)
def client():
    barrier.wait(60)
    for _ in range(3):
        results.append(probe.verdicts("default", "urllib"))
workers = [threading.Thread(target=client) for _ in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
assert len(results) == 3 * threads, len(results)
print(*set(results), sep="\\n")
print("hooked", probe.hook_counts())
"""


def test_threads_that_create_their_first_contexts_concurrently_trust_both(environment, places, tmp_path) -> None:
    lines = run(environment("neighbours"), PROGRAM, **{**places, "CERTHOOK_STORE_DIR": str(tmp_path)}).output
    assert lines == [*expected_lines("default urllib", BOTH), f"hooked {HOOKED}"]
