"""Compiled stores and their indexes: what is in them, where they may be, and that damage is always seen."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
import sys
import time
from binascii import crc32
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import certifi
import der
import pytest
import support
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from certhook._certificates import pem
from certhook._store import build
from certhook import _config, _store
from certhook._config import CLIENT_AUTH, SERVER_AUTH, Config
from certhook._sources import TrustSet
from certhook._store import Index, Inputs, Unusable

posix = pytest.mark.skipif(os.name == "nt", reason="modes and owners are a thing of POSIX")
SOMEBODY = 54321


# The index.

# What environments and file systems have: any character but NUL, undecodable bytes as surrogates.
TEXT = st.text(
    st.one_of(
        st.sampled_from(" \n\t/:=0é\udc80\udcff"), st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")
    ),
    max_size=20,
)
NUMBERS = st.integers(min_value=-(2**70), max_value=2**70)
SIGNATURES = st.one_of(st.none(), st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS))
INDEXES = st.builds(
    Index,
    st.lists(TEXT, max_size=12).map(tuple),
    st.binary(min_size=20, max_size=20).map(bytes.hex),
    SIGNATURES,
    st.builds(
        Inputs,
        st.dictionaries(TEXT, SIGNATURES, max_size=4),
        st.dictionaries(TEXT, SIGNATURES, max_size=4),
        st.dictionaries(TEXT, TEXT, max_size=4),
        st.integers(0, 2**32 - 1),
        st.booleans(),
    ),
    st.lists(st.tuples(TEXT, TEXT), max_size=3),
    st.lists(TEXT, max_size=3),
)


def fields(index: Index) -> tuple[object, ...]:
    inputs = index.inputs
    seen = inputs.near, inputs.linked, inputs.deep, inputs.deep_seen, inputs.portable
    return index.settings, index.digest, index.store_seen, index.problems, index.closed, seen


@given(INDEXES)
def test_an_index_is_read_as_it_was_written(index) -> None:
    assert fields(Index.from_bytes(index.to_bytes())) == fields(index)


@given(st.one_of(st.binary(), st.binary().map(lambda data: _store._INDEX + b"\0" + data)))
def test_anything_else_is_no_index(data) -> None:
    with pytest.raises(ValueError):
        Index.from_bytes(data)


@given(INDEXES, st.data())
def test_an_index_cut_short_is_none(index, data) -> None:
    written = index.to_bytes()
    with pytest.raises(ValueError):
        Index.from_bytes(written[: data.draw(st.integers(0, len(written) - 1))])


@given(INDEXES, st.data())
def test_an_index_with_a_byte_changed_is_none(index, data) -> None:
    written = bytearray(index.to_bytes())
    written[data.draw(st.integers(0, len(written) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError):
        Index.from_bytes(bytes(written))


@given(INDEXES, st.data())
def test_an_index_with_a_part_zeroed_is_none(index, data) -> None:
    written = index.to_bytes()
    start = data.draw(st.integers(0, len(written) - 1))
    end = data.draw(st.integers(start + 1, len(written)))
    zeroed = written[:start] + bytes(end - start) + written[end:]
    assume(zeroed != written)
    with pytest.raises(ValueError):
        Index.from_bytes(zeroed)


def checksummed(body: bytes) -> bytes:
    return b"%s\0%08x\0%s" % (_store._INDEX, crc32(body), body)


FIELD = st.one_of(
    st.integers(-3, 12).map(str), st.sampled_from(["", "x", "1 2 3 4", "1 2", "9" * 5000, "\udcff"]), TEXT
)


@given(st.lists(FIELD, max_size=20).map("\0".join).map(os.fsencode))
def test_an_index_of_nonsense_is_none_even_with_its_checksum(body) -> None:
    try:
        index = Index.from_bytes(checksummed(body))
    except ValueError:
        return
    assert Index.from_bytes(index.to_bytes()).to_bytes() == index.to_bytes()


@given(INDEXES, st.data())
def test_an_index_with_a_field_changed_is_a_whole_index_or_none(index, data) -> None:
    body = index.to_bytes().split(b"\0", 2)[2].split(b"\0")
    body[data.draw(st.integers(0, len(body) - 1))] = os.fsencode(data.draw(FIELD))
    try:
        read = Index.from_bytes(checksummed(b"\0".join(body)))
    except ValueError:
        return
    assert len(read.settings) + 2 * sum(map(len, (read.inputs.near, read.inputs.linked, read.inputs.deep))) <= len(body)


@pytest.mark.parametrize("digest", ["", ".", "../0123", "/etc/ssl/certs"])
def test_an_index_that_leads_out_of_its_folder_is_none(digest) -> None:
    with pytest.raises(ValueError):
        Index.from_bytes(Index(("a",), digest, None, Inputs({}, {}, {}, 0, False), [], []).to_bytes())


def test_indexes_of_two_settings_with_one_name_are_told_apart(tmp_path) -> None:
    anchors = [anchor("a")]
    store = build.build(str(tmp_path), anchors, shared=False)
    index = Index(("one",), os.path.basename(store), None, Inputs({}, {}, {}, _store.look({}), False), [], [])
    build.write_index(str(tmp_path), index, shared=False)
    assert _store.find(str(tmp_path), ("one",)) is not None
    os.rename(_store.index_path(str(tmp_path), ("one",)), _store.index_path(str(tmp_path), ("two",)))
    assert _store.find(str(tmp_path), ("two",)) is None


# What the inputs look like.


@pytest.fixture(params=[1, 40], ids=["one file", "a folder full of files"])
def inputs(request, tmp_path: Path) -> Callable[[bool], Inputs]:
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "folder").mkdir()
    names = ["file", *map(str, range(1, request.param))]
    for name in names:
        (tmp_path / "folder" / name).write_bytes(b"1")
    (tmp_path / "linked").mkdir()
    near = {str(tmp_path / name): None for name in ("file", "folder", "nothing")}
    blank = Inputs(near, {str(tmp_path / "linked"): None}, {str(tmp_path / "folder"): "/".join(names)}, 0, False)
    return blank.seen_anew


def test_inputs_that_nobody_touched_are_current(inputs) -> None:
    for portable in (False, True):
        assert inputs(portable).is_current(deep=True)


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda path: (path / "file").write_bytes(b"12"),
        lambda path: (path / "file").write_bytes(b"2"),
        lambda path: (path / "file").unlink(),
        lambda path: (path / "folder" / "another").write_bytes(b""),
        lambda path: (path / "folder" / "file").unlink(),
        lambda path: (path / "nothing").write_bytes(b""),
        lambda path: shutil.rmtree(str(path / "folder")),
    ],
    ids=["longer", "as long", "removed", "added to the folder", "removed from it", "there now", "the folder removed"],
)
def test_a_changed_input_is_seen_at_once(inputs, tmp_path, change, portable) -> None:
    seen = inputs(portable)
    _wait_for_the_clock(tmp_path)
    change(tmp_path)
    assert not seen.is_current(deep=False)


@pytest.mark.parametrize("portable", [False, True])
def test_a_folder_where_links_lead_is_looked_at(inputs, tmp_path, portable) -> None:
    seen = inputs(portable)
    _wait_for_the_clock(tmp_path)
    (tmp_path / "linked" / "another").write_bytes(b"")
    assert not seen.is_current(deep=False)


@pytest.mark.parametrize("portable", [False, True])
def test_a_file_of_a_folder_that_is_overwritten_in_place_is_seen_by_a_deep_look(inputs, tmp_path, portable) -> None:
    seen = inputs(portable)
    (tmp_path / "folder" / "file").write_bytes(b"12")
    assert seen.is_current(deep=False)
    assert not seen.is_current(deep=True)


def test_files_that_are_gone_or_lead_nowhere_are_as_good_as_others(inputs, tmp_path) -> None:
    (tmp_path / "folder" / "file").unlink()
    (tmp_path / "folder" / "file").symlink_to("nowhere")
    seen = inputs(False)
    assert seen.is_current(deep=True)
    (tmp_path / "folder" / "nowhere").write_bytes(b"")
    assert _store.look(seen.deep) != seen.deep_seen


def test_a_link_of_a_folder_that_leads_elsewhere_is_seen_in_portable_inputs(inputs, tmp_path) -> None:
    link = tmp_path / "folder" / "file"
    for target in ("one", "two"):
        (tmp_path / target).write_bytes(b"1")
    link.unlink()
    link.symlink_to(tmp_path / "one")
    seen = inputs(True)
    link.unlink()
    link.symlink_to(tmp_path / "two")
    assert not seen.is_current(deep=False)


def test_portable_inputs_survive_a_copy(inputs, tmp_path) -> None:
    seen = inputs(True)
    here = str(tmp_path)
    shutil.copytree(here, here + ".copy", symlinks=True)
    shutil.rmtree(here)
    os.rename(here + ".copy", here)
    assert seen.is_current(deep=True)


def _wait_for_the_clock(folder: Path) -> None:
    """Until a file bears a later time than one of now: some file systems' clocks tick every few milliseconds."""
    ticking = folder.parent / f"{folder.name}.clock"
    ticking.write_bytes(b"")
    begun = ticking.stat().st_mtime_ns
    while ticking.stat().st_mtime_ns == begun:
        ticking.write_bytes(b"")


