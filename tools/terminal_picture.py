"""Draw ``docs/_static/terminal.svg``, the picture at the top of the README, from ``terminal.txt``.

Run ``python tools/terminal_picture.py`` after a change of the text. It requires rich. ``tests/docs/test_readme.py``
compares the text with the output of real commands, and the picture with the text.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

STATIC = Path(__file__).resolve().parent.parent / "docs" / "_static"
_STYLES = {"$ ": "bold", "ssl.": "red", "certhook: ": "green", "To find": "green"}


def picture(text: str) -> str:
    """Return the SVG of a terminal with *text*: prompts are bold, exceptions red, certhook's notes green."""
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in text.splitlines():
        style = next((style for start, style in _STYLES.items() if line.startswith(start)), "")
        console.print(Text(line, style=style))
    svg = console.export_svg(title="Before and after", unique_id="certhook")
    # Viewers of images do not download fonts.
    return re.sub(r" *@font-face \{.*?\}\n", "", svg, flags=re.DOTALL).replace("Fira Code, ", "")


if __name__ == "__main__":
    text = (STATIC / "terminal.txt").read_text(encoding="utf-8")
    (STATIC / "terminal.svg").write_bytes(picture(text).encode())
