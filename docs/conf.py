"""Configuration of Sphinx for the manual: ``tox run -e docs`` builds it, and warnings are errors."""

from __future__ import annotations

import configparser
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
sys.path.insert(1, os.path.join(ROOT, "docs", "_extensions"))

import certhook  # noqa: E402

_metadata = configparser.ConfigParser(interpolation=None)
_metadata.read(os.path.join(ROOT, "setup.cfg"), encoding="utf-8")

project = "certhook"
author = _metadata["metadata"]["author"]
copyright = f"2026, {author}"
version = release = certhook.__version__

# The last two are in docs/_extensions.
extensions = ["sphinx.ext.autodoc", "locations", "verbs"]
nitpicky = True
# Names of the standard library: the build has no network for the inventory of its documentation.
nitpick_ignore_regex = [
    ("py:class", r"ssl\..*|(datetime\.)?datetime|os\.PathLike|PathLike|StrOrBytesPath|memoryview|Ellipsis")
]
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
# The manual is also readable as plain text, so quotation marks and dashes stay as they are.
smartquotes = False
highlight_language = "none"

html_theme = "furo"
html_title = f"certhook {release}"
html_static_path = ["_static"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "source_repository": _metadata["metadata"]["url"],
    "source_branch": "main",
    "source_directory": "docs/",
}


def _describe_attributes(app, what, name, obj, options, lines):
    """Replace the attributes in the docstring of a class by descriptions with types, without internal attributes."""
    if what not in ("class", "exception"):
        return
    internal = next((number for number, line in enumerate(lines) if "internal" in line), len(lines))
    annotations = vars(obj).get("__annotations__", {})
    described, is_attribute = [], False
    for line in lines[:internal]:
        match = re.match(r":ivar (\w+): (.*)", line)
        if match:
            described += ["", f".. py:attribute:: {match[1]}", f"   :type: {annotations[match[1]]}", ""]
            line = f"   {match[2][:1].upper()}{match[2][1:]}"
            is_attribute = True
        elif is_attribute and line.strip():
            line = f"   {line.strip()}"
        described.append(line)
    # Each description is a sentence.
    lines[:] = [
        f"{line}." if line[:3] == "   " and not following.strip() and line[3:4] not in ":" else line
        for line, following in zip(described, [*described[1:], ""])
    ]


def setup(app):
    app.connect("autodoc-process-docstring", _describe_attributes)
