"""The operating system's store.

1. ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, where either is set: exactly as
   OpenSSL reads them. The one that is set replaces its compiled-in twin, the
   other twin stays. Read here and not by OpenSSL, so LibreSSL, which ignores
   both, obeys as well. Nothing else is consulted then, even if they hold
   nothing: a typing mistake never widens trust.
2. The store that Windows or macOS has.
3. OpenSSL's compiled-in file and directory.
4. The well-known places: the first file and the first directory with an anchor. Windows has none.
"""

from __future__ import annotations

import os
import sys

from certhook._config import may_be_paths
from certhook._sources import locations
from certhook._sources.locations import HASHED
from certhook._sources.reading import read_directory, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from certhook._sources.collector import Collector


def read(collector: Collector) -> None:
    """Read the operating system's store into *collector*."""
    if collector.config.overrides_system:
        _read_openssl(collector)
        return
    own = own_store()
    if own is not None:
        own.read(collector)
    if not _read_openssl(collector) and sys.platform != "win32":
        _read_well_known(collector)


def own_store() -> ModuleType | None:
    """The module that reads the store this operating system has besides files, None where there is none.

    Platforms are chosen here alone; such a module has ``read`` and ``read_disallowed``.
    """
    if sys.platform == "win32":
        from certhook._sources import windows

        return windows
    if sys.platform == "darwin":
        from certhook._sources import macos

        return macos
    return None


def compiled_in() -> tuple[str, str]:
    """OpenSSL's compiled-in file and directory of this interpreter."""
    import _ssl

    _, file, _, directory = _ssl.get_default_verify_paths()
    return file, directory


def _read_openssl(collector: Collector) -> int:
    config = collector.config
    file, directory = compiled_in()
    named = [config.cert_file or "", *_split(config.cert_dir or "")]
    if not all(os.path.isabs(path) for path in named if path):
        collector.recorder.volatile = True  # The working directory may be another one next time.
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
    # OpenSSL takes these two relative to the working directory, so that is kept.
    return os.path.abspath(path) if path else path


def _read_well_known(collector: Collector) -> None:
    files, directories = locations.of()
    if collector.config.nix_cert_file is not None:
        files = (*files, collector.config.nix_cert_file)
    for file in files:
        if read_file(collector, "system", file):
            break
    for directory, layout in directories:
        if read_directory(collector, "system", directory, layout):
            break
