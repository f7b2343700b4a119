"""Where certifi's bundle is, known without importing certifi.

Importing it would import ``importlib.resources``: 25 ms that nearly nobody needs to pay.
"""

import os
import sys

from certhook._finder import find_package

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

PACKAGE = "certifi"
FILE = "cacert.pem"
#: The module that holds the bundle where nothing can read certifi's file.
FROZEN = "certhook_bundle"


def folders(spec: "ModuleSpec | None") -> "list[str]":
    """Where the files of certifi would be, if it were on a disk."""
    if spec is not None:
        return list(spec.submodule_search_locations or ())
    # The drop-in serves interpreters in which certifi is not installed: it lies beside certhook.
    # In memory (frozen into C, PyOxidizer), a module has no __file__.
    here = globals().get("__file__")
    return [os.path.join(os.path.dirname(os.path.dirname(here)), PACKAGE)] if here else []


def key(spec: "ModuleSpec | None") -> str:
    """What tells this bundle from every other one, in the :func:`settings` of an index."""
    places = folders(spec)
    if any(unpacked(os.path.join(folder, FILE)) for folder in places):
        return f"unpacked from {sys.executable}"
    return f"{spec and spec.origin} {places}"


def is_missing() -> bool:
    """Whether certifi is neither installed nor beside certhook, nor frozen into the program."""
    spec = find_package(PACKAGE)
    if spec is not None or file(spec) is not None:
        return False
    from importlib.util import find_spec

    return find_spec(FROZEN) is None


def file(spec: "ModuleSpec | None") -> "str | None":
    """The path of the bundle, None where it is no file."""
    for folder in folders(spec):
        path = os.path.join(folder, FILE)
        if os.path.isfile(path):
            return path
    return None


def unpacked(path: str) -> bool:
    """Whether *path* is inside a program that unpacks itself at every start, as PyInstaller's single files do."""
    folder = getattr(sys, "_MEIPASS", None)
    if not isinstance(folder, str) or not path.startswith(folder + os.sep):
        return False
    stays = os.path.dirname(sys.executable)
    return folder != stays and not folder.startswith(stays + os.sep)
