"""Problems are reported when a context requests trust: as warnings at the caller's line, or as exceptions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import support

#: A program that imports ssl and creates two contexts with default trust, and one with the caller's roots.
CREATE_CONTEXTS = """
import os, ssl, certhook
print("imported")
for arguments in ({}, {}, {"cafile": os.environ["OWN"]}):
    try:
        ssl.create_default_context(**arguments)
    except (certhook.CerthookError, certhook.CerthookWarning) as error:
        print(type(error).__name__, error)
    else:
        print("created")
"""


@pytest.fixture
def create_contexts(installed, machine, locations):
    """Return a function that runs :data:`CREATE_CONTEXTS` and returns the lines that it prints."""

    def create(*flags: str, **variables: str) -> list[str]:
        env = support.clean_env(**{**locations, "OWN": str(machine / "stranger.pem"), **variables})
        return support.run(installed, CREATE_CONTEXTS, *flags, env=env).stdout.splitlines()

    return create


@pytest.fixture(scope="module")
def damaged(machine: Path) -> Path:
    """Return a PEM file whose first certificate is invalid."""
    path = machine / "damaged.pem"
    invalid = b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n"
    path.write_bytes(invalid + (machine / "system.pem").read_bytes())
    return path


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("CERTHOOK_MODE", "sometimes", "ConfigurationError CERTHOOK_MODE: invalid value 'sometimes' "),
        ("CERTHOOK_SOURCES", "sytem", "ConfigurationError CERTHOOK_SOURCES: 'sytem' contains 'sytem' "),
        ("SSL_CERT_FILE", "/no/such/file", "ConfigurationError SSL_CERT_FILE: /no/such/file "),
        ("SSL_CERT_FILE", "{damaged}", "SourceError {damaged}: the certificate at line 1 "),
    ],
)
def test_with_on_error_raise_every_request_for_default_trust_raises(
    create_contexts, damaged, name, value, error
) -> None:
    variables = {name: value.format(damaged=damaged)}
    first, *outcomes, last = create_contexts(CERTHOOK_ON_ERROR="raise", **variables)
    assert first == "imported"
    assert len(outcomes) == 2
    assert all(outcome.startswith(error.format(damaged=damaged)) for outcome in outcomes), outcomes
    assert last == "created"


def test_warnings_as_errors_are_raised_by_the_request_for_default_trust(create_contexts) -> None:
    imported, first, _, last = create_contexts("-W", "error", CERTHOOK_MODE="sometimes")
    assert imported == "imported"
    assert first.startswith("CerthookWarning CERTHOOK_MODE: ")
    assert last == "created"


def test_a_warning_does_not_end_the_program(create_contexts) -> None:
    assert create_contexts(CERTHOOK_MODE="sometimes") == ["imported", "created", "created", "created"]


REQUESTS = (
    "ssl.create_default_context()",
    "ssl._create_default_https_context()",
    "ssl._create_unverified_context(cert_reqs=ssl.CERT_REQUIRED)",
    "context.load_default_certs()",
    "context.load_default_certs(ssl.Purpose.CLIENT_AUTH)",
    "context.set_default_verify_paths()",
    "certhook.create_default_context()",
    "certhook.load_default_certs(context)",
)


@pytest.mark.parametrize("request_code", REQUESTS)
def test_a_problem_is_reported_once_at_the_callers_line(installed, locations, tmp_path, request_code) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import certhook, ssl\n"
        "context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"
        "def main():\n"
        f"    {request_code}\n"
        "for _ in range(3):\n"
        "    main()\n"
    )
    env = support.clean_env(**locations, CERTHOOK_MODE="sometimes", PYTHONWARNINGS="always")
    if request_code.startswith("certhook."):
        env["CERTHOOK_DISABLED"] = "1"
    done = support.run_command(installed, program, env=env)
    warning, line = done.stderr.splitlines()
    assert warning.startswith(f"{program}:4: CerthookWarning: CERTHOOK_MODE: invalid value 'sometimes' ")
    assert line.strip() == request_code


#: Reading the sources raises an exception that certhook does not expect.
BREAK_CERTHOOK = """
import certhook._sources
def read_trust_set(*args, **kwargs):
    raise RuntimeError("a bug")
