"""A machine in a network whose proxy inspects TLS: every server has a certificate of the company's CA.

The machine is a mount and network namespace. Port 443 of loopback answers for all of its hosts, so that the commands of
a page run as they are written: ``pip install certhook`` downloads from "pypi.org". Nothing outside is reachable.

Inside the namespace, this file is also the script that prepares it and runs the server.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

#: The hosts. The server returns the files below the directory with the name of the host.
HOSTS = ("pypi.org", "files.pythonhosted.org", "intranet.example", "git.intranet.example", "packages.intranet.example")
#: The directories that are writable in the namespace, without an effect outside of it.
_LAYERED = ("/etc", "/usr/local", "/var", "/root")
_PROXY_PORT = 3128
#: No repetitions and no searches for newer versions.
_QUIET = {"PIP_RETRIES": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def company_ca() -> Any:
    """Return a new authority of the company."""
    import trustme

    return trustme.CA(organization_name="Example Ltd", organization_unit_name="Internal CA")


class Network:
    """The namespace, while its server runs.

    :ivar root_file: a file with the company's root
    :ivar hosts: the directory with the files of each host
    """

    def __init__(self, pid: int, directory: Path, hosts: Path, path: str) -> None:
        self._pid = pid
        self.hosts = hosts
        self._path = path
        self.root_file = directory / "company.pem"

    def run(
        self,
        script: str,
        home: Path,
        *path: Path,
        cwd: Path | None = None,
        timeout: float = 120,
        **variables: object,
    ) -> subprocess.CompletedProcess[str]:
        """Run *script* with bash, which stops after the first command that fails.

        :param home: the home directory, by default also the working directory
        :param path: directories that come first on PATH
        :param variables: environment variables
        """
        env = {"PATH": ":".join([*map(str, path), self._path]), "HOME": str(home), "LANG": "C.UTF-8", **_QUIET}
        enter = ["nsenter", "--target", str(self._pid), "--mount", "--net", f"--wdns={cwd or home}"]
        return subprocess.run(
            [*enter, "bash", "-e", "-c", script],
            env={**env, **{name: str(value) for name, value in variables.items()}},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=timeout,
        )

    def succeed(self, script: str, *arguments: Path, **options: object) -> str:
        """Run *script*, which must succeed, and return its output."""
        done = self.run(script, *arguments, **options)
        assert done.returncode == 0, f"exit status {done.returncode}\n{script}\n{done.stdout}"
        return done.stdout

    def fail(self, script: str, *arguments: Path, **options: object) -> str:
        """Run *script*, which must fail, and return its output."""
        done = self.run(script, *arguments, **options)
        assert done.returncode != 0, f"unexpected success\n{script}\n{done.stdout}"
        return done.stdout


@contextlib.contextmanager
def running(directory: Path, hosts: Path, ca: Any, path: str, trusted: bool = True) -> Iterator[Network]:
    """Run the machine.

    :param directory: an empty directory
    :param hosts: the directory with the files of each host
    :param ca: the company's authority, of trustme
    :param path: PATH on this machine
    :param trusted: whether the administrator has installed the root into the system's store
    """
    certificate = ca.issue_cert(*HOSTS, "localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(directory / "server.pem"))
    ca.cert_pem.write_to_path(str(directory / "company.pem"))
    writable = [os.environ.get("PYTEST_DEBUG_TEMPROOT") or str(directory.parent), "/tmp"]
    job = {
        "directory": str(directory),
        "hosts": str(hosts),
        "trusted": trusted,
        "namespace": _namespace(),
        "writable": writable,
    }
    script = [sys.executable, "-E", "-S", __file__, json.dumps(job)]
    process = subprocess.Popen(
        ["unshare", "--mount", "--net", "--propagation", "private", *script],
        env={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "CERTHOOK_DISABLED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        assert process.stdout.readline() == "ready\n", "the namespace was not prepared"
        yield Network(process.pid, directory, hosts, path)
    finally:
        # The server ends with its standard input.
        process.stdin.close()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.stdout.close()


def _namespace() -> str:
    return os.readlink("/proc/self/ns/mnt")


def _mount_layers(directory: str) -> None:
    scratch = f"{directory}/scratch"
    os.mkdir(scratch)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", scratch], check=True)
    for number, top in enumerate(_LAYERED):
        upper, work = f"{scratch}/{number}/upper", f"{scratch}/{number}/work"
        os.makedirs(upper)
        os.makedirs(work)
        # Not if it contains the temporary directory of the tests.
        if directory.startswith(f"{top}/"):
            continue
        options = f"lowerdir={top},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", top], check=True)


def _prepare(job: dict) -> None:
    assert _namespace() != job["namespace"], "the process is not in a new namespace"
    for path in job["writable"]:
        subprocess.run(["mount", "--bind", path, path], check=True)
    # From here on, the files of the machine are read-only, except those of the tests.
    subprocess.run(["mount", "-o", "remount,bind,ro", "/"], check=True)
    _mount_layers(job["directory"])
    for name in ("/etc/pip.conf", "/etc/gitconfig"):
        if os.path.exists(name):
            os.remove(name)
    names = " ".join((*HOSTS, "proxy.example"))
    Path("/etc/hosts").write_text(f"127.0.0.1 localhost {names}\n")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if job["trusted"]:
        target = "/usr/local/share/ca-certificates/company.crt"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(f"{job['directory']}/company.pem", target)
        subprocess.run(["update-ca-certificates"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _serve(job: dict) -> None:
    import select
    import socket
    import socketserver
    import ssl
    import threading
    import urllib.parse
    from http.server import SimpleHTTPRequestHandler

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{job['directory']}/server.pem")

    class Handler(SimpleHTTPRequestHandler):
        """Static files, and the JSON form of an index for those that prefer it."""

        def translate_path(self, path: str) -> str:
            host = self.headers.get("Host", "").partition(":")[0]
            parts = urllib.parse.unquote(path.partition("?")[0]).strip("/").split("/")
            assert host in HOSTS and ".." not in parts
            found = os.path.join(job["hosts"], host, *parts)
            # A directory without the slash at the end, and the JSON form.
            if os.path.isdir(found):
                prefers_json = "simple.v1+json" in self.headers.get("Accept", "")
                return f"{found}/{'index.json' if prefers_json else 'index.html'}"
            return found

        def guess_type(self, path: str) -> str:
            if path.endswith("index.json"):
                return "application/vnd.pypi.simple.v1+json"
            return "text/html" if path.endswith(".html") else "application/octet-stream"

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        request_queue_size = 50

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    class Secured(Server):
        def finish_request(self, request: socket.socket, client_address: object) -> None:
            request.settimeout(60)
            with contextlib.suppress(OSError), context.wrap_socket(request, server_side=True) as secured:
                Handler(secured, client_address, self)

    class Proxy(socketserver.StreamRequestHandler):
        """An HTTP proxy that requires "name:p@ss"."""

        def handle(self) -> None:
            self.request.settimeout(60)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += self.request.recv(1)
            if b"basic bmftztpwqhnz" not in head.lower():
                self.request.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with socket.create_connection(("127.0.0.1", 443), timeout=20) as target:
                pairs = {self.request: target, target: self.request}
                while True:
                    for ready in select.select(list(pairs), [], [], 60)[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        pairs[ready].sendall(data)

    for server in (Secured(("127.0.0.1", 443), None), Server(("127.0.0.1", _PROXY_PORT), Proxy)):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _job = json.loads(sys.argv[1])
    _prepare(_job)
    _serve(_job)
