"""CPython with various flags, programs in archives, and packages imported from memory."""

from __future__ import annotations

import shutil
import zipapp
from pathlib import Path

import pytest
import support
from embedded_support import IMPORT_AUTO, WITHOUT_CERTHOOK, find_python, make_venv, run_tool, with_rows

# Flags of Python, and the code that enables certhook if the flags prevent site from running.
FLAGS = {
    "none": ((), ""),
    "-I": (("-I",), ""),
    "-E": (("-E",), ""),
    "-s": (("-s",), ""),
    "-OO": (("-OO",), ""),
    "-S and install()": (("-S",), "import certhook; certhook.install()\n"),
    "-S and certhook.auto": (("-S",), IMPORT_AUTO),
    "-S and certhook.auto after ssl": (("-S",), f"import ssl\n{IMPORT_AUTO}"),
}

#: The flags that have a row in the table.
FLAGS_ROWS = {
    "none": pytest.mark.row("CPython", "the .pth"),
    "-S and certhook.auto": pytest.mark.row("CPython, without site", "certhook.auto"),
}


@pytest.mark.parametrize("name", with_rows(FLAGS, FLAGS_ROWS))
def test_certhook_works_with_any_flags(venv_python, check_trust, name) -> None:
    flags, prelude = FLAGS[name]
    path = str(support.purelib(venv_python))
    check_trust([venv_python, *flags, "-c", prelude + support.VERDICTS], PYTHONPATH=path)


@pytest.mark.row("CPython, without site", "the .pth", "site does not run")
def test_certhook_is_not_enabled_without_site_and_without_a_call(venv_python, trusted_by) -> None:
    command = [venv_python, "-S", "-c", support.VERDICTS]
    assert trusted_by(command, PYTHONPATH=str(support.purelib(venv_python))) == WITHOUT_CERTHOOK


RUN_ROWS = {"script": pytest.mark.row("CPython, without site", "certhook.run")}


@pytest.mark.parametrize("form", with_rows(["script", "module", "directory"], RUN_ROWS))
def test_certhook_run_enables_certhook_for_every_form_of_program(venv_python, check_trust, tmp_path, form) -> None:
    (tmp_path / "__main__.py").write_text(support.VERDICTS)
    (tmp_path / "program.py").write_text(support.VERDICTS)
    program = {"script": [tmp_path / "program.py"], "module": ["-m", "program"], "directory": [tmp_path]}[form]
    path = f"{support.purelib(venv_python)}:{tmp_path}"
    check_trust([venv_python, "-S", "-m", "certhook.run", *program], PYTHONPATH=path)


# Archives.


@pytest.fixture(scope="session")
def make_archive(once, packages, builder_python):
    """Create an archive of the given kind that contains the tests' program, and return its path."""

    def make(kind: str) -> Path:
        with once(kind) as (directory, is_first):
            if is_first:
                _ARCHIVERS[kind](directory, packages, builder_python)
        return directory / "program.pyz"

    return make


def _copy_packages(packages: Path, source: Path) -> None:
    shutil.copytree(packages, source, ignore=shutil.ignore_patterns("__pycache__"))


def _zipapp(directory: Path, packages: Path, builder_python: Path) -> None:
    _copy_packages(packages, directory / "source")
    (directory / "source" / "__main__.py").write_text(IMPORT_AUTO + support.VERDICTS)
    zipapp.create_archive(directory / "source", directory / "program.pyz")


def _shiv(directory: Path, packages: Path, builder_python: Path) -> None:
    _copy_packages(packages, directory / "source")
    _add_program(directory / "source")
    arguments = ("--site-packages", directory / "source", "-e", "program:main", "-o", directory / "program.pyz")
    run_tool(builder_python, "-m", "shiv.cli", *arguments)


def _pex(directory: Path, packages: Path, builder_python: Path) -> None:
    _add_program(directory / "source")
    repository = builder_python.parent.parent
    arguments = ("--venv-repository", repository, "certhook", "-D", directory / "source", "-e", "program:main")
    run_tool(builder_python, "-m", "pex", *arguments, "-o", directory / "program.pyz", PEX_ROOT=str(directory / "root"))


_ARCHIVERS = {"zipapp": _zipapp, "shiv": _shiv, "pex": _pex}


def _add_program(directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "program.py").write_text(f"def main():\n    exec({support.VERDICTS!r}, {{}})\n")


ENABLED_BY = {"zipapp": "certhook.auto", "shiv": "the .pth", "pex": "the .pth"}


@pytest.mark.parametrize(
    "kind, flags",
    [
        pytest.param(kind, flags, marks=[] if flags else pytest.mark.row(f"archive, {kind}", ENABLED_BY[kind]))
        for kind in _ARCHIVERS
        for flags in ((), ("-I",), ("-I", "-S"))
    ],
)
def test_certhook_works_in_an_archive(make_archive, plain, check_trust, kind, flags) -> None:
    check_trust([plain, *flags, make_archive(kind)])


# Imports certhook and certifi from memory with PyOxidizer's importer; the modules have no __file__.
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
def test_certhook_works_with_the_importer_of_pyoxidizer(
    once, wheel, pip_install, replace_bundle, check_trust, version
) -> None:
    base = find_python(version)
    if base is None:
        pytest.skip(f"Python {version} is not on the PATH; oxidized_importer supports only 3.8 to 3.10")
    with once(f"oxidized-{version}") as (directory, is_first):
        python, packages = directory / "venv" / "bin" / "python", directory / "packages"
        if is_first:
            make_venv(base, directory / "venv")
            pip_install(python, "oxidized_importer", own=True)
            pip_install(python, wheel, "--target", packages, own=True)
            replace_bundle(packages)
    code = OXIDIZED.replace("PACKAGES", repr(str(packages))) + support.VERDICTS
    check_trust([python, "-c", code])
