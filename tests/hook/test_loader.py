"""The loader proxy: any kind of loader can load ``ssl``, and remains unchanged."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import support
from hook_support import PRELUDE, run_silently


def test_ssl_from_a_source_file_is_patched(installed) -> None:
    code = """
import inspect, ssl
assert is_hooked() and is_loaded_by(SourceFileLoader)
assert inspect.getsource(ssl).startswith("# Wrapper module for _ssl")
"""
    run_silently(installed, code)


def test_ssl_from_a_zip_archive_is_patched(installed, zipped_ssl) -> None:
    code = """
import inspect, ssl, zipimport
assert "library.zip" in ssl.__file__
assert is_hooked() and is_loaded_by(zipimport.zipimporter)
assert inspect.getsource(ssl).startswith("# Wrapper module for _ssl")
"""
    run_silently(installed, code, env=support.clean_env(PYTHONPATH=str(zipped_ssl)))


#: Each one defines ``Loader``, and ``loader``, the class or an instance.
LOADERS = {
    "a class with static methods, like FrozenImporter": """
class Loader:
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        exec(ssl_code(), module.__dict__)
loader = Loader
""",
    "a class that creates the module, like BuiltinImporter": """
import types
class Loader:
    @classmethod
    def create_module(cls, spec):
        return types.ModuleType(spec.name)
    @classmethod
    def exec_module(cls, module):
        exec(ssl_code(), module.__dict__)
loader = Loader
""",
    "an instance that rejects attributes": """
class Loader:
    __slots__ = ()
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(ssl_code(), module.__dict__)
loader = Loader()
""",
    "an instance with dynamic attributes": """
class Delegate:
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(ssl_code(), module.__dict__)
class Loader:
    delegate = Delegate()
    def __getattr__(self, name):
        return getattr(self.delegate, name)
loader = Loader()
""",
}

USE_LOADER = """
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "ssl":
            return importlib.util.spec_from_loader(name, loader, origin="memory")
sys.meta_path.insert(1, Finder)
import ssl
assert is_hooked() and is_loaded_by(Loader)
assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED
"""


@pytest.mark.parametrize("loader", LOADERS)
def test_ssl_from_any_kind_of_loader_is_patched(installed, loader) -> None:
    run_silently(installed, LOADERS[loader] + USE_LOADER + "assert ssl.__spec__.origin == 'memory'")


@pytest.mark.parametrize("loader", LOADERS)
def test_the_original_loader_is_not_modified(installed, loader) -> None:
    code = f"before = dict(vars(Loader))\n{USE_LOADER}\nassert dict(vars(Loader)) == before"
    run_silently(installed, LOADERS[loader] + code)


#: Python warns that such loaders and finders are deprecated.
WITHOUT_IMPORT_WARNING = ("-W", "ignore::ImportWarning")
LOAD_MODULE_ONLY = """
import types
class Loader:
    def load_module(self, name):
        module = sys.modules.setdefault(name, types.ModuleType(name))
        module.__loader__ = self
        exec(ssl_code(), module.__dict__)
        return module
loader = Loader()
"""


@pytest.mark.skipif(sys.version_info >= (3, 15), reason="Python 3.15 removed load_module()")
def test_ssl_from_a_loader_with_only_load_module_is_patched(installed) -> None:
    run_silently(installed, LOAD_MODULE_ONLY + USE_LOADER, *WITHOUT_IMPORT_WARNING)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python 3.12 removed find_module()")
def test_ssl_from_a_finder_with_only_find_module_is_patched(installed) -> None:
    code = """
class Finder:
    def find_module(self, name, path=None):
        return loader if name == "ssl" else None
sys.meta_path.insert(1, Finder())
assert is_hooked() and is_loaded_by(Loader)
"""
    run_silently(installed, LOAD_MODULE_ONLY + code, *WITHOUT_IMPORT_WARNING)


def test_ssl_from_a_read_only_spec_is_imported(installed) -> None:
    code = """
class ReadOnlySpec(importlib.machinery.ModuleSpec):
    def __setattr__(self, name, value):
        if name == "loader" and hasattr(self, "loader"):
            raise AttributeError(name)
        super().__setattr__(name, value)
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "ssl":
            return ReadOnlySpec(name, PathFinder.find_spec(name).loader)
sys.meta_path.insert(1, Finder)
import ssl
assert type(ssl.__spec__) is ReadOnlySpec
"""
    run_silently(installed, code)


def test_the_proxy_is_replaced_while_the_module_is_executed(installed) -> None:
    code = """
