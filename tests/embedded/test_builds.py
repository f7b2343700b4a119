"""Other builds of Python, each installed as its users install it: PyPy, Debian's newest and an old one, no global lock.

Where a build is of another release of Debian, its programs see that release's /usr in place of
this machine's, in a mount namespace; the stores of the tests are where they are for all others.
What is slow to make is kept in the folder that CERTHOOK_TEST_CACHE names, and else removed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from binascii import crc32
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import der
import pytest
import support
from environment import LINES, Host
from expected import CHAINED, STOCK
from test_c import missing
from test_lazy import expired_namesake

#: Of whoever runs the tests, before these empty it: what reaches a mirror.
MACHINE_ENVIRON = {**os.environ, "CERTHOOK_DISABLED": "1", "LC_ALL": "C"}


class Build(NamedTuple):
    """A build of Python.

    :ivar python: what its interpreter is called
    :ivar proof: what is true of it, and of no other one here
    :ivar release: the release of Debian that it is from, "" for this machine's
    :ivar packages: those there that have its venv, and what it takes to build with it
    """

    python: str
    proof: str
    release: str = ""
    packages: str = ""


FREE_THREADED = "python3.13t"
BUILDS = {
    "PyPy": Build("pypy3", "sys.implementation.name == 'pypy'"),
    "CPython 3.9, OpenSSL 1.1.1": Build("python3.9", "ssl.OPENSSL_VERSION_INFO < (3,)", "bullseye", "python3-venv"),
    "CPython 3.14": Build("python3.14", "sys.version_info[:2] == (3, 14)", "sid", "python3.14-venv,libpython3.14-dev"),
    "CPython 3.15": Build("python3.15", "sys.version_info[:2] == (3, 15)", "sid", "python3.15-venv,libpython3.15-dev"),
    "CPython 3.13, free-threaded": Build(FREE_THREADED, "not sys._is_gil_enabled()"),
}
#: The program, in the build that was meant, with a context that is pointed at a compiled store.
PROGRAM = f"""
import os, ssl, sys
assert PROOF, sys.version
stock = "CERTHOOK_DISABLED" in os.environ
try:
    exec({support.VERDICTS!r})
except FileNotFoundError:
    # PyPy makes no context at all where it finds no store.
    assert stock and sys.implementation.name == "pypy"
    print(*(pair.split(":")[0] + ":no" for pair in os.environ["SERVERS"].split()))
else:
    assert ("_certhook_store" in vars(context)) is not stock
"""

#: The program in eight threads at once, none of which has imported ssl before.
RACE = f"""
import sys, threading
said, start = [], threading.Barrier(8)
def race():
    start.wait(60)
    exec({support.VERDICTS!r}, {{"print": lambda *words: said.append(" ".join(words))}})
