"""The distributions of this interpreter that ``enable`` copies into another one.

Another user must not be able to modify them: ``RECORD`` protects only against accidents.
"""

from __future__ import annotations

import csv
import errno
import importlib.metadata
import importlib.util
import os
from typing import Iterable, Mapping, NamedTuple

from certhook import _files
from certhook.cli import _metadata
from certhook.cli._protection import Checker, Unprotected
from certhook.cli.enable import files
from certhook.cli.enable.installed import DETAILS, INSTALLER
from certhook.cli.enable.refusal import Refused
from certhook.exceptions import SourceError

# Files that describe the installation in this interpreter, and do not belong in the other one.
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
        """Return the hashes of the installed files, except ``RECORD`` and :data:`DETAILS`."""
        installed = {**self.contents, f"{self.dist_info}/INSTALLER": INSTALLER}
        return {path: files.digest(content) for path, content in installed.items()}


def read_wheel(name: str) -> Wheel:
    """Read the files of the distribution *name* that is installed in this interpreter.

    :raises Refused: if *name* is not installed from a wheel, its files differ from its ``RECORD``, or another user can
        modify them
    """
    distribution = _find_distribution(name)
    paths = distribution.files or []
    dist_info = _dist_info(paths)
    checker = Checker()
    _check(checker, str(distribution.locate_file(f"{dist_info}/RECORD")))
    _refuse_missing(distribution, paths, dist_info)
    contents = {path.as_posix(): _verified(path, checker) for path in paths if _belongs_in_wheel(path, dist_info)}
    return Wheel(name, distribution.version, dist_info, contents)


def _refuse_missing(
    distribution: importlib.metadata.Distribution, paths: Iterable[importlib.metadata.PackagePath], dist_info: str
) -> None:
    """Refuse a distribution without a file of its ``RECORD``, which ``files`` omits from Python 3.12 on."""
    present = {path.as_posix() for path in paths}
    rows = csv.reader((distribution.read_text("RECORD") or "").splitlines())
    for path in [importlib.metadata.PackagePath(row[0]) for row in rows if row]:
        if path.as_posix() not in present and _belongs_in_wheel(path, dist_info):
            located = distribution.locate_file(path)
            raise Refused(f"{located}, which RECORD lists, cannot be read: {os.strerror(errno.ENOENT)}")


def _find_distribution(name: str) -> importlib.metadata.Distribution:
    """Find the distribution that contains the package *name* as it is imported.

    There is none if the package is in a source tree, in an archive, or installed as editable.
    """
    spec = importlib.util.find_spec(name)
    origin = spec.origin if spec else None
    for distribution in _metadata.find(name):
        paths = distribution.files or []
        located = [path.locate() for path in paths if path.as_posix() == f"{name}/__init__.py"]
        if origin and _dist_info(paths) and any(_is_same_file(str(path), origin) for path in located):
            return distribution
    raise Refused(
        f"{name} is not installed here from a wheel (found: {origin or 'nothing'}), so its files cannot be verified; "
        f"run 'enable' from a Python in which pip installed {name}"
    )


def _dist_info(paths: Iterable[importlib.metadata.PackagePath]) -> str:
    """Return the dist-info directory among *paths*; an older format, such as egg-info, has none."""
    metadata = [path for path in paths if len(path.parts) == 2 and path.match("*.dist-info/METADATA")]
    return metadata[0].parts[0] if metadata else ""


def _is_same_file(path: str, origin: str) -> bool:
    try:
        return os.path.samefile(path, origin)
    except OSError:  # A path in an archive does not exist.
        return False


def _belongs_in_wheel(path: importlib.metadata.PackagePath, dist_info: str) -> bool:
    # Scripts are outside of site-packages.
    is_outside = path.is_absolute() or ".." in path.parts
    is_bookkeeping = str(path.parent) == dist_info and path.name in _BOOKKEEPING
    return not (is_outside or is_bookkeeping or path.suffix in (".pyc", ".pyo"))


def _check(checker: Checker, path: str) -> None:
    """Refuse to copy a file that another user can modify.

    :raises OSError: if it does not exist
    """
    try:
        checker.check(path)
    except Unprotected as failure:
        remedy = "or run 'enable' from a virtual environment of your own, with certhook[enable] installed by pip"
        raise Refused(f"{failure}; {remedy}") from None


def _verified(path: importlib.metadata.PackagePath, checker: Checker) -> bytes:
    located = path.locate()
    try:
        _check(checker, str(located))
        content = _files.read(str(located))
    except (OSError, SourceError) as error:
        cause = error.__cause__ if isinstance(error, SourceError) else error
        reason = getattr(cause, "strerror", None) or "it is not a regular file, or it is too large"
        raise Refused(f"{located}, which RECORD lists, cannot be read: {reason}") from None
    if path.hash is None or files.digest(content) != f"{path.hash.mode}={path.hash.value}":
        raise Refused(f"{located} differs from the hash in RECORD; reinstall the package with pip")
    return content
