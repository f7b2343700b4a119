"""What the operating system's administrator distrusts: taken from the trust set, whichever source lists it.

============= =============================================================
Debian,       a line ``!NAME`` in /etc/ca-certificates.conf, NAME below
Alpine        /usr/share/ca-certificates, unless that CA is among the
              administrator's own in /usr/local/share/ca-certificates;
              where NAME is gone since, the root of that label in the bundle
p11-kit       files in ``blocklist`` directories; in the directories above
              them and in ``anchors``, objects that say ``x-distrusted: true``,
              OpenSSL's ``TRUSTED CERTIFICATE`` and extensions attached to a
              public key, that leave a purpose out or reject it
FreeBSD       files in the ``untrusted`` directories of certctl(8)
Windows       the Disallowed store
macOS         trust settings of the administrator and of the user
============= =============================================================

A certificate is matched as it is, or by its subject and public key: a renewed copy
of a distrusted CA is that CA. A p11-kit object may also name one by issuer and
serial number, and macOS by SHA-1. A root that is only missing from a system's store is
not distrusted: the store may just be older than the bundle.

Sources: update-ca-certificates(8), update-ca-trust(8), trust(1), certctl(8), and
p11-kit's trust/parser.c and trust/persist.c.
"""

from __future__ import annotations

import os
import re
import sys

from certhook import _anchors, _files, _x509
from certhook._config import ANY_PURPOSE, SERVER_AUTH
from certhook._sources import system
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Iterator

    from certhook._anchors import Anchor
    from certhook._sources.reader import Reader

#: Where Debian's and Alpine's administrators deselect roots, and what the names there are relative to.
DESELECTED = "/etc/ca-certificates.conf"
CERTIFICATES = "/usr/share/ca-certificates"
_MOZILLAS = "mozilla"
#: Where they put those that are trusted whatever is deselected: files ``*.crt``, in folders as well.
LOCAL = "/usr/local/share/ca-certificates"

#: Directories of p11-kit sources, each with directories of what is distrusted in it.
P11_KIT = (
    "/etc/pki/ca-trust/source",  # Fedora, RHEL
    "/usr/share/pki/ca-trust-source",
    "/etc/ca-certificates/trust-source",  # Arch
    "/usr/share/ca-certificates/trust-source",
    "/etc/pki/trust",  # SUSE
    "/usr/share/pki/trust",
)
_BLOCKLISTS = ("blocklist", "blacklist")
_ANCHORS = "anchors"

UNTRUSTED = ("/etc/ssl/untrusted", "/usr/share/certs/untrusted", "/usr/local/etc/ssl/untrusted")  # FreeBSD

# What a p11-kit object begins with.
_OBJECT = re.compile(rb"^[ \t\v\f\r]*\[p11-kit-object-v1\][ \t\v\f\r]*$", re.MULTILINE)


class Block:
    """One that is distrusted: a certificate, by itself, by its issuer and serial number, by its SHA-1, or a public key.

    All but the SHA-1 as DER.

    :ivar purposes: for what it is
    :ivar fault: what is wrong with it, where there is something
    """

    __slots__ = ("der", "fault", "issuer", "key", "purposes", "serial", "sha1")

    def __init__(
        self,
        purposes: int,
        der: bytes = b"",
        issuer: bytes = b"",
        serial: bytes = b"",
        sha1: bytes = b"",
        key: bytes = b"",
        fault: str = "",
    ) -> None:
        self.purposes = purposes
        self.der = der
        self.issuer = issuer
        self.serial = serial
        self.sha1 = sha1
        self.key = key
        self.fault = fault


