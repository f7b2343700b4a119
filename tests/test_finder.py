"""The import hook: every kind of loader and finder, and every way in which ``ssl`` gets imported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import support

#: Put before the code of most tests.
PRELUDE = """
import importlib, importlib.util, sys, threading
from importlib.machinery import PathFinder
assert "ssl" not in sys.modules
ours = [finder for finder in sys.meta_path if getattr(finder, "__certhook__", None) is True]
NAMES = ["load_default_certs", "set_default_verify_paths"]

def functions():
    import ssl
    return [ssl.create_default_context, *(getattr(ssl.SSLContext, name) for name in NAMES)]

def patched():
    marked = [hasattr(function, "__certhook__") for function in functions()]
    assert len(set(marked)) == 1, marked
    # The original is the real function, and no wrapper of ours.
    return marked[0] and not any(hasattr(function.__certhook__, "__certhook__") for function in functions())

def loaded_by(kind):
    import ssl
    assert ssl.__loader__ is ssl.__spec__.loader, (ssl.__loader__, ssl.__spec__.loader)
    assert sys.modules["ssl"] is ssl
    loader = ssl.__spec__.loader
    return loader is kind or type(loader) is kind

def real_code():
    return PathFinder.find_spec("ssl").loader.get_code("ssl")
"""


def run(python: Path, code: str, *flags: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    """Run *code* with what :data:`PRELUDE` defines; nothing may be printed."""
    done = support.run(python, PRELUDE + code, *flags, **kwargs)
    assert (done.stdout, done.stderr) == ("", "")
    return done


def switched_off(**variables: str) -> dict[str, str]:
    """For tests that install the hook themselves."""
    return support.clean_env(CERTHOOK_DISABLED="1", **variables)


# --- Loaders


def test_ssl_from_a_file(installed) -> None:
    code = """
import inspect, ssl
from importlib.machinery import SourceFileLoader
assert patched() and loaded_by(SourceFileLoader)
assert inspect.getsource(ssl).startswith("# Wrapper module for _ssl")
"""
    run(installed, code)


def test_ssl_from_a_zip(installed, tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "library.zip", "w") as archive:
        archive.write(Path(sysconfig.get_path("stdlib")) / "ssl.py", "ssl.py")
    code = """
import inspect, ssl, zipimport
assert "library.zip" in ssl.__file__
assert patched() and loaded_by(zipimport.zipimporter)
assert inspect.getsource(ssl).startswith("# Wrapper module for _ssl")
"""
    run(installed, code, env=support.clean_env(PYTHONPATH=str(tmp_path / "library.zip")))


LOADERS = {
    "a class with static methods, as for frozen modules": """
class Loader:
    @staticmethod
    def create_module(spec): return None
    @staticmethod
    def exec_module(module): exec(real_code(), module.__dict__)
loader = Loader
""",
    "a class that makes the module, as for builtin modules": """
import types
class Loader:
    @classmethod
    def create_module(cls, spec): return types.ModuleType(spec.name)
    @classmethod
    def exec_module(cls, module): exec(real_code(), module.__dict__)
loader = Loader
""",
    "an instance that refuses attributes": """
class Loader:
    __slots__ = ()
    def create_module(self, spec): return None
    def exec_module(self, module): exec(real_code(), module.__dict__)
loader = Loader()
""",
    "an instance that looks attributes up dynamically": """
class Real:
    def create_module(self, spec): return None
    def exec_module(self, module): exec(real_code(), module.__dict__)
class Loader:
    real = Real()
    def __getattr__(self, name): return getattr(self.real, name)
loader = Loader()
""",
}

SERVE = """
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "ssl":
            return importlib.util.spec_from_loader(name, loader, origin="memory")
sys.meta_path.insert(1, Finder)
assert patched() and loaded_by(Loader)
import ssl
assert ssl.__spec__.origin == "memory"
assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED
"""


@pytest.mark.parametrize("loader", LOADERS)
def test_ssl_from_a_loader_that_is(installed, loader) -> None:
    run(installed, LOADERS[loader] + SERVE)


@pytest.mark.parametrize("loader", LOADERS)
def test_a_loader_that_serves_ssl_is_left_as_it_was(installed, loader) -> None:
    code = "before = dict(vars(Loader))\n" + SERVE + "\nassert dict(vars(Loader)) == before"
    run(installed, LOADERS[loader] + code)


def test_what_is_set_on_the_loader_that_is_found_is_set_on_the_real_one(installed) -> None:
    """ddtrace replaces methods of every loader it meets."""
    code = """
