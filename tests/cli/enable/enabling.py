"""Helpers for the tests of ``enable`` and ``disable``, also used by the processes that these tests start."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Callable
from unittest import mock

import pytest

from certhook.cli.enable import deployment, plans
from certhook.cli.enable.interpreter import find_target
from certhook.cli.enable.sources import Wheel

posix = pytest.mark.skipif(sys.platform == "win32", reason="symbolic links, terminals and directories of Unix")

#: The file of the embeddable Python for Windows.
PTH = b"python311.zip\r\n.\r\n\r\n# Uncomment to run site.main() automatically\r\n#import site\r\n"
ADDED = b"Lib\\site-packages\r\nimport site\r\n"

STOCK = {"system": True, "bundled": False, "both": True, "extra": False, "stranger": False}
CHAINED = {**STOCK, "bundled": True}

_WHEEL = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def snapshot(directory: Path) -> dict[str, object]:
    """Map each path in *directory* to the hash of its content, except links to files of the base interpreter."""
    found: dict[str, object] = {}
    for path in sorted(directory.rglob("*")):
        if not path.is_symlink() or path.is_dir():
            found[str(path.relative_to(directory))] = path.is_dir() or hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def small_wheel(name: str, version: str) -> Wheel:
    """Return a distribution with two modules, and the start file if it is certhook."""
    dist_info = f"{name}-{version}.dist-info"
    contents = {
        f"{name}/__init__.py": f"version = {version!r}\n".encode(),
        f"{name}/core/module.py": b"x = 1\n",
        f"{dist_info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{dist_info}/WHEEL": _WHEEL,
    }
    if name == "certhook":
        contents["certhook.pth"] = b"import certhook; certhook.start()\n"
    return Wheel(name, version, dist_info, contents)


def enable_small(directory: Path, version: str = "1.0") -> bool:
    """Enable small distributions of this *version* in the Python in *directory*.

    :returns: whether a change was necessary
    """
    with mock.patch.object(plans, "read_wheel", lambda name: small_wheel(name, version)):
        plan = plans.plan_installation(find_target(str(directory)))
        if plan is not None:
            deployment.install(plan)
        return plan is not None


def disable(directory: Path) -> list[str]:
    """Disable certhook in the Python in *directory*."""
    return deployment.remove(find_target(str(directory)))


#: The audit events of calls that change files; "open" is one if the file is opened for writing.
_CHANGES = {f"os.{name}" for name in ("chmod", "link", "mkdir", "remove", "rename", "rmdir", "symlink", "utime")}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Killed(BaseException):
    """The process was killed."""


class _Steps:
    """Counts the calls that change files, and interrupts one of them.

    A write counts as a call as well: it is interrupted after the first half of the data. After :exc:`Killed`, no call
    has an effect, so that the files are as after a signal, although the process continues.
    """

    def __init__(self) -> None:
        self._left, self._error, self._is_hooked = -1, None, False

    def run(self, step: int, error: BaseException, function: Callable[..., object], *args: object) -> bool:
        """Run *function*, and raise *error* at *step*.

        :returns: False if there are fewer steps, or *error* was handled
        """
        if not self._is_hooked:
            sys.addaudithook(self._hook)  # It cannot be removed.
            self._is_hooked = True
        self._left, self._error = step, error
        write = os.write
        try:
            with mock.patch.object(os, "write", lambda descriptor, data: self._write(write, descriptor, data)):
                function(*args)
            return False
        except type(error) as raised:
            if raised is not error and not isinstance(raised, Killed):
                raise
            return True
        finally:
            self._error = None

    def _hook(self, event: str, arguments: tuple) -> None:
        if self._error is not None:
            is_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
            if is_write or event in _CHANGES:
                self._count()

    def _write(self, write: Callable[[int, bytes], int], descriptor: int, data: bytes) -> int:
        if self._left == 0:
            write(descriptor, data[: len(data) // 2])
        self._count()
        return write(descriptor, data)

    def _count(self) -> None:
        self._left -= 1
        if isinstance(self._error, Killed) and self._left < 0:
            raise Killed  # A new one: ExitStack does not return before Python 3.9 if one is raised twice.
        if self._left == -1:
            raise self._error


#: Runs a function, and raises an exception at one of its steps.
interrupted = _Steps().run
