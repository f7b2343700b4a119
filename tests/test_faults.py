"""Whatever happens to a compiled store, trust is the same and nothing half-built is ever used.

Each test ends with real handshakes.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import certifi
import pytest
import support

from certhook._store import build
from certhook import _store

#: How often a builder is killed, and half as often one that repairs.
KILLS = int(os.environ.get("CERTHOOK_TEST_KILLS", "200"))

RIGHT = {"system": True, "bundled": False, "both": True, "extra": False, "stranger": False}

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

NOBODY = 65534
SOMEBODY = 54321


class Machine:
    """A computer whose system trusts *system*, *both*, and some of certifi's roots."""

    def __init__(self, python: Path, folder: Path, cas: support.Authorities, servers: support.Servers) -> None:
        self.python = python
        self.folder = folder
        self.file = folder / "system.pem"
        self.cache = folder / "cache"
        self.name = support.hashed_name(cas.der("system"))
        self.file.write_bytes(cas.pem("system") + some_roots())
        (folder / "hashed").mkdir()
        (folder / "hashed" / support.hashed_name(cas.der("both"))).write_bytes(cas.pem("both"))
        self.env = support.clean_env(
            SSL_CERT_FILE=str(self.file),
            SSL_CERT_DIR=str(folder / "hashed"),
            CERTHOOK_CACHE_DIR=str(self.cache),
            SERVERS=support.server_list(servers),
        )

    def environment(self, **variables: str | None) -> dict[str, str]:
        """The environment with *variables*, and without those that are None."""
        return {name: value for name, value in {**self.env, **variables}.items() if value is not None}

    def run(self, *prefix: str, code: str = support.VERDICTS, **variables: str | None) -> Outcome:
        """Run a new process, as *prefix* says."""
        command = [*prefix, str(self.python), "-c", LOADED + code]
        done = subprocess.run(
            command, env=self.environment(**variables), capture_output=True, encoding="utf-8", timeout=60
        )
        assert done.returncode == 0, done.stderr
        return Outcome.of(done.stdout, done.stderr)

    @property
    def stores(self) -> list[Path]:
        return [path for path in self.cache.iterdir() if _is_digest(path.name)]

    @property
    def store(self) -> Path:
        (store,) = self.stores
        return store

    @property
    def index(self) -> Path:
        (index,) = self.cache.glob("index-*")
        return index

    @property
    def root(self) -> Path:
        """The file in the store that makes *system* trusted."""
        return self.store / self.name


class Outcome(NamedTuple):
    """What a process says."""

    #: Whether a fresh context has no root loaded.
    lazy: bool
    #: Whom it trusts.
    verdicts: dict[str, bool]
    #: What it warned of.
    warned: str

    @classmethod
    def of(cls, stdout: str, stderr: str) -> Outcome:
        loaded, *pairs = stdout.split()
        return cls(loaded == "0", support.verdicts(" ".join(pairs)), stderr)


# How many certificates a fresh context has loaded.
LOADED = """
import ssl, _ssl
print(_ssl._SSLContext.cert_store_stats(ssl.create_default_context())["x509"])
"""
LAZY = Outcome(True, RIGHT, "")
EAGER = Outcome(False, RIGHT, "")


def some_roots() -> bytes:
    """Enough of certifi's roots for a build to take a while."""
    end = b"-----END CERTIFICATE-----\n"
    return b"".join(block + end for block in Path(certifi.where()).read_bytes().split(end)[:40])


def _is_digest(name: str) -> bool:
    return len(name) == 40 and set(name) <= set("0123456789abcdef")


@pytest.fixture
def machine(installed: Path, tmp_path: Path, cas: support.Authorities, servers: support.Servers) -> Machine:
    return Machine(installed, tmp_path, cas, servers)


@pytest.fixture
def warm(machine: Machine) -> Machine:
    """A machine with a store."""
    assert machine.run() == LAZY
    return machine


def mounted(setup: str) -> list[str]:
    """What runs a command behind it in a mount namespace of its own, after *setup*, a script."""
    return ["unshare", "-m", "--propagation", "private", "sh", "-ec", f'{setup}\nexec "$@"', "sh"]


