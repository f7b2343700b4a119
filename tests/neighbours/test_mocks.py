"""Tools of other people's tests, which patch ssl and its clients for a while: what is left is certhook's again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asking import BOTH, SYSTEM, expected

CLIENTS = "default urllib requests"

#: What there is in ssl before and after, and a tool's patch between.
PATCHED = """
import http.client, logging, os, ssl
from unittest import mock
import ask, pytest, requests, responses, vcr
from pytest_httpserver import HTTPServer

def inside():
    return {{id(owner): dict(vars(owner)) for owner in (ssl, ssl.SSLContext, http.client.HTTPSConnection)}}

def serving():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CERTIFICATE"])
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # It logs each request.
    return HTTPServer(ssl_context=context)

def by_alias(port):
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/")
    return connection.getresponse().read()

def through(function):
    return mock.Mock(side_effect=function)

URL = "https://127.0.0.1:%d/" % ask.ports()["bundled"]
before = inside()
with {tool} as patched:
    {within}
assert inside() == before
ask.say(*{clients!r}.split())
"""

#: A tool's context manager, and what happens in it, with something to show that it works.
TOOLS = {
    "mock.patch": ('mock.patch("ssl.create_default_context")', "print(ssl.create_default_context() is patched())"),
    "mock.patch, autospec": (
        'mock.patch("ssl.create_default_context", autospec=True)',
        'print(ssl.create_default_context(cafile="x") is patched.return_value, patched.mock_calls)',
    ),
    "mock.patch, wraps": (
        'mock.patch("ssl.create_default_context", wraps=ssl.create_default_context)',
        "ask.default(ask.ports()['system']); print(patched.call_count)",
    ),
    "mock.patch, the class": (
        'mock.patch("ssl.SSLContext")',
        "print(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) is patched.return_value)",
    ),
    "mock.patch, the alias": (
        'mock.patch("ssl._create_default_https_context", ssl._create_unverified_context)',
        # Not urlopen(): since Python 3.13, it keeps the context that it made first.
        "print(by_alias(ask.ports()['stranger']))",
    ),
    "mock.patch.object, autospec of a method": (
        'mock.patch.object(ssl.SSLContext, "load_default_certs", autospec=True)',
        "ssl.create_default_context(); print(len(patched.mock_calls))",
    ),
    "mock.patch.object, a method of the C class": (
        'mock.patch.object(ssl.SSLContext, "load_verify_locations")',
        "ssl.create_default_context(cafile='/no/such/file'); print(patched.mock_calls)",
    ),
    "mock.patch.object, set_default_verify_paths": (
        'mock.patch.object(ssl.SSLContext, "set_default_verify_paths", through(lambda: None))',
        "ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_default_verify_paths(); print(patched.call_count)",
    ),
    "mock.patch.multiple": (
        'mock.patch.multiple("ssl", get_default_verify_paths=mock.DEFAULT, create_default_context=mock.DEFAULT)',
        "print(sorted(patched), ssl.get_default_verify_paths() is patched['get_default_verify_paths'].return_value)",
    ),
    "pytest.MonkeyPatch": (
        "pytest.MonkeyPatch.context()",
        "patched.setattr(ssl.SSLContext, 'load_verify_locations', lambda *a, **k: print('called', a[1:], k)); "
        "patched.setattr(ssl, 'create_default_context', None); "
        "ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations('x')",
    ),
    "responses": (
        "responses.RequestsMock()",
        "patched.add(responses.GET, URL, body='mocked'); print(requests.get(URL).text)",
    ),
    "vcrpy": (
        "vcr.use_cassette(os.environ['CASSETTE'])",
        "print(requests.get(URL).text, requests.get(URL).text, patched.play_count, len(patched))",
    ),
    "pytest-httpserver": (
        "serving()",
        "patched.expect_request('/').respond_with_data('hello'); "
        "print(ask.default(patched.port), ask.urllib(patched.port))",
    ),
}


@pytest.fixture(scope="module")
def certificate(cas, tmp_path_factory) -> Path:
    """A certificate of the system's authority and its key, for a server."""
    issued = cas.system.issue_cert("127.0.0.1")
    path = tmp_path_factory.mktemp("server") / "certificate.pem"
    path.write_bytes(b"".join(part.bytes() for part in (issued.private_key_pem, *issued.cert_chain_pems)))
    return path


