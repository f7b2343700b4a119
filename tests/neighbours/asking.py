"""Starting the programs of these tests, which ask servers with ``inside/ask.py``, and what they answer."""

from __future__ import annotations

import os
import subprocess
from functools import lru_cache
from pathlib import Path

import support

#: Whom the programs ask: the two roots that default trust is about, and one that is in neither place.
ASKED = ("system", "bundled", "stranger")

BOTH = {"system": True, "bundled": True, "stranger": False}
SYSTEM = {**BOTH, "bundled": False}
BUNDLED = {**BOTH, "system": False}
NOBODY = {**SYSTEM, "system": False}

#: What ``ask.hooked()`` says where certhook acts: one finder, one wrapper around each function; and where it does not.
HOOKED, STOCK = "(1, 1)", "(0, 0)"


def server_list(servers: support.Servers) -> str:
    """The value of SERVERS."""
    return " ".join(f"{name}:{servers.port(name)}" for name in ASKED)


@lru_cache(maxsize=None)
def paths(python: Path) -> tuple[str, str]:
    """The file and the directory that were compiled into the OpenSSL of *python*."""
    where = "import _ssl; paths = _ssl.get_default_verify_paths(); print(paths[1], paths[3])"
    file, directory = support.run(python, where).stdout.split()
    return file, directory


class Answer:
    """What a program said: its exit status, its lines, and what it wrote to standard error."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status = done.returncode
        self.lines = done.stdout.splitlines()
        self.errors = done.stderr

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Answer) and vars(self) == vars(other)

    __hash__ = None

    def __repr__(self) -> str:
        return "\n".join([f"exit status {self.status}", *self.lines, self.errors])

    @property
    def told(self) -> list[str]:
        """Its lines, where all went well and nothing was printed that is not of the program."""
        assert (self.status, self.errors) == (0, ""), self
        return self.lines

    @property
    def trusted(self) -> list[tuple[str, dict[str, bool]]]:
        """The clients that the program asked with, and whom each of them trusts."""
        found = [line.partition(" ") for line in self.told]
        return [(name, support.verdicts(words)) for name, _, words in found]


def run(python: Path, *program: str | Path, cwd: str | Path = os.sep, hooked: bool = True, **variables: str) -> Answer:
    """Run *program* with *variables*, and with certhook switched off unless it is to be *hooked*.

    :param program: code, or the path of a file, or several arguments of the interpreter
    """
    arguments = ("-c", *program) if len(program) == 1 and isinstance(program[0], str) else program
    if not hooked:
        variables["CERTHOOK_DISABLED"] = "1"
    done = subprocess.run(
        [str(python), *map(str, arguments)],
        cwd=str(cwd),
        env=support.clean_env(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    return Answer(done)


def expected(clients: str, trust: dict[str, bool]) -> list[tuple[str, dict[str, bool]]]:
    """What :attr:`Answer.trusted` is where each of *clients* has the same *trust*."""
    return [(client, trust) for client in clients.split()]
