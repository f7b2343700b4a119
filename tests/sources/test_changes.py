"""A trust set stays valid while its inputs are unchanged, and the next context detects each change."""

from __future__ import annotations

import os
import ssl
import sys
import warnings
from pathlib import Path

import der
import pytest
from root_files import REJECTED_BY_OPENSSL, ROOTS, bundle, hash_of, letters_of, read

import certhook
from certhook import _config, _eager, _files, _trust
from certhook._config import SERVER_AUTH
from certhook._watch.recorder import Recorder
from certhook.exceptions import CerthookWarning


def loaded() -> int:
    """Return the number of roots that a context contains after default trust was loaded completely."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    certhook.load_default_certs(context)
    _eager.load_completely(context)
    return context.cert_store_stats()["x509"]


def test_a_certificate_that_openssl_rejects_is_skipped_and_reported_once(monkeypatch, tmp_path) -> None:
    path = tmp_path / "bundle.pem"
    path.write_bytes(der.pem(ROOTS["a"]) + der.pem(REJECTED_BY_OPENSSL) + der.pem(ROOTS["b"]))
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(path))
    monkeypatch.setenv("CERTHOOK_LOAD", "eager")
    with pytest.warns(CerthookWarning, match="OpenSSL rejects") as caught:
        assert loaded() == 2
    assert len(caught) == 1
    assert loaded() == 2
    assert len(_trust.current(_config.current(), SERVER_AUTH).problems) == 1


@pytest.fixture(params=["eager", "lazy"])
def inputs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which variables name bundle.pem, the directory more, and late.pem, which does not exist."""
    bundle(tmp_path / "bundle.pem", "ab")
    bundle(tmp_path / "more" / "c.pem", "c")
    for path in (tmp_path / "bundle.pem", tmp_path / "more" / "c.pem", tmp_path / "more"):
        os.utime(path, (10**9, 10**9))  # Recent changes make the result volatile.
    extra = [str(tmp_path / "more"), str(tmp_path / "late.pem")]
    monkeypatch.setenv("CERTHOOK_SOURCES", "bundled")
    monkeypatch.setenv("CERTHOOK_BUNDLE", str(tmp_path / "bundle.pem"))
    monkeypatch.setenv("CERTHOOK_EXTRA_CA_CERTS", os.pathsep.join(extra))
    monkeypatch.setenv("CERTHOOK_LOAD", request.param)
    monkeypatch.setenv("CERTHOOK_STORE_DIR", str(tmp_path / "cache"))
    warnings.simplefilter("ignore", CerthookWarning)
    assert loaded() == 3
    return tmp_path


