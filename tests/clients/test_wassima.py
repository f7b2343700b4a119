"""The hook for wassima, from which niquests gets its roots: real requests to servers of different CAs.

The CA "extra" is only in wassima's own copy of Mozilla's roots; the others are in the locations of test_clients.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import support
from client_table import Client
from layouts import BLOCKLIST, DEBIAN_OPENSSL, FEDORA_43
from linux_machine import Pem
from test_clients import LAYOUTS

ALL = "system bundled extra stranger"
CLIENTS = {
    "niquests": Client(
        """
import niquests
def fetch(port, **options):
    return niquests.get(f"https://localhost:{port}/hello", timeout=60, **options).text
"""
    ),
    "niquests.AsyncSession": Client(
        """
import niquests
async def fetch(port, **options):
    async with niquests.AsyncSession() as session:
        return (await session.get(f"https://localhost:{port}/hello", timeout=60, **options)).text
"""
    ),
    "wassima": Client(
        """
import urllib.request, wassima
def fetch(port):
    context = wassima.create_default_ssl_context()
    with urllib.request.urlopen(f"https://localhost:{port}/hello", timeout=60, context=context) as reply:
        return reply.read()
"""
    ),
}
#: A certificate of the administrator in a directory that wassima searches and OpenSSL does not.
STRAY = {"/etc/ssl/private.d/stranger.crt": Pem("stranger")}


@pytest.fixture(scope="session")
def own_bundle(environments) -> Path:
    """wassima's own copy of Mozilla's roots, a Python module."""
    return support.purelib(environments["niquests"]) / "wassima" / "_os" / "_embed.py"


@pytest.fixture
def trusted(trusted_servers, own_bundle, cas):
    """Connect a client to the servers of all CAs for each of *cases*, and return the names of those it trusts."""

    def trusted(name: str = "niquests", *cases: tuple[str, str], **options) -> list[set[str]]:
        certificate = cas.pem("extra")
        marker = b"-----BEGIN CERTIFICATE-----"
        over = {str(own_bundle): own_bundle.read_bytes().replace(marker, certificate + marker, 1)}
        resolved = [(arguments, file, ALL) for arguments, file in cases or [("", "")]]
        return trusted_servers(CLIENTS[name], *resolved, environment="niquests", over=over, **options)

    return trusted


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_trusts_its_own_certificates_and_default_trust(trusted, name, layout) -> None:
    """wassima uses its own bundle only if the system has no store."""
    tree, expected = LAYOUTS[layout]
    assert trusted(name, tree=tree) == [expected | (set() if tree else {"extra"})]


@pytest.mark.parametrize("name", CLIENTS)
def test_without_certhook_a_client_trusts_the_system_or_its_own_bundle(trusted, name) -> None:
    for layout, (tree, _) in LAYOUTS.items():
        expected = {"system"} if tree else {"extra"}
        assert trusted(name, tree=tree, CERTHOOK_DISABLED="1") == [expected], layout


@pytest.mark.parametrize("variables", [{"CERTHOOK_LOAD": "eager"}, {"CERTHOOK_STORE_DIR": "none"}], ids=str)
def test_no_store_is_needed(trusted, variables) -> None:
    assert trusted(**variables) == [{"system", "bundled"}]


def test_certhook_clients_excludes_the_hook(trusted) -> None:
    assert trusted(CERTHOOK_CLIENTS="none") == [{"system"}]


@pytest.mark.parametrize("disabled", ["1", ""])
def test_the_roots_of_the_caller_are_preserved(trusted, disabled) -> None:
    tree = {**DEBIAN_OPENSSL, "/etc/company.pem": Pem("stranger")}
    cases = [
        ("verify=FILE", "/etc/company.pem"),
        ("verify=open(FILE).read()", "/etc/company.pem"),
        ("verify=False", ""),
    ]
    assert trusted("niquests", *cases, tree=tree, CERTHOOK_DISABLED=disabled) == [
        {"stranger"},
        {"stranger"},
        set(ALL.split()),
    ]


def test_certificates_that_only_the_library_finds_remain_trusted(trusted) -> None:
    tree = {**DEBIAN_OPENSSL, **STRAY}
    assert trusted(tree=tree, CERTHOOK_DISABLED="1") == [{"system", "stranger"}]
    assert trusted(tree=tree) == [{"system", "bundled", "stranger"}]


def test_ssl_cert_file_adds_roots(trusted) -> None:
    """wassima ignores the variable, so the certificates that it collects remain."""
    variables = {"SSL_CERT_FILE": "/etc/company.pem"}
    tree = {**DEBIAN_OPENSSL, "/etc/company.pem": Pem("stranger")}
    assert trusted(tree=tree, CERTHOOK_DISABLED="1", **variables) == [{"system"}]
    assert trusted(tree=tree, **variables) == [{"system", "stranger"}]
    tree = {"/etc/company.pem": Pem("stranger")}
    assert trusted(tree=tree, CERTHOOK_DISABLED="1", **variables) == [{"extra"}]
    assert trusted(tree=tree, **variables) == [{"extra", "stranger"}]


@pytest.mark.parametrize(
    ("sources", "tree", "expected"),
    [
        ("system", DEBIAN_OPENSSL, {"system"}),
        ("bundled", DEBIAN_OPENSSL, {"bundled"}),
        ("system,bundled", {}, {"bundled", "extra"}),
        ("bundled", {}, {"bundled", "extra"}),
    ],
)
def test_certhook_sources_excludes_certificates_of_the_library(trusted, sources, tree, expected) -> None:
    assert trusted(tree=tree, CERTHOOK_SOURCES=sources) == [expected]


def test_certhook_bundle_replaces_the_bundle_of_the_library(trusted) -> None:
    tree = {"/etc/company.pem": Pem("stranger")}
    assert trusted(tree=tree, CERTHOOK_BUNDLE="/etc/company.pem") == [{"stranger"}]


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(
    ("tree", "remaining"),
    [
        ({**DEBIAN_OPENSSL, **STRAY, f"{BLOCKLIST}/a.pem": Pem("stranger bundled")}, {"system"}),
        ({**FEDORA_43, f"{BLOCKLIST}/a.pem": Pem("system")}, {"bundled"}),
        ({f"{BLOCKLIST}/a.pem": Pem("extra")}, {"bundled"}),
    ],
    ids=["a certificate that only the library finds", "the system's store", "the library's own bundle"],
)
def test_distrusted_certificates_are_removed(trusted, name, tree, remaining) -> None:
    assert trusted(name, tree=tree) == [remaining]


#: Definitions for programs that change default trust.
CHANGES = """
import os, sys, threading, time
import wassima
with open(os.environ["SYSTEM"]) as file:
    system = file.read()
