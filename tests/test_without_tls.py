"""A Python without TLS or with a restricted OpenSSL: contexts as in stock Python, and one clear message."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import support

# Python without TLS.

#: As in Pyodide: ssl can be imported, and contexts exist without any function of OpenSSL.
STUB = """
import sys, types
sys.modules["_ssl"] = stub = types.ModuleType("_ssl")
stub._SSLContext = type("_SSLContext", (), {})
sys.modules["ssl"] = ssl = types.ModuleType("ssl")
ssl.SSLContext = type("SSLContext", (stub._SSLContext,), {"__module__": "ssl"})
"""
MISSING = "import sys; sys.modules['_ssl'] = sys.modules['ssl'] = None\n"

USES = {
    "status": "from certhook.cli import main; sys.exit(main([]))",
    "check": "from certhook.cli import main; sys.exit(main(['check', 'localhost:1']))",
    "list": "from certhook.cli import main; sys.exit(main(['list']))",
    "trust_set": "import certhook\ntry: certhook.trust_set()\n"
    "except certhook.CerthookError as e: sys.exit(f'certhook: {e}')",
    "create_default_context": "import certhook\ntry: certhook.create_default_context()\n"
    "except certhook.CerthookError as e: sys.exit(f'certhook: {e}')",
    "load_default_certs": "import certhook\ntry: certhook.load_default_certs(object())\n"
    "except certhook.CerthookError as e: sys.exit(f'certhook: {e}')",
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("python", [STUB, MISSING], ids=["stub", "missing module"])
def test_without_tls_one_line_reports_that_there_is_none(installed, python, use) -> None:
    done = support.run(installed, python + USES[use], check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("certhook: this Python has no TLS: ")
    assert done.stderr.count("\n") == 1


# FIPS.


@pytest.fixture(scope="module")
def fips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an OpenSSL configuration that requires FIPS algorithms without a FIPS provider."""
    path = tmp_path_factory.mktemp("fips") / "openssl.cnf"
    path.write_text("""
openssl_conf = init
[init]
alg_section = algorithms
providers = providers
[algorithms]
default_properties = fips=yes
[providers]
default = default
[default]
activate = 1
""")
    return path


#: Prints the error of an attempt to create a context, and nothing if OpenSSL ignores the configuration.
CREATE = """
import ssl
try:
    ssl.create_default_context()
except ssl.SSLError as error:
    print(error)
"""


def test_with_fips_and_no_provider_a_context_fails_as_in_stock_python(installed, fips) -> None:
    outputs = [
        support.run(installed, CREATE, env=support.clean_env(OPENSSL_CONF=str(fips), **variables))
        for variables in ({}, {"CERTHOOK_DISABLED": "1"})
    ]
    assert outputs[0].stdout == outputs[1].stdout
    assert outputs[0].stderr == outputs[1].stderr == ""


@pytest.mark.parametrize("verb", ["status", "list"])
def test_with_fips_and_no_provider_one_line_names_the_configuration(installed, fips, verb) -> None:
    env = support.clean_env(OPENSSL_CONF=str(fips))
    if not support.run(installed, CREATE, env=env).stdout:
        pytest.skip("this OpenSSL ignores default_properties")
    done = support.run_command(installed, "-m", "certhook", verb, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("certhook: OpenSSL cannot create a TLS context")
    assert f"OPENSSL_CONF={fips}" in done.stderr
    assert done.stderr.count("\n") == 1


#: hashlib without digests, as in a FIPS build.
RESTRICTED = """
import hashlib
def refuse(name, *args, **kwargs):
    raise ValueError(f"[digital envelope routines] unsupported: {name}")
hashlib.new = hashlib.md5 = hashlib.sha1 = hashlib.sha256 = refuse
"""


@pytest.mark.parametrize("restriction", [RESTRICTED, "import sys; sys.modules['hashlib'] = None\n"])
def test_a_first_context_needs_no_digest_of_hashlib(installed_unmeasured, cas, servers, tmp_path, restriction) -> None:
    (tmp_path / "store.pem").write_bytes(cas.pem("system", "both"))
    env = support.clean_env(
        SERVERS=support.server_list(servers),
        SSL_CERT_FILE=str(tmp_path / "store.pem"),
        CERTHOOK_STORE_DIR=str(tmp_path / "cache"),
    )
    done = support.run(installed_unmeasured, restriction + support.VERDICTS, env=env)
    assert done.stderr == ""
    assert {name for name, trusted in support.verdicts(done.stdout).items() if trusted} == {"system", "both"}
    assert any((tmp_path / "cache").glob("*/manifest"))


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_the_digests_of_a_restricted_python_are_equal(algorithm) -> None:
    code = f"import certhook._digest as d; print(d.hexdigest('{algorithm}', b'data'))"
    digests = {support.run(sys.executable, restriction + code).stdout for restriction in ("", RESTRICTED)}
    assert len(digests) == 1