def as_user(user: int) -> list[str]:
    """What runs a command behind it as *user*, who may read everything (the interpreter may be root's alone)."""
    ids = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return ["setpriv", *ids, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


def assert_whole(machine: Machine) -> None:
    """One whole store, and nothing else but its index."""
    _store.check(str(machine.store))
    assert sorted(machine.cache.iterdir()) == sorted([machine.store, machine.index])


# Many at once.

RACER = "import ssl, sys; print('ready', flush=True); sys.stdin.read()\n"


def race(machine: Machine, count: int) -> list[Outcome]:
    """What *count* processes say that all ask for a context when the last of them is ready."""
    read, write = os.pipe()
    command = [str(machine.python), "-c", RACER + LOADED + support.VERDICTS]
    pipe = subprocess.PIPE
    racers = [
        subprocess.Popen(command, env=machine.env, stdin=read, stdout=pipe, stderr=pipe, encoding="utf-8")
        for _ in range(count)
    ]
    os.close(read)
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    os.close(write)
    return [Outcome.of(*racer.communicate(timeout=120)) for racer in racers]


def test_64_processes_race_for_a_store_that_is_not_there(machine) -> None:
    assert race(machine, 64) == [LAZY] * 64
    assert_whole(machine)
    assert machine.run() == LAZY


def test_16_processes_race_to_repair_a_store(warm) -> None:
    warm.root.unlink()
    (warm.store / "foreign").write_bytes(b"")
    for outcome in race(warm, 16):
        assert outcome.verdicts == RIGHT
    assert warm.run() == LAZY
    assert_whole(warm)


# A builder that is killed.

# Forks builders and kills each at a random moment of the time that it needs to write a whole store.
KILLER = """
import json, os, random, shutil, signal, time
from certhook import _config, _files, _sources, _store, _trust, _warnings
folder = os.environ["CERTHOOK_CACHE_DIR"]
begun, begins = os.pipe()
compile_into = build.compile_into
def told(*args, **kwargs):
    os.write(begins, b"!")
    return compile_into(*args, **kwargs)
def build():
    _trust.forget()
    return _trust.current(_config.current(), _config.SERVER_AUTH).store
def prepare():
    if os.environ["START"] == "nothing":
        shutil.rmtree(folder, ignore_errors=True)
        return
    if is_damaged():
        build()
    for name in random.sample(os.listdir(store), 20):
        os.unlink(os.path.join(store, name))
def is_damaged():
    try:
        _store.check(store)
    except _store.Unusable:
        return True
    return False
def sizes():
    names = os.listdir(store) if os.path.isdir(store) else []
    return {name: os.path.getsize(os.path.join(store, name)) for name in names}
def start():
    child = os.fork()
    if child == 0:
        build.compile_into = told
        build()
        os._exit(0)
    os.read(begun, 1)
    return child, time.perf_counter()
store = build()
whole = sizes()
prepare()
child, since = start()
os.waitpid(child, 0)
needed = time.perf_counter() - since
found = []
for _ in range(int(os.environ["KILLS"])):
    prepare()
    child, since = start()
    time.sleep(random.uniform(0, needed))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    left = sizes()
    assert left.items() <= whole.items()
    half = any(name.startswith(".") for name in os.listdir(folder)) if os.path.isdir(folder) else False
    found.append([half, bool(left), not is_damaged()])
    for name in os.listdir(folder) if half else ():
        if name.startswith("."):
            path = os.path.join(folder, name)
            os.unlink(path) if os.path.isfile(path) else shutil.rmtree(path)
print(json.dumps(found))
"""


def killings(machine: Machine, count: int, start: str) -> list[tuple[bool, bool, bool]]:
    """Kill *count* builders, and see now and then that a new process is right.

    :param start: what they find: "nothing", or a "damaged" store
    :returns: for each whether it left something half-built, whether a store was there, and whether that was whole
    """
    found = []
    while len(found) < count:
        env = {**machine.env, "START": start, "KILLS": str(min(25, count - len(found)))}
        found += map(tuple, json.loads(support.run(machine.python, KILLER, env=env).stdout))
        assert machine.run() == LAZY
        _store.check(str(machine.store))
    return found


@needs_fork
def test_a_builder_killed_at_any_moment_leaves_no_half_of_a_store(machine) -> None:
    found = killings(machine, KILLS, "nothing")
    assert not any(there and not whole for _, there, whole in found)
    assert any(half for half, _, _ in found), "none was killed while it built"


@needs_fork
def test_a_store_whose_repair_was_killed_at_any_moment_is_repaired_by_the_next_process(machine) -> None:
    found = killings(machine, KILLS // 2, "damaged")
    assert any(half for half, _, _ in found), "none was killed while it repaired"


# Places that cannot be written.


def test_no_file_of_a_store_fits_on_a_full_disk(machine, root) -> None:
    machine.cache.mkdir(mode=0o700)
    for size in range(4, 40, 4):
        assert machine.run(*mounted(f"mount -t tmpfs -o mode=700,size={size}k tmpfs {machine.cache}")) == EAGER


# What a process left in the folder behind its verdicts.
LEFT = support.VERDICTS + "print(*(f'{name}:no' for name in os.listdir(os.environ['CERTHOOK_CACHE_DIR'])))"


def test_a_disk_may_be_full_at_any_file(machine, cas, root) -> None:
    """Every file takes an inode: the folder, the temporary directory, two roots, both in one, manifest, and index."""
    machine.file.write_bytes(cas.pem("system"))
    machine.cache.mkdir(mode=0o700)
    outcomes = []
    for inodes in range(2, 10):
        setup = f"mount -t tmpfs -o mode=700,nr_inodes={inodes} tmpfs {machine.cache}"
        lazy, verdicts, warned = machine.run(*mounted(setup), code=LEFT)
        left = {name for name in verdicts if name not in RIGHT}
        assert {name: verdicts[name] for name in RIGHT} == RIGHT
        assert warned == ""
        assert all(_is_digest(name) or name.startswith("index-") for name in left)
        outcomes.append((lazy, len(left)))
    assert outcomes == [(False, 0)] * 4 + [(False, 1)] + [(True, 2)] * 3


def test_on_a_read_only_disk_contexts_are_loaded(machine, root) -> None:
    machine.cache.mkdir(mode=0o700)
    assert machine.run(*mounted(read_only(machine.cache))) == EAGER
    assert machine.run(*mounted(read_only(machine.folder)), CERTHOOK_CACHE_DIR=str(machine.folder / "no")) == EAGER
    assert list(machine.cache.iterdir()) == []


def test_a_store_on_a_read_only_disk_is_used(warm, root) -> None:
    an_hour_ago = warm.index.stat().st_mtime - 3600
    os.utime(str(warm.index), (an_hour_ago, an_hour_ago))
    assert warm.run(*mounted(read_only(warm.cache))) == LAZY


def test_a_damaged_store_on_a_read_only_disk_is_not_used(warm, root) -> None:
    warm.root.unlink()
    assert warm.run(*mounted(read_only(warm.cache))) == EAGER


def made(store: Path) -> tuple[int, int]:
    """What changes when a file is written into *store*, or it is made again."""
    status = store.stat()
    return status.st_ino, status.st_mtime_ns


def read_only(folder: Path) -> str:
    """A script that makes *folder* read-only."""
    return f"mount --bind {folder} {folder}; mount -o remount,bind,ro {folder}"


def test_who_has_no_home_has_loaded_contexts(machine, root) -> None:
    # SOMEBODY has no entry in the user database either; NOBODY has one, with a home that does not exist.
    for user in (SOMEBODY, NOBODY):
        assert machine.run(*as_user(user), CERTHOOK_CACHE_DIR=None) == EAGER


def test_a_user_with_a_home_has_a_store_there(machine, root) -> None:
    home = machine.folder / "home"
    home.mkdir()
    os.chown(str(home), SOMEBODY, SOMEBODY)
    for _ in range(2):
        assert machine.run(*as_user(SOMEBODY), CERTHOOK_CACHE_DIR=None, HOME=str(home)) == LAZY
    assert len(list((home / ".cache" / "certhook").iterdir())) == 2


def test_a_home_with_a_colon_in_its_path_holds_no_store(machine, root) -> None:
    home = machine.folder / "a:b"
    home.mkdir()
    os.chown(str(home), SOMEBODY, SOMEBODY)
    assert machine.run(*as_user(SOMEBODY), CERTHOOK_CACHE_DIR=None, HOME=str(home)) == EAGER
    assert list(home.iterdir()) == []


def test_a_cache_folder_with_a_colon_in_its_path_holds_no_store(machine) -> None:
    assert machine.run(CERTHOOK_CACHE_DIR=str(machine.folder / f"a{os.pathsep}b")) == EAGER


# Damage.


def _cut_short(path: Path) -> None:
    with open(str(path), "r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _remove(path: Path) -> None:
    path.unlink()


def _by_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").write_bytes(b"")


def _by_a_link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def _by_a_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


def _by_another_version(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b" 1", b" 2", 1))


def _by_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(str(path))


IN_PLACE = [_cut_short, _empty, _remove, _by_a_directory, _by_a_link, _by_a_link_to_nothing, _by_a_pipe]


@pytest.mark.parametrize("damage", IN_PLACE)
def test_a_damaged_root_is_written_again(warm, damage) -> None:
    before = warm.root.read_bytes()
    damage(warm.root)
    assert warm.run() == LAZY
    assert warm.root.read_bytes() == before
    assert_whole(warm)


@pytest.mark.parametrize("damage", [_remove, _by_a_directory, _by_a_link, _by_a_link_to_nothing, _by_a_pipe])
def test_damage_that_shows_in_the_directory_is_seen_at_once(warm, damage) -> None:
    assert warm.run() == LAZY  # It has looked at every file.
    damage(warm.root)
    assert warm.run() == LAZY
    assert_whole(warm)


def test_a_root_cut_short_in_a_store_that_is_in_use_is_found_seconds_later(warm) -> None:
    assert warm.run() == LAZY
    _cut_short(warm.root)
    then = time.time() - _store.DEEP_LOOK_EVERY
    os.utime(str(warm.index), (then, then))
    assert warm.run() == LAZY
    assert_whole(warm)


@pytest.mark.parametrize("damage", [*IN_PLACE, _zeros, _by_another_version])
def test_a_damaged_manifest_is_written_again(warm, damage) -> None:
    manifest = warm.store / "manifest"
    before = manifest.read_bytes()
    damage(manifest)
    assert warm.run() == LAZY
    assert manifest.read_bytes() == before
    assert_whole(warm)


@pytest.mark.parametrize("damage", [_cut_short, _empty, _remove, _zeros, _by_another_version])
def test_a_damaged_index_is_written_again(warm, damage) -> None:
    before = warm.index.read_bytes()
    damage(warm.index)
    assert warm.run() == LAZY
    assert warm.index.read_bytes() == before
    assert_whole(warm)


@pytest.mark.parametrize("damage", [_by_a_directory, _by_a_pipe])
def test_what_stands_in_the_way_of_the_index_harms_nothing(warm, damage) -> None:
    damage(warm.index)
    assert warm.run().verdicts == RIGHT


def test_a_foreign_root_in_the_store_is_removed(warm, cas) -> None:
    stranger = warm.store / support.hashed_name(cas.der("stranger"))
    stranger.write_bytes(cas.pem("stranger"))
    assert warm.run() == LAZY
    assert not stranger.exists()


def test_a_foreign_root_in_the_place_of_another_is_replaced(warm, cas) -> None:
    warm.root.write_bytes(cas.pem("stranger") + b"\n")
    assert warm.run() == LAZY
    assert_whole(warm)


def test_a_store_without_its_index_is_used_again(warm) -> None:
    before = made(warm.store)
    warm.index.unlink()
    assert warm.run() == LAZY
    assert made(warm.store) == before


# What others could have a hand in.


def _store_of(machine: Machine) -> Path:
    return machine.store


def _cache_of(machine: Machine) -> Path:
    return machine.cache


def _above_cache_of(machine: Machine) -> Path:
    return machine.folder


@pytest.mark.parametrize(
    ("place", "mode"),
    [(_cache_of, 0o770), (_cache_of, 0o702), (_above_cache_of, 0o770), (_above_cache_of, 0o702)],
)
def test_a_folder_that_others_can_write_is_refused(warm, place, mode) -> None:
    folder = place(warm)
    folder.chmod(mode)
    lazy, verdicts, warned = warm.run()
    assert (lazy, verdicts) == (False, RIGHT)
    assert f"{folder} can be written by others (mode {mode:o}); 'chmod go-w' it" in warned
    folder.chmod(0o700)
    assert warm.run() == LAZY


@pytest.mark.parametrize("place", [_cache_of, _above_cache_of])
def test_a_folder_like_tmp_is_refused(warm, place) -> None:
    folder = place(warm)
    folder.chmod(0o1777)
    lazy, verdicts, warned = warm.run()
    assert (lazy, verdicts) == (False, RIGHT)
    assert f"{folder} can be written by others (mode 1777); choose a place that is not" in warned


def test_who_has_his_home_in_a_folder_like_tmp_is_not_told(machine, root) -> None:
    machine.folder.chmod(0o1777)
    nobody_chose = {"CERTHOOK_CACHE_DIR": None, "HOME": str(machine.folder), "XDG_CACHE_HOME": str(machine.folder)}
    assert machine.run(*as_user(SOMEBODY), **nobody_chose) == EAGER


def test_a_store_that_others_can_write_is_made_again(warm, cas) -> None:
    warm.store.chmod(0o777)
    (warm.store / support.hashed_name(cas.der("stranger"))).write_bytes(cas.pem("stranger"))
    assert warm.run() == LAZY
    assert warm.store.stat().st_mode & 0o022 == 0
    assert_whole(warm)


def test_a_root_that_others_can_write_is_made_again(warm) -> None:
    warm.root.chmod(0o666)
    assert warm.run() == LAZY
    assert warm.root.stat().st_mode & 0o022 == 0


def test_an_index_that_others_can_write_is_made_again(warm) -> None:
    warm.index.chmod(0o666)
    assert warm.run() == LAZY
    assert warm.index.stat().st_mode & 0o022 == 0


@pytest.mark.parametrize("place", [_cache_of, _above_cache_of])
def test_a_folder_of_another_user_is_refused(warm, root, place) -> None:
    os.chown(str(place(warm)), SOMEBODY, SOMEBODY)
    lazy, verdicts, warned = warm.run()
    assert (lazy, verdicts) == (False, RIGHT)
    assert f"{place(warm)} belongs to user {SOMEBODY}; it has to be this process's user or root" in warned


def _root_of(machine: Machine) -> Path:
    return machine.root


def _index_of(machine: Machine) -> Path:
    return machine.index


@pytest.mark.parametrize("place", [_store_of, _root_of, _index_of])
def test_what_belongs_to_another_user_is_made_again(warm, root, place) -> None:
    os.chown(str(place(warm)), SOMEBODY, SOMEBODY)
    assert warm.run() == LAZY
    assert place(warm).stat().st_uid == 0
    assert_whole(warm)


@pytest.mark.parametrize("place", [_cache_of, _store_of])
def test_a_link_to_the_place_of_another_is_not_followed(warm, place, tmp_path) -> None:
    original = place(warm)
    moved = tmp_path / "moved"
    original.rename(moved)
    original.symlink_to(moved)
    lazy, verdicts, warned = warm.run()
    assert verdicts == RIGHT
    assert lazy == (place is _store_of)
    assert ("is a symbolic link" in warned) == (place is _cache_of)
    assert original.is_symlink() == (place is _cache_of)


def test_root_with_the_home_of_another_user_leaves_it_alone(machine, root) -> None:
    home = machine.folder / "home"
    home.mkdir()
    os.chown(str(home), SOMEBODY, SOMEBODY)
    setup = "mount -t tmpfs -o mode=755 tmpfs /var/cache"
    homely = {"CERTHOOK_CACHE_DIR": None, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    assert machine.run(*mounted(setup), **homely) == LAZY
    assert list(home.iterdir()) == []


# Clocks.


@pytest.mark.parametrize("shift", [-86400, 86400], ids=["files of yesterday", "files of tomorrow"])
def test_the_clock_may_go_wrong(warm, shift) -> None:
    now = time.time()
    for path in (warm.index, warm.store, warm.root):
        os.utime(str(path), (now + shift, now + shift))
    before = made(warm.store)
    assert warm.run() == LAZY
    assert made(warm.store) == before
    # It vouched for nothing, every input was looked at, and the next process need not.
    assert abs(warm.index.stat().st_mtime - now) < 60


def test_a_change_that_bears_an_older_time_is_a_change(warm, cas) -> None:
    then = warm.file.stat().st_mtime - 86400
    warm.file.write_bytes(cas.pem("system", "extra"))
    os.utime(str(warm.file), (then, then))
    assert warm.run() == (True, {**RIGHT, "extra": True}, "")
