"""Where certifi's bundle is, known without importing certifi.

Importing it would import ``importlib.resources``: 25 ms that nearly nobody needs to pay.
"""

import os

from certhook._finder import find_package

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

PACKAGE = "certifi"
FILE = "cacert.pem"


def folders(spec: "ModuleSpec | None") -> "list[str]":
    """Where the files of certifi would be, if it were on a disk."""
    if spec is not None:
        return list(spec.submodule_search_locations or ())
    # The drop-in serves interpreters in which certifi is not installed: it lies beside certhook.
    return [os.path.join(os.path.dirname(os.path.dirname(__file__)), PACKAGE)]


def is_missing() -> bool:
    """Whether certifi is neither installed nor beside certhook."""
    spec = find_package(PACKAGE)
    return spec is None and file(spec) is None


def file(spec: "ModuleSpec | None") -> "str | None":
    """The path of the bundle, None where it is no file."""
    for folder in folders(spec):
        path = os.path.join(folder, FILE)
        if os.path.isfile(path):
            return path
    return None
