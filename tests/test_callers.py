"""What a caller chose is what it is without certhook, to the root.

The same code runs in an environment with certhook and in one without, where the
operating system's store, the bundle and an extra certificate are all at hand.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import support

#: Run in an interpreter: what can be told of the context that each piece of code of CASES makes.
DESCRIBE = """
import contextlib, http.client, io, json, os, sys, urllib.request, warnings
import ssl
warnings.simplefilter("ignore", DeprecationWarning)
OWN = os.environ["OWN"]
DIRECTORY = os.environ["DIRECTORY"]
DATA = open(OWN).read()
DER = ssl.PEM_cert_to_DER_cert(DATA)

class Own(ssl.SSLContext):
    def set_default_verify_paths(self):
        self.load_verify_locations(OWN)

class OwnDefault(ssl.SSLContext):
    def load_default_certs(self, purpose=ssl.Purpose.SERVER_AUTH):
        self.load_verify_locations(OWN)

def bare(protocol=ssl.PROTOCOL_TLS_CLIENT, kind=ssl.SSLContext, then=lambda context: None):
    context = kind(protocol)
    then(context)
    return context

def keylog(**kwargs):
    os.environ["SSLKEYLOGFILE"] = os.path.join(DIRECTORY, "keys")
    try:
        return ssl.create_default_context(**kwargs)
    finally:
        del os.environ["SSLKEYLOGFILE"]

def https(context):
    assert http.client.HTTPSConnection("localhost", context=context)._context is context
    assert urllib.request.HTTPSHandler(context=context)._context is context
    return context

def describe(code):
    context = eval(code)
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

def outcome(code):
    try:
        eval(code)
    except Exception as error:
        return [type(error).__name__, str(error)]
    return None

