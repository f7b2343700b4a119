"""Distrust, compared with the programs of the distributions: trust(1) and update-ca-certificates(8).

certhook and the program read the same random trees of files. certhook must distrust the certificates
that the program excludes from its result, and no others. CERTHOOK_TEST_TREES is the number of trees
for each program.

certhook distrusts more than trust(1) in these cases, and never less:

- Keys and serial numbers are equal by value: a block list with one encoding of a key distrusts the
  others. trust(1) compares bytes.
- A rejected purpose in a TRUSTED CERTIFICATE overrides "any purpose" in its list of trusted uses, and
  an attached extension with rejected purposes counts without another one. OpenSSL, which applies
  the same settings, rejects such certificates.
- If several settings for one key contradict each other, the strictest applies. trust(1) applies
  the one that it reads last.
- trust(1) ignores every object of a file with one malformed attribute.

certhook and update-ca-certificates(8) differ in one case: if an upgrade removed a deselected file,
certhook identifies the root by its label in certifi's bundle, which the program does not have.
"""

from __future__ import annotations

import os
import random
import shutil
import ssl
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Iterator

import der
import distrust_debian
import distrust_universe as universe
import pytest
from distrust_debian import Configuration, editions
from distrust_universe import UNIVERSE, File

from certhook._certificates import pem
from certhook._config import SERVER_AUTH, Config
from certhook._sources import debian, distrust
from certhook._sources.collector import Collector

TREES = int(os.environ.get("CERTHOOK_TEST_TREES", "40"))
_NOBODY = 65534