# A store.


def anchor(name: str, serial: int = 1) -> bytes:
    """A root of that name."""
    return der.certificate(der.common_name(name), serial)


def content(store: str | Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(store).iterdir()}


ROOTS = [anchor("a", 1), anchor("a", 2), anchor("a", 300), *(anchor(name) for name in "bcdefgh")]


@settings(max_examples=20)
@given(st.permutations(ROOTS))
def test_the_same_anchors_make_the_same_store_in_any_order(tmp_path_factory, shuffled) -> None:
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    first = Path(build.build(str(one), ROOTS, shared=False))
    second = Path(build.build(str(other), shuffled, shared=False))
    assert first.name == second.name
    assert content(first) == content(second)


def test_other_anchors_make_another_store() -> None:
    digests = [build.digest(ROOTS[:count]) for count in range(len(ROOTS) + 1)]
    assert len(set(digests)) == len(digests)


def test_namesakes_stand_side_by_side_without_those_that_openssl_refuses() -> None:
    refused = der.certificate(der.common_name("a"), key=der.element(der.SEQUENCE))
    # It would be the first, and hide those behind it.
    assert refused < min(ROOTS)
    found = build.files([*ROOTS, refused])
    assert len(found) == len(ROOTS)
    namesakes = sorted(name for name in found if not name.endswith(".0"))
    name = namesakes[0][:8]
    assert namesakes == [f"{name}.1", f"{name}.2"]
    assert [found[f"{name}.{number}"] for number in range(3)] == [der.pem(root) for root in sorted(ROOTS[:3])]


