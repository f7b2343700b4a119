"""A public bundle is recognised by the package that it belongs to in this process, never by its name alone."""

from __future__ import annotations

import _ssl
import importlib
import io
import os
import shutil
import ssl
import sys
import types
import zipfile
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from bundle_machine import BUNDLE, BUNDLES, CERTIFI_CODE, DEFAULT, OWN, BundleMachine, loaded

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="creating links on Windows requires a privilege")


class Paths:
    """A path object that returns another path at each call."""

    def __init__(self, *paths: Path) -> None:
        self.paths = list(map(str, paths))

    def __fspath__(self) -> str:
        return self.paths.pop(0)


def test_a_path_object_is_asked_for_its_path_once(machine) -> None:
    bundle = machine.package("certifi")
    assert machine.trusted(loaded(Paths(machine.own, bundle, bundle, bundle))) == OWN
    assert machine.trusted(loaded(cafile=Paths(machine.own, bundle, bundle, bundle))) == OWN
    assert machine.trusted(loaded(Paths(bundle, machine.own, machine.own))) == DEFAULT


# Other paths of the same bundle.


def in_a_linked_directory(machine: BundleMachine) -> Path:
    """In many environments, lib64 is a link to lib."""
    bundle = machine.package("certifi")
    (machine.directory / "lib64").symlink_to(machine.packages, target_is_directory=True)
    return machine.directory / "lib64" / bundle.relative_to(machine.packages)


def in_the_target_of_a_linked_directory(machine: BundleMachine) -> Path:
    bundle = machine.package("certifi", "real")
    machine.packages.rmdir()
    machine.packages.symlink_to(machine.directory / "real", target_is_directory=True)
    return bundle


def with_dots(machine: BundleMachine) -> Path:
    machine.package("certifi")
    return machine.packages / "certifi" / ".." / "certifi" / "cacert.pem"


def that_is_a_link(machine: BundleMachine) -> Path:
    """Fedora's certifi contains a link to the system's bundle."""
    bundle = machine.package("certifi")
    bundle.unlink()
    bundle.symlink_to(machine.write("distribution.pem", BUNDLE))
    return bundle


@needs_links
@pytest.mark.parametrize(
    "path", [in_a_linked_directory, in_the_target_of_a_linked_directory, with_dots, that_is_a_link]
)
def test_a_public_bundle_is_recognised_by_another_path_of_its_directory(machine, path) -> None:
    assert machine.trusted(loaded(str(path(machine)))) == DEFAULT


# Other files.


def with_the_same_name(machine: BundleMachine) -> Path:
    machine.package("certifi")
    return machine.write("elsewhere/certifi/cacert.pem", BUNDLE)


def in_another_environment(machine: BundleMachine) -> Path:
    machine.package("certifi")
    return machine.package("certifi", "elsewhere")


def in_a_directory_that_is_not_a_package(machine: BundleMachine) -> Path:
    return machine.write("packages/certifi/cacert.pem", BUNDLE)


def in_an_imported_namespace_package(machine: BundleMachine) -> Path:
    path = in_a_directory_that_is_not_a_package(machine)
    assert list(importlib.import_module("certifi").__path__) == [str(path.parent)]
    return path


def next_to_a_module(machine: BundleMachine) -> Path:
    machine.write("packages/certifi.py", set())
    return machine.write("packages/certifi/cacert.pem", BUNDLE)


def in_another_package(machine: BundleMachine) -> Path:
    machine.package("certifi")
    return machine.package("certifi", "packages/vendor")


def next_to_the_bundle(machine: BundleMachine) -> Path:
    machine.package("certifi")
    return machine.write("packages/certifi/company.pem", BUNDLE)


def with_the_same_suffix(machine: BundleMachine) -> Path:
    machine.package("certifi")
    return machine.write("packages/mycertifi/cacert.pem", BUNDLE)


def _elsewhere(machine: BundleMachine) -> Path:
    path = machine.directory / "elsewhere" / "certifi" / "cacert.pem"
    path.parent.mkdir(parents=True)
    return path


def a_copy(machine: BundleMachine) -> Path:
    return Path(shutil.copy(str(machine.package("certifi")), str(_elsewhere(machine))))


def a_hard_link(machine: BundleMachine) -> Path:
    link = _elsewhere(machine)
    os.link(str(machine.package("certifi")), str(link))
    return link


def a_symbolic_link(machine: BundleMachine) -> Path:
    link = _elsewhere(machine)
    link.symlink_to(machine.package("certifi"))
    return link


def relative(machine: BundleMachine) -> str:
    machine.package("certifi")
    os.chdir(str(machine.packages))
    return os.path.join("certifi", "cacert.pem")


def relative_with_a_dot(machine: BundleMachine) -> str:
    return os.path.join(".", relative(machine))


def set_by_the_program(machine: BundleMachine) -> str:
    """Programs set this attribute before requests had a setting for it."""
    machine.package("certifi")
    importlib.import_module("certifi.core")._CACERT_PATH = str(machine.write("company.pem", BUNDLE))
    machine.write("packages/certifi/cacert.pem", {"extra"})
    return sys.modules["certifi"].where()


