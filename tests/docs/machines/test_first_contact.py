"""The two commands of a clone on fresh machines: minimal Debian, an old pip behind a proxy, and uv alone.

They run in containers with a minimal Debian, which debootstrap downloads, as root and as a normal user. If the
machine's index is behind a proxy that inspects TLS, so are the containers: this machine's own root certificates are
those that an administrator would install. The environment ``machines`` runs these tests, and prints what a newcomer
sees with the seconds that it takes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
import support
from containers import Container, Layer

pytestmark = pytest.mark.skipif(
    os.environ.get("CERTHOOK_TEST_RECIPES") != "1", reason="CERTHOOK_TEST_RECIPES=1 downloads operating systems"
)

RELEASES = ("bookworm", "sid")
#: Root, and a user without privileges, with their home directories.
USERS = {"root": ("0:0", "/root"), "user": ("1000:1000", "/home/user")}
#: The variables with which pip and uv find the machine's index.
INDEX = {name: value for name, value in os.environ.items() if name.startswith(("PIP_INDEX", "PIP_EXTRA", "UV_INDEX"))}
#: A directory that keeps the releases. The tests run without this variable.
CACHE = os.environ.get("CERTHOOK_TEST_CACHE")
LOCAL_ROOTS = Path("/usr/local/share/ca-certificates")
AS_EXPECTED = "As expected: with certhook"


class Machine:
    """A machine on which a newcomer types commands in a clone.

    :param container: its root directory
    """

    def __init__(self, container: Container) -> None:
        self.container = container

    def type(self, user: str, line: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run *line* in the clone of *user*, and print it with its output and the seconds that it takes."""
        identifiers, home = USERS[user]
        env = {"HOME": home, "LANG": "C.UTF-8", **INDEX, **variables}
        start = time.monotonic()
        done = self.container.shell(f"{line} 2>&1", user=identifiers, workdir=f"{home}/certhook", env=env, timeout=900)
        print(f"{user}$ {line}\n{done.stdout}[{time.monotonic() - start:.0f} s, exit status {done.returncode}]\n")
        return done


@pytest.fixture(scope="module")
def debian(root, tmp_path_factory) -> Callable[[str], Layer]:
    """A function that returns a minimal release of Debian with Python; CERTHOOK_TEST_CACHE keeps it."""
    if shutil.which("debootstrap") is None:
        pytest.skip("debootstrap is not installed")
    directory = tmp_path_factory.mktemp("debian")

    def make(release: str) -> Layer:
        system = Path(CACHE or directory) / f"{release}-python3"
        marker = system.with_name(f"{system.name}.made")
        if not marker.exists():
            shutil.rmtree(system, ignore_errors=True)
            command = ["debootstrap", "--variant=minbase", "--include=python3", release, str(system)]
            isolated = ["unshare", "--mount", "--propagation=private", *command]
            done = subprocess.run(isolated, env=support.MACHINE_ENVIRON, stdout=subprocess.PIPE, timeout=900)
            if done.returncode:
                pytest.skip(f"debootstrap {release} failed: {done.stdout[-200:]!r}")
            marker.touch()
        return Layer(system, system / "usr")

    yield make
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def fresh(debian, tmp_path) -> Callable[[str], Machine]:
    """A function that returns a new machine with a minimal release, and a clone for each user."""

    def make(release: str) -> Machine:
        layer = Layer.create(tmp_path / f"clones-{release}")
        (layer.root / "home").mkdir()
        for user, (identifiers, home) in USERS.items():
            support.copy_sources(support.ROOT, layer.path(f"{home}/certhook"))
            owner = int(identifiers.partition(":")[0])
            for path in (layer.path(home), *layer.path(home).rglob("*")):
                os.chown(path, owner, owner, follow_symlinks=False)
            layer.path(home).chmod(0o700 if user == "root" else 0o755)
        # The certificates that this machine's administrator has installed, for example that of a proxy.
        local = layer.path(str(LOCAL_ROOTS))
        local.mkdir(parents=True)
        for certificate in LOCAL_ROOTS.glob("*.crt"):
            shutil.copy(certificate, local)
        configuration = layer.path("/etc/apt/apt.conf.d")
        configuration.mkdir(parents=True)
        # A mirror may lag behind.
        (configuration / "99tests").write_text('Acquire::Check-Valid-Until "false";\n')
        (tmp_path / release).mkdir()
        return Machine(Container(tmp_path / release, (layer, debian(release))))

    return make


