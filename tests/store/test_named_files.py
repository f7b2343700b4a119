"""A file of many roots that a caller names is read from a compiled store, with the results of stock Python.

The oracle is stock Python with the same files. The generated PKIs of tests/differential compare verify codes.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path
from typing import Iterator

import der
import pki
import pytest
import support
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from pki import NOW
from store_machine import Machine, Program

FILLERS = b"".join(der.pem(der.root(f"filler {number}", number + 1)) for number in range(40))
BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

#: An expression that creates a context with the named file, and one with its state.
NEW = "ssl.create_default_context(cafile=os.environ['NAMED'])"
STATE = "[[each.hex() for each in c.get_ca_certs(True)], c.cert_store_stats(), trusted(c)]"
#: The store that OpenSSL reads, and the number of certificates that it has loaded.
LAZY = "[getattr(vars(c).get('_certhook'), 'store', None) is not None, loaded(c)]"


def named_stores(machine: Machine) -> list[Path]:
    return sorted(machine.cache.glob("file-*"))


class Pair:
    """Stock Python and certhook on a machine with the file *named*.

    :ivar hooked: a program with certhook, which has built the store
    """

    def __init__(self, machine: Machine, plain: Path) -> None:
        self.machine = machine
        self.named = machine.roots / "named.pem"
        self.named.write_bytes(machine.cas.pem("system") + FILLERS + machine.cas.pem("both"))
        variables = {"NAMED": str(self.named), "CERTHOOK_SOURCES": "system", "ROOTS": str(machine.roots)}
        machine.env.update(variables)
        machine.env.pop("CERTHOOK_BUNDLE")
        self.stock, self.hooked = Program(plain, machine.env), machine.start()

    def compile(self) -> None:
        """Let certhook build the store of the file."""
        self.hooked(f"[{NEW}, 1][1]")
        assert len(named_stores(self.machine)) == 1

    def equal(self, expression: str) -> object:
        """Assert that both return the same value, and return it."""
        expected = self.stock(expression)
        assert self.hooked(expression) == expected
        return expected

    def close(self) -> None:
        for program in (self.stock, self.hooked):
            program.__exit__()


@pytest.fixture
def pair(machine: Machine, plain: Path) -> Iterator[Pair]:
    pair = Pair(machine, plain)
    yield pair
    pair.close()


# Results.

AFTERWARDS = {
    "nothing": "None",
    "a query": "c.get_ca_certs()",
    "a handshake": "trusted(c)",
    "a handshake, then a query": "[trusted(c), c.get_ca_certs()]",
    "another file": "c.load_verify_locations(os.environ['ROOTS'] + '/extra.pem')",
    "a directory": "c.load_verify_locations(capath=os.environ['SSL_CERT_DIR'])",
    "a text": "c.load_verify_locations(cadata=__import__('pathlib').Path(os.environ['ROOTS'], 'extra.pem')"
    ".read_bytes().decode())",
    "the same file": "c.load_verify_locations(os.environ['NAMED'])",
    "default trust": "c.load_default_certs()",
    "a handshake, then another file": "[trusted(c), c.load_verify_locations(os.environ['ROOTS'] + '/extra.pem')]",
    "partial chains": "setattr(c, 'verify_flags', c.verify_flags | 0x80000)",
    "CRL checks": "setattr(c, 'verify_flags', c.verify_flags | ssl.VERIFY_CRL_CHECK_LEAF)",
}


@pytest.mark.parametrize("afterwards", AFTERWARDS)
def test_roots_and_results_are_those_of_stock_python(pair, afterwards) -> None:
    pair.compile()
    assert pair.hooked(f"[c := {NEW}, {LAZY}][1]") == [True, 0]
    if afterwards == "default trust":
        # The trust set has another order than the files of stock Python.
        expression = f"[c := {NEW}, c.load_default_certs(), trusted(c), sorted(map(repr, c.get_ca_certs()))][2:]"
        assert pair.equal(expression)[0] == ["system", "both"]
        return
    _, counts, trusted = pair.equal(f"[c := {NEW}, {AFTERWARDS[afterwards]}, {STATE}][2]")
    extra = ["extra"] if "file" in afterwards and "same" not in afterwards or afterwards == "a text" else []
    assert trusted == ([] if afterwards == "CRL checks" else ["system", "both", *extra])
    assert counts["x509"] == 42 + len(extra)


@pytest.mark.parametrize(
    "before",
    [
        "c.load_verify_locations(os.environ['ROOTS'] + '/extra.pem')",
        "c.load_verify_locations(capath=os.environ['SSL_CERT_DIR'])",
        "c.load_default_certs()",
        "c.load_verify_locations(os.environ['NAMED'])",
        "c.load_verify_locations(os.environ['ROOTS'] + '/old.pem')",
    ],
)
def test_a_context_with_other_content_loads_the_file(pair, before) -> None:
    """A loaded root, even an expired one, would hide a root of the same name in a directory."""
    pair.compile()
    (pair.machine.roots / "old.pem").write_bytes(der.pem(pki.expired_namesake(pair.machine.cas.system, 2)))
    new = "c := ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)"
    expression = (
        f"[{new}, {before}, c.load_verify_locations(os.environ['NAMED']), trusted(c), c.cert_store_stats()][3:]"
    )
    assert {"system", "both"} <= {*pair.equal(expression)[0]}


def test_servers_verify_their_clients_with_the_store(pair) -> None:
    pair.compile()
    new = "c := ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=os.environ['NAMED'])"
    assert pair.hooked(f"[{new}, {LAZY}][1]") == [True, 0]
    assert pair.equal(f"[{new}, [each.hex() for each in c.get_ca_certs(True)]][1]")


@pytest.mark.parametrize(
    "path",
    [
        "os.fsencode(os.environ['NAMED'])",
        "__import__('pathlib').Path(os.environ['NAMED'])",
        "os.path.relpath(os.environ['NAMED'])",
        "[os.chdir(os.environ['ROOTS']), 'named.pem'][1]",
    ],
    ids=["bytes", "PathLike", "relative", "relative, in another directory"],
)
def test_a_path_may_have_any_form(pair, path) -> None:
    pair.compile()
    expression = f"[c := ssl.create_default_context(cafile={path}), {{}}][1]"
    assert pair.hooked(expression.format(LAZY)) == [True, 0]
    pair.equal(expression.format(STATE))


def test_a_relative_path_names_the_file_in_the_current_directory(pair) -> None:
    pair.compile()
    other = pair.machine.roots / "other"
    other.mkdir()
    (other / "named.pem").write_bytes(FILLERS + pair.machine.cas.pem("extra"))
    for _ in range(2):
        for directory, expected in ((pair.machine.roots, ["system", "both"]), (other, ["extra"])):
            expression = f"[os.chdir({str(directory)!r}), trusted(ssl.create_default_context(cafile='named.pem'))][1]"
            assert pair.equal(expression) == expected


# Files that OpenSSL loads itself.


def crl(machine: Machine) -> bytes:
    """Return a CRL of the authority *system* that revokes nothing."""
    authority = machine.cas.system
    key = load_pem_private_key(authority.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes()).subject
    builder = x509.CertificateRevocationListBuilder(issuer, NOW, NOW.replace(year=NOW.year + 1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


CONTENTS = {
    "few roots": lambda data, machine: machine.cas.pem("system", "both") + b"# a comment\n" * 1000,
    "a CRL": lambda data, machine: data + crl(machine),
    "a key": lambda data, machine: data + machine.cas.extra.private_key_pem.bytes(),
    "a broken block first": lambda data, machine: BROKEN + data,
    "a broken block last": lambda data, machine: data + BROKEN,
    "no END line": lambda data, machine: data.rstrip()[:-30],
    "UTF-16": lambda data, machine: data.decode().encode("utf-16"),
    "DER": lambda data, machine: machine.cas.der("system") * 20,
    "no certificate": lambda data, machine: b"# a comment\n" * 1000,
    "parameters": lambda data, machine: (
        b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + data
    ),
}
COMPILED = {
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "comments": lambda data: (
        b"# a comment\n" + data.replace(b"-----END CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n\xe4\n")
    ),
    "duplicates": lambda data: data + data,
    "old labels": lambda data: data.replace(b"CERTIFICATE--", b"X509 CERTIFICATE--"),
    "no final newline": lambda data: data.rstrip(),
    "a byte-order mark": lambda data: b"\xef\xbb\xbf" + data,
}


ATTEMPT = f"""
def attempt(path):
    try:
        c = ssl.create_default_context(cafile=path)
    except (OSError, ValueError, TypeError) as error:
        return [type(error).__name__, getattr(error, "errno", 0), getattr(error, "reason", 0)]
    return {STATE}
