"""The meta-path finder: it coexists with the finders of other tools, and finds only ``ssl``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import support
from hook_support import FINDERS, disabled_env, run_silently


def test_certhooks_finder_is_first_and_the_others_are_unchanged(installed, plain) -> None:
    code = "import sys; print(*(getattr(finder, '__name__', finder) for finder in sys.meta_path[{}:]))"
    assert support.run(installed, code.format(1)).stdout == support.run(plain, code.format(0)).stdout
    run_silently(installed, "assert certhook_finders == [sys.meta_path[0]]")


@pytest.mark.parametrize("name", ["_ssl", "sslx", "ssl.sub", "json", "", "certhook"])
def test_the_finder_returns_none_for_other_modules(installed, name) -> None:
    run_silently(installed, f"assert sys.meta_path[0].find_spec({name!r}, None) is None")


def test_finding_a_spec_does_not_import_ssl(installed) -> None:
    code = """
assert importlib.util.find_spec("ssl") is not None
assert "ssl" not in sys.modules and "certhook._patch" not in sys.modules
"""
    run_silently(installed, code)


@pytest.fixture(scope="module")
def with_wrapt(tmp_path_factory: pytest.TempPathFactory, wheel: Path, pip_install) -> Path:
    """Return the interpreter of an environment with certhook and wrapt."""
    python = support.make_environment(tmp_path_factory.mktemp("wrapt"))
    pip_install(python, "--no-deps", wheel, "wrapt")
    return python


@pytest.mark.parametrize("installed_last", [False, True], ids=["certhook first", "wrapt first"])
def test_a_post_import_hook_of_wrapt_runs_once(with_wrapt, installed_last) -> None:
    code = """
import wrapt
imported = []
wrapt.register_post_import_hook(imported.append, "ssl")
certhook = importlib.import_module("certhook")
certhook.install(use_environment=False)
import ssl
assert is_hooked() and imported == [ssl]
del sys.modules["ssl"]
import ssl
assert is_hooked()
"""
    run_silently(with_wrapt, code, env=disabled_env() if installed_last else None)


@pytest.mark.parametrize("position", [0, 1], ids=["before certhook", "after certhook"])
@pytest.mark.parametrize("behavior", FINDERS)
def test_ssl_is_patched_with_a_finder_that(installed, behavior, position) -> None:
    if behavior == "returns a lazy loader" and position == 0:
        pytest.skip("this finder finds ssl itself, so certhook's finder is not called")
    code = f"""
sys.meta_path.insert({position}, Tool())
assert is_hooked() and is_loaded_by(SourceFileLoader)
"""
    # importlib.util.find_spec() returns the existing spec of an imported module, without calling a finder.
    if behavior != "calls importlib.util.find_spec":
        code += "importlib.reload(sys.modules['ssl'])\nassert is_hooked()"
    run_silently(installed, FINDERS[behavior] + code)


def test_two_finders_that_ask_all_others_do_not_recurse(installed) -> None:
    """Without certhook, these two would call each other indefinitely."""
    code = FINDERS["calls importlib.util.find_spec"].replace("class Tool", "class Other")
    code += FINDERS["asks all other finders"]
    code += "sys.meta_path[0:1] = [Other(), *certhook_finders, Tool()]\nassert is_hooked()"
    run_silently(installed, code)


def test_without_a_finder_for_ssl_the_import_error_is_that_of_python(installed) -> None:
    code = """
import certhook._finder  # The finder cannot import it any more once it is the only one.
sys.meta_path[:] = certhook_finders
try:
    importlib.import_module("ssl")
except ModuleNotFoundError as error:
    assert error.name == "ssl"
else:
    raise AssertionError
"""
    run_silently(installed, code)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="requires fork()")
def test_certifi_is_found_in_a_process_forked_during_a_search(installed, machine, tmp_path) -> None:
    """Threads of the child may reuse the identifier of the thread that searches in the parent."""
    # This certifi contains one root. Without a spec, certhook would use the one in its own directory.
    (tmp_path / "certifi").mkdir()
    (tmp_path / "certifi" / "__init__.py").touch()
    (tmp_path / "certifi" / "cacert.pem").write_bytes((machine / "extra.pem").read_bytes())
    code = """
import os
import certhook
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "certifi" and not is_child:
            searching.set()
            proceed.wait(60)
def read_bundle():
    anchors.append(len(certhook.trust_set()))
is_child, anchors, searching, proceed = False, [], threading.Event(), threading.Event()
read_bundle()  # Imports the modules, so that the child needs no import lock.
sys.meta_path.insert(0, Slow())
parent_thread = threading.Thread(target=read_bundle)
parent_thread.start()
searching.wait(60)
child = os.fork()
if child == 0:
    is_child = True
    for _ in range(3):
        thread = threading.Thread(target=read_bundle)
        thread.start()
        thread.join()
    os._exit(0 if anchors == [1, 1, 1, 1] else 1)
proceed.set()
parent_thread.join()
assert os.waitpid(child, 0)[1] == 0
"""
    # Python 3.12 warns of fork() in a process with threads.
    env = support.clean_env(CERTHOOK_SOURCES="bundled", PYTHONPATH=str(tmp_path))
    run_silently(installed, code, "-W", "ignore", env=env)


def test_a_finder_that_prevents_the_import_of_certifi_breaks_no_context(installed, locations) -> None:
    code = """
class Blocking:
    def find_spec(self, name, path=None, target=None):
        if name == "certifi":
            raise ImportError("blocked")
sys.meta_path.insert(0, Blocking())
import ssl
print(bool(ssl.create_default_context().get_ca_certs()))
"""
    for variables in ({}, {"SSL_CERT_FILE": "/no/such/certifi/cacert.pem"}):
        env = support.clean_env(**{**locations, **variables})
        done = support.run(installed, f"import sys, warnings\nwarnings.simplefilter('ignore')\n{code}", env=env)
        assert (done.stdout, done.stderr) == ("True\n", "")
