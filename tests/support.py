"""Helpers of the tests: fresh interpreters, certificate authorities and loopback servers."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import os
import re
import shutil
import socketserver
import ssl
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Iterator, NamedTuple

import measuring
import trustme
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509 import load_pem_x509_certificate

#: Variables that select the roots of a library or a tool.
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

#: The root directory of the project.
ROOT = Path(__file__).resolve().parent.parent

#: The environment of the machine, which pip needs to reach its index. certhook is disabled in it, and
#: environments that tests build are independent of the one that runs the tests.
MACHINE_ENVIRON = {**measuring.unmeasured(os.environ), "CERTHOOK_DISABLED": "1"}
MACHINE_ENVIRON.pop("VIRTUAL_ENV", None)

#: Variables that turn warnings into errors in the interpreters that tests start, but not those of certhook.
#: The tests' own programs, which are arguments, need not name the encoding of a file.
STRICT_VARIABLES = {
    "PYTHONWARNINGS": "error::Warning,default::UserWarning,ignore:'encoding' argument not specified:Warning:__main__",
    "PYTHONWARNDEFAULTENCODING": "1",
}
#: What an interpreter writes if a warning is an error that it cannot raise, for example in a finalizer.
_NOT_RAISED = re.compile(r"^(?!User|Certhook)[A-Z]\w*Warning: ", re.MULTILINE)

#: A program that prints whether ssl is patched.
PRINT_HOOKED = "import ssl; print(hasattr(ssl.create_default_context, '__certhook__'))"

#: The directory of the tests' compiled stores; conftest.py sets it.
cache_dir = "none"

#: STRICT_VARIABLES or nothing; conftest.py sets it for each test.
strict: dict[str, str] = {}


def copy_sources(root: Path, target: Path) -> None:
    """Copy the project without the results of builds and tests."""
    ignored = shutil.ignore_patterns(".git", ".*_cache", ".tox", ".venv", "__pycache__", "build", "*.egg-info", "dist")
    shutil.copytree(root, target, ignore=ignored)


def make_environment(directory: Path) -> Path:
    """Create a virtual environment without pip, and return its interpreter.

    It is based on the interpreter that the current environment is based on, so that its path does
    not depend on a chain of symbolic links through two environments.
    """
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--without-pip", str(directory)], check=True, env=clean_env())
    return interpreter_of(directory)


def interpreter_of(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def byte_compile(python: Path, *options: str) -> None:
    """Compile all packages in the environment of *python* to byte code."""
    command = [str(python), "-S", "-m", "compileall", "-q", *options, str(purelib(python))]
    subprocess.run(command, check=True, env=clean_env(CERTHOOK_DISABLED="1"))


def purelib(python: Path) -> Path:
    """Return the site-packages directory of *python*."""
    return Path(run(python, "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())


class Environment(NamedTuple):
    """A copy of an environment: its interpreter and its site-packages directory."""

    python: Path
    site_packages: Path

    @property
    def package(self) -> Path:
        """The directory of certhook."""
        return self.site_packages / "certhook"

    @property
    def record(self) -> Path:
        """The RECORD of certhook."""
        (found,) = self.site_packages.glob("certhook-*.dist-info/RECORD")
        return found

    def compiled(self, name: str) -> Path:
        """Return the path of the compiled form of the module *name* of certhook."""
        return self.package / "__pycache__" / f"{name}.{sys.implementation.cache_tag}.pyc"


def copy_environment(python: Path, directory: Path) -> Environment:
    """Copy the environment of the interpreter *python* to *directory*."""
    home = python.parent.parent
    relative = purelib(python).relative_to(home)
    shutil.copytree(home, directory, symlinks=True)
    return Environment(directory / python.relative_to(home), directory / relative)


def clean_env(**variables: str) -> dict[str, str]:
    """Return the variables that a process needs to run, the cache directory of the tests, and *variables*."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    kept.update(measuring.variables())
    return {**kept, **strict, "LANG": "C.UTF-8", "CERTHOOK_STORE_DIR": cache_dir, **variables}


def run(
    python: str | Path,
    code: str,
    *flags: str,
    env: dict[str, str] | None = None,
    check: bool = True,
    **kwargs: object,
) -> subprocess.CompletedProcess[str]:
    """Run *code* in a new interpreter.

    :param flags: command line options of the interpreter
    :param env: the environment, by default that of :func:`clean_env`
    :param kwargs: arguments of :func:`run_command`. The working directory is on the path with
        ``-c``, so it is the root directory by default.
    """
    done = run_command(python, *flags, "-c", code, env=env, **kwargs)
    if check:
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def run_command(
    *command: object, env: dict[str, str] | None = None, cwd: str | Path = os.sep, **kwargs: object
) -> subprocess.CompletedProcess[str]:
    """Run *command*, and return its exit status, output and error output.

    :param env: the environment, by default that of :func:`clean_env`
    :param kwargs: further arguments of :func:`subprocess.run`
    """
    done = subprocess.run(
        list(map(str, command)),
        env=clean_env() if env is None else env,
        cwd=str(cwd),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        **kwargs,
    )
    assert not _NOT_RAISED.search(done.stderr), done.stderr
    return done


