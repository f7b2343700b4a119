"""Contexts of ``certhook.create_default_context()`` and ``certhook.load_default_certs()`` without the hook.

They point at a compiled store, and behave as the contexts of a process with the hook, and as contexts of
stock Python into which the same roots are loaded. ``ssl`` remains unchanged.
"""

from __future__ import annotations

import shutil
from typing import Iterator

import der
import pki
import pytest
from store_machine import DEFAULT, LOADED_BY_NEW, ROOTS_OF_NEW, Machine, Program

#: Expressions for new contexts, with the hook as *ssl* and without it as *certhook*.
CREATED = "ssl.create_default_context()"
LOADED = "[c := ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), c.load_default_certs()][0]"

both_ways = pytest.mark.parametrize("new", [CREATED, LOADED], ids=["created", "loaded"])


def for_library(expression: str) -> str:
    """Return *expression* with functions of certhook for the first context that it contains."""
    library = "__import__('certhook')"
    return expression.replace("ssl.create_", f"{library}.create_").replace(
        "c.load_default_certs(", f"{library}.load_default_certs(c, ", 1
    )


@pytest.fixture
def library(machine: Machine) -> Iterator[Program]:
    """A running program without the hook."""
    with machine.start(CERTHOOK_DISABLED="1") as program:
        yield program


@both_ways
def test_no_root_is_loaded(machine, library, new) -> None:
    assert machine.ask(LOADED_BY_NEW) == 0
    assert library(f"loaded({for_library(new)})") == 0


@both_ways
def test_the_roots_are_those_of_a_process_with_the_hook_and_of_stock_python(machine, library, new) -> None:
    """Stock Python reads the same roots from a file."""
    machine.roots.joinpath("all.pem").write_bytes(machine.cas.pem(*DEFAULT))
    stock = f"ssl.create_default_context(cafile={str(machine.roots / 'all.pem')!r})"
    expected = library(f"[c := {stock}, trusted(c), described(c)][1:]")
    assert set(expected[0]) == DEFAULT
    assert library(f"[c := {for_library(new)}, trusted(c), described(c)][1:]") == expected
    assert machine.ask(f"[c := {new}, trusted(c), described(c)][1:]") == expected


#: Calls of methods of a context.
LATER = (
    "c.load_verify_locations({old!r})",
    "c.load_verify_locations(cadata=__import__('pathlib').Path({old!r}).read_bytes().decode())",
    "c.load_verify_locations(capath={directory!r})",
    "c.load_default_certs()",
    "c.load_default_certs(ssl.Purpose.CLIENT_AUTH)",
    "c.set_default_verify_paths()",
    "c.get_ca_certs()",
    "trusted(c)",
    "[c.load_verify_locations({old!r}), c.load_default_certs(), c.set_default_verify_paths()]",
)


@both_ways
def test_later_calls_have_the_same_effect_as_with_the_hook(machine, library, new) -> None:
    """In particular, an expired root of the caller does not hide the renewed one."""
    (machine.roots / "old.pem").write_bytes(der.pem(pki.expired_namesake(machine.cas.system, 2)))
    with machine.start() as hooked:
        for later in LATER:
            call = later.format(old=str(machine.roots / "old.pem"), directory=str(machine.directory))
            rest = f"[{call}, trusted(c), described(c)][1:]"
            expected = hooked(f"[c := {new}, {rest}][1]")
            assert set(expected[0]) >= DEFAULT, later
            assert library(f"[c := {for_library(new)}, {rest}][1]") == expected, later


@both_ways
@pytest.mark.parametrize("strict", ["0", "1"])
def test_ssl_is_unchanged(library, machine, new, strict) -> None:
    snapshot = "[dict(vars(each)) for each in (ssl, ssl.SSLContext, ssl.SSLContext.__base__)]"
    uses = f"c := {for_library(new)}, c.get_ca_certs(), c.load_verify_locations({str(machine.roots / 'extra.pem')!r})"
    with machine.start(CERTHOOK_DISABLED="1", CERTHOOK_X509_STRICT=strict) as program:
        assert program(f"[before := {snapshot}, {uses}, {snapshot} == before][-1]")
        assert program("[finder for finder in sys.meta_path if hasattr(finder, '__certhook__')]") == []
        assert program("type(ssl.create_default_context()) is ssl.SSLContext")


@both_ways
def test_the_class_looks_like_that_of_the_standard_library(library, new) -> None:
    new = for_library(new)
    assert library(f"isinstance({new}, ssl.SSLContext)")
    assert library(f"repr({new}).startswith('<ssl.SSLContext object at ')")
    assert library(f"type({new}) is type({new})")
    for name in "__name__", "__qualname__", "__module__", "__doc__":
        assert library(f"type({new}).{name} == ssl.SSLContext.{name}")


@both_ways
def test_a_deleted_store_is_restored_after_a_failed_connection(machine, library, new) -> None:
    library(f"contexts.append({for_library(new)})")
    for path in machine.cache.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    library("trusted(contexts[0])")
    assert set(library("trusted(contexts[0])")) == DEFAULT


