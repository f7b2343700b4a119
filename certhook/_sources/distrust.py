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

from certhook import _files
from certhook._certificates import pem, x509
from certhook._config import ANY_PURPOSE, SERVER_AUTH
from certhook._sources import system
from certhook._sources.blocklist import BlocklistEntry, identity
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Iterator

    from certhook._sources.collector import Collector

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


def read(collector: Collector) -> None:
    """Read what this system's administrator distrusts into *collector*."""
    own = system.own_store()
    if own is not None:
        own.read_disallowed(collector)
    elif sys.platform.startswith("linux"):
        _read_deselected(collector)
        for folder in P11_KIT:
            _read_folder(collector, folder, everything=False)
            if os.path.isdir(folder) and not os.access(folder, os.X_OK):
                continue  # which was said
            _read_folder(collector, os.path.join(folder, _ANCHORS), everything=False)
            for name in _BLOCKLISTS:
                _read_folder(collector, os.path.join(folder, name), everything=True)
    elif sys.platform.startswith("freebsd"):
        for folder in UNTRUSTED:
            _read_folder(collector, folder, everything=True)


def _read_deselected(collector: Collector) -> None:
    collector.recorder.watch(DESELECTED)
    lines = map(bytes.strip, (_contents(collector, DESELECTED) or b"").splitlines())
    names = [os.fsdecode(line[1:].strip()) for line in lines if line.startswith(b"!") and b"\0" not in line]
    names = [name for name in names if os.path.basename(name)]
    local = _local(collector) if names else set()
    for name in names:
        path = os.path.join(CERTIFICATES, name)
        collector.recorder.watch_member(path)
        data = _contents(collector, path)
        if data is not None:
            _block(collector, path, data, everything=True, but=local, by=DESELECTED)
        elif os.path.dirname(name) == _MOZILLAS:
            # An upgrade removed it. Its name stays in the list, and it may stay in a bundle.
            collector.blocklist.removed_labels[os.fsencode(os.path.basename(name))] = DESELECTED
    collector.blocklist.exempt = local


def _local(collector: Collector) -> set[object]:
    """The CAs that the administrator added: to deselect the distribution's copy of one takes nothing from it."""
    found: set[object] = set()
    collector.recorder.watch(LOCAL)
    seen = set()
    for folder, inner, names in os.walk(LOCAL, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            inner.clear()  # A link leads back up.
            continue
        seen.add((status.st_dev, status.st_ino))
        collector.recorder.watch(folder)
        for name in sorted(names):
            if name.endswith(".crt"):
                path = os.path.join(folder, name)
                collector.recorder.watch_member(path)
                try:
                    entries, _ = pem.parse(_files.read(path))
                except SourceError as error:
                    collector.recorder.read_failed(error.__cause__)  # Nobody is distrusted by it.
                    continue
                found.update(identity(entry.certificate) for entry in entries)
    return found


def _read_folder(collector: Collector, folder: str, everything: bool) -> None:
    """Read the files of *folder*.

    :param everything: whether all that is in there is distrusted, or only what says so
    """
    collector.recorder.watch(folder)
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        collector.distrust_unknown(folder, f"cannot be read: {error.strerror}", error)
        return
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            continue
        collector.recorder.watch_member(path)
        collector.recorder.watch(path)  # They are few, and what is added to one in place is to be seen at once.
        data = _contents(collector, path)
        if data is not None:
            _block(collector, path, data, everything)


def _contents(collector: Collector, path: str) -> bytes | None:
    """The file at *path*, None where there is none that can be read."""
    try:
        return _files.read(path)
    except SourceError as error:
        if not isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            collector.distrust_unknown(path, error.message, error.__cause__)
        return None


def _block(
    collector: Collector, path: str, data: bytes, everything: bool, but: Collection[object] = frozenset(), by: str = ""
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
            if not (but and block.der and identity(x509.Certificate(block.der)) in but):
                collector.blocklist.add(block, by or path)
            count += 1
        except ValueError as error:
            faults += 1
            if is_meant and faults <= pem.MOST_PROBLEMS:
                collector.distrust_unknown(path, error)
    if everything and not count and is_meant:
        expected = "a certificate as PEM or DER, or a p11-kit object, was expected"
        collector.problems.append(SourceError(path, f"names nothing to distrust; {expected}"))


def _of_objects(data: bytes, everything: bool) -> Iterator[BlocklistEntry]:
    from certhook._sources import p11_kit

    certificates, *objects = _OBJECT.split(data)
    yield from _of_certificates(certificates, everything)
    for text in objects:
        yield from p11_kit.blocks(text, everything)


def _of_certificates(data: bytes, everything: bool) -> Iterator[BlocklistEntry]:
    entries, problems = pem.parse(data, lenient=True)
    for entry in entries:
        # One that is trusted for other purposes than servers alone is no word against clients,
        # which p11-kit's stores do not tell from servers.
        purposes = ANY_PURPOSE if everything else entry.rejected | (SERVER_AUTH & ~entry.trusted)
        if purposes:
            yield BlocklistEntry(purposes, entry.der)
    if everything or pem.TRUSTED_CERTIFICATE in data:
        for problem in problems:
            yield BlocklistEntry(ANY_PURPOSE, fault=problem)
