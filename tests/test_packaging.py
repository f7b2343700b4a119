"""Contents of the wheel and the source distribution, and the files that installing and uninstalling change."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import support
from packaging.requirements import Requirement
from support import MACHINE_ENVIRON, PRINT_HOOKED, ROOT

START_FILES = {"certhook.pth"}


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory, pip_install) -> Path:
    """The interpreter of an environment that can build certhook."""
    python = support.make_environment(tmp_path_factory.mktemp("builder"))
    pip_install(python, "setuptools>=70.1")
    return python


@pytest.fixture(scope="module")
def sdist(builder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution."""
    directory = tmp_path_factory.mktemp("sdist")
    support.copy_sources(ROOT, directory / "source")
    code = f"from setuptools.build_meta import build_sdist; build_sdist({str(directory)!r})"
    support.run(builder, code, cwd=directory / "source")
    (built,) = directory.glob("*.tar.gz")
    return built


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an environment for a single test."""
    return support.make_environment(tmp_path / "environment")


def pip(python: Path, *arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(python), *map(str, arguments), "--quiet"]
    subprocess.run(command, check=True, env=MACHINE_ENVIRON)


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def read_metadata(wheel: Path, name: str) -> str:
    """Return the text of a file in the wheel's ``.dist-info`` directory."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [path for path in archive.namelist() if path.endswith(f".dist-info/{name}")]
        return archive.read(path).decode("utf-8")


def certhook_files(python: Path) -> set[str]:
    """Return the names in site-packages that contain "certhook"."""
    # Not the full listing: pip removes site-packages itself when it is empty.
    return {entry.name for entry in support.purelib(python).glob("*certhook*")}


def test_the_start_files_are_at_the_top_level_of_the_wheel(wheel) -> None:
    top_level = {name for name in names_in(wheel) if "/" not in name}
    assert top_level == START_FILES


def test_the_wheel_contains_only_the_package_and_its_metadata(wheel) -> None:
    names = names_in(wheel)
    directories = {name.split("/")[0] for name in names} - START_FILES
    assert {directory.split("-")[0] for directory in directories} == {"certhook"} and len(directories) == 3
    data = [name.partition(".data/")[2] for name in names if ".data/" in name]
    assert data == ["data/share/man/man1/certhook.1"]


def test_the_wheel_contains_every_module_of_the_package(wheel) -> None:
    expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / "certhook").rglob("*.py")}
    assert {name for name in names_in(wheel) if name.endswith(".py")} == expected


def test_the_wheel_contains_py_typed_and_the_license(wheel) -> None:
    names = names_in(wheel)
    assert "certhook/py.typed" in names
    assert any(".dist-info/" in name and name.endswith("/LICENSE") for name in names)


def test_the_wheel_supports_every_python_and_platform(wheel) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")


def test_the_record_lists_the_start_files(wheel) -> None:
    recorded = {line.split(",")[0] for line in read_metadata(wheel, "RECORD").splitlines()}
    assert recorded >= START_FILES


def test_certifi_and_one_backport_are_the_only_requirements(wheel) -> None:
    metadata = Parser().parsestr(read_metadata(wheel, "METADATA"))
    required = set(map(Requirement, metadata.get_all("Requires-Dist")))
    unconditional = {requirement for requirement in required if "extra ==" not in str(requirement.marker)}
    assert unconditional == set(map(Requirement, ("certifi", 'importlib-resources >= 5.7; python_version < "3.11"')))
    extras = (
        'cryptography >= 42; extra == "check"',
        'installer >= 0.7; extra == "enable"',
        'truststore >= 0.9, < 0.11; python_version >= "3.10" and extra == "native"',
    )
    assert required - unconditional == set(map(Requirement, extras))
    assert metadata["Requires-Python"] == ">=3.8"


def test_the_source_distribution_contains_the_files_that_a_build_needs(sdist) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {
        *START_FILES,
        "setup.py",
        "setup.cfg",
        "pyproject.toml",
        "LICENSE",
        "README.rst",
        "docs/explanation/security.rst",
    }
    assert names >= {"certhook/py.typed", "certhook/bootstrap/sitecustomize.py"}


def test_a_wheel_built_from_the_source_distribution_is_identical(builder, wheel, sdist, tmp_path) -> None:
    pip(builder, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, sdist)
    (rebuilt,) = tmp_path.glob("*.whl")
    assert names_in(rebuilt) == names_in(wheel)
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(rebuilt) as second:
        for name in [name for name in first.namelist() if ".dist-info/" not in name]:
            assert first.read(name) == second.read(name), name


def test_archives_do_not_contain_properties_of_the_machine(wheel, sdist) -> None:
    with zipfile.ZipFile(wheel) as archive:
        members = archive.infolist()
    assert {(member.date_time[3:], member.external_attr >> 16) for member in members} == {((0, 0, 0), 0o100644)}
    assert len({member.date_time for member in members}) == 1
    with tarfile.open(sdist) as archive:
        files = archive.getmembers()
    assert [file.name for file in files] == sorted(file.name for file in files)
    assert {(file.uid, file.gid, file.uname, file.gname) for file in files} == {(0, 0, "", "")}
    assert {file.mode for file in files} <= {0o644, 0o755} and len({file.mtime for file in files}) == 1
    assert sdist.read_bytes()[4:8] == bytes(4)  # the time in the header of gzip


def test_pip_installs_the_start_files_into_site_packages_and_uninstalls_them(python, wheel) -> None:
    pip(python, "install", "--no-deps", wheel)
    assert certhook_files(python) >= START_FILES
    assert support.run(python, PRINT_HOOKED).stdout == "True\n"
    pip(python, "uninstall", "--yes", "certhook")
    assert certhook_files(python) == set()
    done = support.run(python, PRINT_HOOKED)
    assert (done.stdout, done.stderr) == ("False\n", "")


@pytest.mark.parametrize("mode", [None, "lenient", "strict", "compat"])
def test_an_editable_install_has_the_start_files_until_it_is_uninstalled(builder, tmp_path, mode) -> None:
    source = tmp_path / "source"
    support.copy_sources(ROOT, source)
    settings = ["--config-settings", f"editable_mode={mode}"] if mode else []
    pip(builder, "install", "--no-deps", "--no-build-isolation", *settings, "--editable", source)
    try:
        assert certhook_files(builder) >= START_FILES
        assert "certhook" not in certhook_files(builder)
        for flags in ([], ["-I"]):
            done = support.run(builder, f"{PRINT_HOOKED}; import certhook; print(certhook.__file__)", *flags)
            hooked, file = done.stdout.splitlines()
            assert (hooked, done.stderr) == ("True", "")
            assert source in Path(file).parents
    finally:
        pip(builder, "uninstall", "--yes", "certhook")
    assert certhook_files(builder) == set()
    # The start files of the source directory remain.
    assert {path.name for path in source.glob("certhook.*")} == START_FILES
    assert support.run(builder, PRINT_HOOKED).stdout == "False\n"
