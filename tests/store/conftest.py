"""Fixtures for the tests of compiled stores."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import support
from store_machine import Machine
from store_roots import ROOTS, build_store


@pytest.fixture
def machine(installed: Path, tmp_path: Path, cas: support.Authorities, servers: support.Servers) -> Machine:
    return Machine(installed, tmp_path, cas, servers)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A complete store of :data:`ROOTS`."""
    return build_store(tmp_path, ROOTS)


@pytest.fixture(scope="session")
def openssl() -> str:
    """The openssl command, which CI requires."""
    command = shutil.which("openssl")
    if command is None and os.environ.get("CI"):
        pytest.fail("the openssl command is missing")
    if command is None:
        pytest.skip("needs the openssl command")
    return command
