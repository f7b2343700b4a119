"""The caller's choices: certhook adds roots to default trust and changes no other context.

Each expression is evaluated in an environment with certhook and in one without, and as a library without the
hook that calls the functions of certhook instead. All have the same system store, bundle and extra certificate.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import support

#: A program that evaluates each expression of EXPRESSIONS, and prints the attributes of the context or the exception.
EVALUATE = """
import http.client, json, os, sys, urllib.request, warnings
import ssl
warnings.simplefilter("ignore", DeprecationWarning)
OWN = os.environ["OWN"]
DIRECTORY = os.environ["DIRECTORY"]
with open(OWN) as file:
    PEM = file.read()
DER = ssl.PEM_cert_to_DER_cert(PEM)

class OverridesPaths(ssl.SSLContext):
    def set_default_verify_paths(self):
        self.load_verify_locations(OWN)

class OverridesDefault(ssl.SSLContext):
    def load_default_certs(self, purpose=ssl.Purpose.SERVER_AUTH):
        self.load_verify_locations(OWN)

def new(protocol=ssl.PROTOCOL_TLS_CLIENT, cls=ssl.SSLContext, load=lambda context: None):
    context = cls(protocol)
    load(context)
    return context

def with_keylog(**kwargs):
    os.environ["SSLKEYLOGFILE"] = os.environ["KEYLOG"]
    try:
        return ssl.create_default_context(**kwargs)
    finally:
        del os.environ["SSLKEYLOGFILE"]

def used_for_https(context):
    assert http.client.HTTPSConnection("localhost", context=context)._context is context
    assert urllib.request.HTTPSHandler(context=context)._context is context
    return context

def describe(context):
    return {
        "roots": sorted(der.hex() for der in context.get_ca_certs(binary_form=True)),
        "texts": sorted(map(repr, context.get_ca_certs())),
        "stats": context.cert_store_stats(),
        "type": type(context).__name__,
        "verify_mode": context.verify_mode,
        "verify_flags": context.verify_flags,
        "check_hostname": context.check_hostname,
        "options": context.options,
        "protocol": context.protocol,
        "minimum_version": context.minimum_version,
        "maximum_version": context.maximum_version,
        "ciphers": [cipher["name"] for cipher in context.get_ciphers()],
        "keylog": context.keylog_filename,
    }

def evaluate(expression):
    try:
        result = eval(expression)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return describe(result)

