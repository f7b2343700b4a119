"""The wrapped functions of ``ssl`` have the signature, documentation and pickle of the originals."""

from __future__ import annotations

import json
from typing import Any

import pytest
import support

METHODS = (
    "load_default_certs",
    "set_default_verify_paths",
    "get_ca_certs",
    "cert_store_stats",
    "load_verify_locations",
)
FUNCTIONS = ("create_default_context", "_create_default_https_context", "get_default_verify_paths")

DESCRIBE_FUNCTIONS = f"""
import inspect, json, pickle, pydoc, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

def pickle_result(function):
    try:
        return pickle.loads(pickle.dumps(function)) is function
    except pickle.PicklingError as error:
        return str(error)

def describe(function):
    return {{
        "signature": str(inspect.signature(function)),
        "__doc__": function.__doc__,
        "getdoc()": inspect.getdoc(function),
        "__name__": function.__name__,
        "pickle": pickle_result(function),
    }}

def help_page(function):
    # Without the heading, which contains the module.
    return pydoc.plain(pydoc.render_doc(function)).split("\\n", 2)[2]

result = {{name: describe(getattr(ssl, name)) for name in {FUNCTIONS}}}
result.update({{name: describe(getattr(ssl.SSLContext, name)) for name in {METHODS}}})
for name in {METHODS}:
    result[name]["bound signature"] = str(inspect.signature(getattr(context, name)))
# The help page of a method that is implemented in C mentions that it is a method descriptor.
for function in (*(getattr(ssl, name) for name in {FUNCTIONS}), ssl.SSLContext.load_default_certs):
    result.setdefault("help pages", []).append(help_page(function))
result["attributes of SSLContext"] = sorted(dir(ssl.SSLContext))
result["base classes of SSLContext"] = [base.__name__ for base in ssl.SSLContext.__mro__]
result["attributes of ssl"] = sorted(name for name in dir(ssl) if not name.startswith("__"))
result["alias of create_default_context"] = ssl._create_default_https_context is ssl.create_default_context
json.dump(result, sys.stdout)
"""


@pytest.fixture(scope="module")
def hooked(installed) -> dict[str, Any]:
    return json.loads(support.run(installed, DESCRIBE_FUNCTIONS).stdout)


@pytest.fixture(scope="module")
def stock(plain) -> dict[str, Any]:
    return json.loads(support.run(plain, DESCRIBE_FUNCTIONS).stdout)


@pytest.mark.parametrize("name", FUNCTIONS + METHODS)
def test_a_wrapper_is_described_like_the_original(hooked, stock, name) -> None:
    assert hooked[name] == stock[name]


def test_the_module_and_the_class_have_no_further_attributes(hooked, stock) -> None:
    assert {name: hooked[name] for name in stock if " " in name} == {name: stock[name] for name in stock if " " in name}
