"""``certhook inspect`` identifies files, describes the certificates of files and servers, and converts files to PEM."""

from __future__ import annotations

import json
import os
import shlex
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import support
from pki import Issued, issue

posix = pytest.mark.skipif(os.name == "nt", reason="uses a POSIX shell")


def inspections(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Return the results in the JSON output of the command."""
    assert done.stderr == ""
    return json.loads(done.stdout)["inspections"]


def words(done: subprocess.CompletedProcess[str]) -> str:
    """Return the output of the command in one line."""
    assert "Traceback" not in done.stderr
    return " ".join(done.stdout.split())


@pytest.fixture(scope="module")
def root() -> Issued:
    """A root that is not trusted."""
    return issue("Corporate Root", ca=True, days=(-400, 1000), organization="Corporation")


@pytest.fixture(scope="module")
def leaf(root: Issued) -> Issued:
    """A server's certificate."""
    return issue("www.example.org", root, hosts=("www.example.org", "10.0.0.1", *"abc"), days=(-10, 30))


# Reports.


def test_a_certificate_is_described_in_three_lines(root: Issued, leaf: Issued, certhook, tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_bytes(leaf.pem + root.pem)
    done = certhook("inspect", "chain.pem")
    assert done.returncode == 0
    head, _, *lines = done.stdout.splitlines()[1:]
    assert done.stdout.startswith("chain.pem: certificates in PEM\n")
    first, last = (
        f"{date:%Y-%m-%d}" for date in (leaf.certificate.not_valid_before_utc, leaf.certificate.not_valid_after_utc)
    )
    assert lines[0].startswith("1. www.example.org (certhook tests): server certificate for")
    text = " ".join(" ".join(lines).split())
    assert "for www.example.org, 10.0.0.1, a and 2 more names, issued by Corporate Root (Corporation) valid" in text
    assert f"valid {first} to {last} (ends in 29 days); " in text
    assert "2. Corporate Root (Corporation): root CA, self-signed valid" in text
    assert (text.count("not trusted"), text.count("no trusted root")) == (1, 1)
    assert text.count("SHA-256 ") == 2


def test_the_trust_of_this_interpreter_is_shown(certhook, cas, tmp_path: Path) -> None:
    (tmp_path / "roots.pem").write_bytes(cas.pem("both", "extra", "stranger"))
    found = inspections(certhook("inspect", "roots.pem", "--json"))[0]["certificates"]
    assert [each["trust_status"] for each in found] == ["trusted", "trusted", None]
    assert {listing["source"] for listing in found[0]["listed_by"]} == {"system", "bundled"}
    assert found[1]["listed_by"] == [{"source": "extra", "path": str(tmp_path / "extra.pem")}]
    text = words(certhook("inspect", "roots.pem"))
    assert "trusted (system, bundled) SHA-256" in text and "trusted (extra) SHA-256" in text
    assert "days); not trusted SHA-256" in text


def test_a_certificate_of_a_trusted_issuer_is_no_root(certhook, cas, tmp_path: Path) -> None:
    for name, expected in {"extra": True, "stranger": False}.items():
        issued = getattr(cas, name).issue_cert("www.example.org").cert_chain_pems[0].bytes()
        (tmp_path / "leaf.pem").write_bytes(issued)
        (certificate,) = inspections(certhook("inspect", "leaf.pem", "--json"))[0]["certificates"]
        assert (certificate["trust_status"], certificate["issuer_trusted"]) == (None, expected)
        article = "a" if expected else "no"
        sentence = f"not a root; {article} trusted root has the name of its issuer SHA-256"
        assert sentence in words(certhook("inspect", "leaf.pem"))


@pytest.mark.parametrize(
    "days, expected",
    [
        ((-30, 10), "ends in 9 days"),
        ((-30, 1), "ends in 0 days"),
        ((-30, 2), "ends in 1 day)"),
        ((-30, -1), "EXPIRED 1 day ago"),
        ((-30, -10), "EXPIRED 10 days ago"),
        ((10, 20), "NOT YET VALID"),
    ],
)
def test_the_end_of_the_validity_is_shown_in_days(days, expected: str, certhook, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(issue("Root", ca=True, days=days).pem)
    assert expected in words(certhook("inspect", "ca.pem"))


@pytest.mark.parametrize(
    "options, kind",
    [
        ({"ca": True}, "root CA"),
        ({"hosts": ("a",)}, "server"),
        ({"hosts": ()}, "self-signed"),
    ],
)
def test_the_kind_of_a_certificate_is_shown(options, kind: str, certhook, tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_bytes(issue("Name", **options).pem)
    (certificate,) = inspections(certhook("inspect", "x.pem", "--json"))[0]["certificates"]
    assert certificate["kind"] == kind


def test_several_files_are_inspected(root: Issued, certhook, tmp_path: Path) -> None:
    (tmp_path / "ca.der").write_bytes(root.der)
    (tmp_path / "ca.key").write_bytes(root.secret)
    done = certhook("inspect", "ca.der", "ca.key", "missing.pem", ".")
    assert done.returncode == 1
    text = words(done)
    for phrase in (
        "ca.der: certificate in DER",
        "ca.key: private key in PEM",
        "missing.pem: cannot be read: No such file or directory",
        ".: directory It is a directory.",
    ):
        assert phrase in text
    assert root.secret.split(b"\n")[1].decode() not in done.stdout


def test_the_json_has_all_facts(root: Issued, certhook, tmp_path: Path) -> None:
    (tmp_path / "ca.der").write_bytes(root.der)
    (found,) = inspections(certhook("inspect", "ca.der", "--json"))
    (certificate,) = found.pop("certificates")
    assert found == {
        "target": "ca.der",
        "type": "file",
        "format": "certificate in DER",
        "explanation": found["explanation"],
        "command": found["command"],
        "valid_pem": False,
        "error": None,
    }
    assert certificate == {
        "subject": "CN=Corporate Root,O=Corporation",
        "issuer": "CN=Corporate Root,O=Corporation",
        "kind": "root CA",
        "hosts": [],
        "not_before": root.certificate.not_valid_before_utc.isoformat(),
        "not_after": root.certificate.not_valid_after_utc.isoformat(),
        "days_left": 999,
        "expired": False,
        "not_yet_valid": False,
        "sha256": support.hashlib.sha256(root.der).hexdigest(),
        "trust_status": None,
        "listed_by": [],
        "distrusted_by": [],
        "issuer_trusted": False,
    }


def test_untrusted_text_is_escaped(certhook, tmp_path: Path) -> None:
    name = "\033[2JRoot\r\n1. Trusted"
    (tmp_path / "ca.pem").write_bytes(issue(name, hosts=("a\033[2J",), organization="\u202eX").pem)
    path = tmp_path / "\033[2J.pem"
    if os.name != "nt":
        path.write_bytes(b"-----BEGIN \033[2J")
    for arguments in (("ca.pem", path), ("ca.pem", path, "--json")):
        done = certhook("inspect", *arguments)
        assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())
        assert "\n1. Trusted" not in done.stdout


# Conversion.


@posix
def test_the_printed_command_converts_the_file(root: Issued, certhook, tmp_path: Path) -> None:
    for number, data in enumerate((root.der, b"  " + root.pem.replace(b"\n", b"\n  "))):
        source = tmp_path / f"it's {number}.txt"
        source.write_bytes(data)
        done = certhook("inspect", source)
        command = done.stdout.partition("Convert it to PEM:\n  ")[2].partition("\n\n")[0]
        subprocess.run(command, shell=True, check=True, cwd=tmp_path, timeout=60, env=support.clean_env())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=source.with_suffix(".pem"))
        assert context.get_ca_certs(binary_form=True) == [root.der]


def test_all_certificates_are_written_as_pem(root: Issued, leaf: Issued, certhook, tmp_path: Path) -> None:
    (tmp_path / "leaf.der").write_bytes(leaf.der)
    (tmp_path / "ca.txt").write_bytes(b"> " + root.pem.replace(b"\n", b"\n> "))
    done = certhook("inspect", "--pem", "all.pem", "leaf.der", "ca.txt", "leaf.der")
    assert done.returncode == 0
    assert (tmp_path / "all.pem").read_bytes() == leaf.pem + root.pem
    printed = certhook("inspect", "--pem", "-", "leaf.der", "ca.txt")
    assert (printed.returncode, printed.stdout, printed.stderr) == (0, (leaf.pem + root.pem).decode(), "")


def test_the_command_that_installs_a_root_is_shown_unless_it_is_trusted(certhook, cas, tmp_path: Path) -> None:
    for name, expected in {"stranger": True, "extra": False}.items():
        (tmp_path / "a b.pem").write_bytes(cas.pem(name))
        assert ("certhook trust 'a b.pem'" in certhook("inspect", "a b.pem").stdout) == expected
    (tmp_path / "old.pem").write_bytes(issue("Root", ca=True, days=(-30, -1)).pem)
    (tmp_path / "server.pem").write_bytes(issue("Server").pem)
    assert "certhook trust" not in certhook("inspect", "old.pem", "server.pem").stdout


def test_nothing_is_overwritten(root: Issued, certhook, tmp_path: Path) -> None:
    (tmp_path / "ca.der").write_bytes(root.der)
    done = certhook("inspect", "ca.der", "--pem", "ca.der")
    assert (done.returncode, done.stderr) == (
        1,
        "certhook: ca.der was not changed, because it exists; use a new path\n",
    )
    assert (tmp_path / "ca.der").read_bytes() == root.der


def test_without_a_certificate_nothing_is_written(root: Issued, certhook, tmp_path: Path) -> None:
    (tmp_path / "ca.key").write_bytes(root.secret)
    done = certhook("inspect", "ca.key", "--pem", "ca.pem")
    assert done.returncode == 1
    assert "nothing was written: no certificate was found" in done.stderr
    assert not (tmp_path / "ca.pem").exists()


# Standard input.


def test_standard_input_is_inspected(root: Issued, installed: Path, variables) -> None:
    command = [str(installed), "-m", "certhook", "inspect", "-"]
    env = support.clean_env(**variables)
    done = subprocess.run(command, input=root.der, stdout=subprocess.PIPE, env=env, timeout=60)
    assert done.returncode == 0
    text = done.stdout.decode()
    assert text.startswith("standard input: certificate in DER") and " -in FILE " in text


# Servers.


@pytest.mark.parametrize("target", ["localhost:{}", "https://localhost:{}/path"])
def test_the_certificates_of_a_server_are_shown_without_verification(target: str, certhook, cas, servers) -> None:
    port = servers.port("stranger")
    (found,) = inspections(certhook("inspect", "--json", target.format(port)))
    assert (found["type"], found["host"], found["port"], found["error"]) == ("server", "localhost", port, None)
    assert found["certificates"][0]["hosts"] == ["localhost", "127.0.0.1"]
    text = words(certhook("inspect", target.format(port)))
    assert "without verification" in text and "certhook check " in text


def test_a_server_that_does_not_answer_is_reported(certhook) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = certhook("inspect", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 1
    assert "refused" in done.stdout and "certhook check 127.0.0.1:" in words(done)


def test_a_name_of_neither_a_file_nor_a_server_is_reported(certhook) -> None:
    done = certhook("inspect", "nothing.invalid")
    assert done.returncode == 1
    assert "no file has this name" in words(done)


@pytest.mark.parametrize("arguments", [("a b",), ("--timeout", "0", "x"), ("-", "-"), ("--pem", "-", "--json", "x")])
def test_invalid_arguments_are_refused(arguments, certhook) -> None:
    done = certhook("inspect", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


def test_a_file_precedes_a_server_of_the_same_name(root: Issued, certhook, tmp_path: Path) -> None:
    (tmp_path / "localhost").write_bytes(root.pem)
    assert inspections(certhook("inspect", "localhost", "--json"))[0]["type"] == "file"


@pytest.mark.parametrize("path", ["missing.crt", "./missing", "~/ca", "dir/missing"])
def test_a_path_is_no_server(path: str, certhook) -> None:
    (found,) = inspections(certhook("inspect", path, "--json"))
    assert found["type"] == "file" and "No such file" in found["error"]["message"]


def test_the_package_cryptography_is_not_required(root: Issued, tmp_path: Path, variables, servers) -> None:
    (tmp_path / "ca.pem").write_bytes(root.pem)
    code = "import sys; sys.modules['cryptography'] = None; from certhook.cli import main; sys.exit(main())"
    target = f"localhost:{servers.port('extra')}"
    command = [sys.executable, "-c", code, "inspect", "ca.pem", target]
    done = support.run_command(*command, env=support.clean_env(**variables), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert shlex.quote(target) in done.stdout
