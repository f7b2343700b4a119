"""The operating system's store.

1. ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, if either is set, with the meaning that they have
   for OpenSSL: each replaces the compiled-in file or directory, and an unset one leaves it in
   place. Nothing else is read then, even if these locations contain no anchor, so that a typing
   error never widens trust. certhook reads them itself because LibreSSL ignores both variables.
2. The native store of Windows or macOS.
3. OpenSSL's compiled-in file and directory.
4. If step 3 found no anchor: the first well-known file and the first well-known directory with
   an anchor. Windows has none.
"""

from __future__ import annotations

import os
import sys

from certhook._config import may_be_paths
from certhook._sources.locations import HASHED, well_known
from certhook._sources.native import native_store
from certhook._sources.reading import read_directory, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._sources.collector import Collector


def read(collector: Collector) -> None:
    """Read the operating system's store into *collector*."""
    if collector.config.overrides_system:
        _read_openssl_locations(collector)
        return
    native = native_store()
    if native is not None:
        native.read(collector)
    if not _read_openssl_locations(collector) and sys.platform != "win32":
        _read_well_known(collector)


def compiled_in() -> tuple[str, str]:
    """Return the file and the directory that are compiled into this interpreter's OpenSSL."""
    import _ssl

    _, file, _, directory = _ssl.get_default_verify_paths()
    return file, directory


def _read_openssl_locations(collector: Collector) -> int:
    config = collector.config
    file, directory = compiled_in()
    configured = [config.cert_file or "", *_split(config.cert_dir or "")]
    if not all(os.path.isabs(path) for path in configured if path):
        collector.recorder.volatile = True  # The working directory may change.
    count = 0
    if config.cert_file is not None:
        count += read_file(collector, "system", _absolute(config.cert_file), "SSL_CERT_FILE")
    elif file:
        count += read_file(collector, "system", file)
    if config.cert_dir is not None:
        for path in _split(config.cert_dir) or [""]:
            count += read_directory(collector, "system", _absolute(path), HASHED, "SSL_CERT_DIR")
    else:
        for path in _split(directory):
            count += read_directory(collector, "system", path, HASHED)
    return count


def _split(directories: str) -> list[str]:
    return [path for path in directories.split(os.pathsep) if path] if may_be_paths(directories) else [directories]


def _absolute(path: str) -> str:
    # OpenSSL accepts relative paths in these two variables.
    return os.path.abspath(path) if path else path


def _read_well_known(collector: Collector) -> None:
    files, directories = well_known(sys.platform)
    if collector.config.nix_cert_file is not None:
        files = (*files, collector.config.nix_cert_file)
    for file in files:
        if read_file(collector, "system", file):
            break
    for directory, layout in directories:
        if read_directory(collector, "system", directory, layout):
            break
