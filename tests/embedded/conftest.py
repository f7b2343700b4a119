"""What the tests of embedded and frozen interpreters share.

Every program is the same: it says which of the servers on loopback a default
context trusts. The system's store has one root, the bundle that is packed with
the program another; both have a third, and neither has the rest. What is slow to
make, workers make once for all.

A test with the mark *row* stands for an interpreter in the table that is printed in the end.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import hosts_table as table
import pytest
import support
from expected import CHAINED, STOCK, missing, trusted_in
from test_layouts import DEBIANS_OWN, Machine


def pytest_configure(config: pytest.Config) -> None:
    table.configure(config)


def pytest_runtest_setup(item: pytest.Item) -> None:
    table.begin(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    table.write(terminalreporter)


@pytest.fixture(scope="session")
def store(cas, tmp_path_factory) -> str:
    """The system's store, as a file."""
    path = tmp_path_factory.mktemp("store") / "store.pem"
    path.write_bytes(cas.pem("system", "both"))
    return str(path)


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
            python = support.interpreter_of(folder / "venv")
            if is_first:
                support.make_environment(folder / "venv")
                pip_install(python, request.getfixturevalue("wheel"), *requirements)
                replace_bundle(support.purelib(python))
        return python

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
def trusted(store, servers):
    """The names of the authorities that a program trusts.

    It must say nothing else, and nothing on standard error.
    """

    def run(command: list[object], **variables: str) -> set[str]:
        done = subprocess.run(
            [str(argument) for argument in command],
            env=support.clean_env(
                SERVERS=support.server_list(servers),
                SSL_CERT_FILE=store,
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