certhook._sources.read_trust_set = read_trust_set
"""


#: The statements that create the contexts of a program with the hook, and of a library without it.
CLIENT_AND_SERVER = {
    "": """
    client = ssl.create_default_context()
    ssl.create_default_context()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_default_certs(ssl.Purpose.CLIENT_AUTH)
""",
    "1": """
    client = certhook.create_default_context()
    certhook.create_default_context()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certhook.load_default_certs(server, ssl.Purpose.CLIENT_AUTH)
""",
}


@pytest.mark.parametrize("disabled", CLIENT_AND_SERVER, ids=["with the hook", "without the hook"])
def test_if_certhook_fails_contexts_have_the_roots_of_stock_python_and_a_warning(
    installed, locations, cas, disabled
) -> None:
    code = f"""
import certhook, json, ssl, sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always"){CLIENT_AND_SERVER[disabled]}
roots = [sorted(der.hex() for der in context.get_ca_certs(binary_form=True)) for context in (client, server)]
json.dump([roots, [str(warning.message) for warning in caught]], sys.stdout)
"""
    env = support.clean_env(**locations, CERTHOOK_LOAD="eager", CERTHOOK_DISABLED=disabled)
    roots, messages = json.loads(support.run(installed, BREAK_CERTHOOK + code, env=env).stdout)
    assert roots == [sorted(cas.der(name).hex() for name in ("system", "both"))] * 2
    (message,) = messages
    assert message.startswith("internal error, the context has the roots of stock Python: RuntimeError('a bug')")


@pytest.mark.parametrize("disabled", ["", "1"], ids=["with the hook", "without the hook"])
def test_with_on_error_raise_a_failure_of_certhook_is_raised(installed, locations, disabled) -> None:
    code = f"""
import certhook, ssl
try:
    {"certhook" if disabled else "ssl"}.create_default_context()
except certhook.CerthookError as error:
    print(error)
"""
    env = support.clean_env(**locations, CERTHOOK_LOAD="eager", CERTHOOK_ON_ERROR="raise", CERTHOOK_DISABLED=disabled)
    assert support.run(installed, BREAK_CERTHOOK + code, env=env).stdout == "internal error: RuntimeError('a bug')\n"


#: The module that applies default trust cannot be imported: certhook was uninstalled, or no file descriptor is left.
WITHOUT_TRUST = "import sys; sys.modules['certhook._trust'] = None\n"


@pytest.mark.parametrize(
    ("variables", "trusts_bundle"),
    [
        ({}, True),
        ({"CERTHOOK_SOURCES": "system"}, False),
        # Another bundle replaces the one that the caller names.
        ({"CERTHOOK_BUNDLE": "{machine}/bundle.pem"}, False),
    ],
)
def test_a_failure_of_certhook_does_not_load_a_public_bundle_that_the_settings_exclude(
    installed, machine, variables, trusts_bundle
) -> None:
    code = (
        "import certifi, ssl; print(ssl.create_default_context(cafile=certifi.where()).cert_store_stats()['x509'] > 0)"
    )
    env = support.clean_env(**{name: value.format(machine=machine) for name, value in variables.items()})
    assert support.run(installed, WITHOUT_TRUST + code, env=env).stdout == f"{trusts_bundle}\n"


def test_with_on_error_raise_a_failure_is_raised_for_a_public_bundle(installed) -> None:
    code = """
import certhook, certifi, ssl
try:
    ssl.create_default_context(cafile=certifi.where())
except certhook.CerthookError as error:
    print(error)
"""
    done = support.run(installed, WITHOUT_TRUST + code, env=support.clean_env(CERTHOOK_ON_ERROR="raise"))
    assert done.stdout.startswith("internal error: ")


@pytest.mark.parametrize("call", ["load_default_certs()", "load_verify_locations(FILE)"])
def test_a_missing_module_for_the_strict_setting_does_not_break_contexts(installed, locations, call) -> None:
    code = f"""
import os, ssl, sys, warnings
sys.modules["certhook._strict"] = None
FILE = os.environ["SSL_CERT_FILE"]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.{call}
assert context.get_ca_certs()
print(*(warning.message for warning in caught))
"""
    env = support.clean_env(**locations, CERTHOOK_X509_STRICT="0")
    assert support.run(installed, code, env=env).stdout.startswith(
        "internal error, CERTHOOK_X509_STRICT has no effect: "
    )
