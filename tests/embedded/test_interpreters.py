"""Interpreters as they are started: an environment's, with any flags; from archives; from memory."""

from __future__ import annotations

import shutil
import subprocess
import zipapp
from pathlib import Path

import pytest
import support
from expected import STOCK, build, marked

AUTO = "import certhook.auto\n"

# The flags of Python, and what a program has to say where they keep site from running.
FLAGS = {
    "none": ((), ""),
    "-I": (("-I",), ""),
    "-E": (("-E",), ""),
    "-s": (("-s",), ""),
    "-OO": (("-OO",), ""),
    "-S and install()": (("-S",), "import certhook; certhook.install()\n"),
    "-S and certhook.auto": (("-S",), AUTO),
    "-S and certhook.auto after ssl": (("-S",), f"import ssl\n{AUTO}"),
}


#: Those that are in the table.
FLAGS_ROWS = {
    "none": pytest.mark.row("CPython", "the .pth"),
    "-S and certhook.auto": pytest.mark.row("CPython, without site", "certhook.auto"),
}


@pytest.mark.parametrize("name", marked(FLAGS, FLAGS_ROWS))
def test_an_environment_with_any_flags(venv, check_trust, name) -> None:
    flags, first = FLAGS[name]
    check_trust([venv, *flags, "-c", first + support.VERDICTS], PYTHONPATH=str(support.purelib(venv)))


@pytest.mark.row("CPython, without site", "the .pth", "nothing reads it")
def test_without_site_and_without_a_call_there_is_nothing(venv, trusted) -> None:
    command = [venv, "-S", "-c", support.VERDICTS]
    assert trusted(command, PYTHONPATH=str(support.purelib(venv))) == STOCK


RUN_ROWS = {"script": pytest.mark.row("CPython, without site", "certhook.run")}


@pytest.mark.parametrize("form", marked(["script", "module", "folder"], RUN_ROWS))
def test_a_program_that_is_run_by_certhook(venv, check_trust, tmp_path, form) -> None:
    (tmp_path / "__main__.py").write_text(support.VERDICTS)
    (tmp_path / "program.py").write_text(support.VERDICTS)
    program = {"script": [tmp_path / "program.py"], "module": ["-m", "program"], "folder": [tmp_path]}[form]
    path = f"{support.purelib(venv)}:{tmp_path}"
    check_trust([venv, "-S", "-m", "certhook.run", *program], PYTHONPATH=path)


# Archives.


@pytest.fixture(scope="session")
def archives(once, target, builder):
    """The path of the program as an archive of some kind, made once."""

    def make(kind: str) -> Path:
        with once(kind) as (folder, is_first):
            if is_first:
                _MAKERS[kind](folder, target, builder)
        return folder / "program.pyz"

    return make


def _zipapp(folder: Path, target: Path, builder: Path) -> None:
    shutil.copytree(target, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "source" / "__main__.py").write_text(AUTO + support.VERDICTS)
    zipapp.create_archive(folder / "source", folder / "program.pyz")


def _shiv(folder: Path, target: Path, builder: Path) -> None:
    shutil.copytree(target, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    _add_program(folder / "source")
    arguments = ("--site-packages", folder / "source", "-e", "program:main", "-o", folder / "program.pyz")
    build(builder, "-m", "shiv.cli", *arguments)


def _pex(folder: Path, target: Path, builder: Path) -> None:
    _add_program(folder / "source")
    arguments = ("--venv-repository", builder.parent.parent, "certhook", "-D", folder / "source", "-e", "program:main")
    build(builder, "-m", "pex", *arguments, "-o", folder / "program.pyz", PEX_ROOT=str(folder / "root"))


_MAKERS = {"zipapp": _zipapp, "shiv": _shiv, "pex": _pex}


def _add_program(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "program.py").write_text(f"def main():\n    exec({support.VERDICTS!r}, {{}})\n")


ENABLED_BY = {"zipapp": "certhook.auto", "shiv": "the .pth", "pex": "the .pth"}


@pytest.mark.parametrize(
    "kind, flags",
    [
        pytest.param(kind, flags, marks=[] if flags else pytest.mark.row(f"archive, {kind}", ENABLED_BY[kind]))
        for kind in _MAKERS
        for flags in ((), ("-I",), ("-I", "-S"))
    ],
)
def test_an_archive(archives, plain, check_trust, kind, flags) -> None:
    check_trust([plain, *flags, archives(kind)])


# PyOxidizer's importer, with certhook and certifi in memory, where they have no __file__.
OXIDIZED = """
import sys
from oxidized_importer import OxidizedFinder, OxidizedResourceCollector, find_resources_in_path
collector = OxidizedResourceCollector(allowed_locations=["in-memory"])
for resource in find_resources_in_path(PACKAGES):
    if type(resource).__name__ in ("PythonModuleSource", "PythonPackageResource"):
        collector.add_in_memory(resource)
resources, _ = collector.oxidize(python_exe=sys.executable)
finder = OxidizedFinder()
finder.add_resources(resources)
sys.meta_path.insert(0, finder)
import certhook.auto
assert not hasattr(certhook, "__file__")
"""


@pytest.mark.row("PyOxidizer's importer", "certhook.auto")
@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10"])
def test_the_importer_of_pyoxidizer(once, wheel, pip_install, replace_bundle, check_trust, version) -> None:
    base = shutil.which(f"python{version}")
    if base is None or subprocess.run([base, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"Python {version} is not on the path, and oxidized_importer is for 3.8 to 3.10")
    with once(f"oxidized-{version}") as (folder, is_first):
        python, packages = folder / "venv" / "bin" / "python", folder / "packages"
        if is_first:
            subprocess.run([base, "-m", "venv", str(folder / "venv")], check=True, env=support.clean_env())
            pip_install(python, "oxidized_importer", own=True)
            pip_install(python, wheel, "--target", packages, own=True)
            replace_bundle(packages)
    code = OXIDIZED.replace("PACKAGES", repr(str(packages))) + support.VERDICTS
    check_trust([python, "-c", code])
