"""Other builds of Python, installed in the usual way: PyPy, Debian's newest and an old one, and a free-threaded one.

The programs of a build from another release of Debian run in a mount namespace with that
release's /usr instead of this machine's. The stores of the tests are at the same paths as
for all other interpreters. If CERTHOOK_TEST_CACHE names a directory, that directory keeps
builds that are slow to create; otherwise they are removed.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from binascii import crc32
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import der
import pki
import pytest
import support
from embedded_support import MACHINE_ENVIRON, WITH_CERTHOOK, WITHOUT_CERTHOOK, make_venv, skip_or_fail
from pyconfig_host import COMBINATIONS, PyConfigHost


class Build(NamedTuple):
    """A build of Python.

    :ivar python: the name of its interpreter
    :ivar proof: an expression that is true in this build only
    :ivar release: the release of Debian that provides it, or "" for this machine's release
    """

    python: str
    proof: str
    release: str = ""


FREE_THREADED = "python3.13t"
BUILDS = {
    "PyPy": Build("pypy3", "sys.implementation.name == 'pypy'"),
    "CPython 3.9, OpenSSL 1.1.1": Build("python3.9", "ssl.OPENSSL_VERSION_INFO < (3,)", "bullseye"),
    "CPython 3.14": Build("python3.14", "sys.version_info[:2] == (3, 14)", "sid"),
    "CPython 3.15": Build("python3.15", "sys.version_info[:2] == (3, 15)", "sid"),
    "CPython 3.13, free-threaded": Build(FREE_THREADED, "not sys._is_gil_enabled()"),
}
#: The packages of a release that contain its builds, the module venv, and the files required to build programs.
PACKAGES = {
    "bullseye": ("python3-venv",),
    "sid": ("python3.14-venv", "libpython3.14-dev", "python3.15-venv", "libpython3.15-dev"),
}
#: The tests' program, which also asserts that it runs in the expected build and that its context uses a compiled store.
PROGRAM = f"""
import os, ssl, sys
assert PROOF, sys.version
stock = "CERTHOOK_DISABLED" in os.environ
try:
    exec({support.VERDICTS!r})
except FileNotFoundError:
    # PyPy cannot create a default context if it finds no store.
    assert stock and sys.implementation.name == "pypy"
    print(*(pair.split(":")[0] + ":no" for pair in os.environ["SERVERS"].split()))
else:
    assert ("_certhook" in vars(context)) is not stock
"""

#: The tests' program in eight concurrent threads, which all import ssl for the first time.
THREADS = f"""
import sys, threading
outputs, barrier = [], threading.Barrier(8)
def program():
    barrier.wait(60)
    exec({support.VERDICTS!r}, {{"print": lambda *words: outputs.append(" ".join(words))}})
