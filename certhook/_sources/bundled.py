"""Mozilla's roots, as certifi ships them: on disk, in an archive, or in memory.

Where the bundle is no file (a zip, a frozen application), the resource APIs are
asked, each of which fails for some loader and may raise anything while it does.
"""

from __future__ import annotations

import os
import sys

from certhook import _certifi, _files
from certhook._certifi import FILE, FROZEN, PACKAGE
from certhook._finder import find_package
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Callable

    from certhook._sources.reader import Reader

#: What the bundle is called in :data:`FROZEN`.
FROZEN_PEM = "PEM"


def read(reader: Reader) -> None:
    """Read the bundle that ``CERTHOOK_BUNDLE`` names, or certifi's, into *reader*."""
    named = reader.config.bundle
    if named is not None:
        if named:  # else it was refused, and is not replaced by another
            reader.file("bundled", named, "CERTHOOK_BUNDLE")
        return
    spec = find_package(PACKAGE)
    path = _certifi.file(spec)
    if path is not None and _certifi.unpacked(path):
        # The next start unpacks it to another place: it changes with the program.
        reader.watch(sys.executable)
        reader.text("bundled", path, _files.read(path))
        return
    if path is not None:
        reader.file("bundled", path)
        return
    if spec is None and (_read_beside(reader) or _read_frozen(reader)):
        return
    if spec is None:
        message = "is not installed; 'pip install certifi', or CERTHOOK_SOURCES=system to do without it"
        reader.problems.append(SourceError(PACKAGE, message))
        return
    for folder in _certifi.folders(spec):
        _watch_archive(reader, folder)
    try:
        data = read_resource(PACKAGE)
    except SourceError as failure:
        path = _named_by_certifi()
        if path is not None:
            reader.file("bundled", path)
        elif not _read_frozen(reader):
            reader.problems.append(failure)
        return
    reader.text("bundled", f"{PACKAGE}/{FILE} (through its loader)", data)


def _read_beside(reader: Reader) -> bool:
    """Read the bundle that lies beside certhook in the archive that the drop-in is in."""
    try:
        (folder,) = _certifi.folders(None)
        path = os.path.join(folder, FILE)
        data = __spec__.loader.get_data(path)  # type: ignore[union-attr]
    except Exception:
        return False
    _watch_archive(reader, folder)
    reader.text("bundled", path, data)
    return True


def _read_frozen(reader: Reader) -> bool:
    """Read the module that ``python -m certhook freeze-bundle`` wrote."""
    try:
        data = getattr(__import__(FROZEN), FROZEN_PEM)
    except Exception:
        return False
    if not isinstance(data, bytes):
        return False
    # It is part of some program, which no path need name: an embedded interpreter's sys.executable
    # may be the system's Python. So nobody takes a store for it over from another program.
    reader.volatile = True
    reader.text("bundled", FROZEN, data)
    return True


def _watch_archive(reader: Reader, folder: str) -> None:
    """Have a change of the archive that *folder* is in seen, or of the program where it is in memory."""
    while folder and not os.path.exists(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    archive = folder if os.path.isfile(folder) else sys.executable
    if archive:
        reader.watch(archive)


def read_resource(package: str) -> bytes:
    """The bundle of *package*, a copy of certifi, through the import system.

    :raises SourceError: where nothing can read it
    """
    failures = []
    spec = find_package(package)
    for attempt in _ATTEMPTS if spec is not None else ():
        try:
            data = attempt(spec)  # type: ignore[arg-type]
            if data:
                return data
            failures.append(f"{attempt.__name__[1:]}: empty")
        except Exception as error:
            failures.append(f"{attempt.__name__[1:]}: {error!r}")
    reasons = "; ".join(failures)
    raise SourceError(package, f"has no {FILE} that can be read ({reasons}); CERTHOOK_BUNDLE can name a PEM file")


def _named_by_certifi() -> str | None:
    """The file that a distribution's certifi names in place of a bundle of its own, as Fedora's does."""
    try:
        from certifi import where

        path = where()
        return path if os.path.isfile(path) else None
    except Exception:
        return None


def _files_api(spec: ModuleSpec) -> bytes:
    # In the standard library of 3.9 and 3.10, files() fails over a legacy ResourceReader.
    if sys.version_info >= (3, 11):
        from importlib.resources import files
    else:
        from importlib_resources import files
    return files(spec.name).joinpath(FILE).read_bytes()


def _read_binary(spec: ModuleSpec) -> bytes:
    import importlib.resources

    return importlib.resources.read_binary(spec.name, FILE)


def _get_data(spec: ModuleSpec) -> bytes:
    folder = (spec.submodule_search_locations or [])[0]
    return spec.loader.get_data(os.path.join(folder, FILE))  # type: ignore[union-attr, no-any-return]


_ATTEMPTS: tuple[Callable[[ModuleSpec], bytes], ...] = (_files_api, _read_binary, _get_data)
