"""Reading block lists: the certificates that the administrator of this system distrusts.

They are removed from the trust set, whichever source lists them.

=============== ==============================================================
Debian, Alpine  /etc/ca-certificates.conf: a line ``!NAME`` distrusts the file
                NAME in /usr/share/ca-certificates, unless
                /usr/local/share/ca-certificates contains the same CA. If an
                upgrade removed the file, the root with this label in the
                bundle is distrusted.
p11-kit         All files in ``blocklist`` directories. In their parent
                directories and in ``anchors``: objects with
                ``x-distrusted: true``; ``TRUSTED CERTIFICATE`` blocks, and
                extensions attached to a public key, that omit or reject a
                purpose.
FreeBSD         the files in the ``untrusted`` directories of certctl(8)
Windows         the Disallowed store
macOS           the trust settings of the administrator and of the user
=============== ==============================================================

A certificate matches an entry if it is identical, or if its subject and public key are equal:
renewing a distrusted CA does not make it trusted. An entry may also contain the issuer and the
serial number (p11-kit, macOS) or the SHA-1 (macOS) of a certificate. A root that is merely missing
from the system's store is not distrusted, because that store may be older than the bundle.

Sources: update-ca-certificates(8), update-ca-trust(8), trust(1), certctl(8), and p11-kit's
trust/parser.c and trust/persist.c.
"""

from __future__ import annotations

import os
import re
import sys

from certhook import _files
from certhook._certificates import pem
from certhook._config import ANY_PURPOSE, SERVER_AUTH
from certhook._sources.blocklist import BlocklistEntry, identity
from certhook._sources.native import native_store
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Iterator

    from certhook._sources.collector import Collector

#: The configuration file in which administrators of Debian and Alpine deselect roots, by file names.
DESELECTED = "/etc/ca-certificates.conf"
#: The directory of these files, and its subdirectory with Mozilla's roots.
CERTIFICATES = "/usr/share/ca-certificates"
_MOZILLAS = "mozilla"
#: The directory tree of the administrator's own CAs, files ``*.crt``, which deselecting does not affect.
LOCAL = "/usr/local/share/ca-certificates"

#: The directories of p11-kit's sources.
P11_KIT = (
    "/etc/pki/ca-trust/source",  # Fedora, RHEL
    "/usr/share/pki/ca-trust-source",
    "/etc/ca-certificates/trust-source",  # Arch
    "/usr/share/ca-certificates/trust-source",
    "/etc/pki/trust",  # SUSE
    "/usr/share/pki/trust",
)
_ANCHORS = "anchors"
_BLOCKLISTS = ("blocklist", "blacklist")

UNTRUSTED = ("/etc/ssl/untrusted", "/usr/share/certs/untrusted", "/usr/local/etc/ssl/untrusted")  # FreeBSD

# The first line of a p11-kit object.
_OBJECT = re.compile(rb"^[ \t\v\f\r]*\[p11-kit-object-v1\][ \t\v\f\r]*$", re.MULTILINE)


def read(collector: Collector) -> None:
    """Read the block lists of this system into *collector*."""
    native = native_store()
    if native is not None:
        native.read_distrusted(collector)
    elif sys.platform.startswith("linux"):
        read_deselected(collector)
        for directory in P11_KIT:
            _read_p11_kit(collector, directory)
    elif sys.platform.startswith("freebsd"):
        for directory in UNTRUSTED:
            _read_directory(collector, directory, is_blocklist=True)


def _read_p11_kit(collector: Collector, directory: str) -> None:
    _read_directory(collector, directory, is_blocklist=False)
    if os.path.isdir(directory) and not os.access(directory, os.X_OK):
        return  # The subdirectories are inaccessible as well; one problem is enough.
    _read_directory(collector, os.path.join(directory, _ANCHORS), is_blocklist=False)
    for name in _BLOCKLISTS:
        _read_directory(collector, os.path.join(directory, name), is_blocklist=True)


def read_deselected(collector: Collector) -> None:
    """Read the roots that are deselected in :data:`DESELECTED` into *collector*."""
    collector.recorder.watch(DESELECTED)
    lines = map(bytes.strip, (_content(collector, DESELECTED) or b"").splitlines())
    names = [os.fsdecode(line[1:].strip()) for line in lines if line.startswith(b"!") and b"\0" not in line]
    names = [name for name in names if os.path.basename(name)]
    local = local_identities(collector) if names else set()
    for name in names:
        path = os.path.join(CERTIFICATES, name)
        collector.recorder.watch_member(path)
        data = _content(collector, path)
        if data is not None:
            add_list(collector, path, data, is_blocklist=True, exempt=local, listed_by=DESELECTED)
        elif os.path.dirname(name) == _MOZILLAS:
            # An upgrade removed the file. Its name remains in the configuration, and a bundle may contain the root.
            collector.blocklist.removed_labels[os.fsencode(os.path.basename(name))] = DESELECTED
    collector.blocklist.exempt = local


