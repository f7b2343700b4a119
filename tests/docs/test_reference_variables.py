"""The examples of ``docs/reference/variables.rst`` are valid."""

from __future__ import annotations

import re

import pages
import pytest

from certhook._config import SETTINGS, Config

PAGE = "reference/variables"
COMMANDS = [command.command for block in pages.blocks(PAGE, "console") for command in pages.commands(block)]


@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith("pip ")])
def test_an_example_sets_a_variable_to_another_value_than_the_default(command) -> None:
    name, value = re.fullmatch(r"(?:export )?([A-Z0-9_]+)=(\S+)(?: python app\.py)?", command).groups()
    config, default = Config({name: value}), Config({})
    (attribute,) = [setting.attribute for setting in SETTINGS if setting.name == name]
    assert config.problems == []
    assert getattr(config, attribute) != getattr(default, attribute)


def test_every_variable_has_an_example() -> None:
    assigned = {name for command in COMMANDS for name in re.findall("([A-Z0-9_]+)=", command)}
    assert assigned == {setting.name for setting in SETTINGS}
