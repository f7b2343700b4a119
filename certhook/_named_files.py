"""Files of roots that callers name, other than public bundles: contexts read them from a compiled store.

``REQUESTS_CA_BUNDLE``, ``verify="/path"`` and ``create_default_context(cafile=...)`` load a file into
every context, which takes OpenSSL 3 as long as loading default trust. The first context loads it as
well, and a store is built from the file. Further contexts point at the store, and trust exactly the
roots of the file, in its order. The store's name depends on the content of the file, whose signature is
compared for every context: like stock Python, a context has the roots that the file contains when it is named.

OpenSSL loads all other files itself: small ones, those that it rejects, and those that contain
anything besides certificates. It also loads files into contexts that have other content.

This module is imported for the first context with a file of roots that is not a public bundle.
"""

import _ssl
import os
import stat
from _thread import allocate_lock
from time import monotonic

from certhook._state import load_module, mark, markers_of, process
from certhook._store import Unusable, named
from certhook._watch import PATH, RARE_INTERVAL, are_unchanged, path_signature, status_signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any, Optional

    from certhook._config import Config
    from certhook._types import Signature

# The effective user; Windows has no user IDs.
_user = getattr(os, "geteuid", int)

# Not the context's own methods, which a subclass may override and certhook wraps.
_load = _ssl._SSLContext.load_verify_locations
_stats = _ssl._SSLContext.cert_store_stats

_READ_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)

# Two threads may name different files for one context.
_attaching = allocate_lock()

#: The sizes of files that are compiled, in bytes. The smallest certificates have about 400 bytes as PEM.
_SMALLEST, _LARGEST = 8192, 1 << 26
# The number of paths and stores that are remembered. A program that names more has temporary ones.
_MOST_FILES = 128


class NamedFile:
    """A file of roots, as it was when it was read.

    :ivar path: its absolute path
    :ivar signature: its signature before it was read
    :ivar config: the settings
    :ivar user: the effective user
    :ivar store: the compiled store with its roots, None if there is none
    :ivar data: the text from which the store was built, to build it again after the file has changed
    :ivar directory: the directory in which a store is to be built from it, empty if it is not
    """

    def __init__(self, path: str, seen: "Signature", config: "Config") -> None:
        self.path = path
        self.store: Optional[str] = None
        self.data = b""
        self.directory = ""
        self.signature = seen
        self.config = config
        self.user = _user()
        self._store_signature: Signature = None
        self._verified = 0.0

    def use(self, store: str, data: bytes) -> None:
        """Set the store, which is complete, and the text from which it was built."""
        self.data = data
        self.store, self._store_signature, self._verified = store, path_signature(store), monotonic()

    def is_current(self, seen: "Signature", config: "Config") -> bool:
        """Return whether the file still has the signature *seen*, and the store is complete."""
        if self.signature != seen or self.config is not config or self.user != _user():
            return False
        return self.store is None or self._is_store_complete(self.store)

    def _is_store_complete(self, store: str) -> bool:
        if not are_unchanged([(PATH, store, "", self._store_signature)], portable=False):
            return False
        now = monotonic()
        if now - self._verified > RARE_INTERVAL:
            self._verified = now
            return named.is_usable(store)
        return True


def attach(
    context: "ssl.SSLContext", args: "tuple[Any, ...]", kwargs: "dict[str, Any]", config: "Config"
) -> "Optional[NamedFile]":
    """Point *context* at the store of the file that a call of ``load_verify_locations`` names, if there is one.

    :param args: the arguments of the call after the context
    :returns: the file. Without a store, the caller calls the real function, and then :func:`compile_file`.
        None if OpenSSL has to load the file, or reports the error in the arguments.
    """
    if config.load != "lazy" or not config.named_files:
        return None
    path = _only_file(args, kwargs)
    if path is None or _has_content(context):
        return None
    try:
        # Examined before it is opened, which may have effects on a pipe or a device.
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or not _SMALLEST <= status.st_size <= _LARGEST:
            return None
        # The process may have lost the permission to read it. NFS updates cached attributes when a file is opened.
        descriptor = os.open(path, _READ_FLAGS)
        try:
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None
    seen = status_signature(status)
    file: Optional[NamedFile] = process.named_files.get(path)
    if file is None or not file.is_current(seen, config):
        file = _look_up(path, seen, config)
    if file.store is None:
        return file if file.directory else None
    if not _attaching.acquire(False):
        return None  # In a child process, a lock that another thread held during the fork has the same effect.
    try:
        if _has_content(context):  # Another thread loads a file into it.
            return None
        # Marked first, so that other threads load the store before they load anything else.
        markers = mark(context)
        markers.store = markers.resolved = file.store
        markers.has_caller_certs = True
        _load(context, capath=file.store)
    finally:
        _attaching.release()
    if config.debug:
        _debug(f"{context!r} has {file.store}, compiled from {path}")
    return file


def compile_file(file: NamedFile, context: "ssl.SSLContext") -> None:
    """Build the store of *file*, which was loaded into *context*, an empty one.

    If this is impossible, further contexts load the file.
    """
    parent, file.directory = file.directory, ""
    if not parent:  # Another thread builds the store.
        return
    store = ""
    try:
        data = named.read(file.path)
        if path_signature(file.path) == file.signature:
            store = os.path.join(parent, named.store_name(data))
            file.use(named.build(store, data, _stats(context)["x509"]), data)
    except (OSError, ValueError, Unusable) as failure:
        if file.config.debug:
            _debug(f"OpenSSL loads {file.path} into every context: {failure}")
    if store:  # The path of the file is not remembered if its signature is unreliable.
        _remember(store, file)


def _only_file(args: "tuple[Any, ...]", kwargs: "dict[str, Any]") -> "Optional[str]":
    """Return the file that the arguments name, None if they are invalid or name anything else."""
    values = dict(zip(("cafile", "capath", "cadata"), args), **kwargs) if len(args) <= 3 else {}
    file = values.pop("cafile", None)
    if any(value is not None for value in values.values()) or not isinstance(file, (str, bytes, os.PathLike)):
        return None
    try:
        return os.fsdecode(file)
    except Exception:  # A faulty __fspath__(). The real function reports it.
        return None


def _has_content(context: "ssl.SSLContext") -> bool:
    """Return whether *context* has certificates, CRLs or a store, which a second store would partly hide."""
    markers = markers_of(context)
    if markers.has_caller_certs or markers.store or markers.loaded:
        return True
    counts = _stats(context)
    return bool(counts["x509"] or counts["crl"])


def _look_up(path: str, seen: "Signature", config: "Config") -> NamedFile:
    """Read the file *path*, and find its store."""
    file = NamedFile(path if os.path.isabs(path) else os.path.join(os.getcwd(), path), seen, config)
    try:
        directory = named.directory(config)
        data = named.read(path)
        if path_signature(path) != seen:
            return file  # It is being written.
        store = os.path.join(directory, named.store_name(data))
        failed = process.named_files.get(store)
        if named.is_usable(store):
            file.use(store, data)
            _remember(store, file)
        elif failed is None or failed.store or failed.config is not config or failed.user != file.user:
            file.directory = directory
    except (OSError, ValueError, Unusable) as failure:
        if config.debug:
            _debug(f"OpenSSL loads {path} into every context: {failure}")
    if named.has_reliable_signature(path, seen):
        _remember(path, file)
    return file


def _remember(key: str, file: NamedFile) -> None:
    files = process.named_files
    if len(files) >= _MOST_FILES:
        files.clear()
    files[key] = file


def _debug(message: str) -> None:
    load_module("_warnings").debug(message)
