"""SSL_CERT_FILE and SSL_CERT_DIR have the same effect as on OpenSSL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import der
import pytest
import support
from root_files import bundle, hashed, letters_of, problems_of, read

from certhook._certificates import x509

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has stores instead of locations")


@pytest.fixture
def full_machine(machine: Path) -> Path:
    """A machine with roots in every location, and locations that the variables can contain."""
    bundle(machine / "compiled.pem", "a")
    hashed(machine / "compiled", "b")
    bundle(machine / "first.pem", "c")
    hashed(machine / "first", "d")
    bundle(machine / "configured.pem", "e")
    hashed(machine / "configured", "f")
    hashed(machine / "other", "g")
    return machine


def test_each_variable_replaces_only_its_compiled_in_location(full_machine: Path) -> None:
    file, directory = full_machine / "configured.pem", full_machine / "configured"
    assert letters_of(read(SSL_CERT_FILE=file)) == "eb"
    assert letters_of(read(SSL_CERT_DIR=directory)) == "af"
    assert letters_of(read(SSL_CERT_FILE=file, SSL_CERT_DIR=directory)) == "ef"


def test_ssl_cert_dir_is_a_list_of_directories(full_machine: Path) -> None:
    directories = os.pathsep.join(["", str(full_machine / "other"), "", str(full_machine / "configured")])
    trust = read(SSL_CERT_FILE=full_machine / "configured.pem", SSL_CERT_DIR=directories)
    assert letters_of(trust) == "egf"
    assert trust.problems == ()


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("value", ["{}/missing", "{}/empty", "", "missing"])
def test_a_location_without_a_root_is_one_problem_and_never_widens_trust(variable, value, full_machine) -> None:
    for compiled_in in ("compiled.pem", "compiled"):
        (full_machine / compiled_in).rename(full_machine / f"unused {compiled_in}")
    if variable == "SSL_CERT_FILE":
        bundle(full_machine / "empty", "")
    else:
        hashed(full_machine / "empty", "")
    value = value.format(full_machine)
    trust = read(**{variable: value})
    assert letters_of(trust) == ""
    ((setting, message),) = problems_of(trust)
    assert setting == variable
    assert value in message


def test_a_relative_path_is_relative_to_the_working_directory_as_in_openssl(full_machine, monkeypatch) -> None:
    monkeypatch.chdir(full_machine)
    trust = read(SSL_CERT_FILE="configured.pem", SSL_CERT_DIR="configured")
    assert letters_of(trust) == "ef"
    assert trust.volatile


# Compared with Python without certhook, by handshakes.


@pytest.fixture(scope="module")
def stores(cas: support.Authorities, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of files and directories for the variables."""
    root = tmp_path_factory.mktemp("stores")
    (root / "file.pem").write_bytes(cas.pem("system", "both"))
    (root / "crlf.pem").write_bytes(b"# roots\r\n" + cas.pem("system", "extra").replace(b"\n", b"\r\n"))
    (root / "empty.pem").touch()
    rejecting = der.auxiliary(None, [x509.SERVER_AUTH])
    (root / "rejected.pem").write_bytes(der.pem(cas.der("system") + rejecting, "TRUSTED CERTIFICATE"))
    for name in ("bundled", "extra", "both", "system"):
        (root / name).mkdir()
        (root / name / support.hashed_name(cas.der(name))).write_bytes(cas.pem(name))
    linked = root / "linked"
    linked.mkdir()
    for name in ("bundled", "system"):
        (linked / f"{name}.pem").write_bytes(cas.pem(name))
        (linked / support.hashed_name(cas.der(name))).symlink_to(f"{name}.pem")
    (linked / "extra.pem").write_bytes(cas.pem("extra"))
    (linked / "00000000.0").write_bytes(cas.pem("both"))
    (root / "none").mkdir()
    return root


@pytest.mark.parametrize(
    "variables",
    [
        {"SSL_CERT_FILE": "{}/file.pem"},
        {"SSL_CERT_FILE": "file.pem"},
        {"SSL_CERT_FILE": ""},
        {"SSL_CERT_FILE": "{}/missing.pem"},
        {"SSL_CERT_FILE": "{}/empty.pem"},
        {"SSL_CERT_FILE": "{}/bundled"},
        {"SSL_CERT_FILE": "{}/rejected.pem", "SSL_CERT_DIR": "{}/bundled"},
        {"SSL_CERT_DIR": "{}/bundled"},
        {"SSL_CERT_DIR": "{}/bundled/"},
        {"SSL_CERT_DIR": "bundled"},
        {"SSL_CERT_DIR": ""},
        {"SSL_CERT_DIR": ":"},
        {"SSL_CERT_DIR": ":{0}/bundled::{0}/none:{0}/extra:"},
        {"SSL_CERT_DIR": "{0}/extra:{0}/missing:extra:bundled"},
        {"SSL_CERT_DIR": "{}/linked"},
        {"SSL_CERT_FILE": "{}/crlf.pem", "SSL_CERT_DIR": "{0}/both"},
        {"SSL_CERT_FILE": "", "SSL_CERT_DIR": ""},
    ],
    ids=str,
)
def test_contexts_trust_the_same_servers_with_and_without_certhook(
    variables, stores, plain, installed, servers
) -> None:
    values = {name: value.format(stores) for name, value in variables.items()}
    env = support.clean_env(**values, SERVERS=support.server_list(servers))
    without, with_certhook = (
        support.verdicts(support.run(python, support.VERDICTS, "-W", "ignore", env=env, cwd=str(stores)).stdout)
        for python in (plain, installed)
    )
    assert with_certhook == without


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe has no path on Windows")
def test_ssl_cert_file_may_be_a_pipe_which_each_context_reads(stores, plain, installed, tmp_path) -> None:
    """A shell replaces ``<(command)`` by the path of a pipe."""
    code = "import ssl; print([len(ssl.create_default_context().get_ca_certs()) for _ in range(2)])"
    env = support.clean_env(SSL_CERT_DIR="", CERTHOOK_STORE_DIR=str(tmp_path / "cache"))
    counts = []
    for python in (plain, installed):
        read_end, write_end = os.pipe()
        os.write(write_end, (stores / "file.pem").read_bytes())
        os.close(write_end)
        command = [str(python), "-W", "ignore", "-c", code]
        env["SSL_CERT_FILE"] = f"/dev/fd/{read_end}"
        done = subprocess.run(command, env=env, pass_fds=[read_end], capture_output=True, encoding="utf-8", timeout=60)
        os.close(read_end)
        assert (done.stderr, done.returncode) == ("", 0)
        counts.append(done.stdout)
    assert counts == ["[2, 0]\n"] * 2
