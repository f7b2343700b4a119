"""The files whose code an interpreter runs under ``-I -S``: another user must not be able to modify them.

These are the interpreter, its shared libraries, the files that locate its standard library, and that library. They
are found without running it: the directories are those that CPython and PyPy search.
"""

from __future__ import annotations

import os
import re
from typing import Iterator

from certhook.cli._protection import Checker

# The largest pyvenv.cfg that is read, in bytes.
_LIMIT = 1 << 16

# In the directory of an interpreter: the files that locate its standard library, archives of it, and shared libraries.
_BESIDE = re.compile(r"pyvenv\.cfg|pybuilddir\.txt|.*\._pth|python.*\.zip|Python|lib(python|pypy).*|.*\.(dll|dylib)")
# The directories of libraries in an installation, and their entries with code.
_LIBRARIES = ("lib", "lib64", "Lib", "lib-python", "lib_pypy")
_ENTRIES = re.compile(r"(python|pypy)\d\..*|(lib)?python\d.*|libpypy.*")
# Packages, which are not imported under -S.
_PACKAGES = re.compile(r"(site|dist)-packages")


def check(python: str) -> None:
    """Check the interpreter *python* before it is run.

    :raises Unprotected: if another user can modify a file whose code it runs
    :raises OSError: if it does not exist
    """
    checker = Checker()
    resolved = checker.check(python)
    version = re.search(r"\d\.\d+", os.path.basename(resolved))
    directories = dict.fromkeys(map(os.path.dirname, (os.path.abspath(python), resolved)))
    for directory in [*directories]:
        for home in _homes(checker, directory):
            directories.update(dict.fromkeys((home, checker.check(home))))
    for path in dict.fromkeys(path for directory in directories for path in _files(directory)):
        checker.check(path)
    libraries = dict.fromkeys(path for directory in directories for path in _libraries(directory))
    for path in libraries:
        if version is None or _version(path) in ("", version.group()):
            checker.check_tree(path, _PACKAGES)


def _homes(checker: Checker, directory: str) -> Iterator[str]:
    """Return the directories of the base interpreters of a virtual environment."""
    for path in (os.path.join(directory, "pyvenv.cfg"), os.path.join(os.path.dirname(directory), "pyvenv.cfg")):
        if os.path.isfile(path):
            checker.check(path)
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read(_LIMIT).splitlines()
            pairs = [line.partition("=") for line in lines]
            yield from (value.strip() for name, _, value in pairs if name.strip().lower() == "home")


def _files(directory: str) -> list[str]:
    return [os.path.join(directory, name) for name in _names(directory) if _BESIDE.fullmatch(name)]


def _libraries(directory: str) -> Iterator[str]:
    """Return the libraries of an interpreter in *directory*, in which CPython searches from there upwards."""
    parent = ""
    while parent != directory:
        for library in (os.path.join(directory, name) for name in _LIBRARIES):
            if os.path.exists(os.path.join(library, "os.py")):
                yield library
            names = [name for name in _names(library) if name == "3" or _ENTRIES.fullmatch(name)]
            yield from (os.path.join(library, name) for name in names)
        parent, directory = directory, os.path.dirname(directory)


def _version(path: str) -> str:
    """Return the version in the name of a library, empty if there is none."""
    found = re.search(r"\d\.\d+", os.path.basename(path))
    return found.group() if found else ""


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
