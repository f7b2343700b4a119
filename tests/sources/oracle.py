"""Handshakes on several Python versions with stock ``ssl``, and with certhook with lazy and eager loading.

Stock ``ssl`` reads the same files through ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``. All scenarios of a
test module run in one process for each Python version and mode.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence

import support
from pki import Issued


def _runs(path: str) -> bool:
    # A command of pyenv exists for each version, whether it is selected or not.
    return subprocess.run([path, "-c", "import ssl"], env=support.clean_env(), capture_output=True).returncode == 0


def _interpreters() -> dict[str, str]:
    """Return the current interpreter, and others of the versions 3.8, 3.11 and 3.13 that are installed."""
    found = {f"python3.{sys.version_info[1]}": sys.executable}
    for name in ("python3.8", "python3.11", "python3.13"):
        for directory in os.get_exec_path():
            path = shutil.which(name, path=directory)
            if name not in found and path is not None and _runs(path):
                found[name] = path
    return found


#: The paths of the interpreters by their names.
PYTHONS = _interpreters()
#: Stock ssl; certhook with lazy and eager loading; and with a query that loads the compiled store.
MODES = ("stock", "lazy", "eager", "queried")

#: Codes of OpenSSL's verification, x509_vfy.h.
VERIFIED, SIGNATURE_FAILURE, EXPIRED, REJECTED = 0, 7, 10, 28

_PROGRAM = """
import json, os, sys
directory, mode, root = sys.argv[1:]
if mode != "stock":
    sys.path.insert(0, root)
    import certhook.auto
import ssl

def code_of(chain, is_strict):
    client = ssl.create_default_context()
    if not is_strict:
        client.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if mode == "queried":
        client.get_ca_certs()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain)
    c, s = [(ssl.MemoryBIO(), ssl.MemoryBIO()) for _ in range(2)]
    ends = [client.wrap_bio(c[0], c[1], server_hostname="localhost"), server.wrap_bio(s[0], s[1], server_side=True)]
    for _ in range(6):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                return error.verify_code
        s[0].write(c[1].read())
        c[0].write(s[1].read())
    return 0 if ends[0].version() else "no handshake"

codes = {}
for name in sorted(os.listdir(directory)):
    path = os.path.join(directory, name)
    for variable, member in (("SSL_CERT_FILE", "file.pem"), ("SSL_CERT_DIR", "hashed")):
        os.environ[variable] = os.path.join(path, member)
    os.environ["CERTHOOK_EXTRA_CA_CERTS"] = os.path.join(path, "added.pem")
    codes[name] = [code_of(os.path.join(path, "chain.pem"), is_strict) for is_strict in (True, False)]
print(json.dumps(codes))
"""


class Scenario(NamedTuple):
    """A store and the certificates that a server sends.

    :ivar chain: the server's certificate and those after it
    :ivar file: the content of OpenSSL's file
    :ivar hashed: the files of OpenSSL's directory by name
    :ivar added: the content of a file that only certhook reads
    """

    chain: Sequence[Issued]
    file: bytes = b""
    hashed: Mapping[str, bytes] = {}
    added: bytes = b""


def pem(*issued: Issued) -> bytes:
    """Return the certificates as PEM."""
    return b"".join(one.pem for one in issued)


class Codes:
    """The verify codes of *scenarios*, by their names, for each Python version and mode."""

    def __init__(self, directory: Path, scenarios: Mapping[str, Scenario]) -> None:
        self._cache = directory / "cache"
        self._scenarios = directory / "scenarios"
        self._found: dict[tuple[str, str], dict[str, list[int]]] = {}
        for name, scenario in scenarios.items():
            hashed = self._path(name) / "hashed"
            hashed.mkdir(parents=True)
            (hashed.parent / "file.pem").write_bytes(scenario.file)
            (hashed.parent / "added.pem").write_bytes(scenario.added)
            (hashed.parent / "chain.pem").write_bytes(scenario.chain[0].secret + pem(*scenario.chain))
            for file, content in scenario.hashed.items():
                (hashed / file).write_bytes(content)

    def _path(self, name: str) -> Path:
        return self._scenarios / re.sub(r"\W", "-", name)

    def of(self, python: str, name: str) -> list[tuple[int, int]]:
        """Return the codes of the scenario *name*, with stock ``ssl`` and with certhook.

        The first pair results with this Python's default flags, the second one without strict checks.
        """
        for mode in MODES:
            if (python, mode) not in self._found:
                self._found[python, mode] = self._run(python, mode)
        stock, *others = (self._found[python, mode][self._path(name).name] for mode in MODES)
        assert others == others[:1] * len(others), f"{name}: certhook's modes {MODES[1:]} differ: {others}"
        return list(zip(stock, others[0]))

    def _run(self, python: str, mode: str) -> dict[str, list[int]]:
        env = support.clean_env(
            CERTHOOK_SOURCES="system",
            CERTHOOK_LOAD="eager" if mode == "eager" else "lazy",
            CERTHOOK_STORE_DIR=str(self._cache / f"{python}-{mode}"),
            CERTHOOK_DISABLED="1" if mode == "stock" else "",
        )
        command = [PYTHONS[python], "-W", "ignore", "-I", "-c", _PROGRAM]
        done = support.run_command(*command, self._scenarios, mode, support.ROOT, env=env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