def record_hash(content: bytes) -> str:
    """Return the hash of *content* as ``RECORD`` contains it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def replace_recorded(site_packages: Path, name: str, content: bytes) -> None:
    """Replace an installed file, and its hash in the ``RECORD`` that lists it."""
    (site_packages / name).write_bytes(content)
    for record in site_packages.glob("*.dist-info/RECORD"):
        with open(record, newline="") as file:
            rows = list(csv.reader(file))
        row = [name, record_hash(content), str(len(content))]
        with open(record, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(row if each[0] == name else each for each in rows)


def squeezed(text: str) -> str:
    """Return *text* without white space, because the command line breaks long paths."""
    return "".join(text.split())


def shows(output: str, *texts: object) -> bool:
    """Return whether *output* contains each of *texts*, wherever lines are broken."""
    return all(squeezed(str(text)) in squeezed(output) for text in texts)


#: The file name of a distribution that pip can download.
HELLO_WHEEL = "hello-1.0-py3-none-any.whl"


def hello_wheel() -> bytes:
    """Return the content of :data:`HELLO_WHEEL`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("hello-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n")
        archive.writestr("hello-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("hello-1.0.dist-info/RECORD", "")
    return file.getvalue()


def hashed_name(certificate: bytes) -> str:
    """Return the name of the file in which OpenSSL looks up a root."""
    # Imported here, because the test suites of other projects run in environments without certhook.
    from certhook._certificates import names, x509

    return f"{names.subject_hash(x509.Certificate(certificate).subject)}.0"


def is_accepted_by_wine(certificate: bytes) -> bool:
    """Return whether Wine's crypt32 accepts the ECDSA signature of *certificate*, which is PEM.

    It rejects one with an integer that has fewer than 32 bytes, as one in 128 has.
    """
    parsed = load_pem_x509_certificate(certificate)
    return all(number.bit_length() > 248 for number in decode_dss_signature(parsed.signature))


class Authorities:
    """One certificate authority per location of its root.

    *system*: only the operating system's store; *bundled*: only certifi's bundle; *both*: both of
    them; *extra*: only ``CERTHOOK_EXTRA_CA_CERTS``; *stranger*: no source.
    """

    names = ("system", "bundled", "both", "extra", "stranger")

    def __init__(self) -> None:
        for name in self.names:
            ca = trustme.CA(organization_name=f"certhook tests {name}")
            while not is_accepted_by_wine(ca.cert_pem.bytes()):
                ca = trustme.CA(organization_name=f"certhook tests {name}")
            setattr(self, name, ca)

    @classmethod
    def in_directory(cls, directory: Path, is_first: bool) -> Authorities:
        """Load the authorities from *directory*, or create them there if this is the first worker."""
        if is_first:
            for name, ca in vars(cls()).items():
                (directory / f"{name}.pem").write_bytes(ca.cert_pem.bytes())
                (directory / f"{name}.key").write_bytes(ca.private_key_pem.bytes())
        kept = cls.__new__(cls)
        for name in cls.names:
            parts = [(directory / f"{name}.{kind}").read_bytes() for kind in ("pem", "key")]
            setattr(kept, name, trustme.CA.from_pem(*parts))
        return kept

    def pem(self, *names: str) -> bytes:
        """Return the certificates of the named authorities as one bundle."""
        return b"".join(getattr(self, name).cert_pem.bytes() for name in names)

    def der(self, name: str) -> bytes:
        """Return the certificate of the named authority as DER."""
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
        # In the connection's thread, so that a client that rejects the certificate does not delay others.
        request.settimeout(20)
        try:
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        except OSError:
            pass  # The client rejected the certificate, as many tests expect.

    def handle_error(self, request, client_address) -> None:
        pass


@contextlib.contextmanager
def serving(context: ssl.SSLContext) -> Iterator[int]:
    """Run an HTTPS server on loopback with *context*, and return its port."""
    with _Server(context) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Servers:
    """HTTPS servers on loopback, one with a certificate of each authority.

    ``servers.port("system")`` is the port of the server with a certificate of *system*.
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
        """Return the port of the server with a certificate of the named authority."""
        return self._servers[name].server_address[1]


#: A program that prints which of the servers in SERVERS ("name:port ...") a default context verifies.
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
    """Return the value of SERVERS for :data:`VERDICTS`."""
    return " ".join(f"{name}:{servers.port(name)}" for name in Authorities.names)


def verdicts(output: str) -> dict[str, bool]:
    """Parse the output of :data:`VERDICTS`: the name of each authority, and whether its server is verified."""
    words = {"yes": True, "no": False}
    return {name: words[word] for name, word in (pair.split(":") for pair in output.split())}