def program(name: str) -> str:
    """Return the path of a program. Without it, skip the test, except in CI."""
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return path


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that every user can read."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="certhook-tests-") as path:
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture
def missing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Linux system on which no location exists."""
    monkeypatch.setattr(distrust.sys, "platform", "linux")
    monkeypatch.setattr(distrust, "P11_KIT", ())
    for name in ("DESELECTED", "CERTIFICATES", "LOCAL"):
        monkeypatch.setattr(debian, name, str(directory / "missing" / name))


def distrusted() -> tuple[set[str], Collector]:
    """Return the names of the certificates that certhook distrusts for servers."""
    collector = Collector(Config({}), SERVER_AUTH)
    distrust.read(collector)
    match = collector.blocklist.match
    return {name for name, certificate in UNIVERSE.items() if match(certificate)[0] & SERVER_AUTH}, collector


def names_in(data: bytes) -> set[str]:
    """Return the names of the certificates in PEM text that a program wrote."""
    names = {certificate.der: name for name, certificate in UNIVERSE.items()}
    return {names[entry.der] for entry in pem.parse(data)[0]}


# p11-kit.


class Trust:
    """trust(1) with one directory of sources, which also contains every certificate as an anchor."""

    def __init__(self, directory: Path) -> None:
        self.sources = directory / "sources"
        self._home = directory / "home"
        self._output = directory / "output" / "roots.pem"
        modules = self._home / ".config" / "pkcs11" / "modules"
        modules.mkdir(parents=True)
        (modules / "p11-kit-trust.module").write_text(f"x-init-reserved: paths='{self.sources}'\n")
        self._output.parent.mkdir()
        self._command = [program("trust"), "extract", "--filter=ca-anchors", "--purpose=server-auth"]
        if os.geteuid() == 0:
            # It ignores the configuration of root.
            os.chown(self._output.parent, _NOBODY, _NOBODY)
            user = f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"
            self._command = [program("setpriv"), *user, *self._command]

    def distrusted(self, tree: dict[str, bytes]) -> set[str]:
        shutil.rmtree(self.sources, ignore_errors=True)
        every = b"".join(der.pem(certificate.der) for certificate in UNIVERSE.values())
        universe.write_tree(self.sources, {**tree, "anchors/universe.pem": every})
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._home), "LANG": "C"}
        command = [*self._command, "--format=pem-bundle", "--overwrite", str(self._output)]
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
        return set(UNIVERSE) - names_in(self._output.read_bytes())


def explained(files: dict[str, File], theirs: set[str]) -> set[str]:
    """Return the certificates that certhook may distrust if trust(1) distrusts *theirs*, for the reasons above."""
    limited = Counter(key for file in files.values() for key in file.limited)
    keys = {
        *(universe.key_of(UNIVERSE[name]) for name in theirs),
        *(key for file in files.values() for key in file.stricter),
        *(key for key, count in limited.items() if count > 1),
    }
    same_key = [certificate for certificate in UNIVERSE.values() if universe.key_of(certificate) in keys]
    numbers = {(certificate.issuer, certificate.serial) for certificate in same_key}
    return {
        name
        for name, certificate in UNIVERSE.items()
        if universe.key_of(certificate) in keys or (certificate.issuer, certificate.serial) in numbers
    }


def test_certhook_distrusts_the_certificates_that_trust_does_not_extract(
    directory: Path, missing: None, monkeypatch
) -> None:
    trust = Trust(directory)
    monkeypatch.setattr(distrust, "P11_KIT", (str(trust.sources),))
    assert trust.distrusted({}) == set()
    seen: set[str] = set()
    for seed in range(TREES):
        files = universe.p11_kit_tree(random.Random(seed))
        theirs = trust.distrusted({name: file.data for name, file in files.items()})
        ours, collector = distrusted()
        assert theirs <= ours, f"seed {seed}: {sorted(theirs - ours)}"
        extra = ours - theirs - explained(files, theirs)
        assert extra == set(), f"seed {seed}: {sorted(extra)}"
        seen |= theirs
    assert seen == set(UNIVERSE) or TREES < 40


# Debian.

#: The loop of update-ca-certificates(8) over deselected files.
_DESELECTED = """sed -n -e '/^$/d' -e 's/^!//p' "$1" | while read crt; do printf '%s\\n' "$2/$crt"; done"""


class UpdateCaCertificates:
    """update-ca-certificates(8) with directories of its own."""

    def __init__(self, directory: Path) -> None:
        self.conf = directory / "ca-certificates.conf"
        self.shared, self.local, self._certs = (directory / name for name in ("shared", "local", "certs"))
        paths = {"certsconf": self.conf, "certsdir": self.shared, "localcertsdir": self.local}
        paths.update({"etccertsdir": self._certs, "hooksdir": directory / "none"})
        options = [argument for name, path in paths.items() for argument in (f"--{name}", str(path))]
        self._command = ["/bin/sh", "-e", program("update-ca-certificates"), *options]
        program("openssl")

    def trusted(self, configuration: Configuration) -> set[str]:
        """Return the names of the certificates that OpenSSL finds in the result."""
        for directory in (self.shared, self.local, self._certs):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
        self.conf.write_bytes(configuration.conf)
        universe.write_tree(self.shared, configuration.shared)
        universe.write_tree(self.local, configuration.local)
        subprocess.run(self._command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(self._certs / "ca-certificates.crt")
        except (FileNotFoundError, ssl.SSLError):
            return set()  # It contains no certificate.
        names = {certificate.der: name for name, certificate in UNIVERSE.items()}
        return {names[data] for data in context.get_ca_certs(binary_form=True)}

    def deselected(self) -> set[str]:
        """Return the names of the files from which it removes links."""
        command = ["/bin/sh", "-c", _DESELECTED, "sh", str(self.conf), str(self.shared)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
        return {os.path.relpath(path, self.shared) for path in output.splitlines() if os.path.exists(path)}


def clearly_deselected(conf: bytes, shared: Path) -> set[str]:
    """Return the names of further files that certhook treats as deselected; see :mod:`certhook._sources.debian`."""
    lines = [line.strip() for line in conf.split(b"\n")]
    names = [line[1:].strip().strip(b"/").replace(b"\\", b"").decode() for line in lines if line.startswith(b"!")]
    return {os.path.normpath(name) for name in names if name and (shared / name).exists()}


def test_debian_distrusts_deselected_files_except_cas_that_the_result_contains(
    directory: Path, missing: None, monkeypatch
) -> None:
    update = UpdateCaCertificates(directory)
    for name, path in (("DESELECTED", update.conf), ("CERTIFICATES", update.shared), ("LOCAL", update.local)):
        monkeypatch.setattr(debian, name, str(path))
    counts = Counter()
    for seed in range(TREES):
        configuration = distrust_debian.configuration(seed)
        trusted = update.trusted(configuration)
        ours, _ = distrusted()
        assert not ours & trusted, f"seed {seed}: {sorted(ours & trusted)}"
        contents = configuration.contents
        files = update.deselected()
        exempt = {edition for name in trusted for edition in editions(name)}
        named = {edition for file in files for name in contents.get(file, ()) for edition in editions(name)}
        assert named - exempt <= ours, f"seed {seed}: {sorted(named - exempt - ours)}"
        files |= clearly_deselected(configuration.conf, update.shared)
        named = {edition for file in files for name in contents.get(file, ()) for edition in editions(name)}
        assert ours <= named - exempt, f"seed {seed}: {sorted(ours - (named - exempt))}"
        counts.update(trusted=len(trusted), distrusted=len(ours), exempt=len(named & exempt))
    assert min(counts[name] for name in ("trusted", "distrusted", "exempt")) >= TREES // 4
