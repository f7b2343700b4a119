"""Recognising public bundles: the copies of Mozilla's roots that well-known packages ship.

Who names one of them asks for the usual roots, as requests, httpx, botocore and
httplib2 do, and gets default trust. A file is recognised by the package that it
belongs to in this process, never by its name alone: ``/etc/company/certifi/cacert.pem``
is somebody's own choice of roots, and stays that.

This runs whenever a program loads a file of roots: a comparison of strings,
unless the path ends like one of these.
"""

import os
import sys

from certhook import _certifi
from certhook._finder import find_package
from certhook._patch import is_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any, Iterable

    from certhook._config import Config

#: By whose it is: the package, and where its bundle is in it.
BUNDLES = {
    "certifi": ("certifi", "cacert.pem"),
    "pip": ("pip", "_vendor/certifi/cacert.pem"),
    "botocore": ("botocore", "cacert.pem"),
    "httplib2": ("httplib2", "cacerts.txt"),
}

# The copies of certifi, which unpack their bundle where it is no file.
_UNPACKERS = {"certifi": "certifi", "pip": "pip._vendor.certifi"}


def public(context: "ssl.SSLContext", file: "Any", text: "Any", config: "Config") -> "tuple[bool, bool]":
    """Whether *file* and *text*, which *context* is to load, are public bundles that are adopted.

    Whose clients are to be verified meant Mozilla's roots, and not the operating
    system's: nothing is adopted for a server. Nor is it where there is no bundle, and
    default trust would be less than what was asked for.
    """
    is_file = file is not None and is_public_file(file, config.adopt)
    is_text = text is not None and is_public_text(text, config.adopt)
    if is_file or is_text:
        no_bundle = "bundled" in config.sources and config.bundle is None and _certifi.is_missing()
        if no_bundle or is_server(context):
            return False, False
    return is_file, is_text


def is_public_file(path: "Any", owners: "Iterable[str]") -> bool:
    """Whether *path* is the bundle of one of *owners*.

    :param path: what a caller named as a file, of any type
    :param owners: names of :data:`BUNDLES`
    """
    try:
        path = os.path.normcase(os.fsdecode(path))
    except Exception:
        return False  # What is wrong with it, the real function says.
    if "\0" in path:
        return False
    for owner in owners:
        package, inner = BUNDLES[owner]
        if path.endswith(os.path.normcase(f"/{package}/{inner}")) and _belongs_to(path, package, inner):
            return True
        if owner in _UNPACKERS and _is_unpacked(path, _UNPACKERS[owner]):
            return True
    return False


def is_public_text(text: "Any", owners: "Iterable[str]") -> bool:
    """Whether *text* is what ``certifi.contents()`` returns, and certifi is among *owners*.

    :param text: what a caller handed over as certificates, of any type
    """
    if not isinstance(text, str) or not text or "certifi" not in owners:
        return False
    path = _certifi.file(find_package("certifi"))
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
    for folder in spec.submodule_search_locations or ():
        own = os.path.normcase(os.path.join(folder, inner))
        if path == own:
            return True
        # By another name of its folder: lib64 is a link to lib in many environments.
        # The file itself is not resolved: Fedora's certifi is a link to the system's bundle.
        if os.path.isabs(path) and _real_folder(path) == _real_folder(own):
            return True
    return False


def _real_folder(path: str) -> str:
    return os.path.realpath(os.path.dirname(path))


def _is_unpacked(path: str, package: str) -> bool:
    """Whether *path* is the temporary file to which this copy of certifi unpacked its bundle from an archive."""
    core = sys.modules.get(f"{package}.core")
    unpacked = getattr(core, "_CACERT_PATH", None)
    if not isinstance(unpacked, str) or os.path.normcase(unpacked) != path:
        return False
    # Programs set certifi's private name to roots of their own, too.
    data = _read(package, None)
    return data is not None and data == _read(package, unpacked)


def _read(package: str, path: "str | None") -> "bytes | None":
    """The file at *path*, or the bundle of *package* through the import system; None if there is none."""
    from certhook._files import read
    from certhook._sources import bundled
    from certhook.exceptions import SourceError

    try:
        return bundled.read_resource(package) if path is None else read(path)
    except SourceError:
        return None