import importlib.util
from importlib.machinery import SourceFileLoader
spec = importlib.util.find_spec("ssl")
proxy, compiled = spec.loader, []
get_code = proxy.get_code
proxy.get_code = lambda name: compiled.append(name) or get_code(name)
module = sys.modules["ssl"] = importlib.util.module_from_spec(spec)
proxy.exec_module(module)
assert compiled == ["ssl"]
assert module.__loader__ is not proxy and "get_code" in vars(module.__loader__)
assert patched() and loaded_by(SourceFileLoader)
"""
    run(installed, code)


ONLY_LOAD_MODULE = """
import types
class Loader:
    def load_module(self, name):
        module = sys.modules.setdefault(name, types.ModuleType(name))
        module.__loader__ = self
        exec(real_code(), module.__dict__)
        return module
loader = Loader()
"""


@pytest.mark.skipif(sys.version_info >= (3, 15), reason="load_module() is gone")
def test_ssl_from_a_loader_that_has_only_load_module(installed) -> None:
    run(installed, ONLY_LOAD_MODULE + SERVE.replace("import ssl\n", "import ssl; ssl.__spec__.origin = 'memory'\n"))


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="find_module() is gone")
def test_ssl_from_a_finder_that_has_only_find_module(installed) -> None:
    code = """
class Finder:
    def find_module(self, name, path=None):
        return loader if name == "ssl" else None
sys.meta_path.insert(1, Finder())
assert patched() and loaded_by(Loader)
"""
    run(installed, ONLY_LOAD_MODULE + code)


def test_ssl_from_a_spec_that_cannot_be_changed(installed) -> None:
    code = """
class Fixed(importlib.machinery.ModuleSpec):
    def __setattr__(self, name, value):
        if name == "loader" and hasattr(self, "loader"):
            raise AttributeError(name)
        super().__setattr__(name, value)
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "ssl":
            return Fixed(name, PathFinder.find_spec(name).loader)
sys.meta_path.insert(1, Finder)
import ssl
assert type(ssl.__spec__) is Fixed
"""
    run(installed, code)


@pytest.fixture(scope="module")
def oxidized(tmp_path_factory: pytest.TempPathFactory, wheel: Path, pip_install) -> Path:
    """The interpreter of an environment with certhook and PyOxidizer's importer, and no certifi."""
    if not (3, 8) <= sys.version_info < (3, 11) or sys.implementation.name != "cpython":
        pytest.skip("PyOxidizer's importer is there for CPython 3.8, 3.9 and 3.10")
    python = support.make_environment(tmp_path_factory.mktemp("oxidized"))
    pip_install(python, "--no-deps", wheel, "oxidized_importer==0.6.0", "importlib-resources", "zipp")
    return python


def test_ssl_and_certifi_from_memory(oxidized, installed, cas, tmp_path) -> None:
    (tmp_path / "bundle.pem").write_bytes(cas.pem("bundled"))
    code = f"""
from oxidized_importer import OxidizedFinder, OxidizedResource
finder = OxidizedFinder()
def add(name, source, **attributes):
    resource = OxidizedResource()
    resource.is_module = True
    resource.name = name
    resource.in_memory_source = source
    for attribute, value in attributes.items():
        setattr(resource, attribute, value)
    finder.add_resource(resource)
add("ssl", open(PathFinder.find_spec("ssl").origin, "rb").read())
bundle = open({str(tmp_path / "bundle.pem")!r}, "rb").read()
add("certifi", b"", is_package=True, in_memory_package_resources={{"cacert.pem": bundle}})
sys.meta_path.insert(1, finder)
assert patched() and loaded_by(OxidizedFinder)
import ssl, certhook
assert ssl.__spec__.origin is None and not hasattr(ssl, "__file__")
assert len(certhook.trust_set()) == 1, certhook.trust_set().problems
assert [dict(sum(subject, ()))["organizationName"] for subject in
        (root["subject"] for root in ssl.create_default_context().get_ca_certs())] == ["certhook tests bundled"]
"""
    # Deprecations of Python and of the importer are none of certhook's business.
    env = support.clean_env(CERTHOOK_SOURCES="bundled", CERTHOOK_CACHE_DIR="none")
    done = support.run(oxidized, PRELUDE + code, "-W", "ignore", env=env)
    assert (done.stdout, done.stderr) == ("", "")