def test_the_store_of_certifis_roots_is_what_openssl_rehash_makes(tmp_path, openssl) -> None:
    roots = [anchor.der for anchor in pem.parse(Path(certifi.where()).read_bytes())[0]]
    ours = build.files(roots)
    for number, root in enumerate(roots):
        (tmp_path / f"{number}.pem").write_bytes(der.pem(root))
    subprocess.run([openssl, "rehash", str(tmp_path)], env=support.clean_env(), check=True, stderr=subprocess.DEVNULL)
    theirs = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_symlink()}
    assert len(ours) > 100
    assert sorted(ours) == sorted(theirs)
    assert sorted(ours.values()) == sorted(theirs.values())


@pytest.fixture(scope="module")
def openssl() -> str:
    """The openssl command, without which CI must not pass."""
    command = shutil.which("openssl")
    if command is None and os.environ.get("CI"):
        pytest.fail("the openssl command is needed")
    if command is None:
        pytest.skip("there is no openssl command to compare with")
    return command


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return Path(build.build(str(tmp_path), ROOTS, shared=False))


def test_a_whole_store_passes(store) -> None:
    _store.check(str(store))


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from(["0a.0", "0a.1", "x y", "é"]), st.integers(-1, 99)),
    st.dictionaries(st.sampled_from(["0a.0", "0a.1", "x y", "é"]), st.integers(-1, 99)),
)
def test_two_manifests_are_equal_if_names_and_sizes_are(one, other) -> None:
    assert (_store.manifest(one) == _store.manifest(other)) == (one == other)


