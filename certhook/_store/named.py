"""Stores that are compiled from files of roots; see :mod:`certhook._named_files`.

Such a store is named by the content of the file, and has no index. Its ``cert.pem`` contains the
certificates in the order of the file, so that loading it has the same result as loading the file.
"""

from __future__ import annotations

import _ssl
import os
from time import monotonic, time, time_ns

from certhook import _digest
from certhook._state import BUNDLE, process
from certhook._store import Protection, Unusable, resolve_protected, store_directory
from certhook._store.verification import MANIFEST, check, manifest
from certhook._watch import exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._certificates.anchor import Entry
    from certhook._config import Config
    from certhook._types import Signature

#: The first part of the names of stores.
PREFIX = "file-"

_VERSION = "certhook file 1"

#: A file with fewer roots costs less time than it would save.
FEWEST_ROOTS = 20
#: The number of stores in one directory. Programs that name temporary files must not fill the disk.
MOST_STORES = 50

_READ_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
# The granularity of the times of changes, in nanoseconds.
_TICK = 20_000_000
_BEGIN = b"-----BEGIN "


def directory(config: Config) -> str:
    """Return the directory of stores.

    :raises Unusable: if there is none, or another user can modify it
    """
    configured, reason = store_directory(config.store_dir)
    if configured is None:
        raise Unusable(reason)
    return resolve_protected(configured)


def read(path: str) -> bytes:
    """Return the content of *path*, a regular file that may contain enough roots.

    :raises Unusable: if it contains too few certificates
    """
    # Not certhook._files.read(), which would be the only use of four modules.
    descriptor = os.open(path, _READ_FLAGS)
    try:
        chunks = []
        while True:
            chunk = os.read(descriptor, 1 << 20)
            if not chunk:
                break
            chunks.append(chunk)
    finally:
        os.close(descriptor)
    data = b"".join(chunks)
    _require(data.count(_BEGIN) >= FEWEST_ROOTS, f"it contains fewer than {FEWEST_ROOTS} certificates")
    return data


def store_name(data: bytes) -> str:
    """Return the name of the store that is compiled from a file with this content."""
    # Another version of OpenSSL may reject certificates that this one loads.
    whole = _digest.new("sha256", f"{_VERSION}\0{_ssl.OPENSSL_VERSION}\0".encode())
    whole.update(data)
    return f"{PREFIX}{whole.hexdigest()[:40]}"


def is_usable(store: str) -> bool:
    """Return whether *store* is complete, and no other user can modify it.

    Checksums are verified once after boot, and after every change. The modification time of the manifest records it.
    """
    now = time_ns() - _TICK  # A file that is changed from now on has a later change time.
    path = os.path.join(store, MANIFEST)
    try:
        status = os.lstat(store)
        Protection().check_directory(store, status)
        verified = os.stat(path).st_mtime_ns
        # A negative age: the clock was wrong then, or is wrong now.
        if _latest_change(store, status) >= verified or not 0 <= time() - verified / 1e9 <= monotonic():
            check(store)
    except (OSError, Unusable):
        return False
    try:
        os.utime(path, ns=(now, now))
    except OSError:
        pass  # It belongs to another user, or the file system is read-only.
    return True


def _latest_change(store: str, status: os.stat_result) -> int:
    """Return the latest change of the directory *store* or its files, except the manifest, in nanoseconds."""
    latest = _change(status)
    with os.scandir(store) as entries:
        for entry in entries:
            if entry.name != MANIFEST:
                latest = max(latest, _change(entry.stat(follow_symlinks=False)))
    return latest


def _change(status: os.stat_result) -> int:
    # On Windows, the former is the time of creation.
    return max(status.st_ctime_ns, status.st_mtime_ns)


def build(store: str, data: bytes, loaded: int | None = None) -> str:
    """Build *store* from a file with the content *data*.

    :param loaded: the number of certificates that OpenSSL loads from the file, None if the store existed before
    :returns: *store*
    :raises Unusable: if the file contains anything besides certificates, or the store cannot be written
    """
    from certhook._directory import directory_mode
    from certhook._store.build import file_mode, is_shared, write
    from certhook._store.opening import open_stores
    from certhook._store.prune import sweep

    content = _content(data, loaded)
    parent, name = os.path.split(store)
    mode = file_mode(is_shared())
    with open_stores(parent, create=directory_mode(mode)) as stores:
        names = [other for other in stores.names() if other.startswith(PREFIX)]
        _require(len(names) < MOST_STORES or name in names, f"{parent} contains {MOST_STORES} others")
        write(stores, name, content, mode)
        sweep(stores)
    return store


def _content(data: bytes, loaded: int | None) -> dict[str, bytes]:
    """Return the files of the store, by name.

    :raises Unusable: if the store could differ from the file
    """
    from certhook._certificates import openssl, pem

    entries, problems = pem.parse(data)
    _require(not problems, "".join(problems[:1]))
    _require(data.count(_BEGIN) == len(entries), "it contains more than certificates")
    # OpenSSL ignores a certificate that is loaded, even if its trust settings differ.
    distinct: dict[bytes, Entry] = {}
    for entry in entries:
        distinct.setdefault(entry.der, entry)
    _require(len(distinct) >= FEWEST_ROOTS, f"it contains fewer than {FEWEST_ROOTS} certificates")
    _require(loaded in (None, len(distinct)), f"OpenSSL loads {loaded} of {len(distinct)} certificates")
    settings = {der: entry.auxiliary for der, entry in distinct.items()}
    names = openssl.hashed_names([entry.certificate for entry in distinct.values()])
    _require(len(names) == len(distinct), "OpenSSL finds some certificates only in a loaded file")
    content = {name: openssl.to_pem(der, settings[der]) for name, der in names.items()}
    # With duplicates, which affect the order of stock Python's get_ca_certs().
    content[BUNDLE] = b"".join([openssl.to_pem(entry.der, entry.auxiliary) for entry in entries])
    content[MANIFEST] = manifest(content)
    return content


def restore(store: str) -> tuple[bytes, ...]:
    """Build *store* again if it is damaged, from the text that this process read.

    The file may have changed since then, or may have been deleted.

    :returns: the certificates to load as DER, each followed by its trust settings, if the store is missing and
        cannot be built
    """
    if not os.path.basename(store).startswith(PREFIX) or is_usable(store):
        return ()
    for file in list(process.named_files.values()):
        if file.store == store:
            try:
                build(store, file.data)
            except (OSError, ValueError, Unusable):
                if not exists(store):
                    from certhook._certificates import pem

                    return tuple([entry.der + entry.auxiliary for entry in pem.parse(file.data)[0]])
            break
    return ()


def has_reliable_signature(path: str, seen: Signature) -> bool:
    """Return whether every later change of the file *path* results in another signature than *seen*."""
    from certhook._watch.recorder import is_reliable, unsettled

    return not unsettled(seen) and is_reliable(path, seen, {})


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Unusable(otherwise)
