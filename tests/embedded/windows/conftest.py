"""CPython for Windows under wine: its interpreters, and machines whose stores a test may change.

The interpreters and one configuration of wine are made once for all workers.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest
from wine import Windows, link, make_interpreter, new_registry, running

#: The first and the last that wine 8 runs; up to 3.9 the standard library is in a zip without exec_module.
VERSIONS = ("3.8", "3.11", "3.13")


@pytest.fixture(scope="session")
def made(request: pytest.FixtureRequest, tool, pip_install, tmp_path_factory) -> Iterator[Path]:
    """What all workers share: a folder with each version of Python, and a prefix of wine.

    The worker that ends last removes it, for a prefix has 700 MB.
    """
    for name in ("wine", "wineserver"):
        tool(name)
    shared = tmp_path_factory.getbasetemp()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "only")
    if worker != "only":
        shared = shared.parent
    folder, workers = shared / "windows", shared / "windows-workers"

    @contextmanager
    def alone() -> Iterator[None]:
        with open(shared / "windows.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    with alone():
        workers.mkdir(exist_ok=True)
        if not (folder / "made").exists():
            (folder / "prefix").mkdir(parents=True)
            with running(folder / "prefix"):
                pass
            wheel = request.getfixturevalue("wheel")
            for version in VERSIONS:
                make_interpreter(folder / version, version, wheel, pip_install)
            (folder / "made").touch()
        (workers / worker).touch()
    yield folder
    with alone():
        (workers / worker).unlink()
        if not any(workers.iterdir()):
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def interpreters(made: Path, cas, tmp_path_factory) -> dict[str, Path]:
    """Each version with a bundle of this worker's own authorities."""
    found = {}
    for version in VERSIONS:
        found[version] = tmp_path_factory.mktemp("python")
        link(made / version, found[version])
        (found[version] / "Lib/site-packages/certifi/cacert.pem").write_bytes(cas.pem("bundled", "both"))
    return found


@pytest.fixture(params=VERSIONS)
def windows(request, made: Path, interpreters, cas, servers, tmp_path: Path) -> Iterator[Windows]:
    """A machine of the test's own, with each version of Python."""
    prefix = tmp_path / "prefix"
    new_registry(made / "prefix", prefix)
    with running(prefix):
        yield Windows(interpreters[request.param], prefix, cas, servers)
