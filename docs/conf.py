"""Configuration of Sphinx for the manual: ``tox run -e docs`` builds it, and warnings are errors."""

from __future__ import annotations

import configparser
import os
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
