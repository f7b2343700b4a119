"""The distributions of this interpreter that ``enable`` copies into another one."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from typing import Mapping, NamedTuple

from certhook.cli.enable import files
from certhook.cli.enable.installed import DETAILS, INSTALLER
from certhook.cli.enable.interpreter import Refused

# Written by the installer of this interpreter, about this interpreter.
_BOOKKEEPING = ("RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json", DETAILS)


class Wheel(NamedTuple):
    """The files of a distribution, as its wheel contains them.

    :ivar dist_info: the name of the dist-info directory
    :ivar contents: the content of each file by its path, which uses "/"
    """

    name: str
    version: str
    dist_info: str
    contents: Mapping[str, bytes]

    def hashes(self) -> dict[str, str]:
        """The hashes of the installed files except ``RECORD`` and :data:`DETAILS`."""
        installed = {**self.contents, f"{self.dist_info}/INSTALLER": INSTALLER}
        return {path: files.digest(content) for path, content in installed.items()}


def read_wheel(name: str) -> Wheel:
    """Read the files of the distribution *name* that is installed in this interpreter.

    :raises Refused: if *name* is not an installed distribution, or its files differ from its ``RECORD``
    """
    try:
        distribution = importlib.metadata.distribution(name)
        paths = distribution.files or []
    except importlib.metadata.PackageNotFoundError:
        paths = []
    records = [path for path in paths if path.name == "RECORD" and path.parent.name.endswith(".dist-info")]
    _check_import(name, paths)
    dist_info = str(records[0].parent)
    contents = {path.as_posix(): _verified(path) for path in paths if _belongs_in_wheel(path, dist_info)}
    return Wheel(name, distribution.version, dist_info, contents)


def _check_import(name: str, paths: list[importlib.metadata.PackagePath]) -> None:
    """Check that the package *name* is imported from the files in *paths*.

    It is not if the package is in a source tree, in an archive, or installed as editable.
    """
    spec = importlib.util.find_spec(name)
    origin = spec.origin if spec else None
    located = [path.locate() for path in paths if path.as_posix() == f"{name}/__init__.py"]
    if origin and os.path.exists(origin) and any(os.path.samefile(path, origin) for path in located):
        return
    raise Refused(
        f"{name} is not installed here from a wheel (found: {origin or 'nothing'}), so its files cannot be verified; "
        f"run 'enable' from a Python in which pip installed {name}"
    )


def _belongs_in_wheel(path: importlib.metadata.PackagePath, dist_info: str) -> bool:
    # Scripts are outside of site-packages.
    is_outside = path.is_absolute() or ".." in path.parts
    is_bookkeeping = str(path.parent) == dist_info and path.name in _BOOKKEEPING
    return not (is_outside or is_bookkeeping or path.suffix in (".pyc", ".pyo"))


def _verified(path: importlib.metadata.PackagePath) -> bytes:
    located = str(path.locate())
    try:
        content = files.read_path(located)
    except OSError as error:
        raise Refused(f"{located}, which RECORD lists, cannot be read: {error.strerror}") from None
    if path.hash is None or files.digest(content) != f"{path.hash.mode}={path.hash.value}":
        raise Refused(f"{located} differs from the hash in RECORD; reinstall the package with pip")
    return content
