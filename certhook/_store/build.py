"""Building compiled stores.

A store is written to a temporary directory, which is then renamed. Any number of processes may
build a store at the same time. If one is interrupted, no process uses its incomplete files.
Files are not synced to the disk, which would take longer than loading the roots:
:func:`certhook._store.find` detects files that a power failure left incomplete.
"""

from __future__ import annotations

import os
import sys
from binascii import crc32
from time import time

from certhook import _digest, _store
from certhook._certificates import openssl
from certhook._directory import directory_mode, write_directory
from certhook._secrets import hidden_path_kind, secret_kind
from certhook._state import BUNDLE
from certhook._store import INDEX, Index, Unusable, host_name
from certhook._store.links import link_name, replace_link
from certhook._store.opening import open_stores
from certhook._store.permissions import limited_access
from certhook._store.prune import sweep
from certhook._store.verification import MANIFEST, is_complete, manifest
from certhook._watch import MEMBERS, PATH, are_unchanged, exists, files_signature, path_signature
from certhook.exceptions import ConfigurationError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Mapping, Sequence

    from certhook._certificates.anchor import Anchor
    from certhook._config import Config
    from certhook._directory import Directory
    from certhook._sources.trust_set import TrustSet
    from certhook._types import Rows, Signature
    from certhook._watch import Snapshot

_VERSION = b"certhook store 4\0"

_SHARED, _PRIVATE = 0o644, 0o600
# The number of problems in an index, and the name of an entry for the others.
_MOST_PROBLEMS = 100
OMITTED = "more problems"

# The age in seconds from which on the time of an existing store is set; changing it causes a verification elsewhere.
_RECENT = 1800


def compile_store(
    directory: str,
    trust_set: TrustSet,
    settings: tuple[str, ...],
    shared: bool,
    reason: str,
    portable: bool = False,
    package: str | None = None,
) -> str:
    """Build the store of *trust_set* in *directory*, with a link and an index.

    :param settings: everything that the trust set depends on besides its inputs
    :param shared: whether other users may read it
    :param reason: why it is built
    :param portable: whether it remains valid after the file system was packed into a container image
    :param package: the package next to *directory*, which is as trustworthy
    :returns: the path that contexts point at: a link to the store if possible
    :raises Unusable: if it cannot be written
    """
    mode = file_mode(shared)
    with open_stores(directory, package, create=directory_mode(mode)) as stores:
        name = build(stores, trust_set.stored, mode)
        snapshot = trust_set.snapshot
        readable, unreadable = limited_access(snapshot)
        link = ""
        # On Windows, links need a privilege.
        name_of_link = "" if sys.platform == "win32" else link_name(trust_set, settings, unreadable, portable)
        # A link must not replace trust by less or older trust.
        if name_of_link and not snapshot.is_provisional and snapshot.is_current(thorough=False):
            link = replace_link(stores, name_of_link, name)
        if portable:
            snapshot = snapshot.retaken(portable=True)
            # These signatures would not reveal a change since the sources were read.
            if not _are_files_unchanged(trust_set.snapshot):
                raise Unusable("a file or directory that roots are read from has just changed; run the command again")
        if not trust_set.volatile and not _has_credentials(trust_set.config):
            store = os.path.join(stores.path, name)
            seen, problems, files = path_signature(store), _index_problems(trust_set), files_signature(store)
            built = int(time()), reason
            permissions, roots = (readable, unreadable), trust_set.roots_by_source
            index = Index(
                settings, name, link, seen, files, snapshot, problems, *permissions, built, host_name(), roots
            )
            _write_index(stores, index, mode)
        sweep(stores)
        return os.path.join(stores.path, link or name)


def _are_files_unchanged(snapshot: Snapshot) -> bool:
    """Return whether the files and directories among the inputs are unchanged. Wine always changes the registry."""
    return are_unchanged([row for row in snapshot.frequent if row[0] in (PATH, MEMBERS)], portable=False)


def _has_credentials(config: Config) -> bool:
    """Return whether a path may contain a secret, which must not be in a file that other users can read."""
    directories = config.cert_dir or ""
    paths = (config.cert_file, config.nix_cert_file, config.bundle, *config.extra, *directories.split(os.pathsep))
    return any(map(hidden_path_kind, filter(None, paths))) or (
        bool(secret_kind(directories)) and not exists(directories)
    )


def _index_problems(trust_set: TrustSet) -> list[tuple[str, str]]:
    """Return the problems of *trust_set*, except those of settings, which every process finds itself, up to a limit."""
    problems = []
    for problem in trust_set.problems:
        if isinstance(problem, SourceError):
            problems.append((problem.path, problem.message))
        elif isinstance(problem, ConfigurationError) and problem not in trust_set.config.problems:
            if problem.setting == "CERTHOOK_ADOPT":
                continue  # Processes with other values of this variable use the same index.
            problems.append((problem.setting, problem.message))
    omitted = len(problems) - _MOST_PROBLEMS
    if omitted > 0:
        problems[_MOST_PROBLEMS:] = [(OMITTED, f"{omitted}; 'certhook status --json' lists all problems")]
    return problems


