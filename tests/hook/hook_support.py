"""Helpers that the tests of the import hook share, other than fixtures."""

from __future__ import annotations

from pathlib import Path

import support

#: Definitions for the programs of these tests.
PRELUDE = """
import importlib, importlib.util, sys, threading
from importlib.machinery import PathFinder, SourceFileLoader

assert "ssl" not in sys.modules
certhook_finders = [finder for finder in sys.meta_path if getattr(finder, "__certhook__", None) is True]

def functions():
    import ssl
    return [ssl.create_default_context, ssl.SSLContext.load_default_certs, ssl.SSLContext.set_default_verify_paths]

def is_hooked():
    wrapped = [hasattr(function, "__certhook__") for function in functions()]
    assert len(set(wrapped)) == 1, f"only some functions are wrapped: {wrapped}"
    if wrapped[0]:
        assert not any(hasattr(function.__certhook__, "__certhook__") for function in functions()), "wrapped twice"
    return wrapped[0]

def is_loaded_by(loader):
    import ssl
    assert sys.modules["ssl"] is ssl
    assert ssl.__loader__ is ssl.__spec__.loader, (ssl.__loader__, ssl.__spec__.loader)
    return ssl.__loader__ is loader or type(ssl.__loader__) is loader

def ssl_code():
    return PathFinder.find_spec("ssl").loader.get_code("ssl")
"""

#: Finders of other tools by their behaviour. Each one defines ``Tool``.
FINDERS = {
    "raises KeyError for unknown attributes": """
class Tool:
    def __getattr__(self, name):
        raise KeyError(name)
    def find_spec(self, name, path=None, target=None):
        return None
""",
    "calls importlib.util.find_spec": """
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
    "asks all other finders": """
class Tool:
    def find_spec(self, name, path=None, target=None):
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    return spec
""",
    "replaces the loader of a spec from another finder": """
class Proxy:
    def __init__(self, spec):
        self.spec, self.original = spec, spec.loader
    def create_module(self, spec):
        return self.original.create_module(spec)
    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.original
        self.original.exec_module(module)
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
    "imports ssl": """
class Tool:
    busy = False
    def find_spec(self, name, path=None, target=None):
        if name == "ssl" and not self.busy:
            self.busy = True
            import ssl
""",
    "returns a lazy loader": """
class Tool:
    def find_spec(self, name, path=None, target=None):
        if name == "ssl":
            spec = PathFinder.find_spec(name, path, target)
            spec.loader = importlib.util.LazyLoader(spec.loader)
            return spec
""",
}


def run_silently(python: Path, code: str, *flags: str, env: dict[str, str] | None = None) -> None:
    """Run *code* after :data:`PRELUDE`, and assert that it succeeds and prints nothing."""
    done = support.run(python, PRELUDE + code, *flags, env=env)
    assert (done.stdout, done.stderr) == ("", "")


def disabled_env(**variables: str) -> dict[str, str]:
    """Return an environment in which interpreter start-up does not install the hook."""
    return support.clean_env(CERTHOOK_DISABLED="1", **variables)
