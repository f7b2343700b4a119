"""What a host with Python in it says of its surroundings, in PyConfig, and what that means for certhook.

Each line of the README's table is here, for every Python on the path. ``use_environment`` and
``isolated`` are about the variables of Python itself: certhook's own, and OpenSSL's, are heeded in
every line.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
import support
from expected import CHAINED, STOCK
from test_c import ABOUT, missing

VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
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
    """

    def __init__(self, folder: Path, base: str) -> None:
        self._program = folder / "host"
        self.base = base
        self.venv, self.plain = (folder / name / "bin" / "python" for name in ("venv", "plain"))
        self.home = folder / "home"

    def make(self, wheel: Path, pip_install, replace_bundle, tool) -> None:
        """Make what this is of."""
        about = json.loads(support.run(self.base, ABOUT, "-I", "-S").stdout)
        if not about["shared"] or not os.path.exists(os.path.join(about["headers"], "Python.h")):
            missing(f"{self.base} has no headers, or no shared library")
        libraries = about["libraries"]
        command = [tool("gcc"), f"-I{about['headers']}", str(SOURCE), "-o", str(self._program)]
        command += [f"-L{libraries}", f"-Wl,-rpath,{libraries}", f"-l{about['library']}"]
        subprocess.run(command, check=True, env=support.clean_env(), timeout=120)
        for python, *options in (self.venv,), (self.plain, "--without-pip"):
            venv = [self.base, "-m", "venv", *options, str(python.parent.parent)]
            subprocess.run(venv, check=True, env=support.clean_env(), timeout=120)
        pip_install(self.venv, wheel, own=True)
        packages = support.purelib(self.venv)
        replace_bundle(packages)
        where = "import site; print(site.getusersitepackages())"
        users = Path(support.run(self.base, where, env=support.clean_env(HOME=str(self.home))).stdout.strip())
        users.parent.mkdir(parents=True)
        users.symlink_to(packages)

    def command(self, line: Line, python: Path | str, first: str = "") -> list[object]:
        """Have the program run that of the tests, as *python*."""
        flags = f"import sys\nassert (not sys.flags.no_site, sys.flags.isolated) == ({line.site}, {line.isolated:d})\n"
        flags += f"assert sys.flags.ignore_environment == {line.isolated or not line.environment}\n"
        return [self._program, *(f"{setting:d}" for setting in line[:3]), python, flags + first + support.VERDICTS]


@pytest.fixture(scope="session", params=VERSIONS)
def host(request, once, tool, pip_install, replace_bundle) -> Host:
    base = shutil.which(f"python{request.param}")
    if base is None or subprocess.run([base, "-c", ""], env=support.clean_env(), capture_output=True).returncode:
        pytest.skip(f"there is no Python {request.param} on the path")
    # The first on the path may be an environment's, in which no user's packages are.
    base = support.run(base, "import sys; print(sys._base_executable)", "-I", "-S").stdout.strip()
    with once(f"environment-{request.param}") as (folder, is_first):
        made = Host(folder, base)
        if is_first:
            made.make(request.getfixturevalue("wheel"), pip_install, replace_bundle, tool)
        return made


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_line_of_the_table(host, trusted, line) -> None:
    packages = support.purelib(host.venv)

    def expected(is_open: bool) -> set[str]:
        return CHAINED if is_open else STOCK

    assert trusted(host.command(line, host.venv)) == expected(line.pth)
    assert trusted(host.command(line, host.base), HOME=str(host.home)) == expected(line.user)
    drop_in = {"PYTHONPATH": str(packages / "certhook" / "bootstrap")}
    assert trusted(host.command(line, host.plain), **drop_in) == expected(line.drop_in)

    # One call serves every line, and the variables are heeded in each: SSL_CERT_FILE is what names the store.
    call = host.command(line, host.plain, f"sys.path.append({str(packages)!r})\nimport certhook.auto\n")
    assert trusted(call) == CHAINED
    assert trusted(call, CERTHOOK_DISABLED="1") == STOCK
    assert trusted(call, CERTHOOK_MODE="fallback") == STOCK
