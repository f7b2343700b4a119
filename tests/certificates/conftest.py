"""Fixtures for the tests of certificate parsers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import certifi
import pytest

from certhook._sources.locations import well_known


def _public_bundles() -> list[Path]:
    files, _ = well_known(sys.platform)
    return [Path(certifi.where()), *(Path(file) for file in files if os.path.isfile(file))]


@pytest.fixture(params=_public_bundles(), ids=str, scope="session")
def public_bundle(request: pytest.FixtureRequest) -> Path:
    """Each bundle of public roots on this machine: certifi's, and those of the operating system."""
    return request.param