@pytest.fixture
def paths_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are read from now on."""
    paths: list[str] = []
    real_read = _files.read

    def read(path: str) -> bytes:
        paths.append(path)
        return real_read(path)

    monkeypatch.setattr(_files, "read", read)
    return paths


def test_no_file_is_read_while_nothing_changes(inputs: Path, paths_read: list[str]) -> None:
    assert [loaded() for _ in range(3)] == [3, 3, 3]
    assert paths_read == []


def modify_bundle(directory: Path) -> None:
    bundle(directory / "bundle.pem", "abd")


def replace_bundle(directory: Path) -> None:
    os.replace(bundle(directory / "new.pem", "de"), directory / "bundle.pem")


def remove_bundle(directory: Path) -> None:
    (directory / "bundle.pem").unlink()


def add_to_directory(directory: Path) -> None:
    bundle(directory / "more" / "d.pem", "d")


def remove_from_directory(directory: Path) -> None:
    (directory / "more" / "c.pem").unlink()


def create_missing_file(directory: Path) -> None:
    bundle(directory / "late.pem", "def")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (modify_bundle, 4),
        (replace_bundle, 3),
        (remove_bundle, 1),
        (add_to_directory, 4),
        (remove_from_directory, 2),
        (create_missing_file, 6),
    ],
)
def test_the_next_context_detects_a_changed_path(change, expected: int, inputs: Path, paths_read: list[str]) -> None:
    change(inputs)
    assert loaded() == expected
    assert paths_read
    del paths_read[:]
    assert loaded() == expected
    assert paths_read == []


def test_a_file_overwritten_in_a_directory_is_detected(inputs) -> None:
    bundle(inputs / "more" / "c.pem", "cd")
    assert loaded() == 4


def test_the_next_context_detects_a_changed_variable(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CERTHOOK_EXTRA_CA_CERTS")
    assert loaded() == 2


def test_a_replaced_link_to_a_directory_is_detected(inputs: Path) -> None:
    """Kubernetes updates a mounted directory by replacing a link in it."""
    for release, letters in (("..1", "d"), ("..2", "def")):
        bundle(inputs / "more" / release / "ca.pem", letters)
    (inputs / "more" / "..data").symlink_to("..1")
    (inputs / "more" / "ca.pem").symlink_to("..data/ca.pem")
    assert loaded() == 4
    (inputs / "more" / "..new").symlink_to("..2")
    os.utime(inputs / "more", (10**9, 10**9))
    assert loaded() == 4
    os.replace(inputs / "more" / "..new", inputs / "more" / "..data")
    assert loaded() == 6


def test_each_link_on_the_way_to_a_file_is_watched(inputs: Path) -> None:
    for name, letters in (("one.pem", "d"), ("two.pem", "def")):
        bundle(inputs / "elsewhere" / "files" / name, letters)
    middle = inputs / "elsewhere" / "middle.pem"
    middle.symlink_to("files/one.pem")
    (inputs / "more" / "ca.pem").symlink_to("../elsewhere/middle.pem")
    assert loaded() == 4
    middle.unlink()
    middle.symlink_to("files/two.pem")
    assert loaded() == 6


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has stores instead of locations")
def test_the_missing_target_of_a_link_is_watched(tmp_path: Path) -> None:
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / f"{hash_of('a')}.0").symlink_to(tmp_path / "elsewhere" / "a.pem")
    trust = read(CERTHOOK_SOURCES="system", SSL_CERT_DIR=tmp_path / "hashed", SSL_CERT_FILE="")
    assert letters_of(trust) == "" and trust.snapshot.is_current(thorough=False)
    bundle(tmp_path / "elsewhere" / "a.pem", "a")
    assert not trust.snapshot.is_current(thorough=False)


def test_the_topmost_missing_directory_of_a_path_is_watched(tmp_path: Path) -> None:
    recorder = Recorder()
    for path in ("a/b/c", "a/d", "e"):
        recorder.watch(str(tmp_path / path))
    snapshot = recorder.snapshot()
    assert [name for _, name, _, _ in snapshot.frequent] == [str(tmp_path / "a"), str(tmp_path / "e")]
    (tmp_path / "a").mkdir()
    assert not snapshot.is_current(thorough=False)


def test_the_recorder_waits_until_another_change_would_alter_the_signature(tmp_path: Path, monkeypatch) -> None:
    """A second change within one tick of the file system's clock would go unnoticed forever."""
    slept: list[float] = []
    now, changed = 1_700_000_000_000_000_000, [0]
    monkeypatch.setattr("certhook._watch.recorder.time_ns", lambda: now + int(sum(slept) * 1e9))
    monkeypatch.setattr("certhook._watch.recorder.sleep", slept.append)
    monkeypatch.setattr("certhook._watch.recorder.path_signature", lambda path: (changed[0], 1, 1, 1))
    cases = [
        (now - 5_000_001, [0.015999999], False),  # 5 ms ago
        (now - 1_000_000_001, [], False),  # one second ago
        (now - 1_000_000_000, [], True),  # one second ago, on a clock of whole seconds
        (now - 3_000_000_000, [], False),
        (now + 5_000_000, [], False),  # in the future, because the clock of a file server is ahead
    ]
    for changed[0], expected, volatile in cases:
        slept.clear()
        recorder = Recorder()
        recorder.watch(str(tmp_path))
        assert (slept, recorder.volatile) == (pytest.approx(expected), volatile)


def test_an_input_that_is_recorded_twice_is_checked_once_with_its_earlier_signature() -> None:
    class Thing:
        kind, name = "thing", "name"

    for frequently in (True, False):
        recorder = Recorder()
        for number in (1, 2):
            recorder.watch_input(Thing(), (number, 0, 0, 0), frequently)
        snapshot = recorder.snapshot()
        ((*_, seen),) = snapshot.frequent if frequently else snapshot.rare
        assert seen == (1, 0, 0, 0)
