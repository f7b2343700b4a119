"""The recipes of the guides, as written in them, for a machine of inspected_network."""

from __future__ import annotations

import pages

#: The path in the pages of a file with the company's root.
COMPANY_ROOT = "/path/to/company-root.pem"


def block(page: str, containing: str, language: str = "console") -> pages.Block:
    """Return the block in *language* that contains a text; exactly one must."""
    found = [each for each in pages.blocks(f"how-to/{page}", language) if containing in each.text]
    assert len(found) == 1, f"{page}: {len(found)} blocks contain {containing!r}"
    return found[0]


def script(page: str, containing: str, **replaced: str) -> str:
    """Return the commands of the block that contains a text, as a script.

    :param replaced: for a word in upper case, such as ROOT for :data:`COMPANY_ROOT`, its replacement
    """
    text = "\n".join(each.command for each in pages.commands(block(page, containing)))
    return text.replace(COMPANY_ROOT, replaced["ROOT"]) if "ROOT" in replaced else text