# --- Other finders


@pytest.fixture(scope="module")
def with_wrapt(tmp_path_factory: pytest.TempPathFactory, wheel: Path, pip_install) -> Path:
    """The interpreter of an environment with certhook and wrapt."""
    python = support.make_environment(tmp_path_factory.mktemp("wrapt"))
    pip_install(python, "--no-deps", wheel, "wrapt")
    return python


@pytest.mark.parametrize("install_last", [False, True])
def test_a_hook_of_wrapt(with_wrapt, install_last) -> None:
    code = """
import wrapt
seen = []
wrapt.register_post_import_hook(seen.append, "ssl")
certhook = importlib.import_module("certhook")
certhook.install(use_environment=False)
import ssl
assert patched() and seen == [ssl]
del sys.modules["ssl"]
import ssl
assert patched()
"""
    run(with_wrapt, code, env=switched_off() if install_last else None)


FINDERS = {
    "nothing but names that it knows": """
class Tool:
    def __getattr__(self, name):
        raise KeyError(name)
    def find_spec(self, name, path=None, target=None):
        return None
""",
    "importlib.util.find_spec": """
class Tool:
    busy = threading.local()
    def find_spec(self, name, path=None, target=None):
        if getattr(self.busy, "now", False):
            return None
        self.busy.now = True
        try:
            return importlib.util.find_spec(name)
        finally:
            self.busy.now = False
""",
    "the finders but itself": """
class Tool:
    def find_spec(self, name, path=None, target=None):
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    return spec
""",
    "the finders but itself, and puts its loader before the one it finds": """
class Proxy:
    def __init__(self, spec): self.spec, self.real = spec, spec.loader
    def create_module(self, spec): return self.real.create_module(spec)
    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.real
        self.real.exec_module(module)
class Tool:
    def find_spec(self, name, path=None, target=None):
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    if name == "ssl":
                        spec.loader = Proxy(spec)
                    return spec
""",
    "ssl by importing it": """
class Tool:
    busy = False
    def find_spec(self, name, path=None, target=None):
        if name == "ssl" and not self.busy:
            self.busy = True
            import ssl
""",
    "a loader that is lazy": """
class Tool:
    def find_spec(self, name, path=None, target=None):
        if name == "ssl":
            spec = PathFinder.find_spec(name, path, target)
            spec.loader = importlib.util.LazyLoader(spec.loader)
            return spec
""",
}


@pytest.mark.parametrize("position", [0, 1], ids=["before", "behind"])
@pytest.mark.parametrize("asks_for", FINDERS)
def test_a_finder_that_asks_for(installed, asks_for, position) -> None:
    if asks_for == "a loader that is lazy" and position == 0:
        pytest.skip("it finds ssl by itself, and asks nobody else")
    code = f"""
sys.meta_path.insert({position}, Tool())
assert patched() and loaded_by(importlib.machinery.SourceFileLoader)
"""
    if asks_for != "importlib.util.find_spec":  # which gives the old spec when ssl is reloaded, and asks nobody
        code += "importlib.reload(sys.modules['ssl'])\nassert patched()"
    run(installed, FINDERS[asks_for] + code)


def test_two_finders_that_ask_all_others(installed) -> None:
    # Without certhook, such two would call each other for ever.
    code = FINDERS["importlib.util.find_spec"].replace("class Tool", "class Other")
    code += FINDERS["the finders but itself"] + "sys.meta_path[0:1] = [Other(), *ours, Tool()]\nassert patched()"
    run(installed, code)


