"""The two environments that are compared, and the processes started in them.

They are alike to the last package, but that certhook's wheel is in one of them.
Nothing of the environment of whoever runs the benchmarks reaches a process that
is measured: no ``SSL_CERT_FILE``, no ``PYTHONDONTWRITEBYTECODE``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent

#: What is installed in both.
PACKAGES = ("certifi", "httpx", "pyperf", "requests", "truststore; python_version >= '3.10'")

#: What a process needs to run at all.
_KEPT = ("LD_LIBRARY_PATH", "SYSTEMROOT")

_NOT_SOURCES = (".*", "__pycache__", "build", "dist", "*.egg-info")


class Environment:
    """A virtual environment, and the variables of the processes in it.

    :param folder: where it is
    :param work: where these processes have their home and their compiled stores
    """

    def __init__(self, folder: Path, work: Path) -> None:
        self.name = folder.name
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.home = work / "home"
        self.cache = work / "cache"

    def variables(self, **more: str) -> dict[str, str]:
        """All that a process is given: what it needs to run, a cache folder, and *more*."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        fixed = {"HOME": str(self.home), "LANG": "C.UTF-8", "PATH": os.defpath, "CERTHOOK_CACHE_DIR": str(self.cache)}
        return {**kept, **fixed, **more}

    def run(self, *arguments: str, **more: str) -> str:
        """Run Python with *arguments* and the variables *more*, and return what it printed.

        :raises RuntimeError: if it failed
        """
        return run([str(self.python), *arguments], self.variables(**more))

    def inside(self, script: str, *arguments: str, **more: str) -> Any:
        """Run one of the scripts in ``inside``, and return what it printed, which is JSON."""
        return json.loads(self.run(str(HERE / "inside" / script), *arguments, **more))


def run(command: list[str], variables: dict[str, str] | None = None) -> str:
    """Run *command* and return what it printed.

    :param variables: all its variables, those of this process unless given
    :raises RuntimeError: if it failed, with what it said
    """
    done = subprocess.run(command, env=variables, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def make(python: str, work: Path, authority: bytes) -> tuple[Environment, Environment]:
    """Make the environments in *work*: one as it is without certhook, and one with it.

    :param python: the interpreter of both
    :param authority: a certificate, as PEM, that is added to certifi's bundle in both, as companies do it;
        the loopback server has its own from there
    """
    (work / "home").mkdir()
    wheel = _wheel(work)
    base = run([python, "-c", "import sys; print(getattr(sys, '_base_executable', sys.executable))"]).strip()
    made = []
    for name in ("stock", "certhook"):
        environment = Environment(work / name, work)
        run([base, "-m", "venv", "--without-pip", str(work / name)])
        _pip(environment, "install", str(wheel), *PACKAGES)
        if name == "stock":
            _pip(environment, "uninstall", "--yes", "certhook")
        with open(certifi_bundle(environment), "ab") as bundle:
            bundle.write(b"\n" + authority)
        library = environment.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        environment.run("-m", "compileall", "-q", library)
        made.append(environment)
    return made[0], made[1]


def _wheel(work: Path) -> Path:
    # From a copy: building leaves files behind.
    shutil.copytree(CHECKOUT, work / "checkout", ignore=shutil.ignore_patterns(*_NOT_SOURCES))
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(work / "wheel"), str(work / "checkout")])
    return next((work / "wheel").glob("certhook-*.whl"))


def _pip(environment: Environment, *arguments: str) -> None:
    # With the variables of whoever runs this: they say how to reach the package index.
    run([sys.executable, "-m", "pip", "-q", "--python", str(environment.python), *arguments])


def certifi_bundle(environment: Environment) -> str:
    """The path of certifi's bundle in *environment*."""
    return environment.run("-c", "import certifi; print(certifi.where())").strip()
