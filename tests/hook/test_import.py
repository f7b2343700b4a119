"""Importing ``ssl``: every way to import it patches it, in every thread, interpreter and process."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
import support
from hook_support import FINDERS, disabled_env, run_silently


def test_reloading_ssl_patches_it_again(installed) -> None:
    code = """
import ssl
for _ in range(3):
    before = ssl.SSLContext
    assert importlib.reload(ssl) is ssl
    assert ssl.SSLContext is not before
    assert is_hooked() and is_loaded_by(SourceFileLoader)
"""
    run_silently(installed, code)


def test_a_second_import_of_ssl_patches_the_new_module(installed) -> None:
    code = """
import ssl as first
del sys.modules["ssl"]
import ssl as second
assert first is not second
assert is_hooked() and is_loaded_by(SourceFileLoader)
assert hasattr(first.create_default_context, "__certhook__")
"""
    run_silently(installed, code)


def test_a_failed_import_of_ssl_raises_pythons_exception_and_can_be_repeated(installed, plain) -> None:
    code = """
import sys
sys.modules["_ssl"] = None
try:
    import ssl
except ImportError as error:
    print(repr(error), error.name, "ssl" in sys.modules)
del sys.modules["_ssl"]
import ssl
"""
    expected = support.run(plain, code).stdout
    assert "_ssl" in expected
    done = support.run(installed, f"{code}\nassert hasattr(ssl.create_default_context, '__certhook__')")
    assert (done.stdout, done.stderr) == (expected, "")


def test_a_second_copy_of_certhook_wraps_nothing_twice(installed, tmp_path) -> None:
    shutil.copytree(support.purelib(installed) / "certhook", tmp_path / "certhook")
    code = f"""
import certhook as first
def import_copy():
    for name in [name for name in sys.modules if name.partition(".")[0] == "certhook"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    import certhook
    certhook.start()
    return certhook
sys.path.insert(0, {str(tmp_path)!r})
second = import_copy()
assert second.__file__ != first.__file__
assert second.is_installed()
assert sum(hasattr(finder, "__certhook__") for finder in sys.meta_path) == 1
assert is_hooked()
second.install()
import_copy()
assert is_hooked()
"""
    run_silently(installed, code)


# The modules that ssl imports are imported first: threads that import many different modules at the
# same time find partially initialized ones in Python 3.13.0, even without certhook.
RACE = """
import base64, collections.abc, enum, selectors, socket
THREADS = 12
barrier = threading.Barrier(THREADS)
results = []
def import_ssl():
    barrier.wait()
    importlib.import_module("ssl")
    results.append(functions())
threads = [threading.Thread(target=import_ssl, daemon=True) for _ in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(30)
assert not any(thread.is_alive() for thread in threads), "deadlock"
assert len(results) == THREADS and all(result == functions() for result in results)
assert is_hooked()
"""


@pytest.mark.parametrize("behavior", ["calls importlib.util.find_spec", "asks all other finders"])
@pytest.mark.parametrize("position", [0, 1], ids=["before certhook", "after certhook"])
def test_threads_import_one_patched_module_with_a_finder_that(installed, behavior, position) -> None:
    run_silently(installed, f"{FINDERS[behavior]}\nsys.meta_path.insert({position}, Tool())\n{RACE}")


def test_threads_import_one_patched_module(installed) -> None:
    run_silently(installed, RACE)


def test_install_waits_for_another_thread_that_imports_ssl(installed) -> None:
    code = """
import certhook
started, proceed = threading.Event(), threading.Event()
class SlowLoader:
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        started.set()
        proceed.wait(30)
        exec(ssl_code(), module.__dict__)
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "ssl":
            return importlib.util.spec_from_loader(name, SlowLoader())
sys.meta_path.insert(0, Finder())
importing = threading.Thread(target=importlib.import_module, args=("ssl",), daemon=True)
importing.start()
started.wait(30)
installing = threading.Thread(target=certhook.install, kwargs={"use_environment": False}, daemon=True)
installing.start()
installing.join(0.2)
proceed.set()
for thread in (importing, installing):
    thread.join(30)
    assert not thread.is_alive(), "deadlock"
assert is_hooked()
"""
    run_silently(installed, code, env=disabled_env())


SUBINTERPRETERS = """
import os, sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
code = '''
import os, ssl
os.write(1, b"hooked\\\\n" if hasattr(ssl.create_default_context, "__certhook__") else b"not hooked\\\\n")
'''
for _ in range(3):
    number = interpreters.create()
    failure = interpreters.run_string(number, code)
    assert failure is None, failure
    interpreters.destroy(number)
# The main interpreter must not be finalized: CPython 3.12.1 would free a tuple twice, even without certhook.
os._exit(0)
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="requires subinterpreters")
@pytest.mark.parametrize("before", ["", "import ssl"], ids=["ssl not imported", "ssl imported"])
def test_each_subinterpreter_has_its_own_hook(installed_unmeasured, before) -> None:
    done = support.run(installed_unmeasured, f"{before}\n{SUBINTERPRETERS}")
    assert (done.stdout, done.stderr) == ("hooked\n" * 3, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="requires fork()")
@pytest.mark.parametrize("before", ["", "import ssl"], ids=["ssl not imported", "ssl imported"])
def test_a_forked_process_has_the_hook(installed, before) -> None:
    code = f"""
import os
{before}
child = os.fork()
if child == 0:
    os._exit(0 if is_hooked() else 3)
assert os.waitpid(child, 0)[1] == 0
"""
    run_silently(installed, code)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_worker_processes_have_the_hook(installed, method) -> None:
    code = f"""
import multiprocessing
with multiprocessing.get_context({method!r}).Pool(1) as pool:
    assert pool.apply(eval, ("hasattr(__import__('ssl').create_default_context, '__certhook__')",)) is True
"""
    run_silently(installed, code)
