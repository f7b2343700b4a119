"""Configuration for tools that freeze programs: one file or directory per tool.

PyInstaller finds its hooks through an entry point. For the other tools,
``python -m certhook freezer NAME`` prints the path of the file; instructions are at
the top of each file.
"""

from __future__ import annotations

import os

#: Each tool's file or directory, relative to this directory.
FILES = {
    "pyinstaller": "pyinstaller",
    "nuitka": "nuitka.yml",
    "cx_freeze": "cx_freeze.py",
    "pyoxidizer": "pyoxidizer.bzl",
}


def path_of(name: str) -> str | None:
    """Return the path of the configuration for the tool *name*, None if certhook is in an archive."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), FILES[name])
    return path if os.path.exists(path) else None
