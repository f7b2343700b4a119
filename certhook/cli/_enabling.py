"""Whether certhook is active in this interpreter, and the mechanism that enabled it."""

from __future__ import annotations

import os
import site
import ssl

import certhook


def is_active() -> bool:
    """Return whether certhook is active in this interpreter."""
    return certhook.is_installed() and hasattr(ssl.create_default_context, "__certhook__")


def enabled_by() -> str | None:
    """Return the mechanism that installed the import hook, if possible as the path of a file."""
    if not certhook.is_installed():
        return None
    if certhook.enabled_by != "site-packages":
        return certhook.enabled_by
    for directory in [*site.getsitepackages(), site.getusersitepackages()]:
        path = os.path.join(directory, "certhook.pth")
        if os.path.isfile(path):
            return path
    return certhook.enabled_by
