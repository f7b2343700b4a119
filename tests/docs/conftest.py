"""Fixtures for the tests of the manual: a package index, tools, and machines behind a proxy that inspects TLS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator

import inspected_network
import package_index
import pytest
import support

#: The programs that the guides describe. They are not installed into the environment of the tests, which has certhook.
TOOLS = ("ansible-core", "check-jsonschema", "pipx", "poetry", "pre-commit", "tox")
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that download many packages, except with CERTHOOK_TEST_RECIPES=1."""
    if not os.environ.get("CERTHOOK_TEST_RECIPES"):
        for item in items:
            if item.get_closest_marker("recipe"):
                item.add_marker(pytest.mark.skip(reason="CERTHOOK_TEST_RECIPES=1 runs it"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "recipe: downloads many packages; runs only with CERTHOOK_TEST_RECIPES=1")


def _pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--no-input", *map(str, arguments)]
    subprocess.run(command, check=True, env=support.MACHINE_ENVIRON, timeout=600, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def make_hosts(once, wheel: Path) -> Callable[..., Path]:
    """Return a function that creates the files of the hosts, with an index of certhook and of further packages."""

    def make(*requirements: str) -> Path:
        with once(f"hosts {' '.join(requirements)}".replace("/", "")) as (directory, is_first):
            hosts = directory / "hosts"
            if is_first:
                downloads = directory / "downloads"
                downloads.mkdir()
                _pip("download", "--dest", downloads, "--prefer-binary", *requirements, f"{wheel}[check]", "requests")
                hello = downloads / support.HELLO_WHEEL
                hello.write_bytes(package_index.wheel("hello", "1.0"))
                fetch = downloads / "fetchapp-1.0-py3-none-any.whl"
                fetch.write_bytes(package_index.wheel("fetchapp", "1.0", FETCH, ["requests"]))
                for host in inspected_network.HOSTS:
                    (hosts / host).mkdir(parents=True)
                    (hosts / host / "index.html").write_text("hello\n")
                files = [path for path in downloads.iterdir() if path.name.endswith((".whl", ".tar.gz"))]
                package_index.write(files, hosts / "pypi.org")
                package_index.write([hello], hosts / "packages.intranet.example")
        return hosts

    return make


#: The module of the package "fetchapp", whose command prints the answer of a server.
FETCH = b"""
import sys

def main():
    import requests
    print(requests.get(sys.argv[1]).text)

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="session")
def network(root: None, tmp_path_factory: pytest.TempPathFactory, make_hosts) -> Iterator[inspected_network.Network]:
    """A machine behind a proxy that inspects TLS, whose root is in the operating system's store."""
    directory = tmp_path_factory.mktemp("network")
    with inspected_network.running(directory, make_hosts(), inspected_network.company_ca(), _SYSTEM_PATH) as running:
        yield running


def _commands(once, name: str, *requirements: str) -> Path:
    """Return the directory of the commands of packages, in an environment without certhook."""
    with once(name) as (directory, is_first):
        python = support.interpreter_of(directory / "environment")
        if is_first:
            support.make_environment(directory / "environment")
            _pip("--python", python, "install", *requirements)
    return python.parent


@pytest.fixture(scope="session")
def tools(once) -> Path:
    """The directory of the commands of the tools."""
    return _commands(once, "tools", *TOOLS)


@pytest.fixture(scope="session")
def uv(once) -> Path:
    """The directory of the command uv."""
    return _commands(once, "uv", "uv >= 0.13")


@pytest.fixture(scope="session")
def tools_network(
    root: None, tmp_path_factory: pytest.TempPathFactory, make_hosts
) -> Iterator[inspected_network.Network]:
    """The same machine, with an index that also contains the tools and their requirements."""
    directory = tmp_path_factory.mktemp("network")
    hosts = make_hosts("pip", "setuptools", *TOOLS)
    with inspected_network.running(directory, hosts, inspected_network.company_ca(), _SYSTEM_PATH) as running:
        yield running


@pytest.fixture(scope="session")
def pip_environment(once, pip_install) -> Callable[[str], Path]:
    """Return a function that returns the interpreter of a shared environment with a version of pip."""

    def make(version: str) -> Path:
        with once(f"pip {version}".replace("=", "")) as (directory, is_first):
            python = support.interpreter_of(directory / "environment")
            if is_first:
                support.make_environment(directory / "environment")
                pip_install(python, f"pip{version}")
        return python

    return make


@pytest.fixture
def own_environment(pip_environment, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that returns the interpreter of a new environment with a version of pip."""
    made: list[Path] = []

    def make(version: str) -> Path:
        directory = tmp_path / f"environment{len(made)}"
        made.append(directory)
        return support.copy_environment(pip_environment(version), directory).python

    return make


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return an empty home directory."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home"