def local_identities(collector: Collector) -> set[object]:
    """Return the identities of the CAs in :data:`LOCAL`, which remain trusted if another copy is deselected."""
    found: set[object] = set()
    collector.recorder.watch(LOCAL)
    seen = set()
    for directory, subdirectories, names in os.walk(LOCAL, followlinks=True):
        status = os.stat(directory)
        if (status.st_dev, status.st_ino) in seen:
            subdirectories.clear()  # A symbolic link forms a cycle.
            continue
        seen.add((status.st_dev, status.st_ino))
        collector.recorder.watch(directory)
        for name in sorted(names):
            if name.endswith(".crt"):
                path = os.path.join(directory, name)
                collector.recorder.watch_member(path)
                try:
                    entries, _ = pem.parse(_files.read(path))
                except SourceError as error:
                    # Not a problem: this file distrusts nothing.
                    collector.recorder.read_failed(error.__cause__)
                    continue
                found.update(identity(entry.certificate) for entry in entries)
    return found


def _read_directory(collector: Collector, directory: str, is_blocklist: bool) -> None:
    collector.recorder.watch(directory)
    try:
        names = sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        collector.report_unknown_distrust(directory, f"cannot be read: {error.strerror}", error)
        return
    for name in names:
        path = os.path.join(directory, name)
        if os.path.isdir(path):
            continue
        collector.recorder.watch_member(path)
        # The files are few, so each is also checked for every context, which detects an entry that is added in place.
        collector.recorder.watch(path)
        data = _content(collector, path)
        if data is not None:
            add_list(collector, path, data, is_blocklist)


def _content(collector: Collector, path: str) -> bytes | None:
    """Return the content of the file *path*, None if it does not exist or cannot be read."""
    try:
        return _files.read(path)
    except SourceError as error:
        if not isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            collector.report_unknown_distrust(path, error.message, error.__cause__)
        return None


def add_list(
    collector: Collector,
    path: str,
    data: bytes,
    is_blocklist: bool,
    exempt: Collection[object] = frozenset(),
    listed_by: str = "",
) -> None:
    """Distrust the entries of one file.

    :param data: the content of the file
    :param is_blocklist: whether every certificate in it is distrusted, or only those that it marks
    :param exempt: the identities of CAs that remain trusted
    :param listed_by: the file that makes *path* a block list, if any
    """
    entries = _parse_objects(data, is_blocklist) if _OBJECT.search(data) else _parse_certificates(data, is_blocklist)
    # Documentation and the temporary files of editors are not expected to contain certificates.
    is_list = not os.path.basename(path).upper().startswith(("README", "."))
    count = faults = 0
    for entry in entries:
        try:
            if not (exempt and entry.certificate is not None and identity(entry.certificate) in exempt):
                collector.blocklist.add(entry, listed_by or path)
            count += 1
        except ValueError as error:
            faults += 1
            if is_list and faults <= pem.MOST_PROBLEMS:
                collector.report_unknown_distrust(path, error)
    if is_blocklist and not count and is_list:
        message = "distrusts nothing; expected a certificate as PEM or DER, or a p11-kit object"
        collector.problems.append(SourceError(path, message))


def _parse_objects(data: bytes, is_blocklist: bool) -> Iterator[BlocklistEntry]:
    from certhook._sources import p11_kit

    certificates, *objects = _OBJECT.split(data)
    yield from _parse_certificates(certificates, is_blocklist)
    for text in objects:
        yield from p11_kit.read_object(text, is_blocklist)


def _parse_certificates(data: bytes, is_blocklist: bool) -> Iterator[BlocklistEntry]:
    entries, problems = pem.parse(data, lenient=True)
    for entry in entries:
        # A certificate that is not trusted for servers is distrusted for them. The same does not apply to
        # clients, because p11-kit's stores do not distinguish them from servers.
        purposes = ANY_PURPOSE if is_blocklist else entry.rejected | (SERVER_AUTH & ~entry.trusted)
        if purposes:
            yield BlocklistEntry(purposes, entry.certificate)
    if is_blocklist or pem.TRUSTED_CERTIFICATE in data:
        for problem in problems:
            yield BlocklistEntry(ANY_PURPOSE, fault=problem)
