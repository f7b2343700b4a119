"""Helpers for the tests of ``enable`` and ``disable``, also used by the processes that these tests start."""

from __future__ import annotations

import hashlib
import itertools
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


def interrupt(step: int, action: Callable[[], None], patch: Callable[[object, str, object], None] = setattr) -> None:
    """Run *action* instead of the call number *step* of those functions that move or remove a file."""
    count = itertools.count()

    def interrupted(function):
        def wrapper(*args, **kwargs):
            if next(count) == step:
                action()
            return function(*args, **kwargs)

        return wrapper

    for name in ("rename", "replace", "unlink"):
        patch(os, name, interrupted(getattr(os, name)))


def run_killed(verb: str, directory: str, version: str, step: int) -> None:
    """Run *verb* in this process, which ends at once at *step*."""
    interrupt(step, lambda: os._exit(9))
    if verb == "enable":
        enable_small(Path(directory), version)
    else:
        disable(Path(directory))
