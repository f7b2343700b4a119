"""The commands that convert a file to PEM, for a POSIX shell or Windows' command line."""

from __future__ import annotations

import os
import re
import shlex

from certhook._warnings import command_line

#: The command that converts every format from which certhook reads certificates.
EXTRACT = "{certhook} inspect --pem {target} {source}"

#: Archives: their first bytes, their name, and the command that decompresses them.
ARCHIVES = (
    (b"\x1f\x8b", "gzip", "gunzip -c {source} > {target}"),
    (b"BZh", "bzip2", "bunzip2 -c {source} > {target}"),
    (b"\xfd7zXZ\0", "xz", "xz -dc {source} > {target}"),
    (b"PK\x03\x04", "ZIP", "{python} -m zipfile -e {source} {directory}"),
    (b"PK\x05\x06", "ZIP", ""),
)
# The labels of PKCS#7 that the command openssl accepts.
_OPENSSL_PKCS7 = (b"PKCS7", b"PKCS #7 SIGNED DATA", b"CERTIFICATE")
# The placeholder for a file without a path, and for a path that a terminal cannot show.
_PLACEHOLDERS = ("FILE", "certificates.pem")


def command(template: str, path: str, output: str, is_readable: bool) -> str:
    """Return *template* with its fields filled in; "" if the template is empty.

    :param template: a command with the fields source and target, and optionally certhook, python and directory
    :param path: the file to convert
    :param output: the file to write, by default a new file next to *path*
    :param is_readable: whether :data:`EXTRACT` also converts the file
    """
    if os.name == "nt" and not template.startswith(("{certhook}", "{python}")):
        # Windows has none of the other programs.
        template = EXTRACT if template and is_readable else ""
    certhook = command_line()
    source, target = (path, output or _unused(path)) if path and path.isprintable() else _PLACEHOLDERS
    return template.format(
        certhook=certhook,
        python=certhook.rpartition(" -m ")[0],
        source=quoted(source),
        target=quoted(target),
        directory=quoted(os.path.splitext(target)[0]),
    )


def quoted(path: str) -> str:
    """Return *path* as one argument of a command."""
    path = f"./{path}" if path.startswith("-") else path
    if os.name == "nt":
        return f'"{path}"' if re.search(r"[^\w.:\\/-]", path) else path
    return shlex.quote(path)


def _unused(path: str) -> str:
    """Return a path with the suffix ``.pem`` next to *path*, at which no file exists."""
    stem = os.path.splitext(path)[0]
    numbered = (f"{stem}-{number}.pem" for number in range(2, 100))
    return next((each for each in (f"{stem}.pem", *numbered) if not os.path.lexists(each)), f"{stem}-converted.pem")


def is_clean(text: bytes, block: re.Match[bytes], body: bytes) -> bool:
    """Return whether the command ``openssl pkcs7`` reads *block* with its *body*."""
    starts_line = text[: block.start()][-1:] in (b"", b"\n") and body[:1] in (b"\r", b"\n")
    return starts_line and block[1] in _OPENSSL_PKCS7 and not re.search(rb"[^A-Za-z0-9+/=\r\n]", body)