@pytest.fixture(autouse=True)
def removed(tmp_path) -> Iterator[None]:
    """Remove the machines of the test: they have a hundred megabytes each."""
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.parametrize("release", RELEASES)
def test_minimal_debian_needs_the_package_that_the_first_command_names(release, fresh) -> None:
    machine = fresh(release)
    # Without any package.
    for user in USERS:
        assert AS_EXPECTED in machine.type(user, "python3 -m certhook demo").stdout
        done = machine.type(user, "python3 tools/try.py")
        prefix = "" if user == "root" else "sudo "
        remedy = f"{prefix}apt-get update && {prefix}apt-get install --yes python3-venv"
        assert done.returncode == 1
        assert f"\n  {remedy}\n" in done.stdout
    (command,) = [line.strip() for line in done.stdout.splitlines() if "apt-get" in line]
    done = machine.type("root", f"({command.replace('sudo ', '')}) >/tmp/log", DEBIAN_FRONTEND="noninteractive")
    assert done.returncode == 0, done.stdout
    for user in USERS:
        done = machine.type(user, "python3 tools/try.py")
        assert done.returncode == 0, done.stdout
        assert AS_EXPECTED in done.stdout and "is active, enabled by" in done.stdout
        assert "Warning" not in done.stdout
    if release == "bookworm":
        done = machine.type("user", "python3 tools/test.py -e py -- -q tests/test_config.py")
        assert done.returncode == 0 and " passed" in done.stdout, done.stdout


def test_uv_alone_installs_with_the_roots_of_the_system(fresh, tmp_path) -> None:
    machine = fresh("bookworm")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tmp_path / "uv"), "uv"]
    subprocess.run(command, check=True, env=support.MACHINE_ENVIRON, timeout=300)
    programs = machine.container.layers[0].path("/usr/local/bin")
    programs.mkdir(parents=True)
    for name in ("uv", "uvx"):
        shutil.copy(tmp_path / "uv" / "bin" / name, programs)
    line = "(apt-get update && apt-get install --yes --no-install-recommends ca-certificates) >/tmp/log"
    assert machine.type("root", line, DEBIAN_FRONTEND="noninteractive").returncode == 0
    for user in USERS:
        done = machine.type(user, "python3 tools/try.py")
        assert (done.returncode, AS_EXPECTED in done.stdout) == (0, True), done.stdout
        assert "uv venv" in done.stdout
        done = machine.type(user, "uvx --from . certhook demo", UV_SYSTEM_CERTS="1", UV_NATIVE_TLS="1")
        assert (done.returncode, AS_EXPECTED in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize("pip", ["18.1", "20.0.2"])
def test_an_old_pip_trusts_the_systems_roots_in_the_first_command(pip, tmp_path) -> None:
    python = shutil.which("python3.8")
    if python is None:
        pytest.skip("there is no python3.8, which these releases of pip support")
    clone = tmp_path / "clone"
    support.copy_sources(support.ROOT, clone)
    subprocess.run([python, "-m", "venv", str(clone / ".venv")], check=True, env=support.clean_env())
    own = clone / ".venv" / "bin" / "python"
    command = [own, "-m", "pip", "install", "--quiet", f"pip=={pip}"]
    subprocess.run(command, check=True, env=support.MACHINE_ENVIRON, timeout=300)
    # Without the settings for the machine's proxy, if there is one.
    env = support.clean_env(HOME=str(tmp_path), PIP_CONFIG_FILE=os.devnull, **INDEX)
    start = time.monotonic()
    done = subprocess.run(
        [python, "tools/try.py"], cwd=clone, env=env, capture_output=True, encoding="utf-8", timeout=600
    )
    print(f"pip {pip}: python3.8 tools/try.py\n{done.stdout}{done.stderr}[{time.monotonic() - start:.0f} s]")
    assert (done.returncode, AS_EXPECTED in done.stdout) == (0, True)
