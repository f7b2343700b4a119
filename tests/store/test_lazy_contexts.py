"""A compiled store makes no difference that a program can see, but speed."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import der
import pytest
import support
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from certhook._certificates import names, x509
from certhook import _store

#: A program that answers the expressions it is asked, until its input ends.
PROGRAM = """
import json, os, socket, ssl, sys, _ssl
from certhook import _store, _trust
servers = [server.split(":") for server in os.environ["SERVERS"].split()]
contexts = []
def make():
    contexts.append(ssl.create_default_context())
def trusted(context):
    names = []
    for name, port in servers:
        try:
            with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as raw:
                context.wrap_socket(raw, server_hostname="localhost").close()
            names.append(name)
        except ssl.SSLCertVerificationError:
            pass
    return names
def loaded(context):
    return _ssl._SSLContext.cert_store_stats(context)["x509"]
def described(context):
    ders = sorted(der.hex() for der in context.get_ca_certs(binary_form=True))
    return [ders, sorted(map(repr, context.get_ca_certs())), context.cert_store_stats()]
for line in sys.stdin:
    print(json.dumps(eval(line)), flush=True)
"""

NEW = "trusted(ssl.create_default_context())"
FRESH = "described(ssl.create_default_context())"
DEFAULT = {"system", "both", "bundled"}


class Program:
    """A running :data:`PROGRAM`."""

    def __init__(self, python: Path, env: dict[str, str]) -> None:
        command = [str(python), "-W", "ignore", "-c", PROGRAM]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, encoding="utf-8")

    def __call__(self, expression: str) -> object:
        self._process.stdin.write(expression + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the program has ended"
        return json.loads(answer)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate(timeout=60)


class Machine:
    """A computer whose default trust consists of the tests' authorities.

    *system* is in the system's file, a link as on many systems, and *both* in
    its hashed directory, a link too; *bundled* is in the bundle.
    """

    def __init__(self, python: Path, folder: Path, cas: support.Authorities, servers: support.Servers) -> None:
        self.python = python
        self.cas = cas
        self.roots = folder / "roots"
        self.file = folder / "system.pem"
        self.directory = folder / "hashed"
        self.cache = folder / "cache"
        self.roots.mkdir()
        self.directory.mkdir()
        for name in cas.names:
            (self.roots / f"{name}.pem").write_bytes(cas.pem(name))
        self.file.symlink_to(self.roots / "system.pem")
        self.hashed("both").symlink_to(self.roots / "both.pem")
        self.env = support.clean_env(
            SSL_CERT_FILE=str(self.file),
            SSL_CERT_DIR=str(self.directory),
            CERTHOOK_SOURCES="system,bundled",
            CERTHOOK_BUNDLE=str(self.roots / "bundled.pem"),
            CERTHOOK_CACHE_DIR=str(self.cache),
            SERVERS=support.server_list(servers),
        )

    def hashed(self, name: str, folder: Path | None = None) -> Path:
        """The path at which OpenSSL looks for the root of an authority."""
        subject = x509.Certificate(self.cas.der(name)).subject
        return (folder or self.directory) / f"{names.subject_hash(subject)}.0"

    def start(self, **variables: str) -> Program:
        return Program(self.python, {**self.env, **variables})

    def ask(self, expression: str, **variables: str) -> object:
        """The answer of a new process."""
        with self.start(**variables) as program:
            return program(expression)

    def trusted(self, **variables: str) -> set[str]:
        """Whom a new process trusts."""
        return set(self.ask(NEW, **variables))

    @property
    def store(self) -> Path:
        (store,) = (path for path in self.cache.iterdir() if path.is_dir())
        return store

    @property
    def index(self) -> Path:
        (index,) = self.cache.glob("index-*")
        return index


@pytest.fixture
def machine(installed: Path, tmp_path: Path, cas: support.Authorities, servers: support.Servers) -> Machine:
    return Machine(installed, tmp_path, cas, servers)


# The same answers.


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("load", ["lazy", "eager"])
def test_both_trust_the_same(machine, load, extra) -> None:
    variables = {"CERTHOOK_EXTRA_CA_CERTS": str(machine.roots / "extra.pem")} if extra else {}
    expected = {*DEFAULT, "extra"} if extra else DEFAULT
    assert machine.trusted(CERTHOOK_LOAD=load, **variables) == expected


def test_a_fresh_context_has_nothing_loaded(machine) -> None:
    assert machine.ask("loaded(ssl.create_default_context())") == 0
    assert machine.ask("loaded(ssl.create_default_context())", CERTHOOK_LOAD="eager") == 3


def test_roots_that_are_asked_for_are_those_of_a_loaded_context(machine) -> None:
    leaf = der.pem(der.certificate(der.common_name("not a CA")))
    (machine.roots / "system.pem").write_bytes(machine.cas.pem("system", "extra", "system") + leaf)
    eager = machine.ask(FRESH, CERTHOOK_LOAD="eager")
    assert len(eager[0]) == 4
    assert eager[2]["x509"] == 5
    assert machine.ask(FRESH) == eager


def test_the_first_question_may_be_any(machine) -> None:
    eager = machine.ask(FRESH, CERTHOOK_LOAD="eager")
    assert machine.ask("ssl.create_default_context().cert_store_stats()") == eager[2]
    assert machine.ask("sorted(map(repr, ssl.create_default_context().get_ca_certs()))") == eager[1]
    assert machine.ask("sorted(map(bytes.hex, ssl.create_default_context().get_ca_certs(True)))") == eager[0]


def test_a_handshake_changes_no_answer(machine) -> None:
    expected = machine.ask(FRESH, CERTHOOK_LOAD="eager")
    with machine.start() as program:
        program("make()")
        for _ in range(2):
            assert set(program("trusted(contexts[0])")) == DEFAULT
            assert program("described(contexts[0])") == expected


def test_the_programs_own_roots_are_among_them(machine) -> None:
    path = str(machine.roots / "extra.pem")
    with machine.start() as program:
        program("make()")
        program(f"contexts[0].load_verify_locations({path!r})")
        assert set(program("trusted(contexts[0])")) == {*DEFAULT, "extra"}
        assert program("contexts[0].cert_store_stats()['x509_ca']") == 4


def test_a_context_keeps_the_roots_it_was_given(machine) -> None:
    with machine.start() as program:
        before = program(FRESH)
        program("make()")
        os.unlink(str(machine.file))
        assert set(program(NEW)) == DEFAULT - {"system"}
        assert set(program("trusted(contexts[0])")) == DEFAULT
        assert program("described(contexts[0])") == before


@pytest.mark.parametrize("older", [False, True], ids=["the older one first", "the older one second"])
def test_an_expired_namesake_does_not_hide_the_renewed_root(machine, older) -> None:
    renewed = machine.cas.der("system")
    # Files with one hash are numbered in the order of their bytes.
    expired = next(
        cert
        for serial in range(1, 200)
        for cert in [expired_namesake(machine.cas, serial)]
        if (cert < renewed) != older
    )
    (machine.roots / "system.pem").write_bytes(der.pem(expired) + machine.cas.pem("system"))
    assert machine.trusted(CERTHOOK_LOAD="eager") == DEFAULT
    assert machine.trusted() == DEFAULT
    first = machine.hashed("system", machine.store).read_bytes()
    assert first == der.pem(renewed if older else expired)


def expired_namesake(cas: support.Authorities, serial: int) -> bytes:
    """A certificate for the same name and key as that of *system*, of years ago; *serial* as of :func:`namesake`."""
    return namesake(cas, serial, years=(2001, 2011))


def namesake(
    cas: support.Authorities, serial: int, years: tuple[int, int], *more: tuple[x509.ExtensionType, bool]
) -> bytes:
    """A certificate for the same name and key as that of *system*.

    An even *serial* makes it shorter than that one, unless there are *more* extensions, an odd one longer.
    """
    now = x509.load_pem_x509_certificate(cas.pem("system"))
    key = serialization.load_pem_private_key(cas.system.private_key_pem.bytes(), None)
    builder = x509.CertificateBuilder().subject_name(now.subject).issuer_name(now.subject).public_key(key.public_key())
    first, last = (datetime.datetime(year, 1, 1) for year in years)
    builder = builder.not_valid_before(first).not_valid_after(last)
    builder = builder.serial_number(serial if serial % 2 == 0 else serial << 150)
    for extension in now.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    for value, critical in more:
        builder = builder.add_extension(value, critical)
    if serial % 2:
        builder = builder.add_extension(x509.IssuerAlternativeName([x509.DNSName("a" * 99)]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_of_two_valid_namesakes_both_take_the_same(machine) -> None:
    """The key vouches for a server under one of them, and may not under the other."""
    constraints = x509.NameConstraints(None, [x509.DNSName("localhost")])
    twins = [namesake(machine.cas, serial, (2001, 2099), (constraints, True)) for serial in (2, 3)]
    plain = namesake(machine.cas, 5, (2001, 2099))
    machine.file.unlink()
    for order in ((twins[0], plain), (plain, twins[0]), (plain, twins[1]), (twins[1], plain)):
        machine.file.write_bytes(b"".join(map(der.pem, order)))
        assert machine.trusted(CERTHOOK_LOAD="lazy") == machine.trusted(CERTHOOK_LOAD="eager")


CLIENTS, SERVERS = "c.load_default_certs(ssl.Purpose.CLIENT_AUTH)", "c.load_default_certs()"


@pytest.mark.parametrize("given", [(CLIENTS, SERVERS), (SERVERS, CLIENTS), (SERVERS, CLIENTS, SERVERS)])
def test_trust_for_two_purposes_is_that_of_a_loaded_context(machine, given) -> None:
    """The renewed root, which only the bundle has, is not hidden by the expired one, which is for clients as well."""
    machine.file.unlink()
    machine.file.write_bytes(der.pem(expired_namesake(machine.cas, 2)))
    (machine.roots / "bundled.pem").write_bytes(machine.cas.pem("system"))
    expression = f"[c := ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), {', '.join(given)}, trusted(c), described(c)][-2:]"
    lazily, eagerly = (machine.ask(expression, CERTHOOK_LOAD=load) for load in ("lazy", "eager"))
    assert lazily[0] == eagerly[0] == ["system", "both"]
    # OpenSSL 3.6 adds one of two namesakes once more when it is given again.
    assert lazily[1][0] == sorted({*eagerly[1][0]})


@pytest.mark.parametrize("load", ["lazy", "eager"])
def test_trust_that_is_given_again_after_an_update_adds_to_what_was_given(machine, load) -> None:
    machine.file.unlink()
    machine.file.write_bytes(der.pem(expired_namesake(machine.cas, 2)))
    with machine.start(CERTHOOK_LOAD=load) as program:
        program("make()")
        assert set(program("trusted(contexts[0])")) == {"both", "bundled"}
        machine.file.write_bytes(machine.cas.pem("system"))
        program("contexts[0].load_default_certs()")
        assert set(program("trusted(contexts[0])")) == DEFAULT


def test_a_context_answers_as_before_when_certhook_is_uninstalled(machine) -> None:
    with machine.start() as program:
        program("make()")
        program("__import__('certhook').uninstall()")
        assert program("described(contexts[0])") == machine.ask(FRESH, CERTHOOK_LOAD="eager")
        # A namesake of the caller's hides nothing.
        (machine.roots / "old.pem").write_bytes(der.pem(expired_namesake(machine.cas, 2)))
        program(f"contexts[0].load_verify_locations({str(machine.roots / 'old.pem')!r})")
        assert set(program("trusted(contexts[0])")) == DEFAULT


def test_without_the_hook_a_context_is_loaded_whole(machine) -> None:
    """Nobody would do it when it is asked for its roots, or given a namesake."""
    bare = "c := ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)"
    given = f"contexts.append([{bare}, __import__('certhook').load_default_certs(c), c][-1])"
    with machine.start(CERTHOOK_DISABLED="1") as program:
        program(given)
        assert program("described(contexts[0])") == machine.ask(FRESH, CERTHOOK_LOAD="eager")
        program(given)
        (machine.roots / "old.pem").write_bytes(der.pem(expired_namesake(machine.cas, 2)))
        program(f"contexts[1].load_verify_locations({str(machine.roots / 'old.pem')!r})")
        assert set(program("trusted(contexts[1])")) == DEFAULT


def test_threads_that_ask_a_context_for_its_roots_at_once_all_see_them(machine) -> None:
    counting = "pool.map(lambda _: len(context.get_ca_certs()), range(8))"
    threads = "__import__('concurrent.futures').futures.ThreadPoolExecutor(8)"
    with machine.start() as program:
        program(f"[pool := {threads}, make()][1:]")
        for _ in range(20):
            assert program(f"[context := ssl.create_default_context(), list({counting})][1]") == [3] * 8


def test_roots_that_are_asked_for_are_whole_where_one_was_cut_short_a_moment_ago(machine) -> None:
    with machine.start() as program:
        program("make()")
        file = machine.hashed("system", machine.store)
        file.write_bytes(file.read_bytes()[:100])
        assert program("len(contexts[0].get_ca_certs())") == 3


# Changes of what the system trusts.


def file_replaced(machine: Machine) -> None:
    new = machine.file.with_suffix(".new")
    new.write_bytes(machine.cas.pem("system", "extra"))
    os.replace(str(new), str(machine.file))


def file_behind_the_link_replaced(machine: Machine) -> None:
    new = machine.roots / "new"
    new.write_bytes(machine.cas.pem("system", "extra"))
    os.replace(str(new), str(machine.roots / "system.pem"))


def file_appended_to(machine: Machine) -> None:
    with open(str(machine.file), "ab") as file:
        file.write(machine.cas.pem("extra"))


def file_removed(machine: Machine) -> None:
    os.unlink(str(machine.file))


def link_added(machine: Machine) -> None:
    machine.hashed("extra").symlink_to(machine.roots / "extra.pem")


def link_removed(machine: Machine) -> None:
    os.unlink(str(machine.hashed("both")))


def target_of_link_replaced(machine: Machine) -> None:
    os.replace(str(machine.roots / "stranger.pem"), str(machine.roots / "both.pem"))


def target_of_link_removed(machine: Machine) -> None:
    os.unlink(str(machine.roots / "both.pem"))


def bundle_replaced(machine: Machine) -> None:
    os.replace(str(machine.roots / "extra.pem"), str(machine.roots / "bundled.pem"))


UPDATES = [
    (file_replaced, {*DEFAULT, "extra"}),
    (file_behind_the_link_replaced, {*DEFAULT, "extra"}),
    (file_appended_to, {*DEFAULT, "extra"}),
    (file_removed, {"both", "bundled"}),
    (link_added, {*DEFAULT, "extra"}),
    (link_removed, {"system", "bundled"}),
    (bundle_replaced, {"system", "both", "extra"}),
]
FAR_UPDATES = [
    (target_of_link_replaced, {"system", "bundled"}),
    (target_of_link_removed, {"system", "bundled"}),
]


@pytest.mark.parametrize(("update", "expected"), UPDATES)
def test_the_next_context_of_a_running_program_sees_an_update(machine, update, expected) -> None:
    with machine.start() as program:
        assert set(program(NEW)) == DEFAULT
        update(machine)
        assert set(program(NEW)) == expected


@pytest.mark.parametrize(("update", "expected"), FAR_UPDATES)
def test_what_happens_where_links_lead_is_seen_a_moment_later(machine, update, expected) -> None:
    with machine.start() as program:
        assert set(program(NEW)) == DEFAULT
        update(machine)
        time.sleep(_store.LINKED_LOOK_EVERY)
        assert set(program(NEW)) == expected


@pytest.mark.parametrize(("update", "expected"), UPDATES + FAR_UPDATES)
def test_the_next_process_sees_an_update(machine, update, expected) -> None:
    assert machine.trusted() == DEFAULT
    update(machine)
    assert machine.trusted() == expected


LOOK_AT_ALL = "vars(_store).update(LINKED_LOOK_EVERY=0, DEEP_LOOK_EVERY=0)"


def test_a_hashed_file_overwritten_in_place_is_seen_after_a_while(machine) -> None:
    with machine.start() as program:
        assert set(program(NEW)) == DEFAULT
        machine.hashed("both").write_bytes(machine.cas.pem("stranger") + b"\n")
        program(LOOK_AT_ALL)
        assert set(program(NEW)) == DEFAULT - {"both"}


def test_a_process_after_a_while_sees_a_hashed_file_overwritten_in_place(machine) -> None:
    assert machine.trusted() == DEFAULT
    machine.hashed("both").write_bytes(machine.cas.pem("stranger") + b"\n")
    an_hour_ago = machine.index.stat().st_mtime - 3600
    os.utime(str(machine.index), (an_hour_ago, an_hour_ago))
    assert machine.trusted() == DEFAULT - {"both"}


def test_a_file_of_the_store_overwritten_in_place_is_mended_after_a_while(machine) -> None:
    with machine.start() as program:
        assert set(program(NEW)) == DEFAULT
        file = machine.hashed("system", machine.store)
        before = file.read_bytes()
        file.write_bytes(before[:100])
        program(LOOK_AT_ALL)
        assert set(program(NEW)) == DEFAULT
        assert file.read_bytes() == before


# A store that goes.


def the_store(machine: Machine) -> None:
    shutil.rmtree(str(machine.store))


def the_cache_folder(machine: Machine) -> None:
    shutil.rmtree(str(machine.cache))


def one_file(machine: Machine) -> None:
    os.unlink(str(machine.hashed("system", machine.store)))


@pytest.mark.parametrize("delete", [the_store, the_cache_folder, one_file])
def test_the_next_context_heals_what_was_deleted(machine, delete) -> None:
    with machine.start() as program:
        program("make()")
        delete(machine)
        assert set(program(NEW)) == DEFAULT
        assert set(program("trusted(contexts[0])")) == DEFAULT


@pytest.mark.parametrize("delete", [the_store, the_cache_folder, one_file])
def test_asking_for_roots_heals_what_was_deleted(machine, delete) -> None:
    with machine.start() as program:
        expected = program(FRESH)
        program("make()")
        delete(machine)
        assert program("described(contexts[0])") == expected


@pytest.mark.parametrize("delete", [the_store, the_cache_folder, one_file])
def test_the_next_process_heals_what_was_deleted(machine, delete) -> None:
    assert machine.trusted() == DEFAULT
    delete(machine)
    assert machine.trusted() == DEFAULT
    assert machine.hashed("system", machine.store).is_file()


# Who shares a store.

COUNTED = """
import os, ssl, threading
from certhook import _trust
log = os.open(os.environ["LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
read = _trust._read
def counted(*args, **kwargs):
    os.write(log, b"read\\n")
    return read(*args, **kwargs)
_trust._read = counted
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


@pytest.mark.parametrize("share", [FORK, THREAD], ids=["a forked child", "a thread"])
def test_the_sources_are_read_once(machine, tmp_path, share) -> None:
    log = tmp_path / "log"
    support.run(machine.python, COUNTED + share, env={**machine.env, "LOG": str(log)})
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
failure = interpreters.run_string(interpreters.create(), code)
assert failure is None, failure
"""


def test_a_sub_interpreter_reads_no_source(machine, tmp_path) -> None:
    log = tmp_path / "log"
    support.run(machine.python, SUB_INTERPRETER, env={**machine.env, "LOG": str(log)})
    assert log.read_text().split() == ["0", "False"]


def test_the_next_process_builds_nothing(machine) -> None:
    machine.trusted()
    before = machine.store.stat()
    assert machine.trusted() == DEFAULT
    after = machine.store.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


WARM = """
import json, os, ssl, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
before = set(sys.modules)
ssl.create_default_context()
imported = sorted(set(sys.modules) - before)
files = [path for path in opened if os.path.isfile(path) and not path.endswith((".py", ".pyc"))]
print(json.dumps([imported, files]))
"""
# Each would cost as much as everything else that a warm first context needs, or read a certificate.
FOR_COLD_ONLY = {"certifi", "hashlib", "importlib.resources", "re", "shutil", "tempfile"} | {
    f"certhook.{name}" for name in ("_anchors", "_compiler", "_files", "_report", "_sources", "_x509", "exceptions")
}


def test_a_warm_process_opens_the_index_and_the_manifest_and_no_certificate(machine) -> None:
    # With certifi's own bundle, which has to be found without importing certifi.
    env = {**machine.env, "CERTHOOK_BUNDLE": ""}
    cold, _ = json.loads(support.run(machine.python, WARM, env=env).stdout)
    assert "certhook._sources" in cold
    imported, opened = json.loads(support.run(machine.python, WARM, env=env).stdout)
    opened = [path for path in opened if path != "/proc/self/auxv"]  # is it set-uid?
    assert opened == [str(machine.index), str(machine.store / "manifest")]
    assert "certhook._store" in imported
    assert not FOR_COLD_ONLY & set(imported)


# What was wrong with the sources.


def test_a_warm_process_warns_of_what_a_cold_one_found(machine) -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (machine.roots / "system.pem").write_bytes(broken + machine.cas.pem("system"))
    code = "import ssl, sys; ssl.create_default_context(); print('certhook._sources' in sys.modules)"
    cold, warm = (support.run(machine.python, code, env=machine.env) for _ in range(2))
    assert (cold.stdout, warm.stdout) == ("True\n", "False\n")
    assert f"{machine.file}: the certificate at line 1 was skipped" in cold.stderr
    assert warm.stderr == cold.stderr
    raising = {**machine.env, "CERTHOOK_ON_ERROR": "raise"}
    assert "certhook.SourceError" in support.run(machine.python, code, env=raising, check=False).stderr


def test_what_is_raised_is_the_same_in_a_warm_process(machine) -> None:
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


# What fails in a running program, after a first context.
WARM_FAULTS = {
    "the package is gone": """
import shutil, certhook
folder = os.path.dirname(certhook.__file__)
shutil.rmtree(folder)
""",
    "no file can be opened": """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
""",
}


@pytest.mark.skipif(os.name == "nt", reason="a program's files cannot be deleted there")
@pytest.mark.parametrize("fault", WARM_FAULTS)
def test_a_fault_in_a_running_program_is_not_the_programs(machine, plain, tmp_path, fault) -> None:
    """It gets a context, though its settings have changed, and certhook has to be asked anew."""
    packages = tmp_path / "packages"
    for name in ("certhook", "certifi"):
        shutil.copytree(support.purelib(machine.python) / name, packages / name)
    code = f"""
import certhook.auto, os, ssl
ssl.create_default_context()
{WARM_FAULTS[fault]}
os.environ["CERTHOOK_MODE"] = "fallback"
context = ssl.create_default_context()
print(context.verify_mode == ssl.CERT_REQUIRED)
"""
    done = support.run(plain, code, env={**machine.env, "PYTHONPATH": str(packages)})
    assert done.stdout == "True\n"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("value", ["lazy", " Lazy", ""])
def test_lazy_is_the_default(machine, value) -> None:
    done = support.run(machine.python, WARM, env={**machine.env, "CERTHOOK_LOAD": value})
    assert done.stderr == ""
    assert machine.store.is_dir()


@pytest.mark.parametrize("variables", [{"CERTHOOK_LOAD": "EAGER "}, {"CERTHOOK_CACHE_DIR": "None"}])
def test_without_a_store_contexts_are_loaded_and_nothing_is_written(machine, variables) -> None:
    assert machine.ask("loaded(ssl.create_default_context())", **variables) == 3
    assert not machine.cache.exists()


def test_a_value_nobody_understands_is_named_and_the_default_holds(machine) -> None:
    done = support.run(machine.python, WARM, env={**machine.env, "CERTHOOK_LOAD": "quick"})
    assert "CERTHOOK_LOAD: 'quick' is not allowed; lazy or eager is. Instead, this holds: lazy" in done.stderr
    assert machine.store.is_dir()


# A daemon that gives up root's rights after it made a context.

DAEMON = """
def daemon():
    trusted(ssl.create_default_context())  # A handshake imports codecs, which nobody may read.
    make()
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    return trusted(contexts[0])
print(*daemon())
"""


def daemon(machine: Machine, variables: dict[str, str]) -> set[str]:
    """Whom a daemon trusts, on a machine whose /var/cache is empty."""
    env = {name: value for name, value in machine.env.items() if name != "CERTHOOK_CACHE_DIR"}
    setup = 'mount -t tmpfs -o mode=755 tmpfs /var/cache; exec "$@"'
    command = ["unshare", "-m", "--propagation", "private", "sh", "-ec", setup, "sh", str(machine.python), "-c"]
    code = PROGRAM + DAEMON
    done = subprocess.run(
        [*command, code], env={**env, **variables}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60
    )
    assert done.returncode == 0
    return set(done.stdout.decode().split())


def test_a_daemon_that_gave_up_roots_rights_reads_roots_store(machine, root) -> None:
    assert daemon(machine, {}) == DEFAULT


def test_a_daemon_reads_the_store_that_root_made_in_a_cache_folder_of_its_choice(machine, root) -> None:
    assert daemon(machine, {"CERTHOOK_CACHE_DIR": "/var/cache/daemon"}) == DEFAULT


def test_a_daemon_that_may_not_go_where_the_store_is_needs_loaded_contexts(machine, root) -> None:
    machine.roots.chmod(0o700)
    private = {"CERTHOOK_CACHE_DIR": str(machine.roots / "cache")}
    assert daemon(machine, private) == set()
    assert daemon(machine, {**private, "CERTHOOK_LOAD": "eager"}) == DEFAULT
