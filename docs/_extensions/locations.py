"""Directives for the data of certhook.

``well-known-locations`` lists the files and directories of a platform, and ``public-bundles`` the packages whose copies
of Mozilla's roots are adopted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class Locations(SphinxDirective):
    """The first directive, whose argument is a value of ``sys.platform``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a bullet list."""
        from certhook._sources.locations import well_known

        files, directories = well_known(self.arguments[0])
        found = nodes.bullet_list()
        for title, paths in (("files", files), ("directories", [path for path, _ in directories])):
            if not paths:
                continue
            listed = nodes.bullet_list()
            listed += [nodes.list_item("", nodes.paragraph("", "", nodes.literal(path, path))) for path in paths]
            found += nodes.list_item("", nodes.paragraph("", f"{title}:"), listed)
        return [found]


class Bundles(SphinxDirective):
    """The second directive."""

    def run(self) -> list[nodes.Node]:
        """Return a paragraph."""
        from certhook._public_bundles import BUNDLES, split

        names = sorted({split(bundle)[0] for bundle in BUNDLES})
        paragraph = nodes.paragraph()
        for number, name in enumerate(names):
            paragraph += [nodes.Text(", "), nodes.literal(name, name)][not number :]
        return [paragraph]


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives to *app*."""
    app.add_directive("well-known-locations", Locations)
    app.add_directive("public-bundles", Bundles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
