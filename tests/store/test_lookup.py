"""Looking up a store: only a current index of a complete store is used."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_roots import ROOTS, SETTINGS, build_store, find, write_index

import certhook
from certhook import _config, _store, _trust
from certhook._config import CLIENT_AUTH, SERVER_AUTH, Config
from certhook._sources import read_trust_set
from certhook._store import Unusable, verification
from certhook._store.build import compile_store, encode
from certhook._watch import MEMBERS, PATH, RARE_INTERVAL, Snapshot, current_signature, index_settings

NAMES = st.sampled_from(["0a.0", "0a.1", "x y", "é"])


def test_a_store_is_found_by_its_settings(store) -> None:
    write_index(store.parent, store)
    assert find(store.parent).digest == store.name
    assert find(store.parent, ("other",)) is None


def test_settings_are_compared_even_if_the_names_of_indexes_collide(store) -> None:
    index = write_index(store.parent, store, settings=("one",))
    index.rename(_store.index_path(str(store.parent), ("two",)))
    assert find(store.parent, ("two",)) is None


def test_each_purpose_has_its_own_index(tmp_path) -> None:
    config = _config.current()
    keys = [index_settings(config, purpose) for purpose in (SERVER_AUTH, CLIENT_AUTH)]
    assert len({_store.index_path(str(tmp_path), key) for key in keys}) == 2


def test_the_first_directory_with_a_current_store_is_used(tmp_path) -> None:
    """A directory without a store, one with a damaged store, one with a complete store."""
    for name in ("empty", "damaged", "complete"):
        (tmp_path / name).mkdir()
    for name in ("damaged", "complete"):
        write_index(tmp_path / name, build_store(tmp_path / name, ROOTS))
    (next((tmp_path / "damaged").glob("*/*.0"))).unlink()
    directories = [(str(tmp_path / name), None) for name in ("empty", "damaged", "complete")]
    store, index, (failure,) = _store.lookup(directories, SETTINGS, verification.check)
    assert store == str(tmp_path / "complete" / index.digest)
    assert "is damaged: files are missing" in str(failure)
    assert _store.lookup(directories[:2], SETTINGS, verification.check)[:2] == (None, None)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
def test_an_unsafe_directory_with_an_index_is_rejected_with_the_reason(tmp_path) -> None:
    for name in ("unsafe", "unsafe and empty"):
        (tmp_path / name).mkdir()
    write_index(tmp_path / "unsafe", build_store(tmp_path / "unsafe", ROOTS))
    for name in ("unsafe", "unsafe and empty"):
        (tmp_path / name).chmod(0o777)
    directories = [(str(tmp_path / name), None) for name in ("unsafe", "unsafe and empty")]
    store, index, (failure,) = _store.lookup(directories, SETTINGS, verification.check)
    assert (store, index) == (None, None)
    assert str(tmp_path / "unsafe") in str(failure)


def test_a_path_may_contain_spaces_line_breaks_and_undecodable_bytes(tmp_path, cas) -> None:
    if sys.platform in ("win32", "darwin"):
        pytest.skip("this file system requires names in Unicode")
    directory = tmp_path / " a\nb\udcff "
    (directory / "empty").mkdir(parents=True)
    (directory / "system.pem").write_bytes(cas.pem("system"))
    config = Config({"SSL_CERT_FILE": str(directory / "system.pem"), "SSL_CERT_DIR": str(directory / "empty")})
    trust_set = read_trust_set(config, SERVER_AUTH)
    key = ("a\nb\udcff",)
    store = compile_store(str(directory / "cache"), trust_set, key, shared=False, reason="a test")
    index = find(directory / "cache", key)
    assert str(directory / "cache" / index.target) == store
    assert index.snapshot.frequent == trust_set.snapshot.frequent
    assert [path for path, _ in index.problems] == ["SSL_CERT_DIR"]


# How often all files are checked.


@pytest.fixture
def checked_store(store: Path) -> Path:
    """A store with an index that a process has checked."""
    write_index(store.parent, store)
    assert find(store.parent) is not None
    return store


def test_the_files_of_a_store_are_checked_once_per_interval(checked_store) -> None:
    directory = checked_store.parent
    next(checked_store.glob("*.0")).write_bytes(b"")
    index = Path(_store.index_path(str(directory), SETTINGS))
    assert find(directory) is not None
    for difference in (-2 * RARE_INTERVAL, 3600):
        checked = index.stat().st_mtime + difference
        os.utime(index, (checked, checked))
        assert find(directory) is None
        os.utime(index)


def test_checksums_are_verified_on_the_first_use_after_the_start_of_the_machine(checked_store, monkeypatch) -> None:
    """A crash may have damaged files, because they are not synced."""
    file = next(checked_store.glob("*.0"))
    file.write_bytes(bytes(file.stat().st_size))
    assert find(checked_store.parent) is not None
    monkeypatch.setattr(_store, "monotonic", lambda: 0.0)
    assert find(checked_store.parent) is None


def test_checksums_are_verified_on_request(checked_store) -> None:
    file = next(checked_store.glob("*.0"))
    file.write_bytes(bytes(file.stat().st_size))
    directories = [(str(checked_store.parent), None)]
    assert _store.lookup(directories, SETTINGS, verification.check)[0] is not None
    _, _, (failure,) = _store.lookup(directories, SETTINGS, verification.check, is_suspect=True)
    assert str(failure) == f"{checked_store} is damaged: the content of a file was modified"


def test_members_of_a_directory_are_checked_for_every_process(tmp_path) -> None:
    (tmp_path / "member").write_bytes(b"")
    seen = current_signature(MEMBERS, str(tmp_path), "member", False)
    write_index(tmp_path, build_store(tmp_path, ROOTS), Snapshot([(MEMBERS, str(tmp_path), "member", seen)], [], []))
    assert find(tmp_path) is not None
    (tmp_path / "member").write_bytes(b"1")
    assert find(tmp_path) is None


def test_the_content_decides_if_timestamps_are_unreliable(tmp_path) -> None:
    file = tmp_path / "member"
    file.write_bytes(b"1")
    row = PATH, str(file), ""
    content = [(*row, current_signature(*row, True))]
    write_index(tmp_path, build_store(tmp_path, ROOTS), Snapshot([], [], content))
    assert find(tmp_path) is not None
    file.write_bytes(b"2")
    assert find(tmp_path) is None


@pytest.mark.parametrize("kind", ["readable", "unreadable"])
def test_an_index_is_valid_only_for_processes_with_the_same_read_permissions(tmp_path, store, kind) -> None:
    index = write_index(tmp_path, store)
    read = _store.Index.from_bytes(index.read_bytes())
    setattr(read, kind, [str(tmp_path / "file")])
    index.write_bytes(encode(read))
    (tmp_path / "file").write_bytes(b"")
    is_valid = {True: kind == "readable", False: kind == "unreadable"}
    assert (find(tmp_path) is not None) == is_valid[True]
    (tmp_path / "file").unlink()
    assert (find(tmp_path) is not None) == is_valid[False]


# Complete stores.


def test_a_complete_store_passes_the_check(store) -> None:
    verification.check(str(store))
    assert verification.is_complete(str(store))


@settings(max_examples=60)
@given(st.dictionaries(NAMES, st.binary(max_size=3)), st.dictionaries(NAMES, st.binary(max_size=3)))
def test_manifests_are_equal_only_if_all_names_and_contents_are_equal(one, other) -> None:
    assert (verification.manifest(one) == verification.manifest(other)) == (one == other)


def test_a_manifest_with_a_changed_byte_is_detected(store) -> None:
    manifest = store / verification.MANIFEST
    complete = manifest.read_bytes()
    for position in range(len(complete)):
        manifest.write_bytes(complete[:position] + bytes([complete[position] ^ 1]) + complete[position + 1 :])
        with pytest.raises(Unusable, match="is damaged|cannot be read"):
            verification.check(str(store))


# Prebuilt stores.


def test_a_prebuilt_store_is_next_to_the_package() -> None:
    package = Path(certhook.__file__).parent
    assert _trust.directory_beside_package() == str(package.parent / "certhook-store")


@pytest.mark.parametrize("variable", ["CERTHOOK_ADOPT", "CERTHOOK_DEBUG", "CERTHOOK_LOAD", "CERTHOOK_ON_ERROR"])
def test_a_setting_without_effect_on_the_trust_set_does_not_invalidate_an_index(variable) -> None:
    value = {"CERTHOOK_ADOPT": "none", "CERTHOOK_DEBUG": "1", "CERTHOOK_LOAD": "eager", "CERTHOOK_ON_ERROR": "raise"}
    keys = [index_settings(Config(environ), SERVER_AUTH) for environ in ({}, {variable: value[variable]})]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SSL_CERT_FILE", "/roots.pem"),
        ("SSL_CERT_FILE", ""),
        ("SSL_CERT_DIR", "/roots"),
        ("NIX_SSL_CERT_FILE", "/roots.pem"),
        ("CERTHOOK_SOURCES", "bundled,system"),
        ("CERTHOOK_MODE", "fallback"),
        ("CERTHOOK_EXTRA_CA_CERTS", "/roots.pem"),
        ("CERTHOOK_BUNDLE", "/roots.pem"),
    ],
)
def test_each_setting_that_selects_roots_has_its_own_index(variable, value) -> None:
    keys = [index_settings(Config(environ), SERVER_AUTH) for environ in ({}, {variable: value})]
    assert keys[0] != keys[1]


def test_a_setting_of_two_paths_differs_from_one_with_both_in_its_name() -> None:
    one, two = Config({"CERTHOOK_EXTRA_CA_CERTS": "/a, /b"}), Config({"CERTHOOK_EXTRA_CA_CERTS": f"/a{os.pathsep}/b"})
    assert index_settings(one, SERVER_AUTH) != index_settings(two, SERVER_AUTH)
