"""An unrelated error in OpenSSL's queue is not a rejection of a certificate, as Python before 3.12 reads it."""

from __future__ import annotations

import _ssl
import ssl
from pathlib import Path

import der
import pytest
import support
from oracle import PYTHONS, pem
from pki import issue
from root_files import REJECTED_BY_OPENSSL, ROOTS

from certhook import _loading
from certhook._certificates import openssl as openssl_files

#: Lines that OpenSSL 3 rejects: when it creates a context, and when it reads the file.
CONFIGURATIONS = {
    "unknown group": "ssl_conf = ssl\n[ssl]\nsystem_default = defaults\n[defaults]\nGroups = x25519:unknown\n",
    "unknown option": "alg_section = algorithms\n[algorithms]\nunknown = 1\n",
}

#: A program that prints the number of roots in a default context. The second context finds an index.
COUNT = """
import sys
if sys.argv[1:]:
    sys.path.insert(0, sys.argv[1])
    import certhook.auto
import ssl
print([len(ssl.create_default_context().get_ca_certs()) for _ in range(2)])
"""

#: Prints whether stock Python can create a context.
CREATE = """
import ssl
try:
    ssl.create_default_context()
    print("created")
except ssl.SSLError:
    print("refused")
"""

EXPORT = """
import sys
sys.path.insert(0, sys.argv[1])
import certhook.cli
certhook.cli.main(["export", "-"])
"""


class Machine:
    """A file with three roots, two of which have equal names, and a configuration of OpenSSL."""

    def __init__(self, directory: Path, configuration: str) -> None:
        self._directory = directory
        roots = [issue("CA", ca=True), issue("CA", ca=True), issue("another", ca=True)]
        (directory / "roots.pem").write_bytes(pem(*roots))
        (directory / "hashed").mkdir()
        (directory / "hashed" / support.hashed_name(roots[2].der)).write_bytes(roots[2].pem)
        text = f"config_diagnostics = 1\nopenssl_conf = first\n[first]\n{configuration}"
        (directory / "openssl.cnf").write_text(text)

    def run(self, python: str, code: str, *arguments: object, is_affected: bool = True, **variables: str) -> str:
        """Return the output of *code*.

        :param is_affected: whether the configuration applies
        """
        env = support.clean_env(
            SSL_CERT_FILE=str(self._directory / "roots.pem"),
            SSL_CERT_DIR=str(self._directory / "hashed"),
            CERTHOOK_SOURCES="system",
            CERTHOOK_STORE_DIR=str(self._directory / f"cache-{python}"),
            **variables,
        )
        if is_affected:
            env["OPENSSL_CONF"] = str(self._directory / "openssl.cnf")
        done = support.run_command(PYTHONS[python], "-W", "error", "-I", "-c", code, *arguments, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(params=CONFIGURATIONS)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    return Machine(tmp_path, CONFIGURATIONS[request.param])


@pytest.mark.parametrize("python", PYTHONS)
def test_every_root_is_trusted_and_exported_and_also_in_later_unaffected_processes(machine, python) -> None:
    if machine.run(python, CREATE, CERTHOOK_DISABLED="1") == "refused":
        pytest.skip("stock Python creates no context with this configuration, as with OpenSSL 3.6")
    assert machine.run(python, COUNT, CERTHOOK_DISABLED="1") == "[3, 3]"
    assert machine.run(python, COUNT, support.ROOT, CERTHOOK_LOAD="eager") == "[3, 3]"
    assert machine.run(python, COUNT, support.ROOT) == "[3, 3]"
    assert machine.run(python, EXPORT, support.ROOT).count("BEGIN CERTIFICATE") == 3
    assert machine.run(python, COUNT, support.ROOT, is_affected=False) == "[3, 3]"


# OpenSSL releases in which every call with DER fails (cpython#151504).


@pytest.fixture
def without_der(monkeypatch: pytest.MonkeyPatch) -> None:
    """An OpenSSL that reports an error after it has loaded certificates as DER."""

    def load(context: ssl.SSLContext, **arguments: object) -> None:
        _ssl._SSLContext.load_verify_locations(context, **arguments)
        if isinstance(arguments.get("cadata"), bytes):
            raise ssl.SSLError("[ASN1: NOT_ENOUGH_DATA] not enough data")

    monkeypatch.setattr(openssl_files, "_load", load)
    monkeypatch.setattr(_loading, "_load", load)


def test_a_certificate_that_openssl_loads_as_pem_is_not_rejected(without_der) -> None:
    roots = (ROOTS["a"], ROOTS["b"])
    problems: list[Exception] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert _loading.load_anchors(context, roots, problems) == roots
    assert (problems, context.cert_store_stats()["x509"]) == ([], 2)
    assert openssl_files.load_one_by_one(openssl_files.new_context(), roots, problems) == roots
    assert problems == []


def test_a_certificate_that_openssl_rejects_twice_is_reported() -> None:
    problems: list[Exception] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anchors = (ROOTS["a"], REJECTED_BY_OPENSSL, ROOTS["b"])
    assert _loading.load_anchors(context, anchors, problems) == (ROOTS["a"], ROOTS["b"])
    assert [str(problem).count("OpenSSL rejects it") for problem in problems] == [1]


def test_a_file_of_a_store_that_fails_once_is_loaded(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "12345678.0").write_bytes(der.pem(ROOTS["a"]))
    attempts: list[object] = []

    def load(context: ssl.SSLContext, **arguments: object) -> None:
        attempts.append(arguments)
        if len(attempts) == 1:
            raise ssl.SSLError("an unrelated error")
        _ssl._SSLContext.load_verify_locations(context, **arguments)

    monkeypatch.setattr(openssl_files, "_load", load)
    monkeypatch.setattr(_loading, "_load", load)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ROOTS["b"])
    _loading.load_store(context, str(tmp_path), str(tmp_path))
    assert context.cert_store_stats()["x509"] == 2
