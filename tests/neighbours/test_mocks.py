"""Test tools that patch ssl and its clients temporarily: afterwards, certhook's functions are in place again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runner import BOTH, SYSTEM, expected, expected_lines

CLIENTS = "default urllib requests"

#: Compares the attributes of ssl before and after a tool's patch.
PATCH_AND_COMPARE = """
import http.client, logging, os, ssl
from unittest import mock
import probe, pytest, requests, responses, vcr
from pytest_httpserver import HTTPServer

def attributes():
    return {{id(owner): dict(vars(owner)) for owner in (ssl, ssl.SSLContext, http.client.HTTPSConnection)}}

def https_server():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CERTIFICATE"])
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # It logs every request.
    return HTTPServer(ssl_context=context)

def request_with_http_client(port):
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/")
    return connection.getresponse().read()

def mock_calling(function):
    return mock.Mock(side_effect=function)

URL = "https://127.0.0.1:%d/" % probe.ports()["bundled"]
before = attributes()
with {tool} as patched:
    {body}
assert attributes() == before
probe.print_verdicts(*{clients!r}.split())
"""

#: A tool's context manager, and code that runs in it and prints evidence of the patch.
TOOLS = {
    "mock.patch": ('mock.patch("ssl.create_default_context")', "print(ssl.create_default_context() is patched())"),
    "mock.patch, autospec": (
        'mock.patch("ssl.create_default_context", autospec=True)',
        'print(ssl.create_default_context(cafile="x") is patched.return_value, patched.mock_calls)',
    ),
    "mock.patch, wraps": (
        'mock.patch("ssl.create_default_context", wraps=ssl.create_default_context)',
        "probe.default(probe.ports()['system']); print(patched.call_count)",
    ),
    "mock.patch, the class": (
        'mock.patch("ssl.SSLContext")',
        "print(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) is patched.return_value)",
    ),
    "mock.patch, the alias": (
        'mock.patch("ssl._create_default_https_context", ssl._create_unverified_context)',
        # Not urlopen(), which keeps its first context since Python 3.13.
        "print(request_with_http_client(probe.ports()['stranger']))",
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
        'mock.patch.object(ssl.SSLContext, "set_default_verify_paths", mock_calling(lambda: None))',
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
        "https_server()",
        "patched.expect_request('/').respond_with_data('hello'); "
        "print(probe.default(patched.port), probe.urllib(patched.port))",
    ),
}


@pytest.fixture(scope="module")
def certificate(cas, tmp_path_factory) -> Path:
    """A server certificate issued by *system*, with its private key."""
    issued = cas.system.issue_cert("127.0.0.1")
    path = tmp_path_factory.mktemp("server") / "certificate.pem"
    path.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    return path


@pytest.mark.parametrize("tool", TOOLS)
def test_after_a_patch_ends_certhooks_functions_are_in_place_again(run, certificate, tmp_path, tool) -> None:
    context, body = TOOLS[tool]
    code = PATCH_AND_COMPARE.format(tool=context, body=body, clients=CLIENTS)
    outputs = {}
    for hooked in True, False:
        files = {"CERTIFICATE": str(certificate), "CASSETTE": str(tmp_path / f"{hooked}.yaml")}
        outputs[hooked] = run(code, hooked=hooked, **files).output
    assert outputs[True][-3:] == expected_lines(CLIENTS, BOTH)
    assert outputs[False][-3:-2] == expected_lines("default", SYSTEM)
    assert outputs[True][:-3] == outputs[False][:-3]
    assert outputs[True][:-3], "the tool printed no evidence of its patch"


#: Code that runs while certhook's function is patched, and the trust after the patch ends.
DURING_A_PATCH = {
    "uninstalled": ("certhook.uninstall()", SYSTEM),
    "uninstalled, and installed again": ("certhook.uninstall(); certhook.install()", BOTH),
    "installed twice": ("certhook.install(); certhook.install()", BOTH),
}


@pytest.mark.parametrize("name", ["create_default_context", "SSLContext.load_default_certs"])
@pytest.mark.parametrize("change", DURING_A_PATCH)
def test_a_change_during_a_patch_is_effective_afterwards(run, change, name) -> None:
    statement, trust = DURING_A_PATCH[change]
    code = f"""
from unittest import mock
import probe, certhook, ssl
with mock.patch("ssl.{name}"):
    {statement}
probe.print_verdicts("default", "urllib")
"""
    assert run(code).verdicts == expected("default urllib", trust)


#: Expressions that tools evaluate, besides signatures, help and pickle (see test_callers.py).
EXPRESSIONS = (
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
EVALUATE = """
import copy, functools, inspect, json, os, pickle, ssl, typing
from unittest import mock
import probe

@functools.wraps(ssl.create_default_context)
def wrapped(*args, **kwargs):
    return ssl.create_default_context(*args, **kwargs)

def error(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except TypeError as error:
        return error

for code in json.loads(os.environ["EXPRESSIONS"]):
    print(json.dumps([code, repr(eval(code))]))
for make in wrapped, functools.partial(ssl.create_default_context), copy.copy(ssl.create_default_context):
    client = lambda port: probe.handshake(port, make())
    client.__name__ = "client"
    probe.print_verdicts(client)
"""


def test_tools_see_the_original_functions_and_their_copies_trust_both(run) -> None:
    lines, stock = (
        run(EVALUATE, hooked=hooked, EXPRESSIONS=json.dumps(EXPRESSIONS)).output for hooked in (True, False)
    )
    assert lines[:-3] == stock[:-3]
    assert lines[-3:] == expected_lines("client client client", BOTH)
    assert stock[-3:] == expected_lines("client client client", SYSTEM)
