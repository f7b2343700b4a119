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
    from typing import Any, Callable, Optional, Tuple

    #: Paths of public bundles as in :data:`BUNDLES`; None for all of these.
    Bundles = Optional[Tuple[str, ...]]

#: The bundle of certifi.
CERTIFI = "certifi/cacert.pem"
#: The bundle of grpcio, which passes it to its own TLS stack.
GRPC = "grpc/_cython/_credentials/roots.pem"

#: The public bundles: a package, and the path of the file in it, always with slashes. Each file contains most of
#: Mozilla's roots of its time, and the package passes it to Python's ssl. A file with a few roots that a vendor
#: chose for its own servers (stripe, braintree, duo_client, dropbox, coinbase, newrelic) restricts trust on purpose.
BUNDLES = (
    CERTIFI,
    "pip/_vendor/certifi/cacert.pem",
    "botocore/cacert.pem",
    "botocore/vendored/requests/cacert.pem",  # in old releases such as 1.8.50
    "httplib2/cacerts.txt",
    GRPC,
    "aliyunsdkcore/vendored/requests/packages/certifi/cacert.pem",
    "algoliasearch/resources/ca-bundle.crt",  # in old releases such as 1.6.6
    "awscli/botocore/cacert.pem",
    "boto/cacerts/cacerts.txt",
    "bypy/bypy.cacerts.pem",
    "chargebee/ssl/ca-certs.crt",
    "conekta/ssl_data/ca_bundle.crt",  # in old releases such as 2.6.1
    "createsend/cacert.pem",
    "facebook_business/fb_ca_chain_bundle.crt",
    "hyper/certs.pem",
    "ibm_botocore/cacert.pem",
    "openai/data/ca-certificates.crt",  # in old releases such as 0.6.0
    "pingpp/data/ca-certificates.crt",
    "pipenv/patched/pip/_vendor/certifi/cacert.pem",
    "pipenv/patched/notpip/_vendor/certifi/cacert.pem",  # in old releases such as 2021.11.23
    "pipenv/vendor/certifi/cacert.pem",  # in old releases such as 2021.11.23
    "pusher/cacert.pem",
    "raven/data/cacert.pem",
    "razorpay/ca-bundle.crt",
    "requests/cacert.pem",  # removed in 2.16
    "shotgun_api3/lib/certifi/cacert.pem",
    "shotgun_api3/lib/httplib2/cacerts.txt",
    "shotgun_api3/lib/httplib2/python3/cacerts.txt",  # in old releases such as 3.2.4
    "tinify/data/cacert.pem",
    "twilio/conf/cacert.pem",  # removed in 6
    "txclib/cacert.pem",
)

# The same paths with the separators and the case of this platform.
_ENDS = tuple(map(os.path.normcase, BUNDLES))

# The directories of OpenSSL in a conda environment, on POSIX and on Windows.
_CONDA_PARTS = (("ssl",), ("Library", "ssl"))


def select(value: str, refuse: "Callable[[str], None]") -> "Bundles":
    """Parse the value of ``CERTHOOK_ADOPT``: names of packages in :data:`BUNDLES`, and paths of other bundles.

    :param refuse: reports an invalid value
    """
    entries = [entry.strip() for entry in value.split(",") if entry.strip()]
    if not entries and not value.strip():
        return None
    packages = tuple(dict.fromkeys([split(bundle)[0] for bundle in BUNDLES]))
    selected: list[str] = []
    # Only commas: both variables in "$A,$B" were unset.
    invalid = [] if entries else [""]
    for entry in entries:
        package = entry.lower().replace("-", "_")
        if package in packages:
            selected += [bundle for bundle in BUNDLES if split(bundle)[0] == package]
        elif _is_path_in_package(entry):
            selected.append(entry)
        elif package != "none":
            invalid.append(entry)
    bundles = () if "none" in [entry.lower() for entry in entries] else tuple(dict.fromkeys(selected))
    if invalid:
        from certhook._text import shown, shown_entry

        using = dict.fromkeys([split(bundle)[0] if bundle in BUNDLES else bundle for bundle in bundles])
        refuse(
            f"{shown(value)} contains {shown_entry(invalid[0], value)} (expected {' or '.join(packages)} or none or a "
            f"path like package/cacert.pem, separated by commas); using {','.join(using) or 'none'}"
        )
    return bundles


def _is_path_in_package(entry: str) -> bool:
    package, *inner = entry.split("/")
    is_relative = all(part.strip(". ") and not set(part) & set("\\:\0") for part in inner)
    return package.isidentifier() and bool(inner) and is_relative


def split(bundle: str) -> "tuple[str, str]":
    """Return the package of *bundle*, and the path in it."""
    package, _, inner = bundle.partition("/")
    return package, inner


def find(path: "Any", bundles: "Bundles") -> "str | None":
    """Return the public bundle at *path* if it is one of *bundles*, None otherwise.

    :param path: the caller's argument, of any type
    """
    try:
        path = os.path.normcase(os.fsdecode(path))
    except Exception:
        return None  # The real function reports invalid arguments.
    ends = _ENDS if bundles is None else tuple(map(os.path.normcase, bundles))
    if not path.endswith(ends) or "\0" in path:
        return None
    for bundle in BUNDLES if bundles is None else bundles:
        if path.endswith(os.path.normcase(bundle)) and _is_in_package(path, *split(bundle)):
            return bundle
    return None


def installed(bundles: "Bundles") -> "list[str]":
    """Return the public bundles among *bundles* that installed packages contain."""
    found = []
    for bundle in BUNDLES if bundles is None else bundles:
        package, inner = split(bundle)
        directories = getattr(find_package(package), "submodule_search_locations", None) or ()
        if any(os.path.isfile(os.path.join(directory, inner)) for directory in directories):
            found.append(bundle)
    return found


def named_by_variables(file: str, directory: "str | None", bundles: "Bundles") -> "str | None":
    """Return the public bundle that ``SSL_CERT_FILE`` names, None if the variables choose other roots.

    :param file: the value of ``SSL_CERT_FILE``
    :param directory: the value of ``SSL_CERT_DIR``, None if it is unset
    :param bundles: as in :func:`find`; an empty tuple disables conda's bundle as well
    :returns: a public bundle, or the path of conda's bundle
    """
    prefix = os.environ.get("CONDA_PREFIX", "")
    ssl_directories = [os.path.join(prefix, *parts) for parts in _CONDA_PARTS] if os.path.isabs(prefix) else []
    if directory is not None and directory not in [os.path.join(one, "certs") for one in ssl_directories]:
        return None
    bundle = find(file, bundles)
    if bundle is None and bundles != () and file in [os.path.join(one, _certifi.FILE) for one in ssl_directories]:
        return file
    return bundle


def index_key(bundle: str) -> str:
    """Return the text that identifies *bundle* in the settings of an index."""
    if os.path.isabs(bundle):
        return bundle
    package, inner = split(bundle)
    spec = find_package(package)
    if bundle == CERTIFI:
        return _certifi.index_key(spec)
    directories = list(getattr(spec, "submodule_search_locations", None) or ())
    if any(_certifi.is_unpacked(os.path.join(directory, inner)) for directory in directories):
        return f"{bundle} unpacked from {sys.executable}"
    return f"{bundle} {spec and spec.origin} {directories}"


def _is_in_package(path: str, package: str, inner: str) -> bool:
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
