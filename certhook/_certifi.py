"""The location of certifi's bundle, found without importing certifi.

Importing certifi imports ``importlib.resources``, which takes 25 ms.
"""

import os
import sys

from certhook._finder import find_module, find_package

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

PACKAGE = "certifi"
FILE = "cacert.pem"
#: The module that contains the bundle in a program that cannot read certifi's file.
FROZEN = "certhook_bundle"


def directories(spec: "ModuleSpec | None") -> "list[str]":
    """Return the directories that may contain certifi's files.

    :param spec: certifi's spec, None if certifi is not installed
    """
    if spec is not None:
        return list(spec.submodule_search_locations or ())
    # The drop-in serves interpreters without certifi, which is then next to certhook.
    # In memory (frozen into C, PyOxidizer), a module has no __file__.
    here = globals().get("__file__")
    return [os.path.join(os.path.dirname(os.path.dirname(here)), PACKAGE)] if here else []


def index_key(spec: "ModuleSpec | None") -> str:
    """Return a text that identifies this bundle in the settings of an index."""
    found = directories(spec)
    if any(is_unpacked(os.path.join(directory, FILE)) for directory in found):
        return f"unpacked from {sys.executable}"
    return f"{spec and spec.origin} {found}"


def is_missing() -> bool:
    """Return whether certifi is neither installed, nor next to certhook, nor frozen into the program."""
    spec = find_package(PACKAGE)
    if spec is not None or bundle_path(spec) is not None:
        return False
    return FROZEN not in sys.modules and find_module(FROZEN) is None


def bundle_path(spec: "ModuleSpec | None") -> "str | None":
    """Return the path of the bundle, None if the bundle is not a file."""
    for directory in directories(spec):
        path = os.path.join(directory, FILE)
        if os.path.isfile(path):
            return path
    return None


def is_unpacked(path: str) -> bool:
    """Return whether the running program unpacks *path* at every start, as PyInstaller's one-file programs do."""
    directory = getattr(sys, "_MEIPASS", None)
    if not isinstance(directory, str) or not path.startswith(directory + os.sep):
        return False
    permanent = os.path.dirname(sys.executable)
    return directory != permanent and not directory.startswith(permanent + os.sep)
