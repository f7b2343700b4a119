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
from certhook._sources import places
from certhook._sources.places import HASHED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from certhook._sources.reader import Reader


def read(reader: Reader) -> None:
    """Read the operating system's store into *reader*."""
    if reader.config.explicit:
        _read_openssl(reader)
        return
    own = own_store()
    if own is not None:
        own.read(reader)
    if not _read_openssl(reader) and sys.platform != "win32":
        _read_well_known(reader)


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


def _read_openssl(reader: Reader) -> int:
    config = reader.config
    file, directory = compiled_in()
    named = [config.cert_file or "", *_split(config.cert_dir or "")]
    if not all(os.path.isabs(path) for path in named if path):
        reader.volatile = True  # The working directory may be another one next time.
    count = 0
    if config.cert_file is not None:
        count += reader.file("system", _absolute(config.cert_file), "SSL_CERT_FILE")
    elif file:
        count += reader.file("system", file)
    if config.cert_dir is not None:
        for path in _split(config.cert_dir) or [""]:
            count += reader.directory("system", _absolute(path), HASHED, "SSL_CERT_DIR")
    else:
        for path in _split(directory):
            count += reader.directory("system", path, HASHED)
    return count


def _split(directories: str) -> list[str]:
    return [path for path in directories.split(os.pathsep) if path] if may_be_paths(directories) else [directories]


def _absolute(path: str) -> str:
    # OpenSSL takes these two relative to the working directory, so that is kept.
    return os.path.abspath(path) if path else path


def _read_well_known(reader: Reader) -> None:
    files, directories = places.of()
    if reader.config.nix_cert_file is not None:
        files = (*files, reader.config.nix_cert_file)
    for file in files:
        if reader.file("system", file):
            break
    for directory, layout in directories:
        if reader.directory("system", directory, layout):
            break
