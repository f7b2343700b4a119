"""The system-wide settings file and its effects, as ``status`` and ``audit`` show them."""

from __future__ import annotations

from certhook._sources import limits, settings_file
from certhook._text import shown_value
from certhook.cli._terminal import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from certhook._config import Config


def describe(config: Config) -> dict[str, Any]:
    """Return the file, its settings and the variables that it limits as a JSON object.

    :param config: the settings in the variables
    """
    file = settings_file.load()
    _, exceeded = limits.limited(config, file)
    return {
        "path": file.path,
        "state": file.state,
        "settings": [{"name": name, "value": shown_value(value)} for name, (_, value) in file.lines.items()],
        "limited_variables": [problem.setting for problem in exceeded],
    }


def lines(found: dict[str, Any]) -> list[str]:
    """Return the lines of a report for the JSON object *found*; none if there is no file."""
    if found["state"] == limits.ABSENT:
        return []
    path = found["path"]
    state = "" if found["state"] == limits.USED else f" ({found['state']})"
    text = ["System-wide settings:", *wrapped(f"{path}{state}", "  ", "    ", [path])]
    if found.get("owner"):
        text.append(f"    owner {found['owner']}, mode {found['mode']}")
    for setting in found["settings"]:
        text += wrapped("{name} = {value}".format(**setting), "    ", "      ", [setting["value"]])
    if found["limited_variables"]:
        text += wrapped(f"limits {', '.join(found['limited_variables'])}", "    ", "      ")
    return text


def effects(config: Config) -> dict[str, str]:
    """Return why each variable that exceeds the file has no effect, or a limited one.

    :param config: the settings in the variables
    """
    _, exceeded = limits.limited(config, settings_file.load())
    return {problem.setting: problem.message for problem in exceeded}
