"""Entries of ``sys.path`` that are only the working directory, in which certhook finds no modules.

Python searches the working directory first in ``python -c``, ``python -m``, interactively and for a program on
standard input; an empty or relative entry of ``PYTHONPATH``, or of ``sys.path`` itself, means it as well, or another
directory that depends on it. It may belong to another user. The program's own imports remain as in stock Python.

The directory counts if it contains the program or certhook, or if an absolute path in ``PYTHONPATH``, a ``.pth``
file or the program adds it.

This module is imported only if a module was found in such a directory. It imports nothing but ``os`` and ``sys``,
because it runs while these entries are still searched.
"""

import os
import sys

import certhook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import FrameType
    from typing import Any, List, Optional, Set, Tuple


def search_path() -> "List[str]":
    """Return ``sys.path`` without the entries that are only the working directory."""
    return _split()[0]


def installed(name: str, spec: "ModuleSpec", is_imported: bool, search: "Any") -> "Optional[ModuleSpec]":
    """Return *spec*, or the spec of the installed module *name* if *spec* is in the working directory.

    :param is_imported: whether *spec* is that of an imported module, whose entry may have changed since
    :param search: :func:`certhook._finder._search`
    :returns: None if the module is not installed
    """
    path, directories = _split()
    if not directories:
        return spec

    def is_excluded(found: "ModuleSpec") -> bool:
        return _is_in(found, directories)

    if is_excluded(spec) or (is_imported and parent(spec) not in path):
        return search(name, path, is_excluded)  # type: ignore[no-any-return]
    return spec


def is_part_of_program(frame: "Optional[FrameType]") -> bool:
    """Return whether the first *frame* outside the import system belongs to a program in the working directory."""
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    name = "__main__" if frame is None else str(frame.f_globals.get("__name__"))
    spec = getattr(sys.modules.get(name.partition(".")[0]), "__spec__", None)
    return name == "__main__" or (spec is not None and _is_in(spec, _split()[1]))


def _is_in(spec: "ModuleSpec", directories: "Set[str]") -> bool:
    directory = parent(spec)
    # Frozen modules, such as linecache since Python 3.15, have none.
    return bool(directory) and _absolute(directory) in directories


def parent(spec: "ModuleSpec") -> str:
    """Return the directory or archive that contains the top-level module of *spec*; empty if there is none."""
    locations = getattr(spec, "submodule_search_locations", None)
    if locations is not None:
        locations = list(locations)
        return os.path.dirname(locations[0]) or os.curdir if locations else ""
    return os.path.dirname(spec.origin or "") or os.curdir if getattr(spec, "has_location", False) else ""


def _split() -> "Tuple[List[str], Set[str]]":
    """Return the entries of ``sys.path`` that count, and the directories that the other entries mean."""
    start = certhook._START_DIRECTORY
    own = _own_directories(start)
    surplus = 0 if start is None or start in own else _implicit_entries(start)
    relative = set() if start is None else _relative_entries(start, own)
    here = _absolute("")
    path, directories = [], set()
    for entry in sys.path:
        if not isinstance(entry, str) or here in own and not os.path.isabs(entry):
            path.append(entry)
        elif not os.path.isabs(entry):
            if _absolute(entry) in own:
                path.append(entry)
                continue
            directories.add(_absolute(entry))
            # The import system keeps the directory that a relative entry meant when it was first searched.
            importer = sys.path_importer_cache.get(entry)
            directories.add(_absolute(getattr(importer, "path", None) or getattr(importer, "archive", None) or entry))
        elif surplus and _absolute(entry) == start:
            surplus -= 1
            directories.add(_absolute(entry))
        elif _absolute(entry) in relative:
            directories.add(_absolute(entry))
        else:
            path.append(entry)
    if directories and start is not None and start not in own and not _means(path, start):
        directories.add(start)  # Modules that were imported before chdir().
    return path, directories


def _own_directories(start: "Optional[str]") -> "Set[str]":
    """Return the directories of the program and of certhook."""
    own = set()
    file = getattr(certhook, "__file__", None)
    if file:
        own.add(_absolute(os.path.dirname(os.path.dirname(file))))
    main = sys.modules.get("__main__")
    file, spec = getattr(main, "__file__", None), getattr(main, "__spec__", None)
    # "<stdin>": a program on standard input has no directory.
    if isinstance(file, str) and not file.startswith("<"):
        directory = os.path.dirname(os.path.join(start or "", file))
        for _ in range(getattr(spec, "name", "").count(".")):
            directory = os.path.dirname(directory)
        own.add(_absolute(directory))
    return own - {""}


def _implicit_entries(start: str) -> int:
    """Return the number of entries of ``sys.path`` that are the absolute path *start* without naming it."""
    count = 0
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    is_script = hasattr(main, "__file__") if spec is None else spec.name == "__main__"
    is_safe = sys.flags.isolated or getattr(sys.flags, "safe_path", False)
    if not is_safe and not is_script and "" not in sys.path:
        count += 1  # python -m, or a process that multiprocessing starts.
    # The module site makes the entries absolute and removes duplicates.
    own = [entry for entry in _named_entries() if _normal(os.path.join(start, entry)) == start]
    if own and not any(map(os.path.isabs, own)):
        count += 1
    return count


def _relative_entries(start: str, own: "Set[str]") -> "Set[str]":
    """Return the directories, other than *start*, that only relative entries of PYTHONPATH name.

    Those in the directory of the program or of certhook are part of it.
    """
    named = [(os.path.isabs(entry), _normal(os.path.join(start, entry))) for entry in _named_entries()]
    found = {path for is_absolute, path in named if not is_absolute} - {
        path for is_absolute, path in named if is_absolute
    }
    return {path for path in found - {start} if not any((path + os.sep).startswith(one + os.sep) for one in own)}


def _named_entries() -> "List[str]":
    named = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
    return named.split(os.pathsep) if named else []


def _means(path: "List[str]", directory: str) -> bool:
    return any(isinstance(entry, str) and os.path.isabs(entry) and _absolute(entry) == directory for entry in path)


def _absolute(path: str) -> str:
    """Return *path* in the form in which paths are compared here; empty if it cannot be determined."""
    try:
        return _normal(os.path.join(os.getcwd(), path))
    except OSError:
        return _normal(path) if os.path.isabs(path) else ""  # The working directory was deleted.


def _normal(path: str) -> str:
    return os.path.normcase(os.path.normpath(path))
