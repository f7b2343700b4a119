"""The references between indexes, links and stores decide which of them are removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from store_roots import ROOTS, build_store, write_index

from certhook import _store
from certhook._store import Index, Unusable, prune
from certhook._store.build import encode
from certhook._store.opening import open_stores
from certhook._watch import PATH, Snapshot, path_signature

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no symbolic links for users")

LINKS = [f"trust-{digit * 16}" for digit in "abc"]
LONG_AGO = (1, 1)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def link(directory: Path, name: str, store: Path) -> Path:
    path = directory / name
    path.symlink_to(store.name)
    return path


def index(directory: Path, store: Path, name: str, inputs: tuple[Path, ...] = ()) -> Path:
    """Write the index of an environment whose contexts point at the link *name*."""
    rows = [(PATH, str(path), "", path_signature(str(path))) for path in inputs]
    path = write_index(directory, store, Snapshot(rows, [], []), settings=(name,))
    read = Index.from_bytes(path.read_bytes())
    read.link = name
    path.write_bytes(encode(read))
    os.utime(path, LONG_AGO)
    return path


def named_store(directory: Path, store: Path) -> Path:
    """Return a store of a file that a caller named."""
    path = directory / f"file-{store.name}"
    path.mkdir()
    for file in store.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    return path


def sweep(directory: Path) -> None:
    with open_stores(str(directory)) as stores:
        prune.sweep(stores)


def test_pruning_keeps_the_current_stores_of_existing_environments(tmp_path) -> None:
    directory, bundle = tmp_path / "stores", tmp_path / "cacert.pem"
    directory.mkdir()
    bundle.write_bytes(b"")
    current, former = build_store(directory, ROOTS), build_store(directory, ROOTS[:3])
    kept = {current.name, LINKS[0], index(directory, current, LINKS[0], (bundle,)).name}
    link(directory, LINKS[0], current)
    link(directory, LINKS[1], former)
    deleted = tmp_path / "deleted"
    deleted.write_bytes(b"")
    index(directory, former, LINKS[2], (deleted,))
    deleted.unlink()
    (directory / f"index-{'0' * 8}").write_bytes(b"of another version")
    named_store(directory, current)
    (directory / "mine").write_bytes(b"")
    removed = prune.prune(str(directory))
    assert names(directory) == {*kept, "mine"}
    assert len(removed) == len(set(removed)) == 5
    assert not any(map(os.path.lexists, removed))


def test_a_build_removes_what_was_last_used_before_the_boot_and_thirty_days_ago(tmp_path) -> None:
    stores = [build_store(tmp_path, ROOTS[:count]) for count in (3, 4, 5)]
    used, unused = (index(tmp_path, store, name) for store, name in zip(stores[:2], LINKS))
    for name, store in zip(LINKS, stores):
        os.utime(link(tmp_path, name, store), LONG_AGO, follow_symlinks=False)
    os.utime(used)
    files = named_store(tmp_path, stores[0])
    for path in (*stores, files, files / "manifest"):
        os.utime(path, LONG_AGO)
    sweep(tmp_path)
    assert names(tmp_path) == {used.name, LINKS[0], stores[0].name}
    assert not unused.exists()


def test_a_store_without_references_is_removed_after_an_hour(tmp_path) -> None:
    recent, old = build_store(tmp_path, ROOTS), build_store(tmp_path, ROOTS[:3])
    os.utime(old, (time.time() - 3601,) * 2)
    sweep(tmp_path)
    assert names(tmp_path) == {recent.name}


def test_a_link_that_no_index_references_follows_the_next_one(tmp_path) -> None:
    one, two = build_store(tmp_path, ROOTS), build_store(tmp_path, ROOTS[:3])
    links = [link(tmp_path, name, store) for name, store in zip(LINKS, (one, two, two))]
    index(tmp_path, two, LINKS[1])
    index(tmp_path, two, LINKS[2])
    prune.follow(str(links[0]), str(links[1]))
    assert os.readlink(links[0]) == LINKS[1]
    assert os.path.realpath(links[0]) == str(two)
    prune.follow(str(links[2]), str(links[0]))
    assert os.readlink(links[2]) == two.name


@pytest.mark.parametrize("former", ["missing", "elsewhere/trust", "index"])
def test_only_a_link_in_the_same_directory_is_replaced(tmp_path, former) -> None:
    store = build_store(tmp_path, ROOTS)
    new = link(tmp_path, LINKS[0], store)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "trust").symlink_to(store)
    (tmp_path / "index").write_bytes(b"")
    before = names(tmp_path)
    prune.follow(str(tmp_path / former), str(new))
    assert names(tmp_path) == before
    assert os.readlink(tmp_path / "elsewhere" / "trust") == str(store)


def test_a_directory_that_was_deleted_needs_no_pruning(tmp_path) -> None:
    deleted = tmp_path / "deleted"
    deleted.mkdir()
    with open_stores(str(deleted)) as stores:
        deleted.rmdir()
        prune.sweep(stores)
    with pytest.raises(Unusable, match="No such file"):
        prune.prune(str(deleted))
    assert _store.exists(str(tmp_path))