json.dump([globals()[os.environ["ANSWER"]](code) for code in json.loads(os.environ["CASES"])], sys.stdout)
"""

NAMED = (
    "ssl.create_default_context(cafile=OWN)",
    "ssl.create_default_context(capath=DIRECTORY)",
    "ssl.create_default_context(cadata=DATA)",
    "ssl.create_default_context(cadata=DER)",
    "ssl.create_default_context(cafile=OWN, capath=DIRECTORY, cadata=DATA)",
    "ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=OWN)",
    "ssl.create_default_context(ssl.Purpose.SERVER_AUTH, capath=DIRECTORY)",
    "ssl._create_default_https_context(cafile=OWN)",
    "https(ssl.create_default_context(cafile=OWN))",
    "keylog(cafile=OWN)",
    "bare(then=lambda context: context.load_verify_locations(OWN))",
    "bare(then=lambda context: context.load_verify_locations(capath=DIRECTORY))",
    "bare(then=lambda context: context.load_verify_locations(cadata=DER))",
    "bare(ssl.PROTOCOL_TLS_SERVER, then=lambda context: context.load_verify_locations(OWN))",
)
NO_ROOTS = (
    "bare(ssl.PROTOCOL_TLS_CLIENT)",
    "bare(ssl.PROTOCOL_TLS_SERVER)",
    "bare(ssl.PROTOCOL_TLS)",
    "bare(ssl.PROTOCOL_TLSv1_2)",
    "https(bare())",
    "ssl._create_unverified_context()",
    "ssl._create_stdlib_context()",
    "ssl._create_unverified_context(purpose=ssl.Purpose.CLIENT_AUTH)",
    "ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)",
    "https(ssl._create_unverified_context())",
)
OVERRIDDEN = (
    "bare(kind=Own, then=lambda context: context.load_default_certs())",
    "bare(kind=Own, then=lambda context: context.load_default_certs(ssl.Purpose.CLIENT_AUTH))",
    "bare(kind=Own, then=lambda context: context.set_default_verify_paths())",
    "bare(kind=OwnDefault, then=lambda context: context.load_default_certs())",
)
CLIENT_AUTH = (
    "bare(ssl.PROTOCOL_TLS_SERVER, then=lambda context: context.load_default_certs(ssl.Purpose.CLIENT_AUTH))",
    "bare(ssl.PROTOCOL_TLS_CLIENT, then=lambda context: context.load_default_certs(ssl.Purpose.CLIENT_AUTH))",
    "ssl._create_unverified_context(cert_reqs=ssl.CERT_REQUIRED, purpose=ssl.Purpose.CLIENT_AUTH)",
)
DEFAULT = (
    "ssl.create_default_context()",
    "ssl._create_default_https_context()",
    "ssl.create_default_context(ssl.Purpose.SERVER_AUTH)",
    "ssl.create_default_context(purpose=ssl.Purpose.SERVER_AUTH, cafile=None, capath='', cadata=b'')",
    "ssl._create_unverified_context(cert_reqs=ssl.CERT_REQUIRED)",
    "keylog()",
    "http.client.HTTPSConnection('localhost')._context",
    "bare(then=lambda context: context.load_default_certs())",
    "bare(then=lambda context: context.load_default_certs(purpose=ssl.Purpose.SERVER_AUTH))",
    "bare(then=lambda context: context.set_default_verify_paths())",
)
WRONG = (
    "ssl.create_default_context(1)",
    "ssl.create_default_context(None)",
    "ssl.create_default_context('serverAuth')",
    "ssl.create_default_context(ssl.Purpose.SERVER_AUTH, OWN)",
    "ssl.create_default_context(cafile=1)",
    "ssl.create_default_context(cafile='/no/such/file')",
    "ssl.create_default_context(cafile=DIRECTORY)",
    "ssl.create_default_context(capath='/no/such/directory')",
    "ssl.create_default_context(cadata='nothing')",
    "ssl.create_default_context(cadata=b'nothing')",
    "ssl.create_default_context(cadata=1)",
    "ssl.create_default_context(file=OWN)",
    "ssl._create_default_https_context(1)",
    "bare().load_default_certs('x')",
    "bare().load_default_certs(None)",
    "bare().load_default_certs(purpose=1)",
    "bare().load_default_certs(ssl.Purpose)",
    "bare().load_default_certs(1, 2)",
    "bare().load_default_certs(what=1)",
    "ssl.SSLContext.load_default_certs()",
    "ssl.SSLContext.load_default_certs(1, 2, 3)",
    "bare().set_default_verify_paths(1)",
    "bare().set_default_verify_paths(what=1)",
    "ssl.SSLContext.set_default_verify_paths()",
    "ssl.SSLContext.set_default_verify_paths(object())",
    "bare().get_ca_certs(1, 2)",
    "bare().get_ca_certs(what=1)",
    "ssl.SSLContext.get_ca_certs()",
    "ssl.SSLContext.get_ca_certs(object())",
    "bare().cert_store_stats(1)",
    "ssl.SSLContext.cert_store_stats(object())",
    "bare().load_verify_locations()",
    "bare().load_verify_locations('/no/such/file')",
    "bare().load_verify_locations(cadata='')",
    "bare().load_verify_locations(1, 2, 3, 4)",
    "bare().load_verify_locations(what=1)",
    "ssl.SSLContext.load_verify_locations()",
    "ssl.SSLContext.load_verify_locations(object(), OWN)",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cas: support.Authorities) -> Path:
    """The files of a machine: a store, a bundle, an extra certificate, and the caller's own root in two shapes."""
    folder = tmp_path_factory.mktemp("callers")
    (folder / "system.pem").write_bytes(cas.pem("system", "both"))
    (folder / "bundle.pem").write_bytes(cas.pem("bundled", "both"))
    (folder / "extra.pem").write_bytes(cas.pem("extra"))
    (folder / "own.pem").write_bytes(cas.pem("stranger"))
    (folder / "directory").mkdir()
    (folder / "directory" / "own.pem").write_bytes(cas.pem("stranger"))
    subprocess.run(["openssl", "rehash", str(folder / "directory")], check=True)
    return folder


@pytest.fixture(scope="module")
def places(folder: Path) -> dict[str, str]:
    """Variables that name these files, without the extra certificate."""
    return {
        "SSL_CERT_FILE": str(folder / "system.pem"),
        "SSL_CERT_DIR": str(folder / "none"),
        "CERTHOOK_SOURCES": "system,bundled",
        "CERTHOOK_BUNDLE": str(folder / "bundle.pem"),
        "OWN": str(folder / "own.pem"),
        "DIRECTORY": str(folder / "directory"),
    }


