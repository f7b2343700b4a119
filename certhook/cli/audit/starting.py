"""How certhook starts in this Python: the start-up files, and the modules that run before the first connection."""

from __future__ import annotations

import importlib.machinery
import os
import site
import sys
from typing import NamedTuple

import certhook
from certhook import _digest, _files
from certhook._text import presentable, printable
from certhook.cli.audit.access import describe
from certhook.cli.audit.problem import Problem, reason
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from certhook.cli.audit.access import Access

#: The modules that are imported in each stage if there is a current compiled store, in this order.
STAGES = {
    "interpreter start": ("certhook",),
    "import ssl": ("certhook._finder", "certhook._state", "certhook._config", "certhook._patch"),
    "first context": ("certhook._watch", "certhook._store", "certhook._trust"),
}

#: The content of ``certhook.pth``.
START_LINE = "import certhook; certhook.start()"

_NAME = "certhook"
_CUSTOMIZE = ("sitecustomize", "usercustomize")
# The number of characters of a line that are shown.
_SHOWN = 200
_SECOND = "find out what created it, and delete it, or uninstall the package that installed it"


class StartFile(NamedTuple):
    """A file that Python executes at its start, and that mentions certhook.

    :ivar kind: ".pth", ".start", "._pth", "sitecustomize"
    :ivar lines: the executed lines that mention certhook
    """

    path: str
    kind: str
    lines: tuple[str, ...]
    data: bytes

    def as_json(self) -> dict[str, Any]:
        """Return a JSON entry."""
        return {
            "path": presentable(self.path),
            "kind": self.kind,
            "lines": [printable(line, _SHOWN) for line in self.lines],
            "sha256": _digest.hexdigest("sha256", self.data),
            **describe(self.path),
        }


def start_files() -> tuple[list[StartFile], list[Problem]]:
    """Return the start-up files that mention certhook, and those that cannot be read."""
    found, problems = [], []
    for path, kind in _candidates():
        try:
            data = _files.read(path)
        except SourceError as error:
            problems.append(Problem(path, reason(error), "make it readable, or delete it"))
            continue
        lines = [line for line in _executed(data, kind) if _NAME in line]
        if lines:
            found.append(StartFile(path, kind, tuple(lines), data))
    return found, problems


def other_start_files() -> list[str]:
    """Return the other files that execute code at every start: ``.pth``, ``.start`` and ``sitecustomize``."""
    found = []
    for path, kind in _candidates():
        try:
            lines = _executed(_files.read(path), kind) if kind != "._pth" else []
        except SourceError:
            continue
        if lines and not any(_NAME in line for line in lines):
            found.append(presentable(path))
    return found


def _executed(data: bytes, kind: str) -> list[str]:
    """Return the lines of a start-up file that Python executes.

    Python 3.13 ends the lines of ``.pth`` files also at a form feed and other characters, and skips a byte order mark.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if kind == ".pth":
        return [line for line in text.splitlines() if line.startswith(("import ", "import\t"))]
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def problems(files: list[StartFile], location: str, is_wheel: bool, access: Access) -> Iterator[Problem]:
    """Return the start-up files that are unexpected, or that another user can modify.

    :param files: the result of :func:`start_files`
    :param location: the directory that contains the package
    :param is_wheel: whether certhook is installed from a wheel; other installations have other start-up files
    """
    expected = os.path.join(os.path.realpath(location), "certhook.pth")
    for path, _ in _candidates():
        yield from access.problems(path)
    for file in files:
        if os.path.realpath(file.path) == expected:
            if file.data.decode("utf-8", "replace").strip() != START_LINE:
                remedy = "run: pip install --force-reinstall --no-deps certhook"
                yield Problem(file.path, f"differs from the line {START_LINE!r}", remedy)
        elif file.kind in (".pth", ".start") and is_wheel:
            yield Problem(file.path, "mentions certhook, but is not its start-up file", _SECOND)
        elif file.kind == "sitecustomize" and not _is_drop_in(file.path, location):
            yield Problem(file.path, "mentions certhook, and its content cannot be verified", "examine its content")


def modules() -> dict[str, list[dict[str, Any]]]:
    """Return the modules of each stage as JSON entries, with their SHA-256."""
    directory = os.path.dirname(getattr(certhook, "__file__", None) or "")
    return {stage: [_describe_module(directory, name) for name in names] for stage, names in STAGES.items()}


def _describe_module(directory: str, name: str) -> dict[str, Any]:
    inner = name.split(".")[1:]
    paths = [os.path.join(directory, *inner, "__init__.py"), os.path.join(directory, *inner) + ".py"]
    # In memory, a package has no directory.
    path = next(filter(os.path.isfile, paths), None) if directory else None
    try:
        digest = _digest.hexdigest("sha256", _files.read(path)) if path else None
    except SourceError:
        digest = None
    return {"module": name, "path": path and presentable(path), "sha256": digest}


def site_directories() -> list[str]:
    """Return the directories whose ``.pth`` files Python processes at its start."""
    directories = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        directories.append(site.getusersitepackages())
    return list(dict.fromkeys(map(os.path.abspath, directories)))


def _candidates() -> Iterator[tuple[str, str]]:
    """Return the files that Python processes at its start, with their kinds."""
    if not sys.flags.no_site:
        seen = set()
        for directory in site_directories():
            # lib64 is often a link to lib.
            if os.path.realpath(directory) not in seen:
                seen.add(os.path.realpath(directory))
                for name in _names(directory):
                    # Not splitext(): before 3.13, Python also reads a file with the name ".pth".
                    for suffix in (".pth", ".start"):
                        if name.endswith(suffix):
                            yield os.path.join(directory, name), suffix
        for entry in dict.fromkeys(sys.path):
            for name in _CUSTOMIZE:
                for path in _module_files(os.path.join(os.path.abspath(entry), name)):
                    yield path, "sitecustomize"
    directory = os.path.dirname(sys.executable or "")
    for name in _names(directory):
        if name.endswith("._pth"):
            yield os.path.join(directory, name), "._pth"


def _module_files(path: str) -> Iterator[str]:
    """Return the files that contain the module *path*: source, byte code or native code, also as a package."""
    for base in (path, os.path.join(path, "__init__")):
        for suffix in importlib.machinery.all_suffixes():
            if os.path.isfile(base + suffix):
                yield base + suffix


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _is_drop_in(path: str, location: str) -> bool:
    drop_in = os.path.join(location, "certhook", "bootstrap", "sitecustomize.py")
    return os.path.realpath(path) == os.path.realpath(drop_in)
