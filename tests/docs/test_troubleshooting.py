"""``docs/troubleshooting.rst``: one part per cause of ``check``, messages that exist, and examples that run."""

from __future__ import annotations

import _ssl
import contextlib
import ctypes
import errno
import http.client
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest
import support
from lab import Lab, open_lab
from pages import DOCS, Block, Command, blocks, commands
from pki import NOW, chain, issue

from certhook.cli import _systems, main
from certhook.cli.check.causes import CAUSES, Case, diagnose
from certhook.cli.check.chain import Roots
from certhook.cli.check.failure import Failure
from certhook.cli.check.interpreter import INACTIVE, SECOND_FAILED

PAGE = (DOCS / "troubleshooting.rst").read_text(encoding="utf-8")
BY_ID = {cause.id: cause for cause in CAUSES}
#: The parts of the page: the label, the title and the text.
PARTS = re.findall(r"^\.\. _([a-z0-9-]+):\n\n(.+)\n[-~]+\n((?:(?!^\.\. _).*\n)*)", PAGE, re.MULTILINE)
#: The prefixes of labels of parts that are not causes.
OTHER_LABELS = ("problem-", "warning-")


@pytest.fixture
def lab(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: object) -> Iterator[Lab]:
    with open_lab(request, monkeypatch) as lab:
        yield lab


# Anchors.


def test_every_cause_has_one_part_with_its_identifier_as_anchor_and_title() -> None:
    labels = re.findall(r"^\.\. _([a-z0-9-]+):$", PAGE, re.MULTILINE)
    assert len(labels) == len(set(labels)) == len(PARTS)
    causes = {*BY_ID, INACTIVE, SECOND_FAILED}
    assert {label for label in labels if not label.startswith(OTHER_LABELS)} == causes
    assert [label for label, title, _ in PARTS if label in causes and not title.startswith(f"``{label}``: ")] == []


def test_every_part_of_a_cause_has_a_message_and_a_remedy() -> None:
    for heading in ("\n- Message: ", "\n- Remedy"):
        assert [label for label, _, text in PARTS if label in BY_ID and heading not in text] == []


@pytest.mark.skipif(not shutil.which("sphinx-build"), reason="the environment docs installs Sphinx")
def test_the_anchors_are_those_of_the_manual_in_html(tmp_path: Path) -> None:
    (tmp_path / "index.rst").write_text(PAGE, encoding="utf-8")
    (tmp_path / "conf.py").touch()
    command = [shutil.which("sphinx-build"), "-q", "-E", str(tmp_path), str(tmp_path / "html")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)  # Links to other pages are warnings.
    found = (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    assert [cause for cause in BY_ID if f'id="{cause}"' not in found] == []


def test_every_page_and_anchor_that_a_message_names_exists() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (support.ROOT / "certhook").rglob("*.py"))
    pages = set(re.findall(r"_manual\.page\(['\"]([a-z/-]+)['\"]", code))
    anchors = set(re.findall(r"_manual\.troubleshooting\(['\"]([a-z-]+)['\"]\)", code))
    assert pages and [page for page in pages if not (DOCS / f"{page}.rst").is_file()] == []
    assert anchors and anchors <= {label for label, _, _ in PARTS}


# Messages.


class Row(NamedTuple):
    """A row of a table: the messages, and the causes."""

    messages: list[str]
    causes: list[str]


def rows(number: int) -> list[Row]:
    """Return the rows of the table with this number below "From the message to the cause"."""
    part = PAGE.partition(".. _problem-messages:")[2].partition(".. _problem-install:")[0]
    table = part.split(".. list-table::")[number].partition("\n\n   * -")[2].partition("\n\n")[0]
    found = []
    for row in table.split("\n   * - ")[1:]:
        messages, _, causes = row.partition("\n     - ")
        found.append(Row(literals(messages), re.findall(":ref:`([a-z0-9-]+)`", causes)))
    assert found
    return found


def literals(text: str) -> list[str]:
    return [" ".join(literal.split()) for literal in re.findall("``(.+?)``", text, re.DOTALL)]


def openssl_texts() -> dict[str, int]:
    """Return OpenSSL's error codes by their text."""
    text_of = ctypes.CDLL(_ssl.__file__).X509_verify_cert_error_string
    text_of.restype = ctypes.c_char_p
    return {text_of(code).decode(): code for code in range(1, 100)}


def test_openssl_has_every_message_of_a_verification_and_the_causes_apply_to_it() -> None:
    texts = openssl_texts()
    for row in rows(1):
        for message in row.messages:
            # Python replaces these two by a text with the name.
            text = re.sub(r"^(Hostname|IP address) mismatch, .*", lambda match: f"{match[1]} mismatch", message)
            text = text.replace("Hostname", "hostname")
            assert text in texts, message
            for cause in row.causes:
                assert not BY_ID[cause].codes or texts[text] in BY_ID[cause].codes, (message, cause)


