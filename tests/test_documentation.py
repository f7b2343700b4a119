"""The documentation agrees with the code."""

from __future__ import annotations

import configparser
import re

import settings_table
from library_table import library_table
from support import ROOT

from certhook.cli import _manual
from certhook.cli._library_table import LIBRARIES, OPTION, VARIABLE
from certhook.cli.env import VARIABLES


def test_the_table_of_variables_is_current() -> None:
    text = settings_table.PAGE.read_text(encoding="utf-8")
    assert text == settings_table.with_table(text), "run 'python tests/settings_table.py'"


def test_every_variable_is_described_with_its_default() -> None:
    text = settings_table.PAGE.read_text(encoding="utf-8")
    for name, default in settings_table.default_values().items():
        _, found, rest = text.partition(f"\n.. _variable-{name}:\n\n``{name}``\n~")
        section = rest.partition("\n.. _")[0]
        assert found and "\n.. code-block:: console\n" in section, name
        fields = re.findall("^:([A-Z][a-z]+): (.*)", section, re.MULTILINE)
        assert [field for field, _ in fields if field != "Exceptions"] == ["Value", "Default", "Effect", "Security"]
        assert dict(fields)["Default"].startswith(default), name


def test_messages_contain_the_address_of_the_manual_in_the_metadata() -> None:
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg", encoding="utf-8")
    assert f"Changes = {_manual.page('changelog')}" in metadata["metadata"]["project_urls"].splitlines()


def test_contributing_describes_only_modules_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.rst").read_text(encoding="utf-8")
    named = re.findall(r"^``([a-z0-9_/]+(?:\.py|/))``", text, re.MULTILINE)
    assert len(named) > 40
    assert [name for name in named if not (ROOT / "certhook" / name).exists()] == []


def test_the_table_of_libraries_is_current() -> None:
    text = (ROOT / "docs" / "reference" / "libraries.rst").read_text(encoding="utf-8")
    assert text == library_table(), "run 'python tests/library_table.py'"


def test_the_table_of_libraries_is_sorted_and_complete() -> None:
    names = [library.name for library in LIBRARIES]
    assert names == sorted(names, key=str.lower)
    assert len(set(names)) == len(names) >= 60
    for library in LIBRARIES:
        assert library.mechanism != OPTION or library.option, library.name
        assert library.mechanism != VARIABLE or library.variables[0] in VARIABLES, library.name
        assert library.mechanism in (OPTION, VARIABLE) or not (library.variables or library.option), library.name
