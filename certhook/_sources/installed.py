"""Detecting a public bundle that was reduced after its installation: a choice of roots, such as one private CA.

Installers list every file that they install, with its hash and size, in the ``RECORD`` of the
package (`PyPA's specification
<https://packaging.python.org/en/latest/specifications/recording-installed-packages/>`_). Without
an entry for the bundle, as in archives and in packages of most distributions, it counts as complete.
"""

from __future__ import annotations

import binascii
import os
import re

from certhook import _digest, _files
from certhook._finder import find_package
from certhook._public_bundles import split
from certhook._sources.bundled import bundle_path
from certhook.exceptions import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterator

    from certhook._sources.collector import Collector


class Record:
    """An entry in the RECORD of an installed distribution.

    :ivar path: the path of the RECORD
    :ivar sha256: the SHA-256 of the file as it was installed, in hexadecimal digits
    :ivar size: the size of the file as it was installed, None if the entry lacks it
    """

    __slots__ = ("path", "sha256", "size")

    def __init__(self, path: str, sha256: str, size: int | None) -> None:
        self.path = path
        self.sha256 = sha256
        self.size = size


#: No release of a public bundle that is adopted has had fewer roots, except httplib2's.
FEWEST_ROOTS = 80

# A vendored copy of certifi is up to six directories below site-packages.
_DEPTH = 8

_BEGIN = b"-----BEGIN CERTIFICATE-----"


def read(collector: Collector) -> None:
    """Record in *collector* whether the public bundle that is requested was reduced."""
    named = collector.config.named
    if named is not None and not os.path.isabs(named):
        package, inner = split(named)
        path = bundle_path(find_package(package), package, inner)
        collector.is_reduced = path is not None and is_reduced(path, collector.recorder.watch)


def is_reduced(path: str, watch: Callable[[str], None] | None = None) -> bool:
    """Return whether the bundle at *path* has lost roots since the installation of its package.

    A bundle to which a user appended a CA is not reduced.

    :param watch: called with the path of each file that the result depends on
    """
    records = records_of(path)
    if records and watch is not None:
        for watched in [path, *(record.path for record in records)]:
            watch(watched)
    try:
        data = _files.read(path) if records else b""
    except SourceError:
        return False  # The reader of the bundle reports that.
    # A RECORD of an earlier version may be left behind.
    return bool(records) and all(_lacks_content(data, record) for record in records)


def records_of(path: str) -> list[Record]:
    """Return the entries for the file *path* in the RECORDs beside its package."""
    directory = os.path.dirname(path)
    for _ in range(_DEPTH):
        for files in _record_files(directory, path):
            found = [record for file in files for record in _entries(file, directory, path)]
            if found:
                return found
        directory, previous = os.path.dirname(directory), directory
        if directory == previous:
            break
    return []


def _lacks_content(data: bytes, record: Record) -> bool:
    """Return whether *data* lacks certificates of the file that *record* describes."""
    if _digest.hexdigest("sha256", data) == record.sha256:
        return False
    size = record.size
    if size is not None and len(data) < size:
        return True
    # Certificates were added before or after the original content.
    if size is not None and record.sha256 in [
        _digest.hexdigest("sha256", part) for part in (data[:size], data[len(data) - size :])
    ]:
        return False
    return data.count(_BEGIN) < FEWEST_ROOTS


def _record_files(directory: str, path: str) -> tuple[list[str], ...]:
    """Return the paths of the RECORDs in *directory*: of distributions named like the package, and of others."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.lower().endswith(".dist-info"))
    except OSError:
        return ()
    package = _normalised(os.path.relpath(path, directory).split(os.sep)[0])
    groups: tuple[list[str], ...] = ([], [])
    for name in names:
        groups[_normalised(name.split("-")[0]) != package].append(os.path.join(directory, name, "RECORD"))
    return groups


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _entries(record: str, directory: str, path: str) -> Iterator[Record]:
    """Find the entry for *path* in the file *record*, whose paths are relative to *directory*."""
    try:
        data = _files.read(record)
    except SourceError:
        return
    name = os.path.normcase(os.path.basename(path))
    if name.encode("utf-8", "surrogateescape") not in (data.lower() if name.islower() else data):
        return
    import csv
    import io

    wanted = _comparable(path)
    try:
        for row in csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")):
            # Parsing a path takes longer than comparing the end of a string.
            if len(row) < 2 or not os.path.normcase(row[0]).endswith(name):
                continue
            digest = _hexadecimal(row[1])
            if digest and _comparable(os.path.join(directory, row[0])) == wanted:
                size = row[2] if len(row) > 2 else ""
                yield Record(record, digest, int(size) if re.fullmatch("[0-9]{1,18}", size) else None)
    except (csv.Error, ValueError):
        return


def _comparable(path: str) -> str:
    return os.path.normcase(os.path.normpath(path))


def _hexadecimal(entry: str) -> str:
    """Return the hexadecimal digits of the SHA-256 in *entry*, empty if it has another form."""
    algorithm, _, text = entry.partition("=")
    if algorithm != "sha256":
        return ""
    try:
        digest = binascii.a2b_base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
    except ValueError:
        return ""
    return digest.hex() if len(digest) == 32 else ""
