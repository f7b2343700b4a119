"""The distributions of certhook and its requirements, as this Python imports them."""

from __future__ import annotations

import importlib.machinery
import json
import os
import re
import sys
from typing import NamedTuple

from certhook import _digest, _files, _finder
from certhook.cli import _metadata
from certhook.cli.audit.problem import Problem
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Any, Iterator

#: The distributions that certhook consists of and requires, with their packages.
PACKAGES = {"certhook": "certhook", "certifi": "certifi", "importlib-resources": "importlib_resources"}

WHEEL, EDITABLE, SOURCE, ARCHIVE, MEMORY, MISSING, WITHOUT_RECORD = (
    "wheel",
    "editable",
    "source tree",
    "archive",
    "memory",
    "missing",
    "without RECORD",
)

_REMEDIES = {
    EDITABLE: (
        "is an editable installation, whose files cannot be verified: programs run the source tree",
        "install the wheel: pip install --force-reinstall {name}",
    ),
    SOURCE: (
        "is not an installed distribution, so its files cannot be verified",
        "install the wheel with pip, and do not run Python in a source tree or with one on PYTHONPATH",
    ),
    ARCHIVE: (
        "is in an archive, whose files RECORD does not describe",
        "compare the SHA-256 of the archive with that of its author",
    ),
    MEMORY: (
        "is part of a program, so there are no files to verify",
        "compare the SHA-256 of the program with that of its author",
    ),
    MISSING: ("is not installed", "run: pip install {name}"),
    WITHOUT_RECORD: (
        "has no RECORD that lists its files, so they cannot be verified",
        "if a package manager of the operating system installed it, verify it with 'dpkg --verify' or 'rpm --verify'; "
        "otherwise reinstall it with pip",
    ),
}


class Distribution(NamedTuple):
    """A distribution, as this Python imports its package.

    :ivar kind: :data:`WHEEL` if it can be verified
    :ivar package: the name of its package
    :ivar finder: the entry of ``sys.meta_path`` that finds the package
    :ivar location: the directory or archive that contains the package
    :ivar dist_info: the path of its dist-info directory
    :ivar shadowed: other directories on the path that contain the package, and are not used
    """

    name: str
    package: str
    version: str | None = None
    kind: str = MISSING
    finder: str = ""
    location: str = ""
    dist_info: str = ""
    shadowed: tuple[str, ...] = ()

    @property
    def record(self) -> str:
        """The path of its RECORD."""
        return os.path.join(self.dist_info, "RECORD") if self.dist_info else ""


def find() -> list[Distribution]:
    """Return certhook and its requirements. A requirement of other versions of Python is omitted if it is missing."""
    found = [_find(name, package) for name, package in PACKAGES.items()]
    return [
        one for one in found if one.kind != MISSING or one.name != "importlib-resources" or sys.version_info < (3, 11)
    ]


def problems(distribution: Distribution) -> Iterator[Problem]:
    """Return why *distribution* cannot be verified, and its duplicates."""
    name = distribution.name
    if distribution.kind in _REMEDIES:
        finding, remedy = _REMEDIES[distribution.kind]
        yield Problem(
            distribution.location or name,
            f"{name} {finding}" if distribution.location else finding,
            remedy.format(name=name),
        )
    yield from _foreign_modules(distribution)
    if distribution.dist_info:
        others = [path for path in _metadata_directories(distribution.location, name) if path != distribution.dist_info]
        for path in others:
            text = f"describes a second installation of {name} in the same directory"
            yield Problem(path, text, f"run 'pip install --force-reinstall {name}', and delete {{path}} if it remains")
    if name == "certhook":
        for directory in distribution.shadowed:
            text = "contains a second copy of certhook, whose start-up file may run as well"
            yield Problem(directory, text, "uninstall the copy that is not needed")


def _foreign_modules(distribution: Distribution) -> Iterator[Problem]:
    """Return the imported modules of the package that are not among the files that Python finds now."""
    if not os.path.isdir(distribution.location):
        return
    package = os.path.join(os.path.realpath(os.path.join(distribution.location, distribution.package)), "")
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        is_part = name.partition(".")[0] == distribution.package
        if is_part and isinstance(file, str) and not os.path.realpath(file).startswith(package):
            text = f"runs in this process, but is not in {distribution.location}, where Python finds the package now"
            yield Problem(file, text, "find out which start-up file or program changed the path, and run audit again")


