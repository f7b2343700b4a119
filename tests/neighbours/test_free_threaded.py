"""Builds of Python without a global interpreter lock, where there are some: threads that really run at once."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import support
from asking import HOOKED, run

#: Interpreters by how they are called; this Python's own shows that the program is one that can pass.
PYTHONS = ("this Python", "python3.13t", "python3.14t", "python3.15t")

PROGRAM = """
import sys, threading
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
print("lock", getattr(sys, "_is_gil_enabled", lambda: True)())
"""


@pytest.fixture(params=PYTHONS)
def python(request, once, environment) -> Path:
    """An environment of one of :data:`PYTHONS` with certhook and certifi in it."""
    packages = support.purelib(environment("neighbours"))
    if request.param == PYTHONS[0]:
        return environment("neighbours")
    interpreter = shutil.which(request.param)
    if interpreter is None:
        # A version manager's shim may be there for a version that is not.
        pytest.skip(f"there is no {request.param} on the PATH")
    if subprocess.run([interpreter, "-c", ""], env=support.clean_env(), capture_output=True).returncode:
        pytest.skip(f"{interpreter} does not start")
    with once(request.param) as (folder, is_first):
        python = folder / "bin" / "python"
        if is_first:
            subprocess.run([interpreter, "-m", "venv", "--without-pip", folder], check=True, env=support.clean_env())
            target = support.purelib(python)
            for name in ("certhook", "certifi"):
                shutil.copytree(packages / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
            for name in ("certhook.pth", "certhook.start", "ask.py"):
                shutil.copy(packages / name, target)
    return python


def test_threads_that_make_their_first_contexts_at_once_trust_both(python, places, tmp_path, request) -> None:
    *found, lock = run(python, PROGRAM, **{**places, "CERTHOOK_CACHE_DIR": str(tmp_path)}).told
    trusted = [f"{client} system:yes bundled:yes stranger:no" for client in ("default", "urllib")]
    assert found == [*trusted, f"hooked {HOOKED}"]
    # Nothing that certhook imports has switched it on.
    assert lock == "lock False" or request.node.callspec.params["python"] == PYTHONS[0]
