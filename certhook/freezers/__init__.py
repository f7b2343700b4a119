"""What tools that freeze programs need to know of certhook, one file or folder a tool.

PyInstaller finds its own through an entry point; the others are told where theirs
is, by ``python -m certhook freezer NAME``. How it is used stands at the top of each.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

#: The tools, and what is theirs in this folder.
FILES = {
    "pyinstaller": "pyinstaller",
    "nuitka": "nuitka.yml",
    "cx_freeze": "cx_freeze.py",
    "pyoxidizer": "pyoxidizer.bzl",
}


def path_of(name: str) -> "Optional[str]":
    """The path of what is for the tool *name*, None where the package is in no folder."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), FILES[name])
    return path if os.path.exists(path) else None