threads = [threading.Thread(target=race) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(said) == 8, said
assert len(set(said)) == 1, said
assert sum(hasattr(finder, "__certhook__") for finder in sys.meta_path) == 1
print(said[0])
"""


@pytest.fixture
def kept(tmp_path) -> Iterator[Callable[..., Path]]:
    """Have a command fill a folder, which is its last argument, unless an earlier run kept it.

    Where the command fails, for want of a mirror or of rights, CI must not pass.
    """
    cache = MACHINE_ENVIRON.get("CERTHOOK_TEST_CACHE")
    folder = Path(cache or tmp_path / "cache")

    def fill(name: str, *command: object) -> Path:
        filled, made = folder / name, folder / f"{name}.made"
        if not made.exists():
            shutil.rmtree(filled, ignore_errors=True)
            filled.mkdir(parents=True)
            said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8", "errors": "replace"}
            # What it mounts is gone when it ends, however it does.
            alone = ("unshare", "--mount", "--propagation=private", *map(str, command), str(filled))
            done = subprocess.run(alone, env=MACHINE_ENVIRON, timeout=1800, **said)
            if done.returncode:
                missing(f"{name} cannot be had: {done.stdout.strip().splitlines()[-1:]}")
            made.touch()
        return filled

    yield fill
    if not cache:
        shutil.rmtree(folder, ignore_errors=True)


class Release:
    """Another release of Debian, of which programs see the /usr in place of this machine's.

    :param system: the folder that it is in
    :param scripts: a folder for scripts that start these programs
    """

    def __init__(self, system: Path, scripts: Path) -> None:
        self.system = system
        self._scripts = scripts
        scripts.mkdir()

    def inside(self, program: Path) -> Path:
        """The script that starts *program* there."""
        inside = f'mount --bind -o ro {self.system}/usr /usr && exec {program} "$@"'
        script = self._scripts / f"{crc32(bytes(program)):08x}"
        command = f"exec unshare --mount --propagation=private sh -c {shlex.quote(inside)}"
        script.write_text(f'#!/bin/sh\n{command} sh "$@"\n')
        script.chmod(0o755)
        return script


@pytest.fixture
def release(request, root, tool, kept, tmp_path) -> Release | None:
    """The release of Debian that a build is from, None for this machine's."""
    build = BUILDS[request.getfixturevalue("build_name")]
    if not build.release:
        return None
    include = f"--include=openssl,{build.packages}"
    debootstrap = (tool("debootstrap"), "--variant=minbase", include, build.release)
    return Release(kept(f"{build.release}-{build.python}", *debootstrap), tmp_path / "scripts")


@pytest.fixture
def python(build_name, release, root, tool, kept, request, tmp_path, pip_install, replace_bundle) -> Path:
    """The interpreter of an environment that a build's own venv made, in which its own pip installed certhook."""
    build = BUILDS[build_name]
    environment = tmp_path / "venv"
    python = environment / "bin" / "python"
    if release is not None:
        base, python = release.inside(Path("/usr/bin", build.python)), release.inside(python)
    elif build.python == FREE_THREADED and not shutil.which(FREE_THREADED):
        base = kept(FREE_THREADED, Path(__file__).with_name("free_threaded.sh")) / "bin" / FREE_THREADED
    else:
        base = tool(build.python)
    subprocess.run([str(base), "-m", "venv", str(environment)], check=True, env=support.clean_env(), timeout=120)
    pip_install(python, request.getfixturevalue("wheel"), own=True)
    replace_bundle(support.purelib(python))
    return python


ROWS = [pytest.param(name, marks=pytest.mark.row(name, "the .pth"), id=name) for name in BUILDS]


@pytest.mark.parametrize("build_name", ROWS)
def test_another_build_of_python(
    build_name, release, python, request, check_trust, trusted, cas, tmp_path, tool, pip_install, replace_bundle
) -> None:
    build = BUILDS[build_name]
    command = [python, "-c", PROGRAM.replace("PROOF", build.proof)]
    check_trust(command)

    # Threads that make their first contexts, and the store, at once.
    assert trusted([python, "-c", RACE], CERTHOOK_CACHE_DIR=str(tmp_path / "race")) == CHAINED

    # Of roots with one name, OpenSSL is asked which it takes before the store is made.
    (tmp_path / "old.pem").write_bytes(der.pem(expired_namesake(cas, 2)))
    old = {"CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "old.pem"), "CERTHOOK_CACHE_DIR": str(tmp_path / "old")}
    assert trusted(command, **old) == CHAINED

    # Python 3.15 imports lazily what says so, or all that can be.
    if build.python == "python3.15":
        lazily = f"lazy import ssl\nassert 'ssl' not in sys.modules\n{PROGRAM}".replace("PROOF", build.proof)
        assert trusted([python, "-c", f"import sys\n{lazily}"]) == CHAINED
        assert trusted([python, "-X", "lazy_imports=all", *command[1:]]) == CHAINED

    # It is that file, and nothing else, which starts certhook.
    (support.purelib(python) / "certhook.pth").unlink()
    assert trusted([python, "-c", support.VERDICTS]) == STOCK

    # A host that configures it; those that are on the path are in test_environment.py.
    if "libpython" in build.packages:
        (tmp_path / "table").mkdir()
        host = Host(tmp_path / "table", f"/usr/bin/{build.python}", release.inside, release.system)
        host.make(request.getfixturevalue("wheel"), pip_install, replace_bundle, tool)
        for line in LINES:
            host.check(line, trusted)
