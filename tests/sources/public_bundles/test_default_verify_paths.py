"""ssl.get_default_verify_paths() returns the compiled store if OpenSSL finds no root, and certifi is adopted."""

from __future__ import annotations

import _ssl
import os
import ssl
from pathlib import Path

import der
import namespace
import pytest
import support
from bundle_machine import DEFAULT, OWN, BundleMachine, fail, loaded

import certhook
from certhook import CerthookWarning, _eager


@pytest.fixture
def openssl_directory(machine: BundleMachine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The missing directory of OpenSSL's file and directory, while SSL_CERT_FILE and SSL_CERT_DIR are unset."""
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.delenv("SSL_CERT_DIR")
    directory = machine.directory / "openssl"
    paths = ("SSL_CERT_FILE", str(directory / "cert.pem"), "SSL_CERT_DIR", str(directory / "certs"))
    monkeypatch.setattr(_ssl, "get_default_verify_paths", lambda: paths)
    return directory


def stock_paths() -> tuple[str | None, ...]:
    return ssl.get_default_verify_paths.__certhook__()


@pytest.mark.parametrize("existing", [None, "certs", "certs/own.pem", "certs/snakeoil.pem"])
def test_the_paths_are_those_of_the_store_if_openssl_finds_no_root(machine, openssl_directory, existing) -> None:
    if existing == "certs":
        (openssl_directory / existing).mkdir(parents=True)
    elif existing:
        machine.write(f"openssl/{existing}", OWN)
    paths, stock = ssl.get_default_verify_paths(), stock_paths()
    assert stock.cafile is None
    assert paths == stock._replace(cafile=paths.cafile, capath=paths.capath)
    assert os.path.dirname(paths.cafile) == paths.capath

    expected = {anchor.der for anchor in certhook.trust_set().anchors}
    blocks = Path(paths.cafile).read_text().split("-----END CERTIFICATE-----\n")
    assert blocks.pop() == ""
    found = [ssl.PEM_cert_to_DER_cert(block + "-----END CERTIFICATE-----\n") for block in blocks]
    assert set(found) == expected
    assert len(found) == len(expected)
    for location in {"cafile": paths.cafile}, {"capath": paths.capath}:
        assert machine.trusted(loaded(**location)) == {"bundled", "both"}


def test_the_file_is_missing_if_openssl_rejects_a_certificate_in_it(machine, openssl_directory) -> None:
    rejected = der.pem(der.root("rejected", key=der.element(der.SEQUENCE)))
    with open(machine.bundle, "ab") as bundle:
        bundle.write(rejected)
    paths = ssl.get_default_verify_paths()
    assert paths.cafile is None
    assert machine.trusted(loaded(capath=paths.capath)) == {"bundled", "both"}


def test_the_paths_are_those_of_openssl_if_its_file_exists(machine, openssl_directory) -> None:
    machine.write("openssl/cert.pem", OWN)
    assert ssl.get_default_verify_paths() == stock_paths()
    assert ssl.get_default_verify_paths().cafile == str(openssl_directory / "cert.pem")


def test_the_paths_are_those_of_openssl_if_its_directory_contains_a_root(machine, openssl_directory) -> None:
    machine.write(f"openssl/certs/{machine.hashed_name('extra')}", OWN)
    assert ssl.get_default_verify_paths() == stock_paths()
    assert ssl.get_default_verify_paths().capath == str(openssl_directory / "certs")


@pytest.mark.parametrize(
    "variables",
    [
        {"SSL_CERT_FILE": "/no/such/file"},
        {"SSL_CERT_DIR": "/no/such/directory"},
        {"SSL_CERT_FILE": ""},
        {"CERTHOOK_STORE_DIR": "none"},
        {"CERTHOOK_LOAD": "eager"},
    ],
)
def test_the_paths_are_missing_without_a_store(openssl_directory, monkeypatch, variables) -> None:
    monkeypatch.delenv("CERTHOOK_SOURCES")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ssl.get_default_verify_paths() == stock_paths()
    assert ssl.get_default_verify_paths()[:2] == (None, None)


def test_the_paths_are_those_of_openssl_after_an_internal_error(openssl_directory, monkeypatch) -> None:
    monkeypatch.setattr(_eager, "replacement_paths", fail)
    with pytest.warns(CerthookWarning, match="internal error, Python's own paths are returned: RuntimeError"):
        assert ssl.get_default_verify_paths() == stock_paths()


# New processes: certifi as pip installs it, and machines without roots.

CERTIFI_VERDICTS = (
    support.VERDICTS
    + """
import certifi
servers = [server.split(":") for server in os.environ["SERVERS"].split()]
def show(context):
    print(*(f"{name}:{verdict(port, context)}" for name, port in servers))
show(ssl.create_default_context(cafile=certifi.where()))
show(ssl.create_default_context(cadata=certifi.contents()))
"""
)
NONE: set[str] = set()


def trusted_in(output: str) -> list[set[str]]:
    """Return the trusted authorities in each line of verdicts."""
    return [{name for name, is_trusted in support.verdicts(line).items() if is_trusted} for line in output.splitlines()]


@pytest.mark.parametrize(
    ("variables", "code", "trusted"),
    [
        ({}, "", [DEFAULT, DEFAULT, DEFAULT]),
        ({"CERTHOOK_DISABLED": "1"}, "", [{"system", "both"}, NONE, NONE]),
        ({}, "import certhook, ssl; certhook.uninstall()\n", [{"system", "both"}, NONE, NONE]),
    ],
    ids=["installed", "disabled", "uninstalled"],
)
def test_the_installed_certifi_is_adopted_while_certhook_is_active(
    machine, installed, variables, code, trusted
) -> None:
    env = support.clean_env(
        SSL_CERT_FILE=str(machine.system),
        SSL_CERT_DIR=str(machine.system_hashed),
        CERTHOOK_SOURCES="system,bundled",
        CERTHOOK_BUNDLE=str(machine.bundle),
        SERVERS=support.server_list(machine.servers),
        **variables,
    )
    assert trusted_in(support.run(installed, code + CERTIFI_VERDICTS, env=env).stdout) == trusted


#: Additionally loads the default paths as truststore does: only if they exist.
PATHS_VERDICTS = (
    CERTIFI_VERDICTS
    + """
paths = ssl.get_default_verify_paths()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
if paths.cafile or paths.capath and os.listdir(paths.capath):
    context.set_default_verify_paths()
show(context)
for location in {"cafile": paths.cafile}, {"capath": paths.capath}:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if any(location.values()):
        context.load_verify_locations(**location)
    show(context)
"""
)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("tree", "trusted"),
    [
        ({}, {"bundled", "both"}),
        ({"/etc/ssl/certs": os.mkdir}, {"bundled", "both"}),
        ({"/etc/ssl/certs/ca-certificates.crt": "system"}, DEFAULT),
        ({"/etc/ssl/certs": os.mkdir, "/etc/pki/tls/cert.pem": "system"}, DEFAULT),
    ],
    ids=["no store", "an empty directory", "Debian, another OpenSSL", "Fedora, another OpenSSL"],
)
def test_contexts_and_paths_have_default_trust_in_a_container_without_openssls_roots(
    machine, installed, tmp_path, tree, trusted
) -> None:
    code = "import _ssl; print(_ssl.get_default_verify_paths()[1])"
    openssldir = os.path.dirname(support.run(installed, code).stdout.strip())
    tree = {path: machine.cas.pem(entry) if isinstance(entry, str) else entry for path, entry in tree.items()}
    bundle = support.purelib(installed) / "certifi" / "cacert.pem"
    env = support.clean_env(SERVERS=support.server_list(machine.servers))
    over = {str(bundle): bundle.read_bytes() + machine.bundle.read_bytes()}
    done = namespace.run(installed, PATHS_VERDICTS, tree, env, tmp_path, over=over, hidden=(openssldir,))
    assert (done.stderr, done.returncode) == ("", 0)
    assert trusted_in(done.stdout) == [trusted] * 6
