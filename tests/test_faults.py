"""Faults of compiled stores: trust stays the same, and an incomplete store is never used.

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

from certhook import _watch
from certhook._store import Index, verification

#: The number of builders to kill; half as many repairs are killed.
KILLS = int(os.environ.get("CERTHOOK_TEST_KILLS", "200"))

EXPECTED = {"system": True, "bundled": False, "both": True, "extra": False, "stranger": False}

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

#: A user in the user database whose home does not exist, and a user that is not in the database.
NOBODY = 65534
UNKNOWN_USER = 54321


class Machine:
    """A machine with a system store that contains *system*, *both* and some of certifi's roots."""

    def __init__(self, python: Path, directory: Path, cas: support.Authorities, servers: support.Servers) -> None:
        self.python = python
        self.directory = directory
        self.file = directory / "system.pem"
        self.cache = directory / "cache"
        self.name = support.hashed_name(cas.der("system"))
        self.file.write_bytes(cas.pem("system") + some_roots())
        (directory / "hashed").mkdir()
        (directory / "hashed" / support.hashed_name(cas.der("both"))).write_bytes(cas.pem("both"))
        self.env = support.clean_env(
            SSL_CERT_FILE=str(self.file),
            SSL_CERT_DIR=str(directory / "hashed"),
            CERTHOOK_STORE_DIR=str(self.cache),
            SERVERS=support.server_list(servers),
        )

    def environment(self, **variables: str | None) -> dict[str, str]:
        """Return the environment with *variables*; a value of None removes a variable."""
        return {name: value for name, value in {**self.env, **variables}.items() if value is not None}

    def run(self, *prefix: str, code: str = support.VERDICTS, **variables: str | None) -> Outcome:
        """Run *code* in a new process, started by the command *prefix* if given."""
        command = [*prefix, self.python, "-c", PRINT_LOADED + code]
        done = support.run_command(*command, env=self.environment(**variables))
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
        """The file in the store with the root of *system*."""
        return self.store / self.name


class Outcome(NamedTuple):
    """The output of a process."""

    #: Whether a fresh context has no loaded roots.
    lazy: bool
    #: The trusted authorities.
    verdicts: dict[str, bool]
    #: The warnings.
    stderr: str

    @classmethod
    def of(cls, stdout: str, stderr: str) -> Outcome:
        loaded, *pairs = stdout.split()
        return cls(loaded == "0", support.verdicts(" ".join(pairs)), stderr)


# Prints the number of certificates that a fresh context has loaded.
PRINT_LOADED = """
import ssl, _ssl
print(_ssl._SSLContext.cert_store_stats(ssl.create_default_context())["x509"])
"""
LAZY = Outcome(True, EXPECTED, "")
EAGER = Outcome(False, EXPECTED, "")


def some_roots() -> bytes:
    """Return enough of certifi's roots to slow down a build."""
    footer = b"-----END CERTIFICATE-----\n"
    return b"".join(block + footer for block in Path(certifi.where()).read_bytes().split(footer)[:40])


def _is_digest(name: str) -> bool:
    return len(name) == 40 and set(name) <= set("0123456789abcdef")


@pytest.fixture
def machine(installed: Path, tmp_path: Path, cas: support.Authorities, servers: support.Servers) -> Machine:
    return Machine(installed, tmp_path, cas, servers)


@pytest.fixture
def warm(machine: Machine) -> Machine:
    """A machine with a compiled store."""
    assert machine.run() == LAZY
    return machine


def mounted(setup: str) -> list[str]:
    """Return the prefix of a command that runs it in a private mount namespace, after the script *setup*."""
    return ["unshare", "-m", "--propagation", "private", "sh", "-ec", f'{setup}\nexec "$@"', "sh"]


