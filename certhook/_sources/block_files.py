"""Adding the entries of files to the block list."""

from __future__ import annotations

import os
import stat

from certhook import _files
from certhook._certificates import pem
from certhook._config import ANY_PURPOSE
from certhook._sources.blocklist import BlocklistEntry, identity
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Iterable, Iterator

    from certhook._sources.collector import Collector


def content(collector: Collector, path: str) -> bytes | None:
    """Return the content of the file *path*, None if it does not exist or cannot be read."""
    try:
        return _files.read(path)
    except SourceError as error:
        if not is_masked(path) and not isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            collector.report_unknown_distrust(path, error.message, error.__cause__)
        return None


def is_masked(path: str) -> bool:
    """Return whether *path* is a character device: /dev/null, mounted over or linked from a file, removes it."""
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
