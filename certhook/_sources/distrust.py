"""Reading block lists: the certificates that the administrator of this system distrusts.

They are removed from the trust set, whichever source lists them.

=============== ==============================================================
Debian, Alpine  /etc/ca-certificates.conf: a line ``!NAME`` distrusts the file
                NAME in /usr/share/ca-certificates, except CAs that another
                selected file or /usr/local/share/ca-certificates also
                contains. If an upgrade removed the file, the root with this
                label in the bundle is distrusted.
p11-kit         All files in ``blocklist`` directories. In their parent
                directories and in ``anchors``: objects with
                ``x-distrusted: true``; ``TRUSTED CERTIFICATE`` blocks, and
                extensions attached to a public key, that omit or reject a
                purpose; objects with ``nss-server-distrust-after``, 398 days
                after that date. Files in ``anchors`` that cannot be read are
                ignored, because they add trust.
FreeBSD         the files in the ``untrusted`` directories of certctl(8)
Android         the system's CAs that the user disabled
Windows         the Disallowed store
macOS           the trust settings of the administrator and of the user
=============== ==============================================================

A certificate matches an entry if it is identical, or if its subject and public key are equal:
renewing a distrusted CA does not make it trusted. Keys and serial numbers are compared by value. An
entry may also contain the issuer and the serial number (p11-kit, macOS), the SHA-1 (macOS) or the
public key (p11-kit) of a certificate. A root that is merely missing from the system's store is not
distrusted, because that store may be older than the bundle. A file that /dev/null masks, by a mount
or a link, counts as missing. Pipes, sockets and links to themselves are ignored.

Sources: update-ca-certificates(8), update-ca-trust(8), trust(1), certctl(8), and p11-kit's
trust/parser.c and trust/persist.c.
"""

from __future__ import annotations

import os
import sys

from certhook._sources import block_files, debian
from certhook._sources.locations import is_android
from certhook._sources.native import native_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from certhook._sources.collector import Collector

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

# FreeBSD: the sources and the output of certctl(8), which used another name before FreeBSD 13.
UNTRUSTED = (
    "/etc/ssl/untrusted",
    "/usr/share/certs/untrusted",
    "/usr/local/etc/ssl/untrusted",
    "/usr/local/share/certs/untrusted",
    "/etc/ssl/blacklisted",
    "/usr/share/certs/blacklisted",
    "/usr/local/etc/ssl/blacklisted",
)

# Android: the system's CAs that the user disabled.
REMOVED = (
    "/data/misc/user/0/cacerts-removed",  # Android 5+
    "/data/misc/keychain/cacerts-removed",
)


def read(collector: Collector) -> None:
    """Read the block lists of this system into *collector*."""
    native = native_store()
    if native is not None:
        native.read_distrusted(collector)
    elif is_android(sys.platform):
        for directory in REMOVED:
            _read_directory(collector, directory, _add_certificates)
    elif sys.platform.startswith("linux"):
        debian.read_deselected(collector)
        for directory in P11_KIT:
            _read_p11_kit(collector, directory)
    elif sys.platform.startswith("freebsd"):
        for directory in UNTRUSTED:
            _read_directory(collector, directory, _add_certificates)


def _read_p11_kit(collector: Collector, directory: str) -> None:
    if not _read_directory(collector, directory, _add_marked) and not os.access(directory, os.X_OK):
        return  # The subdirectories are inaccessible as well; one problem is enough.
    _read_directory(collector, os.path.join(directory, _ANCHORS), _add_marked, adds_trust=True)
    for name in _BLOCKLISTS:
        _read_directory(collector, os.path.join(directory, name), _add_all)


def _add_marked(collector: Collector, path: str, data: bytes) -> None:
    add_list(collector, path, data, is_blocklist=False)


def _add_all(collector: Collector, path: str, data: bytes) -> None:
    add_list(collector, path, data, is_blocklist=True)


def _add_certificates(collector: Collector, path: str, data: bytes) -> None:
    block_files.add_entries(collector, path, block_files.certificates(data), is_blocklist=True)


def _read_directory(
    collector: Collector, directory: str, add: Callable[[Collector, str, bytes], None], adds_trust: bool = False
) -> bool:
    """Pass the path and the content of each file in *directory* to *add*.

    :param adds_trust: whether it is a directory of anchors; see :func:`block_files.ignore`
    :returns: whether the directory could be listed, or does not exist
    """
    collector.recorder.watch(directory)
    try:
        names = sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        if adds_trust:
            block_files.ignore(collector, directory, reason, error)
        else:
            collector.report_unknown_distrust(directory, reason, error)
        return False
    for name in names:
        path = os.path.join(directory, name)
        if os.path.isdir(path):
            continue
        collector.recorder.watch_member(path)
        # The files are few, so each is also checked for every context, which detects an entry that is added in place.
        collector.recorder.watch(path)
        if block_files.is_special(path):
            block_files.log(collector, f"{path} is ignored: it is not a file")
            continue
        data = block_files.content(collector, path, adds_trust)
        if data is not None:
            add(collector, path, data)
    return True


def add_list(collector: Collector, path: str, data: bytes, is_blocklist: bool) -> None:
    """Distrust the entries of one file of p11-kit.

    :param data: the content of the file
    :param is_blocklist: whether every certificate in it is distrusted; otherwise, only marked ones are
    """
    from certhook._sources import p11_kit

    block_files.add_entries(collector, path, p11_kit.parse(data, is_blocklist), is_blocklist)
