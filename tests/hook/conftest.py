"""Fixtures for the tests of the import hook."""

from __future__ import annotations

import sysconfig
import zipfile
from pathlib import Path

import pytest
import support


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, cas: support.Authorities) -> Path:
    """Return a directory with the files of a machine.

    *system.pem* is the system's store, *bundle.pem* the bundle, and *extra.pem* an extra certificate.
    The hashed directory *system* contains a part of the system's store. *stranger.pem* is the caller's own
    root, which the hashed directory *own* contains as well. *none* does not exist.
    """
    directory = tmp_path_factory.mktemp("machine")
    (directory / "system.pem").write_bytes(cas.pem("system", "both"))
    (directory / "bundle.pem").write_bytes(cas.pem("bundled", "both"))
    (directory / "extra.pem").write_bytes(cas.pem("extra"))
    (directory / "stranger.pem").write_bytes(cas.pem("stranger"))
    for subdirectory, name in (("system", "both"), ("own", "stranger")):
        (directory / subdirectory).mkdir()
        (directory / subdirectory / support.hashed_name(cas.der(name))).write_bytes(cas.pem(name))
    return directory


@pytest.fixture(scope="module")
def locations(machine: Path) -> dict[str, str]:
    """Return variables that name the system's store and the bundle of *machine*, and select both."""
    return {
        "SSL_CERT_FILE": str(machine / "system.pem"),
        "SSL_CERT_DIR": str(machine / "system"),
        "CERTHOOK_SOURCES": "system,bundled",
        "CERTHOOK_BUNDLE": str(machine / "bundle.pem"),
    }


@pytest.fixture
def zipped_ssl(tmp_path: Path) -> Path:
    """Return a ZIP archive named library.zip that contains ssl."""
    archive = tmp_path / "library.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(Path(sysconfig.get_path("stdlib")) / "ssl.py", "ssl.py")
    return archive