@pytest.fixture(scope="module")
def extra(folder: Path) -> dict[str, str]:
    return {"CERTHOOK_EXTRA_CA_CERTS": str(folder / "extra.pem")}


def answers(python: Path, answer: str, cases: tuple[str, ...], variables: dict[str, str]) -> dict[str, Any]:
    """What the function *answer* of :data:`DESCRIBE` says of each of *cases*."""
    # Where SSL_CERT_DIR names nothing, that is warned of: it has its tests elsewhere.
    env = support.clean_env(**variables, ANSWER=answer, CASES=json.dumps(cases), PYTHONWARNINGS="ignore")
    return dict(zip(cases, json.loads(support.run(python, DESCRIBE, env=env).stdout)))


class Both(NamedTuple):
    """What two environments, one with certhook and one without, say of the same things."""

    hooked: dict[str, Any]
    stock: dict[str, Any]


def ask_both(installed: Path, plain: Path, *question: Any) -> Both:
    return Both(answers(installed, *question), answers(plain, *question))


@pytest.fixture(scope="module")
def untouched(installed, plain, places, extra) -> Both:
    return ask_both(installed, plain, "describe", NAMED + NO_ROOTS + OVERRIDDEN, {**places, **extra})


@pytest.fixture(scope="module")
def of_clients(installed, plain, places) -> Both:
    return ask_both(installed, plain, "describe", CLIENT_AUTH, places)


@pytest.fixture(scope="module")
def default(installed, plain, places, extra) -> Both:
    return ask_both(installed, plain, "describe", DEFAULT, {**places, **extra})


@pytest.fixture(scope="module")
def wrong(installed, plain, places, extra) -> Both:
    return ask_both(installed, plain, "outcome", WRONG, {**places, **extra})


@pytest.mark.parametrize("code", NAMED + NO_ROOTS + OVERRIDDEN)
def test_a_choice_of_the_callers_is_untouched(untouched, code) -> None:
    assert untouched.hooked[code] == untouched.stock[code]


@pytest.mark.parametrize("code", NAMED + OVERRIDDEN)
def test_these_callers_trust_their_own_root_alone(untouched, cas, code) -> None:
    own = [] if "capath=DIRECTORY)" in code else [cas.der("stranger").hex()]
    assert untouched.hooked[code]["roots"] == own  # A directory is read when a chain needs it.


@pytest.mark.parametrize("code", NO_ROOTS)
def test_who_asked_for_no_roots_has_none(untouched, code) -> None:
    assert untouched.hooked[code]["roots"] == []


@pytest.mark.parametrize("code", CLIENT_AUTH)
def test_roots_for_clients_are_the_systems(of_clients, cas, code) -> None:
    assert of_clients.hooked[code] == of_clients.stock[code]
    assert of_clients.hooked[code]["roots"] == sorted(cas.der(name).hex() for name in ("system", "both"))


@pytest.mark.parametrize("code", DEFAULT)
def test_a_default_context_differs_in_its_roots_alone(default, cas, code) -> None:
    hooked, stock = dict(default.hooked[code]), dict(default.stock[code])
    assert hooked["roots"] == sorted(cas.der(name).hex() for name in ("system", "bundled", "both", "extra"))
    assert stock["roots"] == sorted(cas.der(name).hex() for name in ("system", "both"))
    assert hooked["stats"] == {"x509": 4, "crl": 0, "x509_ca": 4}
    assert len(hooked["texts"]) == 4
    for name in "roots", "stats", "texts":
        del hooked[name], stock[name]
    assert hooked == stock


@pytest.mark.parametrize("code", WRONG)
def test_a_mistake_is_the_same_exception(wrong, code) -> None:
    assert wrong.stock[code] is not None or code in ACCEPTED
    # Up to Python 3.9, the text names the class of the context or the one that has the method.
    hooked, stock = (str(told[code]).replace("_SSLContext", "SSLContext") for told in (wrong.hooked, wrong.stock))
    assert hooked == stock


# OpenSSL takes a directory that does not exist for an empty one.
ACCEPTED = ("ssl.create_default_context(capath='/no/such/directory')",)