DAMAGE = {
    "a file missing": lambda file: file.unlink(),
    "a file longer": lambda file: file.write_bytes(file.read_bytes() + b"\n"),
    "a file shorter": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "a file renamed": lambda file: file.rename(file.with_suffix(".7")),
    "a file more": lambda file: file.with_name("more").write_bytes(b""),
    "a folder more": lambda file: file.with_name("more").mkdir(),
    "a link in a file's place": lambda file: _by_a_link(file),
    "no manifest": lambda file: file.with_name("manifest").unlink(),
    "the manifest cut short": lambda file: file.with_name("manifest").write_bytes(_store._MANIFEST.encode() + b"\n"),
    "the manifest empty": lambda file: file.with_name("manifest").write_bytes(b""),
}


def _by_a_link(path: Path) -> None:
    path.rename(path.parent.parent / "moved")
    path.symlink_to(path.parent.parent / "moved")


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_seen_and_repaired(store, damage) -> None:
    before = content(store)
    damage(random.choice([path for path in store.iterdir() if path.name != "manifest"]))
    with pytest.raises(Unusable):
        _store.check(str(store))
    assert build.build(str(store.parent), ROOTS, shared=False) == str(store)
    assert content(store) == before
    assert {path.name for path in store.parent.iterdir()} - {"moved"} == {store.name}


def test_one_byte_of_a_manifest_changed_is_seen(store) -> None:
    manifest = store / "manifest"
    whole = manifest.read_bytes()
    for position in range(len(whole)):
        manifest.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(Unusable):
            _store.check(str(store))


@pytest.mark.parametrize("stand_in", ["a file", "a link", "a dangling link", "a folder"])
def test_what_stands_in_the_place_of_a_store_gives_way(tmp_path, stand_in) -> None:
    store = tmp_path / build.digest(ROOTS)
    (tmp_path / "elsewhere").mkdir()
    if stand_in == "a file":
        store.write_bytes(b"")
    elif stand_in == "a folder":
        store.mkdir()
        (store / "b").mkdir()
    else:
        store.symlink_to(tmp_path / ("nothing" if stand_in == "a dangling link" else "elsewhere"))
    build.build(str(tmp_path), ROOTS, shared=False)
    _store.check(str(store))
    assert not store.is_symlink()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_path_may_have_spaces_line_ends_and_undecodable_bytes(tmp_path, cas) -> None:
    if sys.platform in ("win32", "darwin"):
        pytest.skip("the file system wants Unicode")
    folder = tmp_path / " a\nb\udcff "
    (folder / "empty").mkdir(parents=True)
    (folder / "system.pem").write_bytes(cas.pem("system"))
    config = Config({"SSL_CERT_FILE": str(folder / "system.pem"), "SSL_CERT_DIR": str(folder / "empty")})
    found = TrustSet(config, SERVER_AUTH)
    store = build.compile_into(str(folder / "cache"), found, ("a\nb\udcff",), shared=False)
    index = _store.find(str(folder / "cache"), ("a\nb\udcff",))
    assert os.path.join(str(folder / "cache"), index.digest) == store
    assert (index.inputs.near, index.inputs.linked) == (found.inputs.near, found.inputs.linked)
    assert [path for path, _ in index.problems] == ["SSL_CERT_DIR"]


