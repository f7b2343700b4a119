"""Fixtures for CPython for Windows under wine: interpreters, and machines on which a test may change the stores.

The xdist workers share the interpreters and one wine prefix, from which each test's prefix is cloned.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest
import support
from wine import Windows, clone_interpreter, clone_prefix, make_interpreter, wine_session

#: The oldest and the newest version that wine 8 can run, and one in between. In the embeddable distribution, the
#: standard library is in a zip archive, and zipimport has no exec_module up to Python 3.9.
VERSIONS = ("3.8", "3.11", "3.13")


@pytest.fixture(scope="session")
def shared_directory(request: pytest.FixtureRequest, require_program, pip_install, tmp_path_factory) -> Iterator[Path]:
    """The directory that all workers share: it contains each version of Python and a wine prefix.

    The last worker removes it, because a prefix takes 700 MB.
    """
    for name in ("wine", "wineserver"):
        require_program(name)
    shared = tmp_path_factory.getbasetemp()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "only")
    if worker != "only":
        shared = shared.parent
    directory, workers = shared / "windows", shared / "windows-workers"

    @contextmanager
    def locked() -> Iterator[None]:
        with open(shared / "windows.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    with locked():
        workers.mkdir(exist_ok=True)
        if not (directory / "complete").exists():
            (directory / "prefix").mkdir(parents=True)
            with wine_session(directory / "prefix"):
                pass
            wheel = request.getfixturevalue("wheel")
            for version in VERSIONS:
                make_interpreter(directory / version, version, wheel, pip_install)
            (directory / "complete").touch()
        (workers / worker).touch()
    yield directory
    with locked():
        (workers / worker).unlink()
        if not any(workers.iterdir()):
            shutil.rmtree(directory)


@pytest.fixture(scope="session")
def interpreters(shared_directory: Path, cas, tmp_path_factory) -> dict[str, Path]:
    """Each version of Python, with a bundle that contains the CAs of this test run."""
    found = {}
    for version in VERSIONS:
        found[version] = tmp_path_factory.mktemp("python")
        clone_interpreter(shared_directory / version, found[version])
        # A file that differs from RECORD might be a deliberate choice of roots.
        support.replace_recorded(found[version] / "Lib/site-packages", "certifi/cacert.pem", cas.pem("bundled", "both"))
    return found


@pytest.fixture(params=VERSIONS)
def windows(request, shared_directory: Path, interpreters, cas, servers, tmp_path: Path) -> Iterator[Windows]:
    """A new machine with one of the versions of Python."""
    prefix = tmp_path / "prefix"
    clone_prefix(shared_directory / "prefix", prefix)
    with wine_session(prefix):
        yield Windows(interpreters[request.param], prefix, cas, servers)
