"""The options of ``check``: monitoring, quiet output, fingerprints, PEM, and lists of servers."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import support
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from lab import Lab
from pki import DAY, NOW, Chain, Issued, chain, issue

from certhook.cli import main
from certhook.cli.check import expiry, models
from certhook.cli.check.target import SCHEMES


@pytest.fixture
def good(lab: Lab) -> Chain:
    """A chain whose root is the only one that is trusted."""
    found = chain()
    lab.trust(found.root)
    return found


def serve(lab: Lab, *sent: Issued) -> str:
    return f"localhost:{lab.serve(sent)}"


# --warn-days.


def ending(server: int, intermediate: int, root: int) -> Chain:
    """Issue a chain whose certificates end after these days."""
    top = issue("the root", ca=True, days=(-30, root))
    middle = issue("the middle", top, ca=True, days=(-30, intermediate))
    return Chain((issue("localhost", middle, days=(-30, server)), middle), top)


@pytest.mark.parametrize(
    ("days", "role", "sentence"),
    [
        ((9, 300, 300), "server", "The server's certificate expires in 8 days, on"),
        ((300, 9, 300), "intermediate", 'The intermediate certificate "the middle (certhook tests)" expires in 8 days'),
        ((300, 300, 9), "root", 'The root certificate "the root (certhook tests)" expires in 8 days'),
    ],
)
def test_a_certificate_that_expires_soon_has_exit_status_3(
    days: tuple[int, int, int], role: str, sentence: str, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    soon = ending(*days)
    lab.trust(soon.root)
    target = serve(lab, *soon.sent)
    assert main(["check", "--warn-days", "9", target]) == 3
    output = capsys.readouterr().out
    summary = output[output.index("VERIFIED: ") :].partition("\n\n")[0]  # The certificates follow.
    assert f" Warning: {sentence}" in " ".join(summary.split())
    assert main(["check", "--json", "--warn-days", "9", target]) == 3
    (check,) = json.loads(capsys.readouterr().out)["checks"]
    (warning,) = check["expiring"]
    assert (check["verified"], check["days_left"], warning["days_left"]) == (True, 8, 8)
    assert warning["role"] == role and warning["not_after"] == f"{NOW + 9 * DAY:%Y-%m-%dT%H:%M:%S}+00:00"
    assert main(["check", "--warn-days", "8", target]) == 0
    assert main(["check", target]) == 0


def test_a_server_that_is_not_verified_outranks_a_certificate_that_expires_soon(lab: Lab) -> None:
    soon = ending(9, 9, 9)
    lab.trust(soon.root)
    assert main(["check", "--warn-days", "9", serve(lab, *soon.sent), f"localhost:{lab.closed_port()}"]) == 1


def test_the_summary_names_the_certificate_that_expires_first(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    soon = ending(9, 5, 300)
    lab.trust(soon.root)
    target = serve(lab, *soon.sent)
    assert main(["check", "--warn-days", "30", target, target]) == 3
    output = capsys.readouterr().out
    assert re.search(rf"{target}\s+VERIFIED\s+4\s+expires soon: intermediate the middle", output)
    assert "2 servers: 2 verified, 0 not verified, 2 with a certificate that expires soon." in output


def test_the_summary_counts_days_since_the_end_and_no_expired_certificate_as_expiring(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = ending(-3, 300, 300)
    lab.trust(ended.root)
    target = serve(lab, *ended.sent)
    assert main(["check", "--warn-days", "30", target, target]) == 1
    output = capsys.readouterr().out
    days = re.search(r"expired on [-0-9]+, (\d+) days ago", output)
    assert days and re.search(rf"{target}\s+NOT VERIFIED\s+-{days[1]}\s+expired", output)
    assert "2 servers: 0 verified, 2 not verified." in output


def test_a_warning_replaces_the_hint_about_the_same_certificate(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    soon = ending(3, 300, 300)
    lab.trust(soon.root)
    target = serve(lab, *soon.sent)
    found = []
    for options in ([], ["--warn-days", "9"]):
        main(["check", *options, target])
        output = " ".join(capsys.readouterr().out.split())
        found.append([word for word in ("Hint: The certificate of localhost expires", "Warning: ") if word in output])
    assert found == [["Hint: The certificate of localhost expires"], ["Warning: "]]


@pytest.mark.parametrize(
    ("left", "amount"),
    [(-1, "expired on"), (0, "expires in less than a day"), (1, "expires in 1 day"), (2, "expires in 2 days")],
)
def test_the_days_until_the_end_are_rounded_down(left: int, amount: str) -> None:
    link = {"name": "x", "sha256": "", "not_after": (NOW + left * DAY + DAY / 2).isoformat(), "trust_status": None}
    (warning,) = expiry.expiring({"chain": [link]}, 3, NOW)
    assert warning["days_left"] == left and amount in warning["message"]


@pytest.mark.parametrize("days", ["-1", "36501"])
def test_an_invalid_number_of_days_is_refused(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"--warn-days={days}", "localhost"]) == 2
    assert f"--warn-days {days} is invalid" in capsys.readouterr().err


# --quiet.


def test_quiet_shows_nothing_if_all_is_well(good: Chain, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--quiet", serve(lab, *good.sent), serve(lab, *good.sent)]) == 0
    assert capsys.readouterr() == ("", "")


def test_quiet_shows_only_the_servers_with_problems(good: Chain, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    closed = lab.closed_port()
    assert main(["check", "-q", serve(lab, *good.sent), f"localhost:{closed}", serve(lab, *good.sent)]) == 1
    output = capsys.readouterr().out
    assert f"NO CONNECTION: localhost, port {closed}" in output
    assert "\nVERIFIED" not in output and "Summary" not in output


def test_quiet_shows_a_certificate_that_expires_soon(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    soon = ending(9, 300, 300)
    lab.trust(soon.root)
    assert main(["check", "-q", "--warn-days", "9", serve(lab, *soon.sent)]) == 3
    assert "expires in 8 days" in capsys.readouterr().out


def test_quiet_shows_a_misspelled_variable(good: Chain, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.patch.setenv("CERTHOOK_MOED", "chain")
    assert main(["check", "-q", serve(lab, *good.sent)]) == 1
    assert "did you mean CERTHOOK_MODE?" in " ".join(capsys.readouterr().out.split())


def test_a_client_that_fails_is_a_problem_for_quiet_and_the_summary(
    good: Chain, lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(models, "version_of", lambda package: "2.0")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", lab.write("other.pem", issue("another root", ca=True).pem))
    target = serve(lab, *good.sent)
    assert main(["check", "-q", target]) == 1
    assert "requests: fails" in capsys.readouterr().out
    assert main(["check", target, target]) == 1
    output = capsys.readouterr().out
    assert re.search(rf"  {target}  VERIFIED  +\d+  not by requests", output)
    assert "2 servers: 2 verified, 0 not verified, 2 not verified by all clients." in output


# --fingerprints and --pem.


def test_fingerprints_are_shown_on_one_line_each(good: Chain, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    target = serve(lab, *good.sent)
    main(["check", "--fingerprints", target])
    lines = capsys.readouterr().out.splitlines()
    for one in (*good.sent, good.root):
        assert f"    {one.certificate.fingerprint(hashes.SHA256()).hex()}" in lines
    main(["check", target])
    assert "Fingerprints" not in capsys.readouterr().out


def certificates_in(text: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(text.encode())


def test_pem_prints_the_certificates_that_were_sent_or_those_up_to_the_root(
    good: Chain, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = [one.certificate for one in good.sent]
    target = serve(lab, *good.sent)
    for choice, expected in (("sent", sent), ("path", [*sent, good.root.certificate])):
        assert main(["check", "--pem", choice, target]) == 0
        output, error = capsys.readouterr()
        assert certificates_in(output) == expected and error == ""
        assert all(line.startswith("#") for line in re.sub("(?s)-----BEGIN.*?END CERT.*?\n", "", output).splitlines())
        assert f"# {target}: the middle (certhook tests)\n-----BEGIN" in output


def test_pem_contains_an_unnecessary_certificate_only_if_it_was_sent(
    good: Chain, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    unrelated = issue("unrelated", ca=True)
    target = serve(lab, *good.sent, unrelated)
    found = {}
    for choice in ("sent", "path"):
        main(["check", "--pem", choice, target])
        found[choice] = unrelated.certificate in certificates_in(capsys.readouterr().out)
    assert found == {"sent": True, "path": False}


def test_pem_of_a_server_that_is_not_verified_has_the_report_on_standard_error(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.trust_unrelated()
    bad = chain()
    closed = f"localhost:{lab.closed_port()}"
    assert main(["check", "--pem", "path", serve(lab, *bad.sent), closed]) == 1
    output, error = capsys.readouterr()
    assert certificates_in(output) == [one.certificate for one in bad.sent]
    assert "NOT VERIFIED: localhost" in error and "NO CONNECTION: localhost" in error and "\033" not in error


def test_pem_is_a_key_of_the_json_object(good: Chain, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    target = serve(lab, *good.sent)
    assert main(["check", "--json", "--pem", "path", target]) == 0
    output, error = capsys.readouterr()
    (check,) = json.loads(output)["checks"]
    assert len(certificates_in(check["pem"])) == 3 and error == ""


# Lists of servers.


def checked(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [check["target"] for check in json.loads(capsys.readouterr().out)["checks"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_lists_servers_with_comments(
    encoding: str, lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = lab.closed_port()
    text = f"# mail\n\nlocalhost:{closed}\r\n  smtps://localhost:{closed}  # a comment\nhttps://127.0.0.1:{closed}/#x"
    (tmp_path / "servers").write_bytes(text.encode(encoding))
    main(["check", "--json", f"@{tmp_path / 'servers'}", f"127.0.0.1:{closed}"])
    expected = [f"localhost:{closed}", f"smtps://localhost:{closed}", f"https://127.0.0.1:{closed}"]
    assert checked(capsys) == [*expected, f"127.0.0.1:{closed}"]


def test_standard_input_lists_servers(lab: Lab) -> None:
    command = [sys.executable, "-m", "certhook", "check", "--json", "-"]
    text = f"# all\n127.0.0.1:{lab.closed_port()}\n"
    done = support.run_command(*command, input=text)
    assert (done.returncode, done.stderr) == (1, "")
    assert [check["target"] for check in json.loads(done.stdout)["checks"]] == [text.split()[-1]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"localhost\nhttp://shop.example\n", ", line 2: 'http://shop.example': http:// does not use certificates"),
        (b"# none\n", " lists no server"),
        (b"\x00\xff\x1b[2J\n", ", line 1: "),
        (None, " cannot be read: No such file or directory"),
    ],
)
def test_an_invalid_list_is_refused_with_the_line(
    content: bytes | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "servers"
    if content is not None:
        path.write_bytes(content)
    assert main(["check", f"@{path}"]) == 2
    error = capsys.readouterr().err
    assert f"{path}{message}" in error and "\033" not in error


# Targets that are no servers.


@pytest.mark.parametrize("name", ["ca.pem", "./notes", "ca.CRT"])
def test_a_file_is_not_checked_as_a_server(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).touch()
    assert main(["check", name]) == 2
    error = capsys.readouterr().err
    assert f"'{name}' is a file, not a server" in error and f"certhook inspect {name}" in error


@pytest.mark.parametrize("name", ["$(touch seen).pem", "a;touch${IFS}seen;.pem", "./a b", "-a/b'c.pem"])
def test_a_name_in_a_command_is_quoted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-a").mkdir()
    Path(name).touch()
    assert main(["check", "--", name]) == 2
    error = capsys.readouterr().err
    option_free = f"./{name}" if name.startswith("-") else name
    assert f"certhook inspect {shlex.quote(option_free)}' describes" in error
    assert f"certhook check {shlex.quote(f'@{name}')}' checks" in error


def test_a_list_cannot_add_a_command_to_the_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "list"
    path.write_text("a;touch$IFS;seen\n")
    assert main(["check", f"@{path}"]) == 2
    assert f"{path}, line 1: 'a;touch$IFS;seen' is not a host" in capsys.readouterr().err


def test_a_directory_is_not_checked_as_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 2
    assert "is a directory, not a server" in capsys.readouterr().err


def test_a_file_named_like_a_server_does_not_prevent_the_check(
    good: Chain, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lab.directory)
    Path(f"localhost:{lab.serve(good.sent)}").touch()
    assert main(["check", serve(lab, *good.sent)]) == 0


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("statsu", "If the verb status was meant, run:\npython -m certhook status"),
        ("expotr", "If the verb export was meant, run:\npython -m certhook export"),
        ("notes.invalid", "notes.invalid is also a file in this directory. To examine it, run:\n"),
        ("shop.invalid", ""),
    ],
)
def test_a_name_that_does_not_resolve_may_be_a_verb_or_a_file(
    name: str, advice: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def resolve(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.chdir(lab.directory)
    Path("notes.invalid").touch()
    check, text = lab.check(name)
    assert check["cause"]["id"] == "no-such-name"
    first = check["cause"]["advice"][0]
    assert first.startswith(advice) if advice else "verb" not in first and "file" not in first


# Help.


def test_the_help_lists_all_schemes_and_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    words = re.findall(r"[a-z0-9]+", capsys.readouterr().out.partition("Exit status: ")[0])
    assert set(SCHEMES) <= set(words)
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    statuses = capsys.readouterr().out.partition("Exit status: ")[2]
    assert {"0", "1", "2", "3", "130"} <= set(re.findall(r"\d+", statuses))
