"""A C program that embeds Python and sets ``use_environment``, ``isolated`` and ``site_import`` in PyConfig.

:data:`COMBINATIONS` contains all rows of the table in the README. ``use_environment`` and
``isolated`` affect only Python's own variables; every combination respects the variables
of certhook and of OpenSSL.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Callable, NamedTuple

import support
from embedded_support import (
    IMPORT_AUTO,
    WITH_CERTHOOK,
    WITHOUT_CERTHOOK,
    link_user_site,
    make_venv,
    skip_or_fail,
)

SOURCE = Path(__file__).with_name("pyconfig_host.c")

#: Prints facts about a Python as JSON: the files required to build with it, and its path without site-packages.
BUILD_FACTS = """
import json, os, sys, sysconfig
get = sysconfig.get_config_var
print(json.dumps({
    "headers": sysconfig.get_path("include"),
    "libraries": get("LIBDIR"),
    "library": "python" + get("VERSION") + (getattr(sys, "abiflags", "") or ""),
    "shared": bool(get("Py_ENABLE_SHARED")),
    "path": ":".join(entry for entry in sys.path if entry and "site-packages" not in entry),
}))
"""


class Combination(NamedTuple):
    """A combination of settings, and the methods that enable certhook with them.

    :ivar environment: ``use_environment``
    :ivar isolated: ``isolated``
    :ivar site: ``site_import``
    :ivar pth: whether the ``.pth`` file in the environment's site-packages enables certhook
    :ivar user: whether the ``.pth`` file in the user site-packages enables certhook
    :ivar drop_in: whether the drop-in directory on ``PYTHONPATH`` enables certhook
    """

    environment: bool
    isolated: bool
    site: bool
    pth: bool
    user: bool
    drop_in: bool

    def __str__(self) -> str:
        return "use_environment={:d} isolated={:d} site_import={:d}".format(*self[:3])


COMBINATIONS = (
    Combination(True, False, True, pth=True, user=True, drop_in=True),
    Combination(False, False, True, pth=True, user=True, drop_in=False),
    Combination(True, True, True, pth=True, user=False, drop_in=False),
    Combination(False, True, True, pth=True, user=False, drop_in=False),
    Combination(True, False, False, pth=False, user=False, drop_in=False),
    Combination(False, False, False, pth=False, user=False, drop_in=False),
    Combination(True, True, False, pth=False, user=False, drop_in=False),
    Combination(False, True, False, pth=False, user=False, drop_in=False),
)


class PyConfigHost:
    """The program, compiled for one Python, and the environments that the tests need.

    :ivar base: the interpreter of that Python
    :ivar venv_python: the interpreter of an environment with certhook
    :ivar plain_python: the interpreter of an environment without certhook
    :ivar home: the home directory of a user with certhook in the user site-packages

    :param directory: the directory for all of these
    :param inside: returns the command that runs a program on the system that contains that Python
    :param root: the root directory of that system
    """

    def __init__(
        self,
        directory: Path,
        base: str,
        inside: Callable[[Path], Path] = lambda program: program,
        root: Path = Path("/"),
    ) -> None:
        self._inside = inside
        self._root = root
        self._program = directory / "host"
        self.base = base
        self.venv_python, self.plain_python = (directory / name / "bin" / "python" for name in ("venv", "plain"))
        self.home = directory / "home"

    def build(self, wheel: Path, pip_install, replace_bundle, require_program) -> None:
        """Compile the program and create the environments and the home directory."""
        self._compile(require_program("gcc"))
        base = self._inside(Path(self.base))
        make_venv(base, self.venv_python.parent.parent)
        make_venv(base, self.plain_python.parent.parent, "--without-pip")
        venv_python = self._inside(self.venv_python)
        pip_install(venv_python, wheel, own=True)
        packages = support.purelib(venv_python)
        replace_bundle(packages)
        link_user_site(base, packages, HOME=str(self.home))

    def _compile(self, gcc: str) -> None:
        facts = json.loads(support.run(self._inside(Path(self.base)), BUILD_FACTS, "-I", "-S").stdout)
        headers = self._root / facts["headers"].lstrip("/")
        libraries = self._root / facts["libraries"].lstrip("/")
        found = [*libraries.glob(f"lib{facts['library']}.so"), *libraries.glob(f"*/lib{facts['library']}.so")]
        if not facts["shared"] or not (headers / "Python.h").exists() or not found:
            skip_or_fail(f"{self.base} has no headers, or no shared library")
        command = [gcc, f"-I{headers}", "-idirafter", str(headers.parent), str(SOURCE), str(found[0])]
        # The library may require symbols of a newer C library, which only the system that contains it provides.
        command += [
            "-o",
            str(self._program),
            f"-Wl,-rpath,{facts['libraries']},--unresolved-symbols=ignore-in-shared-libs",
        ]
        subprocess.run(command, check=True, env=support.clean_env(), timeout=120)

    def check(self, combination: Combination, trusted_by) -> None:
        """Assert that exactly the methods listed in *combination* enable certhook."""
        packages = support.purelib(self._inside(self.venv_python))

        def expected(is_enabled: bool) -> set[str]:
            return WITH_CERTHOOK if is_enabled else WITHOUT_CERTHOOK

        def command(python: Path | str, prelude: str = "") -> list[object]:
            return self._command(combination, python, prelude)

        assert trusted_by(command(self.venv_python)) == expected(combination.pth)
        assert trusted_by(command(self.base), HOME=str(self.home)) == expected(combination.user)
        drop_in = {"PYTHONPATH": str(packages / "certhook" / "bootstrap")}
        assert trusted_by(command(self.plain_python), **drop_in) == expected(combination.drop_in)

        # Importing certhook.auto works with every combination. So do the variables: SSL_CERT_FILE names the store.
        call = command(self.plain_python, f"sys.path.append({str(packages)!r})\n{IMPORT_AUTO}")
        assert trusted_by(call) == WITH_CERTHOOK
        assert trusted_by(call, CERTHOOK_DISABLED="1") == WITHOUT_CERTHOOK
        assert trusted_by(call, CERTHOOK_MODE="fallback") == WITHOUT_CERTHOOK

    def _command(self, combination: Combination, python: Path | str, prelude: str) -> list[object]:
        """Return the command that runs *prelude* and the tests' program with *python* as the program name."""
        _, isolated, site = combination[:3]
        flags = f"import sys\nassert (not sys.flags.no_site, sys.flags.isolated) == ({site}, {isolated:d})\n"
        flags += f"assert sys.flags.ignore_environment == {isolated or not combination.environment}\n"
        settings = [f"{setting:d}" for setting in combination[:3]]
        return [self._inside(self._program), *settings, python, flags + prelude + support.VERDICTS]
