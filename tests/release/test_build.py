"""Builds of one commit are equal, and succeed with the oldest and the newest setuptools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import support


def run(*command: object, **variables: str) -> None:
    """Run *command* with the machine's variables, and *variables*."""
    subprocess.run(list(map(str, command)), check=True, env={**support.MACHINE_ENVIRON, **variables})


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the files of ``tools/release.py``, which builds twice and compares."""
    directory = tmp_path_factory.mktemp("released")
    run(sys.executable, support.ROOT / "tools" / "release.py", "--no-checks", "--outdir", directory)
    return directory


def test_a_build_of_a_clone_by_another_user_equals_the_released_files(released: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", "--no-hardlinks", support.ROOT, clone)
    for path in clone.rglob("*"):
        if ".git" not in path.parts and not path.is_symlink():
            path.chmod(0o700 if path.is_dir() or os.access(path, os.X_OK) else 0o600)
            if os.geteuid() == 0:
                os.chown(path, 12345, 12345)
            os.utime(path, (1, 1))
    environ = {"TZ": "America/St_Johns", "HOME": str(tmp_path), "USER": "another", "LC_ALL": "C", "PYTHONHASHSEED": "3"}
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path / "out", clone, **environ)
    for path in released.glob("certhook-*"):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name
    assert len(list(released.glob("certhook-*"))) == 2


@pytest.mark.parametrize(
    ("version", "requirements"),
    [("3.8", ["setuptools==64.0.0", "wheel"]), ("3.8", ["setuptools"]), ("3.13", ["setuptools"])],
    ids=["3.8, setuptools 64", "3.8", "3.13"],
)
def test_pip_builds_and_installs_the_source_distribution(version, requirements, released: Path, tmp_path: Path) -> None:
    interpreter = shutil.which(f"python{version}")
    if interpreter is None:
        pytest.skip(f"Python {version} is not installed")
    run(interpreter, "-m", "venv", tmp_path / "environment")
    python = support.interpreter_of(tmp_path / "environment")
    run(python, "-m", "pip", "install", "--quiet", "--upgrade", *requirements)
    (sdist,) = released.glob("*.tar.gz")
    run(python, "-m", "pip", "install", "--quiet", "--no-build-isolation", sdist)
    done = support.run_command(python, "-m", "certhook", "--json")
    assert '"active": true' in done.stdout, done.stderr
    assert (tmp_path / "environment" / "share" / "man" / "man1" / "certhook.1").is_file()
