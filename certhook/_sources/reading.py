"""Reading files and directories of certificates into a collector."""

from __future__ import annotations

import errno
import functools
import os
import re

from certhook import _files
from certhook._certificates import names, pem
from certhook._secrets import hidden_kind, hidden_path_kind, secret_kind
from certhook._sources.locations import ANY, HASHED_OLD
from certhook._text import quoted_path
from certhook.exceptions import ConfigurationError, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from certhook._certificates.anchor import Entry
    from certhook._certificates.x509 import Certificate
    from certhook._sources.collector import Collector
    from certhook._sources.trust_set import Location

_HASHED_NAME = re.compile(r"([0-9a-f]{8})\.(0|[1-9][0-9]{0,5})")
_CERTIFICATE_SUFFIXES = (".pem", ".crt", ".cer", ".der")
# The variables of OpenSSL for a file, which it reads only as PEM. certhook's own variables also accept DER.
_PEM_ONLY = ("SSL_CERT_FILE", "NIX_SSL_CERT_FILE")
_LISTS = ("CERTHOOK_EXTRA_CA_CERTS", "SSL_CERT_DIR")
# What to do after the conversion of a file to PEM.
_NEXT = "name the new file instead"


def read_file(
    collector: Collector, source: str, path: str, setting: str | None = None, *, is_stock: bool = False
) -> int:
    """Read a file of certificates.

    :param setting: the variable that contains the path; without one, a missing file is not a problem
    :param is_stock: whether stock Python would load it for the same request
    :returns: the number of anchors that it lists
    """
    if _is_hidden(collector, source, path, setting):
        return 0
    location = collector.add_location(source, path, is_stock)
    entries = _load(collector, path, location, setting)
    collector.add(location, entries)
    if not entries and not location.note:
        location.note = "contains no certificate"
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
    if _is_hidden(collector, source, path, setting):
        return 0
    location = collector.add_location(source, path, is_stock)
    collector.recorder.watch(path)
    try:
        found = sorted(os.listdir(path))
    except (OSError, ValueError) as error:
        note = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        _report_empty(collector, location, setting, note, _path_hint(collector, setting, path, error))
        if not setting and not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            collector.problems.append(SourceError(path, location.note))
        collector.recorder.read_failed(error)
        return 0
    remedy = ""
    if layout == ANY:
        _read_any(collector, location, found, setting)
        expected = f"no certificate in a file *{', *'.join(_CERTIFICATE_SUFFIXES)}"
    else:
        _read_hashed(collector, location, found, old=layout == HASHED_OLD)
        expected = "no certificate with a name that OpenSSL looks up, <subject hash>.<n>"
        if setting:
            remedy = f"; run 'openssl rehash {quoted_path(path)}' to create these names"
    if not location.count and not location.note:
        _report_empty(collector, location, setting, f"contains {expected}{remedy}")
    return location.count


def _is_hidden(collector: Collector, source: str, path: str, setting: str | None) -> bool:
    """Return whether *path* does not exist and may contain a secret, and report this without the path."""
    if not setting or os.path.lexists(path):
        return False
    value = _value(collector, setting, path)
    # The separator of paths may have divided a secret.
    whole = _directories(collector.config.cert_dir or "")[1] if setting == "SSL_CERT_DIR" else ""
    kind = hidden_kind(value) or hidden_path_kind(path) or whole
    if not kind:
        return False
    # The file may be created later.
    collector.recorder.watch(path)
    shown = f"({kind}, {len(value)} characters)"
    location = collector.add_location(source, shown)
    hint = _path_hint(collector, setting, path, FileNotFoundError())
    _report_empty(collector, location, setting, "cannot be read: there is no file with this name", hint)
    return True


def _value(collector: Collector, setting: str, path: str) -> str:
    """Return the part of *setting* that names *path*. Relative paths in the variables of OpenSSL were made absolute."""
    if setting == "SSL_CERT_FILE":
        return collector.config.cert_file or path
    return _directories(collector.config.cert_dir or "")[0].get(path, path) if setting == "SSL_CERT_DIR" else path


