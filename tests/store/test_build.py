"""Building a store: its content, its permissions, and the repair of a damaged one."""

from __future__ import annotations

import os
import random
import stat
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator

import certifi
import der
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st
from store_roots import ROOTS, build_store, content

from certhook import _trust
from certhook._certificates import names, pem
from certhook._certificates import openssl as openssl_files
from certhook._certificates.x509 import Certificate
from certhook._config import SERVER_AUTH, Config
from certhook._sources import read_trust_set
from certhook._store import Unusable, build, verification

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX modes and owners")

OTHER_USER = 54321

#: A certificate of the same name as three of ROOTS, which OpenSSL rejects because of its key.
REJECTED = Certificate(der.certificate(der.common_name("a"), key=der.element(der.SEQUENCE)))


# Content.


@settings(max_examples=20)
@given(st.permutations(ROOTS))
def test_the_order_of_the_anchors_is_preserved_for_those_with_equal_names(tmp_path_factory, shuffled) -> None:
    one, other = (build_store(tmp_path_factory.mktemp("order"), anchors) for anchors in (ROOTS, shuffled))
    namesakes = [root for root in shuffled if root in ROOTS[:3]]
    subject_hash = names.subject_hash(namesakes[0].certificate.subject)
    assert [(other / f"{subject_hash}.{n}").read_bytes() for n in range(3)] == [der.pem(one.der) for one in namesakes]
    assert (one.name == other.name) == (namesakes == list(ROOTS[:3])) == (content(one) == content(other))


def test_different_anchors_have_different_stores() -> None:
    stores = [build.store_content(ROOTS[:count]) for count in range(len(ROOTS) + 1)]
    assert len(set(map(build.digest, stores))) == len(stores)


@pytest.mark.parametrize("change", ["content", "name", "moved byte"])
def test_the_name_of_a_store_covers_the_names_and_the_content_of_its_files(change) -> None:
    files = {"a.0": b"one", "b.0": b"two"}
    changed = {
        "content": {**files, "a.0": b"One"},
        "name": {"a.1": b"one", "b.0": b"two"},
        "moved byte": {"a.0": b"on", "b.0": b"etwo"},
    }[change]
    assert build.digest(files) != build.digest(changed)
    assert build.digest(files) == build.digest(dict(reversed(list(files.items()))))


def test_certificates_of_one_name_are_numbered_without_those_that_openssl_rejects() -> None:
    """OpenSSL stops at the first file that it rejects, so a rejected certificate would hide the others."""
    certificates = [root.certificate for root in ROOTS]
    files = openssl_files.hashed_names([REJECTED, *certificates])
    assert len(files) == len(ROOTS)
    further = sorted(name for name in files if not name.endswith(".0"))
    subject_hash = further[0].partition(".")[0]
    assert further == [f"{subject_hash}.1", f"{subject_hash}.2"]
    namesakes = [certificate.der for certificate in certificates[:3]]
    assert [files[f"{subject_hash}.{number}"] for number in range(3)] == namesakes


def test_the_files_for_certifis_roots_are_those_of_openssl_rehash(tmp_path, openssl) -> None:
    entries, _ = pem.parse(Path(certifi.where()).read_bytes())
    named = openssl_files.hashed_names([entry.certificate for entry in entries])
    ours = {name: der.pem(data) for name, data in named.items()}
    for number, entry in enumerate(entries):
        (tmp_path / f"{number}.pem").write_bytes(der.pem(entry.der))
    subprocess.run([openssl, "rehash", str(tmp_path)], env=support.clean_env(), check=True, stderr=subprocess.DEVNULL)
    theirs = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_symlink()}
    assert len(ours) > 100
    assert sorted(ours) == sorted(theirs)
    assert sorted(ours.values()) == sorted(theirs.values())


# Damage.


def replace_by_link(path: Path) -> None:
    path.rename(path.parent.parent / "moved")
    path.symlink_to(path.parent.parent / "moved")


