"""The machine on which faults are injected: its certificates, its installed packages, and its namespace."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import namespace
import pki
import support
import trustme
from injection.operations import AUTHORITIES
from namespace import Link

#: The files that select roots on the machine; the operating system's store is writable, in memory.
_STORE = "/etc/ssl/certs/ca-certificates.crt"
_BLOCKLIST = "/etc/pki/ca-trust/source/blocklist/distrusted.pem"
_FEW = 20


class Machine:
    """A Linux machine with certhook and an interpreter.

    :param directory: an empty directory, or that of an earlier one
    """

    def __init__(self, directory: Path, plain: Path) -> None:
        self.directory = directory
        self.plain = plain

    @property
    def site(self) -> Path:
        return self.directory / "site"

    @property
    def pki(self) -> Path:
        return self.directory / "pki"

    @property
    def library(self) -> Path:
        return self.directory / "short.so"

    def create(self, installed: Path) -> None:
        """Create the machine, with the packages of the environment *installed*."""
        self.pki.mkdir()
        for name in AUTHORITIES:
            ca = trustme.CA(organization_name=f"certhook tests {name}")
            (self.pki / f"{name}.pem").write_bytes(ca.cert_pem.bytes())
            (self.pki / f"{name}.server.pem").write_bytes(
                ca.issue_cert("localhost").private_key_and_cert_chain_pem.bytes()
            )
        roots = [pki.issue(f"root {number}", ca=True).pem for number in range(_FEW)]
        (self.pki / "named-file.pem").write_bytes(b"".join([*roots, self.pem("named")]))
        shutil.copytree(support.purelib(installed), self.site)
        support.replace_recorded(self.site, "certifi/cacert.pem", self.pem("bundled", "distrusted"))
        spec = importlib.util.find_spec("installer")
        assert spec is not None and spec.submodule_search_locations
        shutil.copytree(spec.submodule_search_locations[0], self.site / "installer")
        source = Path(__file__).with_name("short.c")
        command = ["gcc", "-shared", "-fPIC", "-O", "-o", str(self.library), str(source), "-ldl"]
        subprocess.run(command, check=True)

    def pem(self, *names: str) -> bytes:
        """Return the roots of these authorities."""
        return b"".join((self.pki / f"{name}.pem").read_bytes() for name in names)

    def inject(
        self,
        directory: Path,
        operation: str,
        count: int = 0,
        part: int = 0,
        parts: int = 1,
        seconds: float = 3600,
        **more: object,
    ) -> dict[str, Any]:
        """Inject faults into *operation*, and return the results.

        :param directory: an empty directory
        :param count: the number of faults, 0 for all
        :param part: every one of *parts*, from this one
        :param seconds: the time after which no fault is injected any more
        """
        code = "import ssl; print(ssl.get_default_verify_paths().openssl_cafile)"
        openssldir = os.path.dirname(support.run(self.plain, code).stdout.strip())
        tree: namespace.Tree = {
            _STORE: self.pem("system", "former"),
            f"{os.path.dirname(_STORE)}/{support.hashed_name(self._der('hashed'))}": self.pem("hashed"),
            _BLOCKLIST: self.pem("distrusted"),
            f"{openssldir}/certs": Link("/etc/ssl/certs"),
            f"{openssldir}/cert.pem": Link(_STORE),
        }
        job = {"operation": operation, "count": count, "part": part, "parts": parts, "seconds": seconds, **more}
        paths = [str(self.site), str(Path(__file__).parent.parent)]
        code = f"import os, sys; os.chdir('/'); sys.path[:1] = {paths!r}\nfrom injection import server\n"
        env = support.clean_env(
            SCRATCH=str(directory / "scratch"),
            PKI=str(self.pki),
            BUNDLE=str(self.site / "certifi" / "cacert.pem"),
            LD_PRELOAD=str(self.library),
            PYTHONHASHSEED="0",
        )
        done = namespace.run(
            self.plain,
            f"{code}server.main({json.dumps(job)!r})",
            tree,
            env,
            directory,
            hidden=(openssldir,),
            timeout=seconds + 120,
        )
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def _der(self, name: str) -> bytes:
        import ssl

        return ssl.PEM_cert_to_DER_cert(self.pem(name).decode())


def unavailable() -> str | None:
    """Return why no faults can be injected here, None if they can."""
    if not sys.platform.startswith("linux"):
        return "strace requires Linux"
    for command in ("strace", "gcc"):
        if shutil.which(command) is None:
            return f"{command} is not installed"
    done = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True)
    return f"strace fails: {done.stderr.strip()}" if done.returncode else None
