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
from certhook._sources.reading import read_file, read_text
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Callable

    from certhook._sources.collector import Collector

#: What the bundle is called in :data:`FROZEN`.
FROZEN_PEM = "PEM"


def read(collector: Collector) -> None:
    """Read the bundle that ``CERTHOOK_BUNDLE`` names, or certifi's, into *collector*."""
    named = collector.config.bundle
    if named is not None:
        if named:  # else it was refused, and is not replaced by another
            read_file(collector, "bundled", named, "CERTHOOK_BUNDLE")
        return
    spec = find_package(PACKAGE)
    path = _certifi.bundle_path(spec)
    if path is not None and _certifi.is_unpacked(path):
        # The next start unpacks it to another place: it changes with the program.
        collector.recorder.watch(sys.executable)
        read_text(collector, "bundled", path, _files.read(path))
        return
    if path is not None:
        read_file(collector, "bundled", path)
        return
    if spec is None and (_read_beside(collector) or _read_frozen(collector)):
        return
    if spec is None:
        message = "is not installed; 'pip install certifi', or CERTHOOK_SOURCES=system to do without it"
        collector.problems.append(SourceError(PACKAGE, message))
        return
    for folder in _certifi.directories(spec):
        _watch_archive(collector, folder)
    try:
        data = read_resource(PACKAGE)
    except SourceError as failure:
        path = _named_by_certifi()
        if path is not None:
            read_file(collector, "bundled", path)
        elif not _read_frozen(collector):
            collector.problems.append(failure)
        return
    read_text(collector, "bundled", f"{PACKAGE}/{FILE} (through its loader)", data)


def _read_beside(collector: Collector) -> bool:
    """Read the bundle that lies beside certhook in the archive that the drop-in is in."""
    try:
        (folder,) = _certifi.directories(None)
        path = os.path.join(folder, FILE)
        data = __spec__.loader.get_data(path)  # type: ignore[union-attr]
    except Exception:
        return False
    _watch_archive(collector, folder)
    read_text(collector, "bundled", path, data)
    return True


def _read_frozen(collector: Collector) -> bool:
    """Read the module that ``python -m certhook freeze-bundle`` wrote."""
    try:
        data = getattr(__import__(FROZEN), FROZEN_PEM)
    except Exception:
        return False
    if not isinstance(data, bytes):
        return False
    # It is part of some program, which no path need name: an embedded interpreter's sys.executable
    # may be the system's Python. So nobody takes a store for it over from another program.
    collector.recorder.volatile = True
    read_text(collector, "bundled", FROZEN, data)
    return True


def _watch_archive(collector: Collector, folder: str) -> None:
    """Have a change of the archive that *folder* is in seen, or of the program where it is in memory."""
    while folder and not os.path.exists(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    archive = folder if os.path.isfile(folder) else sys.executable
    if archive:
        collector.recorder.watch(archive)


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
