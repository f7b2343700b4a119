"""Random configurations of Debian's ca-certificates, for the tests of distrust."""

from __future__ import annotations

import random
from typing import NamedTuple

import der
from distrust_universe import UNIVERSE

#: The names of certificates of one CA, which have equal subjects and keys.
EDITIONS = [
    {"a", "a renewed", "a in another string type", "a compressed"},
    {"rsa", "rsa without parameters", "rsa pss"},
]

_NAMES = (
    "mozilla/a.crt",
    "mozilla/b c.crt",
    "mozilla/d_=e=.crt",
    "own/f.crt",
    "g.crt",
    "own/h (i), j.crt",
    "mozilla/k",
)
_MISSING = ("mozilla/missing.crt", "own/missing.crt")
_LOCAL = ("a.crt", "inner/b.crt", "c.pem", "d e.crt", ".f.crt")


class Configuration(NamedTuple):
    """A random configuration.

    :ivar conf: the content of ca-certificates.conf
    :ivar shared: the files in /usr/share/ca-certificates
    :ivar local: the files in /usr/local/share/ca-certificates
    :ivar contents: the names of the certificates in each shared file
    """

    conf: bytes
    shared: dict[str, bytes]
    local: dict[str, bytes]
    contents: dict[str, set[str]]


def editions(name: str) -> set[str]:
    """Return the names of all certificates of the same CA."""
    return next((names for names in EDITIONS if name in names), {name})


def _file(choose: random.Random) -> tuple[bytes, set[str]]:
    names = choose.sample(sorted(UNIVERSE), choose.choice([1, 1, 1, 2, 3]))
    pem = b"".join(der.pem(UNIVERSE[name].der) for name in names)
    first = UNIVERSE[names[0]].der
    forms = [pem, pem, pem, pem.rstrip(b"\n"), b"# a comment\n" + pem, pem.replace(b"\n", b"\r\n"), first]
    data = choose.choice(forms)
    return data, {names[0]} if data is first else set(names)


def _line(choose: random.Random) -> bytes:
    name = choose.choice(_NAMES + _MISSING).encode()
    variants = [
        *[name, b"!" + name] * 4,
        b"# " + name,
        b"#!" + name,
        b"",
        b" \t",
        b"!",
        b" " + name + b"\t",
        b" !" + name,
        b"! " + name,
        b"!!" + name,
        name + b"\r",
        b"!" + name + b"\r",
        b"!" + name + b" # a comment",
        b"/" + name,
        b"!/" + name,
        b"own/../" + name,
        b"!own/../" + name,
        b"!./" + name,
        b"!" + name.replace(b"a", b"\\a"),
        b"!" + name + b"\\",
    ]
    return choose.choice(variants)


def configuration(seed: int) -> Configuration:
    """Return a random configuration."""
    choose = random.Random(seed)
    files = {name: _file(choose) for name in _NAMES if choose.random() < 0.8}
    local = {name: _file(choose)[0] for name in _LOCAL if choose.random() < 0.2}
    conf = b"\n".join(_line(choose) for _ in range(choose.randrange(1, 10)))
    return Configuration(
        conf + choose.choice([b"\n", b"\n", b""]),
        {name: data for name, (data, _) in files.items()},
        local,
        {name: names for name, (_, names) in files.items()},
    )
