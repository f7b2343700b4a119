"""The finder and the activation of client hooks, with a stand-in for httpcore2 whose contexts have no roots.

The environment ``clients`` tests the hooks with the libraries themselves.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import support
from hook_support import disabled_env, run_silently

import certhook
from certhook import _clients
from certhook._config import CLIENTS

LIBRARY = """
import os, ssl
def default_ssl_context(*, _trust_env=True):
    if _trust_env and os.environ.get("SSL_CERT_FILE"):
        return ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""

#: Definitions for the programs of these tests.
DEFINITIONS = """
import os
sys.path.insert(0, os.environ["LIBRARIES"])
def count(**options):
    import httpcore2.connection
    context = httpcore2.connection.default_ssl_context(**options)
    assert len(httpcore2.default_ssl_context(**options).get_ca_certs()) == len(context.get_ca_certs())
    return len(context.get_ca_certs())
def default():
    import ssl
    return len(ssl.create_default_context().get_ca_certs())
def state():
    from certhook._state import process
    return process.clients.get("httpcore2")
"""


@pytest.fixture
def libraries(tmp_path) -> Path:
    """A directory with the stand-in."""
    package = tmp_path / "libraries" / "httpcore2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from ._ssl import default_ssl_context\n")
    (package / "_ssl.py").write_text(LIBRARY)
    (package / "connection.py").write_text("from ._ssl import default_ssl_context\n")
    return package.parent


@pytest.fixture
def run(installed, libraries):
    """Run code after :data:`DEFINITIONS`, with environment variables as keyword arguments."""

    def run(code: str, **variables: str) -> None:
        run_silently(installed, DEFINITIONS + code, env=support.clean_env(LIBRARIES=str(libraries), **variables))

    return run


def test_every_hook_has_a_module_that_the_finder_recognises() -> None:
    assert {"ssl", *_clients.MODULES} == certhook._HOOKED
    assert set(_clients.MODULES.values()) == set(CLIENTS)


def test_without_certhook_the_contexts_of_the_library_have_no_roots(run) -> None:
    run("assert count() == 0 < default()", CERTHOOK_DISABLED="1")


def test_the_contexts_of_the_library_have_default_trust(run) -> None:
    run("assert count() == default() > 100 and state() == ''")


def test_a_hook_is_imported_with_its_library(run) -> None:
    run("""
import ssl
assert "certhook._clients" not in sys.modules
import httpcore2
assert {name for name in sys.modules if name.startswith("certhook._clients.")} == {"certhook._clients.httpcore2"}
assert is_hooked() and httpcore2._ssl.__loader__ is httpcore2._ssl.__spec__.loader
assert type(httpcore2._ssl.__loader__) is SourceFileLoader
""")


def test_a_library_that_is_already_imported_is_patched(run) -> None:
    run(
        """
import certhook, ssl, httpcore2
assert count() == 0
del os.environ["CERTHOOK_DISABLED"]
certhook.install()
assert count() == default() > 100
certhook.install()
assert not hasattr(httpcore2._ssl.default_ssl_context.__certhook__, "__certhook__")
""",
        CERTHOOK_DISABLED="1",
    )


def test_a_reloaded_library_is_patched(run) -> None:
    run("""
import httpcore2
first = httpcore2._ssl.default_ssl_context
importlib.reload(httpcore2._ssl)
assert httpcore2._ssl.default_ssl_context is not first
importlib.reload(httpcore2)
importlib.reload(importlib.import_module("httpcore2.connection"))
assert count() == default() > 100
""")


def test_a_second_copy_of_certhook_does_not_wrap_the_library_twice(run) -> None:
    run("""
import httpcore2
copies = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "certhook"}
import certhook
assert certhook is not copies["certhook"]
certhook.install()
assert count() > 100
assert not hasattr(httpcore2._ssl.default_ssl_context.__certhook__, "__certhook__")
""")


def test_uninstall_restores_the_library(run) -> None:
    run("""
import certhook, httpcore2
wrapper = httpcore2.default_ssl_context
certhook.uninstall()
assert count() == 0
assert len(wrapper().get_ca_certs()) == 0
assert not hasattr(httpcore2._ssl.default_ssl_context, "__certhook__")
certhook.install()
assert count() == default() > 100
""")


def test_threads_that_import_the_library_find_it_patched(run) -> None:
    run("""
barrier = threading.Barrier(8)
def work():
    barrier.wait()
    counts.append(count())
counts = []
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert counts == [default()] * 8 and counts[0] > 100
""")


def test_a_finder_that_imports_ssl_for_the_library_does_not_hide_it(run) -> None:
    """The searches for two modules are independent of each other, although they are nested."""
    run("""
class Tool:
    def find_spec(self, name, path=None, target=None):
        if name == "httpcore2._ssl":
            import ssl
sys.meta_path.insert(sys.meta_path.index(certhook_finders[0]) + 1, Tool())
assert count() == default() > 100 and is_hooked()
""")


@pytest.mark.parametrize("trust_env", [True, False])
def test_a_variable_that_selects_roots_is_respected(run, machine, trust_env) -> None:
    expected = 1 if trust_env else 0
    for disabled in "1", "":
        code = f"assert count(_trust_env={trust_env}) == {expected}"
        run(code, SSL_CERT_FILE=str(machine / "stranger.pem"), CERTHOOK_DISABLED=disabled)


def test_certhook_clients_excludes_a_hook(run) -> None:
    run("assert count() == 0 and state() == 'CERTHOOK_CLIENTS excludes it'", CERTHOOK_CLIENTS="grpc")
    run("assert count() == 0 < default()", CERTHOOK_CLIENTS="none")
    run("assert count() == default()", CERTHOOK_CLIENTS="httpcore2")


@pytest.mark.parametrize(
    "library",
    ["import ssl", "default_ssl_context = None", "raise ImportError('broken')"],
    ids=["no function", "no callable", "an error"],
)
def test_a_library_with_other_internals_remains_unchanged(run, libraries, library) -> None:
    (libraries / "httpcore2" / "__init__.py").write_text("")
    (libraries / "httpcore2" / "_ssl.py").write_text(library)
    run("""
try:
    import httpcore2._ssl
except ImportError as error:
    assert str(error) == "broken" and state() is None
else:
    assert "default_ssl_context" in state(), state()
    assert not hasattr(getattr(httpcore2._ssl, "default_ssl_context", None), "__certhook__")
""")


def test_a_failing_hook_does_not_prevent_the_import(run) -> None:
    run("""
import certhook
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "certhook._clients.httpcore2":
            raise OSError("no file descriptor is left")
sys.meta_path.insert(0, Finder())
assert count() == 0 and "no file descriptor is left" in state()
""")


def test_without_the_hook_nothing_is_patched(installed, libraries) -> None:
    run_silently(installed, DEFINITIONS + "assert count() == 0", env=disabled_env(LIBRARIES=str(libraries)))
