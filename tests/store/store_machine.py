"""A machine with a system store and a bundle of the test authorities, and programs that run on it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import support

#: A program that evaluates the expressions on its standard input and prints their values as JSON.
PROGRAM = """
import json, os, socket, ssl, sys, _ssl
from certhook import _watch
_watch.INTERVAL = 0  # Every context checks the inputs.
servers = [server.split(":") for server in os.environ["SERVERS"].split()]
contexts = []
def make():
    contexts.append(ssl.create_default_context())
def trusted(context):
    names = []
    for name, port in servers:
        try:
            with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as raw:
                context.wrap_socket(raw, server_hostname="localhost").close()
            names.append(name)
        except ssl.SSLCertVerificationError:
            pass
    return names
def loaded(context):
    return _ssl._SSLContext.cert_store_stats(context)["x509"]
def described(context):
    ders = sorted(der.hex() for der in context.get_ca_certs(binary_form=True))
    return [ders, sorted(map(repr, context.get_ca_certs())), context.cert_store_stats()]
for line in sys.stdin:
    print(json.dumps(eval(line)), flush=True)
"""

#: Expressions for :data:`PROGRAM`: the authorities that a new context trusts, the roots that it
#: returns, and the number of certificates that it has loaded.
TRUSTED_BY_NEW = "trusted(ssl.create_default_context())"
ROOTS_OF_NEW = "described(ssl.create_default_context())"
LOADED_BY_NEW = "loaded(ssl.create_default_context())"

#: The authorities that a :class:`Machine` trusts.
DEFAULT = {"system", "both", "bundled"}


class Program:
    """A running :data:`PROGRAM`."""

    def __init__(self, python: Path, env: dict[str, str]) -> None:
        command = [str(python), "-W", "ignore", "-c", PROGRAM]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, encoding="utf-8")

    def __call__(self, expression: str) -> object:
        """Return the value of *expression*."""
        self._process.stdin.write(expression + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the program has exited"
        return json.loads(answer)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate(timeout=60)


class Machine:
    """A machine whose default trust consists of three test authorities.

    The system's file contains *system*, and its hashed directory *both*; each is a symbolic link,
    as on many systems. The bundle contains *bundled*.
    """

    def __init__(self, python: Path, directory: Path, cas: support.Authorities, servers: support.Servers) -> None:
        self.python = python
        self.cas = cas
        self.roots = directory / "roots"
        self.file = directory / "system.pem"
        self.directory = directory / "hashed"
        self.cache = directory / "cache"
        self.roots.mkdir()
        self.directory.mkdir()
        for name in cas.names:
            (self.roots / f"{name}.pem").write_bytes(cas.pem(name))
        self.file.symlink_to(self.roots / "system.pem")
        self.hashed("both").symlink_to(self.roots / "both.pem")
        self.env = support.clean_env(
            SSL_CERT_FILE=str(self.file),
            SSL_CERT_DIR=str(self.directory),
            CERTHOOK_SOURCES="system,bundled",
            CERTHOOK_BUNDLE=str(self.roots / "bundled.pem"),
            CERTHOOK_STORE_DIR=str(self.cache),
            SERVERS=support.server_list(servers),
        )

    def hashed(self, name: str, directory: Path | None = None) -> Path:
        """Return the path at which OpenSSL looks up the root of an authority."""
        return (directory or self.directory) / support.hashed_name(self.cas.der(name))

    def write_file(self, content: bytes) -> None:
        """Replace the system's file, a link, by a file with *content*."""
        self.file.unlink()
        self.file.write_bytes(content)

    def start(self, **variables: str) -> Program:
        return Program(self.python, {**self.env, **variables})

    def ask(self, expression: str, **variables: str) -> object:
        """Return the value of *expression* in a new process."""
        with self.start(**variables) as program:
            return program(expression)

    def trusted(self, **variables: str) -> set[str]:
        """Return the authorities that a new process trusts."""
        return set(self.ask(TRUSTED_BY_NEW, **variables))

    @property
    def store(self) -> Path:
        (store,) = (path for path in self.cache.iterdir() if path.is_dir() and not path.is_symlink())
        return store

    @property
    def index(self) -> Path:
        (index,) = self.cache.glob("index-*")
        return index

    def expire_check(self) -> None:
        """Let the latest check of every file, which the index's modification time records, expire."""
        an_hour_ago = self.index.stat().st_mtime - 3600
        os.utime(str(self.index), (an_hour_ago, an_hour_ago))
