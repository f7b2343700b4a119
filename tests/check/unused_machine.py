"""Machines on which a root is present, but unused: the check, its commands, and the verdict of stock Python after them.

Each machine is a mount namespace with the files of a distribution. Its servers run outside of it.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
from pathlib import Path
from typing import Any, NamedTuple

import namespace
import support
from namespace import Link, Tree, executable

#: The directory that is compiled into the OpenSSL of this interpreter.
OPENSSLDIR = os.path.dirname(ssl.get_default_verify_paths().openssl_cafile)
HOME = "/tmp/home"
STORE = "/etc/ssl/certs/ca-certificates.crt"
LOCAL = "/usr/local/share/ca-certificates"
SHARED = "/usr/share/ca-certificates"
P11_KIT = "/etc/pki/ca-trust/source"
ANCHORS = f"{P11_KIT}/anchors"
BUNDLE = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"

#: Debian without any trusted root. Stock Python reads its store.
DEBIAN: Tree = {
    "/etc/os-release": b'ID=debian\nNAME="Debian GNU/Linux"\n',
    "/etc/ca-certificates.conf": b"",
    "/etc/ssl/certs": os.mkdir,
    STORE: b"",
    f"{OPENSSLDIR}/certs": Link("/etc/ssl/certs"),
    f"{OPENSSLDIR}/cert.pem": Link(STORE),
    LOCAL: os.mkdir,
    SHARED: os.mkdir,
    HOME: os.mkdir,
}
# The documented effect of update-ca-trust(8), with p11-kit's own program.
_UPDATE_CA_TRUST = f"""#!/bin/sh
test "$1" = extract || exit 64
exec trust extract --format=pem-bundle --filter=ca-anchors --overwrite --purpose server-auth {BUNDLE}
"""
#: Fedora with p11-kit, without any trusted root.
FEDORA: Tree = {
    "/etc/os-release": b"ID=fedora\nNAME=Fedora\n",
    "/etc/pkcs11/modules/p11-kit-trust.module": f"x-init-reserved: paths='{P11_KIT}'\n".encode(),
    "/usr/sbin/update-ca-trust": executable(_UPDATE_CA_TRUST),
    ANCHORS: os.mkdir,
    BUNDLE: b"",
    "/etc/pki/tls/cert.pem": Link(BUNDLE),
    "/etc/pki/tls/certs": os.mkdir,
    OPENSSLDIR: Link("/etc/pki/tls"),
    HOME: os.mkdir,
}
#: Distributions whose command is not installed here.
ALPINE = {**DEBIAN, "/etc/os-release": b'ID=alpine\nNAME="Alpine Linux"\n'}
ARCH: Tree = {"/etc/os-release": b'ID=arch\nNAME="Arch Linux"\n', HOME: os.mkdir}
SUSE: Tree = {"/etc/os-release": b'ID=opensuse-leap\nID_LIKE="suse opensuse"\nNAME="openSUSE Leap"\n', HOME: os.mkdir}
UNKNOWN: Tree = {**DEBIAN, "/etc/os-release": b"ID=plan9\n", "/usr/sbin/update-ca-certificates": b""}

_PROGRAM = """
import contextlib, io, json, os, subprocess, sys, time
from certhook.cli import main

def check():
    output, start = io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(output):
        main(["check", "--json", "localhost:" + os.environ["PORT"]])
    return dict(json.loads(output.getvalue())["checks"][0], seconds=time.monotonic() - start)

def stock_verifies():
    code = "import os, socket, ssl; raw = socket.create_connection(('127.0.0.1', int(os.environ['PORT'])))\\n"
    code += "ssl.create_default_context().wrap_socket(raw, server_hostname='localhost')"
    environ = dict(os.environ, CERTHOOK_DISABLED="1")
    return subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True).returncode == 0

results, stock = [check()], []
if os.environ["EXECUTE"]:
    stock.append(stock_verifies())
    advice = [text.partition("\\n")[2] for text in results[0]["cause"]["advice"]]
    commands = [text for text in advice if text][int(os.environ["EXECUTE"])]
    done = subprocess.run(["sh", "-ec", commands + "\\nenv > /tmp/environ"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    with open("/tmp/environ") as file:
        os.environ.update(line.rstrip("\\n").split("=", 1) for line in file if line.startswith("CERTHOOK_EXTRA"))
    results.append(check())
    stock.append(stock_verifies())
print(json.dumps([results, stock]))
"""


class Outcome(NamedTuple):
    """The results of both checks and of stock Python.

    :ivar check: the JSON object of the server
    :ivar is_verified: whether the check verifies the server after the commands, None if none was executed
    :ivar stock: whether stock Python verifies the server, before and after the commands; empty without commands
    """

    check: dict[str, Any]
    is_verified: bool | None
    stock: list[bool]

    @property
    def cause(self) -> str:
        return self.check["cause"]["id"]

    @property
    def sentence(self) -> str:
        return self.check["cause"]["message"]

    @property
    def advice(self) -> str:
        return "\n".join(self.check["cause"]["advice"])


def diagnose(
    port: int, tree: Tree, directory: Path, execute: int | None = None, privileged: bool = True, **variables: str
) -> Outcome:
    """Check the server at *port* on a machine with the files *tree*.

    :param execute: the number of the advice with commands to execute, None for none
    :param privileged: whether root may ignore permissions
    """
    number = "" if execute is None else str(execute)
    env = support.clean_env(HOME=HOME, TMPDIR="/tmp", PORT=str(port), EXECUTE=number, **variables)
    done = namespace.run(
        Path(sys.executable), _PROGRAM, tree, env, directory, hidden=(OPENSSLDIR,), privileged=privileged
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    results, stock = json.loads(done.stdout.splitlines()[-1])
    return Outcome(results[0], results[1]["verified"] if execute is not None else None, stock)
