"""PyInstaller hooks, which PyInstaller finds through the entry point group ``pyinstaller40``.

If the program imports ``ssl``, PyInstaller includes certhook and certifi's bundle, and the
program installs the import hook before its first line runs. To build without certhook, set
``CERTHOOK_DISABLED`` or pass ``--exclude-module certhook``.
"""

from __future__ import annotations

import os


def hook_dirs() -> list[str]:
    """Return the hook directory, or no directory if ``CERTHOOK_DISABLED`` is set for this build."""
    from certhook import _config

    return [] if _config.is_disabled() else [os.path.dirname(os.path.abspath(__file__))]
