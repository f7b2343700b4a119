"""The hook is active in worker processes, with every start method."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from runner import BOTH, BUNDLED, SYSTEM, expected_lines

PROGRAM = """
import concurrent.futures, multiprocessing, sys
import probe

def verdicts(_=None):
    return probe.verdicts("default", "requests")

def put_verdicts(queue):
    queue.put(verdicts())

def by_process(context):
    queue = context.SimpleQueue()
    workers = [context.Process(target=put_verdicts, args=(queue,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    results = [queue.get() for _ in workers]
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    return results

def by_pool(context):
    with context.Pool(2) as pool:
        return pool.map(verdicts, range(4))

def by_executor(context):
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        return list(executor.map(verdicts, range(4)))

if __name__ == "__main__":
    method, function, connected_before = sys.argv[1:]
    if connected_before == "yes":
        verdicts()
    print(*set(globals()[function](multiprocessing.get_context(method))), sep="\\n")
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("processes") / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.mark.parametrize("connected_before", ["yes", "no"])
@pytest.mark.parametrize("function", ["by_process", "by_pool", "by_executor"])
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_worker_processes_trust_both(run, program, tmp_path, method, function, connected_before) -> None:
    # A separate cache: unless the parent process has connected before, the workers build the store concurrently.
    result = run(program, method, function, connected_before, CERTHOOK_STORE_DIR=str(tmp_path))
    assert result.output == expected_lines("default requests", BOTH)


def test_without_certhook_worker_processes_do_not_trust_both(run, program) -> None:
    result = run(program, "spawn", "by_process", "no", hooked=False)
    assert result.output == [*expected_lines("default", SYSTEM), *expected_lines("requests", BUNDLED)]
