"""Files of roots with one-letter names, and the trust set that the sources make of them."""

from __future__ import annotations

import os
from pathlib import Path

import der

from certhook._certificates import names
from certhook._config import SERVER_AUTH, Config
from certhook._sources import collect
from certhook._sources.trust_set import TrustSet
from certhook.exceptions import ConfigurationError

ROOTS = {name: der.root(name, number) for number, name in enumerate("abcdefgh", 1)}
#: A certificate that certhook accepts and OpenSSL rejects, because its key is empty.
REJECTED_BY_OPENSSL = der.root("rejected", key=b"\x30\0")


def bundle(path: Path, letters: str, **trust: list[str]) -> Path:
    """Write a PEM file of some of the roots.

    :param trust: OpenSSL's trust settings, see :func:`der.auxiliary`
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    label, settings = ("TRUSTED CERTIFICATE", der.auxiliary(**trust)) if trust else ("CERTIFICATE", b"")
    path.write_bytes(b"".join(der.pem(ROOTS[letter] + settings, label) for letter in letters))
    return path


def hash_of(letter: str, old: bool = False) -> str:
    """Return the subject hash of a root."""
    return (names.subject_hash_old if old else names.subject_hash)(der.common_name(letter))


def hashed(directory: Path, letters: str, old: bool = False) -> Path:
    """Create a directory of some of the roots in OpenSSL's hashed layout."""
    directory.mkdir(parents=True, exist_ok=True)
    for letter in letters:
        bundle(directory / f"{hash_of(letter, old)}.0", letter)
    return directory


def read(purpose: int = SERVER_AUTH, **variables: object) -> TrustSet:
    """Read the sources with these variables."""
    return collect(Config({name: str(value) for name, value in variables.items()}), purpose).trust_set()


def read_system(**variables: object) -> TrustSet:
    """Read the operating system's store with these variables."""
    return read(CERTHOOK_SOURCES="system", **variables)


def letters_of(trust: TrustSet) -> str:
    """Return the roots in *trust* in their order."""
    known = {certificate: name for name, certificate in ROOTS.items()}
    return "".join(known[anchor.der] for anchor in trust.anchors)


def counts_of(trust: TrustSet) -> list[tuple[str, int]]:
    """Return the base name of each location that was read, and the number of roots that it lists."""
    return [(os.path.basename(location.path), location.count) for location in trust.locations]


def problems_of(trust: TrustSet) -> list[tuple[str, str]]:
    """Return the setting or the base name of the path, and the message, of each problem."""
    return [
        (problem.setting, problem.message)
        if isinstance(problem, ConfigurationError)
        else (os.path.basename(problem.path), problem.message)
        for problem in trust.problems
    ]


def watched_paths(trust: TrustSet) -> list[str]:
    """Return the names of the inputs that are checked for every context."""
    return [name for kind, name, _, _ in trust.snapshot.frequent if kind == "path"]