#: Run in an interpreter: whose clients a server accepts that asks for certificates with the context of CODE.
CLIENTS = """
import os, ssl
folder = os.environ["FOLDER"]

def accepted(server_context, name):
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    client_context.load_cert_chain(os.path.join(folder, name + "-client.pem"))
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(back, there)
    server = server_context.wrap_bio(there, back, server_side=True)
    done = False
    for _ in range(5):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        try:
            server.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError:
            return "no"
    return "yes" if done and server.getpeercert() else "unfinished"

exec(os.environ["CODE"])
context.verify_mode = ssl.CERT_REQUIRED
context.load_cert_chain(os.path.join(folder, "stranger-client.pem"))
print(*(name + ":" + accepted(context, name) for name in os.environ["NAMES"].split()))
"""

#: How a server gets the roots that it verifies clients with.
ROOTS_FOR_CLIENTS = (
    # It gives none by itself, as it does not ask for certificates of clients.
    "context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)\n"
    "context.load_default_certs(ssl.Purpose.CLIENT_AUTH)",
    "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\ncontext.load_default_certs(purpose=ssl.Purpose.CLIENT_AUTH)",
    # No purpose is named, or the wrong one: a server verifies clients all the same.
    "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\ncontext.set_default_verify_paths()",
    "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\ncontext.load_default_certs()",
    # Before Python 3.10, it is of no protocol that says so.
    "context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)\ncontext.set_default_verify_paths()",
    "context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)\ncontext.load_default_certs()",
)


@pytest.fixture(scope="module")
def clients(folder: Path, cas: support.Authorities) -> Path:
    """A client's certificate and key from each of the authorities."""
    for name in cas.names:
        issued = getattr(cas, name).issue_cert("client@localhost")
        parts = [issued.private_key_pem, *issued.cert_chain_pems]
        (folder / f"{name}-client.pem").write_bytes(b"".join(part.bytes() for part in parts))
    return folder


@pytest.mark.parametrize("way", ["lazy", "eager"])
@pytest.mark.parametrize("code", ROOTS_FOR_CLIENTS)
def test_a_server_accepts_clients_of_the_system_and_never_of_the_bundle(
    installed, plain, places, extra, clients, code, way
) -> None:
    given = {**places, **extra, "CODE": code, "FOLDER": str(clients), "NAMES": " ".join(support.Authorities.names)}
    env = support.clean_env(**given, CERTHOOK_LOAD=way, PYTHONWARNINGS="ignore")
    hooked = support.verdicts(support.run(installed, CLIENTS, env=env).stdout)
    assert hooked == {"system": True, "bundled": False, "both": True, "extra": True, "stranger": False}
    stock = support.verdicts(support.run(plain, CLIENTS, env=env).stdout)
    assert stock == {**hooked, "extra": False}


#: Run in an interpreter: what can be told of the functions that certhook wraps.
FUNCTIONS = """
import inspect, json, pickle, pydoc, ssl, sys
told = {}
IN_PYTHON = "create_default_context", "_create_default_https_context", "load_default_certs"

def pickles(function):
    try:
        return pickle.loads(pickle.dumps(function)) is function
    except pickle.PicklingError as error:
        return str(error)

for owner, name in (
    (ssl, "create_default_context"),
    (ssl, "_create_default_https_context"),
    (ssl.SSLContext, "load_default_certs"),
    (ssl.SSLContext, "set_default_verify_paths"),
    (ssl.SSLContext, "get_ca_certs"),
    (ssl.SSLContext, "cert_store_stats"),
    (ssl.SSLContext, "load_verify_locations"),
):
    function = getattr(owner, name)
    told[name] = {
        "signature": str(inspect.signature(function)),
        "of a context": str(inspect.signature(getattr(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), name)))
        if owner is not ssl
        else None,
        "doc": function.__doc__,
        "inspected": inspect.getdoc(function),
        "name": function.__name__,
        # Of a method written in C, pydoc says that it is one.
        "help": name in IN_PYTHON and pydoc.plain(pydoc.render_doc(function)).split("\\n", 2)[2],
        "pickled": pickles(function),
    }
told["class"] = {
    "names": sorted(name for name in dir(ssl.SSLContext)),
    "bases": [base.__name__ for base in ssl.SSLContext.__mro__],
    "alias": ssl._create_default_https_context is ssl.create_default_context,
    "module": sorted(name for name in dir(ssl) if not name.startswith("__")),
}
json.dump(told, sys.stdout)
"""


