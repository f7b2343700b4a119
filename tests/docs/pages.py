"""The examples of the manual's pages, as written in them."""

from __future__ import annotations

import re
import textwrap
from typing import NamedTuple

import support

DOCS = support.ROOT / "docs"
_DIRECTIVE = re.compile(r"^(?P<indent> *)\.\. code-block:: *(?P<language>\S+)\n", re.MULTILINE)


class Block(NamedTuple):
    """A ``code-block`` of a page, with its line for messages."""

    page: str
    line: int
    language: str
    text: str


class Command(NamedTuple):
    """A command of a ``console`` block, with the output that follows it in the page."""

    command: str
    output: str


def blocks(page: str, language: str | None = None) -> list[Block]:
    """Return the code blocks of a page, such as ``how-to/pip``, optionally only those in one language."""
    source = (DOCS / f"{page}.rst").read_text(encoding="utf-8")
    found = []
    for match in _DIRECTIVE.finditer(source):
        lines = []
        for line in source[match.end() :].splitlines():
            if line.strip() and len(line) - len(line.lstrip()) <= len(match["indent"]):
                break
            lines.append(line)
        # Options of the directive, such as ":caption:", come before the first empty line.
        content = lines[lines.index("") + 1 :] if "" in lines else []
        text = textwrap.dedent("\n".join(content)).strip("\n") + "\n"
        found.append(Block(page, source.count("\n", 0, match.start()) + 1, match["language"], text))
    return [block for block in found if language in (None, block.language)]


def commands(block: Block) -> list[Command]:
    """Return the commands of a ``console`` block; ``> `` and a backslash at the end of a line continue a command."""
    found: list[Command] = []
    continued = False
    for line in block.text.splitlines():
        if line.startswith(("$ ", "# ")) and not continued:
            found.append(Command(line[2:], ""))
        elif continued or line.startswith("> "):
            command, output = found.pop()
            found.append(Command(f"{command}\n{line[2:] if line.startswith('> ') else line}", output))
        else:
            assert found, f"{block.page}, line {block.line}: output before the first command"
            command, output = found.pop()
            found.append(Command(command, f"{output}{line}\n"))
        continued = found[-1].output == "" and line.endswith("\\")
    return found
