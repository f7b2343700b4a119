"""Contexts that point at a compiled store, in running programs: sharing, repair, faults and daemons."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib.util import find_spec

import pytest
import support
from store_machine import DEFAULT, LOADED_BY_NEW, PROGRAM, ROOTS_OF_NEW, TRUSTED_BY_NEW, Machine

# Deletion.


def delete_store(machine: Machine) -> None:
    shutil.rmtree(machine.store)


def delete_cache(machine: Machine) -> None:
    shutil.rmtree(machine.cache)


def delete_root(machine: Machine) -> None:
    machine.hashed("system", machine.store).unlink()


deletions = pytest.mark.parametrize("delete", [delete_store, delete_cache, delete_root])


@deletions
def test_the_next_context_restores_deleted_files(machine, delete) -> None:
    with machine.start() as program:
        program("make()")
        delete(machine)
        assert set(program(TRUSTED_BY_NEW)) == DEFAULT
        assert set(program("trusted(contexts[0])")) == DEFAULT


@deletions
def test_a_query_restores_deleted_files(machine, delete) -> None:
    with machine.start() as program:
        expected = program(ROOTS_OF_NEW)
        program("make()")
        delete(machine)
        assert program("described(contexts[0])") == expected


@deletions
def test_the_next_process_restores_deleted_files(machine, delete) -> None:
    assert machine.trusted() == DEFAULT
    delete(machine)
    assert machine.trusted() == DEFAULT
    assert machine.hashed("system", machine.store).is_file()


# Sharing.

COUNT_READS = """
import os, ssl, threading
from certhook import _sources
log = os.open(os.environ["LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
read = _sources.read_trust_set
def counted(*args, **kwargs):
    os.write(log, b"read\\n")
    return read(*args, **kwargs)
_sources.read_trust_set = counted
ssl.create_default_context()
"""
FORK = """
child = os.fork()
if child == 0:
    os._exit(ssl.create_default_context().cert_store_stats()["x509"])
assert os.waitpid(child, 0)[1] >> 8 == 3
"""
THREAD = """
thread = threading.Thread(target=ssl.create_default_context)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("share", [FORK, THREAD], ids=["forked child", "thread"])
def test_children_and_threads_do_not_read_the_sources_again(machine, tmp_path, share) -> None:
    log = tmp_path / "log"
    support.run(machine.python, COUNT_READS + share, env={**machine.env, "LOG": str(log)})
    assert log.read_text().split() == ["read"]


SUB_INTERPRETER = """
import os, ssl, sys
ssl.create_default_context()
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
code = '''if True:
    import os, ssl, sys, _ssl
    context = ssl.create_default_context()
    with open(os.environ["LOG"], "w") as log:
        print(_ssl._SSLContext.cert_store_stats(context)["x509"], "certhook._sources" in sys.modules, file=log)
    '''
number = interpreters.create()
failure = interpreters.run_string(number, code)
assert failure is None, failure
if sys.version_info >= (3, 15):  # It warns of those that remain.
    interpreters.destroy(number)
"""


def test_a_sub_interpreter_uses_the_store_and_reads_no_source(machine, tmp_path) -> None:
    log = tmp_path / "log"
    support.run(machine.python, SUB_INTERPRETER, env={**machine.env, "LOG": str(log)})
    assert log.read_text().split() == ["0", "False"]


def test_the_next_process_does_not_build_the_store_again(machine) -> None:
    machine.trusted()
    before = machine.store.stat()
    assert machine.trusted() == DEFAULT
    after = machine.store.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


#: Prints the modules that a first context imports, and the files that it opens, without modules.
FIRST_CONTEXT = """
import json, os, ssl, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
before = set(sys.modules)
ssl.create_default_context()
imported = sorted(set(sys.modules) - before)
files = [path for path in opened if os.path.isfile(path) and not path.endswith((".py", ".pyc"))]
print(json.dumps([imported, files]))
"""
# Each takes as long as the rest of a first context, or reads certificates.
COLD_MODULES = {"certifi", "hashlib", "importlib.resources", "re", "shutil", "tempfile"} | {
    f"certhook.{name}"
    for name in (
        "_certificates",
        "_cold_start",
        "_files",
        "_loading",
        "_sources",
        "_store.build",
        "_text",
        "_warnings",
        "_watch.inputs",
        "exceptions",
    )
}


def first_context(machine: Machine, **variables: str) -> tuple[set[str], list[str]]:
    """Return the modules that a first context imports, and the files that it opens."""
    done = support.run(machine.python, FIRST_CONTEXT, env={**machine.env, **variables})
    imported, opened = json.loads(done.stdout)
    # AT_SECURE, which shows whether the process is set-uid.
    return set(imported), [path for path in opened if path != "/proc/self/auxv"]


def test_every_cold_module_exists() -> None:
    """Otherwise, the following test could not fail for it."""
    assert [name for name in sorted(COLD_MODULES) if find_spec(name) is None] == []


def test_a_warm_process_opens_only_the_index(machine) -> None:

    def ours(paths: list[str]) -> list[str]:
        # In an image, /usr may contain files with unreliable timestamps, whose content is compared.
        return [path for path in paths if not path.startswith(("/usr/", "/etc/"))]

    # CERTHOOK_BUNDLE is empty, because certifi's own bundle must be found without importing certifi.
    imported, _ = first_context(machine, CERTHOOK_BUNDLE="")
    assert {"certhook._sources", "certhook._store.build"} <= imported
    first_context(machine, CERTHOOK_BUNDLE="")  # It verifies the store for the first time.
    machine.expire_check()
    imported, opened = first_context(machine, CERTHOOK_BUNDLE="")
    assert ours(opened) == [str(machine.index)]
    assert "certhook._store" in imported
    assert not imported & COLD_MODULES
    imported, opened = first_context(machine, CERTHOOK_BUNDLE="")
    assert ours(opened) == [str(machine.index)]
    assert not imported & COLD_MODULES
    assert len([name for name in imported if name.partition(".")[0] == "certhook"]) <= 8


def test_building_a_store_imports_no_module_that_takes_longer_than_writing_its_files(machine) -> None:
    imported, _ = first_context(machine)
    assert "certhook._store.build" in imported
    assert not imported & {"bz2", "csv", "hashlib", "lzma", "shutil", "tempfile"}


# Problems.


def test_a_warm_process_reports_the_same_problems_as_a_cold_one(machine) -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (machine.roots / "system.pem").write_bytes(broken + machine.cas.pem("system"))
    code = "import ssl, sys; ssl.create_default_context(); print('certhook._sources' in sys.modules)"
    cold, warm = (support.run(machine.python, code, env=machine.env) for _ in range(2))
    assert (cold.stdout, warm.stdout) == ("True\n", "False\n")
    assert f"{machine.file}: the certificate at line 1" in cold.stderr
    assert warm.stderr == cold.stderr
    env = {**machine.env, "CERTHOOK_ON_ERROR": "raise"}
    assert "certhook.SourceError" in support.run(machine.python, code, env=env, check=False).stderr


def test_a_warm_process_raises_the_same_exception_as_a_cold_one(machine) -> None:
    code = """
import certhook, ssl
try:
    ssl.create_default_context()
except certhook.CerthookError as error:
    print(repr(error))
"""
    env = {**machine.env, "SSL_CERT_FILE": str(machine.roots / "none.pem"), "CERTHOOK_ON_ERROR": "raise"}
    cold, warm = (support.run(machine.python, code, env=env).stdout for _ in range(2))
    assert cold == warm and cold.startswith("ConfigurationError('SSL_CERT_FILE', ")
    assert machine.index.exists()


# Faults in a running program.

DELETE_PACKAGE = """
import shutil, certhook
shutil.rmtree(os.path.dirname(certhook.__file__))
"""
EXHAUST_DESCRIPTORS = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
"""

not_on_windows = pytest.mark.skipif(os.name == "nt", reason="the files of a running program cannot be deleted")


@pytest.fixture
def separate(machine: Machine, plain, tmp_path) -> Machine:
    """A machine on which certhook and certifi are in a directory that a program may delete."""
    packages = tmp_path / "packages"
    for name in ("certhook", "certifi"):
        shutil.copytree(support.purelib(machine.python) / name, packages / name)
    machine.python = plain
    machine.env = {**machine.env, "PYTHONPATH": str(packages)}
    return machine


@not_on_windows
@pytest.mark.parametrize("fault", [DELETE_PACKAGE, EXHAUST_DESCRIPTORS], ids=["package deleted", "no descriptors"])
def test_a_context_is_created_after_a_fault_even_if_the_settings_change(separate, fault) -> None:
    code = f"""
import certhook.auto, os, ssl
ssl.create_default_context()
{fault}
os.environ["CERTHOOK_MODE"] = "fallback"
context = ssl.create_default_context()
print(context.verify_mode == ssl.CERT_REQUIRED)
"""
    done = support.run(separate.python, code, env=separate.env)
    assert done.stdout == "True\n"
    assert "Traceback" not in done.stderr


@not_on_windows
@pytest.mark.parametrize("start", ["cold", "warm, unchecked", "warm, checked", "prebuilt"])
def test_default_trust_stays_the_same_after_the_package_is_deleted(separate, start) -> None:
    """The store remains usable, also after the intervals of all checks."""
    for _ in range({"warm, unchecked": 1, "warm, checked": 2}.get(start, 0)):
        support.run(separate.python, "import certhook.auto, ssl; ssl.create_default_context()", env=separate.env)
    if start == "prebuilt":
        command = [str(separate.python), "-m", "certhook", "compile", "--directory", str(separate.cache)]
        subprocess.run(command, env=separate.env, check=True, stdout=subprocess.DEVNULL)
    code = f"""
import certhook.auto, os, ssl, time, _ssl
ssl.create_default_context()
{DELETE_PACKAGE}
from certhook import _watch
for interval in (_watch.INTERVAL, 0, 0):
    context = ssl.create_default_context()
    assert vars(context)["_certhook"].store, "the context has no store"
    assert _ssl._SSLContext.cert_store_stats(context)["x509"] == 0, "the roots of stock Python were loaded"
    _watch.INTERVAL = _watch.RARE_INTERVAL = interval
print("done")
"""
    done = support.run(separate.python, code, env=separate.env)
    assert (done.stdout, done.stderr) == ("done\n", "")


# Settings.


@pytest.mark.parametrize("value", ["lazy", " Lazy", ""])
def test_lazy_is_the_default(machine, value) -> None:
    done = support.run(machine.python, FIRST_CONTEXT, env={**machine.env, "CERTHOOK_LOAD": value})
    assert done.stderr == ""
    assert machine.store.is_dir()


@pytest.mark.parametrize("variables", [{"CERTHOOK_LOAD": "EAGER "}, {"CERTHOOK_STORE_DIR": "None"}])
def test_without_a_store_roots_are_loaded_and_nothing_is_written(machine, variables) -> None:
    assert machine.ask(LOADED_BY_NEW, **variables) == 3
    assert not machine.cache.exists()


def test_an_invalid_value_is_reported_and_the_default_applies(machine) -> None:
    done = support.run(machine.python, FIRST_CONTEXT, env={**machine.env, "CERTHOOK_LOAD": "quick"})
    assert "CERTHOOK_LOAD: invalid value 'quick' (expected lazy or eager); using lazy" in done.stderr
    assert machine.store.is_dir()


# Daemons that drop the privileges of root after they created a context.

DROP_PRIVILEGES = """
def daemon():
    trusted(ssl.create_default_context())  # A handshake imports codecs, which the other user may not be able to read.
    make()
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    return trusted(contexts[0])
print(*daemon())
"""


def daemon(machine: Machine, variables: dict[str, str]) -> set[str]:
    """Return the authorities that a daemon trusts, on a machine with an empty /var/cache."""
    env = {name: value for name, value in machine.env.items() if name != "CERTHOOK_STORE_DIR"}
    setup = 'mount -t tmpfs -o mode=755 tmpfs /var/cache; exec "$@"'
    command = ["unshare", "-m", "--propagation", "private", "sh", "-ec", setup, "sh", str(machine.python), "-c"]
    done = subprocess.run(
        [*command, PROGRAM + DROP_PRIVILEGES],
        env={**env, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    return set(done.stdout.decode().split())


def test_a_daemon_without_privileges_reads_the_store_of_root(machine, root) -> None:
    assert daemon(machine, {}) == DEFAULT


def test_a_daemon_without_privileges_reads_a_store_in_the_directory_that_root_chose(machine, root) -> None:
    assert daemon(machine, {"CERTHOOK_STORE_DIR": "/var/cache/daemon"}) == DEFAULT


def test_a_daemon_that_cannot_reach_the_store_needs_loaded_contexts(machine, root) -> None:
    machine.roots.chmod(0o700)
    private = {"CERTHOOK_STORE_DIR": str(machine.roots / "cache")}
    assert daemon(machine, private) == set()
    assert daemon(machine, {**private, "CERTHOOK_LOAD": "eager"}) == DEFAULT
