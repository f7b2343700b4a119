"""The bundle: certifi's file, archive or memory, the drop-in's, or the file in CERTHOOK_BUNDLE."""

from __future__ import annotations

import importlib
import io
import os
import shutil
import ssl
import sys
import zipfile
from importlib.machinery import ModuleSpec
from pathlib import Path

import der
import pytest
import support
from root_files import ROOTS, bundle, letters_of, problems_of, read, watched_paths

import certhook
from certhook import _certifi
from certhook._sources.trust_set import TrustSet
from certhook._state import process


def read_bundled(**variables: object) -> TrustSet:
    return read(CERTHOOK_SOURCES="bundled", **variables)


def package(directory: Path, init: str = "") -> Path:
    """Create a package certifi in *directory*."""
    directory = directory / "certifi"
    directory.mkdir(parents=True)
    (directory / "__init__.py").write_text(init)
    return directory


def test_the_file_of_certifi_is_read_without_importing_certifi(no_certifi: Path) -> None:
    path = bundle(package(no_certifi, "raise SystemExit") / "cacert.pem", "ab")
    trust = read_bundled()
    assert letters_of(trust) == "ab"
    assert trust.anchors[0].listed_by == (("bundled", str(path)),)
    assert "certifi" not in sys.modules


def test_the_file_of_an_imported_certifi_is_read(no_certifi: Path) -> None:
    bundle(package(no_certifi) / "cacert.pem", "ab")
    importlib.import_module("certifi")
    assert letters_of(read_bundled()) == "ab"


def test_the_file_in_the_package_is_preferred_to_the_file_that_certifi_returns(no_certifi: Path) -> None:
    """Debian's certifi returns the system's file, and contains a bundle."""
    directory = package(no_certifi, "def where():\n    return '/no/such/file'\n")
    bundle(directory / "cacert.pem", "ab")
    assert letters_of(read_bundled()) == "ab"


def test_the_file_that_certifi_returns_is_read_if_the_package_contains_none(no_certifi, tmp_path) -> None:
    """Fedora's certifi contains no bundle. That is not a problem."""
    other = bundle(tmp_path / "other.pem", "ab")
    package(no_certifi, f"def where():\n    return {str(other)!r}\n")
    trust = read_bundled()
    assert letters_of(trust) == "ab"
    assert trust.problems == ()


def test_a_bundle_in_a_zip_archive_is_read_and_the_archive_is_watched(no_certifi: Path) -> None:
    archive = no_certifi / "application.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("certifi/__init__.py", "")
        file.writestr("certifi/cacert.pem", der.pem(ROOTS["a"]))
    sys.path.insert(0, str(archive))
    importlib.invalidate_caches()
    trust = read_bundled()
    assert letters_of(trust) == "a"
    assert trust.problems == ()
    assert str(archive) in watched_paths(trust)


class InMemory:
    """A finder and loader of a certifi in memory, without a bundle."""

    def find_spec(self, name, path=None, target=None) -> ModuleSpec | None:
        if name != "certifi":
            return None
        spec = ModuleSpec(name, self, origin="memory", is_package=True)
        spec.submodule_search_locations.append(os.path.join(os.sep, "memory", "certifi"))
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module) -> None:
        pass


class WithGetData(InMemory):
    """A loader whose ``get_data()`` returns the bundle."""

    def get_data(self, path: str) -> bytes:
        assert path == os.path.join(os.sep, "memory", "certifi", "cacert.pem")
        return der.pem(ROOTS["a"])


class WithResourceReader(InMemory):
    """A loader whose resource reader returns the bundle."""

    def get_resource_reader(self, name: str) -> WithResourceReader:
        return self

    def open_resource(self, resource: str):
        if resource != "cacert.pem":
            raise FileNotFoundError(resource)
        return io.BytesIO(der.pem(ROOTS["a"]))

    def resource_path(self, resource: str) -> str:
        raise FileNotFoundError(resource)

    def is_resource(self, name: str) -> bool:
        return name == "cacert.pem"

    def contents(self) -> list[str]:
        return ["cacert.pem"]