@pytest.mark.parametrize("tool", TOOLS)
def test_patched_and_unpatched_certhooks_functions_are_back(run, certificate, tmp_path, tool) -> None:
    context, within = TOOLS[tool]
    code = PATCHED.format(tool=context, within=within, clients=CLIENTS)
    told = {}
    for hooked in True, False:
        files = {"CERTIFICATE": str(certificate), "CASSETTE": str(tmp_path / f"{hooked}.yaml")}
        told[hooked] = run(code, hooked=hooked, **files).told
    assert told[True][-3:] == [f"{client} system:yes bundled:yes stranger:no" for client in CLIENTS.split()]
    assert told[False][-3] == "default system:yes bundled:no stranger:no"
    assert told[True][:-3] == told[False][:-3]
    assert told[True][:-3], "the tool shows that it worked"


#: What happens while a tool holds on to certhook's function, and what there is when it put that back.
UNDER_A_PATCH = {
    "uninstalled": ("certhook.uninstall()", SYSTEM),
    "uninstalled, and installed again": ("certhook.uninstall(); certhook.install()", BOTH),
    "installed twice": ("certhook.install(); certhook.install()", BOTH),
}


@pytest.mark.parametrize("name", ["create_default_context", "SSLContext.load_default_certs"])
@pytest.mark.parametrize("done", UNDER_A_PATCH)
def test_what_is_done_under_a_patch_holds_after_it(run, done, name) -> None:
    meanwhile, trust = UNDER_A_PATCH[done]
    code = f"""
from unittest import mock
import ask, certhook, ssl
with mock.patch("ssl.{name}"):
    {meanwhile}
ask.say("default", "urllib")
"""
    assert run(code).trusted == expected("default urllib", trust)


#: What tools ask of the functions, besides signature, help and pickle (see test_callers.py).
ASKED_OF_FUNCTIONS = (
    "inspect.signature(ssl.get_default_verify_paths)",
    "inspect.getsource(ssl.create_default_context)",
    "inspect.getsource(ssl.SSLContext.load_default_certs)",
    "inspect.getmodule(ssl.create_default_context)",
    "typing.get_type_hints(ssl.create_default_context)",
    "pickle.loads(pickle.dumps(functools.partial(ssl.create_default_context, cadata=None))).keywords",
    "copy.copy(ssl.create_default_context) is copy.deepcopy(ssl.create_default_context) is ssl.create_default_context",
    "(wrapped.__name__, wrapped.__qualname__, wrapped.__module__, wrapped.__wrapped__ is ssl.create_default_context)",
    "inspect.signature(wrapped)",
    "error(mock.create_autospec(ssl.create_default_context), no=1)",
    "error(mock.create_autospec(ssl.SSLContext.load_default_certs), 1, 2, 3)",
    "sorted(dir(mock.create_autospec(ssl.SSLContext)))",
)
TELL = """
import copy, functools, inspect, json, os, pickle, ssl, typing
from unittest import mock
import ask

@functools.wraps(ssl.create_default_context)
def wrapped(*args, **kwargs):
    return ssl.create_default_context(*args, **kwargs)

def error(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except TypeError as error:
        return error

for code in json.loads(os.environ["CODES"]):
    print(json.dumps([code, repr(eval(code))]))
for make in wrapped, functools.partial(ssl.create_default_context), copy.copy(ssl.create_default_context):
    client = lambda port: ask.handshake(port, make())
    client.__name__ = "client"
    ask.say(client)
"""


def test_tools_see_the_real_functions_and_what_they_make_of_them_trusts_both(run) -> None:
    found, stock = (run(TELL, hooked=hooked, CODES=json.dumps(ASKED_OF_FUNCTIONS)).told for hooked in (True, False))
    assert found[:-3] == stock[:-3]
    assert found[-3:] == ["client system:yes bundled:yes stranger:no"] * 3
    assert stock[-3:] == ["client system:yes bundled:no stranger:no"] * 3