class Distrust:
    """The certificates that are distrusted, and by which files."""

    def __init__(self) -> None:
        # What a certificate is matched by, to the bits of purposes and the paths.
        self._blocks: dict[object, list[tuple[int, str]]] = {}
        # Whether one of them is a SHA-1, which costs a little.
        self._by_sha1 = False
        #: those that are named by themselves, as DER
        self.certificates: dict[bytes, None] = {}
        #: those that are named by Debian's name of a file which is gone, to the path that names it
        self.gone: dict[bytes, str] = {}
        #: those that are trusted although they are in :attr:`gone`
        self.spared: Collection[object] = frozenset()
        #: whether something that could not be read may have named more
        self.is_known = True

    def add(self, block: Block, path: str) -> None:
        """Distrust what *block* names, and every certificate of the same subject and key.

        :raises ValueError: if it names nothing
        """
        if block.fault:
            raise ValueError(block.fault)
        if block.der:
            keys = _keys(_x509.Certificate(block.der))[:2]
            self.certificates[block.der] = None
        elif block.issuer and block.serial:
            keys = [_serial(block.issuer, block.serial)]
        elif block.sha1:
            keys = [("SHA-1", block.sha1)]
            self._by_sha1 = True
        elif block.key:
            keys = [("key", block.key)]
        else:
            raise ValueError("an object has neither a certificate nor an issuer and a serial number")
        for key in keys:
            self._blocks.setdefault(key, []).append((block.purposes, path))

    def add_labelled(self, bundle: bytes) -> None:
        """Distrust those of :attr:`gone` that *bundle* has a label for, as certifi's has."""
        for label, pem in _LABELLED.findall(bundle) if self.gone else ():
            path = self.gone.get(_debian_name(label))
            if path is None:
                continue
            for anchor in _anchors.parse(pem)[0]:
                if identity(_x509.Certificate(anchor.der)) not in self.spared:
                    self.add(Block(ANY_PURPOSE, anchor.der), path)

    def apply(self, anchor: Anchor) -> None:
        """Reject *anchor* for the purposes for which it is distrusted."""
        if not self._blocks:
            return
        keys = _keys(_x509.Certificate(anchor.der))
        if self._by_sha1:
            keys.append(("SHA-1", _x509.digest("sha1", anchor.der)))
        for key in keys:
            for purposes, path in self._blocks.get(key, ()):
                anchor.rejected |= purposes
                if path not in anchor.rejected_by:
                    anchor.rejected_by.append(path)


# In certifi's bundle, what Mozilla calls a root is in the comment above it.
_LABELLED = re.compile(
    rb'^# Label: "(.*)"\r?\n(?:#.*\n){0,20}(-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----)', re.MULTILINE
)
# There, other characters than ASCII are written as Python does.
_ESCAPE = re.compile(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}")


# What is another character in Debian's names.
_DEBIANS = str.maketrans("/ (),", "__==_")


def _debian_name(label: bytes) -> bytes:
    """The name of the file in which Debian has the root with this label (ca-certificates, certdata2pem.py)."""
    name = _ESCAPE.sub(lambda escape: chr(int(escape[0][2:], 16)), label.decode("latin-1"))
    return f"{name.translate(_DEBIANS)}.crt".encode("utf-8", "replace")


def _keys(certificate: _x509.Certificate) -> list[object]:
    """What *certificate* is matched by."""
    serial = _serial(certificate.issuer, certificate.serial)
    return [certificate.der, identity(certificate), serial, ("key", certificate.key)]


def identity(certificate: _x509.Certificate) -> tuple[bytes, bytes]:
    """Which CA it is: a renewed copy has the same subject and public key."""
    return _x509.folded(certificate.subject), certificate.key


def _serial(issuer: bytes, serial: bytes) -> tuple[bytes, bytes, str]:
    return _x509.folded(issuer), serial, "serial"


def read(reader: Reader) -> None:
    """Read what this system's administrator distrusts into *reader*."""
    own = system.own_store()
    if own is not None:
        own.read_disallowed(reader)
    elif sys.platform.startswith("linux"):
        _read_deselected(reader)
        for folder in P11_KIT:
            _read_folder(reader, folder, everything=False)
            if os.path.isdir(folder) and not os.access(folder, os.X_OK):
                continue  # which was said
            _read_folder(reader, os.path.join(folder, _ANCHORS), everything=False)
            for name in _BLOCKLISTS:
                _read_folder(reader, os.path.join(folder, name), everything=True)
    elif sys.platform.startswith("freebsd"):
        for folder in UNTRUSTED:
            _read_folder(reader, folder, everything=True)


