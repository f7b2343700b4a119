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
from certhook._watch import MEMBERS_INTERVAL, Snapshot, index_settings
from certhook._watch.inputs import observe

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
    directories = [str(tmp_path / name) for name in ("empty", "damaged", "complete")]
    store, index, rejected = _store.lookup(directories, SETTINGS, verification.check)
    assert store == os.path.join(directories[2], index.digest)
    assert rejected == []
    assert _store.lookup(directories[:2], SETTINGS, verification.check) == (None, None, [])


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes")
def test_an_unsafe_directory_with_an_index_is_rejected_with_the_reason(tmp_path) -> None:
    for name in ("unsafe", "unsafe and empty"):
        (tmp_path / name).mkdir()
    write_index(tmp_path / "unsafe", build_store(tmp_path / "unsafe", ROOTS))
    for name in ("unsafe", "unsafe and empty"):
        (tmp_path / name).chmod(0o777)
    directories = [str(tmp_path / name) for name in ("unsafe", "unsafe and empty")]
    store, index, (failure,) = _store.lookup(directories, SETTINGS, verification.check)
    assert (store, index) == (None, None)
    assert failure.is_unsafe and str(tmp_path / "unsafe") in str(failure)


def test_a_path_may_contain_spaces_line_breaks_and_undecodable_bytes(tmp_path, cas) -> None:
    if sys.platform in ("win32", "darwin"):
        pytest.skip("this file system requires names in Unicode")
    directory = tmp_path / " a\nb\udcff "
    (directory / "empty").mkdir(parents=True)
    (directory / "system.pem").write_bytes(cas.pem("system"))
    config = Config({"SSL_CERT_FILE": str(directory / "system.pem"), "SSL_CERT_DIR": str(directory / "empty")})
    trust_set = read_trust_set(config, SERVER_AUTH)
    key = ("a\nb\udcff",)
    store = compile_store(str(directory / "cache"), trust_set, key, shared=False)
    index = find(directory / "cache", key)
    assert str(directory / "cache" / index.digest) == store
    assert (index.snapshot.direct, index.snapshot.link_targets) == (
        trust_set.snapshot.direct,
        trust_set.snapshot.link_targets,
    )
    assert [path for path, _ in index.problems] == ["SSL_CERT_DIR"]


# How often all files are checked.


@pytest.fixture
def member(tmp_path: Path) -> Path:
    """A file in an input directory that an index in *tmp_path* records."""
    directory = tmp_path / "inputs"
    directory.mkdir()
    (directory / "member").write_bytes(b"")
    direct = observe("path", str(directory), "", portable=False)
    members = observe("members", str(directory), "member", portable=False)
    write_index(tmp_path, build_store(tmp_path, ROOTS), Snapshot([direct], [], [members]))
    return directory / "member"


def test_every_file_is_checked_once_per_interval(tmp_path, member) -> None:
    assert find(tmp_path) is not None
    member.write_bytes(b"1")
    assert find(tmp_path) is not None
    index = Path(_store.index_path(str(tmp_path), SETTINGS))
    for difference in (-2 * MEMBERS_INTERVAL, 3600):
        checked = index.stat().st_mtime + difference
        os.utime(index, (checked, checked))
        assert find(tmp_path) is None
        os.utime(index)


def test_a_check_from_before_the_start_of_the_machine_is_repeated(store, monkeypatch) -> None:
    """A crash may have lost files, because they are not synced."""
    index = write_index(store.parent, store)
    os.utime(index)
    next(store.glob("*.0")).write_bytes(b"")
    assert find(store.parent) is not None
    monkeypatch.setattr(_store, "monotonic", lambda: 0.0)
    assert find(store.parent) is None


def test_an_index_is_invalid_for_a_process_that_may_read_more_block_lists(tmp_path, store) -> None:
    (tmp_path / "blocklist").write_bytes(b"")
    index = write_index(tmp_path, store)
    read = _store.Index.from_bytes(index.read_bytes())
    read.unreadable = [str(tmp_path / "blocklist")]
    index.write_bytes(encode(read))
    assert find(tmp_path) is None
    (tmp_path / "blocklist").unlink()
    assert find(tmp_path) is not None


# Complete stores.


def test_a_complete_store_passes_the_check(store) -> None:
    verification.check(str(store))
    assert verification.is_complete(str(store))


@settings(max_examples=60)
@given(st.dictionaries(NAMES, st.integers(-1, 99)), st.dictionaries(NAMES, st.integers(-1, 99)))
def test_manifests_are_equal_only_if_all_names_and_sizes_are_equal(one, other) -> None:
    assert (verification.manifest(one) == verification.manifest(other)) == (one == other)


def test_a_manifest_with_a_changed_byte_is_detected(store) -> None:
    manifest = store / verification.MANIFEST
    complete = manifest.read_bytes()
    for position in range(len(complete)):
        manifest.write_bytes(complete[:position] + bytes([complete[position] ^ 1]) + complete[position + 1 :])
        with pytest.raises(Unusable, match="is damaged"):
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