@functools.lru_cache(maxsize=1)
def _directories(value: str) -> tuple[dict[str, str], str]:
    """Return the parts of *value*, that of SSL_CERT_DIR, by their absolute paths, and its kind if it may be secret."""
    return {os.path.abspath(part): part for part in value.split(os.pathsep) if part}, secret_kind(value)


def _read_any(collector: Collector, location: Location, found: list[str], setting: str | None) -> None:
    for name in found:
        path = os.path.join(location.path, name)
        is_certificate = name.lower().endswith(_CERTIFICATE_SUFFIXES) or _HASHED_NAME.fullmatch(name)
        if is_certificate and not name.startswith(".") and not os.path.isdir(path):
            collector.add(location, _load(collector, path, location, setting), path)


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
        if _is_missing(path):
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


def _is_missing(path: str) -> bool:
    """Return whether there is no file *path*. Other errors are reported when it is read."""
    try:
        os.stat(path)
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
    return False


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
        data = _content(collector, path, setting)
    except SourceError as error:
        if is_location:
            _report_empty(
                collector, location, setting, error.message, _path_hint(collector, setting, path, error.__cause__)
            )
        if not (setting and is_location) and not isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            collector.problems.append(error)
        collector.recorder.read_failed(error.__cause__)
        return []
    entries, skipped = ([], []) if setting in _PEM_ONLY and _is_binary(data) else _parse(collector, data)
    if not entries and setting:
        skipped = _report_format(collector, location, setting, path, data, skipped)
    collector.problems.extend(SourceError(path, message) for message in skipped)
    return entries


def _is_binary(data: bytes) -> bool:
    """Return whether *data* is DER, and not PEM text that begins with the digit 0."""
    return data[:1] == b"\x30" and b"-----BEGIN " not in data


def _report_format(
    collector: Collector, location: Location, setting: str, path: str, data: bytes, skipped: list[str]
) -> list[str]:
    """Report the format of the file *path*, from which no certificate was read.

    :param skipped: the problems with its content
    :returns: those of them that are still worth reporting
    """
    from certhook._certificates import formats

    found = formats.identify(data, path)
    if path == location.path:
        note = (
            f"contains no certificate that can be used ({found.name})"
            if data
            else "contains no certificate: it is empty"
        )
        _report_empty(collector, location, setting, note, found.advice(_NEXT) if data else "")
    elif found.command:
        # Another file in a directory, such as a private key, may be there for another purpose.
        advice = found.advice("leave the new file in the directory")
        collector.problems.append(SourceError(path, f"is {found.name} and adds no roots. {advice}"))
    return [] if _is_binary(data) else skipped


def _path_hint(collector: Collector, setting: str | None, path: str, error: BaseException | None) -> str:
    """Return why *path* does not exist, "" if there is no known reason."""
    if not setting or not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return ""
    from certhook._path_hints import explain

    hint = explain(_value(collector, setting, path), is_list=setting in _LISTS)
    return hint and f"{hint[0].upper()}{hint[1:]}"


def _content(collector: Collector, path: str, setting: str | None) -> bytes:
    if setting == "SSL_CERT_FILE" and _files.is_pipe(path):
        collector.recorder.volatile = True  # Each context reads it, as OpenSSL does. The shell's <(command) is a pipe.
        return _files.read(path, accepts_pipe=True)
    return _files.read(path)


def _parse(collector: Collector, data: bytes) -> tuple[list[Entry], list[str]]:
    collector.block_labelled(data)
    return pem.parse(data, known=collector.certificates)


def _report_empty(collector: Collector, location: Location, setting: str | None, note: str, advice: str = "") -> None:
    location.note = note
    if setting:
        finding = f"{location.path} {note}" if location.path else "is empty"
        file = collector.settings_file
        name = file.sets(setting) if file else ""
        if not advice and location.path and "; run " not in note:
            advice = f"Correct the path, or remove it from the {'file' if name else 'variable'}"
        message = f"{finding}. It adds no roots{f'. {advice}' if advice else ''}"
        if file and name:
            collector.problems.append(SourceError(file.path, f"{name}: {message}"))
        else:
            collector.problems.append(ConfigurationError(setting, message))
