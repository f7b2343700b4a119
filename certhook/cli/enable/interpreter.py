"""Find the interpreter that the user names for ``enable`` or ``disable``, and its site-packages.

An interpreter with a ``._pth`` file, such as the embeddable Python for Windows, is not run.
Any other interpreter is run with ``-I -S``, so that it imports nothing but its own standard
library. It is not run if another user can modify the interpreter or that library.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import subprocess
from typing import NamedTuple

from certhook._text import shown_value
from certhook.cli.enable import program
from certhook.cli.enable.refusal import Refused

#: The oldest version of Python that certhook supports.
OLDEST = (3, 8)

# This program runs in the target. Its argument is the directory of the target's virtual environment, or empty:
# under -S, sys.prefix is the prefix of the base interpreter.
_QUERY = """
import json, os, site, sys, sysconfig
home = sys.argv[1]
if home:
    names = ("venv", "nt" if os.name == "nt" else "posix_prefix")
    scheme = [name for name in names if name in sysconfig.get_scheme_names()][0]
    directories = [sysconfig.get_path("purelib", scheme, vars={"base": home, "platbase": home})]
    managed = False
else:
    directories = site.getsitepackages()
    directories.sort(key=lambda directory: directory != sysconfig.get_path("purelib"))
    managed = os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED"))
pip = any(os.path.isdir(os.path.join(directory, "pip")) for directory in directories)
print(json.dumps({"version": sys.version_info[:2], "directory": directories[0], "pip": pip, "managed": managed}))
"""

# The time for the answer of an interpreter, in seconds.
_TIMEOUT = 60

_INTERPRETERS = ("bin/python3", "bin/python", "bin/pypy3", "python3", "python", "python.exe", "Scripts/python.exe")


class Target(NamedTuple):
    """A Python installation to change.

    :ivar name: the path of its interpreter, or of its directory
    :ivar version: None if unknown
    :ivar site_packages: the directory for packages, which may not exist yet
    :ivar pth: the path of its ``._pth`` file, None if it has none
    :ivar has_pip: whether pip is installed there
    :ivar is_managed: whether the operating system manages it (``EXTERNALLY-MANAGED``, :pep:`668`)
    """

    name: str
    version: tuple[int, int] | None
    site_packages: str
    pth: str | None = None
    has_pip: bool = False
    is_managed: bool = False


def find_target(text: str) -> Target:
    """Find the Python installation that *text* names.

    :param text: an interpreter, a command, or a directory that contains an interpreter
    :raises Refused: if there is none, or certhook does not support its version
    """
    path = _locate(text)
    if path is None:
        raise Refused(
            f"{shown_value(text)} does not exist; name a Python interpreter or the directory that contains it", 2
        )
    pth = _find_pth(path)
    target = _embeddable(path, pth) if pth else _query(path)
    if target.version is not None and target.version < OLDEST:
        raise Refused(f"{target.name} is Python {'.'.join(map(str, target.version))}; certhook needs 3.8 or later")
    return target


def _locate(text: str) -> str | None:
    """Return the absolute path that *text* names.

    A command is first searched in ``PATH``, so that a file in the working directory does not replace it.
    """
    path = os.path.abspath(text)
    if not os.path.dirname(text) and not os.path.isdir(path):
        candidates = [os.path.join(directory, text) for directory in os.get_exec_path() if os.path.isabs(directory)]
        found = next(filter(None, map(shutil.which, candidates)), None)
        if found is not None:
            return found
    return path if os.path.exists(path) else None


def _find_pth(path: str) -> str | None:
    """Return the ``._pth`` file of the Python for Windows at *path*, None if there is none.

    :raises Refused: if it is unknown which of several files Python reads
    """
    if not os.path.isdir(path) and not path.lower().endswith(".exe"):
        return None
    directory = path if os.path.isdir(path) else os.path.dirname(path)
    found = sorted(glob.glob(os.path.join(glob.escape(directory), "*._pth")))
    # CPython prefers the file named after the executable.
    named = [file for file in found if file == f"{os.path.splitext(path)[0]}._pth"]
    if len(named or found) > 1:
        names = ", ".join(map(os.path.basename, found))
        raise Refused(f"{directory} has several ._pth files ({names}); name the .exe", 2)
    return "".join(named or found) or None


def _embeddable(path: str, pth: str) -> Target:
    home = os.path.dirname(pth)
    # python311._pth, python311.dll or python311.zip
    digits = [re.fullmatch(r"python3(\d+)\.(_pth|dll|zip)", name, re.IGNORECASE) for name in sorted(os.listdir(home))]
    minors = {int(match.group(1)) for match in digits if match}
    site_packages = _ignoring_case(_ignoring_case(home, "Lib"), "site-packages")
    return Target(
        name=next(filter(os.path.isfile, (path, os.path.join(home, "python.exe"))), path),
        version=(3, minors.pop()) if len(minors) == 1 else None,
        site_packages=site_packages,
        pth=pth,
        has_pip=os.path.isdir(os.path.join(site_packages, "pip")),
    )


def _ignoring_case(directory: str, name: str) -> str:
    """Return the entry of *directory* that Windows finds under *name*, even on a case-sensitive file system."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return os.path.join(directory, next((other for other in names if other.lower() == name.lower()), name))


def _query(path: str) -> Target:
    """Run the interpreter at *path*, a file or a directory, to find its version and site-packages."""
    python = _interpreter_in(path) if os.path.isdir(path) else path
    above = os.path.dirname(python)
    homes = [home for home in (above, os.path.dirname(above)) if os.path.isfile(os.path.join(home, "pyvenv.cfg"))]
    command = [python, "-I", "-S", "-B", "-c", _QUERY, "".join(homes[:1])]
    try:
        program.check(python)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT)
        answer = json.loads(done.stdout)
        return Target(
            name=python,
            version=tuple(answer["version"]),
            site_packages=answer["directory"],
            has_pip=answer["pip"],
            is_managed=answer["managed"],
        )
    except (OSError, KeyError, TypeError, ValueError, subprocess.TimeoutExpired) as error:
        reason = error.strerror if isinstance(error, OSError) else "unexpected output"
        if isinstance(error, subprocess.TimeoutExpired):
            reason = f"no answer within {_TIMEOUT} seconds"
        raise Refused(f"{python} is not a working Python 3.8 or later: {reason}", 2) from None


def _interpreter_in(directory: str) -> str:
    candidates = [os.path.join(directory, *name.split("/")) for name in _INTERPRETERS]
    found = next(filter(os.path.isfile, candidates), None)
    if found is None:
        names = ", ".join(_INTERPRETERS)
        raise Refused(f"{directory} contains no ._pth file and no interpreter ({names}); name the interpreter", 2)
    return found