def test_the_messages_of_a_part_belong_to_its_cause() -> None:
    texts, count = openssl_texts(), 0
    for label, _, text in PARTS:
        lines = re.findall(r"^- Message: (.*(?:\n  .*)*)", text, re.MULTILINE)
        for message in literals(" ".join(lines)) if label in BY_ID else ():
            code = texts.get(message)
            count += code is not None
            assert code is None or not BY_ID[label].codes or code in BY_ID[label].codes, (label, message)
    assert count >= 30


def reasons() -> set[str]:
    return set(_ssl.err_codes_to_names.values())


def test_openssl_has_every_reason_of_a_handshake_and_check_finds_one_of_the_causes() -> None:
    for row in rows(2):
        for message in row.messages:
            if message.isupper():
                assert message in reasons(), message
                failure = Failure("tls", "text", reason=message)
                evidence = Case("shop.example", 443, "https", failure, (), Roots([]), NOW)
                assert diagnose(evidence).id in row.causes, message


def test_a_server_that_disconnects_has_the_message_of_the_table(lab: Lab) -> None:
    port = lab.listen(lambda raw: raw.recv(1024))
    result, _ = lab.check(port)
    assert result["cause"]["id"] == "handshake-failed"
    shown = [message for row in rows(2) for message in row.messages if not message.isupper()]
    assert [message for message in shown if message in result["error"]["message"]] == shown


@pytest.mark.parametrize("hosts", [("a.example",), ("b.example", "c.example")])
def test_python_names_the_host_of_a_mismatch(hosts: tuple[str, ...], lab: Lab) -> None:
    bad = chain(hosts=hosts)
    lab.trust(bad.root)
    port = lab.serve(bad.sent)
    for target, message in (
        (f"localhost:{port}", "Hostname mismatch, certificate is not valid for"),
        (f"127.0.0.1:{port}", "IP address mismatch, certificate is not valid for"),
    ):
        assert message in lab.check(target)[0]["error"]["message"]
        assert message in [message for row in rows(1) for message in row.messages]


def test_the_messages_of_the_network_are_those_of_python(lab: Lab) -> None:
    text_of = ctypes.CDLL(None).gai_strerror
    text_of.restype = ctypes.c_char_p
    produced = [text_of(code).decode() for code in (socket.EAI_NONAME, socket.EAI_AGAIN)]
    produced += [os.strerror(errno.ECONNREFUSED), os.strerror(errno.ENETUNREACH), _timeout(lab)]
    produced += [_tunnel_failure(lab, status) for status in (b"407 Proxy Authentication Required", b"503 Unavailable")]
    shown = [message for row in rows(3) for message in row.messages]
    assert [message for message in shown if not any(message in text for text in produced)] == []


def _timeout(lab: Lab) -> str:
    stopped = lab.event()
    port = lab.listen(lambda raw: stopped.wait(60))
    with socket.create_connection(("127.0.0.1", port), timeout=0.1) as connection, pytest.raises(OSError) as raised:
        connection.recv(1)
    return str(raised.value)


def _tunnel_failure(lab: Lab, status: bytes) -> str:
    def refuse(raw: socket.socket) -> None:
        raw.recv(4096)
        raw.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    connection = http.client.HTTPSConnection("127.0.0.1", lab.listen(refuse), timeout=10)
    connection.set_tunnel("shop.example")
    with contextlib.closing(connection), pytest.raises(OSError) as raised:
        connection.connect()
    return str(raised.value)


_REQUESTS = "from pip._vendor import requests; requests.get('{url}')"
_NODE = ("node", "-e", "require('https').get('{url}').on('error', error => console.log(error.code))")
_JAVA = """
public class Get {
    public static void main(String[] arguments) throws Exception { new java.net.URL("URL").openStream(); }
}
"""
_PIP = ("{python}", "-m", "pip", "download", "--no-deps", "--retries", "0", "--index-url", "{url}", "nothing")

_WITHOUT_SSL = (
    "import runpy, sys; sys.modules['_ssl'] = None; "
    "sys.argv = ['pip', 'download', '--retries', '0', '--index-url', '{url}', 'nothing']; "
    "runpy.run_module('pip', run_name='__main__')"
)