def digest(content: Mapping[str, bytes]) -> str:
    """Return the name of the store with these files, by their names."""
    whole = _digest.new("sha256", _VERSION)
    for name, data in sorted(content.items()):
        encoded = os.fsencode(name)
        whole.update(b"%d %d " % (len(encoded), len(data)))
        whole.update(encoded + data)
    result: str = whole.hexdigest()[:40]
    return result


def store_content(anchors: Sequence[Anchor], with_settings: bool = True) -> dict[str, bytes]:
    """Return the files of the store of *anchors*, by name.

    :param anchors: in the order in which OpenSSL reads those with equal names
    :param with_settings: whether the files contain OpenSSL's trust settings, which other programs cannot read
    """
    settings = {anchor.der: anchor.auxiliary for anchor in anchors if with_settings}
    files = openssl.hashed_names([anchor.certificate for anchor in anchors])
    content = {name: openssl.to_pem(der, settings.get(der, b"")) for name, der in files.items()}
    content[BUNDLE] = b"".join(content.values())
    content[MANIFEST] = manifest(content)
    return content


def is_shared() -> bool:
    """Return whether other users may read the stores of this process: only if it runs as the superuser."""
    return sys.platform != "win32" and os.geteuid() == 0


def file_mode(shared: bool) -> int:
    """Return the permissions of the files of a store."""
    return _SHARED if shared else _PRIVATE


def build(stores: Directory, anchors: Iterable[Anchor], mode: int) -> str:
    """Build the store of *anchors* in the directory *stores*, unless a complete one exists.

    :param mode: the permissions of its files
    :returns: the name of the store
    :raises Unusable: if it cannot be written
    """
    content = store_content(tuple(anchors))
    name = digest(content)
    if stores.exists(name) and _is_complete(stores, name):
        if time() - stores.status(name).st_mtime > _RECENT:
            stores.set_time(name)  # Otherwise another process might remove it before a link refers to it.
    else:
        write(stores, name, content, mode)
    return name


def write(stores: Directory, name: str, content: dict[str, bytes], mode: int) -> None:
    """Write the files of the store *name*, or replace those of a damaged store.

    :param content: the files by name
    :param mode: the permissions of the files
    :raises Unusable: if they cannot be written
    """
    try:
        _restore_mode(stores, name, mode)
        write_directory(
            stores,
            name,
            content,
            last=MANIFEST,
            mode=mode,
            is_obsolete=lambda name: True,
            is_complete=lambda: _is_complete(stores, name),
            is_foreign=lambda: _is_foreign(stores, name),
        )
    except OSError as error:
        raise Unusable(f"{os.path.join(stores.path, name)} cannot be written: {error.strerror}") from None


def _is_complete(stores: Directory, name: str) -> bool:
    return is_complete(os.path.join(stores.path, name), dir_fd=stores.descriptor)


def _restore_mode(stores: Directory, name: str, mode: int) -> None:
    """Restore the permissions of an existing store, whose files are then replaced."""
    try:
        stores.set_mode_of(name, directory_mode(mode))
    except OSError:
        pass  # It is missing, is not a directory, or belongs to another user.


def _is_foreign(stores: Directory, name: str) -> bool:
    """Return whether the store *name* belongs to another user, so that its files cannot be replaced."""
    return sys.platform != "win32" and stores.status(name).st_uid != os.geteuid()


def encode(index: Index) -> bytes:
    """Encode *index*: lists of fields, each list preceded by its length, separated by null characters."""
    snapshot = index.snapshot
    signatures = map(_encode_signature, (index.store_signature, index.files_signature))
    since, reason = index.built
    header = [
        index.digest,
        index.link,
        index.host,
        *signatures,
        str(int(snapshot.portable)),
        str(since),
        reason,
        index.roots,
    ]
    groups = [_encode_rows(rows) for rows in (snapshot.frequent, snapshot.rare, snapshot.content)]
    problems = [field for problem in index.problems for field in problem]
    fields: list[str] = []
    for part in (index.settings, header, *groups, problems, index.readable, index.unreadable):
        fields += [str(len(part)), *part]
    body = os.fsencode("\0".join(fields))
    return b"%s\0%08x\0%s" % (INDEX, crc32(body), body)


def _encode_rows(rows: Rows) -> list[str]:
    return [field for kind, name, detail, seen in rows for field in (kind, name, detail, _encode_signature(seen))]


def _encode_signature(seen: Signature) -> str:
    return " ".join(map(str, seen or ()))


def _write_index(stores: Directory, index: Index, mode: int) -> None:
    path = _store.index_path(stores.path, index.settings)
    name = os.path.basename(path)
    try:
        stores.replace(name, encode(index), mode)
    except OSError as error:
        raise Unusable(f"{path} cannot be written: {error.strerror}") from None
    # The time of the last thorough check: the first process that uses the store checks it.
    stores.set_time(name, 0)
