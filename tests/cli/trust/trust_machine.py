"""A Linux machine on which ``certhook trust`` installs roots with the distribution's own command."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import support
from layouts import DEBIAN_OPENSSL
from linux_machine import OPENSSL, LinuxMachine, Pem
from namespace import Link, executable, nothing

FILE = "/etc/company.pem"
DEBIAN_DIRECTORY = "/usr/local/share/ca-certificates"
ANCHORS = "/etc/pki/ca-trust/source/anchors"
BUNDLE = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"


#: Debian with its own update-ca-certificates.
DEBIAN = {
    **{path: entry for path, entry in DEBIAN_OPENSSL.items() if not path.startswith("/etc/ssl/certs")},
    "/etc/os-release": b'ID=debian\nNAME="Debian GNU/Linux"\n',
    "/etc/ca-certificates.conf": b"mozilla/both.crt\n",
    "/etc/ssl/certs": os.mkdir,
    "/usr/share/ca-certificates/mozilla/both.crt": Pem("both"),
    DEBIAN_DIRECTORY: os.mkdir,
    "/tmp/writable": nothing,
    FILE: Pem("stranger"),
}
# The documented effect of update-ca-trust(8), and of SUSE's update-ca-certificates(8), with p11-kit's own program.
_EXTRACT = "trust extract --format=pem-bundle --filter=ca-anchors --overwrite --purpose server-auth"


def _p11_kit(identifier: str, anchors: str, bundle: str, command: str, links: dict[str, str]) -> dict:
    """Return a machine whose *command* extracts the roots in *anchors* to *bundle*."""
    sources = os.path.dirname(anchors)
    return {
        "/etc/os-release": f"ID={identifier}\n".encode(),
        "/etc/pkcs11/modules/p11-kit-trust.module": f"x-init-reserved: paths='{sources}'\n".encode(),
        f"{anchors}/both.pem": Pem("both"),
        bundle: Pem("both"),
        f"/usr/sbin/{command}": executable(f"#!/bin/sh\n{_EXTRACT} {bundle}\n"),
        FILE: Pem("stranger"),
        **{path: Link(target) for path, target in links.items()},
    }


# Alpine's program, reduced to the processing of the directory: every file that is not hidden, whatever its suffix.
_ALPINE = f"""#!/bin/sh
cat /usr/share/ca-certificates/mozilla/*.crt {DEBIAN_DIRECTORY}/* > /etc/ssl/certs/ca-certificates.crt 2> /dev/null
true
"""
ALPINE = {
    **DEBIAN,
    "/etc/os-release": b"ID=alpine\n",
    "/usr/sbin/update-ca-certificates": executable(_ALPINE),
}
FEDORA = _p11_kit("fedora", ANCHORS, BUNDLE, "update-ca-trust", {f"{OPENSSL}/cert.pem": BUNDLE})
ARCH = _p11_kit(
    "arch",
    "/etc/ca-certificates/trust-source/anchors",
    "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
    "update-ca-trust",
    {f"{OPENSSL}/cert.pem": "/etc/ca-certificates/extracted/tls-ca-bundle.pem"},
)
SUSE = _p11_kit(
    "opensuse-leap",
    "/etc/pki/trust/anchors",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "update-ca-certificates",
    {
        f"{OPENSSL}/cert.pem": "/var/lib/ca-certificates/ca-bundle.pem",
        "/etc/ssl/ca-bundle.pem": "/var/lib/ca-certificates/ca-bundle.pem",
    },
)
SUSE["/etc/os-release"] = b'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n'

_DRIVER = """
import json, os, pty, signal, subprocess, sys, time
results = []
report = results.append
def run(command, **variables):
    command = list(map(str, command))
    done = subprocess.run(command, env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, encoding="utf-8", cwd="/", timeout=50)
    return done.returncode, done.stdout, done.stderr
def trust(*arguments, prefix=(), **variables):
    return run([*prefix, sys.executable, "-m", "certhook", "trust", *arguments], **variables)
def verified(python):
    status, output, errors = run([python, "-c", VERDICTS])
    assert status == 0, errors
    return output.split() == ["stranger:yes"]
def both_verify():
    return verified(PLAIN), verified(sys.executable)
def names(directory):
    return sorted(os.listdir(directory)) if os.path.isdir(directory) else None
def read(path):
    with open(path) as file:
        return file.read()
def write(path, text, mode="w"):
    with open(path, mode) as file:
        file.write(text)
def on_terminal(answer, *arguments):
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "certhook", "trust", *arguments])
    os.write(terminal, answer.encode())
    output = b""
    try:
        while True:
            part = os.read(terminal, 4096)
            if not part:
                break
            output += part
    except OSError:
        pass
    return os.waitpid(child, 0)[1] >> 8, output.decode()
"""


class TrustMachine:
    """A machine on which tests run ``certhook trust``."""

    def __init__(self, machine: LinuxMachine, directory: Path) -> None:
        self._machine = machine
        self._directory = directory
        self.cas = machine.cas

    def run(self, tree: dict, code: str, **variables: str) -> list[Any]:
        """Run *code* with the functions above on a machine with the files of *tree*, and return what it reports."""
        preface = f"PLAIN, VERDICTS = {str(self._machine.plain)!r}, {support.VERDICTS!r}\n"
        servers = support.server_list(self._machine.servers).split()
        (own,) = (server for server in servers if server.startswith("stranger:"))
        # LinuxMachine.run() sets SERVERS to every server.
        preface += f"import os\nos.environ['SERVERS'] = {own!r}\n"
        script = f"{preface}{_DRIVER}{code}\nprint(json.dumps(results))"
        done = self._machine.run(self._machine.installed, script, tree, self._directory, **variables)
        return json.loads(done.stdout)
