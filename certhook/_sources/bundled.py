"""The ``bundled`` source: Mozilla's roots, from a public bundle such as certifi's, or from a configured file.

A public bundle may be a file, a member of an archive, or part of a frozen program. If it is not
a file, it is read through the import system. Each interface for that fails for some loaders,
with any exception.
"""

from __future__ import annotations

import os
import sys

from certhook import _certifi, _files
from certhook._certifi import FILE, FROZEN, PACKAGE
from certhook._finder import find_module, find_package
from certhook._public_bundles import CERTIFI, split
from certhook._sources.reading import read_file, read_text
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Callable

    from certhook._sources.collector import Collector

#: The name of the bundle in the module :data:`FROZEN`.
FROZEN_PEM = "PEM"


def read(collector: Collector) -> None:
    """Read the file in ``CERTHOOK_BUNDLE``, the public bundle that is requested, or certifi's into *collector*."""
    config = collector.config
    if config.bundle:
        read_file(collector, "bundled", config.bundle, "CERTHOOK_BUNDLE")
    if config.bundle is not None:
        return  # Neither certifi's bundle nor the one that is requested replaces an invalid value.
    named = config.named
    if named is None:
        _read_package(collector, CERTIFI)
    elif os.path.isabs(named):
        read_file(collector, "bundled", named, is_stock=True)
    else:
        _read_package(collector, named, is_stock=True)
    # The other anchors of default trust.
    if named not in (None, CERTIFI) and not config.overrides_system and not _certifi.is_missing():
        _read_package(collector, CERTIFI)


def _read_package(collector: Collector, bundle: str, is_stock: bool = False) -> None:
    """Read *bundle*, the path of a file that begins with the name of its package."""
    package, inner = split(bundle)
    spec = find_package(package)
    path = bundle_path(spec, package, inner)
    if path is None:
        _read_without_file(collector, spec, package, inner, is_stock)
    elif _certifi.is_unpacked(path):
        # The program unpacks it to another path at each start, so only the program itself is watched.
        collector.recorder.watch(sys.executable)
        read_text(collector, "bundled", path, _files.read(path), is_stock=is_stock)
    else:
        read_file(collector, "bundled", path, is_stock=is_stock)


def _read_without_file(collector: Collector, spec: ModuleSpec | None, package: str, inner: str, is_stock: bool) -> None:
    # An installer may be replacing the package, so that the file is missing only for a moment.
    for path in filter(os.path.isabs, _candidates(spec, package, inner)):
        collector.recorder.watch(path)
    if spec is not None:
        _read_through_loader(collector, spec, inner, is_stock)
    elif not _read_next_to_package(collector) and not _read_frozen(collector):
        message = "is not installed; run 'pip install certifi', or set CERTHOOK_SOURCES=system to use no bundle"
        collector.problems.append(SourceError(PACKAGE, message))


def bundle_path(spec: ModuleSpec | None, package: str, inner: str) -> str | None:
    """Return the path of the bundle at the path *inner* in *package*, None if it is not a file."""
    return next(filter(os.path.isfile, _candidates(spec, package, inner)), None)


def _candidates(spec: ModuleSpec | None, package: str, inner: str) -> list[str]:
    directories = getattr(spec, "submodule_search_locations", None) or ()
    if package == PACKAGE:
        directories = _certifi.directories(spec)
    return [os.path.join(directory, inner) for directory in directories]


def _read_through_loader(collector: Collector, spec: ModuleSpec, inner: str, is_stock: bool) -> None:
    for directory in spec.submodule_search_locations or ():
        _watch_archive(collector, directory)
    try:
        data = read_resource(spec.name, inner)
    except SourceError as failure:
        path = _path_from_certifi() if spec.name == PACKAGE and _is_importable(PACKAGE, spec) else None
        if path is not None:
            read_file(collector, "bundled", path, is_stock=is_stock)
        elif spec.name != PACKAGE or not _read_frozen(collector):
            collector.problems.append(failure)
        return
    read_text(collector, "bundled", f"{spec.name}/{inner} (through its loader)", data, is_stock=is_stock)


