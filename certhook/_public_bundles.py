"""Recognising public bundles: the copies of Mozilla's roots that well-known packages ship.

A caller that names one, as requests, httpx, botocore and httplib2 do, requests the usual roots
and gets default trust. A file is recognised by the package that it belongs to in this process,
never by its name alone: ``/etc/company/certifi/cacert.pem`` is a deliberate choice of roots
and is loaded unchanged.

This code runs whenever a program loads a file of roots. It only compares strings, unless the
path ends like the path of a public bundle.
"""

import os
import sys

from certhook import _certifi
from certhook._finder import find_package
from certhook._state import is_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any, Iterable

    from certhook._config import Config

#: The packages that ship a public bundle: the package's name, and the bundle's path in it.
BUNDLES = {
    "certifi": ("certifi", "cacert.pem"),
    "pip": ("pip", "_vendor/certifi/cacert.pem"),
    "botocore": ("botocore", "cacert.pem"),
    "httplib2": ("httplib2", "cacerts.txt"),
}

# The copies of certifi, which extract their bundle to a temporary file if it is in an archive.
_EXTRACTORS = {"certifi": "certifi", "pip": "pip._vendor.certifi"}

_PARAMETERS = ("cafile", "capath", "cadata")


def other_arguments(
    context: "ssl.SSLContext", args: "tuple[Any, ...]", kwargs: "dict[str, Any]", config: "Config"
) -> "dict[str, Any] | None":
    """Return the arguments of ``load_verify_locations`` besides a public bundle that is adopted.

    :returns: None if no adopted bundle is named, or the arguments are invalid, which the real function reports
    """
    named = dict(zip(_PARAMETERS, args))
    if len(args) > len(_PARAMETERS) or not kwargs.keys() <= set(_PARAMETERS) - named.keys():
        return None
    named.update(kwargs)
    file, text = named.get("cafile"), named.get("cadata")
    is_file = file is not None and is_public_file(file, config.adopt)
    is_text = text is not None and is_public_text(text, config.adopt)
    if not (is_file or is_text) or not _may_adopt(context, config):
        return None
    if is_file:
        del named["cafile"]
    if is_text:
        del named["cadata"]
    return {name: value for name, value in named.items() if value is not None}


def _may_adopt(context: "ssl.SSLContext", config: "Config") -> bool:
    """Return whether default trust may replace a public bundle.

    A server that names one requests Mozilla's roots to verify its clients, not the operating system's.
    Without certifi, default trust would contain fewer roots than requested.
    """
    lacks_bundle = "bundled" in config.sources and config.bundle is None and _certifi.is_missing()
    return not lacks_bundle and not is_server(context)


def is_public_file(path: "Any", packages: "Iterable[str]") -> bool:
    """Return whether *path* is the bundle of one of *packages*.

    :param path: the caller's argument, of any type
    :param packages: names of :data:`BUNDLES`
    """
    try:
        path = os.path.normcase(os.fsdecode(path))
    except Exception:
        return False  # The real function reports invalid arguments.
    if "\0" in path:
        return False
    for name in packages:
        package, inner = BUNDLES[name]
        if path.endswith(os.path.normcase(f"/{package}/{inner}")) and _belongs_to(path, package, inner):
            return True
        if name in _EXTRACTORS and _is_extracted(path, _EXTRACTORS[name]):
            return True
    return False


def is_public_text(text: "Any", packages: "Iterable[str]") -> bool:
    """Return whether *text* equals ``certifi.contents()``, and certifi is one of *packages*.

    :param text: the caller's argument, of any type
    """
    if not isinstance(text, str) or not text or "certifi" not in packages:
        return False
    path = _certifi.bundle_path(find_package("certifi"))
    try:
        if path is not None and os.path.getsize(path) != len(text):
            return False
        data = text.encode("ascii")
    except (OSError, ValueError):
        return False
    return _read("certifi", path) == data


def _belongs_to(path: str, package: str, inner: str) -> bool:
    spec = find_package(package)
    if spec is None:
        return False
    for directory in spec.submodule_search_locations or ():
        own = os.path.normcase(os.path.join(directory, inner))
        if path == own:
            return True
        # The directory may have another name: lib64 is a link to lib in many environments.
        # The file itself is not resolved, because Fedora's certifi is a link to the system's bundle.
        if os.path.isabs(path) and _real_directory(path) == _real_directory(own):
            return True
    return False


def _real_directory(path: str) -> str:
    return os.path.realpath(os.path.dirname(path))


def _is_extracted(path: str, package: str) -> bool:
    """Return whether *path* is the temporary file to which this copy of certifi extracted its bundle."""
    core = sys.modules.get(f"{package}.core")
    extracted = getattr(core, "_CACERT_PATH", None)
    if not isinstance(extracted, str) or os.path.normcase(extracted) != path:
        return False
    # Some programs set this private attribute to roots of their own.
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
