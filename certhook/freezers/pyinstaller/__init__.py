"""What PyInstaller finds by itself where certhook is installed: entry point group ``pyinstaller40``.

A program that imports ``ssl`` has certhook and certifi's bundle in it, and the import
hook is installed before its first line. Not in builds with ``CERTHOOK_DISABLED`` set,
nor with ``--exclude-module certhook``.
"""

from __future__ import annotations

import os


def hook_dirs() -> list[str]:
    """The folder of the hooks, or none where this build is to be without certhook."""
    from certhook import _config

    return [] if _config.is_disabled() else [os.path.dirname(os.path.abspath(__file__))]
