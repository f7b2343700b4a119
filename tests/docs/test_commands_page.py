"""The commands of ``docs/reference/commands.rst`` have the output that the page shows."""

from __future__ import annotations

import re
import shlex
import shutil
import ssl
from contextlib import ExitStack
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import Iterator

import pages
import pytest
import support
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates
from pki import issue

PAGE = "reference/commands"
LAST_DAY = datetime(2044, 6, 9, tzinfo=timezone.utc)
#: The commands whose output the page shows; other tests verify the options of all commands.
COMMANDS = [
    command
    for block in pages.blocks(PAGE, "console")
    for command in pages.commands(block)
    if command.output not in ("", "...\n")
]


class Machine:
    """A Python with certhook and its optional packages, a root in /etc/company/root.pem, and intranet.example."""

    def __init__(self, installed: Path, directory: Path, stack: ExitStack) -> None:
        self._directory, self._root = directory, directory / "root.pem"
        environment = support.copy_environment(installed, directory / "environment")
        self._python = environment.python
        for package in ("cryptography", "cffi", "_cffi_backend", "typing_extensions"):
            spec = find_spec(package)
            if spec is not None:
                path = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
                (environment.site_packages / path.name).symlink_to(path)
        days = (LAST_DAY - datetime.now(timezone.utc)).days + 1
        root = issue("Example Ltd Root CA", ca=True, organization="Example Ltd", days=(-30, days))
        server = issue("intranet.example", root, hosts=("intranet.example",), organization="Example Ltd")
        self._root.write_bytes(root.pem)
        (directory / "company.p7b").write_bytes(serialize_certificates([root.certificate], Encoding.DER))
        (directory / "server.pem").write_bytes(server.pem + server.secret)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "server.pem")
        self._port = stack.enter_context(support.serving(context))
        # A store of the operating system without private roots.
        shutil.copy(environment.site_packages / "certifi" / "cacert.pem", directory / "store.pem")
        text = (directory / "store.pem").read_text(encoding="utf-8")
        first = text[text.index("-----BEGIN") : text.index("-----END")] + "-----END CERTIFICATE-----\n"
        (directory / "certs").mkdir()
        (directory / "certs" / support.hashed_name(ssl.PEM_cert_to_DER_cert(first))).write_text(first)
        self._env = support.clean_env(
            CERTHOOK_EXTRA_CA_CERTS=str(self._root),
            CERTHOOK_SOURCES="system,bundled",
            SSL_CERT_FILE=str(directory / "store.pem"),
            SSL_CERT_DIR=str(directory / "certs"),
            HOME=str(directory),
        )

    def run(self, command: str) -> str:
        """Run *command*, and return its output with the paths and the address of the page."""
        words = shlex.split(command)
        words = words[words.index("certhook") + 1 :]
        if words[:1] == ["check"]:
            words[1:1] = ["--connect-to", f"127.0.0.1:{self._port}"]
        done = support.run_command(self._python, "-I", "-m", "certhook", *words, env=self._env, cwd=self._directory)
        assert done.stderr == "", done.stderr
        output = done.stdout.replace(f"Connection: at 127.0.0.1:{self._port}\n\n", "")
        # The real path is longer, so that it begins a line.
        return re.sub(rf"\s+{re.escape(str(self._root))}", " /etc/company/root.pem", output)


@pytest.fixture(scope="module")
def machine(installed, tmp_path_factory) -> Iterator[Machine]:
    with ExitStack() as stack:
        yield Machine(installed, tmp_path_factory.mktemp("page"), stack)


def matches(output: str, expected: str) -> bool:
    """Return whether *output* is *expected*, in which "..." stands for any text, or for lines on a line of its own."""
    parts = [re.escape(line).replace(r"\.\.\.", ".*") for line in expected.splitlines()]
    pattern = "".join("(?:.*\n)*?" if part == ".*" else f"{part} *\n" for part in parts)
    return re.fullmatch(pattern, output) is not None


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.command)
def test_a_command_has_the_output_of_the_page(command, machine) -> None:
    output = machine.run(command.command)
    assert matches(output, command.output), output


def test_the_page_shows_output_that_is_compared() -> None:
    assert len(COMMANDS) >= 5
    assert matches("a\nb\nc 1\n", "a\n...\nc ...\n") and not matches("a\nb\n", "a\n")
