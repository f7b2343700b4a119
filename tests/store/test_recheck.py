"""A context whose store is missing or outdated, and which is checked after a failed verification."""

from __future__ import annotations

import os
import shutil
import ssl
from pathlib import Path

import certifi
import der
import pytest

from certhook import _config, _named_files, _state, _trust, _watch
from certhook._config import SERVER_AUTH
from certhook._state import markers_of

CONTEXT = _state.context_class_of(ssl)
ROOTS = [der.root(name) for name in "abc"]


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of stores, of a process whose default trust consists of two of :data:`ROOTS`."""
    monkeypatch.setattr(_watch, "INTERVAL", 0)
    (tmp_path / "system.pem").write_bytes(b"".join(map(der.pem, ROOTS[:2])))
    variables = {
        "CERTHOOK_SOURCES": "system",
        "CERTHOOK_STORE_DIR": str(tmp_path / "stores"),
        "SSL_CERT_DIR": "",
        "SSL_CERT_FILE": str(tmp_path / "system.pem"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "stores"


@pytest.fixture
def context(stores: Path) -> ssl.SSLContext:
    """A context that points at the store of default trust."""
    context = CONTEXT(ssl.PROTOCOL_TLS_CLIENT)
    _trust.apply(context, SERVER_AUTH)
    return context


@pytest.fixture
def named(stores: Path, tmp_path: Path) -> ssl.SSLContext:
    """A context that points at the store of a file that the caller named."""
    path = str(tmp_path / "named.pem")
    shutil.copyfile(certifi.where(), path)
    config = _config.current()
    context = CONTEXT(ssl.PROTOCOL_TLS_CLIENT)
    file = _named_files.attach(context, (path,), {}, config)
    super(CONTEXT, context).load_verify_locations(path)
    _named_files.compile_file(file, context)
    context = CONTEXT(ssl.PROTOCOL_TLS_CLIENT)
    assert _named_files.attach(context, (), {"cafile": path}, config).store is not None
    return context


def loaded(context: ssl.SSLContext) -> int:
    """Return the number of certificates that are loaded into *context*."""
    return super(CONTEXT, context).cert_store_stats()["x509"]


def replace_by_file(directory: Path) -> None:
    """Make it impossible to build a store."""
    shutil.rmtree(directory)
    directory.write_bytes(b"")


def test_a_deleted_store_is_built_again(stores, context) -> None:
    store = markers_of(context).store
    shutil.rmtree(stores)
    _trust.recheck(context, "for a test")
    assert markers_of(context).store == store
    assert os.path.isdir(store) and loaded(context) == 0
    assert _trust.current(_config.current(), SERVER_AUTH).built[1].endswith("(for a test)")


def test_the_roots_are_loaded_if_a_deleted_store_cannot_be_built(stores, context) -> None:
    replace_by_file(stores)
    _trust.recheck(context, "for a test")
    assert markers_of(context).store is None
    assert loaded(context) == 2


def test_a_deleted_store_of_a_named_file_is_built_again(stores, named, tmp_path) -> None:
    store = markers_of(named).store
    shutil.rmtree(stores)
    (tmp_path / "named.pem").unlink()
    _trust.recheck(named, "for a test")
    assert markers_of(named).store == store
    assert os.path.isdir(store) and loaded(named) == 0


def test_the_roots_of_a_named_file_are_loaded_if_its_store_cannot_be_built(stores, named, tmp_path) -> None:
    replace_by_file(stores)
    (tmp_path / "named.pem").unlink()
    _trust.recheck(named, "for a test")
    assert markers_of(named).store is None
    assert loaded(named) > 100


def test_a_context_without_a_store_is_not_checked(stores) -> None:
    context = CONTEXT(ssl.PROTOCOL_TLS_CLIENT)
    _trust.recheck(context, "for a test")
    assert loaded(context) == 0 and not stores.exists()


def test_trust_remains_in_effect_if_its_new_state_cannot_be_determined(context, monkeypatch, tmp_path) -> None:
    before = _trust.current(_config.current(), SERVER_AUTH)
    (tmp_path / "system.pem").write_bytes(der.pem(ROOTS[2]))

    def fail(*args: object) -> None:
        raise RuntimeError("an internal error")

    monkeypatch.setattr(_trust, "_determine", fail)
    assert _trust.current(_config.current(), SERVER_AUTH) is before
    shutil.rmtree(tmp_path / "stores")
    with pytest.raises(RuntimeError, match="an internal error"):
        _trust.current(_config.current(), SERVER_AUTH)


def test_a_store_without_its_directory_is_not_complete(context) -> None:
    trust = _trust.current(_config.current(), SERVER_AUTH)
    shutil.rmtree(trust.resolved)
    assert not trust.is_current()
    assert not trust.is_current(is_suspect=True)
