"""``python -m certhook demo``: connections on loopback, without certhook and with it."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
import support
from cryptography import x509

from certhook._directory import temporary
from certhook._sources import settings_file
from certhook.cli import demo, main
from certhook.cli.demo.certificates import ROOTS, SERVERS
from certhook.cli.demo.clients import CLIENTS, Verdict
from certhook.cli.demo.results import Cell, cells, findings

#: For each source and client: whether a server is verified without certhook, and with it.
EXPECTED = {
    ("system", "default"): (True, True),
    ("system", "certifi"): (False, True),
    ("bundled", "default"): (False, True),
    ("bundled", "certifi"): (True, True),
    ("unlisted", "default"): (False, False),
    ("unlisted", "certifi"): (False, False),
}

#: The reason that OpenSSL gives for a root that is not trusted.
UNKNOWN = "unable to get local issuer certificate"


def verdicts(found: dict) -> dict:
    """Return the results in the form of :data:`EXPECTED`."""
    assert {one["verdict"] for one in found["connections"]} == {"verified", "rejected"}
    assert {one["message"] for one in found["connections"]} == {None, UNKNOWN}
    verified = {
        (one["root_source"], one["client"], one["with_certhook"]): one["verdict"] == "verified"
        for one in found["connections"]
    }
    return {key: (verified[(*key, False)], verified[(*key, True)]) for key in EXPECTED}


def test_certhook_adds_the_other_source_for_both_kinds_of_clients_and_nothing_else(certhook, tmp_path) -> None:
    (tmp_path / "temporary").mkdir(mode=0o700)
    done = certhook("demo", "--json", TMPDIR=str(tmp_path / "temporary"))
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert verdicts(found) == EXPECTED
    assert (found["as_expected"], found["findings"]) == (True, [])
    assert not found["explicitly_enabled"]
    # Nothing remains.
    assert [*(tmp_path / "temporary").iterdir()] == []
    assert not (tmp_path / "cache").exists()


def test_the_report_counts_the_roots_of_this_python(certhook, cas, tmp_path) -> None:
    done = certhook("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("verified\n") == 4
    assert done.stdout.count("rejected          rejected") == 2
    error = f"The error of rejected connections is CERTIFICATE_VERIFY_FAILED, {UNKNOWN}."
    assert error in " ".join(done.stdout.split())
    assert "certhook.pth, as in any program" in done.stdout
    assert "is active, enabled by" in done.stdout
    # SSL_CERT_FILE names two roots, CERTHOOK_BUNDLE another one and one of them, and an extra file one more.
    assert "Python's defaults   2                 4 (bundled 2, extra 1, system 2)" in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 80 or os.sep in max(done.stdout.splitlines(), key=len)


@pytest.mark.parametrize("flags", [(), ("-I",)])
def test_the_environment_and_the_working_directory_do_not_disturb_it(flags, certhook, installed, tmp_path) -> None:
    (tmp_path / "control.pem").write_bytes(ROOTS["unlisted"])
    for name in ("certifi", "certhook", "json", "sitecustomize", "socket"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the working directory is searched')")
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "json.py").write_text("raise SystemExit('PYTHONPATH is searched')")
    names = (*support.TRUST_VARIABLES, "CERTHOOK_EXTRA_CA_CERTS", "CERTHOOK_BUNDLE", "CERTHOOK_CACHE_DIR")
    variables = {name: str(tmp_path / "control.pem") for name in names if name != "SSL_CERT_DIR"}
    variables.update(dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9"))
    done = support.run_command(
        *(installed, *(flags or ("-P",) * (sys.version_info >= (3, 11))), "-m", "certhook", "demo", "--json"),
        env=support.clean_env(
            **variables,
            SSL_CERT_DIR=str(tmp_path),
            SSLKEYLOGFILE=str(tmp_path / "keys"),
            CERTHOOK_ADOPT="none",
            CERTHOOK_SOURCES="extra",
            CERTHOOK_MODE="fallback",
            CERTHOOK_LOAD="eager",
            PYTHONWARNINGS="error",
        ),
        cwd=tmp_path if flags or sys.version_info >= (3, 11) else os.sep,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert verdicts(json.loads(done.stdout)) == EXPECTED
    assert not (tmp_path / "keys").exists()


def test_certhook_disabled_is_reported_and_does_not_disturb_it(certhook) -> None:
    done = certhook("demo", CERTHOOK_DISABLED="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert support.shows(done.stdout, "certhook is not active, because CERTHOOK_DISABLED is set")


def test_a_clone_needs_no_installation(plain) -> None:
    done = support.run_command(plain, "-m", "certhook", "demo", cwd=support.ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert support.shows(done.stdout, "Nothing enables certhook in this Python, so the clients enabled it themselves.")
    assert support.shows(done.stdout, "certhook is not active: install it", "certifi is missing")


@pytest.fixture
def environment(installed, tmp_path) -> support.Environment:
    """A copy of an environment, to change its packages."""
    return support.copy_environment(installed, tmp_path / "environment")


def test_a_hook_without_effect_is_a_finding_with_a_remedy(environment, certhook) -> None:
    with open(environment.package / "_patch.py", "a") as file:
        file.write("\n\ndef apply(module): raise RuntimeError('broken')\n")
    done = certhook("demo", python=environment.python)
    assert done.returncode == 1
    assert done.stdout.count("rejected (!)") == 2
    assert "\nNot as expected:\n" in done.stdout
    assert support.shows(done.stdout, "certhook has no effect on the client with certifi's file", "-m certhook audit")
    assert support.shows(done.stdout, "A client printed: certhook: cannot patch ssl", "RuntimeError('broken')")
    assert json.loads(certhook("demo", "--json", python=environment.python).stdout)["as_expected"] is False


def test_a_verified_control_is_a_finding(environment, certhook) -> None:
    line = "import ssl; ssl.create_default_context = ssl._create_unverified_context"
    (environment.site_packages / "a.pth").write_text(line)
    done = certhook("demo", python=environment.python)
    assert done.returncode == 1
    assert support.shows(done.stdout, "verified a server without certhook whose root certificate is in no source")
    assert support.shows(done.stdout, "verified a server with certhook whose root certificate is in no source")


@pytest.mark.parametrize(
    ("verdict", "finding"),
    [
        (("rejected", 10, "certificate has expired"), "The clock of this machine is wrong"),
        (("rejected", 66, "EE certificate key too weak"), "EE certificate key too weak. Does the configuration"),
        (("failed", 0, "TimeoutError('timed out')"), "TimeoutError('timed out'). Does a firewall"),
        (("rejected", 20, UNKNOWN), "Other software in this Python changes trust"),
    ],
)
def test_another_reason_has_its_own_remedy(verdict, finding) -> None:
    found = {source: dict.fromkeys(CLIENTS, ["verified", 0, ""]) for source in SERVERS}
    (cell,) = [
        one._replace(found=Verdict(*verdict))
        for one in cells(found, found)
        if (one.source, one.client, one.is_hooked) == ("system", "default", False)
    ]
    assert isinstance(cell, Cell) and not cell.is_expected
    assert [one for one in findings([cell], ["a message"], "certhook") if finding in one]


def test_settings_of_the_administrator_are_named_as_the_reason(monkeypatch, tmp_path) -> None:
    (tmp_path / "certhook.conf").touch()
    monkeypatch.setattr(settings_file, "location", lambda: str(tmp_path / "certhook.conf"))
    rejected = Verdict("rejected", 20, UNKNOWN)
    (finding,) = findings([Cell("bundled", "default", True, "verified", rejected)], [], "certhook")
    assert f"settings in {tmp_path}{os.sep}certhook.conf limit" in finding


def test_without_a_temporary_directory_the_message_names_the_variable(monkeypatch, capsys) -> None:
    monkeypatch.setattr(temporary, "_candidates", list)
    assert main(["demo"]) == 1
    assert "set TMPDIR to a directory" in capsys.readouterr().err


def test_a_client_that_fails_is_reported_with_its_last_message(monkeypatch, capsys) -> None:
    monkeypatch.setattr(demo, "PROGRAM", "raise SystemExit('no random numbers')")
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == "certhook: demo: a process of the demonstration failed: no random numbers\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes without a signal")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_it_leaves_neither_files_nor_clients(name, installed, tmp_path) -> None:
    env = support.clean_env(TMPDIR=str(tmp_path), CERTHOOK_STORE_DIR="none")
    command = [installed, "-m", "certhook", "demo"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while not [*tmp_path.glob("*/packages/certifi-1.dist-info/RECORD")] and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(getattr(signal, name))
        process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, name)
    assert [*tmp_path.iterdir()] == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes without a signal")
def test_a_client_that_starts_while_a_signal_arrives_is_ended(monkeypatch) -> None:
    started = []

    def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
        process = popen(*arguments, **options)  # type: ignore[call-overload]
        started.append(process)
        signal.raise_signal(signal.SIGTERM)
        return process

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(SystemExit) as raised:
        main(["demo"])
    assert raised.value.code == 128 + signal.SIGTERM
    assert [process.poll() for process in started] == [-signal.SIGKILL]


def test_signals_have_their_former_effect_afterwards(monkeypatch) -> None:
    monkeypatch.setattr(demo, "PROGRAM", "raise SystemExit(1)")
    before = signal.getsignal(signal.SIGTERM)
    assert main(["demo"]) == 1
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("source", SERVERS)
def test_the_certificates_serve_only_this_machine(source: str) -> None:
    root, server = (x509.load_pem_x509_certificate(one[source]) for one in (ROOTS, SERVERS))
    server.verify_directly_issued_by(root)
    names = root.extensions.get_extension_for_class(x509.NameConstraints)
    assert names.critical
    assert [str(one.value) for one in names.value.permitted_subtrees] == ["localhost", "127.0.0.1/32"]
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    assert not {*ROOTS.values()} & {*map(ssl.DER_cert_to_PEM_cert, ssl.create_default_context().get_ca_certs(True))}


def test_the_certificates_are_valid_for_decades() -> None:
    for pem in (*ROOTS.values(), *SERVERS.values()):
        certificate = x509.load_pem_x509_certificate(pem)
        assert (certificate.not_valid_before_utc.year, certificate.not_valid_after_utc.year) == (2000, 2099)


def test_the_key_is_only_in_the_module_of_the_certificates() -> None:
    holding = [path for path in Path(demo.__file__).parents[2].rglob("*.py") if b"BEGIN PRIVATE" in path.read_bytes()]
    assert [path.name for path in holding if path.parent.name == "demo"] == ["certificates.py"]