def _read_next_to_package(collector: Collector) -> bool:
    """Read certifi's bundle from the archive that contains certhook, and return whether that succeeded."""
    try:
        (directory,) = _certifi.directories(None)
        path = os.path.join(directory, FILE)
        data = __spec__.loader.get_data(path)  # type: ignore[union-attr]
    except Exception:
        return False
    _watch_archive(collector, directory)
    read_text(collector, "bundled", path, data)
    return True


def _read_frozen(collector: Collector) -> bool:
    """Read the module that ``python -m certhook freezer bundle`` creates, and return whether that succeeded."""
    data = frozen_pem()
    if data is None:
        return False
    # No path identifies the program: in an embedded interpreter, sys.executable may be the system's
    # Python. Another program must not use a store that was built from this module.
    collector.recorder.volatile = True
    read_text(collector, "bundled", FROZEN, data)
    return True


def frozen_pem() -> bytes | None:
    """Return the bundle in the module that ``python -m certhook freezer bundle`` creates, None if there is none."""
    try:
        if not _is_importable(FROZEN, find_module(FROZEN)):
            return None
        data = getattr(__import__(FROZEN), FROZEN_PEM)
    except Exception:
        return None
    return data if isinstance(data, bytes) else None


def _is_importable(name: str, spec: ModuleSpec | None) -> bool:
    """Return whether importing *name* returns the module of *spec*, not one that was imported from elsewhere."""
    imported = getattr(sys.modules.get(name), "__spec__", None)
    if imported is None:
        return spec is not None or name in sys.modules
    return spec is not None and imported.origin == spec.origin


def _watch_archive(collector: Collector, directory: str) -> None:
    """Watch the archive that contains *directory*, or the program if *directory* is in memory."""
    while directory and not os.path.exists(directory) and directory != os.path.dirname(directory):
        directory = os.path.dirname(directory)
    archive = directory if os.path.isfile(directory) else sys.executable
    if archive:
        collector.recorder.watch(archive)


def read_resource(package: str, inner: str = FILE) -> bytes:
    """Read the bundle at the path *inner* in *package* through the import system.

    :raises SourceError: if every interface fails
    """
    failures = []
    spec = find_package(package)
    attempts = _ATTEMPTS if _is_importable(package, spec) else (_get_data,)
    for attempt in attempts if spec is not None else ():
        try:
            data = attempt(spec, inner)  # type: ignore[arg-type]
            if data:
                return data
            failures.append(f"{attempt.__name__[1:]}: empty")
        except Exception as error:
            failures.append(f"{attempt.__name__[1:]}: {error!r}")
    reasons = "; ".join(failures) or "not installed"
    raise SourceError(package, f"its {inner} cannot be read ({reasons}); set CERTHOOK_BUNDLE to the path of a PEM file")


def _path_from_certifi() -> str | None:
    """Return the path from ``certifi.where()``. Fedora's certifi returns the system's bundle."""
    try:
        from certifi import where

        path = where()
        return path if os.path.isfile(path) else None
    except Exception:
        return None


def _files_api(spec: ModuleSpec, inner: str) -> bytes:
    # In the standard library of 3.9 and 3.10, files() fails for a legacy ResourceReader.
    if sys.version_info >= (3, 11):
        from importlib.resources import files
    else:
        from importlib_resources import files
    return files(spec.name).joinpath(inner).read_bytes()


def _read_binary(spec: ModuleSpec, inner: str) -> bytes:
    import importlib.resources

    return importlib.resources.read_binary(spec.name, inner)


def _get_data(spec: ModuleSpec, inner: str) -> bytes:
    directory = (spec.submodule_search_locations or [])[0]
    return spec.loader.get_data(os.path.join(directory, inner))  # type: ignore[union-attr, no-any-return]


_ATTEMPTS: tuple[Callable[[ModuleSpec, str], bytes], ...] = (_files_api, _read_binary, _get_data)
