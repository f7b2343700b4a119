"""Fixtures for the tests of ``certhook check``."""

from __future__ import annotations

from typing import Iterator

import pytest
from lab import Lab, open_lab


@pytest.fixture
def lab(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: object) -> Iterator[Lab]:
    """Servers on loopback, trusted roots and the command."""
    with open_lab(request, monkeypatch) as lab:
        yield lab