@pytest.mark.parametrize("loader", [WithGetData, WithResourceReader])
def test_a_bundle_in_memory_is_read_through_its_loader(loader, no_certifi: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [loader(), *sys.meta_path])
    trust = read_bundled()
    assert letters_of(trust) == "a"
    assert trust.problems == ()


def test_a_certifi_without_a_bundle_is_reported(no_certifi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [InMemory(), *sys.meta_path])
    ((name, message),) = problems_of(read_bundled())
    assert name == "certifi"
    assert message.startswith("its cacert.pem cannot be read (")
    assert "CERTHOOK_BUNDLE" in message


def test_a_bundle_that_an_installer_is_replacing_is_read_when_it_is_present_again(no_certifi: Path) -> None:
    """pip removes the files of the former version before it creates those of the new one."""
    directory = package(no_certifi)
    trust = read_bundled()
    assert letters_of(trust) == ""
    bundle(directory / "cacert.pem", "ab")
    assert not trust.snapshot.is_current(thorough=False)
    assert letters_of(read_bundled()) == "ab"


def test_a_missing_certifi_is_reported_with_the_remedies(no_certifi: Path) -> None:
    assert problems_of(read_bundled()) == [
        (
            "certifi",
            "is not installed; run 'pip install certifi', or set CERTHOOK_SOURCES=system to use no bundle",
        )
    ]


def test_a_directory_named_certifi_is_not_a_package(no_certifi: Path) -> None:
    bundle(no_certifi / "certifi" / "cacert.pem", "a")
    trust = read_bundled()
    assert letters_of(trust) == ""
    assert len(trust.problems) == 1


def test_a_certifi_that_is_added_to_the_path_later_is_found(plain: Path, installed: Path, tmp_path: Path) -> None:
    shutil.copytree(support.purelib(installed) / "certhook", tmp_path / "certhook")
    code = """
import certhook.auto, ssl, sys
first = ssl.create_default_context()
sys.path.append(sys.argv[1])
second = ssl.create_default_context()
import certifi
third = ssl.create_default_context(cafile=certifi.where())
print(*(len(context.get_ca_certs()) > 50 for context in (first, second, third)))
"""
    env = support.clean_env(CERTHOOK_SOURCES="bundled", PYTHONPATH=str(tmp_path))
    done = support.run_command(plain, "-W", "ignore", "-c", code, support.purelib(installed), env=env)
    assert (done.stdout, done.stderr) == ("False True True\n", "")


# The drop-in.


def test_the_drop_in_reads_the_certifi_next_to_it(no_certifi: Path, tmp_path: Path) -> None:
    bundle(package(tmp_path / "site") / "cacert.pem", "a")
    assert letters_of(read_bundled()) == "a"


def test_two_drop_ins_with_one_cache_use_their_own_bundles(no_certifi, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CERTHOOK_STORE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    found = []
    for directory, letters in (("one", "ab"), ("two", "c")):
        bundle(tmp_path / directory / "certifi" / "cacert.pem", letters)
        monkeypatch.setattr(_certifi, "__file__", str(tmp_path / directory / "certhook" / "_certifi.py"))
        process.trust.clear()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        certhook.load_default_certs(context)
        found.append(context.cert_store_stats()["x509"])
    assert found == [2, 1]


# CERTHOOK_BUNDLE.


def test_certhook_bundle_replaces_the_bundle_of_certifi(tmp_path: Path) -> None:
    trust = read_bundled(CERTHOOK_BUNDLE=bundle(tmp_path / "bundle.pem", "ab"))
    assert letters_of(trust) == "ab"
    assert [anchor.listed_by for anchor in trust.anchors] == [(("bundled", str(tmp_path / "bundle.pem")),)] * 2


@pytest.mark.parametrize("value", ["{}/missing.pem", "{}/empty.pem", "{}", "relative.pem"])
def test_a_configured_bundle_without_a_root_is_reported_and_not_replaced_by_certifis(value, tmp_path: Path) -> None:
    bundle(tmp_path / "empty.pem", "")
    trust = read_bundled(CERTHOOK_BUNDLE=value.format(tmp_path))
    assert letters_of(trust) == ""
    ((setting, message),) = problems_of(trust)
    assert setting == "CERTHOOK_BUNDLE"
    assert value.format(tmp_path) in message
