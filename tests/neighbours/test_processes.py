"""Worker processes, however they are started, have the hook: they verify with both roots."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

PROGRAM = """
import concurrent.futures, multiprocessing, sys
import ask

def answers(_=None):
    return ask.answers("default", "requests")

def tell(queue):
    queue.put(answers())

def by_process(context):
    queue = context.SimpleQueue()
    workers = [context.Process(target=tell, args=(queue,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [queue.get() for _ in workers]
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    return found

def by_pool(context):
    with context.Pool(2) as pool:
        return pool.map(answers, range(4))

def by_executor(context):
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        return list(executor.map(answers, range(4)))

if __name__ == "__main__":
    method, how, asked_before = sys.argv[1:]
    if asked_before == "yes":
        answers()
    print(*set(globals()[how](multiprocessing.get_context(method))), sep="\\n")
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("processes") / "program.py"
    path.write_text(PROGRAM)
    return path


@pytest.mark.parametrize("asked_before", ["yes", "no"])
@pytest.mark.parametrize("how", ["by_process", "by_pool", "by_executor"])
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_worker_processes_trust_both(run, program, tmp_path, method, how, asked_before) -> None:
    # A cache of their own: where nobody asked before, they make the compiled store at the same time.
    found = run(program, method, how, asked_before, CERTHOOK_CACHE_DIR=str(tmp_path))
    assert found.told == [f"{client} system:yes bundled:yes stranger:no" for client in ("default", "requests")]


def test_worker_processes_trust_one_without_certhook(run, program) -> None:
    found = run(program, "spawn", "by_process", "no", hooked=False)
    assert found.told == ["default system:yes bundled:no stranger:no", "requests system:no bundled:yes stranger:no"]