#: Each damages a store, given one of its files with a certificate.
DAMAGE = {
    "file missing": lambda file: file.unlink(),
    "file longer": lambda file: file.write_bytes(file.read_bytes() + b"\n"),
    "file shorter": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "file renamed": lambda file: file.rename(file.with_suffix(".7")),
    "file added": lambda file: file.with_name("more").write_bytes(b""),
    "directory added": lambda file: file.with_name("more").mkdir(),
    "link instead of a file": replace_by_link,
    "manifest missing": lambda file: file.with_name("manifest").unlink(),
    "content modified": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "manifest truncated": lambda file: file.with_name("manifest").write_bytes(b"certhook store 1\n"),
    "manifest empty": lambda file: file.with_name("manifest").write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_store_is_detected_and_repaired(store, damage) -> None:
    before = content(store)
    damage(random.choice([path for path in store.iterdir() if path.name != "manifest"]))
    assert not verification.is_complete(str(store))
    with pytest.raises(Unusable):
        verification.check(str(store))
    assert build_store(store.parent, ROOTS) == store
    assert content(store) == before
    assert {path.name for path in store.parent.iterdir()} - {"moved"} == {store.name}


@posix
@pytest.mark.parametrize(("mode", "expected"), [(0o600, 0o700), (0o644, 0o755)])
def test_a_repair_restores_the_mode_of_the_directory(store, mode, expected) -> None:
    store.chmod(0o777)
    assert not verification.is_complete(str(store))
    build_store(store.parent, ROOTS, mode)
    verification.check(str(store))
    assert stat.S_IMODE(store.stat().st_mode) == expected


def test_a_repair_never_removes_a_root_that_both_editions_contain(store, monkeypatch) -> None:
    """A running program may read the store at the same time."""
    (store / "manifest").unlink()
    (store / "foreign").write_bytes(b"")
    roots = {path.name for path in store.glob("*.[0-9]")}
    steps = []

    def observed(function: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object, **kwargs: object) -> object:
            result = function(*args, **kwargs)
            steps.append(roots - {path.name for path in store.iterdir()})
            return result

        return wrapper

    for name in ("replace", "unlink"):
        monkeypatch.setattr(os, name, observed(getattr(os, name)))
    build_store(store.parent, ROOTS)
    assert len(steps) > len(roots)
    assert not any(steps)


def test_a_complete_store_is_not_written_again(store) -> None:
    before = [path.stat() for path in (store / "manifest", *store.glob("*.0"))]
    build_store(store.parent, ROOTS)
    after = [path.stat() for path in (store / "manifest", *store.glob("*.0"))]
    assert [(one.st_ino, one.st_ctime_ns) for one in after] == [(one.st_ino, one.st_ctime_ns) for one in before]


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "directory"])
def test_anything_at_the_path_of_a_store_is_replaced(tmp_path, kind) -> None:
    store = tmp_path / build.digest(build.store_content(ROOTS))
    (tmp_path / "target").mkdir()
    if kind == "file":
        store.write_bytes(b"")
    elif kind == "directory":
        (store / "directory").mkdir(parents=True)
    else:
        store.symlink_to(tmp_path / ("missing" if kind == "dangling link" else "target"))
    build_store(tmp_path, ROOTS)
    verification.check(str(store))
    assert not store.is_symlink()
    assert list((tmp_path / "target").iterdir()) == []


@pytest.mark.parametrize("is_linked", [False, True], ids=["a directory", "a link"])
def test_a_store_that_belongs_to_another_user_is_replaced(store, root, is_linked) -> None:
    """Its files cannot be replaced one by one."""
    if is_linked:
        store.rename(store.with_name("moved"))
        store.symlink_to(store.with_name("moved"))
    for path in (store, *store.iterdir()):
        os.chown(path, OTHER_USER, OTHER_USER, follow_symlinks=False)
    foreign = content(store)
    build_store(store.parent, ROOTS)
    verification.check(str(store))
    assert store.stat().st_uid == os.geteuid()
    assert content(store) == foreign
    assert {path.name for path in store.parent.iterdir()} - {"moved"} == {store.name}


# Permissions.


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0)
    yield os.umask
    os.umask(before)