threads = [threading.Thread(target=program) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(outputs) == 8, outputs
assert len(set(outputs)) == 1, outputs
assert sum(hasattr(finder, "__certhook__") for finder in sys.meta_path) == 1
print(outputs[0])
"""


@pytest.fixture(scope="module")
def cached_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """Run a command that fills a directory, its last argument, unless the directory is in the cache.

    If the command fails, for example because there is no mirror, the test is skipped, or fails if ``CI`` is set.
    """
    cache = MACHINE_ENVIRON.get("CERTHOOK_TEST_CACHE")
    directory = Path(cache or tmp_path_factory.mktemp("cache"))

    def fill(name: str, *command: object) -> Path:
        filled, marker = directory / name, directory / f"{name}.made"
        if not marker.exists():
            shutil.rmtree(filled, ignore_errors=True)
            filled.mkdir(parents=True)
            output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8", "errors": "replace"}
            # The mount namespace removes the command's mounts, even if the command is killed.
            isolated = ("unshare", "--mount", "--propagation=private", *map(str, command), str(filled))
            done = subprocess.run(isolated, env=MACHINE_ENVIRON, timeout=1800, **output)
            if done.returncode:
                skip_or_fail(f"cannot create {name}: {done.stdout.strip().splitlines()[-1:]}")
            marker.touch()
        return filled

    yield fill
    if not cache:
        shutil.rmtree(directory, ignore_errors=True)


class Release:
    """Another release of Debian, which replaces this machine's /usr for the programs that it runs.

    :param system: the directory that contains the release
    :param scripts: a directory for scripts that start programs of the release
    """

    def __init__(self, system: Path, scripts: Path) -> None:
        self.system = system
        self._scripts = scripts
        scripts.mkdir()

    def inside(self, program: Path) -> Path:
        """Return a script that runs *program* on the release."""
        inside = f'mount --bind -o ro {self.system}/usr /usr && exec {program} "$@"'
        script = self._scripts / f"{crc32(bytes(program)):08x}"
        command = f"exec unshare --mount --propagation=private sh -c {shlex.quote(inside)}"
        script.write_text(f'#!/bin/sh\n{command} sh "$@"\n')
        script.chmod(0o755)
        return script


@pytest.fixture
def release(request, root, require_program, cached_directory, tmp_path) -> Release | None:
    """The release of Debian that provides the build, or None for this machine's release."""
    build = BUILDS[request.getfixturevalue("build_name")]
    if not build.release:
        return None
    include = f"--include={','.join(('openssl', *PACKAGES[build.release]))}"
    debootstrap = (require_program("debootstrap"), "--variant=minbase", include, build.release)
    return Release(cached_directory(build.release, *debootstrap), tmp_path / "scripts")


@pytest.fixture
def python(
    build_name, release, root, require_program, cached_directory, request, tmp_path, pip_install, replace_bundle
) -> Path:
    """The interpreter of an environment with certhook, created with the venv and the pip of the build."""
    build = BUILDS[build_name]
    environment = tmp_path / "venv"
    python = environment / "bin" / "python"
    if release is not None:
        base, python = release.inside(Path("/usr/bin", build.python)), release.inside(python)
    elif build.python == FREE_THREADED and not shutil.which(FREE_THREADED):
        base = cached_directory(FREE_THREADED, Path(__file__).with_name("free_threaded.sh")) / "bin" / FREE_THREADED
    else:
        base = require_program(build.python)
    make_venv(base, environment)
    pip_install(python, request.getfixturevalue("wheel"), own=True)
    replace_bundle(support.purelib(python))
    return python


#: One process of xdist runs the builds of one release, and creates the release once.
ROWS = [
    pytest.param(
        name, marks=[pytest.mark.row(name, "the .pth"), pytest.mark.xdist_group(build.release or name)], id=name
    )
    for name, build in BUILDS.items()
]


@pytest.mark.parametrize("build_name", ROWS)
def test_certhook_works_in_other_builds_of_python(
    build_name,
    release,
    python,
    request,
    check_trust,
    trusted_by,
    cas,
    tmp_path,
    require_program,
    pip_install,
    replace_bundle,
) -> None:
    build = BUILDS[build_name]
    command = [python, "-c", PROGRAM.replace("PROOF", build.proof)]
    check_trust(command)

    # Several threads create their first contexts, and the store, concurrently.
    assert trusted_by([python, "-c", THREADS], CERTHOOK_STORE_DIR=str(tmp_path / "threads")) == WITH_CERTHOOK

    # If several roots have one subject, certhook determines the one that OpenSSL uses before it builds the store.
    (tmp_path / "old.pem").write_bytes(der.pem(pki.expired_namesake(cas.system, 2)))
    old = {"CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "old.pem"), "CERTHOOK_STORE_DIR": str(tmp_path / "old")}
    assert trusted_by(command, **old) == WITH_CERTHOOK

    # Python 3.15 supports lazy imports: for statements with the keyword "lazy", or for all imports with an option.
    if build.python == "python3.15":
        lazy_program = f"lazy import ssl\nassert 'ssl' not in sys.modules\n{PROGRAM}".replace("PROOF", build.proof)
        assert trusted_by([python, "-c", f"import sys\n{lazy_program}"]) == WITH_CERTHOOK
        assert trusted_by([python, "-X", "lazy_imports=all", *command[1:]]) == WITH_CERTHOOK

    # Only the .pth file starts certhook.
    (support.purelib(python) / "certhook.pth").unlink()
    assert trusted_by([python, "-c", support.VERDICTS]) == WITHOUT_CERTHOOK

    # A host that sets PyConfig. test_pyconfig.py tests the versions of Python on the PATH.
    if build.release == "sid":
        (tmp_path / "pyconfig").mkdir()
        host = PyConfigHost(tmp_path / "pyconfig", f"/usr/bin/{build.python}", release.inside, release.system)
        host.build(request.getfixturevalue("wheel"), pip_install, replace_bundle, require_program)
        for combination in COMBINATIONS:
            host.check(combination, trusted_by)