json.dump([evaluate(expression) for expression in json.loads(os.environ["EXPRESSIONS"])], sys.stdout)
"""

#: The caller names its own roots.
NAMED = (
    "ssl.create_default_context(cafile=OWN)",
    "ssl.create_default_context(capath=DIRECTORY)",
    "ssl.create_default_context(cadata=PEM)",
    "ssl.create_default_context(cadata=DER)",
    "ssl.create_default_context(cafile=OWN, capath=DIRECTORY, cadata=PEM)",
    "ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=OWN)",
    "ssl.create_default_context(ssl.Purpose.SERVER_AUTH, capath=DIRECTORY)",
    "ssl._create_default_https_context(cafile=OWN)",
    "used_for_https(ssl.create_default_context(cafile=OWN))",
    "with_keylog(cafile=OWN)",
    "new(load=lambda context: context.load_verify_locations(OWN))",
    "new(load=lambda context: context.load_verify_locations(capath=DIRECTORY))",
    "new(load=lambda context: context.load_verify_locations(cadata=DER))",
    "new(ssl.PROTOCOL_TLS_SERVER, load=lambda context: context.load_verify_locations(OWN))",
)
#: The caller's subclass overrides default trust.
OVERRIDDEN = (
    "new(cls=OverridesPaths, load=lambda context: context.load_default_certs())",
    "new(cls=OverridesPaths, load=lambda context: context.load_default_certs(ssl.Purpose.CLIENT_AUTH))",
    "new(cls=OverridesPaths, load=lambda context: context.set_default_verify_paths())",
    "new(cls=OverridesDefault, load=lambda context: context.load_default_certs())",
)
#: The caller requests no roots.
NO_ROOTS = (
    "new(ssl.PROTOCOL_TLS_CLIENT)",
    "new(ssl.PROTOCOL_TLS_SERVER)",
    "new(ssl.PROTOCOL_TLS)",
    "new(ssl.PROTOCOL_TLSv1_2)",
    "used_for_https(new())",
    "ssl._create_unverified_context()",
    "ssl._create_stdlib_context()",
    "ssl._create_unverified_context(purpose=ssl.Purpose.CLIENT_AUTH)",
    "ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)",
    "used_for_https(ssl._create_unverified_context())",
)
#: The caller requests roots for client authentication.
CLIENT_AUTH = (
    "new(ssl.PROTOCOL_TLS_SERVER, load=lambda context: context.load_default_certs(ssl.Purpose.CLIENT_AUTH))",
    "new(ssl.PROTOCOL_TLS_CLIENT, load=lambda context: context.load_default_certs(ssl.Purpose.CLIENT_AUTH))",
    "ssl._create_unverified_context(cert_reqs=ssl.CERT_REQUIRED, purpose=ssl.Purpose.CLIENT_AUTH)",
)
#: The caller requests default trust.
DEFAULT = (
    "ssl.create_default_context()",
    "ssl._create_default_https_context()",
    "ssl.create_default_context(ssl.Purpose.SERVER_AUTH)",
    "ssl.create_default_context(purpose=ssl.Purpose.SERVER_AUTH, cafile=None, capath='', cadata=b'')",
    "ssl._create_unverified_context(cert_reqs=ssl.CERT_REQUIRED)",
    "with_keylog()",
    "http.client.HTTPSConnection('localhost')._context",
    "new(load=lambda context: context.load_default_certs())",
    "new(load=lambda context: context.load_default_certs(purpose=ssl.Purpose.SERVER_AUTH))",
    "new(load=lambda context: context.set_default_verify_paths())",
)
#: The caller passes invalid arguments.
INVALID = (
    "ssl.create_default_context(1)",
    "ssl.create_default_context(None)",
    "ssl.create_default_context('serverAuth')",
    "ssl.create_default_context(ssl.Purpose.SERVER_AUTH, OWN)",
    "ssl.create_default_context(cafile=1)",
    "ssl.create_default_context(cafile='/no/such/file')",
    "ssl.create_default_context(cafile=DIRECTORY)",
    "ssl.create_default_context(cadata='nothing')",
    "ssl.create_default_context(cadata=b'nothing')",
    "ssl.create_default_context(cadata=1)",
    "ssl.create_default_context(file=OWN)",
    "ssl._create_default_https_context(1)",
    "new().load_default_certs('x')",
    "new().load_default_certs(None)",
    "new().load_default_certs(purpose=1)",
    "new().load_default_certs(ssl.Purpose)",
    "new().load_default_certs(1, 2)",
    "new().load_default_certs(unknown=1)",
    "ssl.SSLContext.load_default_certs()",
    "ssl.SSLContext.load_default_certs(1, 2, 3)",
    "new().set_default_verify_paths(1)",
    "new().set_default_verify_paths(unknown=1)",
    "ssl.SSLContext.set_default_verify_paths()",
    "ssl.SSLContext.set_default_verify_paths(object())",
    "new().get_ca_certs(1, 2)",
    "new().get_ca_certs(unknown=1)",
    "ssl.SSLContext.get_ca_certs()",
    "ssl.SSLContext.get_ca_certs(object())",
    "new().cert_store_stats(1)",
    "ssl.SSLContext.cert_store_stats(object())",
    "new().load_verify_locations()",
    "new().load_verify_locations('/no/such/file')",
    "new().load_verify_locations(cadata='')",
    "new().load_verify_locations(1, 2, 3, 4)",
    "new().load_verify_locations(unknown=1)",
    "ssl.SSLContext.load_verify_locations()",
    "ssl.SSLContext.load_verify_locations(object(), OWN)",
)
#: Python accepts a directory that does not exist.
MISSING_DIRECTORY = "ssl.create_default_context(capath='/no/such/directory')"


#: Expressions that have an equivalent with the functions of certhook. A class derived from SSLContext has none, and
#: ``purpose=None`` is valid there.
LIBRARY = tuple(
    expression
    for expression in (*NAMED, *NO_ROOTS, *CLIENT_AUTH, *DEFAULT, *INVALID, MISSING_DIRECTORY)
    if "create_default_context(" in expression.replace("(None)", "") or "context.load_default_certs(" in expression
)


def for_library(code: str) -> str:
    """Return *code* with calls of certhook's functions instead of those of ``ssl``."""
    return code.replace("ssl.create_default", "certhook.create_default").replace(
        "context.load_default_certs(", "certhook.load_default_certs(context, "
    )


