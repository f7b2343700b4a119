"""Interpreters on a Linux machine with given files at the real paths, in a mount namespace."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import der
import namespace
import support
from namespace import Link

from certhook._certificates import x509

#: A placeholder for OPENSSLDIR, the directory that is compiled into the interpreter's OpenSSL.
OPENSSL = "{OPENSSLDIR}"


class Pem(NamedTuple):
    """A file with the certificates of these authorities, separated by spaces, and further text.

    In the text, ``{NAME}`` is replaced by the certificate of an authority.
    """

    names: str
    text: bytes = b""


class Indented(NamedTuple):
    """A file with the indented certificate of one authority, which p11-kit accepts and OpenSSL ignores."""

    name: str


class Hashed(NamedTuple):
    """A directory with a file for each of these authorities, and the links that ``openssl rehash`` creates."""

    names: str


class Trusted(NamedTuple):
    """A file with the certificate of one authority, and trust settings as options of ``openssl x509 -trustout``."""

    name: str
    settings: str


class Der(NamedTuple):
    """A file with the certificate of one authority as DER."""

    name: str


class P11Kit(NamedTuple):
    """A p11-kit object for one authority.

    :ivar form: "pem", "value", "serial" (issuer and serial number) or "key"
    """

    name: str
    form: str = "pem"
    attributes: str = "x-distrusted: true"


#: Code that prints the verdicts of a context with a compiled store, and of one with every anchor loaded.
LAZY_AND_EAGER = f"""
import os
for load in "lazy", "eager":
    os.environ["CERTHOOK_LOAD"] = load
    exec({support.VERDICTS!r})
"""


class LinuxMachine:
    """A machine with an interpreter with certhook, one without, and servers of several authorities.

    certifi's bundle additionally contains the roots *bundled* and *both*.
    """

    def __init__(self, cas, servers, installed: Path, plain: Path, directory: Path) -> None:
        self.cas = cas
        self.servers = servers
        self.installed = installed
        self.plain = plain
        self.directory = directory
        self.hashes = {name: self._hash(name, "-subject_hash") for name in cas.names}
        self.hashes.update({f"{name}:old": self._hash(name, "-subject_hash_old") for name in cas.names})
        code = "import ssl; print(ssl.get_default_verify_paths().openssl_cafile)"
        self.openssldir = os.path.dirname(support.run(plain, code).stdout.strip())
        self.certifi = support.purelib(installed) / "certifi"
        self.bundle = (self.certifi / "cacert.pem").read_bytes() + cas.pem("bundled", "both")

    def _hash(self, name: str, option: str) -> str:
        return _openssl("x509", "-noout", option, data=self.cas.pem(name)).strip()

    def tree(self, described: dict) -> namespace.Tree:
        """Return the files that *described* describes.

        In paths, ``{NAME}`` and ``{NAME:old}`` are replaced by the subject hashes of an authority.
        """
        tree = {}
        for path, entry in described.items():
            path = path.replace(OPENSSL, self.openssldir)
            path = re.sub(r"\{(.+?)\}", lambda match: self.hashes[match[1]], path)
            if isinstance(entry, Hashed):
                tree.update(self._rehashed(path, entry.names.split()))
            else:
                tree[path] = self._content(entry)
        return tree

    def _content(self, entry: object) -> object:
        if isinstance(entry, Pem):
            text = re.sub(rb"\{(\w+)\}", lambda match: self.cas.pem(match[1].decode()), entry.text)
            return self.cas.pem(*entry.names.split()) + text
        if isinstance(entry, Trusted):
            return _openssl("x509", "-trustout", *entry.settings.split(), data=self.cas.pem(entry.name)).encode()
        if isinstance(entry, Indented):
            return self.cas.pem(entry.name).replace(b"-----BEGIN", b"  -----BEGIN")
        if isinstance(entry, Der):
            return self.cas.der(entry.name)
        return self._p11_kit(entry) if isinstance(entry, P11Kit) else entry

    def _p11_kit(self, entry: P11Kit) -> bytes:
        certificate = x509.Certificate(self.cas.der(entry.name))
        issuer, serial = der.escaped(certificate.issuer), der.escaped(certificate.serial)
        forms = {
            "pem": self.cas.pem(entry.name).decode(),
            "value": f'value: "{der.escaped(certificate.der)}"',
            "key": der.pem(certificate.key, "PUBLIC KEY").decode(),
            "serial": f'issuer: "{issuer}"\nserial-number: "{serial}"',
        }
        lines = ["[p11-kit-object-v1]", 'label: "test"', "class: certificate", entry.attributes]
        return "\n".join(["# comment", *lines, forms[entry.form], ""]).encode()

    def _rehashed(self, path: str, names: list[str]) -> namespace.Tree:
        directory = self.directory / "+".join(names)
        if not directory.exists():
            directory.mkdir()
            for name in names:
                (directory / f"{name}.pem").write_bytes(self.cas.pem(name))
            _openssl("rehash", str(directory))
        return {
            f"{path}/{file.name}": Link(os.readlink(file)) if file.is_symlink() else file.read_bytes()
            for file in directory.iterdir()
        }

    def run(
        self,
        python: Path,
        code: str,
        described: dict,
        directory: Path,
        over: dict[str, bytes | None] | None = None,
        privileged: bool = True,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run *code*, which must succeed, on a machine with the files of *described*.

        :param directory: an empty directory
        :param over: files that replace existing ones; certifi's bundle by default
        :param privileged: whether root may ignore permissions
        :param variables: environment variables
        """
        if over is None:
            over = {str(self.certifi / "cacert.pem"): self.bundle}
        env = support.clean_env(**variables, SERVERS=support.server_list(self.servers))
        tree = self.tree(described)
        done = namespace.run(
            python, code, tree, env, directory, over=over, hidden=(self.openssldir,), privileged=privileged
        )
        assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


def _openssl(*arguments: str, data: bytes = b"") -> str:
    return subprocess.run(["openssl", *arguments], input=data, check=True, stdout=subprocess.PIPE).stdout.decode()


def expected(names: str) -> dict[str, bool]:
    """Return the verdicts on all servers if exactly these authorities, separated by spaces, are trusted."""
    return {name: name in names.split() for name in support.Authorities.names}


def verdicts_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, bool]]:
    """Return the verdicts in each line of standard output."""
    return [support.verdicts(line) for line in done.stdout.splitlines()]


def warnings_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the messages of the warnings on standard error, which must contain nothing else."""
    # Since Python 3.13, the indented line of code follows, also for "-c".
    lines = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    assert all("CerthookWarning: " in line for line in lines), done.stderr
    return [line.partition("CerthookWarning: ")[2] for line in lines]