def test_importlib_lazyloader_around_ours(installed) -> None:
    code = """
spec = importlib.util.find_spec("ssl")
spec.loader = importlib.util.LazyLoader(spec.loader)
module = sys.modules["ssl"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert "_ssl" not in sys.modules
assert hasattr(module.create_default_context, "__certhook__")
assert patched() and loaded_by(importlib.machinery.SourceFileLoader)
"""
    run(installed, code)


def test_the_finder_is_first_and_the_others_are_as_they_were(installed, plain) -> None:
    code = "import sys; print(*(getattr(finder, '__name__', finder) for finder in sys.meta_path[{}:]))"
    assert support.run(installed, code.format(1)).stdout == support.run(plain, code.format(0)).stdout
    assert support.run(installed, f"{PRELUDE}\nassert sys.meta_path[0] is ours[0]").returncode == 0


@pytest.mark.parametrize("name", ["_ssl", "sslx", "ssl.sub", "json", "", "certhook"])
def test_the_finder_knows_no_other_name(installed, name) -> None:
    run(installed, f"assert ours[0].find_spec({name!r}, None) is None")


def test_finding_is_not_importing(installed) -> None:
    code = """
assert importlib.util.find_spec("ssl") is not None
assert "ssl" not in sys.modules and "certhook._patch" not in sys.modules
"""
    run(installed, code)


def test_a_found_spec_answers_as_the_real_one_does(installed) -> None:
    code = """
real, found = PathFinder.find_spec("ssl"), importlib.util.find_spec("ssl")
assert found.loader is not real.loader
for name in ("name", "origin", "cached", "parent", "has_location", "submodule_search_locations"):
    assert getattr(found, name) == getattr(real, name), name
for name in ("get_source", "get_code", "get_filename", "is_package"):
    assert getattr(found.loader, name)("ssl") == getattr(real.loader, name)("ssl"), name
assert found.loader.get_data(found.origin) == real.loader.get_data(real.origin)
assert (found.loader.name, found.loader.path) == (real.loader.name, real.loader.path)
assert not hasattr(found.loader, "no_such_method")
"""
    run(installed, code)


def test_a_zip_importer_before_310_still_has_no_exec_module(installed, tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "library.zip", "w") as archive:
        archive.write(Path(sysconfig.get_path("stdlib")) / "ssl.py", "ssl.py")
    code = """
real, found = PathFinder.find_spec("ssl").loader, importlib.util.find_spec("ssl").loader
assert "library.zip" in real.get_filename("ssl")
for name in ("exec_module", "create_module", "load_module"):
    assert hasattr(found, name) == hasattr(real, name), name
"""
    run(installed, code, env=support.clean_env(PYTHONPATH=str(tmp_path / "library.zip")))


# --- Ways to import it


def test_reloading_ssl_patches_it_again(installed) -> None:
    code = """
import ssl
for _ in range(3):
    before = ssl.SSLContext
    assert importlib.reload(ssl) is ssl
    assert ssl.SSLContext is not before
    assert patched() and loaded_by(importlib.machinery.SourceFileLoader)
"""
    run(installed, code)


def test_importing_ssl_anew_patches_it_again(installed) -> None:
    code = """
import ssl as first
del sys.modules["ssl"]
import ssl as second
assert first is not second
assert patched() and loaded_by(importlib.machinery.SourceFileLoader)
assert hasattr(first.create_default_context, "__certhook__")
"""
    run(installed, code)


