"""No password, token or key from a variable or an argument appears in anything that certhook prints or stores."""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
import traceback
from pathlib import Path

import proxy_servers
import pytest
import support

from certhook import _files
from certhook._config import SERVER_AUTH, VARIABLES, Config
from certhook._sources import read_trust_set
from certhook._store import build
from certhook._text import host_and_port, presentable, shown, shown_path, without_parts
from certhook._watch import index_settings
from certhook.cli import _variables, main
from certhook.cli._terminal import show_json
from certhook.cli.check import curl, target, tunnel
from certhook.cli.check.failure import Deadline, Failure
from certhook.cli.check.proxies import Proxy
from certhook.exceptions import SourceError

PASSWORD = "hunter2pw"
KEY_TEXT = "c2VjcmV0IGtleSBtYXRlcmlhbA"
KEY = f"-----BEGIN PRIVATE KEY-----\n{KEY_TEXT}\n-----END PRIVATE KEY-----\n"
LOGIN = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
ENCODED_KEY = base64.b64encode(KEY.encode()).decode()
#: Parts of the secrets, in lower case. None of them may be printed.
NEEDLES = [text.lower() for text in (PASSWORD, KEY_TEXT[:12], LOGIN[:12], ENCODED_KEY[40:60])]

URLS = [
    *(
        f"https://user:{PASSWORD}{mark}@h.example/x"
        for mark in ("", "/", "?", "#", ";", "@", " x", "\n", "\\", "'", '"')
    ),
    *(f"{start}user:{PASSWORD}@h.example/x" for start in ("", "//", "https:/", "HTTPS://", "postgresql://", "file://")),
    f"https://user:\u00e9{PASSWORD}@h\u00e9.example",
    f"https\uff1a\uff0f\uff0fu\uff1a{PASSWORD}\uff20h",
    f"https:\\/\\/u:{PASSWORD}@h",
    f"https%3A%2F%2Fuser%3A{PASSWORD}%40h",
    f"https%253A%252F%252Fuser%253A{PASSWORD}%2540h",
    f"user:{PASSWORD}@h.example:path",
    f"ab:cd:{PASSWORD}@h.example",
    f"/etc/ssl/certs:https://u:{PASSWORD}@h/x",
    f"/a/b.pem:u:{PASSWORD}@h",
    f"/data/redis:/u:a/{PASSWORD}@h",
    f"https://u:/{PASSWORD}@10/x",
    f"https://user:{PASSWORD}".ljust(5000, "x") + "@h",
]
PARAMETERS = [
    *(
        f"{start}={PASSWORD}"
        for start in ("h?token", "https://h/x?access_token", "/srv/x?sig", "password", "A=1&X-Sig")
    ),
    f"Server=x;Password={PASSWORD};",
    f"user@h.example?token={PASSWORD}",
    f"file:///x?token={PASSWORD}",
]
TOKENS = [
    f"Authorization: Bearer {KEY_TEXT}",
    f"Basic {LOGIN}",
    *(
        f"{start}{KEY_TEXT}"
        for start in ("", "/", "ghp_", "glpat-", "eyJhbGciOiJIUzI1NiJ9.", "Bearer ", "/missing/ghp_")
    ),
    f"'{KEY_TEXT}'",
]
KEYS = [
    KEY,
    KEY.replace("PRIVATE", "OPENSSH PRIVATE").replace("\n", "\r\n"),
    KEY.replace("\n", " "),
    KEY.replace("\n", "\\n"),
    KEY.partition("-----END")[0],
    ENCODED_KEY,
    base64.b64encode(f"x{KEY}".encode()).decode(),
    base64.b64encode(bytes(range(7, 200))).decode() + KEY_TEXT,  # PKCS#12
    os.fsdecode(b"\x30\x82\x01\x21" + KEY_TEXT.encode()),  # PKCS#8
]
VALUES = [*URLS, *PARAMETERS, *TOKENS, *KEYS]


def assert_no_secret(*texts: object) -> None:
    for text in map(str, texts):
        found = [needle for needle in NEEDLES if needle in text.lower()]
        assert not found, text


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without variables that affect trust or proxies, and an empty working directory."""
    for name in [*os.environ]:
        if "CERT" in name or "_CA_" in name or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CERTHOOK_STORE_DIR", "none")
    monkeypatch.chdir(tmp_path)
    return monkeypatch


# Variables.


def everything_about(error: BaseException) -> list[object]:
    """Return what a program or a log can show of *error*."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return [error, repr(error), error.args, vars(error), *lines]