#: For each message, the certificates that the server sends and the command.
PROGRAMS = {
    "the ssl module in Python is not available": (
        "chain",
        ("env", "CERTHOOK_DISABLED=1", "{python}", "-c", _WITHOUT_SSL),
    ),
    "There was a problem confirming the ssl certificate": ("chain", _PIP),
    "requests.exceptions.SSLError: HTTPSConnectionPool": ("chain", ("{python}", "-c", _REQUESTS)),
    "Could not find a suitable TLS CA certificate bundle, invalid path": (
        "chain",
        ("env", "REQUESTS_CA_BUNDLE=/nowhere", "{python}", "-c", _REQUESTS),
    ),
    "SELF_SIGNED_CERT_IN_CHAIN": ("chain and root", _NODE),
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY": ("chain", _NODE),
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE": ("leaf", _NODE),
    "DEPTH_ZERO_SELF_SIGNED_CERT": ("self-signed", _NODE),
    "SSL certificate problem: unable to get local issuer certificate": ("chain", ("curl", "-sS", "{url}")),
    "server certificate verification failed. CAfile:": ("chain", ("git", "ls-remote", "{url}")),
    "have a known issuer": ("chain", ("wget", "-nv", "-t", "1", "-O", "-", "{url}")),
    "PKIX path building failed": ("chain", ("java", "Get.java")),
}
#: The messages of the same programs if they are built with another TLS library.
OTHER_BUILDS = {
    "server certificate verification failed. CAfile:": "SSL certificate problem",
    "have a known issuer": "Unable to locally verify",
}
#: Outputs that were recorded once, with httpx 0.28, aiohttp 3.13 and uv 0.11, and texts in the sources of conda and Go.
RECORDED = (
    "httpx.ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer "
    "certificate (_ssl.c:1006)",
    "aiohttp.client_exceptions.ClientConnectorCertificateError: Cannot connect to host localhost:45485 ssl:True "
    "[SSLCertVerificationError: (1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local "
    "issuer certificate (_ssl.c:1006)')]",
    "  cause: invalid peer certificate: UnknownIssuer",
    "CondaSSLError: Encountered an SSL error. Most likely a certificate verification issue.",
    "x509: certificate signed by unknown authority",
)


def test_every_message_of_a_program_has_a_source() -> None:
    shown = [message for row in rows(4) for message in row.messages]
    recorded = [message for message in shown if any(message in text for text in RECORDED)]
    assert sorted([*PROGRAMS, *recorded]) == sorted(shown)
    assert len(recorded) == len(RECORDED)


@pytest.mark.parametrize("message", PROGRAMS)
def test_programs_print_the_messages_of_the_table(message: str, lab: Lab) -> None:
    sent, template = PROGRAMS[message]
    good, alone = chain(), issue("localhost")
    certificates = {
        "leaf": good.sent[:1],
        "chain": good.sent,
        "chain and root": (*good.sent, good.root),
        "self-signed": (alone,),
    }[sent]
    url = f"https://localhost:{lab.serve(certificates)}/"
    program = next(word for word in template if word != "env" and "=" not in word)
    if program != "{python}" and not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    lab.write("Get.java", _JAVA.replace('URL"', f'{url}"').encode())
    command = [word.replace("{url}", url).replace("{python}", sys.executable) for word in template]
    env = support.clean_env(PATH=os.environ["PATH"], HOME=str(lab.directory), GIT_TERMINAL_PROMPT="0")
    done = subprocess.run(command, env=env, cwd=lab.directory, capture_output=True, encoding="utf-8", timeout=120)
    output = done.stdout + done.stderr
    other = OTHER_BUILDS.get(message)
    if other and other in output:
        pytest.skip(f"this {program} uses another TLS library")
    assert message in output


# Examples.


def matches(output: str, expected: str) -> bool:
    """Return whether *output* is *expected*, where "..." stands for any text in a line, or any lines."""
    pattern = ""
    for line in expected.splitlines():
        if line.strip() == "...":
            pattern += r"(.*\n)*?"
        else:
            parts = (re.escape(part) for part in line.rstrip().split("..."))
            pattern += f"{'.*'.join(parts)} *\n"
    return re.fullmatch(pattern, output) is not None


def console(first: str) -> list[Command]:
    """Return the commands of the example whose first command begins with *first*."""
    found = [commands(block) for block in blocks("troubleshooting", "console")]
    (example,) = [example for example in found if example[0].command.startswith(first)]
    return example