def test_an_index_is_looked_at_deeply_once_in_a_while(tmp_path, cas) -> None:
    (tmp_path / "in").mkdir()
    for name in ("deep", "near"):
        (tmp_path / "in" / name).write_bytes(b"")
    near, deep = str(tmp_path / "in"), str(tmp_path / "in" / "deep")
    store = build.build(str(tmp_path), ROOTS, shared=False)
    inputs = Inputs({near: _store.signature(near)}, {}, {near: "deep"}, _store.look({near: "deep"}), False)
    build.write_index(str(tmp_path), Index(("a",), os.path.basename(store), None, inputs, [], []), shared=False)
    path = _store.index_path(str(tmp_path), ("a",))
    assert _store.find(str(tmp_path), ("a",)) is not None
    with open(deep, "ab") as file:
        file.write(b"1")
    assert _store.find(str(tmp_path), ("a",)) is not None
    for away in (-2 * _store.DEEP_LOOK_EVERY, 3600):
        then = os.stat(path).st_mtime + away
        os.utime(path, (then, then))
        assert _store.find(str(tmp_path), ("a",)) is None
        os.utime(path)


def test_a_look_from_before_the_machine_was_started_does_not_hold(tmp_path, monkeypatch) -> None:
    store = build.build(str(tmp_path), ROOTS, shared=False)
    index = Index(
        ("a",), os.path.basename(store), _store.signature(store), Inputs({}, {}, {}, _store.look({}), False), [], []
    )
    build.write_index(str(tmp_path), index, shared=False)
    os.utime(_store.index_path(str(tmp_path), ("a",)))
    next(Path(store).glob("*.0")).write_bytes(b"")
    assert _store.find(str(tmp_path), ("a",)) is not None
    monkeypatch.setattr(_store, "monotonic", lambda: 0.0)
    assert _store.find(str(tmp_path), ("a",)) is None


# Who may read what is made.


@pytest.fixture
def umask() -> Callable[[int], None]:
    before = os.umask(0)
    yield os.umask
    os.umask(before)


def modes(folder: Path) -> dict[str, set[int]]:
    """The modes of *folder* and all that is in it, by kind."""
    found = {"folders": {stat.S_IMODE(folder.stat().st_mode)}, "files": set()}
    for path in folder.rglob("*"):
        found["folders" if path.is_dir() else "files"].add(stat.S_IMODE(path.stat().st_mode))
    return found


@posix
@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
@pytest.mark.parametrize(
    ("shared", "expected"),
    [(False, {"folders": {0o700}, "files": {0o600}}), (True, {"folders": {0o755}, "files": {0o644}})],
    ids=["private", "shared"],
)
def test_modes_are_the_same_whatever_the_umask(tmp_path, cas, umask, mask, shared, expected) -> None:
    umask(mask)
    (tmp_path / "system.pem").write_bytes(cas.pem("system"))
    found = TrustSet(Config({"SSL_CERT_FILE": str(tmp_path / "system.pem"), "SSL_CERT_DIR": ""}), SERVER_AUTH)
    build.compile_into(str(tmp_path / "made" / "cache"), found, ("a",), shared)
    assert modes(tmp_path / "made") == expected