@pytest.fixture(scope="module")
def functions(installed, plain) -> Both:
    return Both(json.loads(support.run(installed, FUNCTIONS).stdout), json.loads(support.run(plain, FUNCTIONS).stdout))


@pytest.mark.parametrize(
    "name",
    [
        "create_default_context",
        "_create_default_https_context",
        "load_default_certs",
        "set_default_verify_paths",
        "get_ca_certs",
        "cert_store_stats",
        "load_verify_locations",
        "class",
    ],
)
def test_signature_help_and_pickle_are_the_real_functions(functions, name) -> None:
    assert functions.hooked[name] == functions.stock[name]


def test_a_subclass_may_add_to_default_trust(installed, places, cas) -> None:
    code = """
import os, ssl
class Context(ssl.SSLContext):
    def set_default_verify_paths(self):
        super().set_default_verify_paths()
        self.load_verify_locations(os.environ["OWN"])
for purpose in ssl.Purpose.SERVER_AUTH, ssl.Purpose.CLIENT_AUTH:
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs(purpose)
    print(*sorted(der.hex() for der in context.get_ca_certs(binary_form=True)))
"""
    env = support.clean_env(**places, PYTHONWARNINGS="ignore")
    of_servers, of_clients = support.run(installed, code, env=env).stdout.splitlines()
    assert set(of_servers.split()) == {cas.der(name).hex() for name in ("system", "bundled", "both", "stranger")}
    assert set(of_clients.split()) == {cas.der(name).hex() for name in ("system", "both", "stranger")}


@pytest.mark.parametrize("first", ["own", "default"])
def test_default_trust_and_roots_of_the_callers_add_up(installed, places, cas, first) -> None:
    code = """
import os, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
own, default = lambda: context.load_verify_locations(os.environ["OWN"]), context.load_default_certs
for load in (own, default) if os.environ["FIRST"] == "own" else (default, own):
    load()
print(*sorted(der.hex() for der in context.get_ca_certs(binary_form=True)))
"""
    env = support.clean_env(**places, FIRST=first, PYTHONWARNINGS="ignore")
    roots = support.run(installed, code, env=env).stdout.split()
    assert roots == sorted(cas.der(name).hex() for name in ("system", "bundled", "both", "stranger"))


FLAGS = "import ssl; context = ssl.create_default_context(); print(int(context.verify_flags), int(context.options))"


@pytest.mark.parametrize(("value", "cleared"), [("0", True), ("off", True), ("1", False), ("", False)])
def test_x509_strict_clears_that_flag_alone(installed, plain, places, value, cleared) -> None:
    env = support.clean_env(**places, PYTHONWARNINGS="ignore", CERTHOOK_X509_STRICT=value)
    strict = 0x20 if cleared else 0  # VERIFY_X509_STRICT, which create_default_context() asks for since Python 3.13.
    stock, options = map(int, support.run(plain, FLAGS, env=env).stdout.split())
    assert bool(stock & 0x20) == (sys.version_info >= (3, 13))
    assert support.run(installed, FLAGS, env=env).stdout.split() == [str(stock & ~strict), str(options)]


#: Run in an interpreter: `import ssl`, two contexts with default trust, one with the caller's roots.
THREE_CONTEXTS = """
import os, ssl, certhook
print("imported")
for make in ssl.create_default_context, ssl.create_default_context, lambda: ssl.create_default_context(cafile=OWN):
    try:
        make()
    except (certhook.CerthookError, certhook.CerthookWarning) as error:
        print(type(error).__name__, error)
    else:
        print("made")
"""


