"""``python -m certhook check``: what is asked for, and what is said, to a person and to a program."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from typing import Any

import pytest
import support
from cryptography.hazmat.primitives import hashes
from lab import Lab, open_lab
from pki import DAY, NOW, chain, issue

from certhook import _config, _trust
from certhook._sources import TrustSet
from certhook.cli import _contexts, _target, _terminal, check, main
from certhook.cli.check.chain import known_here

lab = pytest.fixture(open_lab)


# A server that is verified.


def test_of_a_verified_server_the_chain_is_shown_from_its_own_certificate_to_the_root_and_its_source(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)
    result, text = lab.ask(lab.serve(good.sent))
    assert result["verified"] and result["verified_without_certhook"]
    assert result["chain"][0]["hosts"] == ["localhost"]
    assert [link["name"].partition(" (")[0] for link in result["chain"]] == ["localhost", "the middle", "the root"]
    assert [link["sent"] for link in result["chain"]] == [True, True, False]
    root = result["chain"][-1]
    assert root["sha256"] == good.root.certificate.fingerprint(hashes.SHA256()).hex()
    assert root["listed_by"] == [{"source": "system", "path": str(lab.folder / "roots.pem")}]
    assert text.index("localhost (") < text.index("+- the middle") < text.index("+- the root")
    assert f"valid from {NOW - 30 * DAY:%Y-%m-%d} to {NOW + 300 * DAY:%Y-%m-%d}" in text
    assert "VERIFIED: localhost, port" in text and "Without certhook: verified as well" in text


def test_what_only_certhook_makes_verified_is_said(lab: Lab) -> None:
    good = chain()
    lab.trust(CERTHOOK_EXTRA_CA_CERTS=lab.file("company.pem", good.root.pem))
    result, text = lab.ask(lab.serve(good.sent))
    assert result["verified"] and not result["verified_without_certhook"]
    assert "Without certhook: not verified, unable to get local issuer" in " ".join(text.split())


def test_how_it_is_without_certhook_is_known_where_that_was_tried_or_is_the_same(lab: Lab) -> None:
    good = chain()
    lab.trust(good.root)

    def demand(context: ssl.SSLContext) -> None:
        context.load_verify_locations(cadata=good.root.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED

    wanted, text = lab.ask(lab.serve(good.sent, demand))
    assert text.startswith("NO CONNECTION: localhost, port ") and "The server itself was verified" in text
    assert wanted["error"]["step"] == "tls" and wanted["error_without_certhook"] is None
    assert wanted["verified_without_certhook"] is None and "Without certhook" not in text
    refused, text = lab.ask(lab.nobody())
    assert refused["error"]["step"] == "connect" and refused["error_without_certhook"] == refused["error"]
    assert refused["verified_without_certhook"] is None and "Without certhook" not in text


def test_of_many_servers_each_is_said_and_one_that_fails_is_the_status(lab: Lab, capsys) -> None:
    good = chain()
    lab.trust(good.root)
    assert main(["check", f"localhost:{lab.serve(good.sent)}", f"localhost:{lab.nobody()}"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("VERIFIED:")]
    assert [line for line in lines if line.startswith("NO CONNECTION:")]


# To a program.

NOTHING = type(None)
KEYS = {"certhook": str, "active": bool, "sources": list, "checks": list, "problems": list}
CHECK_KEYS = {
    "target": str,
    "host": str,
    "port": int,
    "protocol": str,
    "starttls": bool,
    "proxy": (str, NOTHING),
    "verified": bool,
    "tls": (str, NOTHING),
    "chain": list,
    "chain_is_whole": bool,
    "verified_without_certhook": (bool, NOTHING),
    "cause": (dict, NOTHING),
    "error": (dict, NOTHING),
    "error_without_certhook": (dict, NOTHING),
}
LINK_KEYS = {
    "name": str,
    "hosts": list,
    "sha256": (str, NOTHING),
    "not_before": (str, NOTHING),
    "not_after": (str, NOTHING),
    "sent": bool,
    "standing": (str, NOTHING),
    "listed_by": list,
    "distrusted_by": list,
    "left_out_by": list,
}
CAUSE_KEYS = {"id": str, "sentence": str, "advice": list}
ERROR_KEYS = {"step": str, "text": str, "code": int}


def assert_keys(found: dict[str, Any], keys: dict[str, Any]) -> None:
    assert list(found) == list(keys)
    for key, kind in keys.items():
        assert isinstance(found[key], kind), key


@pytest.mark.parametrize("is_known", [True, False])
def test_the_keys_and_types_of_the_json_are_these(is_known: bool, lab: Lab, capsys) -> None:
    good = chain()
    lab.trust(good.root if is_known else issue("another root", ca=True))
    main(["check", "--json", f"localhost:{lab.serve(good.sent)}"])
    found = json.loads(capsys.readouterr().out)
    assert_keys(found, KEYS)
    (result,) = found["checks"]
    assert_keys(result, CHECK_KEYS)
    for link in result["chain"]:
        assert_keys(link, LINK_KEYS)
    for key, keys in (("cause", CAUSE_KEYS), ("error", ERROR_KEYS), ("error_without_certhook", ERROR_KEYS)):
        assert (result[key] is None) == is_known
        if result[key]:
            assert_keys(result[key], keys)


# What is asked for.


@pytest.mark.parametrize(
    "text, expected",
    [
        ("shop.example", ("shop.example", 443, "https", False)),
        ("shop.example.", ("shop.example", 443, "https", False)),
        ("shop.example:8443", ("shop.example", 8443, "https", False)),
        ("https://name:secret@Shop.Example./a?b#c", ("shop.example", 443, "https", False)),
        ("https://shop.example?a@b", ("shop.example", 443, "https", False)),
        ("wss://shop.example:81/", ("shop.example", 81, "https", False)),
        ("MÜNCHEN.example:65535", ("münchen.example", 65535, "https", False)),
        ("::1", ("::1", 443, "https", False)),
        ("fe80::1%lo", ("fe80::1%lo", 443, "https", False)),
        ("[::1]:8443", ("::1", 8443, "https", False)),
        ("mail.example:587", ("mail.example", 587, "smtp", True)),
        ("mail.example:25", ("mail.example", 25, "smtp", True)),
        ("mail.example:993", ("mail.example", 993, "imap", False)),
        ("imap://mail.example", ("mail.example", 143, "imap", True)),
        ("smtps://mail.example", ("mail.example", 465, "smtp", False)),
        ("db.example:5432", ("db.example", 5432, "postgres", True)),
        ("pop3s://mail.example", ("mail.example", 995, "pop3", False)),
        ("ldaps://ldap.example/dc=example", ("ldap.example", 636, "ldap", False)),
        ("ldap.example:636", ("ldap.example", 636, "ldap", False)),
        ("ftps://files.example", ("files.example", 990, "ftp", False)),
        ("rediss://:secret@cache.example/0", ("cache.example", 6379, "redis", False)),
        ("amqps://mq.example", ("mq.example", 5671, "amqp", False)),
        ("mqtts://mq.example", ("mq.example", 8883, "mqtt", False)),
        ("mq.example:8883", ("mq.example", 8883, "mqtt", False)),
        ("ircs://chat.example", ("chat.example", 6697, "irc", False)),
        ("sips://phone.example", ("phone.example", 5061, "sip", False)),
        ("imap:993", ("imap", 993, "imap", False)),
        ("https:8443/path", ("https", 8443, "https", False)),
        ("postgresql://db.example/name", ("db.example", 5432, "postgres", True)),
    ],
)
def test_targets_are_understood(text: str, expected: tuple[object, ...]) -> None:
    assert _target.parse(text)[1:] == expected


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["http://shop.example"], "did you mean https://shop.example?"),
        (["https:/shop.example/a"], "'https:/shop.example' is not a host; did you mean https://shop.example?"),
        (["https:shop.example"], "did you mean https://shop.example?"),
        (["HTTP//shop.example"], "did you mean https://shop.example?"),
        (["smtp:///mail.example"], "'smtp://' is not a host"),
        (["imaps:/name:secret@mail.example"], "did you mean imaps://mail.example?"),
        ([""], "'' is not a host"),
        (["gopher://shop.example"], "known are https"),
        (["shop.example:port"], "the port is not a number from 1 to 65535"),
        (["shop.example:0"], "the port is not a number from 1 to 65535"),
        (["shop.example:65536"], "the port is not a number from 1 to 65535"),
        (["https://"], "'https://' is not a host"),
        (["..."], "not a host"),
        (["shop..example"], "not a host"),
        (["a" * 64 + ".example"], "not a host"),
        (["a b"], "not a host"),
        (["a\x1b[2J"], r"'a\x1b[2J' has a character in it that cannot be printed"),
        (["fe80::1%\x1b[2J"], "has a character in it that cannot be printed"),
        (["shop\n.example"], "has a character in it that cannot be printed"),
        (["https://shop.example/\t"], "has a character in it that cannot be printed"),
        (["https://[::1"], "not a host"),
        (["--timeout", "0", "shop.example"], "more than 0 seconds"),
        (["--timeout", "nan", "shop.example"], "more than 0 seconds"),
    ],
)
def test_what_cannot_be_understood_is_usage(arguments: list[str], word: str, capsys) -> None:
    assert main(["check", *arguments]) == 2
    said = capsys.readouterr().err
    assert word in said and "\x1b" not in said


@pytest.mark.parametrize(
    "text",
    [
        "postgres://name:secret@db.example/a?password=secret",
        "name:secret@db.example",
        "https://name:s/secret?secret#secret@db.example/secret",
        "https://db.example/secret?secret#secret",
    ],
)
def test_a_password_in_a_url_is_not_repeated(text: str) -> None:
    for broken in (text, f"ftp://{text.rpartition('://')[2]}", text.replace("db.example", "db..example")):
        try:
            said = repr(_target.parse(broken))
        except ValueError as error:
            said = str(error)
        assert "secret" not in said and "db." in said


def test_a_password_before_a_url_is_not_taken_for_a_scheme() -> None:
    assert _target.parse("name:secret@db.example/?next=https://shop.example").text == "db.example"


# The terminal, and the environment.


def test_colours_are_for_terminals_where_no_color_is_unset(lab: Lab) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    assert not _terminal.has_colours()
    lab.patch.setattr(sys, "stdout", Terminal())
    assert _terminal.has_colours()
    lab.patch.setenv("NO_COLOR", "1")
    assert not _terminal.has_colours()


@pytest.mark.parametrize(
    "words, is_trusted, is_there",
    [
        ("\033[32mVERIFIED:", True, True),
        ("\033[31mNOT VERIFIED:", False, True),
        ("\033[31mNO CONNECTION:", True, False),
    ],
)
def test_colours_change_nothing_but_the_first_words(words, is_trusted, is_there, lab: Lab, capsys) -> None:
    good = chain()
    lab.trust(*([good.root] if is_trusted else []))
    main(["check", "--json", f"localhost:{lab.serve(good.sent) if is_there else lab.nobody()}"])
    (found,) = json.loads(capsys.readouterr().out)["checks"]
    plain, coloured = check.render(found), check.render(found, colours=True)
    assert "\033" not in plain and f"{words}\033[0m localhost" in coloured
    for code in ("\033[31m", "\033[32m", "\033[1m", "\033[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another error on Windows")
def test_whoever_closes_standard_output_early_sees_no_traceback(lab: Lab) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "certhook", "check", f"127.0.0.1:{lab.nobody()}"]
    done = subprocess.run(command, env=support.clean_env(), stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another error on Windows")
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["env"], ["export", "-"], ["freeze-bundle", "-"], ["list"], ["status"]],
    ids=" ".join,
)
@pytest.mark.parametrize("output", ["a closed pipe", "nothing", "a full disk"])
def test_no_verb_shows_a_traceback_where_it_cannot_print(tmp_path, arguments, output) -> None:
    command = [sys.executable, "-m", "certhook", *arguments]
    env = support.clean_env(CERTHOOK_CACHE_DIR=str(tmp_path / "cache"), CERTHOOK_SOURCES="bundled")
    writing = None
    if output == "a closed pipe":
        reading, writing = os.pipe()
        os.close(reading)
    elif output == "nothing":
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    elif os.path.exists("/dev/full"):
        writing = os.open("/dev/full", os.O_WRONLY)
    else:
        pytest.skip("there is no /dev/full")
    done = subprocess.run(command, env=env, stdout=writing, stderr=subprocess.PIPE, encoding="utf-8", timeout=60)
    if writing is not None:
        os.close(writing)
    if output == "nothing" and arguments[0] in ("--help", "--version"):
        assert "Traceback" not in done.stderr  # argparse prints it there
        return
    full = "certhook: standard output cannot be written: No space left on device\n"
    assert done.stderr == (full if output == "a full disk" else "")


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is no signal on Windows")
def test_who_stops_it_sees_no_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command = [sys.executable, "-m", "certhook", "check", f"127.0.0.1:{silent.getsockname()[1]}"]
        process = subprocess.Popen(
            command,
            env=support.clean_env(),
            stderr=subprocess.PIPE,
            encoding="utf-8",
            # A shell has what it starts in the background ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        accepted, _ = silent.accept()
        accepted.recv(4096)  # It waits for the answer now.
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        accepted.close()
    assert (process.returncode, said) == (130, "certhook: stopped\n")


@pytest.mark.parametrize(
    "module, said",
    [("certhook.cli.diff", "certhook: stopped\n"), ("certhook.cli._terminal", ""), ("json", "")],
)
def test_nor_does_who_stops_it_while_it_starts(module, said, tmp_path) -> None:
    code = (
        "import runpy, sys\n"
        f"class Stop:\n def find_spec(name, path, target=None):\n  if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.modules.pop('json', None); sys.meta_path.insert(0, Stop)\n"
        "runpy.run_module('certhook', run_name='__main__')"
    )
    done = support.run(sys.executable, code, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", said)


def test_without_cryptography_a_word_says_how_to_get_it(installed) -> None:
    command = [str(installed), "-m", "certhook", "check", "localhost"]
    done = subprocess.run(command, env=support.clean_env(), capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'certhook[check]'" in done.stderr


def test_no_other_verb_imports_cryptography() -> None:
    code = "import sys, certhook.cli; certhook.cli.main(['status', '--json']); print('cryptography' in sys.modules)"
    env = support.clean_env(PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    assert support.run(sys.executable, code, env=env).stdout.splitlines()[-1] == "False"


def test_the_command_of_the_same_name_is_the_module(installed) -> None:
    command = installed.parent / ("certhook.exe" if os.name == "nt" else "certhook")
    for start, named in (([str(command)], b"certhook"), ([str(installed), "-m", "certhook"], b"python -m certhook")):
        done = subprocess.run([*start, "--version"], env=support.clean_env(), capture_output=True, timeout=60)
        assert done.stdout.startswith(b"certhook ")
        done = subprocess.run([*start, "check"], env=support.clean_env(), capture_output=True, timeout=60)
        assert done.stderr.startswith(b"usage: " + named + b" check ")


def test_a_fault_that_is_to_be_raised_is_a_message(lab: Lab, capsys) -> None:
    lab.trust(SSL_CERT_FILE=str(lab.folder / "nowhere"), CERTHOOK_ON_ERROR="raise")
    assert main(["check", f"localhost:{lab.serve(chain().sent)}"]) == 1
    assert "SSL_CERT_FILE" in capsys.readouterr().err


def test_what_is_looked_at_besides_leaves_trust_as_it_is(lab: Lab) -> None:
    lab.trust(chain().root)
    before = [anchor.der for anchor in _trust.trust_set().anchors]
    known_here(_trust.trust_set())
    assert [anchor.der for anchor in TrustSet(_config.current(), _config.SERVER_AUTH).anchors] == before


def test_another_context_class_in_the_place_of_pythons_has_no_say_in_what_python_does_by_itself(lab: Lab) -> None:
    """As truststore's, which is injected into ssl."""

    class Other(ssl.SSLContext):
        def load_default_certs(self, purpose: Any = None) -> None:
            raise AssertionError

    lab.trust()
    lab.patch.setattr(ssl, "SSLContext", Other)
    context = _contexts.as_without_certhook()
    assert not isinstance(context, Other)
    assert context.cert_store_stats()["x509"] == 0