class Results(NamedTuple):
    """The result of each expression with certhook, in stock Python, and in a library without the hook."""

    hooked: dict[str, Any]
    stock: dict[str, Any]
    library: dict[str, Any]


@pytest.fixture(scope="module")
def evaluate(installed, plain, machine, locations):
    """Return a function that evaluates expressions with certhook, without it, and in a library."""

    def evaluate_in(
        python: Path, expressions: tuple[str, ...], variables: dict[str, str], program: str = EVALUATE
    ) -> dict[str, Any]:
        env = support.clean_env(
            **locations,
            **variables,
            OWN=str(machine / "stranger.pem"),
            DIRECTORY=str(machine / "own"),
            KEYLOG=str(machine / "keylog"),
            EXPRESSIONS=json.dumps(expressions),
        )
        return dict(zip(expressions, json.loads(support.run(python, program, env=env).stdout)))

    def evaluate_in_all(expressions: tuple[str, ...], **variables: str) -> Results:
        hooked, stock = (evaluate_in(python, expressions, variables) for python in (installed, plain))
        disabled = {**variables, "CERTHOOK_DISABLED": "1"}
        program = f"import certhook\n{for_library(EVALUATE)}"
        translated = {each: for_library(each) for each in expressions if each in LIBRARY}
        results = evaluate_in(installed, tuple(translated.values()), disabled, program)
        return Results(hooked, stock, {each: results[translated[each]] for each in translated})

    return evaluate_in_all


@pytest.fixture(scope="module")
def results(evaluate, machine) -> Results:
    """Return the results with an extra certificate."""
    expressions = (*NAMED, *OVERRIDDEN, *NO_ROOTS, *DEFAULT, *INVALID, MISSING_DIRECTORY)
    return evaluate(expressions, CERTHOOK_EXTRA_CA_CERTS=str(machine / "extra.pem"))


@pytest.fixture(scope="module")
def client_auth_results(evaluate) -> Results:
    return evaluate(CLIENT_AUTH)


@pytest.mark.parametrize("expression", (*NAMED, *OVERRIDDEN, *NO_ROOTS, MISSING_DIRECTORY))
def test_a_context_without_default_trust_equals_that_of_stock_python(results, expression) -> None:
    assert results.hooked[expression] == results.stock[expression]


@pytest.mark.parametrize("expression", NAMED + OVERRIDDEN)
def test_a_caller_with_its_own_roots_gets_only_these(results, cas, expression) -> None:
    # OpenSSL reads a directory only when it verifies a chain.
    expected = [] if "capath=DIRECTORY)" in expression else [cas.der("stranger").hex()]
    assert results.hooked[expression]["roots"] == expected


@pytest.mark.parametrize("expression", NO_ROOTS)
def test_a_caller_that_requests_no_roots_gets_none(results, expression) -> None:
    assert results.hooked[expression]["roots"] == []


@pytest.mark.parametrize("expression", CLIENT_AUTH)
def test_roots_for_client_authentication_are_those_of_the_system(client_auth_results, cas, expression) -> None:
    context = client_auth_results.hooked[expression]
    assert context == client_auth_results.stock[expression]
    assert context["roots"] == sorted(cas.der(name).hex() for name in ("system", "both"))


