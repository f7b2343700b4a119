"""The roots in the files of ``--ca``, which only the current check trusts."""

from __future__ import annotations

from typing import Iterable

from certhook import _files
from certhook._certificates import formats, pem
from certhook._certificates.anchor import Anchor
from certhook._certificates.x509 import Certificate
from certhook._text import printable
from certhook.exceptions import CerthookError

#: The source of these roots in reports.
SOURCE = "--ca"


def read(paths: Iterable[str]) -> list[Anchor]:
    """Return the certificates in the files *paths*.

    :raises ValueError: with a message for the user, if a file cannot be read or contains no certificate
    """
    listed: dict[bytes, list[tuple[str, str]]] = {}
    for path in paths:
        for der in _certificates(path):
            listed.setdefault(der, []).append((SOURCE, path))
    return [Anchor(Certificate(der), tuple(dict.fromkeys(places))) for der, places in listed.items()]


def _certificates(path: str) -> list[bytes]:
    try:
        data = _files.read(path, accepts_pipe=True)
    except (CerthookError, OSError, ValueError) as error:
        raise ValueError(f"{SOURCE} {error}") from None
    ders = [entry.der for entry in pem.parse(data)[0]]
    if not ders:
        found = formats.identify(data, path)
        # The name of the file may contain a terminal's control sequences.
        raise ValueError(printable(f"{SOURCE} {path} contains no certificate as PEM: {found.advice('use its result')}"))
    return ders
