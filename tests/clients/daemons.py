"""Real servers for clients: PostgreSQL and Redis, each on a loopback port and in its own directory.

Another process may take a free port before the server binds it. In this case, the server is
started again with another port.
"""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple

_SECONDS = 60


class Identity(NamedTuple):
    """The identity of a server.

    :ivar key: its private key, in PEM format
    :ivar chain: its certificate chain, in PEM format
    :ivar ca: the certificate of the CA that issues client certificates, in PEM format
    :ivar demanding: whether the server requires a client certificate
    """

    key: bytes
    chain: bytes
    ca: bytes
    demanding: bool


def unavailable(kind: str) -> str | None:
    """Return the reason why servers of this kind are not available, or None."""
    if kind == "redis" and shutil.which("redis-server") is None:
        return "redis-server is not installed"
    if kind == "postgresql" and _postgresql("initdb") is None:
        return "postgresql is not installed"
    return None


def _postgresql(program: str) -> str | None:
    # Debian does not put the programs of the server on the PATH, because several versions can be installed.
    found = shutil.which(program) or max(glob.glob(f"/usr/lib/postgresql/*/bin/{program}"), default=None)
    return found and os.path.realpath(found)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def _directory(owner: int = 0) -> Iterator[Path]:
    """Create a temporary directory for *owner*. Other users cannot enter the directories of pytest."""
    path = Path(tempfile.mkdtemp(prefix="certhook-tests-"))
    try:
        os.chown(path, owner, -1)
        yield path
    finally:
        shutil.rmtree(path)


def _write_identity(directory: Path, identity: Identity) -> None:
    for name, data in ("key.pem", identity.key), ("chain.pem", identity.chain), ("ca.pem", identity.ca):
        (directory / name).write_bytes(data)
        (directory / name).chmod(0o600)


@contextmanager
def redis(identities: dict[str, Identity]) -> Iterator[dict[str, int]]:
    """Start a Redis server for each of *identities* and return their ports."""
    running = []
    with _directory() as directory:
        try:
            ports = {}
            for name, identity in identities.items():
                (directory / name).mkdir()
                _write_identity(directory / name, identity)
                process, ports[name] = _start_redis(directory / name, identity.demanding)
                running.append(process)
            yield ports
        finally:
            for process in running:
                process.kill()
                process.wait()


def _start_redis(directory: Path, demanding: bool) -> tuple[subprocess.Popen, int]:
    for _ in range(5):
        port = _free_port()
        settings = {
            "bind": "127.0.0.1",
            "port": "0",
            "tls-port": str(port),
            "tls-key-file": "key.pem",
            "tls-cert-file": "chain.pem",
            "tls-ca-cert-file": "ca.pem",
            "tls-auth-clients": "yes" if demanding else "no",
            "save": "",
            "logfile": "log",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        process = subprocess.Popen(["redis-server", *options], cwd=directory)
        deadline = time.monotonic() + _SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            # Check the log, not the port: another process may be listening on the port.
            if "Ready to accept connections" in _read_if_exists(directory / "log"):
                return process, port
            time.sleep(0.02)
        process.kill()
        process.wait()
    raise RuntimeError(f"redis-server does not start:\n{_read_if_exists(directory / 'log')}")


def _read_if_exists(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@contextmanager
def postgresql(identities: dict[str, Identity]) -> Iterator[dict[str, int]]:
    """Start a PostgreSQL server for each of *identities* and return their ports.

    The database user *postgres* needs no password.
    """
    # PostgreSQL refuses to run as root.
    nobody = pwd.getpwnam("nobody")
    as_nobody = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    with _directory(nobody.pw_uid) as directory:
        template = directory / "template"

        def run_as_nobody(program: str, *arguments: object, **kwargs: object) -> subprocess.CompletedProcess[bytes]:
            command = [*as_nobody, program, *map(str, arguments)]
            return subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **kwargs)

        initdb = (_postgresql("initdb"), "--no-sync", "--no-locale", "--encoding=UTF8")
        run_as_nobody(*initdb, "--auth=trust", "--username=postgres", "--pgdata", template, check=True)
        started = []
        try:
            ports = {}
            for name, identity in identities.items():
                run_as_nobody("cp", "-a", template, directory / name, check=True)
                started.append(directory / name)
                ports[name] = _start_postgresql(run_as_nobody, directory / name, identity)
            yield ports
        finally:
            for data in started:
                pg_ctl = (_postgresql("pg_ctl"), "--pgdata", data)
                run_as_nobody(*pg_ctl, "--mode=immediate", "stop", stderr=subprocess.DEVNULL)


def _start_postgresql(run_as_nobody, data: Path, identity: Identity) -> int:
    _write_identity(data, identity)
    owner = data.stat()
    for file in data.glob("*.pem"):
        os.chown(file, owner.st_uid, owner.st_gid)
    method = "trust clientcert=verify-ca" if identity.demanding else "trust"
    (data / "pg_hba.conf").write_text(f"hostssl all all 127.0.0.1/32 {method}\n")
    settings = {
        "fsync": "off",
        "listen_addresses": "127.0.0.1",
        "shared_buffers": "1MB",
        "ssl": "on",
        "ssl_ca_file": "ca.pem",
        "ssl_cert_file": "chain.pem",
        "ssl_key_file": "key.pem",
        "unix_socket_directories": "",
    }
    with open(data / "postgresql.conf", "a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    for _ in range(5):
        port = _free_port()
        options = ("--wait", f"--timeout={_SECONDS}", f"--options=-p {port}", f"--log={data / 'log'}")
        pg_ctl = (_postgresql("pg_ctl"), "--pgdata", data)
        done = run_as_nobody(*pg_ctl, *options, "start", stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            return port
    raise RuntimeError(f"postgres does not start:\n{_read_if_exists(data / 'log')}")