def _read_deselected(reader: Reader) -> None:
    reader.watch(DESELECTED)
    lines = map(bytes.strip, (_contents(reader, DESELECTED) or b"").splitlines())
    names = [os.fsdecode(line[1:].strip()) for line in lines if line.startswith(b"!") and b"\0" not in line]
    names = [name for name in names if os.path.basename(name)]
    local = _local(reader) if names else set()
    for name in names:
        path = os.path.join(CERTIFICATES, name)
        reader.watch_inside(path)
        data = _contents(reader, path)
        if data is not None:
            _block(reader, path, data, everything=True, but=local, by=DESELECTED)
        elif os.path.dirname(name) == _MOZILLAS:
            # An upgrade removed it. Its name stays in the list, and it may stay in a bundle.
            reader.distrust.gone[os.fsencode(os.path.basename(name))] = DESELECTED
    reader.distrust.spared = local


def _local(reader: Reader) -> set[object]:
    """The CAs that the administrator added: to deselect the distribution's copy of one takes nothing from it."""
    found: set[object] = set()
    reader.watch(LOCAL)
    seen = set()
    for folder, inner, names in os.walk(LOCAL, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            inner.clear()  # A link leads back up.
            continue
        seen.add((status.st_dev, status.st_ino))
        reader.watch(folder)
        for name in sorted(names):
            if name.endswith(".crt"):
                path = os.path.join(folder, name)
                reader.watch_inside(path)
                try:
                    anchors, _ = _anchors.parse(_files.read(path))
                except SourceError as error:
                    reader.failed(error.__cause__)  # Nobody is distrusted by it.
                    continue
                found.update(identity(_x509.Certificate(anchor.der)) for anchor in anchors)
    return found


def _read_folder(reader: Reader, folder: str, everything: bool) -> None:
    """Read the files of *folder*.

    :param everything: whether all that is in there is distrusted, or only what says so
    """
    reader.watch(folder)
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        reader.distrust_unknown(folder, f"cannot be read: {error.strerror}", error)
        return
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            continue
        reader.watch_inside(path)
        reader.watch(path)  # They are few, and what is added to one in place is to be seen at once.
        data = _contents(reader, path)
        if data is not None:
            _block(reader, path, data, everything)


def _contents(reader: Reader, path: str) -> bytes | None:
    """The file at *path*, None where there is none that can be read."""
    try:
        return _files.read(path)
    except SourceError as error:
        if not isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            reader.distrust_unknown(path, error.message, error.__cause__)
        return None


def _block(
    reader: Reader, path: str, data: bytes, everything: bool, but: Collection[object] = frozenset(), by: str = ""
) -> None:
    """Distrust what is in the file *path*: all of it, or what says so; *but* for some CAs.

    :param by: the file that says so, if it is another one
    """
    found = _of_objects(data, everything) if _OBJECT.search(data) else _of_certificates(data, everything)
    # What nobody means to be read: a README, and what editors leave.
    is_meant = not os.path.basename(path).upper().startswith(("README", "."))
    count = faults = 0
    for block in found:
        try:
            if not (but and block.der and identity(_x509.Certificate(block.der)) in but):
                reader.distrust.add(block, by or path)
            count += 1
        except ValueError as error:
            faults += 1
            if is_meant and faults <= _anchors.MOST_PROBLEMS:
                reader.distrust_unknown(path, error)
    if everything and not count and is_meant:
        expected = "a certificate as PEM or DER, or a p11-kit object, was expected"
        reader.problems.append(SourceError(path, f"names nothing to distrust; {expected}"))


def _of_objects(data: bytes, everything: bool) -> Iterator[Block]:
    from certhook._sources import p11_kit

    certificates, *objects = _OBJECT.split(data)
    yield from _of_certificates(certificates, everything)
    for text in objects:
        yield from p11_kit.blocks(text, everything)


def _of_certificates(data: bytes, everything: bool) -> Iterator[Block]:
    anchors, problems = _anchors.parse(data, anywhere=True)
    for anchor in anchors:
        # One that is trusted for other purposes than servers alone is no word against clients,
        # which p11-kit's stores do not tell from servers.
        purposes = ANY_PURPOSE if everything else anchor.rejected | (SERVER_AUTH & ~anchor.trusted)
        if purposes:
            yield Block(purposes, anchor.der)
    if everything or _anchors.TRUSTED_CERTIFICATE in data:
        for problem in problems:
            yield Block(ANY_PURPOSE, fault=problem)