def as_user(user: int) -> list[str]:
    """Return the prefix of a command that runs it as *user*.

    The process can read all files, because the interpreter may be readable only by root.
    """
    ids = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return ["setpriv", *ids, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


def assert_complete(machine: Machine) -> None:
    """Assert that the directory contains exactly one complete store, its index, and the link to it."""
    verification.check(str(machine.store))
    (link,) = machine.cache.glob("trust-*")
    assert os.readlink(link) == machine.store.name
    assert sorted(machine.cache.iterdir()) == sorted([machine.store, machine.index, link])


# Concurrent processes.

WAIT_FOR_START = "import ssl, sys; print('ready', flush=True); sys.stdin.read()\n"


def race(machine: Machine, count: int) -> list[Outcome]:
    """Return the outcomes of *count* processes that all request a context at the same time."""
    start_reader, start_writer = os.pipe()
    command = [str(machine.python), "-c", WAIT_FOR_START + PRINT_LOADED + support.VERDICTS]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(command, env=machine.env, stdin=start_reader, stdout=pipe, stderr=pipe, encoding="utf-8")
        for _ in range(count)
    ]
    os.close(start_reader)
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    os.close(start_writer)
    return [Outcome.of(*process.communicate(timeout=120)) for process in processes]


def test_64_processes_that_race_to_build_a_store_use_it(machine) -> None:
    assert race(machine, 64) == [LAZY] * 64
    assert_complete(machine)
    assert machine.run() == LAZY


def test_16_processes_that_race_to_repair_a_store_trust_the_same_roots(warm) -> None:
    warm.root.unlink()
    (warm.store / "foreign").write_bytes(b"")
    for outcome in race(warm, 16):
        assert outcome.verdicts == EXPECTED
    assert warm.run() == LAZY
    assert_complete(warm)


# Killed builders.

# Forks builders, and kills each at a random moment within the time that it takes to write a store.
KILL_BUILDERS = """
import json, os, random, shutil, signal, time
from certhook import _config, _trust
from certhook._state import process
from certhook._store import build as building
from certhook._store.verification import is_complete
cache = os.environ["CERTHOOK_STORE_DIR"]
started_reader, started_writer = os.pipe()
write_directory = building.write_directory
def signal_start(*args, **kwargs):
    os.write(started_writer, b"!")
    return write_directory(*args, **kwargs)
def build():
    process.reset()
    return _trust.current(_config.current(), _config.SERVER_AUTH).resolved
def prepare():
    if os.environ["START"] == "nothing":
        shutil.rmtree(cache, ignore_errors=True)
        return
    if not is_complete(store):
        build()
    for name in random.sample(os.listdir(store), 20):
        os.unlink(os.path.join(store, name))
def sizes():
    names = os.listdir(store) if os.path.isdir(store) else []
    return {name: os.path.getsize(os.path.join(store, name)) for name in names}
def start():
    child = os.fork()
    if child == 0:
        building.write_directory = signal_start
        build()
        os._exit(0)
    os.read(started_reader, 1)
    return child, time.perf_counter()
store = build()
complete = sizes()
prepare()
child, started = start()
os.waitpid(child, 0)
duration = time.perf_counter() - started
results = []
for _ in range(int(os.environ["KILLS"])):
    prepare()
    child, started = start()
    time.sleep(random.uniform(0, duration))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    remaining = sizes()
    assert remaining.items() <= complete.items()
    temporary = [name for name in os.listdir(cache) if name.startswith(".")] if os.path.isdir(cache) else []
    results.append([bool(temporary), bool(remaining), is_complete(store)])
    for name in temporary:
        path = os.path.join(cache, name)
        os.unlink(path) if os.path.islink(path) or os.path.isfile(path) else shutil.rmtree(path)
print(json.dumps(results))
"""


def kill_builders(machine: Machine, count: int, start: str) -> list[tuple[bool, bool, bool]]:
    """Kill *count* builders, and verify every 25 kills that a new process has the expected trust.

    :param start: the initial state of the cache: "nothing", or a "damaged" store
    :returns: for each builder, whether it left temporary files, whether a store exists, and whether it is complete
    """
    results = []
    while len(results) < count:
        env = {**machine.env, "START": start, "KILLS": str(min(25, count - len(results)))}
        results += map(tuple, json.loads(support.run(machine.python, KILL_BUILDERS, env=env).stdout))
        assert machine.run() == LAZY
        verification.check(str(machine.store))
    return results


@needs_fork
def test_a_builder_killed_at_any_moment_leaves_no_incomplete_store(machine) -> None:
    results = kill_builders(machine, KILLS, "nothing")
    assert not any(exists and not is_complete for _, exists, is_complete in results)
    assert any(temporary for temporary, _, _ in results), "no builder was killed during a build"


