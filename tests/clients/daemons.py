"""Real servers for clients: PostgreSQL and Redis, each on a port of loopback and in a folder of its own.

A port that is free now can be taken when the server wants it: it is started
again with another one then.
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
    """What a server shows, and whether it demands a certificate that *ca* vouches for: PEM."""

    key: bytes
    chain: bytes
    ca: bytes
    demanding: bool


def unavailable(kind: str) -> str | None:
    """Why a server of this kind cannot be started here, if so."""
    if kind == "redis" and shutil.which("redis-server") is None:
        return "redis-server is not installed"
    if kind == "postgresql" and _postgresql("initdb") is None:
        return "postgresql is not installed"
    return None


def _postgresql(program: str) -> str | None:
    # Debian keeps the programs of a server out of the path: several versions can be installed.
    found = shutil.which(program) or max(glob.glob(f"/usr/lib/postgresql/*/bin/{program}"), default=None)
    return found and os.path.realpath(found)


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


@contextmanager
def _folder(owner: int = 0) -> Iterator[Path]:
    """Not one of pytest's, which nobody else may enter."""
    path = Path(tempfile.mkdtemp(prefix="certhook-tests-"))
    try:
        os.chown(path, owner, -1)
        yield path
    finally:
        shutil.rmtree(path)


def _lay_out(folder: Path, identity: Identity) -> None:
    for name, data in ("key.pem", identity.key), ("chain.pem", identity.chain), ("ca.pem", identity.ca):
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)


@contextmanager
def redis(identities: dict[str, Identity]) -> Iterator[dict[str, int]]:
    """A Redis server for each of *identities*; the ports."""
    running = []
    with _folder() as folder:
        try:
            ports = {}
            for name, identity in identities.items():
                (folder / name).mkdir()
                _lay_out(folder / name, identity)
                process, ports[name] = _start_redis(folder / name, identity.demanding)
                running.append(process)
            yield ports
        finally:
            for process in running:
                process.kill()
                process.wait()


def _start_redis(folder: Path, demanding: bool) -> tuple[subprocess.Popen, int]:
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
        process = subprocess.Popen(["redis-server", *options], cwd=folder)
        end = time.monotonic() + _SECONDS
        while process.poll() is None and time.monotonic() < end:
            # Not by asking at the port, at which somebody else may answer.
            if "Ready to accept connections" in _text(folder / "log"):
                return process, port
            time.sleep(0.02)
        process.kill()
        process.wait()
    raise RuntimeError(f"redis-server does not start:\n{_text(folder / 'log')}")


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@contextmanager
def postgresql(identities: dict[str, Identity]) -> Iterator[dict[str, int]]:
    """A PostgreSQL server for each of *identities*; the ports. Its user *postgres* needs no password."""
    # It does not start as root.
    nobody = pwd.getpwnam("nobody")
    as_nobody = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    with _folder(nobody.pw_uid) as folder:
        new = folder / "new"

        def call(program: str, *arguments: object, **kwargs: object) -> subprocess.CompletedProcess[bytes]:
            command = [*as_nobody, program, *map(str, arguments)]
            return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **kwargs)

        initdb = (_postgresql("initdb"), "--no-sync", "--no-locale", "--encoding=UTF8")
        call(*initdb, "--auth=trust", "--username=postgres", "--pgdata", new, check=True)
        started = []
        try:
            ports = {}
            for name, identity in identities.items():
                call("cp", "-a", new, folder / name, check=True)
                started.append(folder / name)
                ports[name] = _start_postgresql(call, folder / name, identity)
            yield ports
        finally:
            for data in started:
                call(_postgresql("pg_ctl"), "--pgdata", data, "--mode=immediate", "stop", stderr=subprocess.DEVNULL)


def _start_postgresql(call, data: Path, identity: Identity) -> int:
    _lay_out(data, identity)
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
        if call(_postgresql("pg_ctl"), "--pgdata", data, *options, "start", stderr=subprocess.DEVNULL).returncode == 0:
            return port
    raise RuntimeError(f"postgres does not start:\n{_text(data / 'log')}")
