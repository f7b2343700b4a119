"""What every test shares: a scrubbed environment, CAs, servers, and the wheel in an environment of its own.

No test may depend on the variables of the machine that runs it, so ``os.environ``
is emptied of everything that has to do with trust before the first test. pip
alone gets what the machine set, since it has to reach its index.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import measuring
import namespace
import pytest
import support
from hypothesis import settings

try:
    import fcntl
except ImportError:  # Windows, where one process runs all the tests
    fcntl = None

# With its own trust: certhook may be installed in the environment that the tests run in.
MACHINE_ENVIRON = {**measuring.unmeasured(os.environ), "CERTHOOK_DISABLED": "1"}
# What is built for an environment of a test is not for the one that the tests run in.
MACHINE_ENVIRON.pop("VIRTUAL_ENV", None)
ROOT = Path(__file__).resolve().parent.parent

# Folders of tests are in the user's own cache folder: in /tmp, where everybody can write, no store is used.
if os.name == "posix" and "PYTEST_DEBUG_TEMPROOT" not in os.environ:
    TEMPORARY = Path.home() / ".cache" / "certhook-tests"
    TEMPORARY.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(TEMPORARY)

# A busy machine is no reason to fail.
settings.register_profile("certhook", deadline=None, database=None)
settings.load_profile("certhook")


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CERTHOOK_") or name in support.TRUST_VARIABLES:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def clean_process(clean_environ: None) -> None:
    """Start every test with the initial state of certhook."""
    from certhook._state import process

    process.reset()


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Compiled stores of the tests leave nothing behind."""
    support.cache_dir = str(tmp_path_factory.mktemp("cache"))
    return support.cache_dir


@pytest.fixture(scope="session", autouse=True)
def coverage_directory() -> None:
    """Processes of every user can write coverage data, if coverage is measured."""
    measuring.open_directory()


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory):
    """Have one worker make what is in a folder, while the others wait for it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    @contextmanager
    def making(name: str) -> Iterator[tuple[Path, bool]]:
        folder = shared / "made" / name
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "w") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder, not (folder / "made").exists()
            (folder / "made").touch()

    return making


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    support.copy_sources(ROOT, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, env=MACHINE_ENVIRON)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def pip_install():
    """``pip install`` into the environment of a given interpreter, with the machine's settings for pip.

    By the pip of this environment, or its *own*: pip serves no Python that is older than itself allows.
    """

    def install(python: Path, *requirements: object, own: bool = False, **kwargs: object) -> None:
        pip = [str(python), "-m", "pip"] if own else [sys.executable, "-m", "pip", "--python", str(python)]
        command = [*pip, "install", "--quiet", *map(str, requirements)]
        subprocess.run(command, check=True, env=MACHINE_ENVIRON, **kwargs)

    return install


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path, pip_install) -> Path:
    """The interpreter of a fresh environment that holds certhook's wheel, certifi, and nothing else."""
    python = support.make_environment(tmp_path_factory.mktemp("installed"))
    pip_install(python, wheel)
    support.byte_compile(python)
    measuring.prepare(support.purelib(python))
    return python


@pytest.fixture(scope="session")
def installed_unmeasured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pip_install) -> Path:
    """The same, for tests whose result coverage would change: start-up costs, imported modules, sub-interpreters."""
    if not measuring.variables():
        return request.getfixturevalue("installed")
    python = support.make_environment(tmp_path_factory.mktemp("unmeasured"))
    pip_install(python, request.getfixturevalue("wheel"))
    support.byte_compile(python)
    return python


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment without certhook."""
    return support.make_environment(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def cas(once) -> support.Authorities:
    """One certificate authority for each place a root can be in, the same for every worker."""
    with once("authorities") as (folder, is_first):
        return support.Authorities.in_folder(folder, is_first)


@pytest.fixture(scope="session")
def servers(cas: support.Authorities):
    """Loopback HTTPS servers, one for each certificate authority of *cas*."""
    with support.Servers(cas) as running:
        yield running


@pytest.fixture(scope="session")
def root() -> None:
    """Root's rights on Linux, to mount and to be another user, without which CI must not pass."""
    reason = namespace.unavailable()
    if reason and os.environ.get("CI") and sys.platform.startswith("linux"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