def test_a_folder_on_a_drive_that_is_not_there_cannot_be_made(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    with pytest.raises(Unusable, match="cannot be made: there is no "):
        build.make_folder(str(tmp_path / "cache"), shared=False)


@posix
def test_a_folder_that_is_there_keeps_its_mode(tmp_path) -> None:
    tmp_path.chmod(0o750)
    build.make_folder(str(tmp_path), shared=True)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


@posix
def test_only_roots_stores_are_for_others_to_read(monkeypatch) -> None:
    for user, shared in ((0, True), (SOMEBODY, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        assert _store.is_shared(_store.ROOTS_FOLDER) == shared


# Which folders are used.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "above" / "cache"
    folder.mkdir(parents=True)
    return folder


def test_a_folder_of_ones_own_is_used(folder) -> None:
    assert _store.resolve(str(folder)) == str(folder)


def test_a_folder_that_is_not_there_yet_is_used(folder) -> None:
    assert _store.resolve(str(folder / "a" / "b")) == str(folder / "a" / "b")


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o720, 0o702])
def test_a_folder_that_others_can_write_is_not(folder, mode) -> None:
    folder.chmod(mode)
    with pytest.raises(Unusable, match="can be written by others.*'chmod go-w' it") as refused:
        _store.resolve(str(folder))
    assert refused.value.unsafe


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_nor_one_that_others_can_put_another_in_the_place_of(folder, mode) -> None:
    folder.parent.chmod(mode)
    with pytest.raises(Unusable, match=r"above can be written by others"):
        _store.resolve(str(folder))
    with pytest.raises(Unusable, match=r"above can be written by others"):
        _store.resolve(str(folder.parent / "not there yet"))


@posix
def test_a_folder_in_one_where_everybody_has_his_own_is_not_used(folder) -> None:
    """Once it is deleted, anybody may make it anew."""
    folder.parent.chmod(0o1777)
    with pytest.raises(Unusable, match=r"above can be written by others \(mode 1777\); choose") as refused:
        _store.resolve(str(folder))
    # Who has his home in /tmp need not hear of it in every process.
    assert refused.value.public and not refused.value.unsafe


@posix
def test_who_seems_to_be_nobody_cannot_tell_his_own_files(folder, root, monkeypatch) -> None:
    os.chown(str(folder), 65534, 65534)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    with pytest.raises(Unusable, match=r"belongs to a user who has no name here \(nobody\)"):
        _store.resolve(str(folder))
    assert _store.resolve(str(folder.parent)) == str(folder.parent)


@pytest.mark.parametrize("user", [SOMEBODY, 65534])
@pytest.mark.parametrize("above", [False, True], ids=["the folder", "what is above it"])
def test_what_belongs_to_another_user_is_not_used(folder, root, user, above) -> None:
    os.chown(str(folder.parent if above else folder), user, user)
    with pytest.raises(Unusable, match="belongs to") as refused:
        _store.resolve(str(folder))
    # The files of every user whom a container's user namespace does not know seem to be nobody's.
    assert refused.value.unsafe == (user == SOMEBODY)


def test_a_user_uses_roots_folder_and_root_no_users(folder, root, monkeypatch) -> None:
    os.chown(str(folder), SOMEBODY, SOMEBODY)
    with pytest.raises(Unusable):
        _store.resolve(str(folder))
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    assert _store.resolve(str(folder)) == str(folder)
    assert _store.resolve(str(folder.parent)) == str(folder.parent)


def test_a_link_in_the_place_of_the_folder_is_refused(folder) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    with pytest.raises(Unusable, match="is a symbolic link") as refused:
        _store.resolve(str(link))
    assert refused.value.unsafe


def test_a_link_above_the_folder_is_resolved(folder, tmp_path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder.parent)
    assert _store.resolve(str(link / "cache")) == str(folder)
    assert _store.resolve(str(link / "not there yet")) == str(folder.parent / "not there yet")


@posix
def test_where_a_link_above_the_folder_leads_to_has_to_be_safe_too(folder, tmp_path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder.parent)
    folder.parent.chmod(0o777)
    with pytest.raises(Unusable, match="can be written by others"):
        _store.resolve(str(link / "cache"))


def test_a_file_in_the_place_of_the_folder_is_refused(folder) -> None:
    (folder / "file").write_bytes(b"")
    for path in (folder / "file", folder / "file" / "below"):
        with pytest.raises(Unusable):
            _store.resolve(str(path))


def test_a_path_that_openssl_would_split_is_refused_quietly(folder) -> None:
    with pytest.raises(Unusable, match="at which OpenSSL splits") as refused:
        _store.resolve(str(folder / f"a{os.pathsep}b"))
    assert not refused.value.unsafe


def test_a_link_to_a_path_that_openssl_would_split_is_refused(folder, tmp_path) -> None:
    (folder / f"a{os.pathsep}b").mkdir()
    (tmp_path / "link").symlink_to(folder / f"a{os.pathsep}b")
    with pytest.raises(Unusable, match="at which OpenSSL splits"):
        _store.resolve(str(tmp_path / "link" / "cache"))


# Where a user's stores are.


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A user, not root, with neither HOME nor an entry in the user database."""
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    monkeypatch.setattr(os, "getuid", lambda: SOMEBODY)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def own_folder(**variables: str) -> str | None:
    return _store.own_folder(Config(variables))


@posix
def test_where_the_environment_is_locked_out_it_does_not_name_the_folder(user) -> None:
    user.setattr(_config, "use_environment", False)
    user.setenv("HOME", "/home/me")
    user.setenv("XDG_CACHE_HOME", "/data/cache")
    users = SimpleNamespace(getpwuid=lambda user: SimpleNamespace(pw_dir=f"/home/{user}"))
    user.setitem(sys.modules, "pwd", users)
    assert own_folder() == f"/home/{SOMEBODY}/.cache/certhook"
    user.setitem(sys.modules, "pwd", None)
    assert own_folder() is None


@posix
def test_a_users_stores_are_in_the_cache_folder_of_his_home(user) -> None:
    user.setenv("HOME", "/home/me")
    assert own_folder() == "/home/me/.cache/certhook"
    user.setenv("XDG_CACHE_HOME", "/data/cache")
    assert own_folder() == "/data/cache/certhook"


@posix
def test_a_relative_cache_home_is_ignored(user) -> None:
    user.setenv("HOME", "/home/me")
    user.setenv("XDG_CACHE_HOME", "cache")
    assert own_folder() == "/home/me/.cache/certhook"


@posix
def test_who_has_no_home_has_no_folder(user) -> None:
    assert own_folder() is None
    user.setenv("HOME", "relative")
    assert own_folder() is None


@posix
def test_on_macos_they_are_in_library_caches(user) -> None:
    user.setenv("HOME", "/Users/me")
    user.setenv("XDG_CACHE_HOME", "/data/cache")
    user.setattr(sys, "platform", "darwin")
    assert own_folder() == "/Users/me/Library/Caches/certhook"


@posix
def test_roots_are_never_in_a_home(user) -> None:
    user.setenv("HOME", "/home/me")
    user.setenv("XDG_CACHE_HOME", "/home/me/cache")
    user.setattr(os, "geteuid", lambda: 0)
    user.setattr(os, "getuid", lambda: 0)
    assert own_folder() == "/var/cache/certhook"


@posix
def test_a_set_uid_process_has_no_folder(user) -> None:
    user.setenv("HOME", "/home/me")
    user.setattr(os, "getuid", lambda: SOMEBODY + 1)
    assert own_folder() is None


def test_cache_dir_names_another(tmp_path) -> None:
    assert own_folder(CERTHOOK_CACHE_DIR=str(tmp_path)) == str(tmp_path)


@pytest.mark.parametrize("value", ["none", " None "])
def test_or_none(value) -> None:
    assert own_folder(CERTHOOK_CACHE_DIR=value) is None


@posix
def test_a_relative_cache_dir_is_refused(user) -> None:
    user.setenv("HOME", "/home/me")
    config = Config({"CERTHOOK_CACHE_DIR": "cache"})
    assert _store.own_folder(config) == "/home/me/.cache/certhook"
    (problem,) = config.problems
    assert str(problem).startswith("CERTHOOK_CACHE_DIR: 'cache' is a relative path")


def test_what_is_prebuilt_is_beside_the_package() -> None:
    package = Path(_store.__file__).parent
    assert _store.beside_package() == str(package.parent / "certhook-store")


def test_each_purpose_has_its_own_index(tmp_path) -> None:
    from certhook import _trust

    config = _config.current()
    paths = {_store.index_path(str(tmp_path), _trust.settings(config, bit)) for bit in (SERVER_AUTH, CLIENT_AUTH)}
    assert len(paths) == 2


def test_what_killed_builders_left_is_removed_after_an_hour(tmp_path) -> None:
    """And nothing else: the folder may be one that its owner has other things in."""
    digest, now = "ab" * 20, time.time()
    left = [f".{digest}.{'0' * 16}", f".index-{'0' * 8}.{'1' * 16}"]
    young = f".{digest}.{'2' * 16}"
    others = [digest, ".mine", f".{digest}", f"{digest}.{'0' * 16}"]
    for name in (*left, young, *others):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"1")
        then = now - (0 if name == young else 2 * 3600)
        os.utime(tmp_path / name, (then, then))
    build._sweep(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {young, *others}
