"""A program that holds contexts while files change, and damage of files.

The program imports this module, too, so it imports only the standard library.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import io
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import traceback
import urllib.error
import urllib.request
import warnings
from pathlib import Path
from typing import Any, Callable

TIMEOUT = 20

# Clients.


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


def _wrap_socket(context: ssl.SSLContext, port: int) -> None:
    with _connect(port) as raw:
        context.wrap_socket(raw, server_hostname="localhost").close()


def _wrap_bio(context: ssl.SSLContext, port: int) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with _connect(port) as raw:
        while True:
            try:
                return secured.do_handshake()
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))


def _http_client(context: ssl.SSLContext, port: int) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=TIMEOUT)
    with contextlib.closing(connection):
        connection.request("GET", "/")
        connection.getresponse().read()


def _urllib(context: ssl.SSLContext, port: int) -> None:
    with urllib.request.urlopen(f"https://127.0.0.1:{port}/", context=context, timeout=TIMEOUT) as response:
        response.read()


def _asyncio(context: ssl.SSLContext, port: int) -> None:
    async def connect() -> None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
            writer.transport.abort()
        finally:
            await asyncio.sleep(0)  # The transport closes the socket.

    asyncio.run(connect())


CLIENTS: dict[str, Callable[[ssl.SSLContext, int], None]] = {
    "wrap_socket": _wrap_socket,
    "wrap_bio": _wrap_bio,
    "http.client": _http_client,
    "urllib": _urllib,
    "asyncio": _asyncio,
}

# Functions for expressions.

contexts: list[ssl.SSLContext] = []


def make() -> None:
    """Create a default context, and keep it."""
    contexts.append(ssl.create_default_context())


def attempt(number: int, name: str, client: str = "wrap_socket") -> bool:
    """Return whether one of the contexts verifies the server of an authority."""
    return _verifies(contexts[number], name, client)


def attempts(number: int, name: str, client: str = "wrap_socket") -> list[bool]:
    """Return the results of two attempts."""
    return [attempt(number, name, client) for _ in range(2)]


def _verifies(context: ssl.SSLContext, name: str, client: str = "wrap_socket") -> bool:
    ports = dict(pair.split(":") for pair in os.environ["SERVERS"].split())
    try:
        CLIENTS[client](context, int(ports[name]))
    except ssl.SSLCertVerificationError:
        return False
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            return False
        raise
    return True


def trusted(context: ssl.SSLContext | None = None) -> list[str]:
    """Return the authorities whose servers *context*, by default a new one, verifies."""
    context = context or ssl.create_default_context()
    return [pair.split(":")[0] for pair in os.environ["SERVERS"].split() if _verifies(context, pair.split(":")[0])]


def loaded() -> int:
    """Return the number of certificates that a new context has loaded; 0 if it uses a compiled store."""
    return _loaded(ssl.create_default_context())


def _loaded(context: ssl.SSLContext) -> int:
    import _ssl

    return _ssl._SSLContext.cert_store_stats(context)["x509"]


def found() -> list[Any]:
    """Return the authorities that a new context trusts, and whether it uses a compiled store."""
    context = ssl.create_default_context()
    is_lazy = not _loaded(context)
    return [trusted(context), is_lazy]


def roots(number: int) -> int:
    """Return the number of roots that one of the contexts returns."""
    return len(contexts[number].get_ca_certs())


def certhook(*arguments: str) -> list[Any]:
    """Return the exit status and the output of a command of certhook."""
    from certhook.cli import main

    with contextlib.redirect_stdout(io.StringIO()) as output:
        status = main(list(arguments))
    return [status, output.getvalue()]


def child(
    expression: str,
    user: int | None = None,
    group: int | None = None,
    groups: tuple[int, ...] | None = None,
    umask: int | None = None,
    is_strict: bool = False,
    environ: dict[str, str | None] | None = None,
    paths: tuple[str, ...] = (),
) -> Any:
    """Return the value of *expression* in a forked process.

    :param user: the user of the process; its group is *group*, by default the same number
    :param is_strict: whether warnings are exceptions
    :param environ: changes of the environment; None removes a variable
    :param paths: paths before those on ``sys.path``
    """
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        _be_child(writer, expression, user, group, groups, umask, is_strict, environ or {}, paths)
    os.close(writer)
    with open(reader, "rb") as stream:
        data = stream.read()
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status)}
    assert data, f"the process has failed: {expression}"
    return json.loads(data)


def _be_child(
    writer: int,
    expression: str,
    user: int | None,
    group: int | None,
    groups: tuple[int, ...] | None,
    umask: int | None,
    is_strict: bool,
    environ: dict[str, str | None],
    paths: tuple[str, ...],
) -> None:
    try:
        for name, value in environ.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        sys.path[:0] = paths
        if umask is not None:
            os.umask(umask)
        if user is not None:
            os.setgroups(groups or ())
            identity = user if group is None else group
            os.setresgid(identity, identity, identity)
            os.setresuid(user, user, user)
        if is_strict:
            warnings.simplefilter("error")
        os.write(writer, json.dumps(evaluate(expression)).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


#: The functions of os that change a file system.
_CHANGES = (
    "open", "write", "mkdir", "rename", "replace", "symlink", "unlink", "rmdir", "utime", "chmod", "fchmod"
)  # fmt: skip


def kill_at(number: int, expression: str) -> None:
    """Evaluate *expression*, and kill this process just before its change number *number* of the file system."""
    import signal

    done = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            done += 1
            if done == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    for name in (
        "open",
        "write",
        "mkdir",
        "rename",
        "replace",
        "symlink",
        "unlink",
        "rmdir",
        "utime",
        "chmod",
        "fchmod",
    ):
        setattr(os, name, counted(getattr(os, name)))
    evaluate(expression)


def preload() -> None:
    """Import every module that a process without access to this environment needs; /var/lib must be empty."""
    import encodings.idna  # noqa: F401
    import pkgutil

    import certhook as package

    for module in pkgutil.walk_packages(package.__path__, "certhook.", onerror=lambda name: None):
        if "__main__" not in module.name and "sitecustomize" not in module.name:
            with contextlib.suppress(ImportError):
                __import__(module.name)
    from certhook._state import process

    with tempfile.TemporaryDirectory(dir="/var/lib") as directory:
        kept = {name: os.environ.pop(name, None) for name in ("CERTHOOK_STORE_DIR", "CERTHOOK_STORE_DIR")}
        os.environ["CERTHOOK_STORE_DIR"] = directory
        for _ in range(2):
            trusted()
            certhook("status", "--json")
            at_secure = process.at_secure  # A process that has changed its user cannot determine it.
            process.reset()
            process.at_secure = at_secure
        del os.environ["CERTHOOK_STORE_DIR"]
        os.environ.update({name: value for name, value in kept.items() if value is not None})


def evaluate(expression: str) -> Any:
    """Return the value of *expression*, which may use every function of this module."""
    return eval(expression, globals())


def main() -> None:
    """Evaluate the expressions on the standard input, and print their values as JSON."""
    for line in sys.stdin:
        print(json.dumps(evaluate(json.loads(line))), flush=True)


class Program:
    """A running program.

    :param prefix: a command that starts it
    """

    def __init__(
        self, python: Path, env: dict[str, str], prefix: tuple[str, ...] = (), flags: tuple[str, ...] = ()
    ) -> None:
        code = f"import sys; sys.path.append({str(Path(__file__).parent)!r}); import store_program as p; p.main()"
        command = [*prefix, str(python), *flags, "-c", code]
        pipe = subprocess.PIPE
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command, env=env, stdin=pipe, stdout=pipe, stderr=self._errors, encoding="utf-8", cwd=os.sep
        )

    def __call__(self, expression: str) -> Any:
        """Return the value of *expression*."""
        self._process.stdin.write(json.dumps(expression) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the program has exited: {self.errors}"
        return json.loads(answer)

    def child(self, expression: str, **options: Any) -> Any:
        """Return the value of *expression* in a forked process; see :func:`child`."""
        return self(f"child({expression!r}, **{options!r})")

    @property
    def errors(self) -> str:
        """The error output so far."""
        self._errors.seek(0)
        return self._errors.read().decode()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate(timeout=60)
        self._errors.close()


# Damage.


def fill_with_zeros(path: Path) -> None:
    _overwrite(path, bytes(path.stat().st_size))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_bit(path: Path) -> None:
    """Change one bit in the middle; in PEM, another character of base64 results."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    _overwrite(path, bytes(data))


