"""Helpers of the tests: fresh interpreters, certificate authorities, loopback servers."""

from __future__ import annotations
from certhook._certificates import names, x509

import contextlib
import io
import os
import shutil
import socketserver
import ssl
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Iterator

import measuring
import trustme

#: Variables by which some library or tool is told whom to trust.
TRUST_VARIABLES = (
    "AWS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "HTTPLIB2_CA_CERTS",
    "NIX_SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)

#: Where the compiled stores of the tests are; set by conftest.py.
cache_dir = "none"


def copy_sources(root: Path, target: Path) -> None:
    """Copy the project without what builds and tests leave behind."""
    ignored = shutil.ignore_patterns(".git", ".*_cache", ".tox", ".venv", "__pycache__", "build", "*.egg-info", "dist")
    shutil.copytree(root, target, ignore=ignored)


def make_environment(folder: Path) -> Path:
    """Make a virtual environment without pip, and return its interpreter.

    Of the interpreter that this environment was made from, so that a symbolic
    link through two environments never decides what is on the path.
    """
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--without-pip", str(folder)], check=True, env=clean_env())
    return interpreter_of(folder)


def interpreter_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def byte_compile(python: Path) -> None:
    """Write the byte code of everything installed in the environment of *python*."""
    command = [str(python), "-S", "-m", "compileall", "-q", str(purelib(python))]
    subprocess.run(command, check=True, env=clean_env(CERTHOOK_DISABLED="1"))


def purelib(python: Path) -> Path:
    """The site-packages of *python*."""
    return Path(run(python, "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())


def clean_env(**variables: str) -> dict[str, str]:
    """An environment with nothing in it but what processes need to run, a cache of the tests' own, and *variables*."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    kept.update(measuring.variables())
    return {**kept, "LANG": "C.UTF-8", "CERTHOOK_CACHE_DIR": cache_dir, **variables}


def run(
    python: str | Path,
    code: str,
    *flags: str,
    env: dict[str, str] | None = None,
    check: bool = True,
    **kwargs: object,
) -> subprocess.CompletedProcess[str]:
    """Run *code* in a new interpreter with *flags* and the environment *env*, clean unless given.

    In the root folder unless *cwd* is given: with ``-c``, the working directory is on the path.
    """
    kwargs.setdefault("cwd", os.sep)
    done = subprocess.run(
        [str(python), *flags, "-c", code],
        env=clean_env() if env is None else env,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        **kwargs,
    )
    if check:
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def squeezed(text: str) -> str:
    """*text* without its spaces and ends of lines: a path that is too long for a line is cut."""
    return "".join(text.split())


def shows(output: str, *texts: object) -> bool:
    """Whether *output* has each of *texts*, cut or not."""
    return all(squeezed(str(text)) in squeezed(output) for text in texts)


#: A distribution that pip can download, and what is in it.
HELLO_WHEEL = "hello-1.0-py3-none-any.whl"


def hello_wheel() -> bytes:
    """The content of :data:`HELLO_WHEEL`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("hello-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n")
        archive.writestr("hello-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("hello-1.0.dist-info/RECORD", "")
    return file.getvalue()


def hashed_name(certificate: bytes) -> str:
    """The name of the file in which OpenSSL looks for a root."""
    # Only here: other people's tests are run from environments without certhook.

    return f"{names.subject_hash(x509.Certificate(certificate).subject)}.0"


class Authorities:
    """A certificate authority for each place a root can be listed in.

    *system*: only in the operating system's store; *bundled*: only in certifi's
    bundle; *both*; *extra*: only where ``CERTHOOK_EXTRA_CA_CERTS`` points;
    *stranger*: nowhere.
    """

    names = ("system", "bundled", "both", "extra", "stranger")

    def __init__(self) -> None:
        for name in self.names:
            setattr(self, name, trustme.CA(organization_name=f"certhook tests {name}"))

    @classmethod
    def in_folder(cls, folder: Path, is_first: bool) -> Authorities:
        """Those that are kept in *folder*, where the first to come makes them."""
        if is_first:
            for name, ca in vars(cls()).items():
                (folder / f"{name}.pem").write_bytes(ca.cert_pem.bytes())
                (folder / f"{name}.key").write_bytes(ca.private_key_pem.bytes())
        kept = cls.__new__(cls)
        for name in cls.names:
            parts = [(folder / f"{name}.{kind}").read_bytes() for kind in ("pem", "key")]
            setattr(kept, name, trustme.CA.from_pem(*parts))
        return kept

    def pem(self, *names: str) -> bytes:
        """The certificates of the named authorities as one bundle."""
        return b"".join(getattr(self, name).cert_pem.bytes() for name in names)

    def der(self, name: str) -> bytes:
        """The certificate of the named authority."""
        return ssl.PEM_cert_to_DER_cert(self.pem(name).decode())


class _Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *args: object) -> None:
        pass


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        super().__init__(("127.0.0.1", 0), _Hello)

    def finish_request(self, request, client_address) -> None:
        # In the connection's thread: a client that refuses the certificate must not hold up the others.
        request.settimeout(20)
        try:
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        except OSError:
            pass  # The client did not trust it, which is what many tests are about.

    def handle_error(self, request, client_address) -> None:
        pass


@contextlib.contextmanager
def serving(context: ssl.SSLContext) -> Iterator[int]:
    """The port of an HTTPS server on loopback, with a context of the test's own."""
    with _Server(context) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Servers:
    """HTTPS servers on loopback, whose certificates come from each of the authorities.

    ``servers.port("system")`` is the port of the one that *system* vouches for.
    """

    def __init__(self, authorities: Authorities) -> None:
        self._servers = {}
        for name in authorities.names:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            getattr(authorities, name).issue_cert("localhost", "127.0.0.1").configure_cert(context)
            self._servers[name] = _Server(context)

    def __enter__(self) -> Servers:
        for server in self._servers.values():
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def port(self, name: str) -> int:
        """The port of the server that the named authority vouches for."""
        return self._servers[name].server_address[1]


#: Run in an interpreter: which of the servers in ARGUMENTS ("name:port ...") a default context trusts.
VERDICTS = """
import os, socket, ssl
def verdict(port, context):
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as secured:
                secured.sendall(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
                data = b""
                while True:
                    part = secured.recv(4096)
                    if not part:
                        break
                    data += part
                return "yes" if data.endswith(b"hello") else "no hello"
    except ssl.SSLCertVerificationError as error:
        return "no"
context = ssl.create_default_context()
print(*(name + ":" + verdict(port, context) for name, port in (s.split(":") for s in os.environ["SERVERS"].split())))
"""


def server_list(servers: Servers) -> str:
    """The value of SERVERS for :data:`VERDICTS`."""
    return " ".join(f"{name}:{servers.port(name)}" for name in Authorities.names)


def verdicts(output: str) -> dict[str, bool]:
    """What :data:`VERDICTS` printed: the name of each authority, and whether it is trusted."""
    words = {"yes": True, "no": False}
    return {name: words[word] for name, word in (pair.split(":") for pair in output.split())}