OTHER_FILES = [
    with_the_same_name,
    in_another_environment,
    in_a_directory_that_is_not_a_package,
    in_an_imported_namespace_package,
    next_to_a_module,
    in_another_package,
    next_to_the_bundle,
    with_the_same_suffix,
    a_copy,
    pytest.param(a_hard_link, marks=needs_links),
    pytest.param(a_symbolic_link, marks=needs_links),
    relative,
    relative_with_a_dot,
    set_by_the_program,
]


@pytest.mark.parametrize("other", OTHER_FILES)
def test_another_file_is_loaded_as_without_certhook(machine, monkeypatch, other) -> None:
    monkeypatch.chdir(machine.directory)
    path = str(other(machine))
    context, stock = loaded(path), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert _ssl._SSLContext.load_verify_locations(stock, path) is None
    assert _ssl._SSLContext.get_ca_certs(context) == _ssl._SSLContext.get_ca_certs(stock)
    assert machine.trusted(context) == BUNDLE


@pytest.mark.parametrize("owner", BUNDLES)
def test_the_bundle_of_a_package_that_is_not_importable_is_loaded(machine, owner) -> None:
    assert machine.trusted(loaded(str(machine.package(owner, "elsewhere")))) == BUNDLE


# Bundles in archives and in memory.


class InMemory:
    """A finder, a loader and a resource reader for a certifi in memory."""

    def __init__(self, bundle: bytes) -> None:
        self.bundle = bundle

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name not in ("certifi", "certifi.core"):
            return None
        return ModuleSpec(name, self, origin="memory", is_package=name == "certifi")

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        exec(CERTIFI_CODE["__init__.py" if module.__name__ == "certifi" else "core.py"], vars(module))

    def get_resource_reader(self, name: str) -> InMemory:
        return self

    def open_resource(self, resource: str):
        if resource != "cacert.pem":
            raise FileNotFoundError(resource)
        return io.BytesIO(self.bundle)

    def resource_path(self, resource: str) -> str:
        raise FileNotFoundError(resource)

    def is_resource(self, name: str) -> bool:
        return name == "cacert.pem"

    def contents(self) -> list[str]:
        return ["cacert.pem"]


def from_memory(machine: BundleMachine, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    monkeypatch.setattr(sys, "meta_path", [InMemory(machine.cas.pem(*BUNDLE)), *sys.meta_path])
    return importlib.import_module("certifi")


def from_a_zip_archive(machine: BundleMachine, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    _create_archive("certifi", machine, monkeypatch)
    return importlib.import_module("certifi")


def of_pip_from_a_zip_archive(machine: BundleMachine, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    _create_archive("pip", machine, monkeypatch)
    return importlib.import_module("pip._vendor.certifi")


def _create_archive(owner: str, machine: BundleMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create an archive with the package *owner* and add it to the path."""
    machine.package(owner, "unpacked")
    archive, unpacked = machine.directory / "library.zip", machine.directory / "unpacked"
    vendored = CERTIFI_CODE["core.py"].replace('"certifi"', '"pip._vendor.certifi"')
    with zipfile.ZipFile(str(archive), "w") as file:
        for path in unpacked.rglob("*.*"):
            code = vendored if owner == "pip" and path.name == "core.py" else path.read_text()
            file.writestr(path.relative_to(unpacked).as_posix(), code)
        if owner == "pip":
            file.writestr("pip/_vendor/__init__.py", "")
    shutil.rmtree(str(unpacked))
    monkeypatch.setattr(sys, "path", [str(archive), *sys.path])


CERTIFIS = [from_memory, from_a_zip_archive, of_pip_from_a_zip_archive]


@pytest.fixture
def temporary(machine: BundleMachine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which certifi extracts its bundle."""
    directory = machine.directory / "temporary"
    directory.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    return directory


@pytest.mark.parametrize("import_certifi", CERTIFIS)
def test_the_file_to_which_certifi_extracts_its_bundle_is_adopted(
    machine, monkeypatch, temporary, import_certifi
) -> None:
    module = import_certifi(machine, monkeypatch)
    assert Path(module.where()).parent == temporary
    assert machine.trusted(loaded(module.where())) == DEFAULT
    monkeypatch.setenv("CERTHOOK_ADOPT", "none")
    assert machine.trusted(loaded(module.where())) == BUNDLE


@pytest.mark.parametrize("import_certifi", CERTIFIS)
def test_a_file_that_the_program_substitutes_is_loaded(machine, monkeypatch, temporary, import_certifi) -> None:
    module = import_certifi(machine, monkeypatch)
    extracted = module.where()
    monkeypatch.setattr(sys.modules[f"{module.__name__}.core"], "_CACERT_PATH", str(machine.own))
    assert module.where() == str(machine.own)
    assert machine.trusted(loaded(module.where())) == OWN
    assert machine.trusted(loaded(extracted)) == BUNDLE


@pytest.mark.parametrize("import_certifi", CERTIFIS[:2])
def test_the_text_of_a_bundle_that_is_not_a_file_is_adopted(machine, monkeypatch, import_certifi) -> None:
    import_certifi(machine, monkeypatch)
    assert machine.trusted(loaded(cadata=machine.cas.pem(*BUNDLE).decode())) == DEFAULT
    assert machine.trusted(loaded(cadata=machine.cas.pem(*OWN).decode())) == OWN
