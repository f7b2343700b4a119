"""Programs for which ``certhook env`` sets a variable trust exactly the exported roots."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Callable, NamedTuple

import pytest
import support
from pages import STRANGER, TRUSTED

from certhook.cli._other_programs import VARIABLES


class Program(NamedTuple):
    """A program.

    :ivar variable: the variable that names its bundle
    :ivar command: a command that fetches "hello". PORT stands for the port of the server, and PAIR for the path of
        a file with the server's private key and certificate chain.
    :ivar refusal: a pattern for the output if the program does not trust the server
    :ivar env: additional variables
    :ivar stdin: the standard input
    """

    variable: str
    command: str
    refusal: str = "certificate"
    env: dict[str, str] = {}
    stdin: str = ""


_GRPC = """
import concurrent.futures, grpc, sys
pair = open(sys.argv[1], "rb").read()
def answer(request, context):
    return b"hello"
handler = grpc.method_handlers_generic_handler("greeter", {"Greet": grpc.unary_unary_rpc_method_handler(answer)})
server = grpc.server(concurrent.futures.ThreadPoolExecutor(1), handlers=[handler])
port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([(pair, pair)]))
server.start()
try:
    with grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials()) as channel:
        print(channel.unary_unary("/greeter/Greet")(b"", timeout=60))
finally:
    server.stop(None)
"""
_HTTPLIB2 = "import httplib2; print(httplib2.Http().request('https://localhost:PORT/hello')[1])"
_HTTPR = "import httpr; print(httpr.Client().get('https://localhost:PORT/hello').text)"
_REQUESTS = "import requests; print(requests.get('https://localhost:PORT/hello', timeout=60).text)"
_NODE = """
require("https").get("https://localhost:PORT/hello", (answer) => answer.pipe(process.stdout))
    .on("error", (error) => { console.log(error.message); process.exit(1); });