def test_the_example_of_check_is_its_output(lab: Lab, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    root = issue("Internal CA", ca=True, organization="Example Ltd")
    leaf = issue("intranet.example", root, hosts=("intranet.example",), organization="Example Ltd")
    port, resolve = lab.serve((leaf,)), socket.getaddrinfo
    _use_debian(lab.patch, tmp_path)
    lab.patch.setenv("CERTHOOK_STORE_DIR", support.cache_dir)
    lab.patch.setenv("COLUMNS", "80")
    lab.patch.setattr(socket, "getaddrinfo", lambda host, _, *rest, **more: resolve("127.0.0.1", port, *rest, **more))
    install, check = console("pip install")
    assert install.command == 'pip install "certhook[check]"'
    assert main(shlex.split(check.command)[1:]) == 1
    output = capsys.readouterr().out
    assert matches(output, check.output), output


def _use_debian(patch: pytest.MonkeyPatch, directory: Path) -> None:
    """Let the advice be that for a user of Debian who is not root."""
    patch.setattr(_systems, "current", partial(_system, "debian", directory))
    patch.setattr(_systems, "_is_root", lambda: False)


def _system(family: str, root: Path) -> _systems.System:
    system = _systems.FAMILIES[family]._replace(root=str(root))
    (root / system.directory.lstrip("/")).mkdir(parents=True, exist_ok=True)
    return system


#: The examples of installing a root, in the order of the page.
FAMILIES = ("debian", "alpine", "fedora", "arch", "suse", "freebsd", "macos", "windows")


def install_blocks() -> list[Block]:
    part = PAGE.partition(".. _problem-install:")[2].partition("\nWithout administrator rights")[0]
    return [block for block in blocks("troubleshooting") if block.text and _indented(block.text) in part]


def _indented(text: str) -> str:
    return "".join(f"   {line}\n" for line in text.splitlines())


def test_the_commands_that_install_a_root_are_those_of_every_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_systems, "_is_root", lambda: False)
    *examples, nix = install_blocks()
    assert set(FAMILIES) | {"nixos"} == set(_systems.FAMILIES)
    assert len(examples) == len(FAMILIES)
    for family, example in zip(FAMILIES, examples):
        expected = _system(family, tmp_path).install_commands("/path/to/root.pem")
        assert [command.command for command in commands(example)] == expected, family
    assert nix.text.splitlines() == _systems.FAMILIES["nixos"].install_commands("/path/to/root.pem")[:1]


def test_the_commands_that_update_public_roots_are_those_of_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_systems, "_is_root", lambda: False)
    part = PAGE.partition(".. _problem-update:")[2].partition(".. _")[0]
    packages = [system.package for system in _systems.FAMILIES.values()] + list(_systems._PACKAGES.values())
    expected = {_systems.FAMILIES["debian"].elevated(package.split()) for package in packages if package}
    assert {command for command in literals(part) if command.startswith("sudo ")} == expected


@pytest.mark.parametrize("start", ["CERTHOOK_MODE=", "CERTHOOK_EXTRA_CA_CERTS="])
def test_warnings_are_those_of_the_page(start: str) -> None:
    (command,) = console(start)
    assignment, _, rest = command.command.partition(" python -c ")
    name, _, value = assignment.partition("=")
    env = support.clean_env(**{name: value}, CERTHOOK_STORE_DIR=support.cache_dir)
    done = support.run_command(sys.executable, "-c", shlex.split(rest)[0], env=env)
    assert matches(done.stderr, command.output)


@pytest.mark.skipif(os.name == "nt", reason="directories of Windows have other reasons")
def test_the_status_without_a_store_is_that_of_the_page() -> None:
    export, status = console("export CERTHOOK_STORE_DIR=")
    name, _, value = export.command.partition(" ")[2].partition("=")
    env = support.clean_env(**{name: value, "COLUMNS": "80"})
    done = support.run_command(sys.executable, "-m", "certhook", env=env)
    assert matches(done.stdout, status.output), done.stdout


def test_every_example_is_tested() -> None:
    tested = [*install_blocks(), *(block for block in blocks("troubleshooting") if block.text in _other_examples())]
    assert {block.line for block in blocks("troubleshooting")} == {block.line for block in tested}


def _other_examples() -> list[str]:
    starts = ("$ pip install ", "$ CERTHOOK_", "$ export CERTHOOK_")
    return [block.text for block in blocks("troubleshooting", "console") if block.text.startswith(starts)]


def test_the_variable_for_one_root_is_the_one_of_the_advice() -> None:
    (command,) = console("export CERTHOOK_EXTRA_CA_CERTS=")
    assert any(command.command.replace("/path/to/root.pem", "{extra_instead}") in advice for cause in CAUSES
               for advice in cause.advice)  # fmt: skip


def test_verification_is_never_disabled_by_a_remedy() -> None:
    forbidden = re.compile(
        r"verify=False|CERT_NONE|--insecure|--trusted-host|sslVerify|REJECT_UNAUTHORIZED|_unverified_"
    )
    for label, _, text in PARTS:
        for line in re.findall(r"^- Remedy.*(?:\n  .*)*", text, re.MULTILINE):
            assert not forbidden.search(line), label