def test_who_installs_the_hook_once_more_does_not_let_the_environment_in(installed) -> None:
    code = """
import certhook
from certhook import _config
certhook.install(use_environment=False)
certhook.install()
assert _config.current().sources == ("system", "bundled")
certhook.uninstall()
certhook.install()
assert _config.current().sources == ("system",)
"""
    run(installed, code, env=support.clean_env(CERTHOOK_SOURCES="system"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
def test_a_package_is_found_in_a_child_that_was_forked_while_another_thread_looked_for_it(installed) -> None:
    """Threads of the child may have the number of that one."""
    code = """
import os, time
from certhook._finder import find_package
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "certifi" and not forked:
            searching.set()
            go_on.wait(60)
forked, searching, go_on = [], threading.Event(), threading.Event()
sys.meta_path.insert(0, Slow())
thread = threading.Thread(target=find_package, args=("certifi",))
thread.start()
searching.wait(60)
child = os.fork()
if not child:
    forked.append(True)
    found = []
    for _ in range(3):
        other = threading.Thread(target=lambda: found.append(find_package("certifi")))
        other.start()
        other.join()
    os._exit(None in found)
go_on.set()
thread.join()
assert os.waitpid(child, 0)[1] == 0
"""
    run(installed, code, "-W", "ignore")


def test_ssl_that_was_imported_before_is_patched(installed) -> None:
    code = """
import ssl
assert not patched()
import certhook
certhook.install(use_environment=False)
assert patched() and loaded_by(importlib.machinery.SourceFileLoader)
"""
    run(installed, code, env=switched_off())


def test_an_import_that_fails_fails_as_without_certhook(installed, plain) -> None:
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
    failure = support.run(plain, code).stdout
    assert "_ssl" in failure
    done = support.run(installed, f"{code}\nassert hasattr(ssl.create_default_context, '__certhook__')")
    assert (done.stdout, done.stderr) == (failure, "")


def test_an_interpreter_without_ssl_goes_without(installed) -> None:
    code = """
import certhook._finder
sys.meta_path[:] = ours
try:
    importlib.import_module("ssl")
except ModuleNotFoundError as error:
    assert error.name == "ssl"
else:
    raise AssertionError
"""
    run(installed, code)


def test_a_second_copy_of_certhook(installed, tmp_path) -> None:
    shutil.copytree(support.purelib(installed) / "certhook", tmp_path / "certhook")
    code = f"""
import certhook as first
def second_copy():
    for name in [name for name in sys.modules if name.partition(".")[0] == "certhook"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    import certhook
    certhook.start()
    return certhook
sys.path.insert(0, {str(tmp_path)!r})
second = second_copy()
assert second.__file__ != first.__file__
assert second.is_installed()
assert sum(hasattr(finder, "__certhook__") for finder in sys.meta_path) == 1
assert patched()
second.install()
second_copy()
assert patched()
"""
    run(installed, code)


# The modules that ssl imports are there already: a race of many different imports
# finds half-initialised ones of the standard library in Python 3.13.0 without certhook too.
RACE = """
import base64, collections.abc, enum, selectors, socket
barrier = threading.Barrier(12)
outcomes = []
def race(name):
    barrier.wait()
    importlib.import_module(name)
    outcomes.append(functions())
names = ["ssl"] * 12
threads = [threading.Thread(target=race, args=(name,), daemon=True) for name in names]
for thread in threads: thread.start()
for thread in threads: thread.join(30)
assert not any(thread.is_alive() for thread in threads), "deadlock"
assert len(outcomes) == 12 and all(outcome == functions() for outcome in outcomes)
assert patched()
"""


@pytest.mark.parametrize("tool", [None, "importlib.util.find_spec", "the finders but itself"])
@pytest.mark.parametrize("position", [0, 1], ids=["before", "behind"])
def test_threads_that_race_get_one_patched_module(installed, tool, position) -> None:
    insert = f"{FINDERS[tool]}\nsys.meta_path.insert({position}, Tool())\n" if tool else ""
    run(installed, insert + RACE)


def test_installing_waits_for_an_import_in_progress_in_another_thread(installed) -> None:
    code = """
import certhook
started, go_on = threading.Event(), threading.Event()
class Slow:
    def create_module(self, spec): return None
    def exec_module(self, module):
        started.set()
        go_on.wait(30)
        exec(real_code(), module.__dict__)
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "ssl":
            return importlib.util.spec_from_loader(name, Slow())
sys.meta_path.insert(0, Finder())
importing = threading.Thread(target=importlib.import_module, args=("ssl",), daemon=True)
importing.start()
started.wait(30)
installing = threading.Thread(target=certhook.install, kwargs={"use_environment": False}, daemon=True)
installing.start()
installing.join(0.2)
go_on.set()
for thread in (importing, installing):
    thread.join(30)
    assert not thread.is_alive(), "deadlock"
assert patched()
"""
    run(installed, code, env=switched_off())


SUBINTERPRETERS = """
import os, sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
code = '''
import os, ssl
os.write(1, b"patched\\\\n" if hasattr(ssl.create_default_context, "__certhook__") else b"plain\\\\n")
'''
for _ in range(3):
    number = interpreters.create()
    failure = interpreters.run_string(number, code)
    assert failure is None, failure
    interpreters.destroy(number)
# Without the end of the main interpreter: after these, CPython 3.12.1 frees a tuple
# twice there, with or without certhook.
os._exit(0)
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="there are no sub-interpreters")
@pytest.mark.parametrize("before", ["", "import ssl"], ids=["alone", "after ssl in the main one"])
def test_sub_interpreters_have_a_hook_of_their_own(installed_unmeasured, before) -> None:
    done = support.run(installed_unmeasured, f"{before}\n{SUBINTERPRETERS}")
    assert (done.stdout, done.stderr) == ("patched\n" * 3, "")


@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="there is no fork()")
@pytest.mark.parametrize("before", ["", "import ssl"], ids=["ssl in the child", "ssl before"])
def test_a_forked_process_has_the_hook(installed, before) -> None:
    code = f"""
import os
{before}
child = os.fork()
if child == 0:
    os._exit(0 if patched() else 3)
assert os.waitpid(child, 0)[1] == 0
"""
    run(installed, code)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_worker_processes_have_the_hook(installed, method) -> None:
    code = f"""
import multiprocessing
with multiprocessing.get_context({method!r}).Pool(1) as pool:
    assert pool.apply(eval, ("hasattr(__import__('ssl').create_default_context, '__certhook__')",)) is True
"""
    run(installed, code)


# --- install(), uninstall(), is_installed()

SNAPSHOT = """
import certhook, ssl
def snapshot():
    return [dict(vars(ssl)), dict(vars(ssl.SSLContext)), list(sys.meta_path)]
"""


def test_uninstall_puts_every_function_back(installed) -> None:
    code = """
before = snapshot()
certhook.install(use_environment=False)
assert certhook.is_installed() and patched() and snapshot() != before
certhook.uninstall()
assert not certhook.is_installed() and snapshot() == before
certhook.uninstall()
assert snapshot() == before
"""
    run(installed, SNAPSHOT + code, env=switched_off())


def test_uninstall_leaves_ssl_as_a_plain_interpreter_has_it(installed, plain) -> None:
    code = (
        "print(sorted(vars(ssl)), {name: repr(value).split(' at ')[0] for name, value in vars(ssl.SSLContext).items()})"
    )
    expected = support.run(plain, f"import ssl; {code}").stdout
    assert support.run(installed, f"import ssl; {code}").stdout != expected
    assert support.run(installed, f"import ssl, certhook; certhook.uninstall(); {code}").stdout == expected


def test_uninstall_after_a_reload_puts_every_function_back(installed) -> None:
    code = """
certhook.install(use_environment=False)
importlib.reload(ssl)
certhook.uninstall()
assert not any(hasattr(value, "__certhook__") for owner in (ssl, ssl.SSLContext) for value in vars(owner).values())
"""
    run(installed, SNAPSHOT + code, env=switched_off())


def test_uninstall_before_ssl_is_imported(installed) -> None:
    code = "import certhook; certhook.uninstall(); assert not patched()"
    run(installed, code)


def test_installing_again_is_harmless(installed) -> None:
    code = """
before = snapshot()
certhook.install()
assert snapshot() == before and patched()
certhook.uninstall()
certhook.install()
assert certhook.is_installed() and patched()
"""
    run(installed, SNAPSHOT + code)


def test_is_installed_says_no_where_nothing_installed_it(installed) -> None:
    run(installed, "import certhook; assert not certhook.is_installed()", env=switched_off())


def test_install_obeys_certhook_disabled(installed) -> None:
    code = "certhook.install(); assert not certhook.is_installed() and not patched()"
    run(installed, SNAPSHOT + code, env=switched_off())


def test_install_can_lock_the_environment_out(installed, cas, tmp_path) -> None:
    (tmp_path / "roots.pem").write_bytes(cas.pem("extra"))
    variables = {"SSL_CERT_FILE": str(tmp_path / "roots.pem"), "CERTHOOK_EXTRA_CA_CERTS": str(tmp_path / "roots.pem")}
    code = f"""
import ssl
ours = ssl.PEM_cert_to_DER_cert({cas.pem("extra").decode()!r})
assert ours in [anchor.der for anchor in certhook.trust_set().anchors]
certhook.install(use_environment=False)
assert certhook.is_installed() and patched()
trusted = [anchor.der for anchor in certhook.trust_set().anchors]
assert len(trusted) > 50 and ours not in trusted
"""
    run(installed, SNAPSHOT + code, env=switched_off(**variables))


#: Default trust is one root with certhook, and none without it; NAME is a method that gives it.
WRAPPED = (
    SNAPSHOT
    + """
import functools
def roots():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    getattr(context, NAME)()
    return len(context.get_ca_certs())
calls = []
def plain(function):
    def theirs(*args, **kwargs):
        calls.append(function)
        return function(*args, **kwargs)
    return theirs
def marked(function):
    return functools.wraps(function)(plain(function))
assert roots() == 1
theirs = WRAP(getattr(ssl.SSLContext, NAME))
setattr(ssl.SSLContext, NAME, theirs)
assert roots() == 1 and len(calls) == 1
"""
)
WRAPPERS = pytest.mark.parametrize("wrapper", ["plain", "marked"], ids=["a plain one", "one made by functools.wraps"])
METHODS = pytest.mark.parametrize("method", ["load_default_certs", "set_default_verify_paths"])


def wrapped(method: str, wrapper: str) -> str:
    """The code that has somebody wrap our wrapper of *method*."""
    return f"NAME = {method!r}\n" + WRAPPED.replace("WRAP(", f"{wrapper}(")


@pytest.fixture
def one_root(cas, tmp_path) -> dict[str, str]:
    """An environment in which default trust is one root with certhook, and none without."""
    (tmp_path / "roots.pem").write_bytes(cas.pem("bundled"))
    return support.clean_env(
        SSL_CERT_FILE=str(tmp_path / "none"),
        SSL_CERT_DIR=str(tmp_path / "none"),
        CERTHOOK_BUNDLE=str(tmp_path / "roots.pem"),
        CERTHOOK_SOURCES="bundled",
        CERTHOOK_LOAD="eager",  # seen by get_ca_certs() without certhook as well
    )


@METHODS
@WRAPPERS
def test_uninstall_leaves_a_wrapper_that_somebody_put_around_ours(installed, one_root, method, wrapper) -> None:
    code = """
certhook.uninstall()
assert getattr(ssl.SSLContext, NAME) is theirs
assert roots() == 0 and len(calls) == 2
"""
    run(installed, wrapped(method, wrapper) + code, env=one_root)


@METHODS
@WRAPPERS
def test_installing_again_works_through_a_wrapper_that_somebody_put_around_ours(
    installed, one_root, method, wrapper
) -> None:
    code = """
certhook.uninstall()
certhook.install()
assert roots() == 1
"""
    run(installed, wrapped(method, wrapper) + code, env=one_root)


@METHODS
def test_uninstall_puts_the_real_one_back_after_a_wrapper_around_ours_came_and_went(
    installed, one_root, method
) -> None:
    code = """
ours = calls[0]
certhook.uninstall()
certhook.install()
setattr(ssl.SSLContext, NAME, ours)
assert roots() == 1
certhook.uninstall()
assert roots() == 0 and not hasattr(getattr(ssl.SSLContext, NAME), "__certhook__")
"""
    run(installed, wrapped(method, "marked") + code, env=one_root)


@METHODS
@WRAPPERS
def test_installing_again_never_trusts_the_bundle_for_clients(installed, one_root, method, wrapper) -> None:
    code = """
certhook.uninstall()
certhook.install()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
assert context.get_ca_certs() == []
"""
    # That nothing is trusted is warned of, and right.
    run(installed, wrapped(method, wrapper) + code, "-W", "ignore", env=one_root)


@METHODS
@WRAPPERS
def test_a_second_firing_leaves_a_wrapper_that_somebody_put_around_ours(installed, one_root, method, wrapper) -> None:
    code = """
certhook.install()
assert getattr(ssl.SSLContext, NAME) is theirs
assert roots() == 1 and len(calls) == 2
"""
    run(installed, wrapped(method, wrapper) + code, env=one_root)