def ders():
    return wassima.root_der_certificates()
def has_system():
    import ssl
    der = ssl.PEM_cert_to_DER_cert(system)
    answers = {
        der in wassima.root_der_certificates(),
        ssl.DER_cert_to_PEM_cert(der) in wassima.root_pem_certificates(),
        ssl.DER_cert_to_PEM_cert(der) in wassima.generate_ca_bundle(),
        der in wassima.create_default_ssl_context().get_ca_certs(binary_form=True),
    }
    (answer,) = answers
    return answer
"""


@pytest.fixture
def run(environments, cas, tmp_path):
    """Run code after :data:`CHANGES`. CERTHOOK_EXTRA_CA_CERTS names a file with the CA "system"."""
    (tmp_path / "system.pem").write_bytes(cas.pem("system"))
    (tmp_path / "stranger.pem").write_bytes(cas.pem("stranger"))

    def run(code: str, **variables: str) -> None:
        path = str(tmp_path / "system.pem")
        stranger = str(tmp_path / "stranger.pem")
        defaults = {"SYSTEM": path, "CERTHOOK_EXTRA_CA_CERTS": path, "STRANGER": stranger}
        env = support.clean_env(**{**defaults, **variables})
        done = support.run(environments["niquests"], CHANGES + code, env=env)
        assert not done.stderr, done.stderr

    return run


def test_the_answer_follows_a_change(run) -> None:
    run("""
assert has_system()
with open(os.environ["STRANGER"]) as stranger, open(os.environ["CERTHOOK_EXTRA_CA_CERTS"], "w") as file:
    file.write(stranger.read())
