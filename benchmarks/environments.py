"""The two environments to compare, and the processes in them.

The environments contain the same packages, except that only one contains certhook's wheel.
The measured processes do not inherit the variables of the benchmark process, such as
``SSL_CERT_FILE`` or ``PYTHONDONTWRITEBYTECODE``.
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

#: The packages in both environments.
PACKAGES = ("certifi", "httpx", "pyperf", "requests", "truststore; python_version >= '3.10'")

#: Variables that processes inherit, since they need them to run.
_INHERITED = ("LD_LIBRARY_PATH", "SYSTEMROOT")

_NOT_SOURCES = (".*", "__pycache__", "build", "dist", "*.egg-info")


class Environment:
    """A virtual environment, and the variables of the processes in it.

    :param directory: the directory of the environment
    :param work: the parent of the home and cache directories of the processes
    """

    def __init__(self, directory: Path, work: Path) -> None:
        self.name = directory.name
        self.python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.home = work / "home"
        self.cache = work / "cache"

    def variables(self, **additional: str) -> dict[str, str]:
        """Return the variables of a process: the inherited ones, a home, a cache directory, and *additional*."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        fixed = {"HOME": str(self.home), "LANG": "C.UTF-8", "PATH": os.defpath, "CERTHOOK_STORE_DIR": str(self.cache)}
        return {**inherited, **fixed, **additional}

    def run(self, *arguments: str, **variables: str) -> str:
        """Run Python with *arguments* and *variables*, and return its output.

        :raises RuntimeError: if the exit status is not 0
        """
        return run([str(self.python), *arguments], self.variables(**variables))

    def inside(self, script: str, *arguments: str, **variables: str) -> Any:
        """Run a script of the directory ``inside``, and return its output, parsed as JSON."""
        return json.loads(self.run(str(HERE / "inside" / script), *arguments, **variables))


def run(command: list[str], variables: dict[str, str] | None = None) -> str:
    """Run *command* and return its output.

    :param variables: its environment variables; default: those of this process
    :raises RuntimeError: if the exit status is not 0; the message contains the output
    """
    done = subprocess.run(command, env=variables, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"{command} failed with exit status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def make(python: str, work: Path, authority: bytes) -> tuple[Environment, Environment]:
    """Create the environments without and with certhook in *work*.

    :param python: the interpreter of both environments
    :param authority: the authority of the loopback server, as PEM, which is added to certifi's bundle in both
        environments, as companies do
    """
    (work / "home").mkdir()
    wheel = _build_wheel(work)
    base = run([python, "-c", "import sys; print(getattr(sys, '_base_executable', sys.executable))"]).strip()
    environments = []
    for name in ("stock", "certhook"):
        environment = Environment(work / name, work)
        run([base, "-m", "venv", "--without-pip", str(work / name)])
        _pip(environment, "install", str(wheel), *PACKAGES)
        if name == "stock":
            _pip(environment, "uninstall", "--yes", "certhook")
        with open(certifi_bundle(environment), "ab") as bundle:
            bundle.write(b"\n" + authority)
        site_packages = environment.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        environment.run("-m", "compileall", "-q", site_packages)
        environments.append(environment)
    return environments[0], environments[1]


def _build_wheel(work: Path) -> Path:
    # From a copy, because a build creates files in the source directory.
    shutil.copytree(CHECKOUT, work / "checkout", ignore=shutil.ignore_patterns(*_NOT_SOURCES))
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(work / "wheel"), str(work / "checkout")])
    return next((work / "wheel").glob("certhook-*.whl"))


def _pip(environment: Environment, *arguments: str) -> None:
    # With the variables of this process, which configure the package index.
    run([sys.executable, "-m", "pip", "-q", "--python", str(environment.python), *arguments])


def certifi_bundle(environment: Environment) -> str:
    """Return the path of certifi's bundle in *environment*."""
    return environment.run("-c", "import certifi; print(certifi.where())").strip()
