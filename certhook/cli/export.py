"""``python -m certhook export``: the trusted roots as a file or a folder, for programs that certhook does not reach.

What is there keeps its old content or has the new one, whole: it is written beside
its place and renamed. A link is never followed, nor is a device written to: whoever
can make one there would choose what is overwritten.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import warnings

from certhook import _config
from certhook._certificates import openssl
from certhook._config import CLIENT_AUTH, SERVER_AUTH, Config
from certhook._sources import read_trust_set
from certhook._store import Unusable, build, resolve, verification
from certhook.cli import _roots_table, _terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Iterable

    from certhook._certificates.anchor import Anchor

_PURPOSES = {"server": SERVER_AUTH, "client": CLIENT_AUTH}
_STANDARD_OUTPUT = "-"
# What is in a folder that was exported.
_EXPORTED = re.compile(rf"[0-9a-f]{{8}}\.\d+|{re.escape(verification.BUNDLE)}|{verification.MANIFEST}")


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "export",
        help="write the trusted roots to a file, for programs that are not written in Python",
        description=(
            "Write the roots that are trusted by default to a file, for programs that certhook does not reach. What "
            "is distrusted on this system is not among them. The file is not kept up to date: write it anew when "
            "trust has changed. 'certhook env FILE' points programs at it."
        ),
        epilog=(
            "Exit status: 0 if it was written, 1 if there is nothing to write or it cannot be written, 2 for what "
            "cannot be understood."
        ),
    )
    text = "where to; - for standard output. What was there is replaced"
    parser.add_argument("file", metavar="FILE", type=_terminal.not_empty, help=text)
    form = parser.add_mutually_exclusive_group()
    text = "pem, which most programs read (the default), or pkcs12, a trust store for Java that needs no password"
    form.add_argument("--format", choices=("pem", "pkcs12"), default="pem", help=text)
    text = "make FILE a folder with a file for each root, named as OpenSSL looks them up"
    form.add_argument("--directory", action="store_true", help=text)
    text = "the roots for whom: for servers that programs connect to (the default), or for clients that a server asks"
    parser.add_argument("--purpose", choices=_PURPOSES, default="server", help=text)
    _terminal.add_json(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Export.

    :returns: 0 if it was written, 1 if there is nothing to write or it cannot be written
    """
    path = None if options.file == _STANDARD_OUTPUT else os.path.abspath(options.file)
    if path is None and options.directory:
        options.usage_error("a folder cannot be written to standard output; name it")
    if path is None and _terminal.wants_json(options):
        options.usage_error("with --json, standard output says what was written; name a file")
    try:
        anchors = trusted(_config.current(), _PURPOSES[options.purpose], path)
        if path is not None and options.directory:
            write_directory(path, anchors)
        else:
            data = pkcs12(anchors) if options.format == "pkcs12" else pem(anchors)
            if path is None:
                _terminal.show_bytes(data)
                return 0
            write(path, data)
    except Unusable as failure:
        _terminal.complain(failure)
        return 1
    _terminal.tell(options, f"{len(anchors)} roots written to {path}", path=path, roots=len(anchors))
    return 0


def trusted(config: Config, purpose: int = SERVER_AUTH, path: str | None = None) -> list[Anchor]:
    """The roots to write (to *path*), in the order of their sources; what is wrong with these is told.

    :raises Unusable: if there are none, if one of them was read from there, or if it is not known what is distrusted
    """
    found = read_trust_set(config, purpose)
    # One that OpenSSL refuses would keep it, and many programs, from reading those behind it.
    anchors, problems = _roots_table.accepted(found)
    for problem in problems:
        _terminal.complain(problem)
    if not found.distrust_is_known:
        # Nobody looks again at what is distrusted once other programs have the file.
        raise Unusable("nothing was written: a root that this system distrusts could be among them")
    if not anchors:
        raise Unusable("nothing was written: there is no trusted root to write")
    read = {listed for anchor in (*found.anchors, *found.removed) for _, listed in anchor.listed}
    read.update(place.path for place in found.locations if place.count)
    if path is not None and os.path.realpath(path) in map(os.path.realpath, read):
        raise Unusable(f"{path} is one of the places that roots are read from, and is left alone; name another one")
    return anchors


def pem(anchors: Iterable[Anchor]) -> bytes:
    """*anchors* as PEM, each below a comment that says whose it is and who listed it."""
    return b"\n".join(_comment(anchor) + openssl.to_pem(anchor.der) for anchor in anchors)


