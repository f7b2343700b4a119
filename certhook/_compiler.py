"""Making compiled stores: anchors to a directory in OpenSSL's hashed layout.

A store is made in a temporary directory beside its place and renamed. Any
number of processes may do so at once, and one that is killed leaves nothing
that is ever used. Nothing is synced to the disk, which would cost more than the
roots themselves: :func:`certhook._store.find` finds what a power cut left.
"""

from __future__ import annotations

import _ssl
import binascii
import contextlib
import errno
import os
import re
import shutil
import stat
import sys
from time import time

from certhook import _context, _store, _x509
from certhook._store import Unusable
from certhook.exceptions import ConfigurationError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._sources import TrustSet

_VERSION = b"certhook store 2\0"


def compile_into(folder: str, found: TrustSet, key: tuple[str, ...], shared: bool, portable: bool = False) -> str:
    """Compile the store of *found* in *folder*, with its index.

    :param key: the :func:`settings` that *found* was read with
    :param shared: whether other users may read it
    :param portable: whether it is to be found after the file system was packed into a container image
    :returns: the path of the store
    :raises Unusable: where it cannot be written
    """
    _store.resolve(folder)  # before anything is made in a place that somebody else can change
    make_folder(folder, shared)
    folder = _store.resolve(folder)
    store = build(folder, [anchor.der for anchor in found.anchors], shared)
    inputs = found.inputs.seen_anew(portable=True) if portable else found.inputs
    problems = []
    for problem in found.problems:
        if isinstance(problem, SourceError):
            problems.append((problem.path, problem.message))
        elif isinstance(problem, ConfigurationError) and problem not in found.config.problems:
            problems.append((problem.setting, problem.message))
    if not found.volatile:
        index = _store.Index(key, os.path.basename(store), _store.signature(store), inputs, problems, found.closed)
        write_index(folder, index, shared)
    _sweep(folder)
    return store


def digest(anchors: list[bytes]) -> str:
    """The name of the store of *anchors*, whatever their order: a digest of the certificates."""
    from hashlib import sha256

    # Of namesakes, those are left out which this OpenSSL refuses.
    whole = sha256(b"%s%d" % (_VERSION, _ssl.OPENSSL_VERSION_NUMBER))
    for anchor in sorted(anchors):
        whole.update(sha256(anchor).digest())
    return whole.hexdigest()[:40]


def files(anchors: list[bytes]) -> dict[str, bytes]:
    """The files of the store of *anchors*, by name: the same whatever their order.

    OpenSSL looks for 0, 1, 2, ... under a subject's hash, and stops at the first
    one it cannot load: of several with one hash, those it refuses are left out.
    """
    by_hash: dict[str, list[bytes]] = {}
    for anchor in sorted(anchors):
        try:
            name = _x509.subject_hash(_x509.Certificate(anchor).subject)
        except ValueError:
            continue  # a name that OpenSSL cannot read either
        by_hash.setdefault(name, []).append(anchor)
    found = {}
    for name, namesakes in by_hash.items():
        if len(namesakes) > 1:
            namesakes = _accepted(namesakes)
        for number, anchor in enumerate(namesakes):
            found[f"{name}.{number}"] = pem(anchor)
    return found


def pem(anchor: bytes) -> bytes:
    """A certificate as PEM (:rfc:`7468`)."""
    text = binascii.b2a_base64(anchor, newline=False)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])


def _accepted(anchors: list[bytes]) -> list[bytes]:
    accepted = []
    context = _context.scratch()
    for anchor in anchors:
        try:
            _ssl._SSLContext.load_verify_locations(context, cadata=anchor)
        except _ssl.SSLError:
            continue
        accepted.append(anchor)
    return accepted


def make_folder(folder: str, shared: bool) -> None:
    """Make the folder that stores are in, and those above it.

    :param shared: whether other users may read what is in it
    :raises Unusable: where that is impossible
    """
    missing = []
    place = folder
    while not os.path.lexists(place):
        missing.append(place)
        above = os.path.dirname(place)
        if above == place:  # a drive of Windows that is not there
            raise Unusable(f"{folder} cannot be made: there is no {place}")
        place = above
    mode = 0o755 if shared else 0o700
    try:
        for place in reversed(missing):
            try:
                os.mkdir(place, mode)
                os.chmod(place, mode)  # whatever the umask
            except FileExistsError:
                pass  # Another process makes it too.
    except OSError as error:
        raise Unusable(f"{folder} cannot be made: {error.strerror}") from None


