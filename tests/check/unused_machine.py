"""Machines on which a root is present, but unused: the check, its commands, and the verdict of stock Python after them.

Each machine is a mount namespace with the files of a distribution. Its servers run outside of it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import namespace
import support
from namespace import Link, Tree

#: The directory that is compiled into the OpenSSL of this interpreter. Its links lead to Debian's store.
OPENSSLDIR = os.path.dirname(__import__("ssl").get_default_verify_paths().openssl_cafile)
STORE = "/etc/ssl/certs/ca-certificates.crt"
LOCAL = "/usr/local/share/ca-certificates"
HOME = "/tmp/home"

_PROGRAM = """
import contextlib, io, json, os, subprocess, sys
from certhook.cli import main

def check():
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        main(["check", "--json", "localhost:" + os.environ["PORT"]])
    return json.loads(output.getvalue())["checks"][0]

def stock():
    code = "import os, socket, ssl; raw = socket.create_connection(('127.0.0.1', int(os.environ['PORT'])))\\n"
    code += "ssl.create_default_context().wrap_socket(raw, server_hostname='localhost')"
    environ = dict(os.environ, CERTHOOK_DISABLED="1")
    return subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True).returncode == 0

results = [check()]
before = stock()
shell = [part for text in results[0]["cause"]["advice"] for part in text.partition("\\n")[2:] if part]
if shell and os.environ["EXECUTE"]:
    done = subprocess.run(["sh", "-ec", shell[int(os.environ["EXECUTE"])]
        + "\\nenv -0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    output, _, environ = done.stdout.rpartition(b"done.\\n") if b"done.\\n" in done.stdout else (b"", b"", done.stdout)
    os.environ.update(pair.decode().split("=", 1) for pair in environ.split(b"\\0") if b"CERTHOOK_EXTRA" in pair)
    results.append(check())
print(json.dumps([results, before, stock()]))
"""


class Outcome(NamedTuple):
    """The results of both checks and of stock Python.

    :ivar before: the check
    :ivar after: the check after the commands, None if none was executed
    :ivar stock: whether stock Python verifies the server, before and after the commands
    """

    before: dict[str, Any]
    after: dict[str, Any] | None
    stock: tuple[bool, bool]

    @property
    def cause(self) -> str:
        return self.before["cause"]["id"]

    @property
    def text(self) -> str:
        """The cause and the advice."""
        return "\n".join([self.before["cause"]["sentence"], *self.before["cause"]["advice"]])


def debian(*roots: bytes) -> Tree:
    """Return the files of Debian, whose store contains *roots*. Stock Python reads this store."""
    return {
        "/etc/os-release": b'ID=debian\nNAME="Debian GNU/Linux"\n',
        "/etc/ca-certificates.conf": b"",
        "/etc/ssl/certs": os.mkdir,
        STORE: b"".join(roots),
        f"{OPENSSLDIR}/certs": Link("/etc/ssl/certs"),
        f"{OPENSSLDIR}/cert.pem": Link(STORE),
        "/usr/local/share/ca-certificates": os.mkdir,
        "/usr/share/ca-certificates": os.mkdir,
        HOME: os.mkdir,
    }


def diagnose(
    port: int, tree: Tree, directory: Path, execute: int | None = None, privileged: bool = True, **variables: str
) -> Outcome:
    """Check the server at *port* on a machine with the files *tree*.

    :param execute: the number of the advice with commands to execute, None for none
    :param privileged: whether root may ignore permissions
    """
    env = support.clean_env(
        HOME=HOME, TMPDIR="/tmp", PORT=str(port), EXECUTE="" if execute is None else str(execute), **variables
    )
    done = namespace.run(
        Path(sys.executable), _PROGRAM, tree, env, directory, hidden=(OPENSSLDIR,), privileged=privileged
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    results, before, after = json.loads(done.stdout.splitlines()[-1])
    return Outcome(results[0], results[1] if len(results) > 1 else None, (before, after))