def archive_digest(distribution: Distribution) -> str | None:
    """Return the SHA-256 of the archive or program that contains *distribution*, None if it has files of its own."""
    if distribution.kind not in (ARCHIVE, MEMORY):
        return None
    digest = _digest.new("sha256")
    try:
        with open(distribution.location, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError:
        return None
    return str(digest.hexdigest())


def _find(name: str, package: str) -> Distribution:
    spec, finder = _spec_and_finder(package)
    if spec is None:
        return Distribution(name, package)
    found = Distribution(name, package, finder=finder, shadowed=tuple(_shadowed(package, spec)))
    origin = spec.origin or ""
    if not isinstance(spec.loader, importlib.machinery.SourceFileLoader) or not os.path.isfile(origin):
        return found._replace(**_without_files(spec), version=_metadata.version(name))
    location = os.path.dirname(os.path.dirname(os.path.abspath(origin)))
    found = found._replace(location=location, kind=SOURCE, version=_metadata.version(name, [location]))
    metadata = _metadata_directories(location, name)
    for path in metadata:
        if _lists_package(os.path.join(path, "RECORD"), package):
            return found._replace(kind=WHEEL, dist_info=path)
    if _is_editable(name):
        return found._replace(kind=EDITABLE)
    return found._replace(kind=WITHOUT_RECORD) if metadata else found


def _spec_and_finder(package: str) -> tuple[ModuleSpec | None, str]:
    """Return how the import system finds *package*: its spec, and the name of the finder."""
    for finder in list(sys.meta_path):
        try:
            spec = None if _finder.is_ours(finder) else _finder.ask(finder, package)
        except Exception as error:
            return None, f"{_name(finder)}, which raised {type(error).__name__}"
        if spec is not None:
            # Without __init__.py, any directory of that name is a namespace package.
            return (spec if isinstance(spec.submodule_search_locations, list) else None), _name(finder)
    return None, ""


def _name(finder: Any) -> str:
    kind = finder if isinstance(finder, type) else type(finder)
    return f"{kind.__module__}.{kind.__qualname__}"


def _without_files(spec: ModuleSpec) -> dict[str, Any]:
    """Return the kind and location of a package that is not a directory."""
    path = (spec.submodule_search_locations or [""])[0]
    while path and not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    if os.path.isfile(path):
        return {"kind": ARCHIVE, "location": path}
    return {"kind": MEMORY, "location": sys.executable or ""}


def _metadata_directories(location: str, name: str) -> list[str]:
    """Return the directories in *location* with metadata of *name*, dist-info directories first."""
    words = "[-_.]".join(map(re.escape, name.split("-")))
    pattern = re.compile(rf"{words}(-[^/]*)?\.(dist|egg)-info", re.IGNORECASE)
    try:
        entries = sorted(filter(pattern.fullmatch, os.listdir(location)))
    except OSError:
        return []
    return [
        os.path.join(location, entry) for entry in sorted(entries, key=lambda one: one.lower().endswith("egg-info"))
    ]


def _lists_package(record: str, package: str) -> bool:
    try:
        data = _files.read(record)
    except SourceError:
        return False
    return f"{package}/__init__.py,".encode() in data.replace(b'"', b"")


def _is_editable(name: str) -> bool:
    try:
        text = next(_metadata.find(name)).read_text("direct_url.json")
        return bool(json.loads(text or "{}").get("dir_info", {}).get("editable"))
    except Exception:  # Another user may have written the metadata.
        return False


def _shadowed(package: str, spec: ModuleSpec) -> Iterator[str]:
    """Return the directories on the path, other than that of *spec*, that contain *package*."""
    used = {os.path.realpath(os.path.dirname(path)) for path in spec.submodule_search_locations or ()}
    for entry in sys.path:
        directory = os.path.realpath(entry or os.curdir)
        if directory not in used and os.path.isfile(os.path.join(directory, package, "__init__.py")):
            used.add(directory)
            yield directory
