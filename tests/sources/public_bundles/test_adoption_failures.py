"""Internal errors never widen trust, and invalid arguments raise the same exceptions as without certhook."""

from __future__ import annotations

import _ssl
import os
import ssl
import sys
from pathlib import Path

import pytest
from bundle_machine import BUNDLE, DEFAULT, fail, loaded

from certhook import CerthookWarning, _adoption, _certifi, _store, _trust

# Internal errors.


@pytest.mark.parametrize(
    ("sources", "trusted", "message"),
    [
        ("system,bundled", BUNDLE, "the context has the roots of stock Python"),
        ("bundled", BUNDLE, "the context has the roots of stock Python"),
        ("system", set(), "the context has no roots"),
        ("", BUNDLE, "the context has the roots of stock Python"),
    ],
)
@pytest.mark.parametrize("function", [(_trust, "apply"), (_store, "store_directory")], ids=["apply", "store_directory"])
def test_after_an_internal_error_the_bundle_is_loaded_only_if_it_is_a_source(
    machine, monkeypatch, function, sources, trusted, message
) -> None:
    bundle = str(machine.package("certifi"))
    monkeypatch.setenv("CERTHOOK_BUNDLE", "")
    monkeypatch.setenv("CERTHOOK_SOURCES", sources)
    monkeypatch.setattr(*function, fail)
    with pytest.warns(CerthookWarning, match=rf"internal error, {message}: RuntimeError\('a fault'\)"):
        context = loaded(bundle)
    assert machine.trusted(context) == trusted


def test_after_an_internal_error_a_replaced_bundle_is_not_loaded(machine, monkeypatch) -> None:
    bundle = str(machine.package("certifi"))
    monkeypatch.setattr(_trust, "apply", fail)
    with pytest.warns(CerthookWarning, match="the context has no roots"):
        context = loaded(bundle)
    assert machine.trusted(context) == set()


@pytest.mark.parametrize("fault", ["internal error", "missing module"])
def test_a_file_is_loaded_if_it_cannot_be_recognised(machine, monkeypatch, fault) -> None:
    bundle = str(machine.package("certifi"))
    if fault == "internal error":
        monkeypatch.setattr(_adoption, "find_file", fail)
    else:
        monkeypatch.setitem(sys.modules, "certhook._adoption", None)
    with pytest.warns(CerthookWarning, match="internal error, the certificates that the caller names are loaded: "):
        context = loaded(bundle)
    assert machine.trusted(context) == BUNDLE


@pytest.mark.parametrize("owner", ["pip", "botocore", "httplib2"])
def test_without_certifi_a_request_for_another_public_bundle_is_adopted(machine, monkeypatch, owner) -> None:
    monkeypatch.setattr(_certifi, "__file__", str(machine.directory / "site" / "certhook" / "_certifi.py"))
    monkeypatch.setenv("CERTHOOK_BUNDLE", "")
    assert machine.trusted(loaded(str(machine.package(owner)))) == {"system", "both"} | BUNDLE


# Invalid arguments.


class Failing:
    def __fspath__(self) -> str:
        raise LookupError("no path")


INVALID_ARGUMENTS = {
    "no argument": lambda path: ((), {}),
    "only None": lambda path: ((), {"cafile": None, "capath": None, "cadata": None}),
    "a file twice": lambda path: ((path,), {"cafile": path}),
    "a directory twice": lambda path: ((path, None), {"capath": None}),
    "too many arguments": lambda path: ((path, None, None, None), {}),
    "an unknown keyword": lambda path: ((path,), {"path": path}),
    "an unknown keyword and a known one": lambda path: ((), {"cafile": path, "path": path}),
    "a number as the directory": lambda path: ((path, 1), {}),
    "an empty directory name": lambda path: ((path,), {"capath": ""}),
    "a null character in the directory": lambda path: ((path,), {"capath": "\0"}),
    "a number as the text": lambda path: ((path,), {"cadata": 1}),
    "an empty text": lambda path: ((path,), {"cadata": ""}),
    "a text without a certificate": lambda path: ((path,), {"cadata": "nothing"}),
    "bytes without a certificate": lambda path: ((path,), {"cadata": b"nothing"}),
    "a non-ASCII text": lambda path: ((path,), {"cadata": "\xe9"}),
    "a missing file": lambda path: (("/no/such/certifi/cacert.pem",), {}),
    "a missing file and the text of certifi": lambda path: (("/no/such/file",), {"cadata": Path(path).read_text()}),
    "a directory as the file": lambda path: ((os.path.dirname(path),), {}),
    "a number as the file": lambda path: ((1,), {}),
    "a list as the file": lambda path: (([path],), {}),
    "a leading null character": lambda path: ((f"\0{path}",), {}),
    "a trailing null character": lambda path: ((f"{path}\0",), {}),
    "a leading null character in bytes": lambda path: ((b"\0" + os.fsencode(path),), {}),
    "a path that raises an exception": lambda path: ((Failing(),), {}),
}


def outcome(function, *args: object, **kwargs: object) -> tuple[object, ...]:
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return type(error), error.args


@pytest.mark.parametrize("invalid", INVALID_ARGUMENTS.values(), ids=INVALID_ARGUMENTS)
def test_invalid_arguments_raise_the_exception_of_stock_python_and_add_no_root(machine, invalid) -> None:
    args, kwargs = invalid(str(machine.package("certifi")))
    context, stock = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    expected = outcome(_ssl._SSLContext.load_verify_locations, stock, *args, **kwargs)
    assert expected is not None
    assert outcome(context.load_verify_locations, *args, **kwargs) == expected
    assert not machine.trusted(context) & DEFAULT
