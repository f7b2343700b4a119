"""Whether certhook is active in this interpreter, how it was enabled, and why a start-up file has no effect."""

from __future__ import annotations

import os
import site
import sys

import certhook


def is_active() -> bool:
    """Return whether certhook is active in this interpreter."""
    import ssl

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


def unprocessed_pth() -> str | None:
    """Return the directory of certhook if it contains ``certhook.pth`` and is not a site-packages directory.

    Python processes no ``.pth`` file there. ``pip install --target`` creates such a directory, for example for a
    Lambda layer.

    :returns: None for any other directory, and under ``-S``, where Python processes no ``.pth`` file at all
    """
    directory = os.path.dirname(os.path.dirname(os.path.abspath(certhook.__file__ or "")))
    known = [*site.getsitepackages(), site.getusersitepackages()]
    if sys.flags.no_site or os.path.realpath(directory) in map(os.path.realpath, known):
        return None
    return directory if os.path.isfile(os.path.join(directory, "certhook.pth")) else None
