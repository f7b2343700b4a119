"""Where certifi's bundle is, found without importing certifi.

Importing it would import ``importlib.resources``: 25 ms that nearly nobody needs to pay.
"""

import os
import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

PACKAGE = "certifi"
FILE = "cacert.pem"

# The threads that search: a finder that imports from a server makes a context when it is asked.
_searching: "set[int]" = set()


def find(package: str = PACKAGE) -> "ModuleSpec | None":
    """The spec of certifi, or of another top-level *package*; None where it is not installed."""
    module = sys.modules.get(package)
    spec: ModuleSpec | None = getattr(module, "__spec__", None)
    if spec is None:
        from certhook._finder import ask

        thread = get_ident()
        if thread in _searching:
            return None
        try:
            _searching.add(thread)
            for finder in list(sys.meta_path):
                spec = ask(finder, package)
                if spec is not None:
                    break
        finally:
            _searching.discard(thread)
    # Any folder of that name on the path makes a namespace package: these are none.
    return spec if isinstance(getattr(spec, "submodule_search_locations", None), list) else None


def folders(spec: "ModuleSpec | None") -> "list[str]":
    """Where the files of certifi would be, if it were on a disk."""
    if spec is not None:
        return list(spec.submodule_search_locations or ())
    # The drop-in serves interpreters in which certifi is not installed: it lies beside certhook.
    return [os.path.join(os.path.dirname(os.path.dirname(__file__)), PACKAGE)]


def is_missing() -> bool:
    """Whether certifi is neither installed nor beside certhook."""
    spec = find()
    return spec is None and file(spec) is None


def file(spec: "ModuleSpec | None") -> "str | None":
    """The path of the bundle, None where it is no file."""
    for folder in folders(spec):
        path = os.path.join(folder, FILE)
        if os.path.isfile(path):
            return path
    return None