class Loader:
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        assert module.__spec__.loader is module.__loader__ is self
        exec(ssl_code(), module.__dict__)
loader = Loader()
"""
    run_silently(installed, code + USE_LOADER)


def test_attributes_set_on_the_proxy_are_set_on_the_original_loader(installed) -> None:
    """ddtrace replaces methods of loaders."""
    code = """
spec = importlib.util.find_spec("ssl")
proxy, compiled = spec.loader, []
get_code = proxy.get_code
proxy.get_code = lambda name: compiled.append(name) or get_code(name)
module = sys.modules["ssl"] = importlib.util.module_from_spec(spec)
proxy.exec_module(module)
assert compiled == ["ssl"]
assert module.__loader__ is not proxy and "get_code" in vars(module.__loader__)
assert is_hooked() and is_loaded_by(SourceFileLoader)
"""
    run_silently(installed, code)


def test_the_proxy_has_the_attributes_of_the_original_loader(installed) -> None:
    code = """
original, found = PathFinder.find_spec("ssl"), importlib.util.find_spec("ssl")
assert found.loader is not original.loader
for name in ("name", "origin", "cached", "parent", "has_location", "submodule_search_locations"):
    assert getattr(found, name) == getattr(original, name), name
for name in ("get_source", "get_code", "get_filename", "is_package"):
    assert getattr(found.loader, name)("ssl") == getattr(original.loader, name)("ssl"), name
assert found.loader.get_data(found.origin) == original.loader.get_data(original.origin)
assert (found.loader.name, found.loader.path) == (original.loader.name, original.loader.path)
assert not hasattr(found.loader, "no_such_method")
"""
    run_silently(installed, code)


def test_the_proxy_of_a_zipimporter_has_only_methods_of_the_zipimporter(installed, zipped_ssl) -> None:
    """Before Python 3.10, a zipimporter has no exec_module()."""
    code = """
original, proxy = PathFinder.find_spec("ssl").loader, importlib.util.find_spec("ssl").loader
assert "library.zip" in original.get_filename("ssl")
for name in ("exec_module", "create_module", "load_module"):
    assert hasattr(proxy, name) == hasattr(original, name), name
"""
    run_silently(installed, code, env=support.clean_env(PYTHONPATH=str(zipped_ssl)))


def test_a_lazy_loader_around_the_proxy_stays_lazy(installed) -> None:
    code = """
spec = importlib.util.find_spec("ssl")
spec.loader = importlib.util.LazyLoader(spec.loader)
module = sys.modules["ssl"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert "_ssl" not in sys.modules
assert hasattr(module.create_default_context, "__certhook__")
assert is_hooked() and is_loaded_by(SourceFileLoader)
"""
    run_silently(installed, code)


@pytest.fixture(scope="module")
def oxidized(tmp_path_factory: pytest.TempPathFactory, wheel: Path, pip_install) -> Path:
    """Return the interpreter of an environment with certhook and PyOxidizer's importer, but without certifi."""
    if not (3, 8) <= sys.version_info < (3, 11) or sys.implementation.name != "cpython":
        pytest.skip("PyOxidizer's importer supports only CPython 3.8, 3.9 and 3.10")
    python = support.make_environment(tmp_path_factory.mktemp("oxidized"))
    pip_install(python, "--no-deps", wheel, "oxidized_importer==0.6.0", "importlib-resources", "zipp")
    return python


def test_ssl_and_certifi_can_be_in_memory(oxidized, machine) -> None:
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
with open(PathFinder.find_spec("ssl").origin, "rb") as file:
    add("ssl", file.read())
with open({str(machine / "extra.pem")!r}, "rb") as file:
    add("certifi", b"", is_package=True, in_memory_package_resources={{"cacert.pem": file.read()}})
sys.meta_path.insert(1, finder)
assert is_hooked() and is_loaded_by(OxidizedFinder)
import ssl, certhook
assert ssl.__spec__.origin is None and not hasattr(ssl, "__file__")
assert len(certhook.trust_set()) == 1, certhook.trust_set().problems
(anchor,) = ssl.create_default_context().get_ca_certs()
assert dict(sum(anchor["subject"], ()))["organizationName"] == "certhook tests extra"
"""
    env = support.clean_env(CERTHOOK_SOURCES="bundled", CERTHOOK_STORE_DIR="none")
    # The importer causes deprecation warnings of Python.
    done = support.run(oxidized, PRELUDE + code, "-W", "ignore", env=env)
    assert (done.stdout, done.stderr) == ("", "")
