"""What the tests of embedded and frozen interpreters share.

Every program is the same: it says which of the servers on loopback a default
context trusts. The system's store has one root, the bundle that is packed with
the program another; both have a third, and neither has the rest. What is slow to
make, workers make once for all.

A test with the mark *row* stands for an interpreter in the table that is printed in the end.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import hosts_table as table
import pytest
import support
import trustme
from expected import CHAINED, STOCK, missing, trusted_in
from test_layouts import DEBIANS_OWN, Machine


def pytest_configure(config: pytest.Config) -> None:
    table.configure(config)


def pytest_runtest_setup(item: pytest.Item) -> None:
    table.begin(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    table.write(terminalreporter)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory):
    """Have one worker make a folder, while the others wait for it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    @contextmanager
    def making(name: str) -> Iterator[tuple[Path, bool]]:
        folder = shared / "embedded" / name
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder, not (folder / "made").exists()
            (folder / "made").touch()

    return making


@pytest.fixture(scope="session")
def cas(once) -> support.Authorities:
    """The certificate authorities of this run: a program that one worker made trusts the servers of every worker."""
    with once("authorities") as (folder, is_first):
        if is_first:
            made = support.Authorities()
            for name in made.names:
                ca = getattr(made, name)
                (folder / f"{name}.pem").write_bytes(ca.cert_pem.bytes())
                (folder / f"{name}.key").write_bytes(ca.private_key_pem.bytes())
            (folder / "store.pem").write_bytes(made.pem("system", "both"))
    loaded = support.Authorities.__new__(support.Authorities)
    for name in loaded.names:
        parts = [(folder / f"{name}.{kind}").read_bytes() for kind in ("pem", "key")]
        setattr(loaded, name, trustme.CA.from_pem(*parts))
    loaded.store = str(folder / "store.pem")
    return loaded


@pytest.fixture(scope="session")
def replace_bundle(cas):
    """Put the bundle of the tests into the certifi of a folder of packages."""

    def replace(packages: Path) -> None:
        (packages / "certifi" / "cacert.pem").write_bytes(cas.pem("bundled", "both"))

    return replace


@pytest.fixture(scope="session")
def environment(once, request, pip_install, replace_bundle):
    """The interpreter of an environment with certhook, the bundle of the tests and *requirements*."""

    def make(name: str, *requirements: object) -> Path:
        with once(name) as (folder, is_first):
            if is_first:
                python = support.make_environment(folder / "venv")
                pip_install(python, request.getfixturevalue("wheel"), *requirements)
                replace_bundle(support.purelib(python))
                (folder / "python").write_text(str(python))
            return Path((folder / "python").read_text())

    return make


@pytest.fixture(scope="session")
def venv(environment) -> Path:
    """The interpreter of an environment with certhook."""
    return environment("venv")


@pytest.fixture(scope="session")
def builder(environment) -> Path:
    """The interpreter of an environment with certhook and the tools that freeze programs."""
    return environment("builder", "--requirement", Path(__file__).with_name("requirements.txt"))


@pytest.fixture(scope="session")
def target(once, venv, request, pip_install, replace_bundle) -> Path:
    """A folder with certhook and certifi in it, as ``pip install --target`` makes one; nothing enables them."""
    with once("target") as (folder, is_first):
        packages = folder / "packages"
        if is_first:
            pip_install(venv, request.getfixturevalue("wheel"), "--target", packages)
            replace_bundle(packages)
    return packages


@pytest.fixture
def trusted(cas, servers):
    """The names of the authorities that a program trusts.

    It must say nothing else, and nothing on standard error.
    """

    def run(command: list[object], **variables: str) -> set[str]:
        done = subprocess.run(
            [str(argument) for argument in command],
            env=support.clean_env(
                SERVERS=support.server_list(servers),
                SSL_CERT_FILE=cas.store,
                CERTHOOK_SOURCES="system,bundled",
                **variables,
            ),
            cwd=os.sep,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, ""), f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return trusted_in(done.stdout)

    return run


@pytest.fixture
def machine(root, cas, servers, venv, tmp_path) -> Machine:
    """A machine with the files of the test's own at the real paths."""
    folder = tmp_path / "machine"
    folder.mkdir()
    return Machine(cas, servers, venv, venv, folder)


@pytest.fixture
def check_trust(request, trusted, tmp_path):
    """Assert that a program trusts the system's store and the bundle, and the store at most without certhook.

    In the test of a row, with no variable as well: on a machine with Debian's store, and on one with none.
    The program may write to its HOME and to TMPDIR.
    """

    def home(folder: Path) -> dict[str, str]:
        return {"HOME": str(folder), "TMPDIR": str(folder)}

    def trusted_on(number: int, tree: dict, command: list[object], **variables: str) -> set[str]:
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        machine = request.getfixturevalue("machine")
        code = f"cd / && exec {shlex.join(map(str, command))}"
        variables = {**home(folder / "scratch"), **variables}
        done = machine.run(Path("/bin/sh"), code, tree, folder, over={}, **variables)
        assert done.stderr == ""
        return trusted_in(done.stdout)

    def check(command: list[object], **variables: str) -> None:
        with_home = {**home(tmp_path), **variables}
        assert trusted(command, **with_home) == CHAINED
        assert trusted(command, **with_home, CERTHOOK_DISABLED="1") == STOCK
        if not table.has_row(request.node):
            return
        for number, (tree, store) in enumerate(((DEBIANS_OWN, STOCK), ({}, set()))):
            chained = trusted_on(2 * number, tree, command, **variables)
            stock = trusted_on(2 * number + 1, tree, command, **variables, CERTHOOK_DISABLED="1")
            assert chained == {*store, "bundled", "both"}
            # Or nothing: its OpenSSL may look elsewhere.
            assert stock <= store
            table.record(request.node, bool(store), chained, stock)

    return check


@pytest.fixture(scope="session")
def tool():
    """The path of a program of the machine, without which CI must not pass."""

    def find(name: str) -> str:
        return shutil.which(name) or missing(f"{name} is not installed")

    return find