def test_a_context_of_another_class_gets_all_roots_at_once(machine, library) -> None:
    """Its methods may not load them before a query, or before the caller adds a root of the same name."""
    subclass = "type('Own', (ssl.SSLContext,), {})"
    library(f"contexts.append({for_library(LOADED.replace('ssl.SSLContext', subclass))})")
    assert library("type(contexts[0]).__name__") == "Own"
    assert library("loaded(contexts[0])") == 3
    assert library("described(contexts[0])") == machine.ask(ROOTS_OF_NEW)
    (machine.roots / "old.pem").write_bytes(der.pem(pki.expired_namesake(machine.cas.system, 2)))
    library(f"contexts[0].load_verify_locations({str(machine.roots / 'old.pem')!r})")
    assert set(library("trusted(contexts[0])")) == DEFAULT


@both_ways
@pytest.mark.parametrize("order", ["install", "create, install", "create, install, uninstall", "install, uninstall"])
def test_the_hook_may_be_installed_and_removed_at_any_time(machine, new, order) -> None:
    expected = machine.ask(f"[c := {new}, described(c)][1]", CERTHOOK_LOAD="eager")
    new = for_library(new)
    with machine.start() as program:
        program("[certhook := __import__('certhook'), certhook.uninstall(), globals().update(certhook=certhook)][:0]")
        for step in order.split(", "):
            program(f"contexts.append({new})" if step == "create" else f"certhook.{step}()")
        program(f"contexts.append({new})")
        assert program("[loaded(c) for c in contexts[-1:]]") == [0]
        for position in range(program("len(contexts)")):
            assert program(f"described(contexts[{position}])") == expected
            program(f"contexts[{position}].load_verify_locations({str(machine.roots / 'extra.pem')!r})")
            assert set(program(f"trusted(contexts[{position}])")) == {*DEFAULT, "extra"}


@both_ways
def test_only_the_hook_wraps_ssl_again_after_uninstall(machine, library, new) -> None:
    library(f"contexts.append({for_library(new)})")
    library("[__import__('os').environ.pop('CERTHOOK_DISABLED'), __import__('certhook').install()]")
    assert library("hasattr(ssl.SSLContext.get_ca_certs.__certhook__, '__certhook__')") is False
    assert library(f"loaded({CREATED})") == 0
    library("__import__('certhook').uninstall()")
    assert library("hasattr(ssl.SSLContext.get_ca_certs, '__certhook__')") is False
    assert library(f"loaded({for_library(CREATED)})") == 0


#: A class that replaces SSLContext must replace the properties that refer to this name.
REPLACED_CLASS = """
def replaced(name):
    own = vars(_ssl._SSLContext)[name]
    return property(lambda context: own.__get__(context), lambda context, value: own.__set__(context, value))
Own = type("Own", (ssl.SSLContext,), {name: replaced(name) for name in ("options", "verify_flags", "verify_mode")})
"""

#: Replacements of names in ``ssl`` by other tools.
REPLACEMENTS = {
    "a class that inherits the methods, as gevent's": f"{REPLACED_CLASS}\nssl.SSLContext = Own",
    "a class with methods of its own, as truststore's": f"""{REPLACED_CLASS}
class Delegate(Own):
    def load_verify_locations(self, *args, **kwargs): super().load_verify_locations(*args, **kwargs)
    def get_ca_certs(self, *args, **kwargs): return super().get_ca_certs(*args, **kwargs)
ssl.SSLContext = Delegate""",
    "a function": """
original = ssl.create_default_context
ssl.create_default_context = lambda *args, **kwargs: original(*args, **kwargs)""",
}


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_a_replacement_in_ssl_is_used(machine, library, replacement) -> None:
    new = for_library(CREATED)
    assert library(f"loaded({new})") == 0
    library(f"exec({REPLACEMENTS[replacement]!r}, globals())")
    assert library(f"isinstance({new}, ssl.SSLContext)")
    # Without the methods of certhook, if it has its own.
    assert library(f"type({new}) is ssl.SSLContext") == ("of its own" in replacement)
    expected = machine.ask(ROOTS_OF_NEW, CERTHOOK_LOAD="eager")
    assert library(f"[c := {new}, set(trusted(c)) == {DEFAULT!r}, described(c)][1:]") == [True, expected]
    own = new.replace("context()", f"context(cafile={str(machine.roots / 'extra.pem')!r})")
    assert library(f"trusted({own})") == ["extra"]


@both_ways
def test_threads_that_create_and_query_contexts_get_all_roots(library, new) -> None:
    pool = "__import__('concurrent.futures').futures.ThreadPoolExecutor(8)"
    create = f"lambda _: len(({for_library(new)}).get_ca_certs())"
    assert library(f"list({pool}.map({create}, range(40)))") == [3] * 40
