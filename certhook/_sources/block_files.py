"""Adding the entries of files to the block list."""

from __future__ import annotations

import errno
import os
import stat

from certhook import _files
from certhook._certificates import pem
from certhook._config import ANY_PURPOSE
from certhook._sources.blocklist import BlocklistEntry, identity
from certhook._warnings import debug
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Iterable, Iterator

    from certhook._sources.collector import Collector


def content(collector: Collector, path: str, adds_trust: bool = False) -> bytes | None:
    """Return the content of the file *path*, None if it does not exist or cannot be read.

    :param adds_trust: whether the file is in a directory of anchors; see :func:`ignore`
    """
    try:
        return _files.read(path)
    except SourceError as error:
        cause = error.__cause__
        if is_masked(path) or isinstance(cause, (FileNotFoundError, NotADirectoryError)):
            return None
        if adds_trust:
            ignore(collector, path, error.message, cause)
        else:
            collector.report_unknown_distrust(path, error.message, cause)
        return None


def ignore(collector: Collector, path: str, reason: str, error: BaseException | None) -> None:
    """Ignore *path*, a directory of anchors or a file in one, which cannot be read.

    Anchors add trust. The operating system extracts its store from them, so the store already reflects them.

    :param error: the error that occurred
    """
    log(collector, f"{path} is ignored: it {reason}")
    collector.recorder.read_failed(error)


def log(collector: Collector, message: str) -> None:
    """Write a line to standard error if ``CERTHOOK_DEBUG`` is set."""
    if collector.config.debug:
        debug(message)


def is_special(path: str) -> bool:
    """Return whether *path* is not a regular file but a pipe, a socket, a device or a link to itself."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        return error.errno == errno.ELOOP


def is_masked(path: str) -> bool:
    """Return whether *path* is a character device. Administrators mask a file by a mount of or a link to /dev/null."""
    try:
        return stat.S_ISCHR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def certificates(data: bytes) -> Iterator[BlocklistEntry]:
    """Return an entry for each certificate in *data*, and one with a fault for each malformed certificate."""
    entries, problems = pem.parse(data, lenient=True)
    for entry in entries:
        yield BlocklistEntry(ANY_PURPOSE, entry.certificate)
    for problem in problems:
        yield BlocklistEntry(ANY_PURPOSE, fault=problem)


def add_entries(
    collector: Collector,
    path: str,
    entries: Iterable[BlocklistEntry],
    is_blocklist: bool,
    exempt: Collection[object] = frozenset(),
    listed_by: str = "",
) -> None:
    """Distrust the entries of one file.

    :param is_blocklist: whether the file is expected to contain entries
    :param exempt: the identities of CAs that remain trusted
    :param listed_by: the file that makes *path* a block list, if any
    """
    # Documentation and the temporary files of editors are not expected to contain certificates.
    is_list = not os.path.basename(path).upper().startswith(("README", "."))
    count = faults = 0
    for entry in entries:
        if entry.since:
            collector.recorder.depends_on_time(entry.since, collector.now)
        if entry.since > collector.now:
            continue
        try:
            if entry.certificate is None or identity(entry.certificate) not in exempt:
                collector.blocklist.add(entry, listed_by or path)
            count += 1
        except ValueError as error:
            faults += 1
            if is_list and faults <= pem.MOST_PROBLEMS:
                collector.report_unknown_distrust(path, error)
    if is_blocklist and not count and is_list:
        message = "distrusts nothing; expected a certificate as PEM or DER, or a p11-kit object"
        collector.problems.append(SourceError(path, message))
