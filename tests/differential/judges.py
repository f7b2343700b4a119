"""Interpreters with and without certhook that judge certificate chains: the client of :mod:`judge`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import support

JUDGE = Path(__file__).with_name("judge.py")

#: The Python versions to compare: the oldest one, one without and one with VERIFY_X509_STRICT by default.
VERSIONS = ("3.8", "3.11", "3.13")


class Judge:
    """A process of *python* that judges certificate chains."""

    def __init__(self, python: Path, **variables: str) -> None:
        pipe = subprocess.PIPE
        command = [str(python), "-W", "ignore", str(JUDGE)]
        env = support.clean_env(**variables)
        self._process = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, encoding="utf-8", cwd=os.sep)
        self.is_hooked, self.version, self.openssl = self._receive()

    def ask(self, **request: Any) -> list[Any]:
        """Return the results of a request, a list with one item per value of *strict*."""
        self.send(**request)
        return self._receive()

    def send(self, **request: Any) -> None:
        """Send a request, whose results :meth:`receive` returns."""
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _receive(self) -> list[Any]:
        answer = self._process.stdout.readline()
        assert answer, "the judge has exited"
        return json.loads(answer)

    receive = _receive

    def close(self) -> None:
        self._process.communicate(timeout=60)


def find_interpreter(version: str) -> str | None:
    """Return the path of the interpreter of *version* on PATH, without wrappers such as pyenv's."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return str(getattr(sys, "_base_executable", sys.executable))
    for directory in os.get_exec_path():
        found = shutil.which(f"python{version}", path=directory)
        code = "import sys, ssl; print(sys.executable)"
        if found and subprocess.run([found, "-c", code], capture_output=True).returncode == 0:
            return found
    return None


def make_environments(version: str, directory: Path, wheel: Path) -> tuple[Path, Path] | None:
    """Create two environments of *version*, without and with certhook, and return their interpreters.

    :returns: None if this version is not installed
    """
    interpreter = find_interpreter(version)
    if interpreter is None:
        return None
    pythons = []
    for name in ("stock", "certhook"):
        environment = directory / f"{name}-{version}"
        command = [interpreter, "-m", "venv", "--without-pip", str(environment)]
        subprocess.run(command, check=True, env=support.clean_env(CERTHOOK_DISABLED="1"))
        pythons.append(support.interpreter_of(environment))
    # Not with pip, which may be too new for this version. The dependencies are not needed without the bundle.
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(support.purelib(pythons[1]))
    return pythons[0], pythons[1]
