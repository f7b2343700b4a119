"""Adoption: answering a request for a public bundle with that bundle plus the other anchors of default trust.

requests, httpx, botocore, httplib2 and others name a public bundle for every connection. A caller
that names one requests the usual roots. If the bundle was reduced after its installation, it is
a choice of roots, and :func:`certhook._trust.apply` rejects the request.

This module is imported for the first context with a file of roots.
"""

import os
import sys

from certhook import _certifi, _public_bundles
from certhook._finder import find_package
from certhook._public_bundles import BUNDLES, CERTIFI
from certhook._state import is_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any

    from certhook._config import Config
    from certhook._public_bundles import Bundles

# The copies of certifi, and their modules. They extract their bundle to a temporary file if it is in an archive.
_COPIES_OF_CERTIFI = [
    (bundle, bundle.replace(f"/{_certifi.FILE}", ".core").replace("/", ".")) for bundle in BUNDLES if CERTIFI in bundle
]

_PARAMETERS = ("cafile", "capath", "cadata")


def find_request(
    context: "ssl.SSLContext", args: "tuple[Any, ...]", kwargs: "dict[str, Any]", config: "Config"
) -> "tuple[str | None, dict[str, Any]] | None":
    """Return the public bundle that a call of ``load_verify_locations`` requests, and the other arguments.

    A request for a file that ``certhook env`` wrote is a request for default trust: the bundle is None.

    A server that names a public bundle requests Mozilla's roots to verify its clients, not the operating system's.

    :returns: None if the request is not adopted, or the arguments are invalid, which the real function reports
    """
    named = dict(zip(_PARAMETERS, args))
    if len(args) > len(_PARAMETERS) or not kwargs.keys() <= set(_PARAMETERS) - named.keys():
        return None
    named.update(kwargs)
    file, text = named.get("cafile"), named.get("cadata")
    bundle = None if file is None else find_file(file, config.adopt)
    is_exported = bundle is None and file is not None and config.adopt != () and _is_exported(file, config)
    if bundle is not None or is_exported:
        del named["cafile"]
    if text is not None and is_public_text(text, config.adopt):
        del named["cadata"]
        bundle = bundle or CERTIFI
    if (bundle is None and not is_exported) or is_server(context):
        return None
    return bundle, {name: value for name, value in named.items() if value is not None}


def find_file(path: "Any", bundles: "Bundles") -> "str | None":
    """Return the public bundle at *path* if it is one of *bundles*, None otherwise.

    :param path: the caller's argument, of any type
    """
    bundle = _public_bundles.find(path, bundles)
    if bundle is None:
        for copy, module in _COPIES_OF_CERTIFI:
            is_adopted = module in sys.modules and (bundles is None or copy in bundles)
            if is_adopted and _is_extracted(path, module):
                return copy
    return bundle


def _is_exported(path: "Any", config: "Config") -> bool:
    try:
        return config.is_exported(os.fsdecode(path))
    except Exception:
        return False  # The real function reports invalid arguments.


def is_public_text(text: "Any", bundles: "Bundles") -> bool:
    """Return whether *text* equals ``certifi.contents()``, and certifi's bundle is one of *bundles*.

    :param text: the caller's argument, of any type
    """
    if not isinstance(text, str) or not text or CERTIFI not in (BUNDLES if bundles is None else bundles):
        return False
    path = _certifi.bundle_path(find_package("certifi"))
    try:
        if path is not None and os.path.getsize(path) != len(text):
            return False
        data = text.encode("ascii")
    except (OSError, ValueError):
        return False
    return _read("certifi", path) == data


def _is_extracted(path: "Any", module: str) -> bool:
    """Return whether *path* is the temporary file to which certifi's *module* extracted its bundle."""
    extracted = getattr(sys.modules[module], "_CACERT_PATH", None)
    if not isinstance(extracted, str) or path not in (extracted, os.fsencode(extracted)):
        return False
    # Some programs set this private attribute to roots of their own.
    package = module.rpartition(".")[0]
    data = _read(package, None)
    return data is not None and data == _read(package, extracted)


def _read(package: str, path: "str | None") -> "bytes | None":
    """Return the content of *path*, or of the bundle of *package* if *path* is None; None if it cannot be read."""
    from certhook._files import read
    from certhook._sources.bundled import read_resource
    from certhook.exceptions import SourceError

    try:
        return read_resource(package) if path is None else read(path)
    except SourceError:
        return None
