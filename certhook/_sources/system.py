"""The operating system's store.

``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, if either is set, have the meaning that they have for OpenSSL:
each replaces the compiled-in file or directory, and an unset one leaves it in place. Nothing else
is read then, so that a typing error never widens trust, except the stores of Windows, which CPython
always loads. certhook reads both variables itself, because LibreSSL ignores them. If
``SSL_CERT_FILE`` names a public bundle, it does not replace the system's store.

Otherwise, all of these are read:

1. the native stores of Windows or macOS;
2. the file that ``NIX_SSL_CERT_FILE`` names, which precedes the compiled-in file as in nixpkgs' OpenSSL;
3. OpenSSL's compiled-in file and directories;
4. the first well-known file and the first well-known directory with an anchor: those of the operating
   system, if OpenSSL belongs to another prefix (conda, Homebrew). Windows has none;
5. on Android, the directories of CAs that the user added.
"""

from __future__ import annotations

import os
import sys

from certhook._path_values import may_be_paths
from certhook._secrets import hidden_path_kind
from certhook._sources.locations import HASHED, is_openssl_of_nixpkgs, users_directories, well_known
from certhook._sources.native import native_store
from certhook._sources.reading import read_directory, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable

    from certhook._config import Config
    from certhook._sources.collector import Collector


def read(collector: Collector) -> None:
    """Read the operating system's store into *collector*."""
    config = collector.config
    native = native_store()
    if native is not None and (not config.overrides_system or sys.platform == "win32"):
        native.read(collector)
    if config.nix_cert_file is not None and (not config.overrides_system or is_openssl_of_nixpkgs()):
        # nixpkgs sets it to a missing file to select no roots.
        setting = "NIX_SSL_CERT_FILE" if os.path.isfile(config.nix_cert_file) else None
        if setting or not hidden_path_kind(config.nix_cert_file):
            read_file(collector, "system", config.nix_cert_file, setting)
    _read_openssl_locations(collector)
    if not config.overrides_system and sys.platform != "win32":
        _read_well_known(collector)


def compiled_in() -> tuple[str, str]:
    """Return the file and the directory that are compiled into this interpreter's OpenSSL."""
    import _ssl

    _, file, _, directory = _ssl.get_default_verify_paths()
    return file, directory


def directories(config: Config) -> list[str]:
    """Return the directories in which this interpreter's OpenSSL looks up certificates."""
    value = compiled_in()[1] if config.cert_dir is None else config.cert_dir
    return [_absolute(path) for path in _split(value) if path]


def _read_openssl_locations(collector: Collector) -> None:
    config = collector.config
    # A caller that names a public bundle does not load these.
    is_stock = config.requested is None
    file, directory = compiled_in()
    configured = [config.cert_file or "", *_split(config.cert_dir or "")]
    if not all(os.path.isabs(path) for path in configured if path):
        collector.recorder.volatile = True  # The working directory may change.
    if config.overrides_system and config.cert_file is not None:
        read_file(collector, "system", _absolute(config.cert_file), "SSL_CERT_FILE", is_stock=is_stock)
    elif file:
        read_file(collector, "system", file, is_stock=is_stock)
    if config.cert_dir is not None:
        for path in _split(config.cert_dir) or [""]:
            if path == config.cert_dir and _is_store_file(path):
                read_file(collector, "system", _absolute(path), "SSL_CERT_DIR", is_stock=is_stock)
            else:
                read_directory(collector, "system", _absolute(path), HASHED, "SSL_CERT_DIR", is_stock=is_stock)
    if config.cert_dir is None or not config.overrides_system:
        for path in _split(directory):
            read_directory(collector, "system", path, HASHED, is_stock=is_stock)


def _is_store_file(path: str) -> bool:
    """Return whether OpenSSL reads *path*, the value of ``SSL_CERT_DIR``, as a file.

    OpenSSL 3.0 to 3.3 also open the whole value as a URI (``X509_LOOKUP_store``), which may be the path of a file.
    """
    import _ssl

    return 0x30000000 <= _ssl.OPENSSL_VERSION_NUMBER < 0x30400000 and os.path.isfile(path)


def _split(directories: str) -> list[str]:
    return [path for path in directories.split(os.pathsep) if path] if may_be_paths(directories) else [directories]


def _absolute(path: str) -> str:
    # OpenSSL accepts relative paths in these two variables.
    return os.path.abspath(path) if path else path


def _read_well_known(collector: Collector) -> None:
    files, directories = well_known(sys.platform)
    _read_first(collector, files, lambda path: read_file(collector, "system", path))
    layouts = dict(directories)
    _read_first(collector, layouts, lambda path: read_directory(collector, "system", path, layouts[path]))
    for path, layout in users_directories(sys.platform):
        read_directory(collector, "system", path, layout)


def _read_first(collector: Collector, paths: Iterable[str], read_path: Callable[[str], int]) -> None:
    """Read *paths* up to the first one with an anchor. Locations that were read already are not read again."""
    counts = {os.path.realpath(one.path): one.count for one in collector.locations if one.source == "system"}
    for path in paths:
        real = os.path.realpath(path)
        if counts[real] if real in counts else read_path(path):
            break