time.sleep(0.2)
assert not has_system()
del os.environ["CERTHOOK_EXTRA_CA_CERTS"]
assert not has_system()
""")


def test_the_library_collects_certificates_again_after_a_change(run) -> None:
    """Otherwise it keeps those that an administrator removed for hours."""
    run("""
import ssl
with open(os.environ["STRANGER"]) as file:
    der = ssl.PEM_cert_to_DER_cert(file.read())
wassima._root_der_certificates = lambda: [der]
wassima.root_der_certificates.cache_clear()
assert der in ders()
wassima._root_der_certificates = lambda: []
assert der in ders()
del os.environ["CERTHOOK_EXTRA_CA_CERTS"]
assert der not in ders()
""")


def test_the_answer_remains_the_same_object(run) -> None:
    run("""
first, texts = wassima.root_der_certificates(), wassima.root_pem_certificates()
assert wassima.root_der_certificates() is first and wassima.root_pem_certificates() is texts
assert len(first) == len(set(first)) == len(texts)
""")


def test_certificates_of_the_caller_are_added_once(run) -> None:
    run("""
before = len(ders())
wassima.register_ca(system)
assert has_system() and len(ders()) == before
with open(os.environ["STRANGER"]) as file:
    wassima.register_ca(file.read())
assert len(ders()) == before + 1 == len(wassima.root_pem_certificates())
if hasattr(wassima, "set_cache_ttl"):
    wassima.set_cache_ttl(0)
    assert len(ders()) == before + 1
""")


def test_importing_the_library_does_not_determine_trust(run) -> None:
    run("""
assert not {"certhook._trust", "certhook._clients.certificates"} & set(sys.modules)
assert has_system() and "certhook._trust" in sys.modules
""")


def test_a_library_that_is_already_imported_gets_default_trust(run) -> None:
    run(
        """
assert not has_system()
del os.environ["CERTHOOK_DISABLED"]
import certhook
certhook.install()
assert has_system()
""",
        CERTHOOK_DISABLED="1",
    )


def test_uninstall_restores_the_library(run) -> None:
    run("""
import certhook
assert has_system()
held = wassima.root_der_certificates, wassima.root_pem_certificates
certhook.uninstall()
assert not has_system() and not hasattr(wassima.root_der_certificates, "__certhook__")
assert [len(function()) for function in held] == [len(ders())] * 2
certhook.install()
assert has_system()
""")


def test_a_second_copy_and_a_reload_wrap_nothing_twice(run) -> None:
    run("""
import importlib
importlib.reload(wassima)
assert has_system()
copies = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "certhook"}
import certhook
certhook.install()
assert certhook is not copies["certhook"] and has_system()
assert not hasattr(wassima.root_der_certificates.__certhook__, "__certhook__")
""")


def test_threads_get_the_same_answer(run) -> None:
    run("""
results = []
threads = [threading.Thread(target=lambda: results.append((has_system(), len(ders())))) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert results == [(True, len(ders()))] * 8
""")


@pytest.mark.parametrize(
    "change",
    [
        "del wassima.root_pem_certificates",
        "wassima.root_der_certificates = None",
    ],
)
def test_a_library_with_other_internals_remains_unchanged(run, change) -> None:
    code = f"""
{change}
state = dict(vars(wassima))
del os.environ["CERTHOOK_DISABLED"]
import certhook
certhook.install()
from certhook._state import process
assert "wassima" in process.clients["wassima"], process.clients
assert vars(wassima) == state
"""
    run(code, CERTHOOK_DISABLED="1")


@pytest.mark.parametrize(("sources", "remains"), [("", True), ("extra", False)])
def test_an_internal_error_leaves_the_certificates_of_the_library(run, sources, remains) -> None:
    code = f"""
import warnings
from certhook import _trust
def fail(*arguments):
    raise OSError("no file descriptor is left")
_trust.current = fail
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert ders() == (wassima.root_der_certificates.__certhook__() if {remains} else [])
assert "no file descriptor is left" in str(caught[0].message), caught
"""
    run(code, CERTHOOK_SOURCES=sources)
