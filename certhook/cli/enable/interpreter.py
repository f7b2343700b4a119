"""The Python that ``enable`` and ``disable`` are told of: where its packages belong, and what starts them there.

A folder with a ``._pth`` file, as the embeddable Python for Windows has one, is only
read. Any other interpreter is asked, with ``-I -S``: then it runs no code but its own
standard library's.
"""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import subprocess
from typing import NamedTuple

#: The first that certhook runs on.
OLDEST = (3, 8)

# Run in the interpreter; its argument is the folder of the virtual environment that it is of, or empty.
# Under -S, it takes itself for the one that the environment was made from.
_QUESTION = """
import json, os, site, sys, sysconfig
home = sys.argv[1]
if home:
    names = ("venv", "nt" if os.name == "nt" else "posix_prefix")
    scheme = [name for name in names if name in sysconfig.get_scheme_names()][0]
    folders = [sysconfig.get_path("purelib", scheme, vars={"base": home, "platbase": home})]
    managed = False
else:
    folders = site.getsitepackages()
    folders.sort(key=lambda folder: folder != sysconfig.get_path("purelib"))
    managed = os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED"))
pip = any(os.path.isdir(os.path.join(folder, "pip")) for folder in folders)
print(json.dumps({"version": sys.version_info[:2], "folder": folders[0], "pip": pip, "managed": managed}))
"""

_INTERPRETERS = ("bin/python3", "bin/python", "bin/pypy3", "python3", "python", "python.exe", "Scripts/python.exe")


class Refused(Exception):
    """Nothing is done, for a reason that is told to a person.

    :param status: the exit status: 1, or 2 for a target that cannot be understood
    """

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class Target(NamedTuple):
    """A Python.

    :ivar name: its interpreter, or the folder that it is in
    :ivar version: None where nothing says so
    :ivar folder: its site-packages, which may not exist yet
    :ivar settings: its ``._pth`` file, None where it has none
    :ivar has_pip: whether pip is installed there
    :ivar is_managed: whether it belongs to the operating system (``EXTERNALLY-MANAGED``, :pep:`668`)
    """

    name: str
    version: tuple[int, int] | None
    folder: str
    settings: str | None = None
    has_pip: bool = False
    is_managed: bool = False


def find(text: str) -> Target:
    """The Python that *text* names: an interpreter, a command, or a folder with one in it.

    :raises Refused: if it names none, or one that certhook does not run on
    """
    path = os.path.abspath(text)
    if not os.path.exists(path):
        found = None if os.path.dirname(text) else shutil.which(text)
        if found is None:
            raise Refused(f"{text} does not exist; name a Python interpreter, or the folder that it is in", 2)
        path = os.path.abspath(found)
    settings = _settings(path)
    target = _embeddable(path, settings) if settings else _asked(path)
    if target.version is not None and target.version < OLDEST:
        raise Refused(f"{target.name} is Python {'.'.join(map(str, target.version))}; certhook needs 3.8 or later")
    return target


def _settings(path: str) -> str | None:
    """The ``._pth`` file that the Python at *path* goes by, on Windows only."""
    if not os.path.isdir(path) and not path.lower().endswith(".exe"):
        return None
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    found = sorted(glob.glob(os.path.join(glob.escape(folder), "*._pth")))
    named = [file for file in found if file == f"{os.path.splitext(path)[0]}._pth"]
    if len(named or found) > 1:
        raise Refused(f"{folder} has several ._pth files ({', '.join(map(os.path.basename, found))}); name the .exe", 2)
    return "".join(named or found) or None


def _embeddable(path: str, settings: str) -> Target:
    home = os.path.dirname(settings)
    # Of python311._pth or python311.dll.
    digits = [re.fullmatch(r"python3(\d+)\.(_pth|dll|zip)", name, re.IGNORECASE) for name in sorted(os.listdir(home))]
    minors = {int(match.group(1)) for match in digits if match}
    folder = _without_case(_without_case(home, "Lib"), "site-packages")
    return Target(
        name=next(filter(os.path.isfile, (path, os.path.join(home, "python.exe"))), path),
        version=(3, minors.pop()) if len(minors) == 1 else None,
        folder=folder,
        settings=settings,
        has_pip=os.path.isdir(os.path.join(folder, "pip")),
    )


def _without_case(folder: str, name: str) -> str:
    """What *folder* has by this *name* as Windows compares names; this system may tell ``lib`` from ``Lib``."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return os.path.join(folder, next((other for other in names if other.lower() == name.lower()), name))


def _asked(path: str) -> Target:
    python = path
    if os.path.isdir(path):
        candidates = [os.path.join(path, *name.split("/")) for name in _INTERPRETERS]
        python = next(filter(os.path.isfile, candidates), "")
        if not python:
            raise Refused(f"{path} has no ._pth file, and no Python in it ({', '.join(_INTERPRETERS)}); name one", 2)
    above = os.path.dirname(python)
    homes = [folder for folder in (above, os.path.dirname(above)) if os.path.isfile(os.path.join(folder, "pyvenv.cfg"))]
    command = [python, "-I", "-S", "-B", "-c", _QUESTION, "".join(homes[:1])]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        answer = json.loads(done.stdout)
        return Target(
            name=python,
            version=tuple(answer["version"]),
            folder=answer["folder"],
            has_pip=answer["pip"],
            is_managed=answer["managed"],
        )
    except (OSError, KeyError, TypeError, ValueError, subprocess.TimeoutExpired) as failure:
        found = failure.strerror if isinstance(failure, OSError) else "it did not answer as one does"
        raise Refused(f"{python} is no Python 3.8 or later that runs here: {found}", 2) from None
