"""Reading files and directories of certificates into a collector."""

from __future__ import annotations

import os
import re

from certhook import _files
from certhook._certificates import names, pem
from certhook._sources.locations import ANY, HASHED_OLD
from certhook.exceptions import ConfigurationError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._certificates.anchor import Entry
    from certhook._certificates.x509 import Certificate
    from certhook._sources.collector import Collector
    from certhook._sources.trust_set import Location

_HASHED_NAME = re.compile(r"([0-9a-f]{8})\.(0|[1-9][0-9]{0,5})")
_CERTIFICATE_SUFFIXES = (".pem", ".crt", ".cer", ".der")


def read_file(
    collector: Collector, source: str, path: str, setting: str | None = None, *, is_stock: bool = False
) -> int:
    """Read a file of certificates.

    :param setting: the variable that contains the path; without one, a missing file is not a problem
    :param is_stock: whether stock Python would load it for the same request
    :returns: the number of anchors that it lists
    """
    location = collector.add_location(source, path, is_stock)
    entries = _load(collector, path, location, setting)
    collector.add(location, entries)
    if not entries and not location.note:
        _report_empty(collector, location, setting, "contains no certificate")
    return location.count


def read_text(collector: Collector, source: str, path: str, data: bytes, *, is_stock: bool = False) -> int:
    """Read certificates from memory, or from an archive at *path*.

    :param is_stock: as in :func:`read_file`
    :returns: the number of anchors that it lists
    """
    location = collector.add_location(source, path, is_stock)
    entries, skipped = _parse(collector, data)
    collector.problems.extend(SourceError(path, message) for message in skipped)
    collector.add(location, entries)
    if not entries:
        location.note = "contains no certificate"
        collector.problems.append(SourceError(path, location.note))
    return location.count


def read_directory(
    collector: Collector, source: str, path: str, layout: str, setting: str | None = None, *, is_stock: bool = False
) -> int:
    """Read a directory of certificates.

    :param layout: a layout of :mod:`certhook._sources.locations`
    :param setting: as in :func:`read_file`
    :param is_stock: as in :func:`read_file`
    :returns: the number of anchors that it lists
    """
    location = collector.add_location(source, path, is_stock)
    collector.recorder.watch(path)
    try:
        found = sorted(os.listdir(path))
    except (OSError, ValueError) as error:
        _report_empty(collector, location, setting, f"cannot be read: {getattr(error, 'strerror', None) or error}")
        if not setting and not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            collector.problems.append(SourceError(path, location.note))
        collector.recorder.read_failed(error)
        return 0
    if layout == ANY:
        _read_any(collector, location, found)
        expected = f"no certificate in a file *{', *'.join(_CERTIFICATE_SUFFIXES)}"
    else:
        _read_hashed(collector, location, found, old=layout == HASHED_OLD)
        expected = "no certificate with a name that OpenSSL looks up, <subject hash>.<n>"
        if setting:
            expected += f"; run 'openssl rehash {path}' to create these names"
    if not location.count and not location.note:
        _report_empty(collector, location, setting, f"contains {expected}")
    return location.count


def _read_any(collector: Collector, location: Location, found: list[str]) -> None:
    for name in found:
        path = os.path.join(location.path, name)
        is_certificate = name.lower().endswith(_CERTIFICATE_SUFFIXES) or _HASHED_NAME.fullmatch(name)
        if is_certificate and not name.startswith(".") and not os.path.isdir(path):
            collector.add(location, _load(collector, path, location), path)


def _read_hashed(collector: Collector, location: Location, found: list[str], old: bool) -> None:
    """Read the certificates that OpenSSL finds in this directory, and no others.

    OpenSSL looks up a subject hash with the numbers 0, 1, 2, ... up to the first missing one, and
    loads every certificate in these files (crypto/x509/by_dir.c, ``get_cert_by_subject_ex``). A
    file with another name, or without a certificate of this hash, is not trusted. In directories
    of Android, a file contains one certificate.
    """
    hashed = sorted((match[1], int(match[2])) for match in map(_HASHED_NAME.fullmatch, found) if match)
    expected = {name: 0 for name, _ in hashed}
    others: list[tuple[list[Entry], str]] = []
    for name, number in hashed:
        path = os.path.join(location.path, f"{name}.{number}")
        if number != expected[name]:
            continue
        if not os.path.exists(path):
            collector.recorder.watch_member(path)  # The target of this link may be created later.
            continue
        expected[name] += 1
        matching: list[Entry] = []
        remaining: list[Entry] = []
        for entry in _load(collector, path, location):
            try:
                is_match = _subject_hash(entry.certificate, old) == name
            except ValueError as error:
                collector.problems.append(SourceError(path, f"contains a certificate that is ignored: {error}"))
                continue
            (matching if is_match else remaining).append(entry)
        if matching:
            collector.add(location, matching, path)
            others.append((remaining, path))
    # OpenSSL finds these only after the file's own hash was looked up, so they come last among equal names.
    for entries, path in others if not old else ():
        collector.add(location, entries, path, is_found=False)


def _subject_hash(certificate: Certificate, old: bool) -> str:
    return names.subject_hash_old(certificate.subject) if old else names.hash_of_subject(certificate)


def _load(collector: Collector, path: str, location: Location, setting: str | None = None) -> list[Entry]:
    is_location = path == location.path
    # Recorded before reading, so that a change in between is detected.
    if is_location:
        collector.recorder.watch(path)
    else:
        collector.recorder.watch_member(path)
    try:
        entries, skipped = _parse(collector, _content(collector, path, setting))
    except SourceError as error:
        if is_location:
            _report_empty(collector, location, setting, error.message)
        if not setting and not isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            collector.problems.append(error)
        collector.recorder.read_failed(error.__cause__)
        return []
    collector.problems.extend(SourceError(path, message) for message in skipped)
    return entries


def _content(collector: Collector, path: str, setting: str | None) -> bytes:
    if setting == "SSL_CERT_FILE" and _files.is_pipe(path):
        collector.recorder.volatile = True  # Each context reads it, as OpenSSL does. The shell's <(command) is a pipe.
        return _files.read(path, accepts_pipe=True)
    return _files.read(path)


def _parse(collector: Collector, data: bytes) -> tuple[list[Entry], list[str]]:
    collector.block_labelled(data)
    return pem.parse(data, known=collector.certificates)


def _report_empty(collector: Collector, location: Location, setting: str | None, note: str) -> None:
    location.note = note
    if setting:
        finding = f"{location.path} {note}" if location.path else "is empty"
        collector.problems.append(ConfigurationError(setting, f"{finding}. It adds no roots"))