def flip_high_bit(path: Path) -> None:
    """Change one bit in the middle so that OpenSSL reads no certificate; one with the same name would remain loaded."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x80
    _overwrite(path, bytes(data))


def exchange(path: Path) -> None:
    """Replace the content by other data of equal size: in PEM, by another certificate."""
    data = path.read_bytes()
    if data.count(b"-----BEGIN") == 1:
        _overwrite(path, resized((_outside(path) / "other.pem").read_bytes(), len(data)))
    else:
        _overwrite(path, data[::-1])


def resized(pem: bytes, size: int) -> bytes:
    """Return *pem*, one certificate, with longer lines and padded to *size* bytes."""
    first, *lines, last = pem.strip().split(b"\n")
    text = b"".join(lines)
    long = b"\n".join([first, *(text[start : start + 240] for start in range(0, len(text), 240)), last, b""])
    assert len(long) <= size, "the certificate is too long"
    return long.ljust(size, b"\n")


def _outside(path: Path) -> Path:
    """Return the directory with the directory of stores that contains *path*."""
    return next(parent for parent in path.parents if (parent / "other.pem").exists())


def _overwrite(path: Path, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.write(data)


def remove(path: Path) -> None:
    path.unlink()


def add_file(path: Path) -> None:
    path.with_name("0123abcd.0").write_bytes(b"foreign\n")


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_link(path: Path) -> None:
    target = _outside(path) / "moved"
    path.replace(target)
    path.symlink_to(target)


def replace_by_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("missing")


def replace_by_foreign_link(path: Path) -> None:
    """Replace the file by a link to a file elsewhere with other content."""
    path.unlink()
    path.symlink_to(_outside(path) / "other.pem")


def make_writable(path: Path) -> None:
    path.chmod(0o666)


DAMAGES = {
    damage.__name__.replace("_", " "): damage
    for damage in (
        fill_with_zeros,
        truncate,
        flip_bit,
        exchange,
        remove,
        add_file,
        replace_by_directory,
        replace_by_pipe,
        replace_by_link,
        replace_by_dangling_link,
        replace_by_foreign_link,
        make_writable,
    )
}