@posix
@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
@pytest.mark.parametrize(
    ("shared", "directories", "files"), [(False, 0o700, 0o600), (True, 0o755, 0o644)], ids=["private", "shared"]
)
def test_modes_do_not_depend_on_the_umask(tmp_path, cas, umask, mask, shared, directories, files) -> None:
    umask(mask)
    (tmp_path / "system.pem").write_bytes(cas.pem("system"))
    config = Config({"SSL_CERT_FILE": str(tmp_path / "system.pem"), "SSL_CERT_DIR": ""})
    created = tmp_path / "created"
    build.compile_store(str(created / "cache"), read_trust_set(config, SERVER_AUTH), ("setting",), shared, "a test")
    for path in (created, *created.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (directories if path.is_dir() else files)


# Leftovers.


def test_leftovers_of_killed_builders_are_removed_after_an_hour(tmp_path, cas) -> None:
    """Nothing else is removed, because the directory may contain other files of its owner."""
    digest = "ab" * 20
    leftovers = [f".{digest}.{'0' * 16}", f".index-{'0' * 8}.{'1' * 16}", f".trust-{'0' * 16}.{'1' * 16}"]
    recent = f".{digest}.{'2' * 16}"
    others = [digest[1:], ".mine", f".{digest}", f"{digest}.{'0' * 16}"]
    for name in (*leftovers, recent, *others):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"1")
        if name != recent:
            two_hours_ago = time.time() - 2 * 3600
            os.utime(tmp_path / name, (two_hours_ago, two_hours_ago))
    (tmp_path / "system.pem").write_bytes(cas.pem("system"))
    config = Config({"SSL_CERT_FILE": str(tmp_path / "system.pem"), "SSL_CERT_DIR": ""})
    store = build.compile_store(
        str(tmp_path), read_trust_set(config, SERVER_AUTH), ("setting",), shared=False, reason="a test"
    )
    created = {
        "system.pem",
        os.path.basename(store),
        os.readlink(store),
        *(one.name for one in tmp_path.glob("index-*")),
    }
    assert {path.name for path in tmp_path.iterdir()} - created == {recent, *others}


def test_a_store_for_images_is_refused_if_an_input_changed_while_it_was_read(tmp_path, cas) -> None:
    """Its index would contain the signature of content that the store does not reflect."""
    (tmp_path / "system.pem").write_bytes(cas.pem("system"))
    config = Config({"SSL_CERT_FILE": str(tmp_path / "system.pem"), "SSL_CERT_DIR": ""})
    trust_set = read_trust_set(config, SERVER_AUTH)
    (tmp_path / "system.pem").write_bytes(cas.pem("system", "extra"))
    with pytest.raises(Unusable, match="has just changed; run the command again"):
        build.compile_store(str(tmp_path / "stores"), trust_set, ("setting",), False, "a test", portable=True)
    assert not list((tmp_path / "stores").glob("index-*"))


# Unusual systems.


@pytest.mark.parametrize(
    "error", [TypeError("no dir_fd"), NotImplementedError(), RuntimeError("blocking"), OSError(38)]
)
@pytest.mark.parametrize("function", ["mkdir", "replace", "chmod", "utime"])
def test_a_function_of_os_that_fails_costs_at_most_the_store(tmp_path, cas, monkeypatch, function, error) -> None:
    """Tools replace functions, and sandboxes refuse system calls that take the descriptor of a directory."""

    def fail(*args: object, **kwargs: object) -> None:
        raise error

    (tmp_path / "system.pem").write_bytes(cas.pem("system"))
    variables = {"SSL_CERT_FILE": str(tmp_path / "system.pem"), "SSL_CERT_DIR": ""}
    config = Config({**variables, "CERTHOOK_STORE_DIR": str(tmp_path / "stores")})
    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        trust = _trust.current(config, SERVER_AUTH)
    assert trust.anchors == (cas.der("system"),) or trust.store is not None
    assert (trust.store is None) == bool(trust.eager_reason)
    assert trust.store is not None or function != "utime" or not isinstance(error, OSError)