"""
_DENO = "console.log(await (await fetch('https://localhost:PORT/hello')).text())"
_PERL = """
use LWP::UserAgent;
my $answer = LWP::UserAgent->new->get("https://localhost:PORT/hello");
print $answer->decoded_content;
exit !$answer->is_success;
"""
_RUBY = "require 'open-uri'; puts URI.open('https://localhost:PORT/hello').read"

_AWS = {
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
}
_AWS_S3 = "aws --endpoint-url https://localhost:PORT s3 cp s3://bucket/hello -"
_PIP = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
_PIP_DOWNLOAD = "python -m pip download --no-cache-dir --retries 0 --index-url https://localhost:PORT/simple/ hello"
_CARGO = {"RUSTUP_HOME": os.environ.get("RUSTUP_HOME", os.path.expanduser("~/.rustup"))}

PROGRAMS = {
    "aws": Program("AWS_CA_BUNDLE", _AWS_S3, env=_AWS),
    "cargo": Program(
        "CARGO_HTTP_CAINFO", "cargo search --index sparse+https://localhost:PORT/ hello", "SSL", env=_CARGO
    ),
    "curl": Program("CURL_CA_BUNDLE", "curl --silent --show-error https://localhost:PORT/hello"),
    "deno": Program("DENO_CERT", f"deno eval {shlex.quote(_DENO)}"),
    "git": Program("GIT_SSL_CAINFO", "git ls-remote https://localhost:PORT/repository"),
    "grpcio": Program(
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", f"python -c {shlex.quote(_GRPC)} PAIR", "CERTIFICATE_VERIFY_FAILED"
    ),
    "httplib2": Program("HTTPLIB2_CA_CERTS", f"python -c {shlex.quote(_HTTPLIB2)}"),
    "httpr": Program("HTTPR_CA_BUNDLE", f"python -c {shlex.quote(_HTTPR)}", "error sending request"),
    "node": Program("NODE_EXTRA_CA_CERTS", f"node --eval {shlex.quote(_NODE)}"),
    "openssl": Program(
        "SSL_CERT_FILE",
        "openssl s_client -quiet -verify_return_error -connect localhost:PORT",
        stdin="GET /hello HTTP/1.0\r\n\r\n",
    ),
    "perl": Program("PERL_LWP_SSL_CA_FILE", f"perl -e {shlex.quote(_PERL)}"),
    "pip": Program("PIP_CERT", _PIP_DOWNLOAD, env=_PIP),
    "python": Program(
        "SSL_CERT_FILE",
        "python -c \"import urllib.request as u; print(u.urlopen('https://localhost:PORT/hello').read())\"",
    ),
    "rclone": Program(
        "SSL_CERT_FILE", "rclone --retries 1 --low-level-retries 1 lsf --http-url https://localhost:PORT/ :http:"
    ),
    "requests": Program("REQUESTS_CA_BUNDLE", f"python -c {shlex.quote(_REQUESTS)}"),
    "ruby": Program("SSL_CERT_FILE", f"ruby -e {shlex.quote(_RUBY)}"),
    "uv": Program("SSL_CERT_FILE", "uv pip compile -n --default-index https://localhost:PORT/simple/ wanted.in"),
}


@pytest.fixture
def can_connect(require_program: Callable[[str], str], ports: dict[str, int], pairs: dict[str, Path], tmp_path: Path):
    """Run a program that connects to the server of a CA, and return whether it received "hello".

    Other errors than an untrusted certificate fail the test.
    """
    (tmp_path / "wanted.in").write_text("hello")

    def run(program: Program, ca: str, shell_lines: str = "", **variables: str) -> bool:
        command = program.command.replace("PORT", str(ports[ca])).replace("PAIR", shlex.quote(str(pairs[ca])))
        name, *arguments = shlex.split(command)
        home = {name: str(tmp_path) for name in ("HOME", "CARGO_HOME", "TMPDIR")}
        done = subprocess.run(
            ["sh", "-c", f'{shell_lines}\nexec "$@"', "sh", require_program(name), *arguments],
            env=support.clean_env(**home, **program.env, **variables),
            cwd=str(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            input=program.stdin,
            encoding="utf-8",
            timeout=120,
        )
        has_hello = done.returncode == 0 and re.search(r"\bhello\b", done.stdout) is not None
        assert has_hello or re.search(program.refusal, done.stdout, re.IGNORECASE), done.stdout
        return has_hello

    return run


@pytest.fixture
def exported(certhook, tmp_path: Path) -> Path:
    """The trusted roots in a file with a path that requires quoting in a shell."""
    path = tmp_path / "the roots.pem"
    certhook(tmp_path, "export", path.name)
    return path


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_trusts_exactly_the_exported_roots(can_connect, certhook, exported, name) -> None:
    program = PROGRAMS[name]
    lines = certhook(exported.parent, "env", exported.name).stdout
    assert not can_connect(program, TRUSTED), "trusted without a variable"
    assert can_connect(program, TRUSTED, **{program.variable: str(exported)}), "not trusted with the variable"
    assert can_connect(program, TRUSTED, lines), "not trusted with the output of certhook env"
    assert not can_connect(program, STRANGER, lines), "unknown CA trusted with the output of certhook env"
    unset = certhook(exported.parent, "env", "--unset").stdout
    assert not can_connect(program, TRUSTED, lines + unset), "trusted after the output of certhook env --unset"


#: Variables of programs that no package repository provides. gcloud's documentation describes the first one.
UNTESTED = {"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"}


def test_every_variable_that_certhook_env_sets_is_tested() -> None:
    assert {program.variable for program in PROGRAMS.values()} | UNTESTED == set(VARIABLES)


# Java has no such variable and uses its own format.

_JAVA = """
import java.net.URI;

public class Hello {
    public static void main(String[] arguments) throws Exception {
        try (var stream = URI.create(arguments[0]).toURL().openStream()) {
            System.out.println(new String(stream.readAllBytes()));
        }
    }
}
"""


def test_java_trusts_an_exported_trust_store_without_a_password(can_connect, certhook, tmp_path) -> None:
    (tmp_path / "Hello.java").write_text(_JAVA)
    certhook(tmp_path, "export", "--format", "pkcs12", "roots.p12")
    refusal = "unable to find valid certification path"
    stock = Program("", "java Hello.java https://localhost:PORT/hello", refusal)
    with_option = Program(
        "", "java -Djavax.net.ssl.trustStore=roots.p12 Hello.java https://localhost:PORT/hello", refusal
    )
    assert not can_connect(stock, TRUSTED)
    assert can_connect(with_option, TRUSTED)
    assert not can_connect(with_option, STRANGER)


@pytest.mark.parametrize("arguments", [("-printcert", "-file"), ("-importcert", "-noprompt", "-storepass", "changeit")])
def test_keytool_accepts_an_exported_file_with_comments(require_program, exported, tmp_path, arguments) -> None:
    if arguments[0] == "-importcert":
        arguments = (*arguments, "-keystore", str(tmp_path / "store"), "-file")
    done = support.run_command(require_program("keytool"), *arguments, exported)
    assert done.returncode == 0, done.stdout
    assert f"certhook tests {TRUSTED}" in done.stdout or "was added to keystore" in done.stderr