@needs_fork
def test_after_a_killed_repair_the_next_process_repairs_the_store(machine) -> None:
    results = kill_builders(machine, KILLS // 2, "damaged")
    assert any(temporary for temporary, _, _ in results), "no builder was killed during a repair"


# Locations that are not writable.


def test_on_a_full_disk_roots_are_loaded_into_contexts(machine, root) -> None:
    machine.cache.mkdir(mode=0o700)
    for size in range(4, 40, 4):
        assert machine.run(*mounted(f"mount -t tmpfs -o mode=700,size={size}k tmpfs {machine.cache}")) == EAGER


# Prints the verdicts, and the names in the cache directory in the same format.
LIST_CACHE = support.VERDICTS + "print(*(f'{name}:no' for name in os.listdir(os.environ['CERTHOOK_STORE_DIR'])))"


def test_a_disk_that_becomes_full_at_any_file_does_not_change_trust(machine, cas, root) -> None:
    """Each needs an inode: directory, temporary directory, two roots, PEM file of both, manifest, link, index."""
    machine.file.write_bytes(cas.pem("system"))
    machine.cache.mkdir(mode=0o700)
    outcomes = []
    for inodes in range(2, 10):
        setup = f"mount -t tmpfs -o mode=700,nr_inodes={inodes} tmpfs {machine.cache}"
        lazy, verdicts, stderr = machine.run(*mounted(setup), code=LIST_CACHE)
        files = {name for name in verdicts if name not in EXPECTED}
        assert {name: verdicts[name] for name in EXPECTED} == EXPECTED
        assert stderr == ""
        assert all(_is_digest(name) or name.startswith(("index-", "trust-")) for name in files)
        outcomes.append((lazy, len(files)))
    assert outcomes == [(False, 0)] * 4 + [(False, 1), (False, 2)] + [(True, 3)] * 2


def test_on_a_read_only_disk_roots_are_loaded_into_contexts(machine, root) -> None:
    machine.cache.mkdir(mode=0o700)
    missing = str(machine.directory / "missing")
    assert machine.run(*mounted(read_only(machine.cache))) == EAGER
    assert machine.run(*mounted(read_only(machine.directory)), CERTHOOK_STORE_DIR=missing) == EAGER
    assert list(machine.cache.iterdir()) == []


def test_a_store_on_a_read_only_disk_is_used(warm, root) -> None:
    an_hour_ago = warm.index.stat().st_mtime - 3600
    os.utime(str(warm.index), (an_hour_ago, an_hour_ago))
    assert warm.run(*mounted(read_only(warm.cache))) == LAZY


def test_a_damaged_store_on_a_read_only_disk_is_not_used(warm, root) -> None:
    warm.root.unlink()
    assert warm.run(*mounted(read_only(warm.cache))) == EAGER


def identity(store: Path) -> tuple[int, int]:
    """Return values that change when a file is written into *store* or the store is rebuilt."""
    status = store.stat()
    return status.st_ino, status.st_mtime_ns


def read_only(directory: Path) -> str:
    """Return a shell script that makes *directory* read-only."""
    return f"mount --bind {directory} {directory}; mount -o remount,bind,ro {directory}"


def test_for_a_user_without_a_home_roots_are_loaded_into_contexts(machine, root) -> None:
    for user in (UNKNOWN_USER, NOBODY):
        assert machine.run(*as_user(user), CERTHOOK_STORE_DIR=None) == EAGER


def test_a_user_with_a_home_gets_a_store_in_it(machine, root) -> None:
    home = machine.directory / "home"
    home.mkdir()
    os.chown(str(home), UNKNOWN_USER, UNKNOWN_USER)
    for _ in range(2):
        assert machine.run(*as_user(UNKNOWN_USER), CERTHOOK_STORE_DIR=None, HOME=str(home)) == LAZY
    assert len(list((home / ".local" / "share" / "certhook").iterdir())) == 3


def test_a_home_with_a_colon_in_its_path_gets_no_store(machine, root) -> None:
    home = machine.directory / "a:b"
    home.mkdir()
    os.chown(str(home), UNKNOWN_USER, UNKNOWN_USER)
    assert machine.run(*as_user(UNKNOWN_USER), CERTHOOK_STORE_DIR=None, HOME=str(home)) == EAGER
    assert list(home.iterdir()) == []


def test_a_cache_directory_with_a_colon_in_its_path_is_not_used(machine) -> None:
    assert machine.run(CERTHOOK_STORE_DIR=str(machine.directory / f"a{os.pathsep}b")) == EAGER


# Damage.


def _truncate(path: Path) -> None:
    with open(str(path), "r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _truncate_to_zero(path: Path) -> None:
    path.write_bytes(b"")


def _fill_with_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _remove(path: Path) -> None:
    path.unlink()


def _replace_with_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").write_bytes(b"")


def _replace_with_link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def _replace_with_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("missing")


def _change_version(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b" 1", b" 2", 1))


def _replace_with_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(str(path))


REPLACEMENTS = [_replace_with_directory, _replace_with_link, _replace_with_dangling_link, _replace_with_pipe]
DAMAGES = [_truncate, _truncate_to_zero, _remove, *REPLACEMENTS]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_root_is_restored(warm, damage) -> None:
    before = warm.root.read_bytes()
    damage(warm.root)
    assert warm.run() == LAZY
    assert warm.root.read_bytes() == before
    assert_complete(warm)


@pytest.mark.parametrize("damage", [_remove, *REPLACEMENTS])
def test_damage_that_changes_the_directory_is_detected_immediately(warm, damage) -> None:
    assert warm.run() == LAZY  # This run has checked every file.
    damage(warm.root)
    assert warm.run() == LAZY
    assert_complete(warm)


def test_a_root_truncated_in_place_is_detected_within_seconds(warm) -> None:
    assert warm.run() == LAZY
    _truncate(warm.root)
    last_check = time.time() - _watch.RARE_INTERVAL
    os.utime(str(warm.index), (last_check, last_check))
    assert warm.run() == LAZY
    assert_complete(warm)


@pytest.mark.parametrize("damage", [*DAMAGES, _fill_with_zeros, _change_version])
def test_a_damaged_manifest_is_restored(warm, damage) -> None:
    manifest = warm.store / "manifest"
    before = manifest.read_bytes()
    damage(manifest)
    assert warm.run() == LAZY
    assert manifest.read_bytes() == before
    assert_complete(warm)


@pytest.mark.parametrize("damage", [_truncate, _truncate_to_zero, _remove, _fill_with_zeros, _change_version])
def test_a_damaged_index_is_restored(warm, damage) -> None:
    before = Index.from_bytes(warm.index.read_bytes())
    damage(warm.index)
    assert warm.run() == LAZY
    after = Index.from_bytes(warm.index.read_bytes())
    assert (after.digest, after.link, after.snapshot.frequent) == (before.digest, before.link, before.snapshot.frequent)
    assert f"{warm.index} is damaged" in after.built[1] or "there was no store" in after.built[1]
    assert_complete(warm)


@pytest.mark.parametrize("damage", [_replace_with_directory, _replace_with_pipe])
def test_a_directory_or_pipe_at_the_path_of_the_index_does_not_change_trust(warm, damage) -> None:
    damage(warm.index)
    assert warm.run().verdicts == EXPECTED


def test_a_foreign_root_in_the_store_is_removed(warm, cas) -> None:
    stranger = warm.store / support.hashed_name(cas.der("stranger"))
    stranger.write_bytes(cas.pem("stranger"))
    assert warm.run() == LAZY
    assert not stranger.exists()


def test_a_root_with_foreign_content_is_restored(warm, cas) -> None:
    warm.root.write_bytes(cas.pem("stranger") + b"\n")
    assert warm.run() == LAZY
    assert_complete(warm)


def test_a_store_without_its_index_is_reused(warm) -> None:
    before = identity(warm.store)
    warm.index.unlink()
    assert warm.run() == LAZY
    assert identity(warm.store) == before


# Files that other users can change.


def _store_of(machine: Machine) -> Path:
    return machine.store


def _cache_of(machine: Machine) -> Path:
    return machine.cache


def _parent_of_cache(machine: Machine) -> Path:
    return machine.directory


@pytest.mark.parametrize(
    ("locate", "mode"),
    [(_cache_of, 0o770), (_cache_of, 0o702), (_parent_of_cache, 0o770), (_parent_of_cache, 0o702)],
)
def test_a_directory_writable_by_others_is_not_used(warm, locate, mode) -> None:
    directory = locate(warm)
    directory.chmod(mode)
    assert warm.run() == EAGER
    reason = f"{directory} is writable by other users (mode {mode:o}); run 'chmod go-w {directory}'"
    assert reason in warm.run(CERTHOOK_DEBUG="1").stderr
    directory.chmod(0o700)
    assert warm.run() == LAZY


@pytest.mark.parametrize("locate", [_cache_of, _parent_of_cache])
def test_a_directory_with_the_mode_of_tmp_is_not_used(warm, locate) -> None:
    directory = locate(warm)
    directory.chmod(0o1777)
    assert warm.run() == EAGER
    reason = f"{directory} is writable by other users (mode 1777); set CERTHOOK_STORE_DIR to"
    assert reason in warm.run(CERTHOOK_DEBUG="1").stderr


def test_a_store_writable_by_others_is_rebuilt(warm, cas) -> None:
    warm.store.chmod(0o777)
    (warm.store / support.hashed_name(cas.der("stranger"))).write_bytes(cas.pem("stranger"))
    assert warm.run() == LAZY
    assert warm.store.stat().st_mode & 0o022 == 0
    assert_complete(warm)


def test_a_root_writable_by_others_is_restored(warm) -> None:
    warm.root.chmod(0o666)
    assert warm.run() == LAZY
    assert warm.root.stat().st_mode & 0o022 == 0


def test_an_index_writable_by_others_is_restored(warm) -> None:
    warm.index.chmod(0o666)
    assert warm.run() == LAZY
    assert warm.index.stat().st_mode & 0o022 == 0


@pytest.mark.parametrize("locate", [_cache_of, _parent_of_cache])
def test_a_directory_of_another_user_is_not_used(warm, root, locate) -> None:
    os.chown(str(locate(warm)), UNKNOWN_USER, UNKNOWN_USER)
    assert warm.run() == EAGER
    reason = f"{locate(warm)} belongs to user {UNKNOWN_USER}; expected the user of this process or root"
    assert reason in warm.run(CERTHOOK_DEBUG="1").stderr


def _root_of(machine: Machine) -> Path:
    return machine.root


def _index_of(machine: Machine) -> Path:
    return machine.index


@pytest.mark.parametrize("locate", [_store_of, _root_of, _index_of])
def test_a_file_of_another_user_is_replaced(warm, root, locate) -> None:
    os.chown(str(locate(warm)), UNKNOWN_USER, UNKNOWN_USER)
    assert warm.run() == LAZY
    assert locate(warm).stat().st_uid == 0
    assert_complete(warm)


@pytest.mark.parametrize("locate", [_cache_of, _store_of])
def test_a_symbolic_link_to_another_directory_is_not_followed(warm, locate, tmp_path) -> None:
    original = locate(warm)
    moved = tmp_path / "moved"
    original.rename(moved)
    original.symlink_to(moved)
    assert warm.run() == (LAZY if locate is _store_of else EAGER)
    assert ("is a symbolic link" in warm.run(CERTHOOK_DEBUG="1").stderr) == (locate is _cache_of)
    assert original.is_symlink() == (locate is _cache_of)


def test_root_with_the_home_of_another_user_does_not_write_to_it(machine, root) -> None:
    home = machine.directory / "home"
    home.mkdir()
    os.chown(str(home), UNKNOWN_USER, UNKNOWN_USER)
    setup = "mount -t tmpfs -o mode=755 tmpfs /var/cache"
    variables = {"CERTHOOK_STORE_DIR": None, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    assert machine.run(*mounted(setup), **variables) == LAZY
    assert list(home.iterdir()) == []


# Clock changes.


@pytest.mark.parametrize("shift", [-86400, 86400], ids=["files from yesterday", "files from tomorrow"])
def test_a_clock_change_rebuilds_nothing(warm, shift) -> None:
    now = time.time()
    for path in (warm.index, warm.store, warm.root):
        os.utime(str(path), (now + shift, now + shift))
    before = identity(warm.store)
    assert warm.run() == LAZY
    assert identity(warm.store) == before
    # This run has checked every input and updated the time of the index, so that the next one skips the check.
    assert abs(warm.index.stat().st_mtime - now) < 60


def test_a_change_with_an_older_modification_time_is_detected(warm, cas) -> None:
    yesterday = warm.file.stat().st_mtime - 86400
    warm.file.write_bytes(cas.pem("system", "extra"))
    os.utime(str(warm.file), (yesterday, yesterday))
    assert warm.run() == (True, {**EXPECTED, "extra": True}, "")
