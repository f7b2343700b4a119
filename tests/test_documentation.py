"""The documentation agrees with the code that it is generated from."""

from __future__ import annotations

from settings_table import settings_table
from support import ROOT


def test_the_readme_contains_the_settings_table() -> None:
    readme = (ROOT / "README.rst").read_text(encoding="utf-8")
    assert settings_table() in readme, "run 'python tests/settings_table.py' and paste its output into the README"