def build(folder: str, anchors: list[bytes], shared: bool) -> str:
    """Build the store of *anchors* in *folder*, unless it is there and whole.

    :returns: the path of the store
    :raises Unusable: where it cannot be written
    """
    store = os.path.join(folder, digest(anchors))
    if _store.is_whole(store):
        return store
    temporary = _temporary(store)
    try:
        mode = 0o755 if shared else 0o700
        os.mkdir(temporary, mode)
        os.chmod(temporary, mode)  # whatever the umask
        content = files(anchors)
        content[_store.BUNDLE] = b"".join(content.values())
        for name, data in content.items():
            _write(os.path.join(temporary, name), data, shared)
        manifest = _store.manifest({name: len(data) for name, data in content.items()})
        _write(os.path.join(temporary, _store.MANIFEST), manifest, shared)
        _move(temporary, store)
    except OSError as error:
        raise Unusable(f"{store} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return store


def _move(temporary: str, store: str) -> None:
    """Put *temporary* in the place of *store*, which others may be doing too."""
    if os.path.islink(store) or os.path.isfile(store):
        os.unlink(store)
    try:
        os.rename(temporary, store)
    except OSError as error:
        # Windows says EACCES for a folder that is there.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES):
            raise
        if _store.is_whole(store):
            return  # Somebody else was faster.
        if sys.platform != "win32" and os.lstat(store).st_uid != os.geteuid():
            # Somebody else's cannot be repaired.
            foreign = _temporary(store)
            os.rename(store, foreign)
            os.rename(temporary, store)
            shutil.rmtree(foreign, ignore_errors=True)
        else:
            _repair(temporary, store)


def _repair(temporary: str, store: str) -> None:
    """Put every file of *temporary* into *store*, and remove what does not belong there.

    File by file, so that a context which is at work never misses a root that was there.
    """
    os.chmod(store, stat.S_IMODE(os.stat(temporary).st_mode))
    names = sorted(os.listdir(temporary), key=lambda name: name == _store.MANIFEST)
    for name in os.listdir(store):
        if name not in names:
            _remove(os.path.join(store, name))
    for name in names:
        place = os.path.join(store, name)
        if os.path.isdir(place) and not os.path.islink(place):
            _remove(place)
        os.replace(os.path.join(temporary, name), place)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def write_index(folder: str, index: _store.Index, shared: bool) -> None:
    """Write *index* into *folder*, in the place of the one for the same settings.

    :raises Unusable: where that is impossible
    """
    path = _store.index_path(folder, index.settings)
    temporary = _temporary(path)
    try:
        _write(temporary, index.to_bytes(), shared)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise Unusable(f"{path} cannot be written: {error.strerror}") from None
    with contextlib.suppress(OSError):
        # What was just written was not looked at yet: the first who uses it does.
        os.utime(path, (0, 0))


# What _temporary() names, and when it is somebody's no more, in seconds.
_LEFTOVER = re.compile(r"\.(index-[0-9a-f]{8}|[0-9a-f]{40})\.[0-9a-f]{16}")
_LEFT_AFTER = 3600


def _sweep(folder: str) -> None:
    """Remove what killed builders left in *folder*."""
    for name in filter(_LEFTOVER.fullmatch, os.listdir(folder)):
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            if time() - os.lstat(path).st_mtime > _LEFT_AFTER:
                _remove(path)


def _temporary(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{binascii.hexlify(os.urandom(8)).decode()}")


def _write(path: str, data: bytes, shared: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    mode = 0o644 if shared else 0o600
    descriptor = os.open(path, flags, mode)
    try:
        if shared and hasattr(os, "fchmod"):
            os.fchmod(descriptor, mode)  # whatever the umask
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)
