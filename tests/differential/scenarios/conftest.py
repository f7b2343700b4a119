"""Fixtures for the scenarios: an interpreter with the clients, and servers."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator

import pytest
import support

# The clients and the servers of the tests of clients.
sys.path.append(str(Path(__file__).resolve().parent.parent.parent / "clients"))

from scenario_machine import ScenarioMachine
from scenario_selection import RANDOM


@pytest.fixture(scope="session")
def client_pythons(request: pytest.FixtureRequest, once, pip_install) -> tuple[Path, Path]:
    """An interpreter with certhook's wheel, pip and, for random scenarios, client libraries; and one without certhook.

    Both environments share the other packages.
    """
    libraries = [] if RANDOM is None else ["--requirement", Path(__file__).with_name("requirements.txt")]
    with once("scenarios") as (directory, is_first):
        hooked, stock = (support.interpreter_of(directory / name) for name in ("hooked", "stock"))
        if is_first:
            support.make_environment(directory / "hooked")
            support.make_environment(directory / "stock")
            pip_install(hooked, request.getfixturevalue("wheel"), "pip", *libraries)
            support.byte_compile(hooked)
            for path in support.purelib(hooked).iterdir():
                if not path.name.startswith("certhook"):
                    (support.purelib(stock) / path.name).symlink_to(path)
    return hooked, stock


@pytest.fixture(scope="session")
def scenario_machine(root, openssl, client_pythons, tmp_path_factory) -> Iterator[ScenarioMachine]:
    """A machine on which the scenarios run."""
    with ExitStack() as stack:
        machine = ScenarioMachine(*client_pythons, tmp_path_factory.mktemp("scenarios"), stack)
        directory = machine.linux.openssldir
        if directory in ("/etc/ssl", "/etc/pki/tls"):
            pytest.skip(f"{directory} is the OPENSSLDIR of this interpreter, so it cannot belong to another OpenSSL")
        yield machine