def three_contexts(installed: Path, places: dict[str, str], *flags: str, **variables: str) -> list[str]:
    code = THREE_CONTEXTS.replace("OWN", "os.environ['OWN']")
    return support.run(installed, code, *flags, env=support.clean_env(**{**places, **variables})).stdout.splitlines()


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({"CERTHOOK_MODE": "sometimes"}, "ConfigurationError CERTHOOK_MODE: 'sometimes' is not allowed; "),
        ({"CERTHOOK_SOURCES": "sytem"}, "ConfigurationError CERTHOOK_SOURCES: "),
        ({"SSL_CERT_FILE": "/no/such/file"}, "ConfigurationError SSL_CERT_FILE: /no/such/file "),
        ({"SSL_CERT_FILE": "{folder}/broken.pem"}, "SourceError {folder}/broken.pem: the certificate at line 1 "),
    ],
)
def test_errors_are_raised_where_a_context_asks_if_so_wanted(installed, places, folder, variables, error) -> None:
    broken = b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n"
    (folder / "broken.pem").write_bytes(broken + (folder / "system.pem").read_bytes())
    variables = {name: value.format(folder=folder) for name, value in variables.items()}
    variables.setdefault("SSL_CERT_DIR", str(folder / "directory"))
    imported, *outcomes = three_contexts(installed, places, CERTHOOK_ON_ERROR="raise", **variables)
    assert imported == "imported"
    assert [outcome.startswith(error.format(folder=folder)) for outcome in outcomes[:2]] == [True, True], outcomes
    assert outcomes[2] == "made"


def test_warnings_as_errors_are_raised_where_a_context_asks(installed, places) -> None:
    outcomes = three_contexts(installed, places, "-W", "error", SSL_CERT_DIR="", CERTHOOK_MODE="sometimes")
    assert outcomes[0] == "imported"
    assert outcomes[1].startswith("CerthookWarning ")
    assert outcomes[3] == "made"


def test_a_warning_ends_no_program(installed, places) -> None:
    assert three_contexts(installed, places, CERTHOOK_MODE="sometimes") == ["imported", "made", "made", "made"]


ASKING = (
    "ssl.create_default_context()",
    "ssl._create_default_https_context()",
    "ssl._create_unverified_context(cert_reqs=ssl.CERT_REQUIRED)",
    "context.load_default_certs()",
    "context.load_default_certs(ssl.Purpose.CLIENT_AUTH)",
    "context.set_default_verify_paths()",
)


@pytest.mark.parametrize("code", ASKING)
def test_a_warning_points_at_the_callers_line_once(installed, places, tmp_path, code) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import ssl\n"
        "context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"
        "def main():\n"
        f"    {code}\n"
        "for _ in range(3):\n"
        "    main()\n"
    )
    env = support.clean_env(**places, CERTHOOK_MODE="sometimes", PYTHONWARNINGS="always")
    env["SSL_CERT_DIR"] = places["DIRECTORY"]
    done = subprocess.run([str(installed), str(program)], env=env, capture_output=True, text=True, timeout=60)
    warned, line = done.stderr.splitlines()
    assert warned.startswith(f"{program}:4: CerthookWarning: CERTHOOK_MODE: 'sometimes' is not allowed; ")
    assert line.strip() == code


FAILING = """
import json, os, sys, warnings
import ssl
import certhook._sources
def collect(*args, **kwargs):
    raise RuntimeError("a fault of certhook's own")
certhook._sources.collect = collect
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    context = ssl.create_default_context()
    ssl.create_default_context()
    clients = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    clients.load_default_certs(ssl.Purpose.CLIENT_AUTH)
roots = [sorted(der.hex() for der in c.get_ca_certs(binary_form=True)) for c in (context, clients)]
json.dump([roots, [str(warning.message) for warning in caught]], sys.stdout)
"""


def test_where_certhook_fails_there_is_pythons_own_default_trust(installed, places, cas) -> None:
    env = support.clean_env(**places, CERTHOOK_LOAD="eager")
    roots, messages = json.loads(support.run(installed, FAILING, env=env).stdout)
    assert roots == [sorted(cas.der(name).hex() for name in ("system", "both"))] * 2
    (message,) = messages
    assert message.startswith("certhook failed")
    assert "what Python gives without it: RuntimeError(" in message


def test_where_certhook_fails_and_errors_are_to_be_raised_there_is_no_context(installed, places) -> None:
    code = (
        FAILING.partition("with warnings")[0]
        + """
try:
    ssl.create_default_context()
except certhook.CerthookError as error:
    print(error)
"""
    )
    env = support.clean_env(**places, CERTHOOK_LOAD="eager", CERTHOOK_ON_ERROR="raise")
    assert support.run(installed, code, env=env).stdout.startswith("certhook failed: RuntimeError(")
