"""Run the programs of these tests, which connect to servers with ``inside/probe.py``, and parse their output."""

from __future__ import annotations

import os
import subprocess
from functools import lru_cache
from pathlib import Path

import support

#: The servers' authorities: one in the system's store, one in the bundle, and one in neither.
AUTHORITIES = ("system", "bundled", "stranger")

BOTH = {"system": True, "bundled": True, "stranger": False}
SYSTEM = {**BOTH, "bundled": False}
BUNDLED = {**BOTH, "system": False}
NEITHER = {**SYSTEM, "system": False}

#: The output of ``probe.hook_counts()`` with certhook (one finder, one wrapper per function) and without.
HOOKED, STOCK = "(1, 1)", "(0, 0)"

#: Activates certhook later than the .pth does, in a program that starts with certhook disabled.
INSTALL = "import os; os.environ.pop('CERTHOOK_DISABLED', None)\nimport certhook; certhook.install()\n"


def server_list(servers: support.Servers) -> str:
    """Return the value of SERVERS."""
    return " ".join(f"{name}:{servers.port(name)}" for name in AUTHORITIES)


@lru_cache(maxsize=None)
def compiled_in_paths(python: Path) -> tuple[str, str]:
    """Return the file and the directory that are compiled into the OpenSSL of *python*."""
    code = "import _ssl; paths = _ssl.get_default_verify_paths(); print(paths[1], paths[3])"
    file, directory = support.run(python, code).stdout.split()
    return file, directory


class Result:
    """The result of a program: exit status, lines of standard output, and standard error."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status = done.returncode
        self.lines = done.stdout.splitlines()
        self.errors = done.stderr

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and vars(self) == vars(other)

    __hash__ = None

    def __repr__(self) -> str:
        return "\n".join([f"exit status {self.status}", *self.lines, self.errors])

    @property
    def output(self) -> list[str]:
        """The lines of a program that succeeded without output on standard error."""
        assert (self.status, self.errors) == (0, ""), self
        return self.lines

    @property
    def verdicts(self) -> list[tuple[str, dict[str, bool]]]:
        """The name of each client, and its verdict on each authority."""
        lines = [line.partition(" ") for line in self.output]
        return [(client, support.verdicts(words)) for client, _, words in lines]


def run(python: Path, *program: str | Path, cwd: str | Path = os.sep, hooked: bool = True, **variables: str) -> Result:
    """Run *program* with *variables*.

    :param program: code, the path of a file, or several arguments for the interpreter
    :param hooked: False to disable certhook
    """
    arguments = ("-c", *program) if len(program) == 1 and isinstance(program[0], str) else program
    if not hooked:
        variables["CERTHOOK_DISABLED"] = "1"
    env = support.clean_env(**variables)
    return Result(support.run_command(python, *arguments, env=env, cwd=cwd, stdin=subprocess.DEVNULL))


def expected(clients: str, trust: dict[str, bool]) -> list[tuple[str, dict[str, bool]]]:
    """Return the :attr:`Result.verdicts` of *clients* with the same *trust*."""
    return [(client, trust) for client in clients.split()]


def expected_lines(clients: str, trust: dict[str, bool]) -> list[str]:
    """Return the output of ``probe.print_verdicts()`` for *clients* with the same *trust*."""
    words = " ".join(f"{name}:{'yes' if trusted else 'no'}" for name, trusted in trust.items())
    return [f"{client} {words}" for client in clients.split()]
