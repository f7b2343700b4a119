"""Fixtures for the tests of sources: operating systems and interpreters with given roots."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Iterator

import pytest
from linux_machine import LinuxMachine
from root_files import bundle

from certhook import _certifi, _watch
from certhook._sources import system
from certhook._sources.locations import ANY, HASHED


@pytest.fixture(autouse=True)
def no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the inputs for every context."""
    monkeypatch.setattr(_watch, "INTERVAL", 0)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with compiled-in locations ``compiled.pem`` and ``compiled``, and four well-known ones.

    These are the files ``first.pem`` and ``second.pem``, the hashed directory ``first``, and the
    directory ``second``. None of them exists.
    """
    well_known = (
        (str(tmp_path / "first.pem"), str(tmp_path / "second.pem")),
        ((str(tmp_path / "first"), HASHED), (str(tmp_path / "second"), ANY)),
    )
    monkeypatch.setattr(system, "compiled_in", lambda: (str(tmp_path / "compiled.pem"), str(tmp_path / "compiled")))
    monkeypatch.setattr(system, "well_known", lambda platform: well_known)
    return tmp_path


@pytest.fixture
def three_sources(machine: Path) -> dict[str, object]:
    """Variables of a machine with the root *h* in every source, and one more root in each."""
    bundle(machine / "first.pem", "ah")
    return {
        "CERTHOOK_BUNDLE": bundle(machine / "bundle.pem", "hb"),
        "CERTHOOK_EXTRA_CA_CERTS": bundle(machine / "extra.pem", "ch"),
    }


@pytest.fixture
def no_certifi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An interpreter without certifi, and a directory on its path."""
    directory = tmp_path / "path"
    directory.mkdir()

    def forget() -> None:
        for module in [name for name in sys.modules if name.partition(".")[0] == "certifi"]:
            del sys.modules[module]
        importlib.invalidate_caches()

    imported = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "certifi"}
    if sys.version_info < (3, 11):
        # It is installed in the same directory as certifi, which is removed from the path.
        importlib.import_module("importlib_resources.readers")
    others = [entry for entry in sys.path if not Path(entry, "certifi").exists()]
    monkeypatch.setattr(sys, "path", [str(directory), *others])
    monkeypatch.setattr(_certifi, "__file__", str(tmp_path / "site" / "certhook" / "_certifi.py"))
    forget()
    yield directory
    forget()
    sys.modules.update(imported)


@pytest.fixture(scope="session")
def linux(root, cas, servers, installed: Path, plain: Path, tmp_path_factory: pytest.TempPathFactory) -> LinuxMachine:
    """A Linux machine without any trust store, on which a test lays out files."""
    machine = LinuxMachine(cas, servers, installed, plain, tmp_path_factory.mktemp("machine"))
    if machine.openssldir in ("/etc/ssl", "/etc/pki/tls"):
        pytest.skip(f"this interpreter's OpenSSL uses {machine.openssldir}, which must belong to another OpenSSL")
    return machine