@pytest.mark.parametrize("setting", sorted({*VARIABLES} - {"CERTHOOK_DEBUG", "CERTHOOK_DISABLED"}))
def test_the_problems_of_a_variable_contain_no_secret(setting: str, no_variables) -> None:
    source = "system" if setting.startswith(("SSL_CERT", "NIX")) else "bundled"
    others = {
        "CERTHOOK_SOURCES": source,
        "CERTHOOK_BUNDLE": os.devnull,
        "SSL_CERT_DIR": "/none",
        "SSL_CERT_FILE": "/none",
    }
    if setting.startswith("NIX"):
        del others["SSL_CERT_DIR"], others["SSL_CERT_FILE"]
    for value in VALUES if others.get("SSL_CERT_DIR") else VALUES[::5]:  # The system's store is read.
        environ = {**others, setting: value}
        config = Config(environ)
        found = read_trust_set(config)
        assert found.problems or setting.startswith("NIX")
        for problem in found.problems:
            assert_no_secret(*everything_about(problem))
        assert_no_secret(*[(place.path, place.note) for place in found.locations])
        assert_no_secret(_variables.describe(environ, config))


@pytest.mark.parametrize("setting", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("value", [f"//u:{PASSWORD}@h/x", f"/none?sig={PASSWORD}", f"/none/ghp_{KEY_TEXT}/ca.pem"])
def test_the_store_contains_no_secret(setting: str, value: str, no_variables, tmp_path: Path, cas) -> None:
    (tmp_path / "bundle.pem").write_bytes(cas.pem("bundled"))
    (tmp_path / "stores").mkdir(0o700)
    environ = {"CERTHOOK_SOURCES": "system,bundled", "CERTHOOK_BUNDLE": str(tmp_path / "bundle.pem"), setting: value}
    found = read_trust_set(Config(environ))
    build.compile_store(str(tmp_path / "stores"), found, index_settings(found.config, SERVER_AUTH), False, "")
    assert [*(tmp_path / "stores").iterdir()]
    for path in (tmp_path / "stores").rglob("*"):
        assert_no_secret(path.name, path.read_bytes() if path.is_file() else "")


ALL_VERBS = """
import os, sys, warnings
from certhook.cli import main
import ssl
names = sys.argv[1].split()
for value in sys.argv[2:]:
    for name in names:
        os.environ[name] = value
    warnings.simplefilter("always")
    for purpose in (ssl.Purpose.SERVER_AUTH, ssl.Purpose.CLIENT_AUTH):
        ssl.create_default_context(purpose)
    for verb in (["status"], ["status", "--json"], ["list"], ["env"], ["diff"], ["export", "exported"]):
        print(verb, main(verb), file=sys.stderr)
"""
#: Variables that certhook reads besides its own: those of OpenSSL, of other clients, and of the system.
FOREIGN = (
    "REQUESTS_CA_BUNDLE CURL_CA_BUNDLE AWS_CA_BUNDLE PIP_CERT GRPC_DEFAULT_SSL_ROOTS_FILE_PATH NODE_EXTRA_CA_CERTS "
    "HTTPS_PROXY https_proxy ALL_PROXY NO_PROXY XDG_DATA_HOME CONDA_PREFIX VIRTUAL_ENV SHELL CERTHOOK_EXTRA_CERTS"
)


def test_no_verb_prints_a_secret(installed: Path, tmp_path: Path) -> None:
    names = sorted({*VARIABLES, *FOREIGN.split()} - {"CERTHOOK_DEBUG", "CERTHOOK_DISABLED"})
    values = [URLS[0], f"user:{PASSWORD}@h.example", KEY_TEXT, f"/none?sig={PASSWORD}", ENCODED_KEY]
    env = support.clean_env(CERTHOOK_DEBUG="1", HOME=str(tmp_path))
    done = support.run_command(installed, "-c", ALL_VERBS, " ".join(names), *values, env=env, cwd=tmp_path)
    assert done.stderr.count("['export', 'exported']") == len(values), done.stderr
    assert "SSL_CERT_FILE=(aURL" in support.squeezed(done.stdout)
    assert_no_secret(done.stdout, done.stderr)
    for path in tmp_path.rglob("*"):
        assert_no_secret(path.name, path.read_bytes() if path.is_file() else "")


# Arguments.

ARGUMENTS = [
    ("{}",),
    ("--{}",),
    ("status", "--output={}"),
    ("check", "--timeout", "{}", "h.example"),
    ("check", "@{}"),
    ("check", "--ca", "{}", "h.example"),
    ("check", "--connect-to", "{}", "h.example"),
    ("inspect", "./{}"),
    ("trust", "--dry-run", "{}"),
    ("diff", "{}"),
    ("env", "{}"),
    ("export", "--format", "{}", "x"),
    ("enable", "{}"),
    ("completion", "{}"),
    ("run", "{}"),
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=" ".join)
def test_no_message_repeats_a_secret_in_an_argument(arguments: tuple[str, ...], no_variables, capfd) -> None:
    # With these values, no server is named.
    values = [
        f"https://user:{PASSWORD}'\"@h .x",
        f"password={PASSWORD}",
        f"user:{PASSWORD}@h..x:y",
        f"ghp_{KEY_TEXT}.p12",
    ]
    for value in values:
        try:
            main([argument.format(value) for argument in arguments])
        except SystemExit as error:
            assert error.code
        output = "".join(capfd.readouterr())
        assert output
        assert_no_secret(output)


@pytest.mark.parametrize(
    "text, expected",
    [
        (f"user:{PASSWORD}@h.example:443", "h.example:443"),
        (f"https://user:{PASSWORD}@h.example/{PASSWORD}?{PASSWORD}", "h.example"),
        (f"http://user:p/{PASSWORD}@proxy.example:3128", "proxy.example:3128"),
        (f"user:{PASSWORD}", "user:..."),
        (f"https%3A%2F%2Fuser%3A{PASSWORD}%40h", "..."),
        (f"https://h.example?a=b@{KEY_TEXT}", "..."),
        ("[::1]:8443", "[::1]:8443"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_only_the_host_and_port_of_a_url_are_shown(text: str, expected: str) -> None:
    assert host_and_port(text) == expected


# Proxies.


@pytest.mark.parametrize("login", [f"user:{PASSWORD}", f"user:{PASSWORD}%40", f"{PASSWORD}:"])
def test_a_proxy_that_repeats_the_login_does_not_reveal_it(login: str) -> None:
    def refuse(raw: socket.socket) -> None:
        request = raw.recv(4096).decode()
        header = request.partition("Basic ")[2].partition("\r\n")[0]
        decoded = base64.b64decode(header).decode()
        raw.sendall(f"HTTP/1.1 407 no: {header} {decoded}\r\n\r\n".encode())

    with proxy_servers.listening(refuse) as port, pytest.raises(Failure) as caught:
        proxy = Proxy(f"http://{login}@127.0.0.1:{port}")
        tunnel.open_through(proxy, target.parse("h.example"), Deadline(10))
    assert caught.value.code == 407
    assert_no_secret(caught.value.text, caught.value.sentence)


@pytest.mark.parametrize(
    "url", [f"http://u:p/{PASSWORD}@h", f"http://[{PASSWORD}]@h", f"{PASSWORD}://h", f"http://u:{PASSWORD}@h:x"]
)
def test_the_error_of_an_invalid_proxy_contains_no_password(url: str) -> None:
    with pytest.raises(Failure) as caught:
        tunnel.open_through(Proxy(url), target.parse("h.example"), Deadline(1))
    assert_no_secret(caught.value.text, caught.value.sentence)


def test_messages_of_curl_contain_no_part_of_a_proxy(no_variables) -> None:
    no_variables.setenv("https_proxy", f"http://user:a/{PASSWORD}#b@proxy.example")
    for text in ("Could not resolve proxy: " + PASSWORD, f"port number in {os.environ['https_proxy']} is invalid"):
        assert_no_secret(curl._without_secrets(text))
    assert curl._without_secrets("Could not resolve proxy: proxy.example").endswith("proxy.example")
    assert without_parts("unreachable", ["http://proxy.example"]) == "unreachable"


# Messages.


@pytest.mark.parametrize(
    "value", [value for value in VALUES if value != KEY_TEXT and "c2VjcmV0" not in value.strip("'/")[:8]]
)
def test_recognised_secrets_are_removed_from_messages_of_other_programs(value: str) -> None:
    if "\uff1a" in value or "\\/" in value or KEYS[-2] == value or KEYS[-1] == value:
        pytest.skip("is recognised only as a whole value")
    assert_no_secret(presentable(f"[Errno 2] No such file or directory: '{value}'"))


def test_a_secret_at_the_end_of_a_shortened_message_is_removed() -> None:
    for length in (3990, 65530, 70_000):
        assert_no_secret(presentable(f"{'x ' * (length // 2)}https://user:{PASSWORD}{'y' * 70_000}@h"))


PATHS = [
    "/etc/ssl/ca.pem",
    "/home/me@corp.example/ca.pem",
    "/nix/store/3q8a0y1k2l4z5x6c7v8b9n0m1a2s3d4f-nss-cacert-3.98/etc/ssl/certs/ca-bundle.crt",
    "/nix/store/3q8a0y1k2l4z5x6c7v8b9n0m1a2s3d4f-nss-cacert",
    "/opt/homebrew/etc/ca-certificates:/opt/homebrew/etc/openssl@3/certs",
    "/etc/my_certs:/home/me@corp.example/certs",
    "/opt/sk-region-1-production-proxy/hf_corporate_root_ca_bundle.pem",
    "/etc/a.pem:/etc/b.pem",
    "/etc/a.pem;/etc/b.pem",
    "'/etc/a b.pem'",
    "~/ca.pem",
    "$HOME/certs/ca.pem",
    "certs/ca.pem",
    "file:///etc/ca.pem",
    "system,certifi",
    "fallbck",
]


@pytest.mark.skipif(os.name == "nt", reason="the paths are those of POSIX")
@pytest.mark.parametrize("value", PATHS)
def test_paths_and_words_are_shown(value: str) -> None:
    assert shown(value) == repr(value)
    assert shown_path(value) == value
    assert presentable(f"{value} does not exist") == f"{value} does not exist"


@pytest.mark.parametrize(
    "message",
    [
        "https://a.example:443: /opt/homebrew/etc/openssl@3/cert.pem is missing",
        "the path '/opt/homebrew/opt/python@3.11/bin' is not https://a.example/x",
        "OU=Terms of use at https://www.example.com/rpa (c)05, emailAddress=ca@corp.example",
        "CN=http://www.example.com/, emailAddress=ca@corp.example",
        "the bearer certificate is missing",
        "sk-region-1-production-proxy.corp.example: connection refused",
    ],
)
def test_messages_without_secrets_are_unchanged(message: str) -> None:
    assert presentable(message) == message


def test_a_url_without_a_login_does_not_protect_the_following_one() -> None:
    text = f"https://a.example/x then https://user:{PASSWORD}@h.example and /opt/openssl@3/x"
    assert presentable(text) == "https://a.example/x then https://...@h.example and /opt/openssl@3/x"


@pytest.mark.parametrize("path", [f"/none?sig={PASSWORD}", f"//u:{PASSWORD}@h/x", f"/none/ghp_{KEY_TEXT}/x", KEY_TEXT])
def test_an_error_contains_no_secret(path: str) -> None:
    with pytest.raises(SourceError) as caught:
        _files.read(path)
    assert_no_secret(*everything_about(caught.value), vars(caught.value.__cause__))


@pytest.mark.parametrize("arguments", [("check", "--timeout"), ("export", "--format"), ("completion",)], ids=" ".join)
def test_a_token_in_an_argument_with_known_values_is_not_repeated(arguments: tuple[str, ...], capfd) -> None:
    with pytest.raises(SystemExit):
        main([*arguments, KEY_TEXT])
    assert_no_secret(capfd.readouterr().err)


def test_existing_paths_are_shown(tmp_path: Path) -> None:
    for name in (f"ghp_{KEY_TEXT}", "a@b:c", "x=1&token=2", "a b'c"):
        (tmp_path / name).mkdir()
        assert shown_path(str(tmp_path / name)) == str(tmp_path / name)
        assert SourceError(str(tmp_path / name), "").path == str(tmp_path / name)


BOUNDED = """
import resource
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))  # It takes a second; a quadratic search takes minutes.
from certhook import _config, _secrets, _text
parts = ["a", "@", "//", "a@", "-----BEGIN ", "LS0tLS1CRUdJT", "'", "basic ", "bearer ", "a:", "a.", "%25", "token",
         "token=", "eyJ", ":/", "gh", "ghp_", " ", "https://", "?a=", "A1", "a%3A%2F", "-", "_", chr(0xdc80)]
for part in parts:
    text = (part * 50_000)[:50_000]
    for value in (text, text + "@"):
        _text.presentable(value), _text.shown(value), _text.shown_path(value), _text.host_and_port(value)
    _config.Config(dict.fromkeys(_config.VARIABLES, (part * 200_000)[:200_000] + "@"))
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of CPU time are those of POSIX")
def test_the_time_is_proportional_to_the_length(installed: Path) -> None:
    assert support.run(installed, BOUNDED).stdout == "done\n"


@pytest.mark.parametrize(
    "text", ['token=a"b', 'sig=a\\"b', "a\nghp_0123456789abcd", 'https%3A%2F%2Fa"b', 'https://u:p"@h']
)
def test_json_with_a_removed_secret_is_valid(text: str, capfd) -> None:
    show_json({"subject": [text]})
    (shown_text,) = json.loads(capfd.readouterr().out)["subject"]
    assert "..." in shown_text
    assert "0123" not in shown_text