"""


def attempts(pair: Pair, path: str = "os.environ['NAMED']") -> object:
    """Assert that stock Python and certhook have the same result twice, a state or an error, and return it."""
    for program in (pair.stock, pair.hooked):
        program(f"exec({ATTEMPT!r}, globals())")
    results = [pair.equal(f"attempt({path})") for _ in range(2)]
    assert results[0] == results[1]
    return results[0]


@pytest.mark.parametrize("content", CONTENTS)
def test_a_file_with_few_roots_or_other_content_is_loaded_by_openssl(pair, content) -> None:
    pair.named.write_bytes(CONTENTS[content](pair.named.read_bytes(), pair.machine))
    attempts(pair)
    assert named_stores(pair.machine) == []


@pytest.mark.parametrize("content", COMPILED)
def test_the_form_of_a_file_does_not_matter(pair, content) -> None:
    pair.named.write_bytes(COMPILED[content](pair.named.read_bytes()))
    state = attempts(pair)
    assert len(named_stores(pair.machine)) == (0 if isinstance(state[0], str) else 1)


@pytest.mark.parametrize("path", ["'/nowhere/roots.pem'", "os.environ['ROOTS']", "'a\\0b'", "5", "os.devnull"])
def test_an_invalid_path_has_the_error_of_stock_python(pair, path) -> None:
    attempts(pair, path)


# Changes.


def test_a_deleted_file_has_the_error_of_stock_python_and_contexts_keep_its_roots(pair) -> None:
    pair.compile()
    for program in (pair.stock, pair.hooked):
        program(f"[contexts.append({NEW}), 1][1]")
    pair.named.unlink()
    assert attempts(pair) == ["FileNotFoundError", errno.ENOENT, 0]
    assert pair.equal("[c := contexts[0], trusted(c), c.cert_store_stats()][1:]")[0] == ["system", "both"]


def test_a_context_has_the_roots_that_the_file_contains_when_it_is_named(pair) -> None:
    """Also if it is replaced by a file of equal size, without any delay."""
    content = pair.named.read_bytes()
    first, other = pair.machine.cas.pem("system"), pair.machine.cas.pem("extra")
    size = max(len(first), len(other))
    first, other = (pem + b"\n" * (size - len(pem)) for pem in (first, other))
    for number in range(6):
        pem, expected = ((first, ["system"]), (other, ["extra"]))[number % 2]
        pair.named.write_bytes(FILLERS + pem)
        assert pair.equal(f"trusted({NEW})") == expected
    pair.named.write_bytes(content)
    assert pair.equal(f"trusted({NEW})") == ["system", "both"]


def test_a_file_that_the_process_may_no_longer_read_has_the_error_of_stock_python(pair, root) -> None:
    pair.compile()
    pair.equal(f"trusted({NEW})")
    pair.named.chmod(0o600)
    for program in (pair.stock, pair.hooked):
        program("os.seteuid(65534)")
    assert attempts(pair)[:2] == ["PermissionError", errno.EACCES]


DAMAGE = {
    "store deleted": shutil.rmtree,
    "root deleted": lambda store: (store / "cert.pem").unlink(),
    "writable by others": lambda store: store.chmod(0o777),
    "file of equal size": lambda store: [path.write_bytes(b"\0" * path.stat().st_size) for path in store.glob("*.0")],
}


@pytest.mark.skipif(os.name == "nt", reason="modes, and files of a running program")
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_store_is_repaired(pair, damage) -> None:
    pair.compile()
    pair.hooked(f"[contexts.append({NEW}), 1][1]")
    (store,) = named_stores(pair.machine)
    DAMAGE[damage](store)
    if damage != "file of equal size":  # Only a failed verification detects it before the next boot.
        assert pair.hooked(f"trusted({NEW})") == ["system", "both"]
    else:
        assert pair.hooked("trusted(contexts[0])") != ["system", "both"]
    assert pair.hooked("trusted(contexts[0])") == ["system", "both"]
    assert pair.hooked(f"[c := {NEW}, {LAZY}, trusted(c)][1:]") == [[True, 0], ["system", "both"]]


@pytest.mark.skipif(os.name == "nt", reason="files of a running program")
def test_damage_is_repaired_by_the_first_process_after_a_boot_if_the_clock_is_wrong(pair) -> None:
    """Without a battery, the clock of a device starts in the past."""
    pair.compile()
    (store,) = named_stores(pair.machine)
    DAMAGE["file of equal size"](store)
    os.utime(store / "manifest", (time.time() + 9999,) * 2)
    with pair.machine.start() as program:
        assert program(f"trusted({NEW})") == ["system", "both"]


RELATIVE = "[os.chdir(os.environ['ROOTS']), ssl.create_default_context(cafile='named.pem')][1]"


@pytest.mark.skipif(os.name == "nt", reason="files of a running program")
@pytest.mark.parametrize("new", [NEW, RELATIVE], ids=["absolute path", "relative path"])
def test_a_failed_verification_restores_a_deleted_store(pair, new) -> None:
    pair.hooked(f"[{new}, 1][1]")
    pair.hooked(f"[contexts.append({new}), os.chdir('/')][1]")
    shutil.rmtree(named_stores(pair.machine)[0])
    pair.hooked("trusted(contexts[0])")
    assert pair.hooked("trusted(contexts[0])") == ["system", "both"]


# Settings and surroundings.


@pytest.mark.parametrize(
    "variables", [{"CERTHOOK_NAMED_FILES": "0"}, {"CERTHOOK_LOAD": "eager"}, {"CERTHOOK_STORE_DIR": "none"}]
)
def test_settings_disable_the_stores_of_named_files(pair, variables) -> None:
    with pair.machine.start(**variables) as program:
        for _ in range(2):
            assert program(f"[c := {NEW}, loaded(c), trusted(c)][1:]") == [42, ["system", "both"]]
    assert named_stores(pair.machine) == []


def test_nothing_is_reported_if_no_store_can_be_written(pair) -> None:
    shutil.rmtree(pair.machine.cache, ignore_errors=True)
    pair.machine.cache.write_bytes(b"")
    code = f"import os, ssl; {NEW}; print({NEW}.cert_store_stats()['x509'])"
    done = support.run(pair.machine.python, code, "-W", "error", env=pair.machine.env)
    assert (done.stdout, done.stderr) == ("42\n", "")
    done = support.run(pair.machine.python, code, env={**pair.machine.env, "CERTHOOK_DEBUG": "1"})
    assert f"OpenSSL loads {pair.named} into every context: " in done.stderr


def test_programs_that_name_temporary_files_do_not_fill_the_disk(pair) -> None:
    pair.compile()
    for number in range(49):
        (pair.machine.cache / f"file-{number:040x}").mkdir()
    pair.named.write_bytes(FILLERS + pair.machine.cas.pem("system"))
    for _ in range(2):
        assert pair.hooked(f"[c := {NEW}, loaded(c), trusted(c)][1:]") == [41, ["system"]]
    assert len(named_stores(pair.machine)) == 50


def test_contexts_keep_their_roots_after_uninstall(pair) -> None:
    pair.compile()
    pair.hooked(f"[contexts.append({NEW}), __import__('certhook').uninstall(), 1][2]")
    assert pair.hooked(f"[c := contexts[0], {STATE}][1]") == pair.stock(f"[c := {NEW}, {STATE}][1]")


def test_threads_may_name_a_file_at_the_same_time(pair) -> None:
    pool = "__import__('concurrent.futures').futures.ThreadPoolExecutor(8)"
    results = pair.hooked(f"list({pool}.map(lambda _: [c := {NEW}, trusted(c), len(c.get_ca_certs())][1:], range(16)))")
    assert results == [[["system", "both"], 2]] * 16 or all(each[0] == ["system", "both"] for each in results)
    assert len(named_stores(pair.machine)) == 1


def test_another_process_uses_the_store(pair) -> None:
    pair.compile()
    (store,) = named_stores(pair.machine)
    before = store.stat()
    with pair.machine.start() as program:
        assert program(f"[c := {NEW}, {LAZY}, trusted(c)][1:]") == [[True, 0], ["system", "both"]]
    assert store.stat().st_ino == before.st_ino


THREADS = """
import threading
def both_at_once(*files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    barrier = threading.Barrier(len(files))
    def load(file):
        barrier.wait()
        context.load_verify_locations(file)
    threads = [threading.Thread(target=load, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return context.cert_store_stats()["x509"]
sys.setswitchinterval(1e-6)
"""


def test_threads_that_load_different_files_into_one_context_lose_no_root(pair) -> None:
    other = pair.machine.roots / "other.pem"
    other.write_bytes(pair.machine.cas.pem("extra") + b"".join(der.pem(der.root(f"o{n}", n + 1)) for n in range(40)))
    pair.compile()
    pair.hooked(f"[ssl.create_default_context(cafile={str(other)!r}), 1][1]")
    assert len(named_stores(pair.machine)) == 2
    pair.hooked(f"exec({THREADS!r}, globals())")
    files = f"os.environ['NAMED'], {str(other)!r}"
    assert pair.hooked(f"sorted({{both_at_once({files}) for _ in range(60)}})") == [83]


def test_a_deleted_store_is_built_again_although_the_file_has_changed(pair) -> None:
    """As after 'compile --prune': stock Python's contexts keep the roots that they have loaded."""
    pair.compile()
    pair.hooked(f"contexts.append({NEW})")
    assert pair.hooked("loaded(contexts[0])") == 0
    pair.named.write_bytes(pair.machine.cas.pem("extra"))
    shutil.rmtree(pair.machine.cache)
    assert set(pair.hooked("[trusted(contexts[0]), trusted(contexts[0])][1]")) == {"system", "both"}
    assert len(named_stores(pair.machine)) == 1
