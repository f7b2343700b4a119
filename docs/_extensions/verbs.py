"""The directive ``verb``: the synopsis and the arguments of a verb of the command line, read from its parser.

``.. verb:: check`` describes ``certhook check``, and ``.. verb::`` the command line without a verb.
"""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING

from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    import argparse
    from typing import Iterator

    from docutils import nodes
    from sphinx.application import Sphinx

WIDTH = 90


class Verb(SphinxDirective):
    """The directive."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the description."""
        lines = [*_lines(self.arguments[0] if self.arguments else "")]
        return self.parse_text_to_nodes("\n".join(lines)) if hasattr(self, "parse_text_to_nodes") else self._old(lines)

    def _old(self, lines: list[str]) -> list[nodes.Node]:
        # Sphinx before 7.4.
        from docutils import nodes

        container = nodes.Element()
        self.state.nested_parse(StringList(lines, source="argparse"), self.content_offset, container)
        return container.children


def _lines(name: str) -> Iterator[str]:
    os.environ["COLUMNS"] = str(WIDTH)
    from certhook import cli
    from certhook.cli import _completion_scripts

    parser, verbs = cli.build_parser("certhook")
    main, listed = _completion_scripts.read(parser, verbs)
    selected: argparse.ArgumentParser = verbs.choices[name] if name else parser
    selected.color = False  # type: ignore[attr-defined]  # Python 3.14 writes usages in colours.
    usage = textwrap.dedent(" " * len("usage: ") + selected.format_usage().replace("usage: ", "", 1))
    yield from ("", ".. code-block:: none", "", *textwrap.indent(usage, "   ").splitlines(), "")
    yield from (f".. program:: certhook {name}".rstrip(), "")
    verb = next(one for one in listed if one.name == name) if name else main
    for argument in verb.arguments:
        if "--help" in argument.flags:
            continue
        value = "{" + ",".join(argument.choices) + "}" if argument.choices and argument.flags else argument.name
        names = ", ".join(f"{flag} {value}".rstrip() for flag in argument.flags) or argument.name
        summary = f"{argument.summary[:1].upper()}{argument.summary[1:]}".rstrip(".")
        yield from (f".. option:: {names}", "", f"   {_escaped(summary)}.", "")


def _escaped(text: str) -> str:
    return "".join(f"\\{character}" if character in "\\*`|_" else character for character in text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive to *app*."""
    app.add_directive("verb", Verb)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
