"""Fixtures for the tests of compiled stores."""

from __future__ import annotations

from pathlib import Path

import pytest
import support
from store_host import Host
from store_machine import Machine
from store_roots import ROOTS, build_store


@pytest.fixture
def machine(installed: Path, tmp_path: Path, cas: support.Authorities, servers: support.Servers) -> Machine:
    return Machine(installed, tmp_path, cas, servers)


@pytest.fixture
def host(installed: Path, tmp_path: Path, cas: support.Authorities, servers: support.Servers) -> Host:
    return Host(installed, tmp_path, cas, servers)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A complete store of :data:`ROOTS`."""
    return build_store(tmp_path, ROOTS)
