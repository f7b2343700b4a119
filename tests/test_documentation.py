"""The documentation agrees with the code."""

from __future__ import annotations

import re

from settings_table import settings_table
from support import ROOT


def test_the_readme_contains_the_settings_table() -> None:
    readme = (ROOT / "README.rst").read_text(encoding="utf-8")
    assert settings_table() in readme, "run 'python tests/settings_table.py' and paste its output into the README"


def test_contributing_describes_only_modules_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.rst").read_text(encoding="utf-8")
    named = re.findall(r"^``([a-z0-9_/]+(?:\.py|/))``", text, re.MULTILINE)
    assert len(named) > 40
    assert [name for name in named if not (ROOT / "certhook" / name).exists()] == []
