"""A program in C with Python in it, and what it says of its surroundings, in PyConfig.

Each line of the README's table is here. ``use_environment`` and ``isolated`` are about the
variables of Python itself: certhook's own, and OpenSSL's, are heeded in every line.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Callable, NamedTuple

import support
from expected import CHAINED, STOCK, missing
from test_c import ABOUT

SOURCE = Path(__file__).with_name("environment.c")


class Line(NamedTuple):
    """A combination, and which of certhook's ways in is open.

    :ivar environment: ``use_environment``
    :ivar isolated: ``isolated``
    :ivar site: ``site_import``
    :ivar pth: the ``.pth`` in the site-packages of the environment
    :ivar user: the one in those of the user
    :ivar drop_in: the folder of the drop-in on ``PYTHONPATH``
    """

    environment: bool
    isolated: bool
    site: bool
    pth: bool
    user: bool
    drop_in: bool

    def __str__(self) -> str:
        return "use_environment={:d} isolated={:d} site_import={:d}".format(*self[:3])


LINES = (
    Line(True, False, True, pth=True, user=True, drop_in=True),
    Line(False, False, True, pth=True, user=True, drop_in=False),
    Line(True, True, True, pth=True, user=False, drop_in=False),
    Line(False, True, True, pth=True, user=False, drop_in=False),
    Line(True, False, False, pth=False, user=False, drop_in=False),
    Line(False, False, False, pth=False, user=False, drop_in=False),
    Line(True, True, False, pth=False, user=False, drop_in=False),
    Line(False, True, False, pth=False, user=False, drop_in=False),
)


class Host:
    """The program as it was compiled with one Python.

    :ivar base: the interpreter of that Python
    :ivar venv: one of an environment with certhook
    :ivar plain: one of an environment without
    :ivar home: a user's, who installed certhook for herself

    :param folder: where all of these are, or are to be made
    :param inside: makes the command that runs a program where that Python is at home
    :param root: of the file system that it is at home in
    """

    def __init__(
        self, folder: Path, base: str, inside: Callable[[Path], Path] = lambda program: program, root: Path = Path("/")
    ) -> None:
        self._inside = inside
        self._root = root
        self._program = folder / "host"
        self.base = base
        self.venv, self.plain = (folder / name / "bin" / "python" for name in ("venv", "plain"))
        self.home = folder / "home"

    def make(self, wheel: Path, pip_install, replace_bundle, tool) -> None:
        """Make what this is of."""
        self._compile(tool("gcc"))
        base = self._inside(Path(self.base))
        for python, *options in (self.venv,), (self.plain, "--without-pip"):
            venv = [str(base), "-m", "venv", *options, str(python.parent.parent)]
            subprocess.run(venv, check=True, env=support.clean_env(), timeout=120)
        venv = self._inside(self.venv)
        pip_install(venv, wheel, own=True)
        packages = support.purelib(venv)
        replace_bundle(packages)
        where = "import site; print(site.getusersitepackages())"
        users = Path(support.run(base, where, env=support.clean_env(HOME=str(self.home))).stdout.strip())
        users.parent.mkdir(parents=True)
        users.symlink_to(packages)

    def _compile(self, gcc: str) -> None:
        about = json.loads(support.run(self._inside(Path(self.base)), ABOUT, "-I", "-S").stdout)
        headers = self._root / about["headers"].lstrip("/")
        libraries = self._root / about["libraries"].lstrip("/")
        found = [*libraries.glob(f"lib{about['library']}.so"), *libraries.glob(f"*/lib{about['library']}.so")]
        if not about["shared"] or not (headers / "Python.h").exists() or not found:
            missing(f"{self.base} has no headers, or no shared library")
        command = [gcc, f"-I{headers}", "-idirafter", str(headers.parent), str(SOURCE), str(found[0])]
        # Its library may need a newer C library than this machine's, which it has where it is at home.
        command += [
            "-o",
            str(self._program),
            f"-Wl,-rpath,{about['libraries']},--unresolved-symbols=ignore-in-shared-libs",
        ]
        subprocess.run(command, check=True, env=support.clean_env(), timeout=120)

    def check(self, line: Line, trusted) -> None:
        """Assert that each of certhook's ways in is open in *line* or not, as that says."""
        packages = support.purelib(self._inside(self.venv))

        def expected(is_open: bool) -> set[str]:
            return CHAINED if is_open else STOCK

        assert trusted(self._command(line, self.venv)) == expected(line.pth)
        assert trusted(self._command(line, self.base), HOME=str(self.home)) == expected(line.user)
        drop_in = {"PYTHONPATH": str(packages / "certhook" / "bootstrap")}
        assert trusted(self._command(line, self.plain), **drop_in) == expected(line.drop_in)

        # One call serves every line, and the variables are heeded in each: SSL_CERT_FILE is what names the store.
        call = self._command(line, self.plain, f"sys.path.append({str(packages)!r})\nimport certhook.auto\n")
        assert trusted(call) == CHAINED
        assert trusted(call, CERTHOOK_DISABLED="1") == STOCK
        assert trusted(call, CERTHOOK_MODE="fallback") == STOCK

    def _command(self, line: Line, python: Path | str, first: str = "") -> list[object]:
        """Have the program run that of the tests, as *python*."""
        flags = f"import sys\nassert (not sys.flags.no_site, sys.flags.isolated) == ({line.site}, {line.isolated:d})\n"
        flags += f"assert sys.flags.ignore_environment == {line.isolated or not line.environment}\n"
        settings = [f"{setting:d}" for setting in line[:3]]
        return [self._inside(self._program), *settings, python, flags + first + support.VERDICTS]
