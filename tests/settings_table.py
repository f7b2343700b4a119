"""The table of variables in the README, generated from the settings: ``python tests/settings_table.py`` prints it."""

from __future__ import annotations

from certhook._config import SETTINGS, Config

_HEAD = """\
.. list-table::
   :header-rows: 1

   * - variable
     - default
     - effect
"""

_ROW = """\
   * - ``{name}``
     - {default}
     - {effect}
"""


def settings_table() -> str:
    """Return the table as reStructuredText."""
    config = Config({})
    rows = [
        _ROW.format(name=setting.name, default=_default(getattr(config, setting.attribute)), effect=setting.description)
        for setting in SETTINGS
    ]
    return _HEAD + "".join(rows)


def _default(value: object) -> str:
    if isinstance(value, tuple):
        value = ",".join(value)
    elif isinstance(value, bool):
        value = int(value)
    return "unset" if value in (None, "") else f"``{value}``"


if __name__ == "__main__":
    print(settings_table(), end="")
