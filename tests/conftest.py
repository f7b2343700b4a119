"""Shared fixtures: a scrubbed environment, certificate authorities, servers, and environments with the wheel.

Tests must not depend on the variables of the machine that runs them, so every variable that
affects trust is removed from ``os.environ``. Only pip gets the machine's variables, because it
has to reach its index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
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
except ImportError:  # Windows, where a single process runs all tests
    fcntl = None

# Temporary directories are in the user's cache directory, because certhook uses no store below /tmp, which is public.
if os.name == "posix" and "PYTEST_DEBUG_TEMPROOT" not in os.environ:
    TEMPORARY = Path.home() / ".cache" / "certhook-tests"
    TEMPORARY.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(TEMPORARY)

# A busy machine must not fail tests.
settings.register_profile("certhook", deadline=None, database=None)
settings.load_profile("certhook")


#: The tests in these directories run software of others, whose warnings are not errors in it, or certhook with faults
#: that prevent it from closing files.
NOT_STRICT = {
    *("clients", "differential", "docs", "embedded", "injection", "neighbours", "programs"),
    "test_injection.py",
}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Turn warnings into errors in the interpreters that a test starts."""
    place = item.path.relative_to(Path(__file__).parent).parts[0]
    support.strict = {} if place in NOT_STRICT else support.STRICT_VARIABLES


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
    """Use a temporary directory for the compiled stores of the tests."""
    support.cache_dir = str(tmp_path_factory.mktemp("cache"))
    return support.cache_dir


@pytest.fixture(scope="session", autouse=True)
def coverage_directory() -> None:
    """Processes of every user can write coverage data, if coverage is measured."""
    measuring.open_directory()


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory):
    """Let one worker create the content of a directory while the others wait."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    @contextmanager
    def making(name: str) -> Iterator[tuple[Path, bool]]:
        directory = shared / "made" / name
        directory.mkdir(parents=True, exist_ok=True)
        with open(directory / "lock", "w") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield directory, not (directory / "made").exists()
            (directory / "made").touch()

    return making


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from a copy of the sources."""
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    support.copy_sources(support.ROOT, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(directory), str(source)]
    subprocess.run(command, check=True, env=support.MACHINE_ENVIRON)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def pip_install():
    """Return a function that installs packages into the environment of an interpreter, with the machine's settings.

    It uses the pip of the current environment, or that environment's *own* one if its Python is
    too old for the current pip.
    """

    def install(python: Path, *requirements: object, own: bool = False, **kwargs: object) -> None:
        pip = [str(python), "-m", "pip"] if own else [sys.executable, "-m", "pip", "--python", str(python)]
        command = [*pip, "install", "--quiet", *map(str, requirements)]
        subprocess.run(command, check=True, env=support.MACHINE_ENVIRON, **kwargs)

    return install


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path, pip_install) -> Path:
    """Return the interpreter of a new environment that contains only certhook's wheel and certifi."""
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
    """Return the interpreter of a new environment without certhook."""
    return support.make_environment(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def cas(once) -> support.Authorities:
    """Return the certificate authorities, the same for every worker."""
    with once("authorities") as (directory, is_first):
        return support.Authorities.in_directory(directory, is_first)


@pytest.fixture(scope="session")
def servers(cas: support.Authorities):
    """Run HTTPS servers on loopback, one per certificate authority of *cas*."""
    with support.Servers(cas) as running:
        yield running


@pytest.fixture(scope="session")
def root() -> None:
    """Skip the test without root privileges on Linux, which it needs to mount or to change its user; fail in CI."""
    reason = namespace.unavailable()
    if reason and os.environ.get("CI") and sys.platform.startswith("linux"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user can list and create files in, like /tmp."""
    with tempfile.TemporaryDirectory(prefix="certhook-tests-") as directory:
        os.chmod(directory, 0o1777)
        yield Path(os.path.realpath(directory))


@pytest.fixture(scope="session")
def openssl() -> str:
    """Return the path of the openssl command, or skip the test; fail in CI."""
    command = shutil.which("openssl")
    if command is None and os.environ.get("CI"):
        pytest.fail("the openssl command is not installed")
    if command is None:
        pytest.skip("the openssl command is not installed")
    return command
