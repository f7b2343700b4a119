"""A container image with a compiled store, and the trust of the processes in it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import support

# Prints the authorities that the default contexts for servers and for clients trust, and whether sources were read.
PROGRAM = (
    support.VERDICTS.split("context = ")[0]
    + """
import json, sys
server, client = (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(2))
server.load_default_certs()
client.load_default_certs(ssl.Purpose.CLIENT_AUTH)
read = "certhook._sources" in sys.modules
servers = [server.split(":") for server in os.environ["SERVERS"].split()]
trusted = [[name for name, port in servers if verdict(port, context) == "yes"] for context in (server, client)]
print(json.dumps([*trusted, read]))
"""
)


class Outcome(NamedTuple):
    """The trust in one process."""

    #: The authorities that are trusted for servers.
    servers: set[str]
    #: The authorities that are trusted for clients.
    clients: set[str]
    #: Whether the process read the sources, because it found no store.
    read: bool


PREBUILT = Outcome({"system", "both", "bundled"}, {"system", "both"}, read=False)
READ = PREBUILT._replace(read=True)


class Image:
    """A container image: an environment with certhook, and the files that its roots are read from."""

    def __init__(self, directory: Path, python: Path, cas: support.Authorities, servers: support.Servers) -> None:
        self.directory = directory
        self.python = python
        self.beside = support.purelib(python) / "certhook-store"
        self.roots = directory / "roots"
        self.file = self.roots / "system.pem"
        self.cas = cas
        self.env = support.clean_env(
            SSL_CERT_FILE=str(self.file),
            SSL_CERT_DIR=str(self.roots),
            CERTHOOK_SOURCES="system,bundled",
            CERTHOOK_BUNDLE=str(self.roots / "bundled.pem"),
            CERTHOOK_STORE_DIR=str(directory / "cache"),
            SERVERS=support.server_list(servers),
        )

    def reset(self) -> None:
        for path in (self.beside, self.roots, self.directory / "cache"):
            shutil.rmtree(str(path), ignore_errors=True)
        self.roots.mkdir()
        self.file.write_bytes(self.cas.pem("system"))
        (self.roots / "bundled.pem").write_bytes(self.cas.pem("bundled"))
        self.hashed("both").write_bytes(self.cas.pem("both"))

    def hashed(self, name: str) -> Path:
        """Return the path of an authority's root in the hashed directory."""
        return self.roots / support.hashed_name(self.cas.der(name))

    def environment(self, **variables: str | None) -> dict[str, str]:
        return {name: value for name, value in {**self.env, **variables}.items() if value is not None}

    def compile(self, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        env = self.environment(**variables)
        return support.run_command(self.python, "-m", "certhook", "compile", *arguments, env=env, cwd=self.directory)

    def run(self, *prefix: str, **variables: str | None) -> Outcome:
        """Return the trust in a new process, which *prefix* starts."""
        command = [*prefix, self.python, "-W", "error", "-c", PROGRAM]
        done = support.run_command(*command, env=self.environment(**variables))
        assert (done.returncode, done.stderr) == (0, "")
        servers, clients, read = json.loads(done.stdout)
        return Outcome(set(servers), set(clients), read)


def stores(directory: Path) -> list[str]:
    """Return the names of the stores in *directory*."""
    return sorted(path.name for path in directory.iterdir() if path.is_dir() and not path.is_symlink())
