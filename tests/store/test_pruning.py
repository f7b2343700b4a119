"""Pruning: what is not used any more disappears, and nothing that a program needs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Iterator

import pki
import pytest
from store_host import DIGEST, INDEX, LINK, Host, copy_certifi
from store_machine import DEFAULT
from store_program import Program

from certhook._store import Index
from certhook._store.build import encode

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork")

HOUR, DAY = 3600, 86400
#: The age at which an index or a link may be removed, in days.
AGE = 30


@pytest.fixture
def program(host: Host) -> Iterator[Program]:
    with host.program() as program:
        yield program
        assert program.errors == ""


def age(host: Host, seconds: float) -> None:
    """Set the times of everything in the directory of stores back, also the time of building in indexes."""
    then = time.time() - seconds
    for path in host.named(INDEX):
        index = Index.from_bytes(path.read_bytes())
        index.built = int(then), index.built[1]
        path.write_bytes(encode(index))
    for path in sorted(host.location.rglob("*"), reverse=True):
        os.utime(path, (then, then), follow_symlinks=False)


def boot() -> float:
    """Return the time of the latest boot."""
    return time.time() - time.monotonic()


def extra(host: Host, name: str) -> dict[str, str]:
    """Create a fresh authority, and return the variables that add it."""
    path = host.roots / f"{name}.pem"
    path.write_bytes(pki.issue(name, ca=True).pem)
    return {"CERTHOOK_EXTRA_CA_CERTS": str(path)}


def build(program: Program, environ: dict[str, str] | None = None) -> None:
    assert program.child("loaded()", environ=environ or {}, is_strict=True) == 0


def names(host: Host) -> list[str]:
    return sorted(path.name for path in host.location.iterdir())


# Stores.


def test_stores_of_twelve_fresh_authorities_at_one_path_disappear_after_an_hour(host, program) -> None:
    """As in a test suite that creates an authority for each run."""
    for _ in range(12):
        build(program, extra(host, "fresh"))
    assert len(host.named(DIGEST)) >= 1
    assert len(host.named(LINK)) == 1
    age(host, HOUR + 60)
    build(program, extra(host, "fresh"))
    stores = host.named(DIGEST)
    # The current one, and its predecessor if it is younger than an hour.
    assert host.current_store in stores
    assert len(stores) == 1
    assert program.child("trusted()", environ={"CERTHOOK_EXTRA_CA_CERTS": str(host.roots / "fresh.pem")})


def test_a_store_that_was_replaced_less_than_an_hour_ago_is_kept(host, program) -> None:
    """A process that has just read the link may still use it."""
    build(program, extra(host, "fresh"))
    store = host.current_store
    build(program, extra(host, "fresh"))
    assert host.current_store != store
    assert store.is_dir()


def test_stores_of_twelve_paths_are_kept_within_thirty_days_and_without_a_boot(host, program) -> None:
    for number in range(12):
        build(program, extra(host, f"number{number}"))
    for seconds in (HOUR + 60, DAY * (AGE - 1)):
        age(host, seconds)
        build(program, extra(host, f"later{seconds}"))
        assert len(host.named(INDEX)) >= 12


def test_indexes_links_and_stores_last_used_before_the_boot_and_thirty_days_ago_are_removed(host, program) -> None:
    for number in range(12):
        build(program, extra(host, f"number{number}"))
    age(host, max(DAY * AGE, time.monotonic()) + 2 * HOUR)
    build(program, extra(host, "current"))
    assert len(host.named(INDEX)) == len(host.named(LINK)) == 1
    # The stores are unreferenced and older than an hour, at the latest for the next build.
    age_of_directories = time.time() - 2 * HOUR
    for store in host.named(DIGEST):
        os.utime(store, (age_of_directories, age_of_directories))
    build(program, extra(host, "current"))
    age(host, 2 * HOUR)
    build(program, extra(host, "current"))
    assert len(host.named(DIGEST)) == 1


def test_what_was_used_since_the_boot_is_kept_whatever_its_age(host, program, monkeypatch) -> None:
    """The contexts of a program that runs since then may need it."""
    if time.monotonic() < DAY * AGE:
        fake = "__import__('time').__dict__.update(monotonic=lambda: 100 * 86400.0)"
    build(program, extra(host, "used"))
    (index,) = host.named(INDEX)
    age(host, DAY * (AGE + 1))
    # The machine has been running for a hundred days.
    patch = f"({fake}, [vars(m).update(monotonic=lambda: 8640000.0) for n, m in list(sys.modules.items()) "
    patch += "if n.startswith('certhook._store') and hasattr(m, 'monotonic')], found())[-1]"
    assert program.child(patch, environ=extra(host, "another"))[1]
    assert index.exists()


def test_a_recently_used_index_is_kept_although_it_was_written_long_ago(host, program) -> None:
    used, unused = extra(host, "used"), extra(host, "unused")
    build(program, used)
    (index,) = host.named(INDEX)
    build(program, unused)
    age(host, max(DAY * AGE, time.monotonic()) + 2 * HOUR)
    build(program, used)  # A process uses it without writing it.
    build(program, extra(host, "another"))
    assert index.exists()
    assert len(host.named(INDEX)) == 2


# compile --prune.


def test_compile_prune_removes_everything_but_current_stores(host, program) -> None:
    for name in ("one", "two"):
        build(program, extra(host, name))
    build(program, extra(host, "one"))  # It replaces the first store of "one".
    assert len(host.named(DIGEST)) == 3
    (host.roots / "two.pem").unlink()
    status, output = program.child(f"certhook('compile', '--prune', '--directory', {str(host.location)!r})")
    assert status == 0, output
    environ = {"CERTHOOK_EXTRA_CA_CERTS": str(host.roots / "one.pem")}
    before = names(host)
    build(program, environ)
    assert set(before) >= {path.name for path in host.named(DIGEST)}
    # Those of "one", and those that the command compiles; those of "two" are gone, because its input is.
    for link in host.named(LINK):
        assert (host.location / os.readlink(link)).is_dir()
    targets = {os.readlink(link) for link in host.named(LINK)}
    assert {path.name for path in host.named(DIGEST)} == {os.path.basename(target) for target in targets}


def test_contexts_are_repaired_after_compile_prune(host) -> None:
    environ = extra(host, "gone")
    with host.program(**environ) as live, host.program() as program:
        live("make()")
        (host.roots / "gone.pem").unlink()
        program.child(f"certhook('compile', '--prune', '--directory', {str(host.location)!r})")
        live("attempt(0, 'system')")
        assert live("attempt(0, 'system')") is True
        assert set(live("trusted(contexts[0])")) == DEFAULT


def test_compile_prune_reports_the_removed_paths(host, program) -> None:
    build(program, extra(host, "fresh"))
    build(program, extra(host, "fresh"))
    (host.roots / "fresh.pem").unlink()
    before = len(host.named(DIGEST))
    status, output = program.child(f"certhook('compile', '--prune', '--json', '--directory', {str(host.location)!r})")
    assert status == 0
    assert isinstance(json.loads(output), dict)
    assert len(host.named(DIGEST)) < before + 1


# Files of others.

FOREIGN = [
    "README",
    "index-notes",
    "index-0123abcd.txt",
    "trust-list.txt",
    "trust-0123",
    ".hidden",
    "file-notes",
    "mine/file",
    "0123456789abcdef/file",
    "manifest",
    f"{'a' * 40}",
    f"{'c' * 40}/model.bin",
    f"file-{'d' * 40}/0123abcd.0.txt",
]


@pytest.mark.parametrize("prunes", [False, True], ids=["a build", "compile --prune"])
def test_foreign_files_are_never_removed(host, program, prunes) -> None:
    build(program, extra(host, "one"))
    for name in FOREIGN:
        path = host.location / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"important")
    age(host, max(DAY * AGE, time.monotonic()) + 2 * HOUR)
    build(program, extra(host, "two"))
    if prunes:
        program.child(f"certhook('compile', '--prune', '--directory', {str(host.location)!r})")
    for name in FOREIGN:
        assert (host.location / name).read_bytes() == b"important", name


def test_a_link_of_the_user_with_another_name_is_not_followed_or_removed(host, program, tmp_path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"important")
    build(program, extra(host, "one"))
    for name in ("mine", "trust-0123456789abcdef", "0" * 40):
        (host.location / name).symlink_to(outside)
    age(host, max(DAY * AGE, time.monotonic()) + 2 * HOUR)
    build(program, extra(host, "two"))
    program.child(f"certhook('compile', '--prune', '--directory', {str(host.location)!r})")
    assert (outside / "file").read_bytes() == b"important"
    assert (host.location / "mine").is_symlink()


def test_leftovers_of_killed_builders_are_removed_after_an_hour(host, program) -> None:
    build(program)
    leftovers = [f".{'a' * 40}.{'b' * 16}", f".index-01234567.{'b' * 16}", f".trust-{'c' * 16}.{'b' * 16}"]
    for name in leftovers:
        (host.location / name).mkdir()
    build(program, extra(host, "one"))
    assert set(leftovers) <= set(names(host))
    age(host, 2 * HOUR)
    build(program, extra(host, "two"))
    assert not set(leftovers) & set(names(host))


# Stores of older versions.


def test_stores_of_older_versions_in_the_cache_directory_are_removed(host, tmp_path) -> None:
    home = tmp_path / "home"
    old = home / ".cache" / "certhook"
    (old / ("a" * 40)).mkdir(parents=True)
    for name in ("manifest", "cert.pem", "0123abcd.0"):
        (old / ("a" * 40) / name).write_bytes(b"certhook store 1\n")
    (old / "index-0123abcd").write_bytes(b"certhook index 9\0")
    (old / "notes").write_bytes(b"important")
    (home / ".cache" / "other").mkdir()
    user = 54321
    if os.geteuid() != 0:
        pytest.skip("root uses another directory")
    before = time.time() - time.monotonic() - HOUR
    for path in [home, *home.rglob("*")]:
        os.chown(path, user, user)
        os.utime(path, (before, before))
    read_all = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    prefix = (*read_all, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    variables = {"CERTHOOK_STORE_DIR": None, "HOME": str(home)}
    with host.program(prefix=prefix, **variables) as program:
        assert program("found()")[1]
        assert program.errors == ""
    assert sorted(path.name for path in old.iterdir()) == ["notes"]
    assert (home / ".cache" / "other").is_dir()
    assert list((home / ".local/share/certhook").glob("trust-*"))


# Sharing.


def test_a_hundred_environments_with_equal_trust_share_one_store_and_one_link(host, tmp_path) -> None:
    paths = [copy_certifi(tmp_path / f"env{number}", host.cas.pem("bundled")) for number in range(100)]
    with host.program(CERTHOOK_BUNDLE=None) as program:
        for path in paths:
            assert program.child("loaded()", paths=(path,), is_strict=True) == 0
        assert program.child("trusted()", paths=(paths[-1],)) == ["system", "bundled", "both"]
        assert len(host.named(DIGEST)) == len(host.named(LINK)) == 1
        assert len(host.named(INDEX)) <= 100
        links = {program.child("ssl.get_default_verify_paths().capath", paths=(path,)) for path in paths[:3]}
        assert len(links) == 1
        assert program.errors == ""


def test_environments_with_different_bundles_have_different_links(host, tmp_path) -> None:
    """An update of one environment must not change the trust of another."""
    bundles = [host.cas.pem("bundled"), host.cas.pem("bundled", "extra")]
    paths = [copy_certifi(tmp_path / f"env{number}", bundle) for number, bundle in enumerate(bundles)]
    with host.program(CERTHOOK_BUNDLE=None) as program:
        found = [program.child("trusted()", paths=(path,)) for path in paths * 2]
        assert found == [["system", "bundled", "both"], ["system", "bundled", "both", "extra"]] * 2
        assert len(host.named(LINK)) == 2


def test_an_update_of_one_environment_does_not_change_the_contexts_of_another(host, tmp_path) -> None:
    paths = [copy_certifi(tmp_path / f"env{number}", host.cas.pem("bundled", "extra")) for number in range(2)]
    with host.program(CERTHOOK_BUNDLE=None, PYTHONPATH=paths[0]) as one, host.program(
        CERTHOOK_BUNDLE=None, PYTHONPATH=paths[1]
    ) as two:
        for program in (one, two):
            program("make()")
        assert len(host.named(LINK)) == 1
        (Path(paths[0]) / "certifi" / "cacert.pem").write_bytes(host.cas.pem("bundled"))
        time.sleep(0.15)
        assert set(one("trusted()")) == DEFAULT
        assert two("attempt(0, 'extra')") is True
        assert set(two("trusted()")) == {*DEFAULT, "extra"}
        # Its update removed a root, but the contexts that already exist share their link with the other environment.
        assert one("attempt(-1, 'bundled')") is True


# Running programs.


def test_a_running_program_survives_the_removal_of_its_index(host) -> None:
    environ = extra(host, "running")
    with host.program(**environ) as live, host.program() as program:
        live("make()")
        age(host, max(DAY * AGE, time.monotonic()) + 2 * HOUR)
        build(program)
        build(program, extra(host, "another"))
        live("attempt(0, 'both')")
        assert live("attempt(0, 'both')") is True
        assert set(live("trusted(contexts[0])")) == DEFAULT
        assert live("found()")[1]


def test_pruning_by_many_processes_at_the_same_time_breaks_no_context(host) -> None:
    with host.program() as live:
        live("make()")
        for _ in range(2):
            age(host, max(DAY * AGE, time.monotonic()) + 2 * HOUR)
            starters = [host.program(**extra(host, f"racer{number}")) for number in range(4)]
            for racer in starters:
                racer._process.stdin.write(json.dumps("loaded()") + "\n")
                racer._process.stdin.flush()
            for racer in starters:
                assert json.loads(racer._process.stdout.readline()) == 0
                with racer:
                    pass
            live("attempt(0, 'both')")
            assert live("attempt(0, 'both')") is True
            live("make()")
            live("contexts.__delitem__(0)")


def test_stores_of_other_settings_are_kept_although_they_are_older_than_an_hour(host, program) -> None:
    build(program, extra(host, "used"))
    store = host.current_store
    age(host, 2 * HOUR)
    build(program, extra(host, "another"))
    assert store.is_dir()


def test_a_store_with_the_same_content_as_an_old_one_is_kept(host, program) -> None:
    """Its directory exists already, and is therefore older than its link and its index."""
    first = extra(host, "first")
    build(program, first)
    age(host, 2 * HOUR)
    second = host.roots / "second.pem"
    second.write_bytes((host.roots / "first.pem").read_bytes())
    build(program, {"CERTHOOK_EXTRA_CA_CERTS": str(second)})
    assert len(host.named(LINK)) == 2
    assert host.named(LINK)[0].is_dir()
    assert host.named(LINK)[1].is_dir()


def test_a_link_that_was_used_since_the_boot_is_kept_although_another_link_replaced_it(host, program) -> None:
    """A program that runs since then may have contexts that point at it, and create no other."""
    build(program)
    (link,) = host.named(LINK)
    before = time.time() - max(DAY * AGE, time.monotonic()) - 2 * HOUR
    os.utime(link, (before, before), follow_symlinks=False)
    host.start_again()
    build(program)
    assert link.lstat().st_mtime > boot()


def test_on_a_file_system_without_links_a_store_that_was_replaced_is_kept(host) -> None:
    """As on CIFS: contexts point at the store itself."""
    with host.program() as first, host.program() as second:
        for program in (first, second):
            program("setattr(os, 'symlink', lambda *args, **kwargs: os.link('/missing', '/missing'))")
        first("make()")
        (store,) = host.named(DIGEST)
        age(host, 2 * HOUR)
        host.write_file(host.cas.pem("system", "extra"))
        second("make()")
        assert not host.named(LINK)
        assert len(host.named(DIGEST)) == 2
        assert store.is_dir()