def _comment(anchor: Anchor) -> bytes:
    # In ASCII, as which certifi's and many programs' readers open such a file, and with
    # no dashes in it that one of them could take for the beginning of a certificate.
    subject = anchor.subject.replace("--", r"-\2D")
    escaped = "".join(c if c.isascii() else "".join(f"\\{octet:02X}" for octet in c.encode()) for c in subject)
    return f"# {escaped}\n# Listed by: {', '.join(anchor.sources)}\n".encode("ascii")


def pkcs12(anchors: Iterable[Anchor]) -> bytes:
    """*anchors* as a trust store for Java, in which none is encrypted: they are no secrets.

    :raises Unusable: without the package that can write it
    """
    try:
        from cryptography.hazmat.primitives.serialization import NoEncryption
        from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore
        from cryptography.x509 import load_der_x509_certificate
    except ImportError:
        needed = "'cryptography>=45'"
        raise Unusable(f"--format pkcs12 needs the package cryptography: pip install {needed}") from None
    certificates = []
    for anchor in anchors:
        # Java keeps one entry of each name, whatever its case.
        name = f"{_roots_table.short(anchor.subject, 60)} {anchor.sha256[:16]}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Of a form that is to be refused one day: it is for Java to judge.
                certificate = load_der_x509_certificate(anchor.der)
            certificates.append(PKCS12Certificate(certificate, name.encode()))
        except ValueError as error:
            _terminal.complain(f"{name} was left out: the package cryptography refuses it: {error}")
    return serialize_java_truststore(certificates, NoEncryption())


def write(path: str, data: bytes) -> None:
    """Write *data* to the file *path*, which everybody may read.

    :raises Unusable: if that is impossible, or something else than a file is there
    """
    if _kind(path) not in (0, stat.S_IFREG):
        raise Unusable(f"{path} is a folder, a link or a device, and is left alone; name a file")
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".certhook-", dir=os.path.dirname(path))
        with open(descriptor, "wb") as file:
            file.write(data)
            _let_everybody_read(file.fileno(), temporary)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise _impossible(path, error) from None


def write_directory(path: str, anchors: Iterable[Anchor]) -> None:
    """Write *anchors* to the folder *path* in OpenSSL's hashed layout, and all of them to one file in it.

    :raises Unusable: if that is impossible, or something else than such a folder is there
    """
    _check_directory(path)
    content = build.store_content(tuple(anchors))
    temporary = ""
    try:
        temporary = tempfile.mkdtemp(prefix=".certhook-", dir=os.path.dirname(path))
        os.chmod(temporary, 0o755)
        for name, data in content.items():
            with open(os.path.join(temporary, name), "wb") as file:
                file.write(data)
                _let_everybody_read(file.fileno(), file.name)
        if not os.path.isdir(path) or not os.listdir(path):
            _move(temporary, path)
            return
        # File by file, so that a program which looks at the folder now misses no root that stays.
        for name in content:
            os.replace(os.path.join(temporary, name), os.path.join(path, name))
        for name in set(filter(_EXPORTED.fullmatch, os.listdir(path))) - set(content):
            os.unlink(os.path.join(path, name))
    except OSError as error:
        raise _impossible(path, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_directory(path: str) -> None:
    if _kind(path) not in (0, stat.S_IFDIR):
        raise Unusable(f"{path} is no folder, and is left alone; name a new folder")
    try:
        names = os.listdir(path) if os.path.isdir(path) else []
    except OSError as error:
        raise _impossible(path, error) from None
    if names:
        safe(path)  # Files are removed in it, and others rely on what stays.
    foreign = [name for name in names if not _EXPORTED.fullmatch(name)]
    if foreign or (names and verification.MANIFEST not in names):
        found = f", such as {foreign[0]}" if foreign else ""
        raise Unusable(f"{path} has files in it that are not of an export{found}, and is left alone; name a new folder")


def safe(folder: str) -> str:
    """Make sure that nobody else can change *folder*, which may not exist yet, or the way to it.

    :returns: its path without symbolic links
    :raises Unusable: if somebody can
    """
    try:
        return resolve(folder)
    except Unusable as failure:
        raise Unusable(f"nothing was written: {failure}") from None


def _move(temporary: str, path: str) -> None:
    if os.path.isdir(path):
        os.rmdir(path)  # It is empty; Windows moves nothing to where a folder is.
    os.rename(temporary, path)


def _kind(path: str) -> int:
    """What is at *path* itself: the file type of its mode, 0 for nothing."""
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _impossible(path, error) from None


def _let_everybody_read(descriptor: int, path: str) -> None:
    # Whatever the umask, and by the open file: at its path could be another one by now.
    os.chmod(descriptor if os.chmod in os.supports_fd else path, 0o644)


def _impossible(path: str, error: OSError) -> Unusable:
    return Unusable(f"{path} cannot be written: {error.strerror}")