@pytest.mark.parametrize("expression", DEFAULT)
def test_a_default_context_differs_only_in_its_roots(results, cas, expression) -> None:
    hooked, stock = dict(results.hooked[expression]), dict(results.stock[expression])
    assert hooked["roots"] == sorted(cas.der(name).hex() for name in ("system", "bundled", "both", "extra"))
    assert stock["roots"] == sorted(cas.der(name).hex() for name in ("system", "both"))
    assert hooked["stats"] == {"x509": 4, "crl": 0, "x509_ca": 4}
    assert len(hooked["texts"]) == 4
    for name in ("roots", "stats", "texts"):
        del hooked[name], stock[name]
    assert hooked == stock


@pytest.mark.parametrize("expression", INVALID)
def test_invalid_arguments_raise_pythons_exception(results, expression) -> None:
    assert isinstance(results.stock[expression], str), "stock Python raised no exception"
    # Up to Python 3.9, the message contains the class of the context, or the class that defines the method.
    hooked, stock = (str(result[expression]).replace("_SSLContext", "SSLContext") for result in results[:2])
    assert hooked == stock


@pytest.mark.parametrize("expression", LIBRARY)
def test_a_library_without_the_hook_gets_the_same_context(results, client_auth_results, expression) -> None:
    found = client_auth_results if expression in CLIENT_AUTH else results
    assert found.library[expression] == found.hooked[expression]


def test_a_subclass_can_add_roots_to_default_trust(installed, machine, locations, cas) -> None:
    code = """
import os, ssl
class Context(ssl.SSLContext):
    def set_default_verify_paths(self):
        super().set_default_verify_paths()
        self.load_verify_locations(os.environ["OWN"])
for purpose in (ssl.Purpose.SERVER_AUTH, ssl.Purpose.CLIENT_AUTH):
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs(purpose)
    print(*sorted(der.hex() for der in context.get_ca_certs(binary_form=True)))
"""
    env = support.clean_env(**locations, OWN=str(machine / "stranger.pem"))
    server_auth, client_auth = support.run(installed, code, env=env).stdout.splitlines()
    assert set(server_auth.split()) == {cas.der(name).hex() for name in ("system", "bundled", "both", "stranger")}
    assert set(client_auth.split()) == {cas.der(name).hex() for name in ("system", "both", "stranger")}


@pytest.mark.parametrize("order", ["own, default", "default, own"])
def test_the_callers_roots_are_added_to_default_trust(installed, machine, locations, cas, order) -> None:
    code = f"""
import os, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
def own(): context.load_verify_locations(os.environ["OWN"])
def default(): context.load_default_certs()
for load in ({order}):
    load()
print(*sorted(der.hex() for der in context.get_ca_certs(binary_form=True)))
"""
    env = support.clean_env(**locations, OWN=str(machine / "stranger.pem"))
    roots = support.run(installed, code, env=env).stdout.split()
    assert roots == sorted(cas.der(name).hex() for name in ("system", "bundled", "both", "stranger"))


PRINT_FLAGS = (
    "import ssl; context = ssl.create_default_context(); print(*map(int, (context.verify_flags, context.options)))"
)
VERIFY_X509_STRICT = 0x20


@pytest.mark.parametrize("disabled", ["", "1"], ids=["with the hook", "without the hook"])
@pytest.mark.parametrize(("value", "is_cleared"), [("0", True), ("off", True), ("1", False), ("", False)])
def test_x509_strict_clears_only_that_flag(installed, plain, value, is_cleared, disabled) -> None:
    flags, options = map(int, support.run(plain, PRINT_FLAGS).stdout.split())
    # create_default_context() sets it since Python 3.13.
    assert bool(flags & VERIFY_X509_STRICT) == (sys.version_info >= (3, 13))
    expected = flags & ~VERIFY_X509_STRICT if is_cleared else flags
    env = support.clean_env(CERTHOOK_X509_STRICT=value, CERTHOOK_DISABLED=disabled)
    done = support.run(installed, f"import certhook; {for_library(PRINT_FLAGS)}" if disabled else PRINT_FLAGS, env=env)
    assert done.stdout.split() == [str(expected), str(options)]
