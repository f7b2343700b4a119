"""Loading a compiled store while nothing can be imported: at shutdown, and in signal handlers."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import der
import pytest

from certhook import _state
from certhook._certificates.anchor import Anchor
from certhook._certificates.x509 import Certificate
from certhook._state import BUNDLE, mark, markers_of
from certhook._store import build
from certhook._store.opening import open_stores

ROOTS = [der.root(name) for name in "abc"]
CONTEXT = _state.context_class_of(ssl)


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """A context that points at a compiled store."""
    with open_stores(str(tmp_path)) as stores:
        store = str(tmp_path / build.build(stores, [Anchor(Certificate(root)) for root in ROOTS], 0o600))
    context = CONTEXT(ssl.PROTOCOL_TLS_CLIENT)
    mark(context).store = store
    return context


@pytest.fixture(params=["a failed import", "shutdown"])
def load(request, monkeypatch):
    """The function that loads the store, while the usual function has no effect or is not called."""
    calls = []
    if request.param == "shutdown":
        monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    function = _state.without_imports(calls.append, CONTEXT.load_verify_locations)
    yield function
    assert bool(calls) == (request.param == "a failed import")


def count(context: ssl.SSLContext) -> int:
    return super(CONTEXT, context).cert_store_stats()["x509"]


def test_every_root_is_loaded_once(context, load) -> None:
    load((context,))
    assert count(context) == len(ROOTS)
    assert markers_of(context).store is None
    load((context,))
    assert count(context) == len(ROOTS)


def test_the_roots_are_loaded_from_their_own_files_if_the_bundle_is_damaged(context, load) -> None:
    (Path(markers_of(context).store) / BUNDLE).write_bytes(b"")
    load((context,))
    assert count(context) == len(ROOTS)


def test_a_deleted_store_is_no_error(context, load) -> None:
    mark(context).store += "-deleted"
    load((context,))
    assert count(context) == 0


def test_other_contexts_and_arguments_are_ignored(context, load) -> None:
    copy = CONTEXT(ssl.PROTOCOL_TLS_CLIENT)
    vars(copy).update(vars(context))
    for args in ((), (copy,), (CONTEXT(ssl.PROTOCOL_TLS_CLIENT),), ("text",)):
        load(args)
    assert count(copy) == 0
    assert markers_of(context).store is not None
