"""Recognising public bundles: the copies of Mozilla's roots that well-known packages ship.

A file is recognised by the package that it belongs to in this process, never by its name alone:
``/etc/company/certifi/cacert.pem`` is a deliberate choice of roots and is loaded unchanged. conda's
copy is recognised by its path below ``CONDA_PREFIX``.

This code runs whenever a program loads a file of roots. It only compares strings, unless the
path ends like the path of a public bundle.
"""

import os
import sys

from certhook import _certifi
from certhook._finder import find_package

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

#: The packages that ship a public bundle: the package's name, and the bundle's path in it.
BUNDLES = {
    "certifi": ("certifi", "cacert.pem"),
    "pip": ("pip", "_vendor/certifi/cacert.pem"),
    "botocore": ("botocore", "cacert.pem"),
    "httplib2": ("httplib2", "cacerts.txt"),
}

# The directories of OpenSSL in a conda environment, on POSIX and on Windows.
_CONDA_PARTS = (("ssl",), ("Library", "ssl"))


def find(path: "Any", packages: "Iterable[str]") -> "str | None":
    """Return the name of the public bundle of one of *packages* that *path* is, None if it is none of them.

    :param path: the caller's argument, of any type
    :param packages: names of :data:`BUNDLES`
    """
    try:
        path = os.path.normcase(os.fsdecode(path))
    except Exception:
        return None  # The real function reports invalid arguments.
    if "\0" in path:
        return None
    for name in packages:
        package, inner = BUNDLES[name]
        if path.endswith(os.path.normcase(f"/{package}/{inner}")) and _belongs_to(path, package, inner):
            return name
    return None


def named_by_variables(file: str, directory: "str | None", packages: "Iterable[str]") -> "str | None":
    """Return the public bundle that ``SSL_CERT_FILE`` names, None if the variables choose other roots.

    :param file: the value of ``SSL_CERT_FILE``
    :param directory: the value of ``SSL_CERT_DIR``, None if it is unset
    :param packages: as in :func:`find`; none disables conda's bundle as well
    :returns: a name of :data:`BUNDLES`, or the path of conda's bundle
    """
    prefix = os.environ.get("CONDA_PREFIX", "")
    ssl_directories = [os.path.join(prefix, *parts) for parts in _CONDA_PARTS] if os.path.isabs(prefix) else []
    if directory is not None and directory not in [os.path.join(one, "certs") for one in ssl_directories]:
        return None
    name = find(file, packages)
    if name is None and packages and file in [os.path.join(one, _certifi.FILE) for one in ssl_directories]:
        return file
    return name


def index_key(name: str) -> str:
    """Return a text that identifies the bundle *name* in the settings of an index."""
    if os.path.isabs(name):
        return name
    package, inner = BUNDLES[name]
    spec = find_package(package)
    if package == _certifi.PACKAGE:
        return _certifi.index_key(spec)
    directories = list(getattr(spec, "submodule_search_locations", None) or ())
    if any(_certifi.is_unpacked(os.path.join(directory, inner)) for directory in directories):
        return f"{name} unpacked from {sys.executable}"
    return f"{name} {spec and spec.origin} {directories}"


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
