"""What is in the wheel and the source distribution, and what installing and removing them leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import support
from conftest import MACHINE_ENVIRON, ROOT

START_FILES = {"certhook.pth"}
HOOKED = "import ssl; print(hasattr(ssl.create_default_context, '__certhook__'))"


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory, pip_install) -> Path:
    """The interpreter of an environment that can build certhook."""
    python = support.make_environment(tmp_path_factory.mktemp("builder"))
    pip_install(python, "setuptools>=70.1")
    return python


@pytest.fixture(scope="module")
def sdist(builder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    support.copy_sources(ROOT, folder / "source")
    code = f"from setuptools.build_meta import build_sdist; build_sdist({str(folder)!r})"
    support.run(builder, code, cwd=folder / "source")
    (built,) = folder.glob("*.tar.gz")
    return built


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an environment of one test's own."""
    return support.make_environment(tmp_path / "environment")


def pip(python: Path, *arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(python), *map(str, arguments), "--quiet"]
    subprocess.run(command, check=True, env=MACHINE_ENVIRON)


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def read_from(wheel: Path, name: str) -> str:
    """The text of a file in the wheel's folder of metadata."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [path for path in archive.namelist() if path.endswith(f".dist-info/{name}")]
        return archive.read(path).decode("utf-8")


def left_by_certhook(python: Path) -> set[str]:
    """What in site-packages has to do with certhook."""
    # By name: pip removes the folder itself when it is empty.
    return {entry.name for entry in support.purelib(python).glob("*certhook*")}


def test_the_wheel_has_the_start_files_at_its_top(wheel) -> None:
    top = {name for name in names_in(wheel) if "/" not in name}
    assert top == START_FILES


def test_the_wheel_has_the_package_its_metadata_and_nothing_else(wheel) -> None:
    folders = {name.split("/")[0] for name in names_in(wheel)} - START_FILES
    assert {folder.split("-")[0] for folder in folders} == {"certhook"} and len(folders) == 2


def test_the_wheel_has_every_module_of_the_package(wheel) -> None:
    expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / "certhook").rglob("*.py")}
    assert {name for name in names_in(wheel) if name.endswith(".py")} == expected


def test_the_wheel_has_the_marker_of_types_and_the_license(wheel) -> None:
    names = names_in(wheel)
    assert "certhook/py.typed" in names
    assert any(".dist-info/" in name and name.endswith("/LICENSE") for name in names)


def test_the_wheel_is_for_every_python_and_platform(wheel) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")


def test_the_record_lists_the_start_files(wheel) -> None:
    recorded = {line.split(",")[0] for line in read_from(wheel, "RECORD").splitlines()}
    assert recorded >= START_FILES


def test_certifi_and_a_backport_are_all_that_is_required(wheel) -> None:
    metadata = Parser().parsestr(read_from(wheel, "METADATA"))
    required = {"".join(line.split()).replace("'", '"') for line in metadata.get_all("Requires-Dist")}
    always = {line for line in required if "extra==" not in line}
    assert always == {"certifi", 'importlib-resources>=5.7;python_version<"3.11"'}
    assert required - always == {'cryptography>=42;extra=="check"'}
    assert metadata["Requires-Python"] == ">=3.8"


def test_the_source_distribution_has_what_a_build_needs(sdist) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {*START_FILES, "setup.py", "setup.cfg", "pyproject.toml", "LICENSE", "README.rst"}
    assert names >= {"certhook/py.typed", "certhook/bootstrap/sitecustomize.py"}


def test_a_wheel_from_the_source_distribution_is_the_same(builder, wheel, sdist, tmp_path) -> None:
    pip(builder, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, sdist)
    (rebuilt,) = tmp_path.glob("*.whl")
    assert names_in(rebuilt) == names_in(wheel)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(rebuilt) as other:
        for name in [name for name in one.namelist() if ".dist-info/" not in name]:
            assert one.read(name) == other.read(name), name


def test_installing_puts_the_start_files_into_site_packages_and_removing_takes_them_out(python, wheel) -> None:
    pip(python, "install", "--no-deps", wheel)
    assert left_by_certhook(python) >= START_FILES
    assert support.run(python, HOOKED).stdout == "True\n"
    pip(python, "uninstall", "--yes", "certhook")
    assert left_by_certhook(python) == set()
    done = support.run(python, HOOKED)
    assert (done.stdout, done.stderr) == ("False\n", "")


@pytest.mark.parametrize("mode", [None, "lenient", "strict", "compat"])
def test_an_editable_install_has_the_start_files_until_it_is_removed(builder, tmp_path, mode) -> None:
    source = tmp_path / "source"
    support.copy_sources(ROOT, source)
    settings = ["--config-settings", f"editable_mode={mode}"] if mode else []
    pip(builder, "install", "--no-deps", "--no-build-isolation", *settings, "--editable", source)
    try:
        assert left_by_certhook(builder) >= START_FILES
        assert "certhook" not in left_by_certhook(builder)
        for flags in ([], ["-I"]):
            done = support.run(builder, f"{HOOKED}; import certhook; print(certhook.__file__)", *flags, cwd=os.sep)
            hooked, file = done.stdout.splitlines()
            assert (hooked, done.stderr) == ("True", "")
            assert source in Path(file).parents
    finally:
        pip(builder, "uninstall", "--yes", "certhook")
    assert left_by_certhook(builder) == set()
    # Those that belong to the source stay.
    assert {path.name for path in source.glob("certhook.*")} == START_FILES
    assert support.run(builder, HOOKED).stdout == "False\n"
