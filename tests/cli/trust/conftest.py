"""Fixtures for ``certhook trust``."""

from __future__ import annotations

import pytest
from linux_machine import LinuxMachine
from trust_machine import TrustMachine


@pytest.fixture(scope="module")
def linux(root, cas, servers, installed, plain, tmp_path_factory) -> LinuxMachine:
    return LinuxMachine(cas, servers, installed, plain, tmp_path_factory.mktemp("machine"))


@pytest.fixture
def machine(linux: LinuxMachine, tmp_path) -> TrustMachine:
    """A machine in its own mount namespace: nothing on the real one changes."""
    return TrustMachine(linux, tmp_path)
