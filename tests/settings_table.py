"""The table of variables in the manual, generated from the settings: ``python tests/settings_table.py`` writes it."""

from __future__ import annotations

from support import ROOT

from certhook._config import SETTINGS, Config

PAGE = ROOT / "docs" / "reference" / "variables.rst"

_BEGIN, _END = ".. settings table begins\n\n", "\n.. settings table ends\n"

_HEAD = """\
.. list-table::
   :header-rows: 1
   :widths: 32 20 48

   * - variable
     - default
     - effect
"""

_ROW = """\
   * - :ref:`{name} <variable-{name}>`
     - {default}
     - {effect}
"""


def settings_table() -> str:
    """Return the table as reStructuredText."""
    defaults = default_values()
    rows = [
        # A list is divided, because a line does not end inside a literal.
        _ROW.format(
            name=setting.name, default=defaults[setting.name].replace(",", "``, ``"), effect=setting.description
        )
        for setting in SETTINGS
    ]
    return _HEAD + "".join(rows)


def default_values() -> dict[str, str]:
    """Return the default of each variable as reStructuredText."""
    config = Config({})
    return {setting.name: _default(getattr(config, setting.attribute)) for setting in SETTINGS}


def with_table(page: str) -> str:
    """Return the text of the page with the current table."""
    before, _, rest = page.partition(_BEGIN)
    return f"{before}{_BEGIN}{settings_table()}{_END}{rest.partition(_END)[2]}"


def _default(value: object) -> str:
    if isinstance(value, tuple):
        value = ",".join(value)
    elif isinstance(value, bool):
        value = int(value)
    return "unset" if value in (None, "") else f"``{value}``"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
