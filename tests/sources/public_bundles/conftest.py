"""The machine of the tests of public bundles."""

from __future__ import annotations

import importlib
import ssl
import sys
from pathlib import Path
from typing import Iterator

import pytest
import support
from bundle_machine import BundleMachine, forget_packages


@pytest.fixture
def machine(
    tmp_path: Path, cas: support.Authorities, servers: support.Servers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BundleMachine]:
    """A machine whose packages with public bundles are in a directory of the test."""
    assert hasattr(ssl.SSLContext.load_verify_locations, "__certhook__"), "certhook must be active in this process"
    machine = BundleMachine(tmp_path, cas, servers)
    monkeypatch.setenv("SSL_CERT_FILE", str(machine.system))
    monkeypatch.setenv("SSL_CERT_DIR", str(machine.system_hashed))
    monkeypatch.setenv("CERTHOOK_SOURCES", "system,bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(machine.bundle))
    monkeypatch.setenv("CERTHOOK_STORE_DIR", str(tmp_path / "cache"))
    if sys.version_info < (3, 11):
        # It is installed in the same directory as certifi, which is removed from the path.
        importlib.import_module("importlib_resources.readers")
    others = [entry for entry in sys.path if not Path(entry, "certifi").exists()]
    monkeypatch.setattr(sys, "path", [str(machine.packages), *others])
    imported = forget_packages()
    yield machine
    forget_packages()
    sys.modules.update(imported)
